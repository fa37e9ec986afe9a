import assert from "node:assert/strict";
import plugin from "../../../plugins/refiners/em.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { eulerZyzToMatrix } from "../../../plugins/kernels/rotation.ts";
import type { BoxStore, Clustering } from "../../../streams/contract.ts";
import { RunError, ShapeError } from "../../../streams/errors.ts";
import { memoryContext } from "../memory_context.ts";
import { BOX, GEOMETRY, median, poseError, simulate, SIZE } from "./blob_boxes.ts";

/** Boxes of the test: few, for speed. */
const COUNT = 80;

const everything = (n: number) => Int32Array.from({ length: n }, (_, i) => i);
const start = (labels: Int32Array): Clustering => ({ k: Math.max(...labels) + 1, labels, classIds: new Int32Array(1), criteria: [] });

/** Share of boxes whose class is the majority's of their kind. */
function purity(labels: Int32Array, truth: Int32Array, k: number): number {
  let right = 0;
  for (let kind = 0; kind < 2; kind++) {
    const counts = new Int32Array(k);
    labels.forEach((label, i) => truth[i] === kind && counts[label]++);
    right += Math.max(...counts);
  }
  return right / labels.length;
}

Deno.test("`em` finds two structures in one class, with poses, averages, and a model that labels alike", async (t) => {
  const truth = Int32Array.from({ length: COUNT }, (_, i) => i % 2);
  const { store, rotations, shifts } = simulate(truth, 0.25, 1);
  const context = memoryContext(), options = plugin.options.parse({ maximumRounds: 1 });
  const em = await plugin.create(options, context, {});
  const result = await em.refine(store, everything(COUNT), start(new Int32Array(COUNT)), 1);
  const saved = await em.save();

  await t.step("labels are the truth, and nothing is warned of", () => {
    assert.deepEqual(context.told, []);
    assert.equal(result.k, 2);
    assert.ok(purity(result.labels, truth, 2) >= 0.97, `purity ${purity(result.labels, truth, 2)}`);
    for (let i = 0; i < COUNT; i++) assert.ok(Math.abs(result.posterior[2 * i] + result.posterior[2 * i + 1] - 1) < 1e-5);
    assert.ok(result.trace.some((row) => row.step === "split") && result.trace.every((row) => typeof row.k === "number"));
  });

  await t.step("angles follow RELION's convention: one turn relates them all to the truth, and shifts find the particle", () => {
    /** Sixty small particles at a signal-to-noise ratio near one half. */
    const DEGREES = 15, VOXELS = 0.6;
    for (const label of [0, 1]) {
      const members = everything(COUNT).filter((i) => result.labels[i] === label);
      const estimates = Array.from(members, (i) => {
        const [rot, tilt, psi] = result.eulerZyzDegrees.subarray(3 * i, 3 * i + 3);
        return eulerZyzToMatrix(rot, tilt, psi);
      });
      const best = poseError(Array.from(members, (i) => rotations[i]), estimates);
      assert.ok(best < DEGREES, `class ${label}: half of the poses are more than ${best} degrees apart`);
      const apart = median(Array.from(members, (i) => Math.hypot(...shifts[i].map((s, d) => s - result.shiftsXyz[3 * i + d]))));
      assert.ok(apart < VOXELS, `class ${label}: shifts are ${apart} voxels from the truth`);
    }
  });

  await t.step("averages are bright particles at the centre", () => {
    for (const label of [0, 1]) {
      const average = result.averages.subarray(label * SIZE, (label + 1) * SIZE);
      const peak = average.indexOf(Math.max(...average)), at = [peak % BOX, Math.floor(peak / BOX) % BOX, Math.floor(peak / BOX / BOX)];
      assert.ok(Math.max(...average) > -1.5 * Math.min(...average));
      assert.ok(Math.hypot(...at.map((v) => v - BOX / 2)) < 6, `brightest voxel at ${at}`);
    }
  });

  await t.step("a saved model labels the boxes alike, each whatever the others", async () => {
    const again = await plugin.create(options, memoryContext(), {});
    await again.load(saved);
    const voxels = await store.read(everything(COUNT)), geometries = Array(COUNT).fill(GEOMETRY);
    const posterior = await again.predict(voxels, COUNT, BOX, geometries);
    const predicted = Int32Array.from({ length: COUNT }, (_, i) => posterior[2 * i] >= posterior[2 * i + 1] ? 0 : 1);
    assert.ok(predicted.filter((label, i) => label !== result.labels[i]).length <= 3);
    assert.deepEqual(await again.predict(voxels.slice(7 * SIZE, 8 * SIZE), 1, BOX, [GEOMETRY]), posterior.slice(14, 16));
    assert.equal((await again.predict(new Float32Array(0), 0, BOX, [])).length, 0);
    await assert.rejects(again.predict(new Float32Array(8), 1, 2, [GEOMETRY]), ShapeError);
  });
});

Deno.test("`em` merges the classes of noise alone into one, and gives the same again with another number of workers", async () => {
  const { store } = simulate(new Int32Array(32).fill(-1), 1, 2), random = createRandom(3, "noise labels");
  const labels = start(Int32Array.from({ length: 32 }, () => random.integer(2))), options = plugin.options.parse({ maximumRounds: 1 });
  const results = [];
  for (const workers of [1, 3]) {
    const context = memoryContext(undefined, workers), em = await plugin.create(options, context, {});
    results.push(await em.refine(store, everything(32), labels, 1));
    assert.deepEqual(context.told.map(({ type, code }) => `${type} ${code}`), ["warn no-signal"]);
  }
  assert.equal(results[0].k, 1);
  assert.deepEqual(results[1].averages, results[0].averages);
  assert.deepEqual(results[1].eulerZyzDegrees, results[0].eulerZyzDegrees);
});

Deno.test("`em` warns of unknown tilt ranges, and refuses too few boxes, labels of other boxes and prediction before refinement", async () => {
  const { store } = simulate(new Int32Array(30), 0.3, 4), context = memoryContext();
  const unknown: BoxStore = { ...store, geometryOf: () => ({ ...GEOMETRY, tiltRangeDegrees: "unknown" }) };
  const em = await plugin.create(plugin.options.parse({ maximumRounds: 0 }), context, {});
  await assert.rejects(em.refine(store, everything(5), start(new Int32Array(5)), 1), /5 boxes are too few to align/);
  await assert.rejects(em.refine(store, everything(30), start(new Int32Array(7)), 1), /7 start labels for 30 boxes/);
  await assert.rejects(em.predict(new Float32Array(SIZE), 1, BOX, [GEOMETRY]), RunError);
  const empty = await em.save();
  await em.load(empty);
  await em.refine(unknown, everything(30), start(new Int32Array(30)), 1);
  assert.equal(context.told[0].code, "unknown-tilt-range");
});

Deno.test("`em` stops when its context is aborted", async () => {
  const { store } = simulate(new Int32Array(30), 0.3, 5), stop = new AbortController();
  const context = { ...memoryContext(), signal: stop.signal, progress: () => stop.abort(new Error("stopped by the user")) };
  const em = await plugin.create(plugin.options.parse({}), context, {});
  await assert.rejects(em.refine(store, everything(30), start(new Int32Array(30)), 1), /stopped by the user/);
});
