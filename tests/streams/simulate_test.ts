import assert from "node:assert/strict";
import { openMrcStack, openMrcVolume } from "../../plugins/formats/mrc.ts";
import { parseCsv } from "../../plugins/formats/csv.ts";
import { readSceneFile } from "../../plugins/sources/simulated/read_scene.ts";
import { InputError, ManifestError, RunError } from "../../streams/errors.ts";
import { readScene, simulate } from "../../streams/verbs/simulate.ts";

const SCENE = {
  seed: 3,
  voxelSizeAngstrom: 10,
  snr: 0.5,
  species: [{ model: "ring-of-seven", diameterAngstrom: 160, count: 5 }, { name: "a, b", model: "cap", diameterAngstrom: 160, count: 3 }],
  tomograms: [{ id: "t1", shapeXyzVoxels: [64, 56, 40] }],
  pairedVolumes: [{ name: "clean" }],
};

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function write(folder: string, scene: unknown, name = "scene.json"): Promise<string> {
  await Deno.writeTextFile(`${folder}/${name}`, typeof scene === "string" ? scene : JSON.stringify(scene));
  return `${folder}/${name}`;
}

Deno.test("`simulate()` writes dark volumes, paired volumes and the truth, the same every time", () =>
  inFolder(async (folder) => {
    const scene = await write(folder, SCENE);
    const steps: string[] = [];
    const written = await simulate(scene, `${folder}/out`, { progress: (done, total) => steps.push(`${done}/${total}`) });
    assert.deepEqual(steps, ["1/2", "2/2"]);
    assert.equal(written.particles, 8);
    assert.deepEqual([...Deno.readDirSync(`${folder}/out`)].map((e) => e.name).sort(), ["t1.mrc", "t1_clean.mrc", "truth.csv"]);
    const truth = parseCsv(await Deno.readTextFile(written.truth), "truth.csv");
    assert.deepEqual(truth.header, ["tomogram", "x", "y", "z", "label", "rot", "tilt", "psi"]);
    assert.deepEqual(truth.rows.map((row) => row[4]), [...Array(5).fill("ring-of-seven"), ...Array(3).fill("a, b")]);
    await using clean = await openMrcVolume(`${folder}/out/t1_clean.mrc`);
    assert.deepEqual(clean.shapeZyx, [40, 56, 64]);
    assert.equal(clean.voxelSizeAngstrom, 10);
    assert.equal(clean.header.mode, 2);
    // Dark particles on nothing: around each true centre there is density, and all of it is negative.
    const voxels = await clean.readSlab(0, 40);
    assert.ok(voxels.every((v) => v <= 1e-4));
    for (const row of truth.rows) {
      const [x, y, z] = row.slice(1, 4).map(Number);
      const box = await clean.readBox([Math.round(z) - 5, Math.round(y) - 5, Math.round(x) - 5], [11, 11, 11]);
      assert.ok(box.reduce((a, v) => a + v, 0) < -100, `${row}`);
    }
    await simulate(scene, `${folder}/again`);
    for (const name of ["t1.mrc", "t1_clean.mrc", "truth.csv"]) {
      assert.deepEqual(await Deno.readFile(`${folder}/again/${name}`), await Deno.readFile(`${folder}/out/${name}`), name);
    }
  }));

Deno.test("`simulate()` writes a stack with a truth row for each box; `contrast: bright` is its negative", () =>
  inFolder(async (folder) => {
    const stack = { ...SCENE, tomograms: undefined, pairedVolumes: undefined, stack: { id: "boxes", boxVoxels: 20 } };
    await simulate(await write(folder, stack), `${folder}/dark`);
    await simulate(await write(folder, { ...stack, contrast: "bright" }), `${folder}/bright`);
    await using dark = await openMrcStack(`${folder}/dark/boxes.mrcs`, 20);
    await using bright = await openMrcStack(`${folder}/bright/boxes.mrcs`, 20);
    assert.equal(dark.count, 8);
    const indices = Int32Array.from({ length: 8 }, (_, i) => i);
    const voxels = await dark.read(indices);
    assert.deepEqual((await bright.read(indices)).map((v) => -v), voxels);
    const truth = parseCsv(await Deno.readTextFile(`${folder}/dark/truth.csv`), "truth.csv");
    assert.deepEqual(truth.header, ["label", "rot", "tilt", "psi", "dx", "dy", "dz"]);
    assert.equal(truth.rows.filter((row) => row[0] === "a, b").length, 3);
  }));

