import { strict as assert } from "node:assert";
import {
  type AnyPlugin,
  checkPlugin,
  type ClassStage,
  type Clusterer,
  definePlugin,
  type Embedder,
  type Engine,
  type Features,
  type Kind,
  type Matcher,
  type NetworkSpec,
  type Operator,
  type Picks,
  pluginProblems,
  type PluginSample,
  type Refiner,
  type Scorer,
  type Sink,
  type Source,
  type Tomogram,
  z,
} from "tomosieve";
import { sampleTomograms } from "../../streams/conformance/sample.ts";

const options = z.strictObject({ radiusVoxels: z.number().positive().default(2).meta({ description: "Radius", unit: "voxels" }) });
const base = { apiVersion: 1, name: "sound", summary: "Does as it should.", options } as const;

/** A plugin of `kind` whose every instance is made by `create`. */
// deno-lint-ignore no-explicit-any
function plugin(kind: Kind, create: (options: any, context: any) => unknown, more: Record<string, unknown> = {}): AnyPlugin {
  return definePlugin({ ...base, kind, create, ...more } as unknown as AnyPlugin);
}

const keepBest = (): Operator<"picks", "picks"> => ({
  apply(picks, signal) {
    signal.throwIfAborted();
    const n = Math.min(2, picks.score.length);
    const columns = Object.fromEntries(Object.entries(picks.columns).map(([name, column]) => [name, column.slice(0, n)]));
    return Promise.resolve({ ...picks, centresXyz: picks.centresXyz.slice(0, 3 * n), score: picks.score.slice(0, n), columns });
  },
});
const picksToPicks = { input: "picks", output: "picks" };
/** The sound operator with `change` applied to what it gives. */
const changed = (change: (picks: Picks, input: Picks) => Picks | Promise<Picks>) => () => ({
  apply: async (input: Picks, signal: AbortSignal) => change(await keepBest().apply(input, signal) as Picks, input),
});

const brightest = (): Operator<"tomogram", "picks"> => ({
  async *apply(tomogram) {
    const [nz, ny, nx] = tomogram.volumes.raw.shapeZyx;
    const voxels = await tomogram.volumes.raw.readSlab(0, nz);
    const at = voxels.indexOf(Math.max(...voxels));
    const centresXyz = Float64Array.of(at % nx, Math.floor(at / nx) % ny, Math.floor(at / nx / ny));
    yield { tomogram, centresXyz, score: Float32Array.of(voxels[at]), columns: {} };
  },
});

const source = (): Source<"tomogram"> => ({
  async *open(signal) {
    for (const tomogram of sampleTomograms()) {
      signal.throwIfAborted();
      yield await Promise.resolve(tomogram);
    }
  },
  reopen: (ordinal) => Promise.resolve(sampleTomograms()[ordinal] ?? null),
});

/** Mean and deviation of each box. */
const moments = (): Embedder => ({
  dims: 2,
  trainable: false,
  embed(voxels, count) {
    const size = voxels.length / Math.max(1, count);
    const out = new Float32Array(2 * count);
    for (let i = 0; i < count; i++) {
      const one = voxels.subarray(i * size, (i + 1) * size);
      out[2 * i] = one.reduce((sum, value) => sum + Math.abs(value), 0) / size;
      out[2 * i + 1] = Math.max(...one);
    }
    return Promise.resolve(out);
  },
  setClasses: () => Promise.resolve(),
  trainBatch: () => Promise.resolve({ loss: 0 }),
  calibrate: () => Promise.resolve(),
  save: () => Promise.resolve({ version: 1, values: {}, arrays: {} }),
  load: () => Promise.resolve(),
});

/** Assigns each row to its largest dimension. */
const argmax = (): Clusterer => {
  const label = ({ values, dims }: Features) =>
    Int32Array.from({ length: values.length / dims }, (_, i) => {
      const row = values.subarray(i * dims, i * dims + 3);
      return row.indexOf(Math.max(...row));
    });
  return {
    fit: (table) => Promise.resolve({ k: 3, labels: label(table), classIds: Int32Array.of(0, 1, 2), criteria: [{ k: 3, bic: 1 }] }),
    predict: (table) => Promise.resolve({ labels: label(table) }),
    save: () => Promise.resolve({ version: 1, values: { k: 3 }, arrays: {} }),
    load: () => Promise.resolve(),
  };
};

