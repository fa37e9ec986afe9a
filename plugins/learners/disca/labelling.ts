/**
 * Small steps on labels and tables of boxes.
 * @module
 */
import { measureAgreement, tabulateConfusion } from "../../kernels/agreement.ts";

/** Null where JSON has no word for a number. */
export const finite = (value: number): number | null => Number.isFinite(value) ? value : null;

/** Whether two lists hold the same names, in whatever order. */
export const sameNames = (a: Int32Array, b: Int32Array): boolean => a.length === b.length && a.every((id) => b.includes(id));

/** Which of a head's outputs, named `head`, each of the slots named `classIds` is. */
export const outputs = (head: Int32Array, classIds: Int32Array): Int32Array => classIds.map((id) => head.indexOf(id));

/** Rows of a table `[n, width]`, in the order of `indices`. */
export function gather<T extends Float32Array | Int32Array>(values: T, width: number, indices: Int32Array): T {
  const out = values.slice(0, 0).constructor as { new (length: number): T };
  const gathered = new out(indices.length * width);
  indices.forEach((index, i) => {
    for (let j = 0; j < width; j++) gathered[i * width + j] = values[index * width + j];
  });
  return gathered;
}

/** The most probable class of each row of `[n, k]`. */
export function mostProbable(posterior: Float32Array, k: number): Int32Array {
  return Int32Array.from({ length: posterior.length / k }, (_, i) => {
    let best = 0;
    for (let c = 1; c < k; c++) if (posterior[i * k + c] > posterior[i * k + best]) best = c;
    return best;
  });
}

/** Share of boxes whose lasting class name differs. */
export function changed(a: { labels: Int32Array; classIds: Int32Array }, b: { labels: Int32Array; classIds: Int32Array }): number {
  let count = 0;
  for (let i = 0; i < a.labels.length; i++) if (a.classIds[a.labels[i]] !== b.classIds[b.labels[i]]) count++;
  return count / a.labels.length;
}

/** At most `limit` of the boxes, evenly spaced within each class, so that a class keeps its share; ascending. */
export function stratified(indices: Int32Array, labels: Int32Array, limit: number): Int32Array {
  if (indices.length <= limit) return indices;
  const byClass = [...indices].sort((a, b) => labels[a] - labels[b] || a - b);
  const step = indices.length / limit;
  return Int32Array.from({ length: limit }, (_, i) => byClass[Math.floor(i * step)]).sort();
}

/** The numbers among a trace's entries. */
export function numbersOf(row: Readonly<Record<string, number | string>>): Record<string, number> {
  return Object.fromEntries(Object.entries(row).filter((entry): entry is [string, number] => typeof entry[1] === "number"));
}

/** `count` of the indices, evenly spaced. */
export function evenly(indices: Int32Array, count: number): Int32Array {
  return Int32Array.from({ length: Math.min(count, indices.length) }, (_, i) => indices[Math.floor(i * indices.length / count)]);
}

/**
 * How far two labelings of the same boxes agree, corrected for chance (the adjusted Rand index); 0 when either is one class, which agrees
 * with anything.
 */
export function concordance(a: Int32Array, b: Int32Array): number {
  if (new Set(a).size < 2 || new Set(b).size < 2) return 0;
  return measureAgreement(tabulateConfusion(a, b)).ari;
}
