/** What the command line promises: one JSON object, exit codes, the same results again, resumed and inferred. */
import { strict as assert } from "node:assert";
import { csvColumn, parseCsv } from "../../plugins/formats/csv.ts";
import { loadBundle } from "../../streams/bundle.ts";
import { command, type Finished, tomosieve, tomosieveJson } from "./command.ts";
import {
  allowMoody,
  assertSays,
  assertWhole,
  boxes,
  disca,
  dog,
  failing,
  filesBelow,
  moody,
  type Sample,
  sampleParticles,
  tomograms,
  writeSample,
} from "./sample.ts";

type Json = Record<string, unknown>;

/** Keys of the one object on stdout. */
const KEYS = [
  "status",
  "runDir",
  "engine",
  "tomograms",
  "particles",
  "k",
  "iterations",
  "converged",
  "ddbi",
  "bic",
  "metrics",
  "seconds",
  "peakRssMiB",
];
const METRICS = ["ari", "homogeneity", "completeness", "vMeasure", "recall", "precision"];
/** Longest that an interrupted process may take to end. */
const SIGNAL_LIMIT_MS = 20_000;

const folder = await Deno.makeTempDir({ prefix: "tomosieve_contract_" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** Enough particles in two tomograms (210 whole boxes) that some can be held out. */
const SHAPE = [48, 112, 112] as const;
const samples: Record<string, Sample> = {
  "old/a": { seed: 1, shapeZyx: SHAPE },
  "old/b": { seed: 2, shapeZyx: SHAPE },
  "new/c": { seed: 3, shapeZyx: SHAPE },
  "new/strange": { seed: 4, shapeZyx: SHAPE, particles: ["plank"], noise: 0.15 },
};
for (const name of ["old", "new"]) Deno.mkdirSync(`${folder}/${name}`);
for (const [name, sample] of Object.entries(samples)) await writeSample(`${folder}/${name}.mrc`, sample);
const truth = Object.entries(samples).flatMap(([name, sample]) =>
  sampleParticles(sample).map(({ x, y, z, label }) => `${name.split("/")[1]},${x},${y},${z},${label}`)
);
Deno.writeTextFileSync(`${folder}/truth.csv`, ["tomogram,x,y,z,label", ...truth].join("\n") + "\n");

const manifest = (more: Json = {}): Json => ({
  version: 1,
  seed: 7,
  source: tomograms({ paths: ["old/*.mrc"] }),
  stages: [dog(), boxes()],
  learn: disca({ maxIterations: 2 }),
  classes: [moody("decoder")],
  sinks: [{ use: "particles-table" }, { use: "relion-star" }, { use: "class-volumes" }, { use: "report" }],
  run: { threads: 2 },
  ...more,
});
const allowed = allowMoody("decoder");
/** Writes a manifest and gives the arguments that run it into its own folder. */
function runOf(name: string, content: Json | string = manifest(), ending = "json"): string[] {
  const path = `${folder}/${name}.${ending}`;
  Deno.writeTextFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return ["run", path, "--run-dir", `${folder}/${name}`, ...allowed];
}
const table = (run: string) => Deno.readTextFileSync(`${folder}/${run}/particles.csv`);
const columnOf = (run: string, name: string) => csvColumn(parseCsv(table(run), run), [name], run);

/** The run that the others are compared with. */
const first = await tomosieve(...runOf("first"), "--json");

// ---------------------------------------------------------------- the JSON object

Deno.test("`--json` prints one object with exactly the keys promised, and nothing else on stdout", () => {
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /^\{[^\n]*\}\n$/);
  const summary = JSON.parse(first.stdout);
  assert.deepEqual(Object.keys(summary), KEYS);
  const { status, runDir, engine, tomograms, particles, k, iterations, converged, ddbi, bic, metrics, seconds, peakRssMiB } = summary;
  assert.deepEqual([status, runDir, tomograms, metrics], ["done", `${folder}/first`, 2, null]);
  assert.equal(typeof engine, "string");
  assert.equal(typeof converged, "boolean");
  assert.equal(particles, columnOf("first", "class").length);
  assert.equal(k, new Set(columnOf("first", "class")).size);
  for (const [name, value] of Object.entries({ iterations, ddbi, bic, seconds, peakRssMiB })) {
    assert.ok(Number.isFinite(value) && value !== 0, `${name} is ${value}`);
  }
});

Deno.test("what a person reads goes to stderr, as plain lines when it is no terminal", () => {
  assert.match(first.stderr, /^iteration 0: K \d/m);
  assert.match(first.stderr, /^done in [\d.]+ s: 2 tomograms, \d+ particles, \d+ class/m);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(first.stderr, /[\x1b\r]/);
});

Deno.test("without --json stdout is empty; with truth `metrics` has its six keys, and `score` says the same", async () => {
  const args = runOf(
    "scored",
    manifest({
      learn: moody("learner"),
      source: tomograms({ paths: ["old/*.mrc"], truth: "truth.csv" }),
      sinks: [{ use: "particles-table" }],
    }),
  );
  const more = allowMoody("learner");
  const plain = await tomosieve(...args, ...more);
  assert.deepEqual([plain.code, plain.stdout], [0, ""], plain.stderr);
  assert.match(plain.stderr, /^against the truth: recall \d\.\d{3}, precision \d\.\d{3}, ARI /m);
  const { metrics } = await tomosieveJson<{ metrics: Json }>(...args, ...more, "--resume");
  assert.deepEqual(Object.keys(metrics), METRICS);
  assert.ok(Object.values(metrics).every(Number.isFinite), JSON.stringify(metrics));
  assert.equal(columnOf("scored", "trueLabel").length, columnOf("scored", "class").length);
  const score = await tomosieveJson<Json>("score", `${folder}/scored`, `${folder}/truth.csv`);
  for (const key of METRICS) assert.equal(score[key], metrics[key], key);
});

Deno.test("--dry-run says what would be done and makes nothing", async () => {
  const { code, stdout, stderr } = await tomosieve(...runOf("dry"), "--dry-run", "--json");
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).status, "dry-run");
  assert.match(stderr, /stream: tomograms -> dog -> boxes/);
  assert.throws(() => Deno.statSync(`${folder}/dry`), Deno.errors.NotFound);
});

