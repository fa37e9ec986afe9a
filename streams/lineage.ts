/**
 * Labelings of every iteration, kept in the run folder, and where classes came from.
 * @module
 */
import { exists, loadBundle, saveBundle } from "./bundle.ts";

/** Flows of fewer boxes than this share of the smaller of both classes are strays, not lineage. */
const LEAST_FLOW = 0.1;

/** Keeps the lasting class names of all boxes after an iteration: `folder/0003`. */
export function saveLabeling(folder: string, iteration: number, classIds: Int32Array): void {
  saveBundle(labelingPath(folder, iteration), { iteration }, { version: 1, values: {}, arrays: { classIds } });
}

/** The labeling of an iteration, in row order; null when none was kept. */
export function loadLabeling(folder: string, iteration: number): Int32Array | null {
  const path = labelingPath(folder, iteration);
  return exists(path) ? loadBundle(path).state.arrays.classIds as Int32Array : null;
}

function labelingPath(folder: string, iteration: number): string {
  return `${folder}/${String(iteration).padStart(4, "0")}`;
}

/** `1:240 3:17`: boxes of each class, by name. */
export function classSizes(classIds: Int32Array): string {
  return [...count(classIds)].sort(([a], [b]) => a - b).map(([id, boxes]) => `${id}:${boxes}`).join(" ");
}

/**
 * `2>7:40 2>2:180`: how many boxes went from which class to which, strays left out. A class that stayed itself alone is not told, so an
 * empty text says that nothing split, merged, began or ended.
 */
export function classFlows(before: Int32Array, after: Int32Array): string {
  const old = count(before), now = count(after), flows = new Map<string, [number, number, number]>();
  for (let i = 0; i < after.length; i++) {
    const key = `${before[i]}>${after[i]}`, flow = flows.get(key);
    if (flow) flow[2]++;
    else flows.set(key, [before[i], after[i], 1]);
  }
  const told = [...flows.values()].filter(([a, b, boxes]) => boxes >= LEAST_FLOW * Math.min(old.get(a)!, now.get(b)!));
  const crosses = new Set(told.filter(([a, b]) => a !== b).flatMap(([a, b]) => [`from ${a}`, `to ${b}`]));
  return told.filter(([a, b]) => a !== b || crosses.has(`from ${a}`) || crosses.has(`to ${a}`))
    .sort(([a, b], [c, d]) => a - c || b - d).map(([a, b, boxes]) => `${a}>${b}:${boxes}`).join(" ");
}

function count(classIds: Int32Array): Map<number, number> {
  const sizes = new Map<number, number>();
  for (const id of classIds) sizes.set(id, (sizes.get(id) ?? 0) + 1);
  return sizes;
}
