/** Small true plugins for the tests of the runner: volumes of two kinds of dots, a picker, an extractor, a learner by mean intensity. */
import { z } from "zod";
import {
  type AnyPlugin,
  definePlugin,
  type Learner,
  type RunView,
  type State,
  type Tomogram,
  type Volume,
} from "../../streams/contract.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { writeFileAtomic } from "../../plugins/formats/atomic.ts";

export const BOX = 6;
const SIDE = 48;

function volume(seed: number): Volume {
  const random = createRandom(seed, "fake volume");
  const voxels = Float32Array.from({ length: SIDE ** 3 }, () => random.uniform());
  const shapeZyx = [SIDE, SIDE, SIDE] as const;
  const readBox: Volume["readBox"] = ([z0, y0, x0], [sz, sy, sx]) => {
    const out = new Float32Array(sz * sy * sx);
    for (let z = 0; z < sz; z++) {
      for (let y = 0; y < sy; y++) {
        for (let x = 0; x < sx; x++) out[(z * sy + y) * sx + x] = voxels[((z0 + z) * SIDE + y0 + y) * SIDE + x0 + x];
      }
    }
    return Promise.resolve(out);
  };
  return { shapeZyx, voxelSizeAngstrom: 10, readBox, readSlab: (z0, z1) => readBox([z0, 0, 0], [z1 - z0, SIDE, SIDE]) };
}

function tomogram(ordinal: number, paths: readonly string[] = []): Tomogram {
  return {
    id: `fake${ordinal}`,
    ordinal,
    volumes: { raw: volume(ordinal) },
    geometry: { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: "unknown" },
    metadata: { path: paths[ordinal] ?? `fake${ordinal}.mrc` },
  };
}

export const source = definePlugin({
  apiVersion: 1,
  name: "tomograms",
  kind: "source",
  summary: "Random volumes, one for each path",
  output: "tomogram",
  options: z.strictObject({ paths: z.array(z.string()).meta({ description: "Names" }) }),
  create: ({ paths }) => ({
    async *open() {
      for (const ordinal of paths.keys()) {
        await Promise.resolve();
        yield tomogram(ordinal, paths);
      }
    },
    reopen: (ordinal: number) => Promise.resolve(tomogram(ordinal, paths)),
  }),
});

export const picker = definePlugin({
  apiVersion: 1,
  name: "dots",
  kind: "picker",
  summary: "Picks a lattice",
  input: "tomogram",
  output: "picks",
  options: z.strictObject({
    count: z.int().default(40).meta({ description: "Picks a tomogram" }),
    failOn: z.int().default(-1).meta({ description: "Ordinal that fails" }),
    hangOn: z.int().default(-1).meta({ description: "Ordinal that never ends" }),
  }),
  create: ({ count, failOn, hangOn }) => ({
    apply(input) {
      if (input.ordinal === failOn) throw new Error(`${input.id} cannot be picked`);
      if (input.ordinal === hangOn) return new Promise(() => {});
      const random = createRandom(input.ordinal, "fake picks");
      return Promise.resolve({
        tomogram: input,
        centresXyz: Float64Array.from({ length: 3 * count }, () => random.integer(SIDE)),
        score: new Float32Array(count).fill(1),
        columns: {},
      });
    },
  }),
});

export const extractor = definePlugin({
  apiVersion: 1,
  name: "cut",
  kind: "extractor",
  summary: "Cuts boxes, in two batches",
  input: "picks",
  output: "subtomograms",
  options: z.strictObject({}),
  create: (_options, context) => ({
    async *apply(picks) {
      const kept: number[] = [];
      const corner = (i: number) => [2, 1, 0].map((axis) => picks.centresXyz[3 * i + axis] - BOX / 2) as [number, number, number];
      for (let i = 0; i < picks.score.length; i++) if (corner(i).every((at) => at >= 0 && at + BOX <= SIDE)) kept.push(i);
      context.drop(picks.score.length - kept.length, "over the edge");
      for (const part of [kept.slice(0, 5), kept.slice(5)]) {
        const voxels = new Float32Array(part.length * BOX ** 3);
        for (const [j, i] of part.entries()) voxels.set(await picks.tomogram.volumes.raw.readBox(corner(i), [BOX, BOX, BOX]), j * BOX ** 3);
        const own = (width: number) => Float64Array.from(part.flatMap((i) => [...picks.centresXyz.subarray(width * i, width * i + width)]));
        yield {
          tomogram: picks.tomogram,
          rows: Int32Array.from(part.flatMap((i) => [picks.tomogram.ordinal, i])),
          boxVoxels: BOX,
          voxels,
          picks: { ...picks, centresXyz: own(3), score: new Float32Array(part.length).fill(1) },
        };
      }
    },
  }),
});

