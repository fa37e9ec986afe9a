/** What a user gets for input that cannot be worked on: one error that names file, stage and remedy, and nothing half-written. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { tomosieveJson } from "./command.ts";
import {
  allowMoody,
  assertSays,
  assertWhole,
  boxes,
  disca,
  dog,
  failing,
  filesBelow,
  inFolder,
  moody,
  sampleVoxels,
  tomograms,
  writeSample,
} from "./sample.ts";
import { writeMrcVolume } from "../../plugins/formats/mrc.ts";

type Json = Record<string, unknown>;
const learner = (options: Json = {}) => moody("learner", options);
const allowed = allowMoody("learner");
/** From tomograms to a table, learning with a plugin that takes no time. */
const pipeline = (more: Json = {}): Json => ({
  version: 1,
  source: tomograms(),
  stages: [dog(), boxes()],
  learn: learner(),
  sinks: [{ use: "particles-table" }],
  run: { dir: "run", threads: 1 },
  ...more,
});

/** Runs `manifest` in `folder`, which must fail with `code`, and looks that what it leaves is whole. */
async function fails(code: 1 | 2, folder: string, ...more: string[]) {
  const fault = await failing(code, "run", `${folder}/pipeline.json`, ...allowed, ...more);
  if (filesBelow(folder).some((path) => path.startsWith("run/"))) await assertWhole(`${folder}/run`);
  return fault;
}
/** Goes on with the run of `fails`, which must now come through. */
async function resumes(folder: string, ...more: string[]): Promise<Json> {
  const summary = await tomosieveJson<Json>("run", `${folder}/pipeline.json`, "--resume", ...allowed, ...more);
  await assertWhole(`${folder}/run`);
  assert.ok(filesBelow(`${folder}/run`).includes("particles.csv"));
  return summary;
}

// ---------------------------------------------------------------- files

Deno.test("a truncated tomogram: file, bytes found and expected; with the whole file --resume goes on", () =>
  inFolder({ "pipeline.json": pipeline() }, async (folder) => {
    await writeSample(`${folder}/a.mrc`);
    await writeSample(`${folder}/b.mrc`, { seed: 2 });
    const whole = Deno.readFileSync(`${folder}/b.mrc`);
    Deno.writeFileSync(`${folder}/b.mrc`, whole.subarray(0, 500_000));
    const fault = await fails(1, folder);
    assertSays(fault, `source "tomograms"`, `${folder}/b.mrc`, /500.?000/, String(whole.length), /copy|truncated|cut short/);
    Deno.writeFileSync(`${folder}/b.mrc`, whole);
    assert.equal((await resumes(folder)).tomograms, 2);
  }));

Deno.test("a file that is no MRC file: its name and what was found in its header", () =>
  inFolder({ "pipeline.json": pipeline(), "a.mrc": "tomogram,x,y,z\n".repeat(200) }, async (folder) => {
    assertSays(await fails(1, folder), `source "tomograms"`, `${folder}/a.mrc`, "not an MRC file", "machine stamp");
  }));

Deno.test("an empty file: its name and that it is too short for a header", () =>
  inFolder({ "pipeline.json": pipeline(), "a.mrc": "" }, async (folder) => {
    assertSays(await fails(1, folder), `source "tomograms"`, `${folder}/a.mrc`, /\b0 bytes/, "1024");
  }));

Deno.test("a NaN voxel: file, stage, the voxel's place and the remedy; mended, --resume goes on", () =>
  inFolder({ "pipeline.json": pipeline() }, async (folder) => {
    const path = `${folder}/a.mrc`, voxels = sampleVoxels();
    await writeSample(path);
    const bytes = Deno.readFileSync(path), at = 1024 + 4 * ((31 * 80 + 20) * 80 + 5);
    const view = new DataView(bytes.buffer), before = view.getFloat32(at, true);
    assert.equal(before, voxels[(31 * 80 + 20) * 80 + 5], "the voxel that is spoilt is not where it was thought");
    view.setFloat32(at, NaN, true);
    Deno.writeFileSync(path, bytes);
    assertSays(await fails(1, folder), `stages[0] "dog"`, path, "voxel x 5, y 20, z 31 is NaN", "replace NaN");
    view.setFloat32(at, before, true);
    Deno.writeFileSync(path, bytes);
    assert.equal((await resumes(folder)).tomograms, 1);
  }));

