/**
 * Feature tables whose classes are known, for tests of clustering.
 * @module
 */
import { createRandom } from "../../../plugins/kernels/random.ts";
import type { Features } from "../../../streams/contract.ts";

/** A table and the class each row was drawn from. */
export interface SampledMixture {
  readonly table: Features;
  readonly labels: Int32Array;
}

/** Draws `rows` rows of `dims` features from `k` Gaussians, centres `distance` deviations apart or more along each axis on average. */
export function sampleMixture(rows: number, dims: number, k: number, distance: number, seed: number): SampledMixture {
  const random = createRandom(seed, "sampled mixture");
  const centres = Float64Array.from({ length: k * dims }, () => distance * random.normal());
  const labels = new Int32Array(rows), values = new Float32Array(rows * dims);
  for (let row = 0; row < rows; row++) {
    labels[row] = row % k;
    for (let j = 0; j < dims; j++) values[row * dims + j] = centres[labels[row] * dims + j] + random.normal();
  }
  const order = random.permutation(rows);
  const shuffled = new Float32Array(rows * dims);
  order.forEach((from, to) => shuffled.set(values.subarray(from * dims, (from + 1) * dims), to * dims));
  const ids = Int32Array.from({ length: 2 * rows }, (_, i) => i & 1 ? i >> 1 : 0);
  return { table: { rows: ids, dims, values: shuffled }, labels: Int32Array.from(order, (row) => labels[row]) };
}
