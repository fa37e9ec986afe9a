/**
 * `refined`: hands on what the refiner found while it sorted: averages, poses, and how far each class can be trusted.
 * @module
 */
import { z } from "zod";
import type { ClassInput, ClassResult, ClassVolume, Table } from "../../streams/contract.ts";
import { definePlugin } from "../../streams/contract.ts";
import { partState } from "../kernels/state.ts";
import type { ClassJudgement } from "../refiners/em/judge.ts";
import { type Model, modelFromState } from "../refiners/em/model.ts";

const options = z.strictObject({
  mergeBelow: z.number().min(0).max(1).default(0.03).meta({
    description: "a class is called perhaps one with another when its boxes lose less than this share of their log-likelihood there",
  }),
  splitAbove: z.number().min(0).max(1).default(0.01).meta({
    description:
      "a class is called perhaps two when boxes left out gained more than this share of their log-likelihood as it was last split",
  }),
  alignedAbove: z.number().min(0).max(1).default(0.5).meta({
    description: "a class may follow the missing wedge when its particles turn one line to the beam more than this (0: none, 1: all)",
  }),
});

type Options = z.infer<typeof options>;

/** An alignment with the beam is told when fewer than one in so many classes of random orientations show it. */
const BEAM_CHANCE = 1e-4;

/** Lasting name of each of the refiner's slots: that of most of its boxes; null where it has none. */
function namesOf(model: Model, classIds: Int32Array): (number | null)[] {
  return model.volumes.map((_, slot) => {
    const counts = new Map<number, number>();
    model.subset.forEach((box, i) => {
      if (model.labels[i] === slot) counts.set(classIds[box], (counts.get(classIds[box]) ?? 0) + 1);
    });
    return [...counts].sort(([a, x], [b, y]) => y - x || a - b)[0]?.[0] ?? null;
  });
}

/** What a user should look at, in words. */
function remark(judged: ClassJudgement, slot: number, names: readonly (number | null)[], chosen: Options): string {
  const words: string[] = [], name = (values: Float64Array) => names[values[slot]] ?? "?";
  if (judged.nearestLoss[slot] < chosen.mergeBelow) words.push(`perhaps one with class ${name(judged.nearest)}`);
  if (judged.splitGain[slot] > chosen.splitAbove) words.push("perhaps two structures");
  if (judged.beamAlignment[slot] > chosen.alignedAbove && judged.beamChance[slot] < BEAM_CHANCE) {
    words.push("oriented along the beam: the missing wedge may have made it");
  }
  if (judged.mirror[slot] !== slot && judged.mirrorLoss[slot] < chosen.mergeBelow) {
    words.push(`looks like the mirror image of class ${name(judged.mirror)}`);
  }
  return words.join("; ") || "nothing stands out";
}

function trustTable(model: Model, names: readonly (number | null)[], chosen: Options): Table {
  const { judgement } = model, slots = names.flatMap((name, slot) => name === null ? [] : [slot]);
  const figure = (values: Float64Array) => slots.map((slot) => Number.isFinite(values[slot]) ? Number(values[slot].toPrecision(3)) : "");
  return {
    name: "trust",
    columns: {
      class: slots.map((slot) => names[slot]!),
      remark: slots.map((slot) => remark(judgement, slot, names, chosen)),
      stability: figure(judgement.stability),
      confidence: figure(judgement.confidence),
      nearestClass: slots.map((slot) => names[judgement.nearest[slot]] ?? ""),
      nearestLoss: figure(judgement.nearestLoss),
      splitGain: figure(judgement.splitGain),
      beamAlignment: figure(judgement.beamAlignment),
      mirrorClass: slots.map((slot) => names[judgement.mirror[slot]] ?? ""),
      mirrorLoss: figure(judgement.mirrorLoss),
    },
  };
}

/** Poses of the boxes that were aligned and are in the class that they were aligned to. */
function poseTable({ subset, labels, eulerZyzDegrees, shiftsXyz }: Model, names: readonly (number | null)[], classIds: Int32Array): Table {
  const rows = Array.from(subset.keys()).filter((i) => names[labels[i]] === classIds[subset[i]]);
  return {
    name: "poses",
    columns: {
      box: rows.map((i) => subset[i]),
      class: rows.map((i) => classIds[subset[i]]),
      rot: rows.map((i) => eulerZyzDegrees[3 * i]),
      tilt: rows.map((i) => eulerZyzDegrees[3 * i + 1]),
      psi: rows.map((i) => eulerZyzDegrees[3 * i + 2]),
      shiftX: rows.map((i) => shiftsXyz[3 * i]),
      shiftY: rows.map((i) => shiftsXyz[3 * i + 1]),
      shiftZ: rows.map((i) => shiftsXyz[3 * i + 2]),
    },
  };
}

/** The plugin. */
export default definePlugin({
  apiVersion: 1,
  name: "refined",
  kind: "aligner",
  summary: "hands on the refiner's averages, poses and what speaks for and against each class, at no cost",
  options,
  create: (chosen, context) => ({
    describe({ boxes, classIds, classes, learnerState }: ClassInput): Promise<ClassResult> {
      const state = partState(learnerState, "refine"), model = state ? modelFromState(context.stage, state) : null;
      if (!model) {
        context.note("not-refined", "no alignment made these labels, so there is nothing to hand on; average aligns the classes");
        return Promise.resolve({ volumes: [], tables: [] });
      }
      const names = namesOf(model, classIds), b = boxes.boxVoxels, size = b ** 3;
      const volumes = names.flatMap((classId, slot): ClassVolume[] =>
        classId === null || !classes.includes(classId) || names.indexOf(classId) !== slot ? [] : [{
          classId,
          name: "average",
          shapeZyx: [b, b, b],
          voxelSizeAngstrom: boxes.voxelSizeAngstrom,
          voxels: model.averages.slice(slot * size, (slot + 1) * size),
        }]
      );
      return Promise.resolve({ volumes, tables: [trustTable(model, names, chosen), poseTable(model, names, classIds)] });
    },
  }),
});