Deno.test("a constant volume: file, value, and the question whether the reconstruction failed", () =>
  inFolder({ "pipeline.json": pipeline() }, async (folder) => {
    const shapeZyx = [24, 32, 32] as const;
    await writeMrcVolume(`${folder}/a.mrc`, { shapeZyx, voxels: new Float32Array(24 * 32 * 32).fill(3), voxelSizeAngstrom: 10 });
    assertSays(await fails(1, folder), `source "tomograms"`, `${folder}/a.mrc`, "every voxel is 3", "failed reconstruction?");
  }));

Deno.test("a tomogram smaller than a box: stage, tomogram, both sizes, and what to lower", () =>
  inFolder({ "pipeline.json": pipeline({ stages: [dog(), boxes({ boxVoxels: 56 })] }) }, async (folder) => {
    await writeSample(`${folder}/a.mrc`);
    assertSays(await fails(1, folder), `stages[1] "boxes"`, "a.mrc", "80 x 80 x 48", "56", `lower "boxVoxels"`);
  }));

Deno.test("unlike voxel sizes: both tomograms, both sizes, and the stage that makes them alike", () =>
  inFolder({ "pipeline.json": pipeline() }, async (folder) => {
    await writeSample(`${folder}/a.mrc`);
    await writeSample(`${folder}/b.mrc`, { voxelSizeAngstrom: 13.5 });
    assertSays(await fails(1, folder), `source "tomograms"`, `${folder}/b.mrc`, "13.5 A", "10 A", "rescale");
  }));

Deno.test("a stated voxel size that is not the header's: both, and the two ways out", () =>
  inFolder({ "pipeline.json": pipeline({ source: tomograms({ voxelSizeAngstrom: 13.48 }) }) }, async (folder) => {
    await writeSample(`${folder}/a.mrc`);
    assertSays(await fails(1, folder), `${folder}/a.mrc`, "13.48", "10 A", "onVoxelSizeMismatch", "voxelSizeAngstrom");
  }));

Deno.test("a stack whose sections are no whole boxes: file, sizes", () =>
  inFolder(
    { "pipeline.json": pipeline({ source: { use: "subtomogram-stack", options: { path: "boxes.mrcs" } }, stages: [] }) },
    async (folder) => {
      await writeSample(`${folder}/boxes.mrcs`, { shapeZyx: [40, 16, 16] });
      assertSays(await fails(1, folder), `source "subtomogram-stack"`, `${folder}/boxes.mrcs`, "16 x 16 x 40", "no multiple of 16");
    },
  ));

// ---------------------------------------------------------------- too little to work on

Deno.test("no picks: how many tomograms, and which options to look at", () =>
  inFolder({ "pipeline.json": pipeline({ stages: [dog({ threshold: { deviations: 500 } }), boxes()] }) }, async (folder) => {
    await writeSample(`${folder}/a.mrc`);
    const fault = await fails(1, folder);
    assertSays(fault, "no particles", "1 tomogram", "0 picks", "threshold", "contrast");
    assert.match(fault.stderr, /warning: stages\[0\] "dog": .*no peak passes/);
  }));

Deno.test("picks whose boxes all leave the volume: how many, and why", () =>
  inFolder({ "pipeline.json": pipeline({ stages: [dog(), boxes({ boxVoxels: 31 })] }) }, async (folder) => {
    await writeSample(`${folder}/a.mrc`, { shapeZyx: [32, 80, 80] });
    assertSays(await fails(1, folder), "no particles", /[1-9]\d* picks/, "box of 31 voxels leaves the volume");
  }));

Deno.test("too few boxes for classes: how many, how many are needed, and what to do", () =>
  inFolder({ "pipeline.json": pipeline({ stages: [dog({ maximumPicks: 15 }), boxes()], learn: disca() }) }, async (folder) => {
    await writeSample(`${folder}/a.mrc`);
    assertSays(await fails(1, folder), `learn "disca"`, /\b\d+ boxes are too few/, "at least 20", "pick more particles");
  }));

Deno.test("fewer particles than classes asked for: the stage, both numbers, and which option to lower", () =>
  inFolder(
    { "pipeline.json": pipeline({ stages: [dog({ maximumPicks: 30 }), boxes()], learn: disca({}, { candidates: [40] }) }) },
    async (folder) => {
      await writeSample(`${folder}/a.mrc`);
      assertSays(await fails(1, folder), "gmm-bic", /\b[23]\d boxes cannot make 40 classes/, "smaller candidates or more boxes");
    },
  ));

