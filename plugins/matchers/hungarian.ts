/**
 * `hungarian`: classes keep their names where the most boxes agree, also when their number changes.
 * @module
 */
import { z } from "zod";
import { type Clustering, definePlugin } from "../../streams/contract.ts";
import { ShapeError } from "../../streams/errors.ts";
import { assign } from "../kernels/assignment.ts";

/**
 * Names for the slots of `next`, `[next.k]`: the one-to-one matching to `previous` under which the most boxes keep their name.
 *
 * Both clusterings label the same boxes in the same order. A slot that shares no box with the class it is matched to, or is left over,
 * gets `fresh()`, in the order of slots.
 * @throws {ShapeError} When the two label different numbers of boxes.
 */
export function matchClusterings(previous: Clustering, next: Clustering, fresh: () => number): Int32Array {
  if (previous.labels.length !== next.labels.length) {
    throw new ShapeError(`${next.labels.length} labels cannot be matched to ${previous.labels.length}: both must be of the same boxes`);
  }
  const shared = new Float64Array(previous.k * next.k);
  next.labels.forEach((slot, i) => shared[previous.labels[i] * next.k + slot]++);
  const names = new Map<number, number>();
  for (const [old, slot] of assign(shared.map((count) => -count), previous.k, next.k)) {
    if (shared[old * next.k + slot] > 0) names.set(slot, previous.classIds[old]);
  }
  return Int32Array.from({ length: next.k }, (_, slot) => names.get(slot) ?? fresh());
}

/** The plugin. */
export default definePlugin({
  apiVersion: 1,
  name: "hungarian",
  kind: "matcher",
  summary: "one-to-one matching of classes under which the most boxes keep their class's name",
  options: z.strictObject({}),
  create: () => ({ match: matchClusterings }),
});
