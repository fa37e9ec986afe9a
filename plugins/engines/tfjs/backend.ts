/**
 * What the engine needs to know of a TensorFlow.js backend, and the optimiser by plain operations.
 * @module
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { NadamStep } from "../nadam.ts";
import type { Engine, Optimiser } from "../network.ts";
import type { Kernels } from "./kernels.ts";
import type { Tf } from "./layout.ts";

/** A parameter, its moments and its gradient, all of one shape. */
export interface NadamTensors {
  readonly p: Tensor;
  readonly m: Tensor;
  readonly v: Tensor;
  readonly gradient: Tensor;
}

/** A backend that is ready for work. */
export interface Backend {
  readonly tf: Tf;
  readonly device: Engine["device"];
  readonly precision: Engine["precision"];
  readonly kernels: Kernels;
  /** Rows that inference runs at a time. */
  readonly inferenceRows: number;
  readonly largestTensorBytes: number;
  /** New parameter and moments; the caller disposes of the old ones. */
  nadam(tensors: NadamTensors, optimiser: Optimiser, step: NadamStep): { readonly p: Tensor; readonly m: Tensor; readonly v: Tensor };
  /** Does `work`, and turns what goes wrong on the device meanwhile, which the operations themselves may not say, into an error. */
  guard<T>(work: () => Promise<T>): Promise<T>;
}

/** {@linkcode nadamStep} by TensorFlow.js's own operations. */
export function plainNadam(tf: Tf): Backend["nadam"] {
  return ({ p, m, v, gradient }, { beta1, beta2, epsilon }, { gradientFactor, momentFactor, varianceFactor }) =>
    tf.tidy(() => {
      const moment = tf.add(tf.mul(m, beta1), tf.mul(gradient, 1 - beta1));
      const square = tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), 1 - beta2));
      const direction = tf.add(tf.mul(gradient, gradientFactor), tf.mul(moment, momentFactor));
      const length = tf.add(tf.sqrt(tf.mul(square, varianceFactor)), epsilon);
      return { p: tf.sub(p, tf.div(direction, length)), m: moment, v: square };
    });
}

/** For backends whose operations report their own failures. */
export async function unguarded<T>(work: () => Promise<T>): Promise<T> {
  return await work();
}