const overlap = (): Matcher => ({
  match(previous, next, fresh) {
    const taken = new Set<number>();
    return Int32Array.from({ length: next.k }, (_, slot) => {
      const votes = new Map<number, number>();
      next.labels.forEach((label, row) => {
        const old = previous.labels[row];
        if (label === slot && !taken.has(old)) votes.set(old, (votes.get(old) ?? 0) + 1);
      });
      const [best] = [...votes].sort((a, b) => b[1] - a[1])[0] ?? [-1];
      taken.add(best);
      return best < 0 ? fresh() : previous.classIds[best];
    });
  },
});

const spread = (): Scorer => ({
  better: "lower",
  score({ values, dims }, { k, labels }) {
    const sums = Array.from({ length: k }, () => new Float64Array(dims));
    const counts = new Float64Array(k);
    labels.forEach((label, row) => {
      counts[label]++;
      for (let d = 0; d < dims; d++) sums[label][d] += values[row * dims + d];
    });
    let total = 0;
    labels.forEach((label, row) => {
      for (let d = 0; d < dims; d++) total += (values[row * dims + d] - sums[label][d] / counts[label]) ** 2;
    });
    return total / labels.length;
  },
});

const oneRound = (): Refiner => ({
  async refine(boxes, subset, start) {
    const voxels = await boxes.read(subset);
    const size = boxes.boxVoxels ** 3;
    const n = subset.length;
    const averages = new Float32Array(start.k * size);
    start.labels.forEach((label, i) => {
      for (let v = 0; v < size; v++) averages[label * size + v] += voxels[i * size + v];
    });
    return {
      k: start.k,
      labels: start.labels,
      posterior: Float32Array.from({ length: n * start.k }, (_, i) => Number(start.labels[Math.floor(i / start.k)] === i % start.k)),
      averages,
      eulerZyzDegrees: new Float64Array(3 * n),
      shiftsXyz: new Float64Array(3 * n),
      trace: [],
    };
  },
  predict: (_, count) => Promise.resolve(new Float32Array(2 * count).fill(0.5)),
  save: () => Promise.resolve({ version: 1, values: {}, arrays: {} }),
  load: () => Promise.resolve(),
});

const sums = (): ClassStage => ({
  async describe({ boxes, classIds, classes }) {
    const size = boxes.boxVoxels ** 3;
    const voxels = await boxes.read(Int32Array.from(classIds.keys()));
    const volumes = classes.map((classId) => {
      const sum = new Float32Array(size);
      classIds.forEach((id, i) => id === classId && sum.forEach((_, v) => sum[v] += voxels[i * size + v]));
      const b = boxes.boxVoxels;
      return { classId, name: "sum", shapeZyx: [b, b, b] as const, voxelSizeAngstrom: boxes.voxelSizeAngstrom, voxels: sum };
    });
    return { volumes, tables: [{ name: "classes", columns: { class: [...classes], name: classes.map(String) } }] };
  },
});

const count: () => Sink = () => ({
  write: (view, directory) => Deno.writeTextFile(`${directory}/count.txt`, `${view.particles.count}\n`),
});

/** An engine in plain float64, for the one dense layer that the suite asks for. */
const plainEngine = (): Engine => ({
  name: "plain",
  device: "cpu",
  precision: "float64",
  matmul(a, b, { m, k, n }, { transposeA = false, transposeB = false } = {}) {
    const out = new Float32Array(m * n);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        for (let p = 0; p < k; p++) out[i * n + j] += a[transposeA ? p * m + i : i * k + p] * b[transposeB ? j * k + p : p * n + j];
      }
    }
    return Promise.resolve(out);
  },
  compile: (spec: NetworkSpec, initial) =>
    Promise.resolve({
      spec,
      infer: async (inputs: Readonly<Record<string, Float32Array>>, rows: number) => {
        const { shape: [units, width], values } = initial.arrays["out.weight"];
        const engine = plainEngine();
        const out = await engine.matmul(inputs.in, values, { m: rows, k: units, n: width });
        return { out: out.map((value, i) => value + initial.arrays["out.bias"].values[i % width]) };
      },
      state: () => Promise.resolve(initial),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    } as unknown as Awaited<ReturnType<Engine["compile"]>>),
  [Symbol.asyncDispose]: () => Promise.resolve(),
});

