/**
 * The few operations that TensorFlow.js lacks or that a backend may do better by itself. All tensors are float32 in the inner layout of
 * layout.ts; whoever calls disposes of what comes back.
 * @module
 */
import type { Tensor, Tensor5D } from "@tensorflow/tfjs-core";
import type { Tf } from "./layout.ts";

/** Padding as {@linkcode NetworkSpec} has it. */
export type Padding = "valid" | "same";

/** What a backend computes with. */
export interface Kernels {
  /** `[n, z, y, x, in]` with weights `[k, k, k, in, out]`. */
  convolve(x: Tensor, weight: Tensor, padding: Padding): Tensor;
  /** Gradient of the input, of shape `[n, z, y, x, in]`. */
  inputGradient(gradient: Tensor, weight: Tensor, shape: readonly number[], padding: Padding): Tensor;
  /** Gradient of the weights, of shape `[k, k, k, in, out]`. */
  weightGradient(x: Tensor, gradient: Tensor, shape: readonly number[], padding: Padding): Tensor;
  /** Sums of `x` `[m, c]` over its rows, `[c]`. */
  columnSums(x: Tensor): Tensor;
  /** Sums of `x * (y - centre)` over rows, `[c]`; `x` and `y` are `[m, c]`, `centre` `[c]`. */
  productSums(x: Tensor, y: Tensor, centre: Tensor): Tensor;
  /** Largest of `x` `[n, v, c]` over v, `[n, c]`, and the position 0..v-1 where it stands first, int32. */
  largest(x: Tensor): { readonly values: Tensor; readonly positions: Tensor };
  /** The reverse: `given` `[n, c]` at its positions in `[n, v, c]`, zeros elsewhere. */
  spread(given: Tensor, positions: Tensor, voxels: number): Tensor;
  /** `(x - mean) * scale + shift`, the latter three `[c]`. */
  normalise(x: Tensor, mean: Tensor, scale: Tensor, shift: Tensor): Tensor;
  /** `(gradient - (x - mean) * slope - rest) * scale`, the latter four `[c]`. */
  normaliseGradient(gradient: Tensor, x: Tensor, by: NormSlopes): Tensor;
  /** Gradient of ELU's input, given that of its output and the output. */
  eluGradient(gradient: Tensor, output: Tensor): Tensor;
}

/** What a batch norm's gradient takes by channel, `[c]` each. */
export interface NormSlopes {
  readonly mean: Tensor;
  readonly slope: Tensor;
  readonly rest: Tensor;
  readonly scale: Tensor;
}

/** Kernels from TensorFlow.js's own operations, right on every backend. */
export function plainKernels(tf: Tf): Kernels {
  const run = (name: string, inputs: Record<string, Tensor>, attributes: Record<string, unknown>) =>
    tf.engine().runKernel(name, inputs, attributes as Parameters<ReturnType<Tf["engine"]>["runKernel"]>[2]) as Tensor;
  const strides = [1, 1, 1];
  return {
    convolve: (x, weight, padding) => tf.conv3d(x as Tensor5D, weight as Tensor5D, 1, padding),
    inputGradient: (gradient, weight, shape, padding) =>
      run(tf.Conv3DBackpropInputV2, { dy: gradient, filter: weight }, { strides, pad: padding, inputShape: [...shape] }),
    weightGradient: (x, gradient, shape, padding) =>
      run(tf.Conv3DBackpropFilterV2, { x, dy: gradient }, { strides, pad: padding, filterShape: [...shape] }),
    columnSums: (x) => tf.sum(x, 0),
    productSums: (x, y, centre) => tf.tidy(() => tf.sum(tf.mul(x, tf.sub(y, centre)), 0)),
    largest: (x) => ({ values: tf.max(x, 1), positions: tf.argMax(x, 1) }),
    spread: (given, positions, voxels) =>
      tf.tidy(() => {
        const all = tf.reshape(tf.range(0, voxels, 1, "int32"), [1, voxels, 1]);
        const there = tf.cast(tf.equal(all, tf.expandDims(positions, 1)), "float32");
        return tf.mul(there, tf.expandDims(given, 1));
      }),
    normalise: (x, mean, scale, shift) => tf.tidy(() => tf.add(tf.mul(tf.sub(x, mean), scale), shift)),
    normaliseGradient: (gradient, x, { mean, slope, rest, scale }) =>
      tf.tidy(() => tf.mul(tf.sub(gradient, tf.add(tf.mul(tf.sub(x, mean), slope), rest)), scale)),
    eluGradient: (gradient, output) => tf.tidy(() => tf.mul(gradient, tf.add(tf.minimum(output, 0), 1))),
  };
}
