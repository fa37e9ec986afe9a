/**
 * The few operations that TensorFlow.js lacks or that a backend may do better by itself. All tensors are float32 in the inner layout of
 * layout.ts; whoever calls disposes of what comes back.
 * @module
 */
import type { Tensor, Tensor2D, Tensor5D } from "@tensorflow/tfjs-core";
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
  /** Position 0..v-1 of the first maximum of `x` `[n, v, c]`, `[n, c]` int32. */
  firstMaximum(x: Tensor): Tensor;
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
    firstMaximum: (x) => tf.argMax(x, 1) as Tensor2D,
  };
}
