import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { openMrcVolume, writeMrcVolume } from "../../../plugins/formats/mrc.ts";
import { checkScene, parseScene } from "../../../plugins/sources/simulated/scene.ts";
import { type Cell, readCells } from "../../../streams/benchmark/cells.ts";
import { drawOverview } from "../../../streams/benchmark/chart.ts";
import { CONDITIONS, sceneOf, STRUCTURE_CONDITIONS } from "../../../streams/benchmark/conditions.ts";
import { METHODS } from "../../../streams/benchmark/methods.ts";
import { resolveLearn } from "../../../streams/benchmark/cells.ts";
import { equaliseSizes } from "../../../streams/benchmark/same_size.ts";
import { conditionTables, groupCells, overview, summarise } from "../../../streams/benchmark/table.ts";
import { type BenchmarkArguments, benchmarkVerb } from "../../../streams/verbs/benchmark.ts";

const given = (out: string): BenchmarkArguments => ({
  set: "choosing",
  conditions: ["snr0.5-tilt60"],
  methods: ["invariants"],
  manifests: [],
  seeds: [3],
  boxes: 60,
  boxVoxels: 12,
  out,
  contrast: "dark",
  list: false,
  json: true,
  signal: new AbortController().signal,
});

/** The least that fits: rims matter more the smaller a tomogram is. */
const SMALL = { boxes: 200, boxVoxels: 8 };

/** Runs the verb with console output kept. */
async function capture(args: BenchmarkArguments): Promise<{ code: number; out: string; err: string }> {
  const { log, error } = console;
  let out = "", err = "";
  console.log = (text) => out += `${text}\n`;
  console.error = (text) => err += `${text}\n`;
  try {
    return { code: await benchmarkVerb(args), out, err };
  } finally {
    Object.assign(console, { log, error });
  }
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tomosieve_benchmark_" });
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("every condition is a scene without a fault, of the right number of boxes, and of other structures in the reporting set", () => {
  const structures = { paths: ["/a.mrc", "/b.pdb", "/c.cif.gz"], voxelSizeAngstrom: 14, mapThreshold: 1 };
  for (const condition of [...CONDITIONS, ...STRUCTURE_CONDITIONS]) {
    const own = condition.shares.length === 0 ? structures : undefined;
    const scene = parseScene(sceneOf(condition, "choosing", 4, { boxes: 1000, boxVoxels: 32 }, own));
    deepStrictEqual(checkScene(scene), [], condition.name);
    const boxes = scene.species.reduce((sum, { count }) => sum + count, 0) * (scene.tomograms?.length ?? 1);
    ok(Math.abs(boxes - 1000) <= 3, `${condition.name}: ${boxes} boxes`);
    if (own) continue;
    const models = (set: "choosing" | "reporting") => parseScene(sceneOf(condition, set, 4, { boxes: 1000, boxVoxels: 32 })).species;
    const shared = models("choosing").filter(({ model }) => models("reporting").some((other) => other.model === model));
    deepStrictEqual(shared, [], condition.name);
  }
});

Deno.test("every method resolves to a learner with nothing left to default", async () => {
  for (const method of METHODS) {
    const learn = await resolveLearn(method) as { use: string; parts: Record<string, unknown> };
    ok(["disca", "one-pass"].includes(learn.use) && learn.parts.embed, method.name);
  }
});

Deno.test("`benchmark` writes each cell down once, and a second call runs only what is missing", () =>
  withFolder(async (folder) => {
    const first = await capture({ ...given(folder), methods: ["invariants", "radial-profile"] });
    strictEqual(first.code, 0, first.err);
    const cells = first.out.trim().split("\n").map((line) => JSON.parse(line) as Cell);
    deepStrictEqual(cells.map(({ method }) => method), ["radial-profile", "invariants"]);
    const [size, shape] = cells;
    deepStrictEqual([shape.condition, shape.seed, shape.sorted, shape.trueK, shape.recall], ["snr0.5-tilt60", 3, 60, 5, null]);
    // One radial profile for all: size tells nothing.
    ok(size.ari! < 0.2, `ARI of the radial profile ${size.ari}`);
    deepStrictEqual(readCells(folder), cells);
    deepStrictEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["overview.svg", "results.ndjson"]);

    const again = await capture({ ...given(folder), methods: ["*"].map(() => "raw-*").concat("invariants"), json: false });
    deepStrictEqual(again.err.trim().split("\n").map((line) => line.split(":")[0]), ["snr0.5-tilt60, seed 3, raw-pca"]);
    match(again.out, /\| ARI \| raw-pca \| invariants \|/);
    strictEqual(readCells(folder).length, 3);
    // A line that a kill has cut off is forgotten.
    Deno.writeTextFileSync(`${folder}/results.ndjson`, '{"set":"choo', { append: true });
    strictEqual(readCells(folder).length, 3);
  }));

Deno.test("`benchmark` cuts boxes out of tomograms, at given places and at picked ones", () =>
  withFolder(async (folder) => {
    const { code, out, err } = await capture({
      ...given(folder),
      conditions: ["crowded", "tomograms"],
      methods: ["radial-profile"],
      ...SMALL,
    });
    strictEqual(code, 0, err);
    const [crowded, picked] = out.trim().split("\n").map((line) => JSON.parse(line) as Cell);
    deepStrictEqual([crowded.sorted, crowded.recall, crowded.precision], [200, 1, 1]);
    ok(picked.recall !== null && picked.precision !== null);
  }));

