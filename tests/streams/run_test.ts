import assert from "node:assert/strict";
import { inferPipeline } from "../../streams/infer.ts";
import { loadManifestValue } from "../../streams/manifest.ts";
import { silentProgress } from "../../streams/progress.ts";
import { runPipeline } from "../../streams/run.ts";
import { exists } from "../../streams/bundle.ts";
import { builtIns } from "./fake_plugins.ts";

interface Written {
  rows: number[];
  classIds: number[];
  novel: number[];
  keptIteration: number;
  iterations: number;
  volumes: number[];
  reopened: string;
  drops: { message: string; count: number }[];
  features: number[];
}

const paths = (n: number) => Array.from({ length: n }, (_, i) => `/data/t${i}.mrc`);
const manifest = (
  dir: string,
  more: { tomograms?: number; picker?: object; onError?: string; timeoutSeconds?: number; learner?: object; seed?: number } = {},
) => ({
  version: 1,
  seed: more.seed ?? 7,
  source: { use: "tomograms", options: { paths: paths(more.tomograms ?? 6) } },
  stages: [{ use: "dots", options: { ...more.picker }, onError: more.onError ?? "fail", timeoutSeconds: more.timeoutSeconds ?? 60 }, {
    use: "cut",
  }],
  learn: { use: "halves", options: { ...more.learner } },
  classes: [{ use: "means" }],
  sinks: [{ use: "labels" }],
  run: { dir, threads: 1 },
});
const load = (value: unknown, folder: string) => loadManifestValue(value, { name: "test", folder }, { builtIns });
const written = (dir: string): Written => JSON.parse(Deno.readTextFileSync(`${dir}/labels.json`));
async function run(value: ReturnType<typeof manifest>, options: { resume?: boolean; signal?: AbortSignal } = {}) {
  return await runPipeline(await load(value, value.run.dir), {
    resume: options.resume,
    signal: options.signal ?? new AbortController().signal,
    progress: silentProgress,
  });
}

Deno.test("a run goes from tomograms to sinks, counts what it drops, keeps the best iteration and a model", async () => {
  const dir = `${Deno.makeTempDirSync()}/run`;
  const summary = await run(manifest(dir));
  const found = written(dir);
  assert.equal(summary.status, "done");
  assert.deepEqual([summary.tomograms, summary.iterations, summary.converged, summary.k], [6, 4, false, 2]);
  assert.equal(summary.particles, found.classIds.length);
  assert.equal(summary.particles + found.drops[0].count, 6 * 40);
  assert.deepEqual([found.keptIteration, found.iterations, found.reopened], [3, 4, "fake0"]);
  assert.deepEqual(found.volumes, [0, 1]);
  assert.equal(found.features.length, summary.particles);
  assert.ok(exists(`${dir}/model/bundle.json`) && !exists(`${dir}/scratch`) && !exists(`${dir}/run.lock`));
  assert.deepEqual([...Deno.readDirSync(`${dir}/checkpoints`)].map((entry) => entry.name).sort(), ["0002", "0003"]);
});

Deno.test("two runs of one seed are the same to the last byte; another seed is not", async () => {
  const folder = Deno.makeTempDirSync();
  for (const [name, seed] of [["a", 7], ["b", 7], ["c", 8]] as const) await run(manifest(`${folder}/${name}`, { seed }));
  const text = (name: string) => Deno.readTextFileSync(`${folder}/${name}/labels.json`);
  assert.equal(text("a"), text("b"));
  assert.notEqual(text("a"), text("c"));
});