const sound: [string, AnyPlugin, PluginSample?][] = [
  ["a source", plugin("source", source, { output: "tomogram" })],
  ["an operator", plugin("operator", keepBest, picksToPicks)],
  ["a picker that yields", plugin("picker", brightest)],
  ["an embedder", plugin("embedder", moments)],
  ["a clusterer", plugin("clusterer", argmax)],
  ["a matcher", plugin("matcher", overlap)],
  ["a scorer", plugin("scorer", spread)],
  ["a refiner", plugin("refiner", oneRound)],
  ["an aligner", plugin("aligner", sums)],
  ["a sink", plugin("sink", count)],
  ["an engine", plugin("engine", plainEngine)],
];
for (const [title, subject, sample] of sound) {
  Deno.test(`checkPlugin passes ${title} that is sound`, async () => await checkPlugin(subject, sample));
}

Deno.test("every kind but the learner is shown to pass here; learners are tested beside disca", () => {
  const shown = new Set(sound.map(([, subject]) => subject.kind));
  assert.deepEqual([...shown].sort(), [
    "aligner",
    "clusterer",
    "embedder",
    "engine",
    "matcher",
    "operator",
    "picker",
    "refiner",
    "scorer",
    "sink",
    "source",
  ]);
});

const never = () => new Promise<never>(() => {});
const quick = { timeoutMs: 80 };
const learnerOf = (more: Record<string, unknown>) => plugin("learner", () => ({}), more);
let turn = 0;

