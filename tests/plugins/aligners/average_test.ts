import assert from "node:assert/strict";
import plugin from "../../../plugins/aligners/average.ts";
import { correlateShells, crossing } from "../../../plugins/aligners/average/class_average.ts";
import em from "../../../plugins/refiners/em.ts";
import { paddedSide } from "../../../plugins/kernels/alignment/volume.ts";
import { eulerZyzToMatrix } from "../../../plugins/kernels/rotation.ts";
import { nestStates } from "../../../plugins/kernels/state.ts";
import type { BoxStore, ClassInput, State, Table } from "../../../streams/contract.ts";
import { memoryContext } from "../memory_context.ts";
import { poseError, simulate, SIZE } from "../refiners/blob_boxes.ts";

const NOTHING: State = { version: 1, values: {}, arrays: {} };

function inputOf(boxes: BoxStore, classIds: Int32Array, learnerState = NOTHING): ClassInput {
  const features = { rows: boxes.rows, dims: 1, values: new Float32Array(boxes.count) };
  const classes = [...new Set(classIds)].sort((a, b) => a - b);
  return { boxes, features, classIds, classes, learnerState, signal: new AbortController().signal };
}

function tableOf(tables: readonly Table[], name: string): Table["columns"] {
  return tables.find((table) => table.name === name)!.columns;
}

const numbers = (column: readonly (string | number)[], of: (row: number) => boolean) => column.filter((_, i) => of(i)).map(Number);

Deno.test("`average` aligns a class of particles and tells it from a class of noise", async (t) => {
  // Thirty-six particles as class 7, twenty-four boxes of noise as class 9.
  const kinds = Int32Array.from({ length: 60 }, (_, i) => i < 36 ? 0 : -1);
  const { store, rotations } = simulate(kinds, 0.25, 11);
  const context = memoryContext();
  const stage = await plugin.create(plugin.options.parse({ maximumMembers: 30 }), context, {});
  const { volumes, tables } = await stage.describe(inputOf(store, kinds.map((kind) => kind === 0 ? 7 : 9)));

  await t.step("every class has an average and two halves", () => {
    assert.deepEqual(
      volumes.map(({ classId, name }) => `${classId} ${name}`),
      [7, 9].flatMap((id) => ["average", "half 1", "half 2"].map((name) => `${id} ${name}`)),
    );
    assert.ok(volumes.every(({ voxels }) => voxels.length === SIZE && voxels.every(Number.isFinite)));
  });

  await t.step("only the particles are supported by boxes that did not make the average", () => {
    const { supported, evidenceNats, averaged, members, resolutionAngstrom05 } = tableOf(tables, "averages");
    assert.deepEqual(supported, ["yes", "no"]);
    assert.ok(Number(evidenceNats[0]) > 10 && Number(evidenceNats[1]) < 1, `evidence ${evidenceNats}`);
    assert.deepEqual([averaged, members], [[30, 24], [36, 24]]);
    // Eight cycles of 16 voxels at 10 Angstrom are the finest there is, one is the coarsest.
    const resolution = Number(String(resolutionAngstrom05[0]).replace("< ", ""));
    assert.ok(resolution >= 20 && resolution < 80, `resolution ${resolutionAngstrom05[0]}`);
    assert.equal(resolutionAngstrom05[1], "");
  });

  await t.step("every box has a pose, and those of the particles agree with the truth", () => {
    const { box, class: ids, rot, tilt, psi, shiftX } = tableOf(tables, "poses");
    assert.deepEqual(box.map(Number).sort((a, b) => a - b), Array.from({ length: 60 }, (_, i) => i));
    const own = (row: number) => ids[row] === 7;
    const boxes = numbers(box, own), angles = [rot, tilt, psi].map((column) => numbers(column, own));
    const error = poseError(
      boxes.map((i) => rotations[i]),
      boxes.map((_, i) => eulerZyzToMatrix(angles[0][i], angles[1][i], angles[2][i])),
    );
    /** Small particles at a signal-to-noise ratio near one. */
    const DEGREES = 15;
    assert.ok(error < DEGREES, `half of the poses are more than ${error} degrees from the truth`);
    assert.ok(shiftX.every((shift) => Math.abs(Number(shift)) < 8));
  });
});

Deno.test("`average` starts from the refiner's references where the learner's state holds them, and says nothing of classes too small", async () => {
  const kinds = new Int32Array(40), { store, rotations } = simulate(kinds, 0.25, 12);
  const context = memoryContext(), refiner = await em.create(em.options.parse({ maximumRounds: 0 }), context, {});
  const subset = Int32Array.from({ length: 30 }, (_, i) => i);
  await refiner.refine(store, subset, { k: 1, labels: new Int32Array(30), classIds: Int32Array.of(3), criteria: [] }, 1);
  const state = nestStates(NOTHING, { refine: await refiner.save() });
  const ids = kinds.map((_, i) => i < 35 ? 3 : 4);
  const stage = await plugin.create(plugin.options.parse({ poseEveryBox: false, maximumMembers: 32 }), context, {});
  const { volumes, tables } = await stage.describe(inputOf(store, ids, state));
  assert.deepEqual(tableOf(tables, "averages").supported, ["yes", "too few boxes"]);
  assert.deepEqual(volumes.filter(({ classId }) => classId === 4).map(({ name }) => name), ["average"]);
  const { box, class: classes, rot, tilt, psi } = tableOf(tables, "poses");
  assert.equal(box.length, 32 + 5);
  const own = (row: number) => classes[row] === 3, boxes = numbers(box, own);
  const angles = [rot, tilt, psi].map((column) => numbers(column, own));
  const error = poseError(boxes.map((i) => rotations[i]), boxes.map((_, i) => eulerZyzToMatrix(angles[0][i], angles[1][i], angles[2][i])));
  assert.ok(error < 15, `${error} degrees from the truth`);
});

Deno.test("`correlateShells()` is 1 for a volume and itself, -1 for its negative, and `crossing()` interpolates", () => {
  /** Float64 sums of float32 values. */
  const FLOAT32 = 1e-6;
  const kMax = 3, volume = Float32Array.from({ length: 2 * paddedSide(kMax) ** 3 }, (_, i) => Math.sin(i * i));
  const [same, opposite] = [volume, volume.map((v) => -2 * v)].map((other) => correlateShells(volume, other, kMax));
  for (let s = 1; s <= kMax; s++) assert.ok(Math.abs(same[s] - 1) < FLOAT32 && Math.abs(opposite[s] + 1) < FLOAT32);
  assert.equal(crossing(Float64Array.of(1, 0.9, 0.7, 0.3), 0.5), 2.5);
  assert.equal(crossing(Float64Array.of(1, 0.9, 0.8), 0.5), null);
  assert.equal(crossing(Float64Array.of(1, 0.1, 0.8), 0.5), null);
});
