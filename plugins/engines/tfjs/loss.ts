/**
 * Losses and their gradients by the prediction, on tensors.
 * @module
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Loss } from "../network.ts";
import type { Tf } from "./layout.ts";

/**
 * The mean over the batch, a scalar, and its gradient, of the prediction's shape. `targets` has that shape too.
 *
 * The gradient of the hinge goes to the first of several equal worst classes, as far as the backend's `argMax` finds the first.
 */
export function lossOf(
  tf: Tf,
  kind: Loss["kind"],
  prediction: Tensor,
  targets: Tensor,
): { readonly loss: Tensor; readonly gradient: Tensor } {
  if (kind === "meanSquared") {
    const difference = tf.sub(prediction, targets);
    return { loss: tf.mean(tf.square(difference)), gradient: tf.mul(difference, 2 / prediction.size) };
  }
  const [count, units] = prediction.shape;
  const logits = tf.sub(prediction, tf.max(prediction, 1, true));
  const exponentials = tf.exp(logits);
  const sum = tf.sum(exponentials, 1, true);
  const probabilities = tf.div(exponentials, sum);
  if (kind === "softmaxCrossEntropy") {
    const logs = tf.sub(logits, tf.log(sum));
    const loss = tf.mul(tf.sum(tf.mul(targets, logs)), -1 / count);
    const gradient = tf.sub(tf.mul(probabilities, tf.sum(targets, 1, true)), targets);
    return { loss, gradient: tf.mul(gradient, 1 / count) };
  }
  const others = tf.sub(1, targets);
  const wrong = tf.mul(others, probabilities);
  const right = tf.sum(tf.mul(probabilities, targets), 1, true);
  const margin = tf.add(tf.sub(tf.max(wrong, 1, true), right), 1);
  const loss = tf.mul(tf.sum(tf.relu(margin)), 1 / count);
  const worst = tf.cast(tf.equal(tf.range(0, units, 1, "int32"), tf.expandDims(tf.argMax(wrong, 1), 1)), "float32");
  const counted = tf.mul(tf.cast(tf.greater(margin, 0), "float32"), 1 / count);
  const byProbability = tf.mul(tf.sub(tf.mul(worst, others), targets), counted);
  const along = tf.sum(tf.mul(probabilities, byProbability), 1, true);
  return { loss, gradient: tf.mul(probabilities, tf.sub(byProbability, along)) };
}