Deno.test("`benchmark` sorts a user's labelled stack, and the learner of a user's manifest", () =>
  withFolder(async (folder) => {
    const { simulate } = await import("../../../streams/verbs/simulate.ts");
    await Deno.writeTextFile(
      `${folder}/scene.json`,
      JSON.stringify(sceneOf(CONDITIONS[0], "choosing", 1, { boxes: 40, boxVoxels: 12 })),
    );
    await simulate(`${folder}/scene.json`, folder);
    await Deno.writeTextFile(
      `${folder}/mine.jsonc`,
      '{ "learn": { "use": "one-pass", "parts": { "embed": { "use": "voxels" } } } } // mine',
    );
    const own = { stack: `${folder}/stack.mrcs`, labels: `${folder}/truth.csv`, contrast: "bright", tiltDegrees: 60 } as const;
    const args = { ...given(`${folder}/out`), ...own, methods: [], manifests: [`${folder}/mine.jsonc`] };
    const { code, out, err } = await capture(args);
    strictEqual(code, 0, err);
    const cell = JSON.parse(out) as Cell;
    deepStrictEqual([cell.set, cell.condition, cell.method, cell.sorted, cell.trueK], ["own", "stack.mrcs", "mine", 40, 5]);
    deepStrictEqual([cell.boxes, cell.boxVoxels], [40, 12]);
    await rejects(benchmarkVerb({ ...args, labels: undefined }), /--stack needs --labels/);
  }));

Deno.test("`benchmark` says what is wrong with its arguments", async () => {
  const args = given("/nowhere");
  await rejects(benchmarkVerb({ ...args, methods: ["invariant"] }), /no method is called "invariant": did you mean "invariants"\?/);
  await rejects(benchmarkVerb({ ...args, conditions: ["snr9*"] }), /no condition is called "snr9\*"/);
  await rejects(benchmarkVerb({ ...args, seeds: [102] }), /seed 102 of the choosing set/);
  await rejects(benchmarkVerb({ ...args, set: "reporting", seeds: [100] }), /seed 100 of the reporting set/);
  await rejects(benchmarkVerb({ ...args, structures: "/nowhere" }), /--structures needs --voxel-size/);
  await rejects(benchmarkVerb({ ...args, structures: "/nowhere", voxelSizeAngstrom: 10 }), /cannot be read/);
});

Deno.test("maps of unlike size are brought to one radius of gyration and one mass", () =>
  withFolder(async (folder) => {
    const n = 24, balls = [4, 8];
    const species = await Promise.all(balls.map(async (radius) => {
      const voxels = Float32Array.from({ length: n ** 3 }, (_, i) => {
        const distance = Math.hypot(i % n - 12, Math.floor(i / n) % n - 12, Math.floor(i / n ** 2) - 12);
        return distance < radius ? 2 : 0.5;
      });
      await writeMrcVolume(`${folder}/ball_${radius}.mrc`, { shapeZyx: [n, n, n], voxels, voxelSizeAngstrom: 10 });
      return { map: `${folder}/ball_${radius}.mrc`, mapThreshold: 1, count: 20 };
    }));
    await Deno.mkdir(`${folder}/scaled`);
    const scaled = await equaliseSizes(species, `${folder}/scaled`);
    const sizes = await Promise.all(scaled.map(async ({ map }) => {
      await using volume = await openMrcVolume(map as string);
      return volume.voxelSizeAngstrom;
    }));
    // A ball's radius of gyration goes with its radius; a rim of whole voxels makes small balls a little uneven.
    ok(Math.abs(sizes[0] / sizes[1] - 2) < 0.1 && Math.abs(sizes[0] * sizes[1] - 100) < 1, `voxel sizes ${sizes}`);
    ok(scaled.every(({ relativeDensity }) => Math.abs(relativeDensity as number - 1) < 0.3), JSON.stringify(scaled));
    await rejects(equaliseSizes([{ count: 1 }], folder), /take maps alone/);
    const args = { ...given(`${folder}/out`), structures: folder, voxelSizeAngstrom: 20, mapThreshold: 1, boxes: 40 };
    const { code, out, err } = await capture({ ...args, conditions: ["*-snr0.5-tilt60"], methods: ["radial-profile"] });
    strictEqual(code, 0, err);
    const cells = out.trim().split("\n").map((line) => JSON.parse(line) as Cell);
    deepStrictEqual(cells.map(({ condition, trueK }) => [condition, trueK]), [["structures-snr0.5-tilt60", 2], [
      "same-size-snr0.5-tilt60",
      2,
    ]]);
    // Balls: after scaling nothing tells them apart.
    ok(cells[0].ari! > 0.9 && cells[1].ari! < 0.3, cells.map(({ ari }) => ari).join());
  }));

Deno.test("tables give mean and sample deviation over seeds, and a dash for what is not known", () => {
  deepStrictEqual(summarise([1, 2, 3, null]), { mean: 2, deviation: 1 });
  deepStrictEqual(summarise([4]), { mean: 4, deviation: null });
  deepStrictEqual(summarise([null]), { mean: null, deviation: null });
  const cell = { set: "choosing", condition: "a", method: "m", seed: 0, boxes: 10, boxVoxels: 8, k: 2, trueK: 1, ari: 0.25 } as Cell;
  const cells = [cell, { ...cell, seed: 1, ari: 0.75 }, { ...cell, method: "n<", ari: null }];
  const rows = groupCells(cells.map((each) => ({ ...each, recall: null })));
  match(overview(rows, "ari"), /\| a, 10 x 8\^3, choosing \| 0\.500 ± 0\.354 \| - \|/);
  match(conditionTables(rows, () => "easy"), /^a \(choosing\): easy; 10 boxes of 8, 1 true class\n/);
  match(drawOverview(rows), /<title>m: 0\.500<\/title>/);
});
