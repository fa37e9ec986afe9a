import assert from "node:assert/strict";
import plugin from "../../../plugins/aligners/refined.ts";
import { paddedSide } from "../../../plugins/kernels/alignment/volume.ts";
import { nestStates } from "../../../plugins/kernels/state.ts";
import { type Model, modelToState } from "../../../plugins/refiners/em/model.ts";
import type { BoxStore, ClassInput, State } from "../../../streams/contract.ts";
import { memoryContext } from "../memory_context.ts";

const NOTHING: State = { version: 1, values: {}, arrays: {} };
const BOX = 4, SIZE = BOX ** 3;

/** Boxes 0..5 in three slots of two; the classes are named 7, 5 and 7: the third slot's boxes were labelled otherwise in the end. */
const CLASS_IDS = Int32Array.of(7, 7, 5, 5, 7, 5);

function input(learnerState: State): ClassInput {
  const boxes: BoxStore = {
    count: 6,
    boxVoxels: BOX,
    voxelSizeAngstrom: 10,
    rows: new Int32Array(12),
    geometryOf: () => ({ tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: 1 }),
    read: () => Promise.reject(new Error("no box need be read")),
  };
  const features = { rows: boxes.rows, dims: 1, values: new Float32Array(6) };
  return { boxes, features, classIds: CLASS_IDS, classes: [5, 7], learnerState, signal: new AbortController().signal };
}

function model(): Model {
  const k = 3, side = paddedSide(1), column = (...values: number[]) => Float64Array.from(values);
  return {
    kMax: 1,
    boxVoxels: BOX,
    seed: 1,
    volumes: Array.from({ length: k }, () => new Float32Array(2 * side ** 3)),
    weights: column(0.4, 0.4, 0.2),
    noise: column(1, 1),
    subset: Int32Array.of(0, 1, 2, 3, 4, 5),
    labels: Int32Array.of(0, 0, 1, 1, 2, 2),
    eulerZyzDegrees: Float64Array.from({ length: 18 }, (_, i) => i),
    shiftsXyz: Float64Array.from({ length: 18 }, (_, i) => i / 10),
    averages: Float32Array.from({ length: k * SIZE }, (_, i) => Math.floor(i / SIZE)),
    judgement: {
      stability: column(1, 0.9, NaN),
      confidence: column(1, 0.8, 1),
      likelihood: column(100, 50, 70),
      nearest: column(1, 0, 0),
      nearestLoss: column(0.2, 0.01, 0.5),
      splitGain: column(0.02, NaN, 0),
      splitBound: column(0.03, NaN, 0.01),
      beamAlignment: column(0.1, 0.6, 0),
      beamChance: column(0.5, 1e-9, 1),
      mirror: column(0, 0, 1),
      mirrorLoss: column(0.02, 0.01, 0.4),
    },
  };
}

Deno.test("`refined` hands on averages, trust and poses under lasting names", async () => {
  const context = memoryContext(), stage = await plugin.create(plugin.options.parse({}), context, {});
  const { volumes, tables } = await stage.describe(input(nestStates(NOTHING, { refine: modelToState(model()) })));
  // Slot 2 has one box in each class: the lower name counts, and the class keeps the average that it has.
  assert.deepEqual(volumes.map(({ classId, name, voxels }) => [classId, name, voxels[0]]), [[7, "average", 0], [5, "average", 1]]);
  const trust = tables.find(({ name }) => name === "trust")!.columns;
  assert.deepEqual(trust.class, [7, 5, 5]);
  assert.deepEqual(trust.nearestClass, [5, 7, 7]);
  assert.deepEqual(trust.stability, [1, 0.9, ""]);
  assert.deepEqual(trust.remark, [
    "perhaps two structures",
    "perhaps one with class 7; oriented along the beam: the missing wedge may have made it; looks like the mirror image of class 7",
    "nothing stands out",
  ]);
  const poses = tables.find(({ name }) => name === "poses")!.columns;
  assert.deepEqual(poses.box, [0, 1, 2, 3, 5]);
  assert.deepEqual([poses.rot[4], poses.tilt[4], poses.psi[4], poses.shiftZ[4]], [15, 16, 17, 1.7]);
  assert.deepEqual(context.told, []);
});

Deno.test("`refined` says so where no refiner made the labels", async () => {
  const context = memoryContext(), stage = await plugin.create(plugin.options.parse({}), context, {});
  assert.deepEqual(await stage.describe(input(NOTHING)), { volumes: [], tables: [] });
  assert.deepEqual(context.told.map(({ code }) => code), ["not-refined"]);
});