// ---------------------------------------------------------------- the manifest and what it names

Deno.test("faults of the manifest: all of them at once, each with line, column and remedy, and nothing is made", () =>
  inFolder({
    "pipeline.json": {
      version: 1,
      source: { use: "tomograms", options: { paths: ["*.mrc"], contrats: "dark", truth: "truht.csv" } },
      stages: [{ use: "dog", options: { particleDiametreAngstrom: 100 } }, { use: "boxs" }],
      sink: [],
    },
    "truth.csv": "tomogram,x,y,z,label\n",
  }, async (folder) => {
    const { problems } = await fails(2, folder);
    for (
      const words of [
        /:\d+:\d+ .*contrats.*"contrast"/,
        /truht\.csv.*did you mean "truth\.csv"/,
        /"particleDiametreAngstrom": did you mean "particleDiameterAngstrom"/,
        /boxs.*did you mean "boxes"/,
        /unknown key "sink": did you mean "sinks"/,
      ]
    ) {
      assert.equal(problems.filter((problem) => words.test(problem)).length, 1, `${words} is not once in\n${problems.join("\n")}`);
    }
    for (const problem of problems) assert.match(problem, /^\S+pipeline\.json:\d+:\d+ /);
    assert.deepEqual(filesBelow(folder), ["pipeline.json", "truth.csv"]);
  }));

Deno.test("files that are not there: the manifest's line, the file, and the name that it may have been", () =>
  inFolder({ "pipeline.json": pipeline({ source: tomograms({ paths: ["tomo_1.mrc", "raw/*.mrc"] }) }) }, async (folder) => {
    await writeSample(`${folder}/tomo1.mrc`);
    const { problems } = await fails(2, folder);
    assert.equal(problems.length, 2);
    assert.match(problems[0], /pipeline\.json:\d+:\d+ source "tomograms": no such file "tomo_1\.mrc": did you mean "tomo1\.mrc"\?/);
    assert.match(problems[1], /no file matches "raw\/\*\.mrc"/);
    const [missing] = (await failing(2, "run", `${folder}/pipelines.json`)).problems;
    assert.match(missing, /pipelines\.json: no such file: did you mean "pipeline\.json"\?/);
  }));

Deno.test("truth that names other tomograms is refused before anything is learnt; mended, --resume goes on", () =>
  inFolder({
    "pipeline.json": pipeline({ source: tomograms({ truth: "truth.csv" }) }),
    "truth.csv": "tomogram,x,y,z,label\nother,8,8,8,round\n",
  }, async (folder) => {
    await writeSample(`${folder}/a.mrc`);
    const fault = await fails(1, folder);
    assertSays(fault, `${folder}/truth.csv`, `"other"`, `"a"`, "column tomogram");
    assert.doesNotMatch(fault.stderr, /iteration 0/);
    Deno.writeTextFileSync(`${folder}/truth.csv`, "tomogram,x,y,z,label\na,40,40,24,round\na,24,40,24,rod\n");
    const { metrics } = await resumes(folder) as { metrics: { recall: number } };
    assert.equal(metrics.recall, 1);
  }));

Deno.test("truth with a word for a coordinate: file and line, before the first tomogram is picked", () =>
  inFolder({
    "pipeline.json": pipeline({ source: tomograms({ truth: "truth.csv" }) }),
    "truth.csv": "tomogram,x,y,z,label\na,8,8,8,round\na,8,eight,8,rod\n",
  }, async (folder) => {
    await writeSample(`${folder}/a.mrc`);
    const fault = await fails(1, folder);
    assertSays(fault, `${folder}/truth.csv`, "line 3", "y", "eight");
    assert.doesNotMatch(fault.stderr, /stages\[0\]/);
  }));

Deno.test("truth of a stack with fewer labels than boxes: file and both numbers", () =>
  inFolder({
    "pipeline.json": pipeline({
      source: { use: "subtomogram-stack", options: { path: "boxes.mrcs", contrast: "bright", truth: "truth.csv" } },
      stages: [],
    }),
    "truth.csv": "label\nround\nrod\n",
  }, async (folder) => {
    await writeSample(`${folder}/boxes.mrcs`, { shapeZyx: [16 * 25, 16, 16] });
    assertSays(await fails(1, folder), `${folder}/truth.csv`, "2 labels", "box 3");
  }));

