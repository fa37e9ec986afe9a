/**
 * First weights of a network.
 * @module
 */
import { inspectNetwork, isTrained, type Parameter, sizeOf } from "../engines/shapes.ts";
import type { NetworkSpec, NetworkState } from "../engines/network.ts";
import { createRandom } from "./random.ts";

/**
 * Draws `count` orthonormal vectors of `length` numbers, uniformly (Haar): Gram-Schmidt on standard normal vectors.
 *
 * Shapes: returns [count, length] row-major, float64. Cost: O(count^2 length); 1024 vectors of 1360 in about 2 s. Orthonormal within 1e-10.
 *
 * @param normal Draws a standard normal number.
 * @throws {RangeError} When `count` exceeds `length`: no more vectors than dimensions can be orthogonal.
 * @see Mezzadri 2007, "How to generate random matrices from the classical compact groups".
 */
export function orthonormalVectors(count: number, length: number, normal: () => number): Float64Array {
  if (count > length) throw new RangeError(`${count} vectors of ${length} numbers cannot be orthogonal`);
  const vectors = new Float64Array(count * length);
  for (let i = 0; i < vectors.length; i++) vectors[i] = normal();
  for (let i = 0; i < count; i++) {
    const own = vectors.subarray(i * length, (i + 1) * length);
    // Twice is enough (Kahan): a square matrix's last vectors lose most of their length in the first pass.
    for (let pass = 0; pass < 2; pass++) removeProjections(own, vectors, i, length);
    let square = 0;
    for (let k = 0; k < length; k++) square += own[k] * own[k];
    const factor = 1 / Math.sqrt(square);
    for (let k = 0; k < length; k++) own[k] *= factor;
  }
  return vectors;
}

/** Subtracts from `own` its projections on the first `count` rows, four rows a pass to read `own` less often. */
function removeProjections(own: Float64Array, rows: Float64Array, count: number, length: number): void {
  let row = 0;
  for (; row + 4 <= count; row += 4) {
    const a = row * length, b = a + length, c = b + length, d = c + length;
    let onA = 0, onB = 0, onC = 0, onD = 0;
    for (let k = 0; k < length; k++) {
      const value = own[k];
      onA += value * rows[a + k];
      onB += value * rows[b + k];
      onC += value * rows[c + k];
      onD += value * rows[d + k];
    }
    for (let k = 0; k < length; k++) own[k] -= onA * rows[a + k] + onB * rows[b + k] + onC * rows[c + k] + onD * rows[d + k];
  }
  for (; row < count; row++) {
    const a = row * length;
    let on = 0;
    for (let k = 0; k < length; k++) on += own[k] * rows[a + k];
    for (let k = 0; k < length; k++) own[k] -= on * rows[a + k];
  }
}

/**
 * Gives a network its first state: orthogonal kernels, zero biases, batch norm as the identity, zero moments, step 0.
 *
 * A kernel is read as a matrix, outputs by everything else, whose rows (or columns, when there are more rows) are orthonormal. Each kernel has
 * its own stream of random numbers, so that adding a layer does not change the others.
 *
 * @param seed The run's seed.
 * @throws {ShapeError} When the spec is faulty.
 * @see Saxe et al. 2014; Keras's `Orthogonal` initialiser with gain 1.
 */
export function initialiseNetwork(spec: NetworkSpec, seed: number): NetworkState {
  const arrays: Record<string, { shape: readonly number[]; values: Float32Array }> = {};
  for (const parameter of inspectNetwork(spec).parameters) {
    const { name, shape } = parameter;
    arrays[name] = { shape, values: firstValues(parameter, seed) };
    if (!isTrained(parameter)) continue;
    for (const moment of [":m", ":v"]) arrays[name + moment] = { shape, values: new Float32Array(sizeOf(shape)) };
  }
  return { step: 0, momentumProduct: 1, arrays };
}

function firstValues(parameter: Parameter, seed: number): Float32Array {
  const { name, role, shape } = parameter;
  if (role === "gamma" || role === "variance") return new Float32Array(sizeOf(shape)).fill(1);
  if (role !== "weight") return new Float32Array(sizeOf(shape));
  const rows = shape[0];
  const columns = sizeOf(shape) / rows;
  const { normal } = createRandom(seed, "initialise", name);
  const values = orthonormalVectors(Math.min(rows, columns), Math.max(rows, columns), normal);
  if (rows <= columns) return Float32Array.from(values);
  const transposed = new Float32Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) transposed[r * columns + c] = values[c * rows + r];
  }
  return transposed;
}