// ---------------------------------------------------------------- the same again

/** Files of a run folder that hold nothing of the time or place of the run. */
const results = (run: string) => filesBelow(`${folder}/${run}`).filter((path) => !/^(events\.ndjson|run\.sqlite|report\.html)$/.test(path));

function assertSame(run: string, other: string, paths = results(other)): void {
  assert.deepEqual(results(run), results(other));
  for (const path of paths) {
    const [a, b] = [run, other].map((name) => Deno.readFileSync(`${folder}/${name}/${path}`));
    assert.ok(a.length === b.length && a.every((byte, i) => byte === b[i]), `${path} of ${run} is not that of ${other}`);
  }
}

/** The manifest with a comment and a comma too many. */
const inJsonc = () => JSON.stringify(manifest(), null, 2).replace("{", "{\n  // The seed is what makes it so.\n").replace(/\n\}$/, ",\n}");
/** The manifest as YAML, in another order. */
function inYaml(): string {
  const { seed, ...rest } = manifest();
  return Object.entries(rest).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join("") +
    `# The seed is what makes it so.\nseed: ${seed}\n`;
}

Deno.test("one seed, one result: a second run, from JSONC, gives every file but log, ledger and report to the last byte", async () => {
  const again = await tomosieve(...runOf("again", inJsonc(), "jsonc"));
  assert.equal(again.code, 0, again.stderr);
  assertSame("again", "first");
});

Deno.test("the resolved manifest in the run folder reruns the job", async () => {
  const rerun = await tomosieve("run", `${folder}/first/manifest.json`, "--run-dir", `${folder}/rerun`, ...allowed);
  assert.equal(rerun.code, 0, rerun.stderr);
  assert.equal(table("rerun"), table("first"));
});

Deno.test("another seed is another result", async () => {
  const { particles } = await tomosieveJson<Json>(
    ...runOf("seed", manifest({ learn: disca({ maxIterations: 0 }), classes: [], sinks: [{ use: "particles-table" }] })),
    "--seed",
    "8",
  );
  assert.equal(particles, columnOf("first", "class").length);
  assert.notEqual(table("seed"), table("first"));
});

