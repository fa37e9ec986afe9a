/**
 * Losses and their gradients: a few numbers a row, so plain JavaScript in float64.
 * @module
 */
import type { Loss } from "../network.ts";
import { sizeOf } from "../shapes.ts";
import type { Pass } from "./pass.ts";

/** Records the loss of a pass and the gradient of its prediction. */
export function emitLoss(pass: Pass, { kind, prediction }: Loss): void {
  const { program, count } = pass;
  const values = pass.plain(pass.value(prediction));
  const targets = new Float32Array(sizeOf(values.shape));
  pass.targets = targets;
  const gradient = program.temporary(values.shape, values.descriptor);
  const compute = { softmaxCrossEntropy, softmaxCategoricalHinge, meanSquared }[kind];
  program.call([values, gradient], (given, back) => pass.loss = compute(given, targets, back, count));
  pass.contribute(prediction, gradient);
}

type LossFunction = (values: Float32Array, targets: Float32Array, gradient: Float32Array, count: number) => number;

/** Mean over rows of -sum t log softmax(z). */
const softmaxCrossEntropy: LossFunction = (values, targets, gradient, count) => {
  const units = targets.length / count;
  let loss = 0;
  for (let row = 0; row < count; row++) {
    const { probabilities, logSum } = softmax(values, row * units, units);
    let weight = 0;
    for (let k = 0; k < units; k++) weight += targets[row * units + k];
    for (let k = 0; k < units; k++) {
      const i = row * units + k;
      loss -= targets[i] * (values[i] - logSum);
      gradient[i] = (probabilities[k] * weight - targets[i]) / count;
    }
  }
  return loss / count;
};

/** With p = softmax(z): mean over rows of max(0, max (1 - t) p - sum t p + 1); the gradient goes to the first maximum. */
const softmaxCategoricalHinge: LossFunction = (values, targets, gradient, count) => {
  const units = targets.length / count;
  let loss = 0;
  for (let row = 0; row < count; row++) {
    const { probabilities: p } = softmax(values, row * units, units);
    const target = (k: number) => targets[row * units + k];
    let [right, wrong, first] = [0, -Infinity, 0];
    for (let k = 0; k < units; k++) {
      right += target(k) * p[k];
      if ((1 - target(k)) * p[k] > wrong) [wrong, first] = [(1 - target(k)) * p[k], k];
    }
    const margin = wrong - right + 1;
    loss += Math.max(0, margin);
    const byProbability = (k: number) => margin > 0 ? (k === first ? 1 - target(k) : 0) - target(k) : 0;
    let along = 0;
    for (let k = 0; k < units; k++) along += byProbability(k) * p[k];
    for (let k = 0; k < units; k++) gradient[row * units + k] = p[k] * (byProbability(k) - along) / count;
  }
  return loss / count;
};

/** Mean of (z - t)^2 over rows and everything else. */
const meanSquared: LossFunction = (values, targets, gradient) => {
  let loss = 0;
  for (let i = 0; i < targets.length; i++) {
    const difference = values[i] - targets[i];
    loss += difference * difference;
    gradient[i] = 2 * difference / targets.length;
  }
  return loss / targets.length;
};

function softmax(values: Float32Array, from: number, units: number): { readonly probabilities: Float64Array; readonly logSum: number } {
  let largest = -Infinity;
  for (let k = 0; k < units; k++) largest = Math.max(largest, values[from + k]);
  const probabilities = new Float64Array(units);
  let sum = 0;
  for (let k = 0; k < units; k++) sum += probabilities[k] = Math.exp(values[from + k] - largest);
  for (let k = 0; k < units; k++) probabilities[k] /= sum;
  return { probabilities, logSum: largest + Math.log(sum) };
}
