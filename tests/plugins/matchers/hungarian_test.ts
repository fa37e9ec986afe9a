import assert from "node:assert/strict";
import fc from "fast-check";
import hungarian, { matchClusterings } from "../../../plugins/matchers/hungarian.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { checkPlugin } from "../../../streams/check_plugin.ts";
import type { Clustering } from "../../../streams/contract.ts";
import { ShapeError } from "../../../streams/errors.ts";

const clustering = (labels: number[], classIds: number[]): Clustering => ({
  k: classIds.length,
  labels: Int32Array.from(labels),
  classIds: Int32Array.from(classIds),
  criteria: [],
});
const slots = (labels: number[], k: number) => clustering(labels, new Array(k).fill(0));
const counter = (from: number) => () => from++;

Deno.test("hungarian conforms", async () => await checkPlugin(hungarian));

Deno.test("a class that splits leaves its name to its larger half", () => {
  const before = clustering([0, 0, 0, 0, 0, 1, 1, 1], [5, 8]);
  assert.deepEqual([...matchClusterings(before, slots([2, 2, 1, 1, 1, 0, 0, 0], 3), counter(20))], [8, 5, 20]);
});

Deno.test("of two classes that merge the larger gives the name", () => {
  const before = clustering([0, 0, 1, 1, 1, 2, 2], [5, 8, 9]);
  assert.deepEqual([...matchClusterings(before, slots([1, 1, 1, 1, 1, 0, 0], 2), counter(20))], [9, 8]);
});

Deno.test("a class that shares no box with any old one gets a fresh name, though names are left over", () => {
  const before = clustering([0, 0, 0, 0], [5, 8]);
  assert.deepEqual([...matchClusterings(before, slots([1, 1, 1, 1], 3), counter(20))], [20, 5, 21]);
});

Deno.test("names survive any renumbering of the slots, and as many boxes keep theirs as can", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), (seed, k, next) => {
      const random = createRandom(seed, "match");
      const before = clustering(Array.from({ length: 50 }, () => random.integer(k)), [...random.permutation(k)]);
      const after = Array.from({ length: 50 }, () => random.integer(next)), order = random.permutation(next);
      const kept = (labels: number[]) => {
        const names = matchClusterings(before, slots(labels, next), counter(100));
        assert.equal(new Set(names).size, next);
        return labels.filter((slot, i) => names[slot] === before.classIds[before.labels[i]]).length;
      };
      assert.equal(kept(after.map((slot) => order[slot])), kept(after));
      const renumbered = random.permutation(k);
      const names = matchClusterings(before, slots([...before.labels].map((slot) => renumbered[slot]), k), counter(100));
      before.labels.forEach((slot) => assert.equal(names[renumbered[slot]], before.classIds[slot]));
    }),
    { seed: 3, numRuns: 60 },
  );
});

Deno.test("labels of different boxes are refused", () => {
  assert.throws(() => matchClusterings(clustering([0], [1]), slots([0, 0], 1), counter(1)), ShapeError);
});
