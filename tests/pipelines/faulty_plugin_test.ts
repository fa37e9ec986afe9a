/** What a user gets when a plugin throws, never ends, or a run's own folder is damaged: the stage by name, and a way on. */
import { strict as assert } from "node:assert";
import { tomosieve, tomosieveJson } from "./command.ts";
import { allowMoody, assertSays, assertWhole, failing, filesBelow, inFolder, moody } from "./sample.ts";

type Json = Record<string, unknown>;
type Role = "source" | "picker" | "extractor" | "learner" | "decoder" | "sink";

/** A run of nothing but moody plugins, of which one has the given options. */
function pipeline(role?: Role, options: Json = {}, more: Json = {}): Json {
  const entry = (own: Role) => moody(own, own === role ? options : {});
  return {
    version: 1,
    source: entry("source"),
    stages: [{ ...entry("picker"), timeoutSeconds: 1 }, { ...entry("extractor"), timeoutSeconds: 1 }],
    learn: entry("learner"),
    classes: [entry("decoder")],
    sinks: [{ use: "particles-table" }, { use: "class-volumes" }, entry("sink")],
    run: { dir: "run", threads: 1, timeoutSeconds: 1 },
    ...more,
  };
}
const allowed = allowMoody("source", "picker", "extractor", "learner", "decoder", "sink");
const PLACES: Readonly<Record<Role, string>> = {
  source: "source",
  picker: "stages[0]",
  extractor: "stages[1]",
  learner: "learn",
  decoder: "classes[0]",
  sink: "sinks[2]",
};
const named = (role: Role) => role === "extractor" ? `an ${role}` : `a ${role}`;
const label = (role: Role) => `${PLACES[role]} "${moody(role).use}": `;

/** What an uninterrupted run leaves. */
const whole = await inFolder({ "pipeline.json": pipeline() }, async (folder) => {
  await tomosieveJson("run", `${folder}/pipeline.json`, ...allowed);
  await assertWhole(`${folder}/run`);
  return { files: filesBelow(`${folder}/run`), table: Deno.readTextFileSync(`${folder}/run/particles.csv`) };
});

/** Lets one plugin misbehave, looks at the one error, makes it well again, and goes on. */
function misbehaves(role: Role, options: Json, words: RegExp): Promise<void> {
  return inFolder({ "pipeline.json": pipeline(role, options) }, async (folder) => {
    const path = `${folder}/pipeline.json`;
    const fault = await failing(1, "run", path, ...allowed);
    assertSays(fault, words);
    assert.ok(fault.problems[0].startsWith(label(role)), fault.problems[0]);
    assert.equal(fault.problems[0].split(moody(role).use).length, 2, `the stage is named more than once: ${fault.problems[0]}`);
    await assertWhole(`${folder}/run`);
    // A plugin that is made well is the same plugin with the same options: the mood stands for its file.
    const manifest = Deno.readTextFileSync(`${folder}/run/manifest.json`);
    Deno.writeTextFileSync(`${folder}/run/manifest.json`, manifest.replace(`"mood": "${options.mood}"`, `"mood": "well"`));
    Deno.writeTextFileSync(path, JSON.stringify(pipeline(role, { ...options, mood: "well" })));
    await tomosieveJson("run", path, ...allowed, "--resume");
    assert.equal(Deno.readTextFileSync(`${folder}/run/particles.csv`), whole.table);
    assert.deepEqual(filesBelow(`${folder}/run`), whole.files);
  });
}

for (const role of Object.keys(PLACES) as Role[]) {
  Deno.test(`${named(role)} that throws: its place in the manifest and its own words; mended, --resume gives a whole run's results`, () =>
    misbehaves(role, { mood: "throws" }, /: the lamp went out$/));
}
Deno.test("a plugin that throws a string where an Error belongs is heard all the same", () =>
  misbehaves("extractor", { mood: "throws-text" }, /: the lamp went out$/));