// ---------------------------------------------------------------- folders

Deno.test("a run folder that is not empty: what is in it, --resume and run.dir; nothing in it is touched", () =>
  inFolder({ "pipeline.json": pipeline() }, async (folder) => {
    await writeSample(`${folder}/a.mrc`);
    Deno.mkdirSync(`${folder}/run`);
    Deno.writeTextFileSync(`${folder}/run/notes.txt`, "mine");
    assertSays(await fails(2, folder), `${folder}/run`, "not empty", "notes.txt", "--resume", "run.dir");
    assertSays(await fails(2, folder, "--resume"), `${folder}/run`, "no manifest.json", "another run.dir");
    assert.deepEqual(filesBelow(`${folder}/run`), ["notes.txt"]);
  }));

Deno.test("a finished run is not overwritten, and --resume with another pipeline says what changed", () =>
  inFolder({ "pipeline.json": pipeline() }, async (folder) => {
    await writeSample(`${folder}/a.mrc`);
    await tomosieveJson("run", `${folder}/pipeline.json`, ...allowed);
    const before = filesBelow(`${folder}/run`);
    assertSays(await fails(2, folder), "not empty", "--resume");
    Deno.writeTextFileSync(`${folder}/pipeline.json`, JSON.stringify(pipeline({ stages: [dog({ minimumDistanceVoxels: 11 }), boxes()] })));
    const { problems } = await fails(2, folder, "--resume");
    assert.match(
      problems.join("\n"),
      /the manifest has changed.*another run\.dir[^]*stages\[0\]\.options\.minimumDistanceVoxels: was 10, is 11/,
    );
    assert.deepEqual(filesBelow(`${folder}/run`), before);
  }));

Deno.test("a run folder that another process works in: who, and to wait; nothing in it is touched", () =>
  inFolder({ "pipeline.json": pipeline() }, async (folder) => {
    await writeSample(`${folder}/a.mrc`);
    Deno.mkdirSync(`${folder}/run`);
    using lock = Deno.openSync(`${folder}/run/run.lock`, { write: true, create: true });
    lock.lockSync(true);
    lock.writeSync(new TextEncoder().encode("microscope-7 pid 4711\n"));
    const fault = await failing(1, "run", `${folder}/pipeline.json`, ...allowed);
    assertSays(fault, `${folder}/run`, "another process works in this folder", "microscope-7 pid 4711", "wait for it");
    assert.deepEqual(filesBelow(`${folder}/run`), ["run.lock"]);
    assert.equal(Deno.readTextFileSync(`${folder}/run/run.lock`), "microscope-7 pid 4711\n");
  }));

Deno.test("a file where the run folder is to be: both names, and nothing is made", () =>
  inFolder({ "pipeline.json": pipeline({ run: { dir: "a.mrc/run" } }) }, async (folder) => {
    await writeSample(`${folder}/a.mrc`);
    assertSays(await fails(2, folder), "run.dir", `${folder}/a.mrc is a file`);
    assertSays(await fails(2, folder, "--run-dir", `${folder}/a.mrc`), "--run-dir", `${folder}/a.mrc is a file`);
    assert.deepEqual(filesBelow(folder), ["a.mrc", "pipeline.json"]);
  }));

Deno.test("simulate into a folder that cannot be: one error", () =>
  inFolder({
    "scene.json": {
      species: [{ model: "cap", diameterAngstrom: 100, count: 1 }],
      voxelSizeAngstrom: 10,
      snr: 1,
      tomograms: [{ id: "a", shapeXyzVoxels: [32, 32, 32] }],
    },
    "file": "",
  }, async (folder) => {
    const fault = await failing(1, "simulate", `${folder}/scene.json`, "--out", `${folder}/file/data`);
    assertSays(fault, `${folder}/file/data`, "a file stands where a folder is needed");
    assert.deepEqual(filesBelow(folder), ["file", "scene.json"]);
  }));

/** Mounts a small file system at `path`, or says why that is impossible here. */
function mount(path: string, sizeKib: number): string | null {
  Deno.mkdirSync(path, { recursive: true });
  try {
    const { success, stderr } = new Deno.Command("mount", { args: ["-t", "tmpfs", "-o", `size=${sizeKib}k`, "tmpfs", path] }).outputSync();
    return success ? null : new TextDecoder().decode(stderr).trim();
  } catch (error) {
    return String(error);
  }
}
const remount = (path: string, options: string) => new Deno.Command("mount", { args: ["-o", `remount,${options}`, path] }).outputSync();

