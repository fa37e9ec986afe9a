import assert from "node:assert/strict";
import type { Tomogram, Triple } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import pairedVolume from "../../../plugins/denoisers/paired_volume.ts";
import { writeMrcVolume } from "../../../plugins/formats/mrc.ts";
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
  assert.match(pairedVolume.check!(pairedVolume.options.parse({}))[0], /state "suffix", "folder" or both/);
  assert.deepEqual(pairedVolume.check!(pairedVolume.options.parse({ suffix: "_x" })), []);
});
