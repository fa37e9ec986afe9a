/** Plugins of every role that do their work well, throw, or never end, as their options say. Loaded by runs of cli.ts with --allow-plugin. */
import { definePlugin, type Learner, type Picks, type Subtomograms, type Tomogram, z } from "tomosieve";

const mood = {
  mood: z.enum(["well", "throws", "throws-text", "hangs", "hangs-busily", "loose-end", "loops"]).default("well").meta({
    description: "How it behaves",
  }),
  when: z.enum(["create", "work"]).default("work").meta({ description: "When it misbehaves" }),
};
type Mood = { mood: string; when: string };

/** Misbehaves when the options say so at `moment`. */
async function act({ mood, when }: Mood, moment: string): Promise<void> {
  if (when !== moment || mood === "well") return;
  if (mood === "throws") throw new TypeError("the lamp went out");
  if (mood === "throws-text") throw "the lamp went out";
  if (mood === "loops") { for (;;); }
  // A promise that nobody waits for fails while the plugin goes on.
  if (mood === "loose-end") Promise.reject(new Error("the lamp went out"));
  // Busily: something keeps the process awake, so that nobody but a watchdog can tell.
  if (mood === "hangs-busily" || mood === "loose-end") setInterval(() => {}, 1000);
  await new Promise(() => {});
}

const BOX = 14;

export const source = definePlugin({
  apiVersion: 1,
  name: "moody-source",
  kind: "source",
  summary: "Two volumes with a lattice of bright cubes",
  output: "tomogram",
  options: z.strictObject({ ...mood }),
  async create(options) {
    await act(options, "create");
    const side = 96;
    const tomogram = (ordinal: number): Tomogram => {
      const at = (z: number, y: number, x: number) =>
        (z % 16 > 5 && y % 16 > 5 && x % 16 > (x < side / 2 ? 5 : 10) ? 1 : 0) + (((x * 31 + y * 17 + z * 7 + ordinal) % 13) / 26);
      return {
        id: `moody_${ordinal}`,
        ordinal,
        volumes: {
          raw: {
            shapeZyx: [side, side, side],
            voxelSizeAngstrom: 10,
            readBox([z0, y0, x0], [sz, sy, sx]) {
              const out = new Float32Array(sz * sy * sx);
              for (let i = 0; i < out.length; i++) out[i] = at(z0 + Math.floor(i / (sy * sx)), y0 + Math.floor(i / sx) % sy, x0 + i % sx);
              return Promise.resolve(out);
            },
            readSlab(z0, z1) {
              return this.readBox([z0, 0, 0], [z1 - z0, side, side]);
            },
          },
        },
        geometry: { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: "unknown" },
        metadata: { contrast: "bright" },
      };
    };
    return {
      async *open() {
        yield tomogram(0);
        await act(options, "work");
        yield tomogram(1);
      },
      reopen: (ordinal: number) => Promise.resolve(tomogram(ordinal)),
    };
  },
});

export const picker = definePlugin({
  apiVersion: 1,
  name: "moody-picker",
  kind: "picker",
  summary: "Picks a lattice",
  input: "tomogram",
  output: "picks",
  options: z.strictObject({
    ...mood,
    spacingVoxels: z.int().default(16).meta({ description: "Spacing of the lattice", unit: "voxels" }),
    count: z.int().default(1e6).meta({ description: "Most picks in a tomogram" }),
  }),
  async create(options) {
    await act(options, "create");
    return {
      async apply(tomogram: Tomogram): Promise<Picks> {
        if (tomogram.ordinal === 1) await act(options, "work");
        const [nz, ny, nx] = tomogram.volumes.raw.shapeZyx, step = options.spacingVoxels, centres: number[] = [];
        for (let z = BOX / 2; z + BOX / 2 <= nz; z += step) {
          for (let y = BOX / 2; y + BOX / 2 <= ny; y += step) {
            for (let x = BOX / 2; x + BOX / 2 <= nx; x += step) if (centres.length < 3 * options.count) centres.push(x, y, z);
          }
        }
        return { tomogram, centresXyz: Float64Array.from(centres), score: new Float32Array(centres.length / 3).fill(1), columns: {} };
      },
    };
  },
});