const cannotMount = await inFolder({}, (folder) => {
  const fault = mount(`${folder}/mounted`, 64);
  if (fault === null) new Deno.Command("umount", { args: [`${folder}/mounted`] }).outputSync();
  return Promise.resolve(fault);
});
if (cannotMount !== null) console.log(`skipped: the tests of full and read-only disks, which need to mount a tmpfs: ${cannotMount}`);

/** A folder with a small disk mounted at `disk`. */
function withDisk(sizeKib: number, files: Json, work: (folder: string) => Promise<void>): Promise<void> {
  return inFolder(files, async (folder) => {
    assert.equal(mount(`${folder}/disk`, sizeKib), null);
    try {
      await work(folder);
    } finally {
      new Deno.Command("umount", { args: ["-l", `${folder}/disk`] }).outputSync();
    }
  });
}

Deno.test({
  name: "a read-only file system: run, infer and simulate name the folder and leave it as it is",
  ignore: cannotMount !== null,
  fn: () =>
    withDisk(256, { "pipeline.json": pipeline({ run: { dir: "disk/run" } }) }, async (folder) => {
      await writeSample(`${folder}/a.mrc`);
      assert.ok(remount(`${folder}/disk`, "ro").success);
      assertSays(
        await fails(1, folder),
        `${folder}/disk/run`,
        /read-only file system/i,
        "choose a folder that you may write to",
        "--run-dir",
      );
      const scene = {
        species: [{ model: "cap", diameterAngstrom: 100, count: 1 }],
        voxelSizeAngstrom: 10,
        snr: 1,
        tomograms: [{ id: "a", shapeXyzVoxels: [32, 32, 32] }],
      };
      Deno.writeTextFileSync(`${folder}/scene.json`, JSON.stringify(scene));
      assertSays(
        await failing(1, "simulate", `${folder}/scene.json`, "--out", `${folder}/disk/data`),
        `${folder}/disk/data`,
        "read-only",
        "choose another folder",
      );
      assert.deepEqual(filesBelow(`${folder}/disk`), []);
    }),
});

/** Bytes that stand in the way until they are removed. */
const STONE = "stone";

/** Kibibytes left free at the start: the disk is full when boxes, checkpoints, the ledger, the model or results are written. */
const FREE_KIB = [0, 40, 200, 500, 900, 1300, 1700];
for (const free of FREE_KIB) {
  Deno.test({
    name:
      `a disk with ${free} KiB left: file or step, that it is full, and --resume; once there is room, --resume gives what a whole run gives`,
    ignore: cannotMount !== null,
    fn: () =>
      withDisk(8192, {
        "pipeline.json": pipeline({
          source: tomograms(),
          // Checkpoints of 400 kB.
          learn: learner({ ballast: 100_000, iterations: 2 }),
          sinks: [{ use: "particles-table" }, { use: "relion-star" }],
          run: { dir: "disk/run", threads: 1 },
        }),
      }, async (folder) => {
        await writeSample(`${folder}/a.mrc`, { shapeZyx: [48, 48, 48] });
        await writeSample(`${folder}/b.mrc`, { shapeZyx: [48, 48, 48], seed: 2 });
        Deno.writeFileSync(`${folder}/disk/${STONE}`, Buffer.alloc((8192 - free) * 1024, 1));
        const fault = await failing(1, "run", `${folder}/pipeline.json`, ...allowed, "--resume");
        assertSays(fault, "disk", /\bfull\b/, "--resume", `${folder}/disk/run`);
        await assertWhole(`${folder}/disk`);
        Deno.removeSync(`${folder}/disk/${STONE}`);
        await tomosieveJson("run", `${folder}/pipeline.json`, "--resume", ...allowed);
        await assertWhole(`${folder}/disk/run`);
        await tomosieveJson("run", `${folder}/pipeline.json`, ...allowed, "--run-dir", `${folder}/whole`);
        const read = (run: string) => Deno.readTextFileSync(`${run}/particles.csv`);
        assert.equal(read(`${folder}/disk/run`), read(`${folder}/whole`));
        assert.deepEqual(filesBelow(`${folder}/disk/run`), filesBelow(`${folder}/whole`));
      }),
  });
}