Deno.test("a plugin that throws when it is created: its place and its words", () =>
  misbehaves("learner", { mood: "throws", when: "create" }, /: the lamp went out$/));

for (const role of ["source", "learner", "decoder", "sink"] as Role[]) {
  Deno.test(`${named(role)} that never ends: named after its silence, with run.timeoutSeconds and --resume`, () =>
    misbehaves(role, { mood: "hangs-busily" }, /no output and no progress for 1 s, so it is taken to hang.*run\.timeoutSeconds.*--resume/));
}
for (const role of ["picker", "extractor"] as Role[]) {
  Deno.test(`${named(role)} that never ends: named after its silence, with its timeoutSeconds and --resume`, () =>
    misbehaves(
      role,
      { mood: "hangs-busily" },
      /no output and no progress for 1 s, so it is taken to hang.*its "timeoutSeconds".*--resume/,
    ));
}
Deno.test("a plugin that never ends when it is created is named", () =>
  misbehaves("sink", { mood: "hangs-busily", when: "create" }, /no output and no progress for 1 s/));
for (const role of ["picker", "learner"] as Role[]) {
  Deno.test(`${named(role)} in an endless loop, which hears nothing: named and ended from another thread; mended, --resume gives a whole run's results`, () =>
    inFolder({ "pipeline.json": pipeline(role, { mood: "loops" }) }, async (folder) => {
      const path = `${folder}/pipeline.json`;
      const { code, stdout, stderr } = await tomosieve("run", path, ...allowed, "--json");
      assert.notEqual(code, 0);
      const { status, problems } = JSON.parse(stdout);
      assert.equal(status, "failed");
      assert.match(problems.join("\n"), /kept the thread to itself for 1 s.*"timeoutSeconds".*--resume/);
      assert.ok(problems[0].includes(label(role).slice(0, -2)), problems[0]);
      assert.ok(stderr.includes(problems[0]), stderr);
      const manifest = Deno.readTextFileSync(`${folder}/run/manifest.json`);
      Deno.writeTextFileSync(`${folder}/run/manifest.json`, manifest.replace('"mood": "loops"', '"mood": "well"'));
      Deno.writeTextFileSync(path, JSON.stringify(pipeline(role, { mood: "well" })));
      await tomosieveJson("run", path, ...allowed, "--resume");
      assert.equal(Deno.readTextFileSync(`${folder}/run/particles.csv`), whole.table);
      assert.deepEqual(filesBelow(`${folder}/run`), whole.files);
    }));
}
for (const role of ["source", "learner", "sink"] as Role[]) {
  Deno.test(`${named(role)} that waits for what nothing can bring about is told at once, without waiting for its limit`, () =>
    inFolder({ "pipeline.json": pipeline(role, { mood: "hangs" }, { run: { dir: "run", threads: 1 } }) }, async (folder) => {
      const fault = await failing(1, "run", `${folder}/pipeline.json`, ...allowed);
      assertSays(fault, label(role), "the work has come to a stand", "--resume");
      await assertWhole(`${folder}/run`);
    }));
}

Deno.test("a promise that a plugin lost sight of and that fails: its words, whose fault it is, and one JSON object all the same", () =>
  inFolder({ "pipeline.json": pipeline("learner", { mood: "loose-end" }) }, async (folder) => {
    const { code, stdout, stderr } = await tomosieve("run", `${folder}/pipeline.json`, ...allowed, "--json");
    assert.equal(code, 1);
    assert.deepEqual(JSON.parse(stdout), { status: "failed", problems: ["the lamp went out"] });
    assert.match(stderr, /^the lamp went out\nThis is a fault of tomosieve or of a plugin; run again with --debug to see where\.$/m);
  }));