export const extractor = definePlugin({
  apiVersion: 1,
  name: "moody-extractor",
  kind: "extractor",
  summary: "Cuts boxes, in batches of 50",
  input: "picks",
  output: "subtomograms",
  options: z.strictObject({ ...mood }),
  async create(options) {
    await act(options, "create");
    return {
      async *apply(picks: Picks): AsyncGenerator<Subtomograms> {
        const { tomogram } = picks, volume = tomogram.volumes.raw, size = BOX ** 3, total = picks.score.length;
        for (let start = 0; start < total; start += 50) {
          const n = Math.min(50, total - start), voxels = new Float32Array(n * size);
          for (let i = 0; i < n; i++) {
            const [x, y, z] = [...picks.centresXyz.subarray(3 * (start + i), 3 * (start + i) + 3)].map((at) => at - BOX / 2);
            voxels.set(await volume.readBox([z, y, x], [BOX, BOX, BOX]), i * size);
          }
          yield {
            tomogram,
            rows: Int32Array.from({ length: 2 * n }, (_, i) => i % 2 ? start + (i >> 1) : tomogram.ordinal),
            boxVoxels: BOX,
            voxels,
            picks: {
              tomogram,
              centresXyz: picks.centresXyz.slice(3 * start, 3 * (start + n)),
              score: picks.score.slice(start, start + n),
              columns: {},
            },
          };
          // The second tomogram is cut off in the middle.
          if (tomogram.ordinal === 1) await act(options, "work");
        }
      },
    };
  },
});

export const learner = definePlugin({
  apiVersion: 1,
  name: "moody-learner",
  kind: "learner",
  summary: "Two classes by elongation",
  options: z.strictObject({
    ...mood,
    iterations: z.int().default(3).meta({ description: "Iterations" }),
    ballast: z.int().default(0).meta({ description: "Numbers that each checkpoint carries beside its own" }),
    waitMs: z.int().default(0).meta({ description: "Wait before each iteration", unit: "ms" }),
  }),
  async create(options, context): Promise<Learner> {
    await act(options, "create");
    let done = 0, threshold = 0;
    const self: Learner = {
      async *learn({ boxes, signal }) {
        const voxels = await boxes.read(Array.from({ length: boxes.count }, (_, i) => i));
        while (done < options.iterations) {
          if (done === 1) await act(options, "work");
          if (options.waitMs) await new Promise((resolve) => setTimeout(resolve, options.waitMs));
          signal.throwIfAborted();
          threshold = 0.5 * threshold + 0.5 * context.random("threshold", done).uniform();
          const { features, classIds } = await self.predict(voxels, boxes.rows, boxes.boxVoxels, []);
          done++;
          yield {
            index: done - 1,
            clustering: { k: 2, labels: classIds, classIds: Int32Array.of(0, 1), criteria: [] },
            features,
            figures: { ddbi: 1 / done },
            best: true,
            ...(done === options.iterations ? { finished: "maximum" as const } : {}),
          };
        }
      },
      predict(voxels, rows, boxVoxels) {
        const count = rows.length / 2, size = boxVoxels ** 3;
        const values = Float32Array.from({ length: count }, (_, i) => {
          // Longer along x than along z, or the other way round.
          let sum = 0;
          for (let j = 0; j < size; j++) {
            const x = j % boxVoxels - boxVoxels / 2, z = Math.floor(j / boxVoxels ** 2) - boxVoxels / 2;
            sum += voxels[i * size + j] * (x * x - z * z);
          }
          return sum / size;
        });
        return Promise.resolve({
          features: { rows, dims: 1, values },
          classIds: Int32Array.from(values, (value) => value > threshold ? 1 : 0),
          logLikelihood: Float64Array.from(values, (value) => -Math.abs(value)),
        });
      },
      save: () =>
        Promise.resolve({
          version: 1,
          values: { done },
          arrays: { threshold: Float64Array.of(threshold), ballast: new Float32Array(options.ballast).fill(done) },
        }),
      load(state) {
        done = state.values.done as number;
        threshold = state.arrays.threshold[0];
        return Promise.resolve();
      },
    };
    return self;
  },
});

export const decoder = definePlugin({
  apiVersion: 1,
  name: "moody-decoder",
  kind: "decoder",
  summary: "Mean box of each class",
  options: z.strictObject({ ...mood }),
  async create(options) {
    await act(options, "create");
    return {
      async describe({ boxes, classes, classIds }) {
        await act(options, "work");
        const b = boxes.boxVoxels;
        const volumes = await Promise.all(classes.map(async (classId) => {
          const members = [...classIds.keys()].filter((i) => classIds[i] === classId), voxels = new Float32Array(b ** 3);
          (await boxes.read(members)).forEach((value, i) => voxels[i % b ** 3] += value / members.length);
          return { classId, name: "mean", shapeZyx: [b, b, b] as const, voxelSizeAngstrom: boxes.voxelSizeAngstrom, voxels };
        }));
        return { volumes, tables: [] };
      },
    };
  },
});

export const sink = definePlugin({
  apiVersion: 1,
  name: "moody-sink",
  kind: "sink",
  summary: "Writes nothing",
  options: z.strictObject({ ...mood }),
  async create(options) {
    await act(options, "create");
    return { write: () => act(options, "work") };
  },
});
