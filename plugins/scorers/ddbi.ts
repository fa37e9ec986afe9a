/**
 * `ddbi`: the distortion-based Davies-Bouldin index of the paper.
 * @module
 */
import { z } from "zod";
import { definePlugin, type Scorer } from "../../streams/contract.ts";
import { ShapeError } from "../../streams/errors.ts";
import { cholesky, inverseFromFactor, invertLower } from "../kernels/cholesky.ts";
import { fitPca, projectPca } from "../kernels/pca.ts";

/** Rows that the principal components are taken from, at most: evenly spaced. */
const PCA_ROWS = 5000;

const options = z.strictObject({
  components: z.int().min(1).max(256).default(16).meta({
    description:
      "Principal components on which the index is computed, as in the reference code: in more dimensions covariances are singular",
  }),
  regularisation: z.number().min(0).max(1).default(1e-5).meta({
    description: "Added to the diagonal of each class's covariance, in squared units of the features; 0.00001 as published",
  }),
});

/**
 * Scores a clustering by the distortion-based Davies-Bouldin index; lower is better.
 *
 * With mean m_i and covariance S_i of class i: t_i = mean over its rows of (x - m_i)^T S_i^-1 (x - m_i), d_ij = (m_j - m_i)^T S_i^-1
 * (m_j - m_i), and the index is the mean over i of the largest (t_i + t_j) / (d_ij + d_ji), j other than i. No square roots. Because centre
 * and covariance are the class's own, t_i is identically dims (n_i - 1) / n_i (up to `regularisation`): the index sees separation only,
 * never compactness.
 *
 * Shapes: `features` [n, dims] row-major; `labels` [n] in 0..k-1. Cost: O(n dims^2). Float64 throughout. A class of one row has no
 * covariance: the other's distance counts twice.
 * @returns The index, >= 0; `Infinity` when fewer than two classes are occupied or two centres coincide.
 * @throws {ShapeError} When `labels.length` is not n.
 * @see Zeng et al. 2023, PNAS, SI Eq. 1-3. Differs from the paper: no.
 */
export function distortionDaviesBouldin(
  features: Float32Array | Float64Array,
  dims: number,
  labels: Int32Array,
  k: number,
  regularisation: number,
): number {
  if (features.length !== labels.length * dims) {
    throw new ShapeError(`${features.length} values and ${labels.length} labels: expected ${dims} values a label`);
  }
  const sizes = new Float64Array(k), means = new Float64Array(k * dims), scatters = new Float64Array(k * dims * dims);
  labels.forEach((c, row) => {
    sizes[c]++;
    for (let i = 0; i < dims; i++) means[c * dims + i] += features[row * dims + i];
  });
  for (let i = 0; i < means.length; i++) means[i] /= sizes[Math.floor(i / dims)] || 1;
  const delta = new Float64Array(dims);
  labels.forEach((c, row) => {
    for (let i = 0; i < dims; i++) delta[i] = features[row * dims + i] - means[c * dims + i];
    for (let i = 0; i < dims; i++) {
      const at = (c * dims + i) * dims;
      for (let j = 0; j <= i; j++) scatters[at + j] += delta[i] * delta[j];
    }
  });
  const occupied = Array.from(sizes.keys()).filter((c) => sizes[c] > 0);
  if (occupied.length < 2) return Infinity;
  const precisions = new Map<number, Float64Array>(), spreads = new Float64Array(k);
  for (const c of occupied) {
    if (sizes[c] < 2) continue;
    const covariance = scatters.slice(c * dims * dims, (c + 1) * dims * dims).map((sum) => sum / (sizes[c] - 1));
    for (let i = 0; i < dims; i++) for (let j = 0; j < i; j++) covariance[j * dims + i] = covariance[i * dims + j];
    const precision = precisionOf(covariance, dims, regularisation);
    // The mean over the class of x^T A x is the trace of A times the class's (n-denominator) covariance.
    for (let i = 0; i < covariance.length; i++) spreads[c] += precision[i] * covariance[i] * (sizes[c] - 1) / sizes[c];
    precisions.set(c, precision);
  }
  const distance = (a: number, b: number) => {
    const own = precisions.get(a) ?? precisions.get(b);
    if (!own) return 0;
    let sum = 0;
    for (let i = 0; i < dims; i++) {
      for (let j = 0; j < dims; j++) {
        sum += own[i * dims + j] * (means[b * dims + i] - means[a * dims + i]) * (means[b * dims + j] - means[a * dims + j]);
      }
    }
    return sum;
  };
  let total = 0;
  for (const a of occupied) {
    let worst = 0;
    for (const b of occupied) {
      if (a === b) continue;
      const ratio = (spreads[a] + spreads[b]) / (distance(a, b) + distance(b, a));
      worst = Math.max(worst, Number.isNaN(ratio) ? Infinity : ratio);
    }
    total += worst;
  }
  return total / occupied.length;
}

/** Inverse of a covariance with `regularisation` on its diagonal; more is added when rounding leaves it indefinite. */
function precisionOf(covariance: Float64Array, dims: number, regularisation: number): Float64Array {
  let trace = 0;
  for (let i = 0; i < dims; i++) trace += covariance[i * dims + i];
  for (let lift = regularisation;; lift = Math.max(4 * lift, 1e-12 * (trace || 1) / dims)) {
    const lifted = covariance.slice();
    for (let i = 0; i < dims; i++) lifted[i * dims + i] += lift;
    const factor = cholesky(lifted, dims);
    if (factor) return inverseFromFactor(invertLower(factor, dims), dims);
  }
}

/** Coordinates on the leading principal components of (at most {@linkcode PCA_ROWS} evenly spaced rows of) a table. */
function project(values: Float32Array, dims: number, components: number): Float64Array | Float32Array {
  if (dims <= components) return values;
  const rows = values.length / dims, kept = Math.min(rows, PCA_ROWS);
  const some = kept === rows ? values : new Float32Array(kept * dims);
  for (let i = 0; i < kept && kept < rows; i++) {
    const row = Math.floor(i * rows / kept);
    some.set(values.subarray(row * dims, (row + 1) * dims), i * dims);
  }
  return projectPca(fitPca(some, dims, Math.min(components, kept - 1)), values);
}

/** The plugin. */
export default definePlugin({
  apiVersion: 1,
  name: "ddbi",
  kind: "scorer",
  summary: "distortion-based Davies-Bouldin index of the paper: how far apart classes are in units of their own spread",
  options,
  create: ({ components, regularisation }): Scorer => ({
    better: "lower",
    score({ values, dims }, { labels, k }) {
      if (new Set(labels).size < 2) return Infinity;
      const projected = project(values, dims, components);
      return distortionDaviesBouldin(projected, projected.length / labels.length, labels, k, regularisation);
    },
  }),
});
