/**
 * What criteria for the number of classes need to know of a fitted mixture beside its likelihood.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";
import { cholesky, invertLower } from "./cholesky.ts";
import type { Mixture } from "./mixture.ts";

/** Figures of a table divided by a mixture; each row belongs to its most probable class. */
export interface PartitionMeasures {
  /** Sum over rows of the entropy of their responsibilities, in nats. */
  readonly entropy: number;
  /** Sum of squared distances of rows from the mean of their class. */
  readonly within: number;
  /** Sum over rows of the squared distance of their class's mean from the overall mean. */
  readonly between: number;
  /** Mean squared distance from the class's mean, a dimension, each column in units of its own deviation; columns must not be correlated. */
  readonly distortion: number;
}

/**
 * Measures the partition that `mixture` makes of `values` `[rows, dims]`. A unit of work for a pool: plain arguments, no state.
 *
 * Cost: O(rows k dims^2), plain JavaScript. Columns without variance count as not distorted.
 * @throws {ShapeError} When a covariance is not finite.
 */
export function measurePartition(values: Float64Array, mixture: Mixture): PartitionMeasures {
  const { k, dims } = mixture, rows = values.length / dims;
  const inverses: Float64Array[] = [], constants = new Float64Array(k);
  for (let c = 0; c < k; c++) {
    const covariance = mixture.covariances.slice(c * dims * dims, (c + 1) * dims * dims);
    let factor = cholesky(covariance, dims);
    for (let lift = Number.EPSILON; factor === null; lift *= 16) {
      if (!Number.isFinite(lift)) throw new ShapeError("a class's covariance holds values that are not finite: fit the mixture again");
      for (let i = 0; i < dims; i++) covariance[i * dims + i] += lift;
      factor = cholesky(covariance, dims);
    }
    inverses.push(invertLower(factor, dims));
    constants[c] = Math.log(mixture.weights[c]);
    for (let i = 0; i < dims; i++) constants[c] -= Math.log(factor[i * dims + i]);
  }
  const labels = new Int32Array(rows), density = new Float64Array(k), delta = new Float64Array(dims);
  let entropy = 0;
  for (let row = 0; row < rows; row++) {
    let best = 0;
    for (let c = 0; c < k; c++) {
      for (let i = 0; i < dims; i++) delta[i] = values[row * dims + i] - mixture.means[c * dims + i];
      const inverse = inverses[c];
      let square = 0;
      for (let i = 0; i < dims; i++) {
        let sum = 0;
        for (let j = 0; j <= i; j++) sum += inverse[i * dims + j] * delta[j];
        square += sum * sum;
      }
      density[c] = constants[c] - square / 2;
      if (density[c] > density[best]) best = c;
    }
    labels[row] = best;
    let sum = 0;
    for (let c = 0; c < k; c++) sum += Math.exp(density[c] - density[best]);
    for (let c = 0; c < k; c++) {
      const log = density[c] - density[best] - Math.log(sum);
      if (log > -700) entropy -= Math.exp(log) * log;
    }
  }
  return { entropy, ...scatter(values, dims, labels, k) };
}

function scatter(values: Float64Array, dims: number, labels: Int32Array, k: number): Omit<PartitionMeasures, "entropy"> {
  const rows = labels.length, sizes = new Float64Array(k), means = new Float64Array(k * dims), centre = new Float64Array(dims);
  for (let row = 0; row < rows; row++) {
    sizes[labels[row]]++;
    for (let i = 0; i < dims; i++) {
      means[labels[row] * dims + i] += values[row * dims + i];
      centre[i] += values[row * dims + i] / rows;
    }
  }
  for (let c = 0; c < k; c++) for (let i = 0; i < dims; i++) means[c * dims + i] /= sizes[c] || 1;
  const inside = new Float64Array(dims), total = new Float64Array(dims);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < dims; i++) {
      inside[i] += (values[row * dims + i] - means[labels[row] * dims + i]) ** 2;
      total[i] += (values[row * dims + i] - centre[i]) ** 2;
    }
  }
  const sum = (parts: Float64Array) => parts.reduce((a, b) => a + b, 0);
  const within = sum(inside);
  return { within, between: sum(total) - within, distortion: sum(inside.map((part, i) => total[i] > 0 ? part / total[i] : 0)) / dims };
}