Deno.test("a longer limit may be given on resume, as the message says", () =>
  inFolder({ "pipeline.json": pipeline("picker", { mood: "hangs" }) }, async (folder) => {
    const path = `${folder}/pipeline.json`;
    await failing(1, "run", path, ...allowed);
    const patient = pipeline("picker", { mood: "hangs" });
    patient.stages = (patient.stages as Json[]).map((stage) => ({ ...stage, timeoutSeconds: 2 }));
    Deno.writeTextFileSync(path, JSON.stringify(patient));
    assertSays(await failing(1, "run", path, ...allowed, "--resume"), "no output and no progress for 2 s");
  }));

Deno.test(`a stage that throws with "onError": "drop" leaves its tomogram out, says so, and the run comes through`, () =>
  inFolder({}, async (folder) => {
    const manifest = pipeline("picker", { mood: "throws" });
    manifest.stages = (manifest.stages as Json[]).map((stage) => ({ ...stage, onError: "drop" }));
    Deno.writeTextFileSync(`${folder}/pipeline.json`, JSON.stringify(manifest));
    const summary = await tomosieveJson<Json>("run", `${folder}/pipeline.json`, ...allowed);
    assert.equal(summary.tomograms, 2);
    const rows = whole.table.trimEnd().split("\n");
    assert.equal(summary.particles, rows.filter((row) => row.startsWith("moody_0,")).length);
    const events = Deno.readTextFileSync(`${folder}/run/events.ndjson`);
    assert.match(events, /moody_1: left out: .*the lamp went out/);
  }));

// ---------------------------------------------------------------- damage

/** A run that failed when its learner had made two iterations, to be damaged and resumed. */
function damaged(
  damage: (run: string) => void,
  check: (folder: string, fault: Awaited<ReturnType<typeof failing>>) => void | Promise<void>,
) {
  return inFolder({ "pipeline.json": pipeline("sink", { mood: "throws" }) }, async (folder) => {
    await failing(1, "run", `${folder}/pipeline.json`, ...allowed);
    damage(`${folder}/run`);
    await check(folder, await failing(1, "run", `${folder}/pipeline.json`, ...allowed, "--resume"));
  });
}

Deno.test("a run folder whose manifest.json is damaged: the file and the remedy", () =>
  damaged(
    (run) => Deno.writeTextFileSync(`${run}/manifest.json`, Deno.readTextFileSync(`${run}/manifest.json`).slice(0, 200)),
    (folder, fault) => assertSays(fault, `${folder}/run/manifest.json`, "is not JSON", "another run.dir"),
  ));
Deno.test("a run folder whose run.sqlite is damaged: the file and the remedy", () =>
  damaged(
    (run) => Deno.writeTextFileSync(`${run}/run.sqlite`, "tomogram,x,y,z\n".repeat(400)),
    (folder, fault) => assertSays(fault, `${folder}/run/run.sqlite`, "another run.dir"),
  ));
Deno.test("a run folder whose newest checkpoint is damaged: the file and the remedy", () =>
  damaged(
    (run) => {
      const path = `${run}/checkpoints/0002/arrays.safetensors`, bytes = Deno.readFileSync(path);
      bytes[bytes.length - 1] ^= 1;
      Deno.writeFileSync(path, bytes);
    },
    async (folder, fault) => {
      const checkpoint = `${folder}/run/checkpoints/0002`;
      assertSays(fault, "learn ", `${checkpoint}/arrays.safetensors`, "SHA-256", `remove ${checkpoint}`, "--resume");
      Deno.removeSync(checkpoint, { recursive: true });
      Deno.writeTextFileSync(`${folder}/pipeline.json`, JSON.stringify(pipeline()));
      await tomosieveJson("run", `${folder}/pipeline.json`, ...allowed, "--resume");
      assert.equal(Deno.readTextFileSync(`${folder}/run/particles.csv`), whole.table);
    },
  ));
Deno.test("a run folder whose boxes are cut short: the file and the remedy", () =>
  damaged(
    (run) => Deno.truncateSync(`${run}/subtomograms/0001_moody_1.mrcs`, 5000),
    (folder, fault) => assertSays(fault, `${folder}/run/subtomograms/0001_moody_1.mrcs`, /truncated|cut short/),
  ));
