/**
 * Descriptors in version 2 of oneDNN's interface. Numbers are those of its dnnl_types.h, sizes those of its structs on 64-bit systems.
 * @module
 */
import type { OnednnLibrary } from "./library.ts";
import { type EltwiseKind, type Layout, lengths, type Makers, type Pointer, type PostOperation } from "./makers.ts";
import { check, made } from "./status.ts";

const MEMORY_DESCRIPTOR_BYTES = 696;
/** That of the largest operation, the convolution. */
const OPERATION_BYTES = 5976;
const TAG = { any: 1, block8: 133, block16: 112 } as const;
const TRAINING = 64;
const CONVOLUTION_DIRECT = 1;
const NEAREST = 0x2fff0;
/** Statistics, scale and shift are all given. */
const ALL_GIVEN = 1 | 8 | 16;
const ELTWISE: Readonly<Record<EltwiseKind, number>> = { elu: 0x3f, logistic: 0xaf, sqrt: 0x6f, square: 0x4f, linear: 0x7f };
/** Those whose gradient is found from the output. */
const ELTWISE_FROM_OUTPUT: Readonly<Partial<Record<EltwiseKind, number>>> = { elu: 0x102, logistic: 0x104 };

/** Makes descriptors with a library of version 2. */
export function makersOf2({ symbols }: OnednnLibrary & { readonly major: 2 }, engine: Pointer): Makers {
  const kept: Uint8Array[] = [];
  /** Fills in an operation's struct and makes a primitive descriptor of it. */
  const primitive = (
    what: string,
    init: (operation: Uint8Array<ArrayBuffer>) => number,
    hint: Pointer | null,
    attributes: Pointer | null,
  ) => {
    const operation = new Uint8Array(OPERATION_BYTES);
    check(init(operation), what);
    return made(what, (out) => symbols.dnnl_primitive_desc_create(out, operation, attributes, engine, hint));
  };
  const evenly = (padding: number) => lengths([padding, padding, padding]);
  const step = evenly(1);
  return {
    describe(dims, type, layout: Layout) {
      const descriptor = new Uint8Array(MEMORY_DESCRIPTOR_BYTES);
      const status = typeof layout === "string"
        ? symbols.dnnl_memory_desc_init_by_tag(descriptor, dims.length, lengths(dims), type, TAG[layout])
        : symbols.dnnl_memory_desc_init_by_strides(descriptor, dims.length, lengths(dims), type, lengths(layout));
      check(status, `a tensor of ${dims.join(" x ")}`);
      kept.push(descriptor);
      return Deno.UnsafePointer.of(descriptor)!;
    },
    attributes: (operations: readonly PostOperation[]) => {
      const attributes = made("attributes", (out) => symbols.dnnl_primitive_attr_create(out));
      const list = made("post-operations", (out) => symbols.dnnl_post_ops_create(out));
      for (const operation of operations) {
        let status: number;
        if (operation.kind === "sum") status = symbols.dnnl_post_ops_append_sum(list, operation.scale);
        else status = symbols.dnnl_post_ops_append_eltwise(list, 1, ELTWISE[operation.kind], operation.alpha, operation.beta);
        check(status, `post-operation ${operation.kind}`);
      }
      check(symbols.dnnl_primitive_attr_set_post_ops(attributes, list), "post-operations");
      symbols.dnnl_post_ops_destroy(list);
      return attributes;
    },
    convolutionForward: (src, weights, bias, dst, padding, attributes) =>
      primitive(
        "convolution",
        (operation) =>
          symbols.dnnl_convolution_forward_desc_init(
            ...[operation, TRAINING, CONVOLUTION_DIRECT, src, weights, bias, dst, step, evenly(padding), evenly(padding)] as const,
          ),
        null,
        attributes,
      ),
    convolutionBackwardData: (diffSrc, weights, diffDst, padding, hint) =>
      primitive(
        "gradient of a convolution's input",
        (operation) =>
          symbols.dnnl_convolution_backward_data_desc_init(
            ...[operation, CONVOLUTION_DIRECT, diffSrc, weights, diffDst, step, evenly(padding), evenly(padding)] as const,
          ),
        hint,
        null,
      ),
    convolutionBackwardWeights: (src, diffWeights, diffBias, diffDst, padding, hint) =>
      primitive(
        "gradient of a convolution's weights",
        (operation) =>
          symbols.dnnl_convolution_backward_weights_desc_init(
            ...[operation, CONVOLUTION_DIRECT, src, diffWeights, diffBias, diffDst, step, evenly(padding), evenly(padding)] as const,
          ),
        hint,
        null,
      ),
    eltwiseForward: (kind, data, attributes) =>
      primitive(
        kind,
        (operation) => symbols.dnnl_eltwise_forward_desc_init(operation, TRAINING, ELTWISE_FROM_OUTPUT[kind] ?? ELTWISE[kind], data, 1, 0),
        null,
        attributes,
      ),
    eltwiseBackward: (kind, data, hint) =>
      primitive(
        `gradient of ${kind}`,
        (operation) => symbols.dnnl_eltwise_backward_desc_init(operation, ELTWISE_FROM_OUTPUT[kind]!, data, data, 1, 0),
        hint,
        null,
      ),
    batchNorm: (data, epsilon) =>
      primitive(
        "batch norm",
        (operation) => symbols.dnnl_batch_normalization_forward_desc_init(operation, TRAINING, data, epsilon, ALL_GIVEN),
        null,
        null,
      ),
    pool: (kind, src, dst, kernelZyx) =>
      primitive(
        "pooling",
        (operation) =>
          symbols.dnnl_pooling_forward_desc_init(
            ...[operation, TRAINING, kind, src, dst, step, lengths(kernelZyx), evenly(0), evenly(0)] as const,
          ),
        null,
        null,
      ),
    upsampleForward: (src, dst) =>
      primitive(
        "upsampling",
        (operation) => symbols.dnnl_resampling_forward_desc_init(operation, TRAINING, NEAREST, null, src, dst),
        null,
        null,
      ),
    upsampleBackward: (diffSrc, diffDst, hint) =>
      primitive(
        "gradient of an upsampling",
        (operation) => symbols.dnnl_resampling_backward_desc_init(operation, NEAREST, null, diffSrc, diffDst),
        hint,
        null,
      ),
    innerProductForward: (src, weights, bias, dst) =>
      primitive(
        "dense layer",
        (operation) => symbols.dnnl_inner_product_forward_desc_init(operation, TRAINING, src, weights, bias, dst),
        null,
        null,
      ),
    innerProductBackwardData: (diffSrc, weights, diffDst, hint) =>
      primitive(
        "gradient of a dense layer's input",
        (operation) => symbols.dnnl_inner_product_backward_data_desc_init(operation, diffSrc, weights, diffDst),
        hint,
        null,
      ),
    innerProductBackwardWeights: (src, diffWeights, diffBias, diffDst, hint) =>
      primitive(
        "gradient of a dense layer's weights",
        (operation) => symbols.dnnl_inner_product_backward_weights_desc_init(operation, src, diffWeights, diffBias, diffDst),
        hint,
        null,
      ),
    matmul: (src, weights, dst) =>
      primitive("matrix product", (operation) => symbols.dnnl_matmul_desc_init(operation, src, weights, null, dst), null, null),
    binary: (kind, a, b, dst, attributes) =>
      primitive("two inputs", (operation) => symbols.dnnl_binary_desc_init(operation, kind, a, b, dst), null, attributes),
    reorder: (from, to) => made("reorder", (out) => symbols.dnnl_reorder_primitive_desc_create(out, from, engine, to, engine, null)),
    close() {
      kept.length = 0;
    },
  };
}
