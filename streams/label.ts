/**
 * Labels every box of a store with a learner's frozen state. A run's own labels and those of inference come from here alike.
 * @module
 */
import type { BoxStore, Learner } from "./contract.ts";

/** Boxes that are read and labelled at a time. */
const BATCH = 256;

/** Labels of a store, in row order. */
export interface Labels {
  readonly classIds: Int32Array;
  /** null when the learner has none. */
  readonly logLikelihood: Float64Array | null;
  readonly dims: number;
  /** `[count, dims]`. */
  readonly features: Float32Array;
}

/** Predicts in batches of rows; the next batch is read while the present one is predicted. */
export async function labelBoxes(
  learner: Learner,
  boxes: BoxStore,
  signal: AbortSignal,
  progress: (done: number, total: number) => void,
): Promise<Labels> {
  const { count, boxVoxels, rows } = boxes;
  const classIds = new Int32Array(count), logLikelihood = new Float64Array(count);
  let features = new Float32Array(0), dims = 0, hasLikelihood = true;
  const readBatch = (start: number) => boxes.read(Array.from({ length: Math.min(BATCH, count - start) }, (_, i) => start + i));
  let next = count > 0 ? readBatch(0) : Promise.resolve(new Float32Array());
  for (let start = 0; start < count; start += BATCH) {
    signal.throwIfAborted();
    const end = Math.min(count, start + BATCH);
    const voxels = await next;
    if (end < count) next = readBatch(end);
    const geometries = Array.from({ length: end - start }, (_, i) => boxes.geometryOf(start + i));
    const found = await learner.predict(voxels, rows.subarray(2 * start, 2 * end), boxVoxels, geometries);
    if (start === 0) {
      dims = found.features.dims;
      features = new Float32Array(count * dims);
    }
    features.set(found.features.values, start * dims);
    classIds.set(found.classIds, start);
    if (found.logLikelihood) logLikelihood.set(found.logLikelihood, start);
    else hasLikelihood = false;
    progress(end, count);
  }
  return { classIds, logLikelihood: hasLikelihood ? logLikelihood : null, dims, features };
}

/** The `quantile` of the held-out boxes' log-likelihood: below it a particle is novel; null when it cannot be known. */
export function noveltyThreshold(logLikelihood: Float64Array | null, heldOut: Uint8Array, quantile: number): number | null {
  const values = logLikelihood?.filter((_, i) => heldOut[i] === 1).sort() ?? new Float64Array();
  if (values.length === 0) return null;
  // Linear between neighbours, as numpy.quantile does.
  const at = quantile * (values.length - 1), low = Math.floor(at);
  return values[low] + (at - low) * ((values[low + 1] ?? values[low]) - values[low]);
}

/** 1 where a log-likelihood is below the threshold. */
export function novelBoxes(logLikelihood: Float64Array | null, count: number, threshold: number | null): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => logLikelihood !== null && threshold !== null && logLikelihood[i] < threshold ? 1 : 0);
}