Deno.test("`simulate()` takes maps and structures relative to the scene's folder", () =>
  inFolder(async (folder) => {
    const atom = (x: number) => `ATOM      1  CA  ALA A   1    ${x.toFixed(3).padStart(8)}   0.000   0.000  1.00  0.00           C`;
    await Deno.mkdir(`${folder}/models`);
    await Deno.writeTextFile(`${folder}/models/rod.pdb`, [0, 30, 60, 90, 120].map(atom).join("\n"));
    // A map is made by simulating one clean particle.
    const one = {
      ...SCENE,
      snr: null,
      contrast: "bright",
      tiltRangeDegrees: [-90, 90],
      species: [SCENE.species[1]].map((s) => ({ ...s, count: 1 })),
    };
    await simulate(
      await write(folder, { ...one, pairedVolumes: [], tomograms: [{ id: "cap", shapeXyzVoxels: [32, 32, 32] }] }),
      `${folder}/models`,
    );
    const mixed = {
      ...SCENE,
      species: [{ atoms: "models/rod.pdb", resolutionAngstrom: 30, count: 3 }, { map: "models/cap.mrc", mapThreshold: 0.01, count: 3 }],
      pairedVolumes: [],
    };
    const path = await write(folder, mixed);
    const written = await simulate(path, `${folder}/out`);
    const labels = parseCsv(await Deno.readTextFile(written.truth), "truth.csv").rows.map((row) => row[4]);
    assert.deepEqual(labels, [..."rrrccc"].map((c) => c === "r" ? "rod" : "cap"));
    assert.deepEqual(await readSceneFile(path), await readScene(path));
  }));

const ONE_LINE = JSON.stringify(SCENE);
const faulty: readonly (readonly [string, string, RegExp])[] = [
  ["broken JSON", '{\n  "seed": 3,,\n}', /^scene\.json:2:\d+ not valid JSON/],
  ["an unknown key", ONE_LINE.replace('"seed"', '"sed"'), /^scene\.json:1:2 unknown key "sed": did you mean "seed"\? \[unknown-key\]/],
  [
    "a unit left out",
    ONE_LINE.replace("diameterAngstrom", "diameter"),
    /unknown key "species\[0\]\.diameter": did you mean "diameterAngstrom"\?/,
  ],
  ["an unknown model", ONE_LINE.replace('"cap"', '"cup"'), /"species\[1\]\.model" is "cup".*did you mean "cap"\?/],
  ["a missing SNR", ONE_LINE.replace('"snr":0.5,', ""), /key "snr" is missing: variance of a lone particle's signal/i],
  ["a negative size", ONE_LINE.replace("[64,56,40]", "[64,-56,40]"), /"tomograms\[0\]\.shapeXyzVoxels\[1\]" is -56, expected at least 8/],
  [
    "a fault between values",
    ONE_LINE.replace('"model":"cap",', ""),
    /^scene\.json:1:\d+ no density: state one of "model", "map", "atoms" \[bad-scene\]/,
  ],
  ["an empty file", "", /the file is empty/],
];
for (const [what, text, expected] of faulty) {
  Deno.test(`\`readScene()\` answers ${what} with its place and a remedy`, () =>
    inFolder(async (folder) => {
      await assert.rejects(readScene(await write(folder, text)), (e) =>
        e instanceof ManifestError && e.problems.some((problem) => expected.test(problem)) || assert.fail(String(e)));
      await assert.rejects(readSceneFile(`${folder}/scene.json`), InputError);
    }));
}

Deno.test("`simulate()` leaves nothing behind when a scene cannot be simulated", () =>
  inFolder(async (folder) => {
    const out = `${folder}/out`;
    await assert.rejects(simulate(`${folder}/none.json`, out), (e) => e instanceof InputError && /no such scene file/.test(e.message));
    const crowded = { ...SCENE, species: [{ ...SCENE.species[0], count: 500 }] };
    await assert.rejects(simulate(await write(folder, crowded), out), (e) =>
      e instanceof RunError && /no room for "ring-of-seven"/.test(e.message));
    const noMap = { ...SCENE, species: [{ map: "none.mrc", count: 1 }] };
    await assert.rejects(simulate(await write(folder, noMap), out), InputError);
    const big = { ...SCENE, species: [{ ...SCENE.species[0] }], snrBoxVoxels: 12 };
    await assert.rejects(simulate(await write(folder, big), out), /"ring-of-seven" is 16\.0 voxels across and does not fit the box of 12/);
    await assert.rejects(Deno.stat(out), Deno.errors.NotFound);
    const abort = new AbortController();
    const stopped = simulate(await write(folder, SCENE), out, {
      signal: abort.signal,
      progress: () =>
        abort.abort(new Error("stopped")),
    });
    await assert.rejects(stopped, /stopped/);
    assert.deepEqual([...Deno.readDirSync(out)].map((e) => e.name), ["t1.mrc"]);
  }));

Deno.test("the scenes of the examples are valid", async () => {
  for (const name of ["quickstart", "isonet", "incremental"]) {
    const path = new URL(`../../examples/${name}/scene.json`, import.meta.url).pathname;
    const scene = await readScene(path);
    assert.ok(scene.tomograms!.length > 0);
    assert.deepEqual(await readSceneFile(path), scene);
  }
});
