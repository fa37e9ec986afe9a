/**
 * `average`: aligned class averages, poses, and the correlation of half averages.
 * @module
 */
import { z } from "zod";
import type { ClassInput, ClassResult, ClassStage, ClassVolume, PluginContext, Table } from "../../streams/contract.ts";
import { definePlugin } from "../../streams/contract.ts";
import { matrixToEulerZyz } from "../kernels/rotation.ts";
import { partState } from "../kernels/state.ts";
import { type Model, modelFromState } from "../refiners/em/model.ts";
import { searchPlan } from "../refiners/em/plan.ts";
import {
  averageClass,
  type AverageSettings,
  type ClassAverage,
  crossing,
  type KnownReference,
  poseBoxes,
} from "./average/class_average.ts";

const options = z.strictObject({
  maximumMembers: z.int().min(2).max(100_000).default(200).meta({
    description: "boxes of each class that are averaged; more make a better average and take longer",
    unit: "boxes",
  }),
  poseEveryBox: z.boolean().default(true).meta({
    description: "also gives poses to the boxes of a class that are not averaged, about a millisecond each",
  }),
  halves: z.boolean().default(true).meta({ description: "also writes the two half averages as volumes" }),
});

type Options = z.infer<typeof options>;

/** Boxes that are posed at a time. */
const CHUNK = 512;
/** An average counts as supported when the evidence exceeds this many standard errors. */
const SUPPORT_ERRORS = 2;

class Average implements ClassStage {
  constructor(readonly options: Options, readonly context: PluginContext) {}

  async describe(input: ClassInput): Promise<ClassResult> {
    const { boxes, classes, classIds } = input, { context } = this;
    const signal = AbortSignal.any([input.signal, context.signal]);
    const state = partState(input.learnerState, "refine");
    const model = state ? modelFromState(context.stage, state) : null;
    const volumes: ClassVolume[] = [], poses = new PoseTable(), summary = new SummaryTable(boxes.voxelSizeAngstrom * boxes.boxVoxels);
    for (const [turn, classId] of classes.entries()) {
      signal.throwIfAborted();
      context.progress(turn, classes.length);
      const members = Int32Array.from(classIds.keys().filter((i) => classIds[i] === classId));
      if (members.length === 0) continue;
      const settings: AverageSettings = {
        pool: context.pool,
        signal,
        seed: context.random("average", classId).integer(2 ** 31),
        plan: averagePlan(boxes.boxVoxels),
      };
      const chosen = evenly(members, this.options.maximumMembers);
      const known = model && model.boxVoxels === boxes.boxVoxels ? referenceOf(model, classIds, classId) : null;
      const found = await averageClass(boxes, chosen, known, settings);
      const volume = (name: string, voxels: Float32Array) => {
        const b = boxes.boxVoxels;
        volumes.push({ classId, name, shapeZyx: [b, b, b], voxelSizeAngstrom: boxes.voxelSizeAngstrom, voxels });
      };
      volume("average", found.average);
      if (this.options.halves && found.halves) found.halves.forEach((half, i) => volume(`half ${i + 1}`, half));
      summary.add(classId, members.length, chosen.length, found);
      poses.add(classId, chosen, found.poses);
      if (this.options.poseEveryBox) await this.#poseRest(input, classId, members, chosen, found, settings, poses);
    }
    context.progress(classes.length, classes.length);
    return { volumes, tables: [...summary.tables(), poses.table()] };
  }

  async #poseRest(
    { boxes }: ClassInput,
    classId: number,
    members: Int32Array,
    chosen: Int32Array,
    { reference, noise }: ClassAverage,
    settings: AverageSettings,
    table: PoseTable,
  ): Promise<void> {
    const done = new Set(chosen), rest = members.filter((i) => !done.has(i));
    for (let first = 0; first < rest.length; first += CHUNK) {
      settings.signal.throwIfAborted();
      const part = rest.slice(first, first + CHUNK);
      table.add(classId, part, await poseBoxes(boxes, part, { ...reference, noise }, settings));
    }
  }
}

/** The refiner's schedule for one class. */
function averagePlan(boxVoxels: number) {
  const unused = { maximumRounds: 0, maximumClasses: 1, leastMembers: 1, leastGainShare: 0, leastGainErrors: 0 };
  const { fit } = searchPlan(boxVoxels, unused);
  return { ...fit, stages: fit.stages.filter((stage) => stage.fixed).map((stage) => ({ ...stage, iterations: stage.iterations + 1 })) };
}