Deno.test("a run that is stopped at any moment and resumed gives the labels of an uninterrupted one", async () => {
  const folder = Deno.makeTempDirSync();
  await run(manifest(`${folder}/whole`, { learner: { waitMs: 5 } }));
  const whole = Deno.readTextFileSync(`${folder}/whole/labels.json`);
  let interrupted = 0;
  for (const [i, afterMs] of [1, 20, 50, 90, 130].entries()) {
    const dir = `${folder}/cut${i}`, abort = new AbortController();
    const timer = setTimeout(() => abort.abort(new Error("stopped")), afterMs);
    const value = manifest(dir, { learner: { waitMs: 5 } });
    await run(value, { signal: abort.signal }).catch((error) => {
      assert.equal(error.message, "stopped");
      interrupted++;
    });
    clearTimeout(timer);
    await run(value, { resume: true });
    assert.equal(Deno.readTextFileSync(`${dir}/labels.json`), whole, `stopped after ${afterMs} ms`);
  }
  assert.ok(interrupted >= 2, `${interrupted} of 5 runs were interrupted`);
});

Deno.test("`infer` on the training tomograms gives exactly the run's labels; on new ones, labels for each", async () => {
  const folder = Deno.makeTempDirSync();
  await run(manifest(`${folder}/train`, { tomograms: 8 }));
  const options = { model: `${folder}/train/model`, signal: new AbortController().signal, progress: silentProgress, builtIns };
  await inferPipeline({ ...options, tomograms: paths(8), out: `${folder}/again` });
  const [train, again] = [written(`${folder}/train`), written(`${folder}/again`)];
  assert.deepEqual([again.rows, again.classIds, again.novel], [train.rows, train.classIds, train.novel]);
  const summary = await inferPipeline({ ...options, tomograms: paths(2), out: `${folder}/new` });
  assert.deepEqual([summary.tomograms, summary.iterations], [2, null]);
});

Deno.test("a folder that is not empty, a changed manifest and a folder of something else are refused with the remedy", async () => {
  const dir = `${Deno.makeTempDirSync()}/run`;
  await run(manifest(dir));
  await assert.rejects(run(manifest(dir)), { name: "ManifestError", message: /not empty .*--resume/ });
  await assert.rejects(run(manifest(dir, { seed: 8 }), { resume: true }), /manifest has changed[^]*seed: was 7, is 8/);
  await run(manifest(dir), { resume: true });
  const other = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${other}/thesis.tex`, "");
  await assert.rejects(run(manifest(other), { resume: true }), /no manifest\.json, so it is not the folder of a run/);
  assert.deepEqual([...Deno.readDirSync(other)].map((entry) => entry.name).filter((name) => name !== "run.lock"), ["thesis.tex"]);
});

Deno.test("a plugin that throws fails the run with its stage, or drops the tomogram when told so; one that hangs is stopped", async () => {
  const folder = Deno.makeTempDirSync();
  await assert.rejects(run(manifest(`${folder}/a`, { picker: { failOn: 2 } })), {
    name: "StageError",
    message: 'stages[0] "dots": fake2 cannot be picked',
  });
  const summary = await run(manifest(`${folder}/b`, { picker: { failOn: 2 }, onError: "drop" }));
  assert.equal(summary.tomograms, 6);
  assert.ok(written(`${folder}/b`).drops.some((drop) => /left out because this stage failed/.test(drop.message) && drop.count === 1));
  await assert.rejects(
    run(manifest(`${folder}/c`, { picker: { hangOn: 1 }, timeoutSeconds: 0.04 })),
    /stages\[0\] "dots": no output and no progress for 0\.04 s/,
  );
  assert.deepEqual(
    [...Deno.readDirSync(`${folder}/c/subtomograms`)].filter((entry) => entry.name.includes("tmp")),
    [],
    "nothing half-written stays",
  );
  await assert.rejects(run(manifest(`${folder}/d`, { picker: { count: 0 } })), {
    name: "RunError",
    message: /no particles: 6 tomograms, 0 picks/,
  });
});

Deno.test("two processes cannot work in one folder", async () => {
  const dir = `${Deno.makeTempDirSync()}/run`;
  Deno.mkdirSync(dir);
  using lock = Deno.openSync(`${dir}/run.lock`, { write: true, create: true });
  lock.lockSync(true);
  await assert.rejects(run(manifest(dir)), { name: "RunError", message: /another process works in this folder/ });
});
