/**
 * Descriptors in version 3 of oneDNN's interface. Numbers are those of its dnnl_types.h.
 * @module
 */
import type { OnednnLibrary } from "./library.ts";
import { type EltwiseKind, lengths, type Makers, type Pointer } from "./makers.ts";
import { check, made } from "./status.ts";

const TAG = { any: 1, block8: 142, block16: 121 } as const;
const TRAINING = 64;
const CONVOLUTION_DIRECT = 1;
const NEAREST = 0x2fff0;
/** Statistics, scale and shift are all given. */
const ALL_GIVEN = 1 | 2 | 4;
const ELTWISE: Readonly<Record<EltwiseKind, number>> = { elu: 0x22, logistic: 0x29, sqrt: 0x25, square: 0x23, linear: 0x26 };
/** Those whose gradient is found from the output. */
const ELTWISE_FROM_OUTPUT: Readonly<Partial<Record<EltwiseKind, number>>> = { elu: 0x102, logistic: 0x104 };
/** The type of the destination is taken. */
const UNDEFINED_TYPE = 0;

/** Makes descriptors with a library of version 3. */
export function makersOf3({ symbols }: OnednnLibrary & { readonly major: 3 }, engine: Pointer): Makers {
  const kept: Pointer[] = [];
  const evenly = (padding: number) => lengths([padding, padding, padding]);
  const [step, undilated] = [evenly(1), evenly(0)];
  return {
    describe(dims, type, layout) {
      const descriptor = made(
        `a tensor of ${dims.join(" x ")}`,
        (out) =>
          typeof layout === "string"
            ? symbols.dnnl_memory_desc_create_with_tag(out, dims.length, lengths(dims), type, TAG[layout])
            : symbols.dnnl_memory_desc_create_with_strides(out, dims.length, lengths(dims), type, lengths(layout)),
      );
      kept.push(descriptor);
      return descriptor;
    },
    attributes(operations) {
      const attributes = made("attributes", (out) => symbols.dnnl_primitive_attr_create(out));
      const list = made("post-operations", (out) => symbols.dnnl_post_ops_create(out));
      for (const operation of operations) {
        let status: number;
        if (operation.kind === "sum") status = symbols.dnnl_post_ops_append_sum(list, operation.scale, 0, UNDEFINED_TYPE);
        else status = symbols.dnnl_post_ops_append_eltwise(list, ELTWISE[operation.kind], operation.alpha, operation.beta);
        check(status, `post-operation ${operation.kind}`);
      }
      check(symbols.dnnl_primitive_attr_set_post_ops(attributes, list), "post-operations");
      symbols.dnnl_post_ops_destroy(list);
      return attributes;
    },
    convolutionForward: (src, weights, bias, dst, padding, attributes) =>
      made("convolution", (out) => {
        const [before, after] = [evenly(padding), evenly(padding)];
        return symbols.dnnl_convolution_forward_primitive_desc_create(
          ...[out, engine, TRAINING, CONVOLUTION_DIRECT, src, weights, bias, dst, step, undilated, before, after, attributes] as const,
        );
      }),
    convolutionBackwardData: (diffSrc, weights, diffDst, padding, hint) =>
      made("gradient of a convolution's input", (out) => {
        const [before, after] = [evenly(padding), evenly(padding)];
        return symbols.dnnl_convolution_backward_data_primitive_desc_create(
          ...[out, engine, CONVOLUTION_DIRECT, diffSrc, weights, diffDst, step, undilated, before, after, hint, null] as const,
        );
      }),
    convolutionBackwardWeights: (src, diffWeights, diffBias, diffDst, padding, hint) =>
      made("gradient of a convolution's weights", (out) => {
        const [before, after] = [evenly(padding), evenly(padding)];
        return symbols.dnnl_convolution_backward_weights_primitive_desc_create(
          ...[out, engine, CONVOLUTION_DIRECT, src, diffWeights, diffBias, diffDst, step, undilated, before, after, hint, null] as const,
        );
      }),
    eltwiseForward: (kind, data, attributes) =>
      made(kind, (out) => {
        const algorithm = ELTWISE_FROM_OUTPUT[kind] ?? ELTWISE[kind];
        return symbols.dnnl_eltwise_forward_primitive_desc_create(out, engine, TRAINING, algorithm, data, data, 1, 0, attributes);
      }),
    eltwiseBackward: (kind, data, hint) =>
      made(`gradient of ${kind}`, (out) => {
        const algorithm = ELTWISE_FROM_OUTPUT[kind]!;
        return symbols.dnnl_eltwise_backward_primitive_desc_create(out, engine, algorithm, data, data, data, 1, 0, hint, null);
      }),
    batchNorm: (data, epsilon) =>
      made(
        "batch norm",
        (out) =>
          symbols.dnnl_batch_normalization_forward_primitive_desc_create(out, engine, TRAINING, data, data, epsilon, ALL_GIVEN, null),
      ),
    pool: (kind, src, dst, kernelZyx) =>
      made("pooling", (out) =>
        symbols.dnnl_pooling_forward_primitive_desc_create(
          ...[out, engine, TRAINING, kind, src, dst, step, lengths(kernelZyx), undilated, evenly(0), evenly(0), null] as const,
        )),
    upsampleForward: (src, dst) =>
      made(
        "upsampling",
        (out) => symbols.dnnl_resampling_forward_primitive_desc_create(out, engine, TRAINING, NEAREST, null, src, dst, null),
      ),
    upsampleBackward: (diffSrc, diffDst, hint) =>
      made(
        "gradient of an upsampling",
        (out) => symbols.dnnl_resampling_backward_primitive_desc_create(out, engine, NEAREST, null, diffSrc, diffDst, hint, null),
      ),
    innerProductForward: (src, weights, bias, dst) =>
      made(
        "dense layer",
        (out) => symbols.dnnl_inner_product_forward_primitive_desc_create(out, engine, TRAINING, src, weights, bias, dst, null),
      ),
    innerProductBackwardData: (diffSrc, weights, diffDst, hint) =>
      made(
        "gradient of a dense layer's input",
        (out) => symbols.dnnl_inner_product_backward_data_primitive_desc_create(out, engine, diffSrc, weights, diffDst, hint, null),
      ),
    innerProductBackwardWeights: (src, diffWeights, diffBias, diffDst, hint) =>
      made(
        "gradient of a dense layer's weights",
        (out) =>
          symbols.dnnl_inner_product_backward_weights_primitive_desc_create(out, engine, src, diffWeights, diffBias, diffDst, hint, null),
      ),
    matmul: (src, weights, dst) =>
      made("matrix product", (out) => symbols.dnnl_matmul_primitive_desc_create(out, engine, src, weights, null, dst, null)),
    binary: (kind, a, b, dst, attributes) =>
      made("two inputs", (out) => symbols.dnnl_binary_primitive_desc_create(out, engine, kind, a, b, dst, attributes)),
    reorder: (from, to) => made("reorder", (out) => symbols.dnnl_reorder_primitive_desc_create(out, from, engine, to, engine, null)),
    close() {
      for (const descriptor of kept) symbols.dnnl_memory_desc_destroy(descriptor);
      kept.length = 0;
    },
  };
}