/** Splits boxes at a running mean that moves a little each iteration; its state is that number and a seeded draw. */
export const learner = definePlugin({
  apiVersion: 1,
  name: "halves",
  kind: "learner",
  summary: "Two classes by mean intensity",
  options: z.strictObject({
    iterations: z.int().default(4).meta({ description: "Iterations" }),
    waitMs: z.int().default(0).meta({ description: "Wait before each", unit: "ms" }),
  }),
  create({ iterations, waitMs }, context): Learner {
    let at = -1, threshold = 0;
    const mean = (voxels: Float32Array, i: number) =>
      voxels.subarray(i * BOX ** 3, (i + 1) * BOX ** 3).reduce((sum, value) => sum + value, 0) / BOX ** 3;
    const self: Learner = {
      async *learn({ boxes, signal }) {
        const voxels = await boxes.read(Array.from({ length: boxes.count }, (_, i) => i));
        while (++at < iterations) {
          if (waitMs) await new Promise((resolve) => setTimeout(resolve, waitMs));
          signal.throwIfAborted();
          threshold = 0.9 * threshold + 0.05 * (1 + 0.02 * context.random("threshold", at).normal());
          const { classIds, features } = await self.predict(voxels, boxes.rows, BOX, []);
          yield {
            index: at,
            clustering: { k: 2, labels: classIds, classIds: Int32Array.of(0, 1), criteria: [{ k: 2, bic: at }] },
            features,
            figures: { ddbi: 1 / (at + 1), labelChange: 0.5 },
            best: at !== 2,
            ...(at === iterations - 1 ? { finished: "maximum" as const } : {}),
          };
        }
      },
      predict(voxels, rows) {
        const count = rows.length / 2, values = Float32Array.from({ length: count }, (_, i) => mean(voxels, i));
        return Promise.resolve({
          features: { rows, dims: 1, values },
          classIds: Int32Array.from(values, (value) => value > threshold * 3 ? 1 : 0),
          logLikelihood: Float64Array.from(values, (value) => -Math.abs(value - 0.5)),
        });
      },
      save: () => Promise.resolve({ version: 1, values: { at }, arrays: { threshold: Float64Array.of(threshold) } } as State),
      load(state) {
        at = state.values.at as number;
        threshold = state.arrays.threshold[0];
        return Promise.resolve();
      },
    };
    return self;
  },
});

export const decoder = definePlugin({
  apiVersion: 1,
  name: "means",
  kind: "decoder",
  summary: "Mean box of each class",
  options: z.strictObject({}),
  create: () => ({
    async describe({ boxes, classes, classIds }) {
      const volumes = [];
      for (const classId of classes) {
        const members = [...classIds.keys()].filter((i) => classIds[i] === classId);
        const voxels = await boxes.read(members), out = new Float32Array(BOX ** 3);
        voxels.forEach((value, i) => out[i % BOX ** 3] += value / members.length);
        volumes.push({
          classId,
          name: "mean",
          shapeZyx: [BOX, BOX, BOX] as const,
          voxelSizeAngstrom: boxes.voxelSizeAngstrom,
          voxels: out,
        });
      }
      return { volumes, tables: [{ name: "sizes", columns: { class: [...classes] } }] };
    },
  }),
});

export const sink = definePlugin({
  apiVersion: 1,
  name: "labels",
  kind: "sink",
  summary: "Writes labels as JSON",
  options: z.strictObject({}),
  create: () => ({
    async write(view: RunView, directory: string) {
      const { particles, iterations, classResults, keptIteration, events } = view;
      const tomogram = await view.openTomogram(0);
      await writeFileAtomic(
        `${directory}/labels.json`,
        JSON.stringify({
          rows: [...particles.rows],
          classIds: [...particles.classIds],
          novel: [...particles.novel],
          keptIteration,
          iterations: iterations.length,
          volumes: Object.values(classResults).flatMap((result) => result.volumes.map((volume) => volume.classId)),
          reopened: tomogram?.id,
          drops: events.filter((event) => event.type === "drop"),
          features: [...view.features.values],
        }),
      );
    },
  }),
});

const engine = definePlugin({
  apiVersion: 1,
  name: "auto",
  kind: "engine",
  summary: "No engine",
  options: z.strictObject({}),
  create: () => {
    throw new Error("no plugin here needs an engine");
  },
});

export const builtIns: Record<string, () => Promise<{ default: AnyPlugin }>> = Object.fromEntries(
  [engine, source, picker, extractor, learner, decoder, sink].map((
    plugin,
  ) => [plugin.name, () => Promise.resolve({ default: plugin as AnyPlugin })]),
);
