/**
 * Turns a partition into one with another number of classes, to start a fit from what is already known.
 * @module
 */
import { kmeans } from "./kmeans.ts";
import { cholesky, invertLower } from "./cholesky.ts";
import { createRandom } from "./random.ts";

/**
 * Labels with `k` classes made from `labels` with `from` classes: the most spread class is split in two, or the two nearest are merged,
 * until the number is right.
 *
 * `values` [rows, dims]; `labels` [rows], 0..from-1; float64. Spread is size times the largest variance along an axis in units of the
 * pooled within-class covariance; nearness is Mahalanobis's distance of the means times n1 n2 / (n1 + n2) (Ward's cost). Deterministic.
 * @returns `[rows]`, 0..k-1, or fewer classes when no class can be split further.
 */
export function growOrShrink(values: Float64Array, dims: number, labels: Int32Array, from: number, k: number): Int32Array {
  const rows = labels.length;
  let slots = from;
  const out = labels.slice();
  const whitened = whiten(values, dims, labels, from);
  while (slots !== k) {
    const { sizes, means, variances } = moments(whitened, dims, out, slots);
    if (slots > k) {
      let least = Infinity, keep = 0, drop = 1;
      for (let a = 0; a < slots; a++) {
        for (let b = a + 1; b < slots; b++) {
          let distance = 0;
          for (let j = 0; j < dims; j++) distance += (means[a * dims + j] - means[b * dims + j]) ** 2;
          const cost = sizes[a] + sizes[b] > 0 ? distance * sizes[a] * sizes[b] / (sizes[a] + sizes[b]) : -1;
          if (cost < least) [least, keep, drop] = [cost, a, b];
        }
      }
      for (let row = 0; row < rows; row++) out[row] = out[row] === drop ? keep : out[row] > drop ? out[row] - 1 : out[row];
      slots--;
      continue;
    }
    const order = Array.from({ length: slots }, (_, c) => c)
      .sort((a, b) => sizes[b] * variances[b] - sizes[a] * variances[a]);
    const target = order.find((c) => sizes[c] >= 4 && variances[c] > 0);
    if (target === undefined) return out;
    const members: number[] = [];
    for (let row = 0; row < rows; row++) if (out[row] === target) members.push(row);
    const part = new Float64Array(members.length * dims);
    members.forEach((row, i) => part.set(whitened.subarray(row * dims, (row + 1) * dims), i * dims));
    const split = kmeans(part, dims, 2, createRandom(0, "split", slots, target), { restarts: 3 });
    members.forEach((row, i) => split.labels[i] === 1 && (out[row] = slots));
    slots++;
  }
  return out;
}

function moments(values: Float64Array, dims: number, labels: Int32Array, k: number) {
  const sizes = new Float64Array(k), means = new Float64Array(k * dims), squares = new Float64Array(k * dims);
  labels.forEach((c, row) => {
    sizes[c]++;
    for (let j = 0; j < dims; j++) means[c * dims + j] += values[row * dims + j];
  });
  for (let i = 0; i < means.length; i++) means[i] /= sizes[Math.floor(i / dims)] || 1;
  labels.forEach((c, row) => {
    for (let j = 0; j < dims; j++) squares[c * dims + j] += (values[row * dims + j] - means[c * dims + j]) ** 2;
  });
  const variances = new Float64Array(k);
  for (let c = 0; c < k; c++) {
    for (let j = 0; j < dims; j++) variances[c] = Math.max(variances[c], squares[c * dims + j] / (sizes[c] || 1));
  }
  return { sizes, means, variances };
}

/** Coordinates in which the pooled within-class covariance is the identity. */
function whiten(values: Float64Array, dims: number, labels: Int32Array, k: number): Float64Array {
  const rows = labels.length;
  const { means } = moments(values, dims, labels, k);
  const within = new Float64Array(dims * dims);
  const delta = new Float64Array(dims);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < dims; j++) delta[j] = values[row * dims + j] - means[labels[row] * dims + j];
    for (let i = 0; i < dims; i++) for (let j = 0; j <= i; j++) within[i * dims + j] += delta[i] * delta[j] / rows;
  }
  let trace = 0;
  for (let i = 0; i < dims; i++) trace += within[i * dims + i];
  for (let i = 0; i < dims; i++) within[i * dims + i] += (trace / dims) * 1e-6;
  const factor = cholesky(within, dims);
  if (!factor) return values;
  const inverse = invertLower(factor, dims);
  const out = new Float64Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < dims; i++) {
      let sum = 0;
      for (let j = 0; j <= i; j++) sum += inverse[i * dims + j] * values[row * dims + j];
      out[row * dims + i] = sum;
    }
  }
  return out;
}
