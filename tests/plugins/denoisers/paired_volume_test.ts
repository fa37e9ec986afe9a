import assert from "node:assert/strict";
import type { Tomogram, Triple } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import pairedVolume from "../../../plugins/denoisers/paired_volume.ts";
import { writeMrcVolume } from "../../../plugins/formats/mrc.ts";
import { turnBox, turnedShape } from "../../../plugins/formats/turned_volume.ts";
import type { FrameChange } from "../../../plugins/kernels/permute_geometry.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { memoryContext, memoryTomogram, memoryVolume } from "../memory_context.ts";

const SHAPE: Triple = [6, 10, 8];
const random = createRandom(2, "paired test");
const density = Float32Array.from({ length: 480 }, () => random.normal());

/** A tomogram of dark particles in `folder`, and a paired file. */
async function setUp(folder: string, paired: { name?: string; shape?: Triple; size?: number; sign?: number } = {}) {
  const { name = "cell_isonet.mrc", shape = SHAPE, size = 10, sign = -1 } = paired;
  await writeMrcVolume(`${folder}/${name}`, {
    shapeZyx: shape,
    voxelSizeAngstrom: size,
    voxels: density.slice(0, shape[0] * 80).map((v) => sign * v),
  });
  const raw = memoryVolume(density.map((v) => v + 0.1), SHAPE, 10);
  return { ...memoryTomogram({ raw }, "cell"), metadata: { path: `${folder}/cell.mrc`, contrast: "dark" } };
}

async function pair(tomogram: Tomogram, given: Record<string, unknown>) {
  const context = memoryContext();
  await using denoiser = await pairedVolume.create(pairedVolume.options.parse(given), context, {}) as AsyncDisposable & {
    apply(t: Tomogram, s: AbortSignal): Promise<Tomogram>;
  };
  const out = await denoiser.apply(tomogram, context.signal);
  const name = String(given.name ?? "corrected");
  return { out, context, voxels: await out.volumes[name].readSlab(0, SHAPE[0]) };
}