Deno.test("`report` gives every file of the sinks that was deleted again, to the last byte", async () => {
  const made = filesBelow(`${folder}/first`).filter((path) => /^(particles|relion\/|classes\/\d|report|classes\.png|tomogram_)/.test(path));
  for (const name of ["particles.csv", "particles.parquet", "particles.star", "report.html", "classes.png", "tomogram_a.png"]) {
    assert.ok(made.includes(name), `${name} is missing: ${made.slice(0, 20)}`);
  }
  assert.ok(made.some((path) => path.startsWith("classes/01/")) && made.some((path) => path.startsWith("relion/")));
  const before = new Map(made.map((path) => [path, Deno.readFileSync(`${folder}/first/${path}`)]));
  for (const path of made) Deno.removeSync(`${folder}/first/${path}`);
  const { code, stderr } = await tomosieve("report", `${folder}/first`, ...allowed);
  assert.equal(code, 0, stderr);
  for (const [path, bytes] of before) {
    const now = Deno.readFileSync(`${folder}/first/${path}`);
    assert.ok(now.length === bytes.length && now.every((byte, i) => byte === bytes[i]), `${path} is another`);
  }
  await assertWhole(`${folder}/first`);
});

Deno.test("an option that came after a run was made counts as its default; a changed one is still refused", async () => {
  Deno.mkdirSync(`${folder}/older`);
  for (const name of ["manifest.json", "run.sqlite"]) Deno.copyFileSync(`${folder}/first/${name}`, `${folder}/older/${name}`);
  for (const name of ["subtomograms", "features", "classes", "model"]) {
    Deno.symlinkSync(`${folder}/first/${name}`, `${folder}/older/${name}`);
  }
  const path = `${folder}/older/manifest.json`, saved = JSON.parse(Deno.readTextFileSync(path));
  delete saved.stages[0].options.maximumFlatness;
  delete saved.stages[0].timeoutSeconds;
  delete saved.learn.options.stableIterations;
  delete saved.learn.parts.cluster.options.restarts;
  delete saved.run.noveltyQuantile;
  Deno.writeTextFileSync(path, JSON.stringify(saved));
  const { code, stderr } = await tomosieve("report", `${folder}/older`, ...allowed);
  assert.equal(code, 0, stderr);
  assert.equal(table("older"), table("first"));
  const args = runOf("first_again", manifest({ stages: [dog({ maximumFlatness: 0.5 }), boxes()] }));
  const fault = await failing(2, args[0], args[1], "--run-dir", `${folder}/older`, ...allowed, "--resume");
  assert.match(fault.problems.join("\n"), /maximumFlatness: was 0\.75, is 0\.5$/);
});

Deno.test("`report` on a run that has not ended, and on a folder that is none: exit 2 and what to do", async () => {
  await failing(
    1,
    ...runOf("unfinished", manifest({ learn: moody("learner"), sinks: [moody("sink", { mood: "throws" })] })),
    ...allowMoody("learner", "sink"),
  );
  const unfinished = await tomosieve("report", `${folder}/unfinished`, ...allowMoody("decoder", "learner", "sink"));
  assert.equal(unfinished.code, 2);
  assert.match(unfinished.stderr, /has not ended: go on with it by "run \.\.\. --resume"/);
  const none = await tomosieve("report", `${folder}/old`);
  assert.equal(none.code, 2);
  assert.match(none.stderr, /old\/manifest\.json: no such file/);
});

// ---------------------------------------------------------------- interrupts

/** Runs until a line of stderr matches, then interrupts. */
async function interrupted(args: readonly string[], when: RegExp): Promise<Finished> {
  const child = command(...args, "--json").spawn();
  const stdout = new Response(child.stdout).text();
  let stderr = "", sent = false;
  const timer = setTimeout(() => child.kill("SIGKILL"), 3 * SIGNAL_LIMIT_MS);
  for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
    stderr += part;
    if (!sent && when.test(stderr)) {
      sent = true;
      child.kill("SIGINT");
    }
  }
  clearTimeout(timer);
  assert.ok(sent, `nothing matched ${when}:\n${stderr}`);
  return { code: (await child.status).code, stdout: await stdout, stderr };
}

