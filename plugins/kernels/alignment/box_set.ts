/**
 * The boxes of a refinement as they are shared between workers, and one box as a row for scoring.
 * @module
 */
import type { CoefficientOrder } from "./coefficients.ts";
import { floats } from "./memory.ts";

/** What all boxes of a refinement have in common. The large arrays lie in shared memory. */
export interface BoxSet {
  readonly boxVoxels: number;
  readonly order: CoefficientOrder;
  /** `[boxes, coefficients]` interleaved complex. */
  readonly coefficients: Float32Array;
  /** `[groups, coefficients]` 1 measured, 0 missing. */
  readonly wedges: Float32Array;
  /** `[boxes]` row of `wedges`. */
  readonly groups: Int32Array;
}

/** Number of different wedges. */
export function wedgeCount(set: BoxSet): number {
  return set.wedges.length / set.order.count;
}

/** One over the noise deviation of the first C coefficients; a frequency on the rim may round to the shell beyond the last. */
export function inverseDeviations(order: CoefficientOrder, C: number, noise: Float64Array): Float32Array {
  return Float32Array.from({ length: C }, (_, c) => 1 / Math.sqrt(noise[Math.min(order.shells[c], noise.length - 1)]));
}

/** Writes the first C coefficients of box i, times scale[c] and its wedge (unless `whole`), to `address`. */
export function writeRow(set: BoxSet, i: number, scale: Float32Array, address: number, whole = false): void {
  const C = scale.length, stored = set.order.count, from = 2 * i * stored, wedge = set.groups[i] * stored;
  const target = floats(address, 2 * C);
  for (let c = 0; c < C; c++) {
    const factor = whole ? scale[c] : scale[c] * set.wedges[wedge + c];
    target[2 * c] = set.coefficients[from + 2 * c] * factor;
    target[2 * c + 1] = set.coefficients[from + 2 * c + 1] * factor;
  }
}