/** At most `most` of `members`, evenly spread. */
function evenly(members: Int32Array, most: number): Int32Array {
  if (members.length <= most) return members;
  return Int32Array.from({ length: most }, (_, i) => members[Math.floor((i + 0.5) * members.length / most)]);
}

/** The refiner's reference that most of its boxes of this class belong to; null when most of them lie in several. */
function referenceOf(model: Model, classIds: Int32Array, classId: number): KnownReference | null {
  const k = model.volumes.length, counts = new Int32Array(k);
  let total = 0;
  model.subset.forEach((index, i) => {
    if (classIds[index] !== classId) return;
    counts[model.labels[i]]++;
    total++;
  });
  const slot = counts.indexOf(Math.max(...counts));
  if (total === 0 || counts[slot] <= total / 2) return null;
  return { kMax: model.kMax, volumes: [model.volumes[slot]], weights: Float64Array.of(1), noise: model.noise };
}

/** Rows of the table `poses`, which exports take over. */
class PoseTable {
  readonly #columns: Record<"box" | "class" | "rot" | "tilt" | "psi" | "shiftX" | "shiftY" | "shiftZ", number[]> = {
    box: [],
    class: [],
    rot: [],
    tilt: [],
    psi: [],
    shiftX: [],
    shiftY: [],
    shiftZ: [],
  };

  add(classId: number, members: Int32Array, poses: Float32Array): void {
    const columns = this.#columns;
    members.forEach((box, i) => {
      const [rot, tilt, psi] = matrixToEulerZyz(Float64Array.from(poses.subarray(12 * i, 12 * i + 9)));
      const [x, y, z] = poses.subarray(12 * i + 9, 12 * i + 12);
      columns.box.push(box);
      columns.class.push(classId);
      columns.rot.push(rot);
      columns.tilt.push(tilt);
      columns.psi.push(psi);
      columns.shiftX.push(x);
      columns.shiftY.push(y);
      columns.shiftZ.push(z);
    });
  }

  table(): Table {
    return { name: "poses", columns: this.#columns };
  }
}

/** Rows of the tables `averages` (one a class) and `fsc` (one a class and shell). */
class SummaryTable {
  readonly #averages: Record<string, (string | number)[]> = {
    class: [],
    members: [],
    averaged: [],
    supported: [],
    evidenceNats: [],
    resolutionAngstrom0143: [],
    resolutionAngstrom05: [],
  };
  readonly #fsc = { class: [] as number[], perAngstrom: [] as number[], correlation: [] as number[] };

  constructor(readonly boxAngstrom: number) {}

  add(classId: number, members: number, averaged: number, found: ClassAverage): void {
    const { evidence, shellCorrelation } = found, row = this.#averages;
    // Averages of noise aligned to itself correlate, too: only evidence from boxes that did not make them counts.
    const supported = evidence !== undefined && evidence.mean > SUPPORT_ERRORS * evidence.error;
    row.class.push(classId);
    row.members.push(members);
    row.averaged.push(averaged);
    row.supported.push(evidence === undefined ? "too few boxes" : supported ? "yes" : "no");
    row.evidenceNats.push(evidence === undefined ? "" : Number(evidence.mean.toFixed(2)));
    row.resolutionAngstrom0143.push(supported ? this.#resolution(shellCorrelation!, 0.143) : "");
    row.resolutionAngstrom05.push(supported ? this.#resolution(shellCorrelation!, 0.5) : "");
    shellCorrelation?.forEach((value, s) => {
      if (s === 0) return;
      this.#fsc.class.push(classId);
      this.#fsc.perAngstrom.push(s / this.boxAngstrom);
      this.#fsc.correlation.push(value);
    });
  }

  tables(): Table[] {
    return [{ name: "averages", columns: this.#averages }, { name: "fsc", columns: this.#fsc }];
  }

  #resolution(correlation: Float64Array, level: number): number | string {
    const at = crossing(correlation, level);
    if (at !== null) return Number((this.boxAngstrom / at).toFixed(2));
    return correlation[1] < level ? "" : `< ${(this.boxAngstrom / (correlation.length - 1)).toFixed(2)}`;
  }
}

/** The plugin. */
export default definePlugin({
  apiVersion: 1,
  name: "average",
  kind: "aligner",
  summary: "aligns and averages each class, with poses, half averages and their correlation",
  options,
  create: (chosen, context) => new Average(chosen, context),
});