for (
  const [name, when, content, ending] of [["picking", /stages\[1\] "boxes"/, inYaml(), "yaml"], [
    "learning",
    /iteration 0/,
    undefined,
    "json",
  ]] as const
) {
  Deno.test(`a run interrupted while ${name}: exit 130, --resume by name, and then the results of an uninterrupted run`, async () => {
    const run = `interrupted_${name}`, args = runOf(run, content, ending);
    const { code, stdout, stderr } = await interrupted(args, when);
    assert.equal(code, 130, stderr);
    assert.deepEqual(JSON.parse(stdout), { status: "interrupted", problems: [] });
    assert.match(stderr, /--resume/);
    assert.doesNotMatch(stderr, /\n\s+at |fault of tomosieve|^done/m);
    await assertWhole(`${folder}/${run}`);
    const resumed = await tomosieve(...args, "--resume");
    assert.equal(resumed.code, 0, resumed.stderr);
    assertSame(run, "first");
    assert.ok(filesBelow(`${folder}/${run}`).includes("report.html"));
  });
}

// ---------------------------------------------------------------- infer

const infer = (
  model: string,
  paths: readonly string[],
  out: string,
) => ["infer", `${folder}/${model}`, ...paths.map((path) => `${folder}/${path}`), "--out", `${folder}/${out}`];

Deno.test("`infer` on the training tomograms gives exactly the run's table: labels, likelihoods, novelty", async () => {
  const summary = await tomosieveJson<Json>(...infer("first/model", ["old/a.mrc", "old/b.mrc"], "inferred"));
  assert.deepEqual(Object.keys(summary), KEYS);
  assert.equal(summary.k, JSON.parse(first.stdout).k);
  assert.equal(table("inferred"), table("first"));
  await assertWhole(`${folder}/inferred`);
});

Deno.test("`--set` says something else to infer, but nothing of what was learnt", async () => {
  const args = infer("first/model", ["old/a.mrc"], "inferred_set");
  assertSays(await failing(2, ...args, "--set", "learn.options.recipe=default"), "--set learn.options.recipe=default", "part of the model");
  assertSays(await failing(2, ...args, "--set", "stages[7].options.a=1"), "stages has 2 entries");
  await tomosieveJson(...args, "--set", "source.options.tiltRangeDegrees=[-45, 40]", "--set", "run.threads=1");
  const { source, run } = JSON.parse(Deno.readTextFileSync(`${folder}/inferred_set/manifest.json`));
  assert.deepEqual([source.options.tiltRangeDegrees, run.threads], [[-45, 40], 1]);
  assert.deepEqual(columnOf("inferred_set", "class"), columnOf("first", "class").slice(0, columnOf("inferred_set", "class").length));
});

Deno.test("`infer` on new tomograms: novel is what the model's own threshold says, and strangers are novel more often", async () => {
  const summary = await tomosieveJson<Json>(...infer("first", ["new/*.mrc"], "new_inferred"));
  assert.equal(summary.tomograms, 2);
  const { facts } = loadBundle(`${folder}/first/model`);
  const threshold = facts.noveltyThreshold as number;
  assert.ok(Number.isFinite(threshold));
  const likelihood = columnOf("new_inferred", "logLikelihood").map(Number), novel = columnOf("new_inferred", "novel");
  assert.deepEqual(novel, likelihood.map((value) => value < threshold ? "1" : "0"));
  const names = columnOf("new_inferred", "tomogram");
  const share = (name: string) => {
    const own = novel.filter((_, i) => names[i] === name);
    return own.filter((flag) => flag === "1").length / own.length;
  };
  assert.ok(share("strange") > share("c") + 0.2, `novel: ${share("strange")} of the strangers, ${share("c")} of the familiar`);
  const known = new Set(columnOf("first", "class"));
  assert.ok(columnOf("new_inferred", "class").every((name) => known.has(name)));
});

