/**
 * Between the logical layout of arrays that cross an engine's border and TensorFlow.js's own.
 *
 * Inside, channels come last: volumes are `[n, z, y, x, c]`, convolution weights `[kz, ky, kx, in, out]`. Everything else stays as it is.
 * @module
 */
import type { Tensor } from "@tensorflow/tfjs-core";

/** TensorFlow.js's core. */
export type Tf = typeof import("@tensorflow/tfjs-core");

/** Numbers in the logical layout, `[n, ...shape]`, as a tensor in the inner one. Volumes are what has four axes. */
export function fromLogical(tf: Tf, values: Float32Array, count: number, shape: readonly number[]): Tensor {
  if (shape.length !== 4) return tf.tensor(values, [count, ...shape], "float32");
  const [c, z, y, x] = shape;
  // One channel lies alike in both.
  if (c === 1) return tf.tensor(values, [count, z, y, x, 1], "float32");
  return tf.tidy(() => tf.transpose(tf.tensor(values, [count, c, z, y, x], "float32"), [0, 2, 3, 4, 1]));
}

/** A tensor in the inner layout as one in the logical layout; the same tensor where they are alike. */
export function toLogical(tf: Tf, tensor: Tensor): Tensor {
  return tensor.rank === 5 ? tf.transpose(tensor, [0, 4, 1, 2, 3]) : tensor;
}

/** The reverse of {@linkcode toLogical}. */
export function toInner(tf: Tf, tensor: Tensor): Tensor {
  return tensor.rank === 5 ? tf.transpose(tensor, [0, 2, 3, 4, 1]) : tensor;
}

/** A parameter's numbers as a tensor; convolution weights come `[out, in, kz, ky, kx]`. */
export function parameterIn(tf: Tf, values: Float32Array, shape: readonly number[]): Tensor {
  const tensor = tf.tensor(values, [...shape], "float32");
  if (shape.length !== 5) return tensor;
  const inner = tf.transpose(tensor, [2, 3, 4, 1, 0]);
  tensor.dispose();
  return inner;
}

/** The reverse of {@linkcode parameterIn}: a copy of the numbers in the logical layout. */
export async function parameterOut(tf: Tf, tensor: Tensor): Promise<Float32Array> {
  const logical = tensor.rank === 5 ? tf.transpose(tensor, [4, 3, 0, 1, 2]) : tensor;
  const values = (await logical.data() as Float32Array).slice();
  if (logical !== tensor) logical.dispose();
  return values;
}