async function inFolder(work: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("`paired-volume` finds a file by suffix, makes its particles bright and leaves the raw volume", () =>
  inFolder(async (folder) => {
    const tomogram = await setUp(folder), { out, voxels, context } = await pair(tomogram, { suffix: "_isonet" });
    assert.deepEqual(Object.keys(out.volumes), ["raw", "corrected"]);
    assert.deepEqual(voxels, density);
    assert.equal(out.volumes.raw, tomogram.volumes.raw);
    assert.equal(out.metadata["volume corrected"], "cell_isonet.mrc, particles dark");
    assert.deepEqual(context.told, []);
  }));

Deno.test("`paired-volume` finds a file by folder and extension, with its own contrast", () =>
  inFolder(async (folder) => {
    await Deno.mkdir(`${folder}/warp`);
    const tomogram = await setUp(folder, { name: "warp/cell.rec", sign: 1 });
    const { voxels } = await pair(tomogram, { folder: `${folder}/warp`, extension: ".rec", name: "warp", contrast: "bright" });
    assert.deepEqual(voxels, density);
  }));

Deno.test("`paired-volume` warns when the contrast seems to be the other", () =>
  inFolder(async (folder) => {
    const { context } = await pair(await setUp(folder, { sign: 1 }), { suffix: "_isonet" });
    assert.deepEqual(context.told.map(({ code }) => code), ["paired-contrast"]);
    assert.match(
      context.told[0].message,
      /correlates negatively with tomogram "cell" \(-1\.00 .*particles seem to be bright in it; set "contrast": "bright"/,
    );
  }));

Deno.test("`paired-volume` takes a file without a voxel size to agree", () =>
  inFolder(async (folder) => {
    const { out } = await pair(await setUp(folder, { size: 0 }), { suffix: "_isonet" });
    assert.equal(out.volumes.corrected.voxelSizeAngstrom, 10);
  }));

const faults: [string, Parameters<typeof setUp>[1], RegExp][] = [
  ["is missing", { name: "cell_other.mrc" }, /cell_isonet\.mrc: no such file; it was looked for as the paired volume of tomogram "cell"/],
  ["has another shape", { shape: [5, 10, 8] }, /has 8 x 10 x 5 voxels \(x, y, z\), tomogram "cell" 8 x 10 x 6/],
  ["has another voxel size", { size: 13.48 }, /header voxel size 13\.48 A, tomogram "cell" has 10 A \(35 % apart\)/],
];
for (const [what, paired, message] of faults) {
  Deno.test(`\`paired-volume\` refuses a file that ${what}`, () =>
    inFolder(async (folder) => {
      const tomogram = await setUp(folder, paired);
      await assert.rejects(pair(tomogram, { suffix: "_isonet" }), (e: Error) => e instanceof InputError && message.test(e.message));
    }));
}

Deno.test("`paired-volume` asks for a suffix or a folder", () => {
  assert.match(pairedVolume.check!(pairedVolume.options.parse({}))[0], /state "suffix", "folder" or both, "file" or "list"/);
  assert.deepEqual(pairedVolume.check!(pairedVolume.options.parse({ suffix: "_x" })), []);
});

/** A tomogram of soft blobs without symmetry, and the same lying another way round in a file. */
async function setUpTurned(folder: string, change: FrameChange, shape: Triple = [20, 24, 28], noise = 0.5) {
  const [nz, ny, nx] = shape, draws = createRandom(4, "blobs"), more = createRandom(5, "noise");
  const blobs = Array.from({ length: 30 }, () => [nx, ny, nz].map((n) => n * draws.uniform()));
  const voxels = Float32Array.from({ length: nz * ny * nx }, (_, i) => {
    const x = i % nx, y = Math.floor(i / nx) % ny, z = Math.floor(i / nx / ny);
    return blobs.reduce((sum, [a, b, c]) => sum + Math.exp(-((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) / 8), 0);
  });
  const noisy = voxels.map((value) => -value + noise * more.normal());
  await writeMrcVolume(`${folder}/cell_isonet.mrc`, {
    shapeZyx: turnedShape(shape, change),
    voxelSizeAngstrom: 10,
    voxels: turnBox(voxels.map((value) => -value), shape, change),
  });
  // As the source hands it out: dark particles made bright.
  const raw = memoryVolume(noisy.map((value) => -value), shape, 10);
  return { tomogram: { ...memoryTomogram({ raw }, "cell"), metadata: { path: `${folder}/cell.mrc`, contrast: "dark" } }, voxels };
}

const straight = [false, false, false] as const;
const turned: [string, FrameChange, Triple, RegExp, string][] = [
  [
    "with y and z exchanged",
    { axesXyz: [0, 2, 1], flippedXyz: straight },
    [20, 24, 28],
    /has 28 x 20 x 24 voxels .*axes seem to be exchanged: set "axes": "x, z, y" \(correlation 0\.\d\d\), or make the file again/,
    "x, z, y",
  ],
  [
    "upside down",
    { axesXyz: [0, 1, 2], flippedXyz: [false, false, true] },
    [20, 24, 28],
    /does not lie as tomogram "cell" does: as it is, both correlate by .*; set "axes": "x, y, -z"/,
    "x, y, -z",
  ],
  ["with x and y exchanged in a square", { axesXyz: [1, 0, 2], flippedXyz: straight }, [12, 24, 24], /set "axes": "y, x, z"/, "y, x, z"],
  [
    "turned by a quarter about z",
    { axesXyz: [1, 0, 2], flippedXyz: [true, false, false] },
    [12, 24, 24],
    /set "axes": "y, -x, z"/,
    "y, -x, z",
  ],
  ["turned in a cube", { axesXyz: [1, 2, 0], flippedXyz: [false, true, false] }, [24, 24, 24], /set "axes": "z, x, -y"/, "z, x, -y"],
];
for (const [what, change, shape, message, axes] of turned) {
  Deno.test(`\`paired-volume\` finds that a file lies ${what}, and reads it by the axes that it names`, () =>
    inFolder(async (folder) => {
      const { tomogram, voxels } = await setUpTurned(folder, change, shape);
      await assert.rejects(pair(tomogram, { suffix: "_isonet" }), (e: Error) => e instanceof InputError && message.test(e.message));
      const { out, context } = await pair(tomogram, { suffix: "_isonet", axes });
      assert.deepEqual(await out.volumes.corrected.readSlab(0, shape[0]), voxels);
      const box = await out.volumes.corrected.readBox([3, 5, 7], [2, 3, 4]);
      assert.equal(box[1 * 12 + 2 * 4 + 3], voxels[((3 + 1) * shape[1] + 5 + 2) * shape[2] + 7 + 3]);
      assert.deepEqual(context.told, []);
    }));
}

Deno.test("`paired-volume` keeps a file that lies as it should, in noise too, and one that it is told to trust", () =>
  inFolder(async (folder) => {
    const same = { axesXyz: [0, 1, 2], flippedXyz: straight } as const;
    const noisy = await setUpTurned(folder, same, [24, 24, 24], 3);
    assert.deepEqual((await pair(noisy.tomogram, { suffix: "_isonet" })).context.told, []);
    const flipped = await setUpTurned(folder, { ...same, flippedXyz: [true, false, false] }, [24, 24, 24]);
    await pair(flipped.tomogram, { suffix: "_isonet", orientation: "trust" });
  }));

Deno.test("`paired-volume` finds files by a name with wildcards: DeepDeWedge", () =>
  inFolder(async (folder) => {
    const tomogram = await setUp(folder, { name: "cell_even+cell_odd_refined.mrc" });
    assert.deepEqual((await pair(tomogram, { file: "{id}_even*_refined.mrc" })).voxels, density);
    await setUp(folder, { name: "cell_even+other_refined.mrc" });
    await assert.rejects(
      pair(tomogram, { file: "{id}_even*_refined.mrc" }),
      /2 files match: cell_even\+cell_odd_refined\.mrc, cell_even\+other/,
    );
    await assert.rejects(
      pair(tomogram, { file: "{id}_nothing*.mrc" }),
      /no file matches; it was looked for as the paired volume of tomogram "cell"/,
    );
  }));

const star = (rows: string, columns: readonly string[]) =>
  `data_\n\nloop_\n${columns.map((name, i) => `_${name} #${i + 1}`).join("\n")}\n${rows}\n`;
const lists: [string, string, string, string][] = [
  [
    "IsoNet",
    "tomograms.star",
    star("1 tomos/cell.mrc None out/cell_corrected.mrc", ["rlnIndex", "rlnMicrographName", "rlnDenoisedTomoName", "rlnCorrectedTomoName"]),
    "out/cell_corrected.mrc",
  ],
  [
    "RELION 5",
    "job/tomograms.star",
    star("TS_1 out/rec_other.mrc\ncell out/rec_cell.mrc", ["rlnTomoName", "rlnTomoReconstructedTomogramDenoised"]),
    "out/rec_cell.mrc",
  ],
  [
    "cryoCARE",
    "predict.json",
    JSON.stringify({ path: "m.tar.gz", even: ["t/cell_even.mrc", "t/b_even.mrc"], odd: ["t/cell_odd.mrc", "t/b_odd.mrc"], output: "out" }),
    "out/cell_even.mrc",
  ],
  ["a JSON object", "pairs.json", JSON.stringify({ cell: "out/x.mrc" }), "out/x.mrc"],
  ["a JSON list", "pairs.json", JSON.stringify([{ tomogram: "rec_cell_10.00Apx.mrc", path: "out/y.mrc" }]), "out/y.mrc"],
];
for (const [what, name, text, file] of lists) {
  Deno.test(`\`paired-volume\` finds files by the list of ${what}`, () =>
    inFolder(async (folder) => {
      for (const sub of ["out", "job"]) await Deno.mkdir(`${folder}/${sub}`);
      const tomogram = await setUp(folder, { name: file });
      await Deno.writeTextFile(`${folder}/${name}`, text);
      const { out, voxels } = await pair(tomogram, { list: `${folder}/${name}` });
      assert.deepEqual(voxels, density);
      assert.equal(out.metadata["volume corrected"], `${file.slice(4)}, particles dark`);
    }));
}

Deno.test("`paired-volume` says what a list lacks", () =>
  inFolder(async (folder) => {
    const tomogram = await setUp(folder), list = `${folder}/t.star`;
    const says = async (text: string, message: RegExp) => {
      await Deno.writeTextFile(list, text);
      await assert.rejects(pair(tomogram, { list }), (e: Error) => e instanceof InputError && message.test(e.message));
    };
    await says(star("a.mrc x.mrc", ["rlnMicrographName", "rlnCorrectedTomoName"]), /names no tomogram "cell", only a\.mrc/);
    await says(star("cell.mrc None", ["rlnMicrographName", "rlnCorrectedTomoName"]), /has no file for tomogram "cell" yet/);
    await says(
      star("cell.mrc gone/x.mrc", ["rlnMicrographName", "rlnCorrectedTomoName"]),
      /names gone\/x\.mrc .* not there, neither beside the list nor/,
    );
    await says(star("cell.mrc x.mrc", ["rlnMicrographName", "rlnOther"]), /no table with rlnCorrectedTomoName .*set "column"/);
    await says("[1, 2]", /names no files/);
    assert.equal(pairedVolume.check!(pairedVolume.options.parse({ list: "a", suffix: "_b" })).length, 1);
    assert.equal(pairedVolume.check!(pairedVolume.options.parse({ suffix: "_b", axes: "x, y, y" })).length, 1);
  }));