Deno.test("`infer --resume` after an interrupt gives what an uninterrupted `infer` gives", async () => {
  const args = infer("first/model", ["new/c.mrc", "new/strange.mrc"], "inferred_later");
  const { code, stderr } = await interrupted(args, /tomograms: 1/);
  assert.equal(code, 130, stderr);
  assert.match(stderr, /--resume/);
  await assertWhole(`${folder}/inferred_later`);
  const refused = await failing(2, ...args);
  assertSays(refused, `${folder}/inferred_later`, "not empty", "--resume");
  const straight = await tomosieve(...infer("first/model", ["new/c.mrc", "new/strange.mrc"], "inferred_straight"));
  assert.equal(straight.code, 0, straight.stderr);
  const resumed = await tomosieve(...args, "--resume");
  assert.equal(resumed.code, 0, resumed.stderr);
  assertSame("inferred_later", "inferred_straight");
});

/** A copy of the model with one file changed. */
function damagedModel(name: string, file: string, damage: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array | null): string {
  const copy = `${folder}/${name}`;
  Deno.mkdirSync(copy);
  for (const own of ["bundle.json", "arrays.safetensors"]) {
    const bytes = Deno.readFileSync(`${folder}/first/model/${own}`);
    const written = own === file ? damage(bytes) : bytes;
    if (written) Deno.writeFileSync(`${copy}/${own}`, written);
  }
  return name;
}
const flipped = (at: number) => (bytes: Uint8Array<ArrayBuffer>) => {
  bytes[at < 0 ? bytes.length + at : at] ^= 4;
  return bytes;
};
const text = (change: (text: string) => string) => (bytes: Uint8Array<ArrayBuffer>) =>
  new TextEncoder().encode(change(new TextDecoder().decode(bytes)));

for (
  const [what, file, damage, words] of [
    [
      "a changed byte in its arrays",
      "arrays.safetensors",
      flipped(-9),
      /SHA-256 is [\da-f]{64}, bundle\.json says [\da-f]{64}.*damaged; use another copy/,
    ],
    ["arrays cut short", "arrays.safetensors", (bytes) => bytes.subarray(0, 1000), /SHA-256.*damaged/],
    ["no arrays", "arrays.safetensors", () => null, /cannot be read: expected a model folder/],
    ["half a bundle.json", "bundle.json", text((json) => json.slice(0, json.length / 2)), /is not JSON: the folder is damaged/],
    [
      "a bundle.json of a later tomosieve",
      "bundle.json",
      text((json) => json.replace(`"bundleVersion": 1`, `"bundleVersion": 2`)),
      /bundleVersion is 2, this tomosieve reads 1/,
    ],
    [
      "a bundle.json without state",
      "bundle.json",
      () => new TextEncoder().encode(`{"bundleVersion": 1}`),
      /nothing of its arrays or its state.*damaged/,
    ],
  ] as [string, string, Parameters<typeof damagedModel>[2], RegExp][]
) {
  Deno.test(`a model with ${what}: infer names the file and writes nothing`, async () => {
    const name = `model_${what.replaceAll(/\W+/g, "_")}`;
    damagedModel(name, file, damage);
    const fault = await failing(1, ...infer(name, ["new/c.mrc"], `${name}_out`));
    assertSays(fault, `${folder}/${name}/${file}`, words);
    assert.throws(() => Deno.statSync(`${folder}/${name}_out`), Deno.errors.NotFound);
  });
}

Deno.test("infer with a folder that is no model, with files that are missing, with another voxel size: each says so", async () => {
  assertSays(await failing(1, ...infer("old", ["new/c.mrc"], "nowhere")), `${folder}/old`, "expected a model folder");
  assertSays(await failing(2, ...infer("first/model", ["new/d.mrc"], "nowhere")), `no such file`, "new/d.mrc");
  assert.throws(() => Deno.statSync(`${folder}/nowhere`), Deno.errors.NotFound);
  await writeSample(`${folder}/coarse.mrc`, { seed: 5, voxelSizeAngstrom: 13 });
  assertSays(await failing(1, ...infer("first/model", ["coarse.mrc"], "coarse")), "coarse has 13 A a voxel", "trained at 10 A", "rescale");
  await assertWhole(`${folder}/coarse`);
});