/** One fault each, and what the suite says of it. */
const faulty: [string, AnyPlugin, RegExp, PluginSample?][] = [
  ["is not an object", 3 as unknown as AnyPlugin, /is number, expected the object that definePlugin returns/],
  ["is not frozen", { ...plugin("matcher", overlap) }, /is not frozen/],
  ["has a name that is no kebab-case", plugin("matcher", overlap, { name: "OverLap" }), /name is "OverLap"/],
  ["has a field that is not known", plugin("matcher", overlap, { sumary: "x" }), /unknown field "sumary": did you mean "summary"\?/],
  ["has options that let unknown keys pass", plugin("matcher", overlap, { options: z.object({}) }), /options lets unknown keys pass/],
  [
    "has an option without a description",
    plugin("matcher", overlap, { options: z.strictObject({ a: z.number().default(1) }) }),
    /option "a" has no description/,
  ],
  [
    "has an option inside a record without a description",
    plugin("matcher", overlap, {
      options: z.strictObject({ a: z.strictObject({ b: z.number().default(1) }).prefault({}).meta({ description: "A" }) }),
    }),
    /option "a\.b" has no description/,
  ],
  [
    "needs an option that the sample does not give",
    plugin("matcher", overlap, { options: z.strictObject({ a: z.number().meta({ description: "A" }) }) }),
    /option "a" is missing: A; give it in the sample's options/,
  ],
  [
    "has options that do not parse to themselves",
    plugin("matcher", overlap, {
      options: z.strictObject({ a: z.number().default(1).transform((a) => a + 1).meta({ description: "A" }) }),
    }),
    /do not parse to themselves/,
  ],
  [
    "has a source option named truth",
    plugin("source", source, { output: "tomogram", options: z.strictObject({ truth: z.string().optional().meta({ description: "T" }) }) }),
    /never reaches a plugin/,
  ],
  [
    "is a picker that says it gives tomograms",
    plugin("picker", brightest, { output: "tomogram" }),
    /a picker takes tomogram and gives picks/,
  ],
  ["is an operator that does not say what it takes", plugin("operator", keepBest, { output: "picks" }), /input or output is missing/],
  [
    "expands differently twice",
    plugin("matcher", overlap, { expand: (o: { radiusVoxels: number }) => ({ radiusVoxels: o.radiusVoxels * 2 }) }),
    /expand\(expand\(x\)\) differs/,
  ],
  [
    "has a check that throws",
    plugin("matcher", overlap, {
      check: () => {
        throw new Error("no");
      },
    }),
    /check\(\) fails: no/,
  ],
  [
    "has a check that changes the options",
    plugin("matcher", overlap, {
      check: (o: { radiusVoxels: number }) => {
        o.radiusVoxels = 9;
        return [];
      },
    }),
    /check\(\) changes the options/,
  ],
  [
    "has a check that answers differently",
    plugin("matcher", overlap, { check: () => turn++ % 2 === 0 ? [] : ["odd"] }),
    /called twice gives different answers/,
  ],
  [
    "leaves out a part that is needed",
    learnerOf({ parts: { embed: { kinds: ["embedder"], summary: "E" } }, partDefaults: () => ({ embed: null }) }),
    /leaves out the part "embed"/,
  ],
  ["needs an engine that the sample does not give", plugin("matcher", overlap, { needs: { engine: true } }), /needs an engine/],
  ["needs parts that the sample does not give", learnerOf({ parts: { embed: { kinds: ["embedder"], summary: "E" } } }), /needs parts/],
  [
    "cannot be created",
    plugin("matcher", () => {
      throw new Error("no licence");
    }),
    /fails with Error: no licence/,
  ],
  ["is never created", plugin("matcher", never), /create did not end within 80 ms/, quick],
  [
    "gives centres of the wrong length",
    plugin("operator", changed((p) => ({ ...p, centresXyz: p.centresXyz.slice(1) })), picksToPicks),
    /centresXyz has 5 entries, expected 6/,
  ],
  [
    "gives columns of the wrong length",
    plugin("operator", changed((p, input) => ({ ...p, columns: input.columns })), picksToPicks),
    /column "note" has 4 entries, expected 2/,
  ],
  [
    "gives scores that are not finite",
    plugin("operator", changed((p) => ({ ...p, score: p.score.map(() => NaN) })), picksToPicks),
    /score holds numbers that are not finite/,
  ],
  [
    "gives picks outside the volume",
    plugin("operator", changed((p) => ({ ...p, centresXyz: p.centresXyz.map((x) => x + 100) })), picksToPicks),
    /outside 0\.\.35/,
  ],
  [
    "changes its input",
    plugin(
      "operator",
      changed((p, input) => {
        input.score[0] = -1;
        return p;
      }),
      picksToPicks,
    ),
    /the input was changed/,
  ],
  [
    "draws numbers of its own",
    plugin("operator", changed((p) => ({ ...p, score: p.score.map(() => performance.now()) })), picksToPicks),
    /gives another result when inputs come in another order/,
  ],
  [
    "never ends, not even after an abort",
    plugin("operator", () => ({ apply: never }), picksToPicks),
    /apply after an abort did not end/,
    quick,
  ],
  [
    "loses a volume",
    plugin("denoiser", () => ({ apply: (t: Tomogram) => Promise.resolve({ ...t, volumes: { smooth: t.volumes.raw } }) })),
    /the volume "raw" that came in is gone/,
  ],
  [
    "gives tomograms out of order",
    plugin("source", () => ({
      async *open() {
        yield* await Promise.resolve(sampleTomograms().reverse());
      },
    }), { output: "tomogram" }),
    /ordinal 1 comes after 2/,
  ],
  ["gives nothing", plugin("source", () => ({ async *open() {} }), { output: "tomogram" }), /gives nothing/],
  [
    "embeds by the batch",
    plugin("embedder", () => ({
      ...moments(),
      embed: async (v: Float32Array, n: number) => (await moments().embed(v, n)).map((x) => x * n),
    })),
    /box 0 alone and in a batch differ/,
  ],
  [
    "loads nothing",
    plugin("embedder", () => {
      let gain = 1;
      return {
        ...moments(),
        embed: async (v: Float32Array, n: number) => (await moments().embed(v, n)).map((x) => x * gain),
        trainable: true,
        trainBatch: () => {
          gain = 2;
          return Promise.resolve({ loss: 0 });
        },
      };
    }),
    /load: gives other features/,
  ],
  [
    "labels beyond its classes",
    plugin(
      "clusterer",
      () => ({ ...argmax(), fit: async (t: Features) => ({ ...await argmax().fit(t, null, 0), k: 2, classIds: Int32Array.of(0, 1) }) }),
    ),
    /labels leave 0\.\.1/,
  ],
  [
    "forgets names",
    plugin("matcher", () => ({ match: (_: unknown, next: { k: number }) => Int32Array.from({ length: next.k }, (_, i) => i) })),
    /permuted slots: names are 0, 1, 2, expected 11, 12, 10/,
  ],
  [
    "gives one name twice",
    plugin("matcher", () => ({ match: (_: unknown, next: { k: number }) => new Int32Array(next.k) })),
    /names are not unique/,
  ],
  ["scores the wrong way round", plugin("scorer", () => ({ ...spread(), better: "higher" })), /labels that mix three clouds score/],
  [
    "gives a posterior that is no distribution",
    plugin("refiner", () => ({
      ...oneRound(),
      refine: async (...args: Parameters<Refiner["refine"]>) => {
        const r = await oneRound().refine(...args);
        return { ...r, posterior: r.posterior.map((x) => x / 2) };
      },
    })),
    /posterior of box 0 sums to 0\.5/,
  ],
  [
    "describes a class that there is not",
    plugin("aligner", () => ({
      describe: async (...args: Parameters<ClassStage["describe"]>) => {
        const r = await sums().describe(...args);
        return { ...r, volumes: [{ ...r.volumes[0], classId: 77 }] };
      },
    })),
    /there is no such class/,
  ],
  [
    "writes the time",
    plugin("sink", () => ({ write: (_: unknown, dir: string) => Deno.writeTextFile(`${dir}/a.txt`, String(performance.now())) })),
    /differs when the same run is written again/,
  ],
  [
    "writes the folder's path",
    plugin("sink", () => ({ write: (_: unknown, dir: string) => Deno.writeTextFile(`${dir}/a.txt`, dir) })),
    /holds an absolute path/,
  ],
  [
    "leaves a temporary file",
    plugin("sink", () => ({ write: (_: unknown, dir: string) => Deno.writeTextFile(`${dir}/a.tmp`, "") })),
    /left "a\.tmp" behind/,
  ],
  [
    "multiplies matrices wrongly",
    plugin(
      "engine",
      () => ({
        ...plainEngine(),
        matmul: async (...args: Parameters<Engine["matmul"]>) => (await plainEngine().matmul(args[0], args[1], args[2])),
      }),
    ),
    /matmul, a transposed: differs from float64/,
  ],
];
for (const [title, subject, expected, sample] of faulty) {
  Deno.test(`checkPlugin names a plugin that ${title}`, async () => {
    const problems = await pluginProblems(subject, sample);
    assert.ok(problems.some((problem) => expected.test(problem)), `found: ${problems.join("\n") || "nothing"}`);
    await assert.rejects(checkPlugin(subject, sample), /does not conform/);
  });
}

Deno.test("a third party's plugin is checked from its own file, outside the repository", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      `${folder}/mine.ts`,
      `import { checkPlugin, definePlugin, z } from "tomosieve";
export default definePlugin({ apiVersion: 1, name: "mine", kind: "operator", summary: "Mine.", input: "picks", output: "picks",
  options: z.strictObject({}), create: () => ({ apply: (picks) => Promise.resolve(picks) }) });
export const check = checkPlugin;`,
    );
    const { default: mine, check } = await import(`file://${folder}/mine.ts`);
    await check(mine);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
