import assert from "node:assert/strict";
import { temporaryFolder } from "../../plugins/formats/reading.ts";
import { commandLine, csvOf, DIMS, particles, SIZED } from "./particle_files.ts";
import { writeMrcVolume } from "../../../plugins/formats/mrc.ts";
import { openVolumeFile } from "../../../plugins/formats/volume_file.ts";
import { readParticles } from "../../../plugins/formats/particles.ts";
import { ManifestError } from "../../../streams/errors.ts";
import { targetFormat } from "../../../streams/verbs/convert.ts";

const POINTS = particles(12, "convert");

async function withFiles(work: (folder: string) => Promise<void>): Promise<void> {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(`${folder.path}/a.csv`, csvOf(POINTS, true));
  await work(folder.path);
}

Deno.test("convert writes what the ending says, and says what it assumed", () =>
  withFiles(async (folder) => {
    const { code, out, err } = await commandLine(["convert", `${folder}/a.csv`, `${folder}/b.star`, ...SIZED, "--json"]);
    assert.equal(code, 0);
    const summary = JSON.parse(out);
    assert.deepEqual([summary.status, summary.from, summary.to, summary.particles, summary.tomograms], ["done", "csv", "relion5", 12, 1]);
    assert.match(err, /coordinates are written as counted from the tomogram's centre, index dims \/ 2/);
    assert.match(err, /the coordinates count voxels of the tomogram \(7\.84 A\): the file states no voxel size/);
    assert.match(err, /optics table is new: 300 kV/);
    assert.match(err, /b\.star: 12 particles of 1 tomogram, from CSV table to RELION 5 STAR/);
    const back = await readParticles(`${folder}/b.star`);
    assert.ok(Math.abs(back.positionsXyz[0] - (POINTS[0][0] - DIMS[0] / 2) * 7.84) < 1e-5);
  }));

Deno.test("convert takes sizes from a tomogram, and from RELION's tomograms.star", () =>
  withFiles(async (folder) => {
    await writeMrcVolume(`${folder}/TS_01.mrc`, { shapeZyx: [9, 8, 6], voxelSizeAngstrom: 10, voxels: new Float32Array(432) });
    await commandLine(["convert", `${folder}/a.csv`, `${folder}/b.star`, "--tomogram", `${folder}/TS_01.mrc`]);
    assert.ok(Math.abs((await readParticles(`${folder}/b.star`)).positionsXyz[0] - (POINTS[0][0] - 3) * 10) < 1e-5);
    // Unbinned voxels of 2.5 A: the same tomogram is 24 x 32 x 36 of them.
    const table =
      "data_global\nloop_\n_rlnTomoName\n_rlnTomoSizeX\n_rlnTomoSizeY\n_rlnTomoSizeZ\n_rlnTomoTiltSeriesPixelSize\n_rlnTomoTomogramBinning\nTS_01 24 32 36 2.5 4\n";
    await Deno.writeTextFile(`${folder}/tomograms.star`, table);
    const { err } = await commandLine([
      "convert",
      `${folder}/b.star`,
      `${folder}/c.coords`,
      "--tomogram",
      `${folder}/tomograms.star`,
      "--to-voxel-size",
      "10",
    ]);
    assert.ok(Math.abs((await readParticles(`${folder}/c.coords`)).positionsXyz[0] - POINTS[0][0]) < 1e-5, err);
    await assert.rejects(
      commandLine(["convert", `${folder}/a.csv`, `${folder}/d.star`, "--tomogram", `${folder}/TS_01.mrc`, "--voxel-size", "13.48"]),
      /header voxel size 10 A, .*13\.48 A \(26 % apart\)/,
    );
  }));

Deno.test("convert writes a file for each tomogram where the name asks for it", () =>
  withFiles(async (folder) => {
    await Deno.writeTextFile(`${folder}/many.csv`, "tomogram,x,y,z\na/TS_01.mrc,1,2,3\nTS 2,4,5,6\na/TS_01.mrc,7,8,9\n");
    await commandLine(["convert", `${folder}/many.csv`, `${folder}/{tomogram}.coords`]);
    assert.equal(await Deno.readTextFile(`${folder}/TS_01.coords`), "1 2 3\n7 8 9\n");
    assert.equal(await Deno.readTextFile(`${folder}/TS_2.coords`), "4 5 6\n");
    await assert.rejects(commandLine(["convert", `${folder}/many.csv`, `${folder}/one.coords`]), /of 2 tomograms.*\{tomogram\}/);
    await commandLine(["convert", `${folder}/many.csv`, `${folder}/one.coords`, "--only", "TS_01"]);
    assert.equal(await Deno.readTextFile(`${folder}/one.coords`), "1 2 3\n7 8 9\n");
  }));

Deno.test("convert mends in the order scale, axes, mirror, shift", () =>
  withFiles(async (folder) => {
    await Deno.writeTextFile(`${folder}/p.coords`, "10 20 30\n");
    const words = ["--scale", "0.5", "--swap-axes", "yz", "--mirror", "x", "--shift", "-1,0,2", "--dims", "100,100,100"];
    await commandLine(["convert", `${folder}/p.coords`, `${folder}/q.coords`, ...words]);
    // 5 10 15, then 5 15 10, then 94 15 10, then 93 15 12.
    assert.equal(await Deno.readTextFile(`${folder}/q.coords`), "93 15 12\n");
  }));

Deno.test("convert leaves files alone that it was not told to replace", () =>
  withFiles(async (folder) => {
    await Deno.writeTextFile(`${folder}/b.coords`, "mine\n");
    const words = ["convert", `${folder}/a.csv`, `${folder}/b.coords`];
    await assert.rejects(commandLine(words), /b\.coords exists: give another name, or --overwrite/);
    assert.equal(await Deno.readTextFile(`${folder}/b.coords`), "mine\n");
    await commandLine([...words, "--overwrite"]);
    assert.equal((await readParticles(`${folder}/b.coords`)).count, 12);
    await assert.rejects(commandLine(["convert", `${folder}/a.csv`, `${folder}/./a.csv`, "--overwrite"]), /is the file that is read/);
  }));

Deno.test("convert writes volumes too: MRC to OME-Zarr and back", () =>
  withFiles(async (folder) => {
    const voxels = Float32Array.from({ length: 432 }, (_, i) => i / 7);
    await writeMrcVolume(`${folder}/v.mrc`, { shapeZyx: [9, 8, 6], voxelSizeAngstrom: 10, voxels });
    const { err } = await commandLine(["convert", `${folder}/v.mrc`, `${folder}/v.zarr`]);
    assert.match(err, /OME-Zarr, 6 x 8 x 9 voxels \(x, y, z\), 10 A a voxel, from MRC/);
    await commandLine(["convert", `${folder}/v.zarr`, `${folder}/w.mrc`]);
    await using back = await openVolumeFile(`${folder}/w.mrc`);
    assert.deepEqual(await back.readSlab(0, 9), voxels);
    await assert.rejects(commandLine(["convert", `${folder}/a.csv`, `${folder}/x.mrc`]), /its ending names no format of particles/);
    // An .em file is a motive list or a volume, as its source is.
    await commandLine(["convert", `${folder}/v.mrc`, `${folder}/v.em`]);
    await commandLine(["convert", `${folder}/a.csv`, `${folder}/a.em`]);
    await using volume = await openVolumeFile(`${folder}/v.em`);
    assert.deepEqual(volume.shapeZyx, [9, 8, 6]);
    assert.equal((await readParticles(`${folder}/a.em`)).format, "tom-motl");
  }));

for (
  const [words, expected] of [
    [["--to", "relion6"], /--to is "relion6": formats are .*did you mean "relion5"/],
    [["--unit", "nm"], /--unit is "nm": expected voxel, angstrom/],
    [["--centre", "hallf"], /--centre is "hallf".*did you mean "half"/],
    [["--dims", "1,2"], /--dims is "1,2": expected three numbers x,y,z above 0/],
    [["--swap-axes", "xx"], /--swap-axes is "xx": expected two axes/],
    [["--mirror", "q"], /--mirror is "q"/],
    [["--angles", "mirror"], /--angles is "mirror": expected invert, reverse, zxz/],
    [["--first-voxel", "2"], /--first-voxel is "2": expected 0, 1/],
  ] as const
) {
  Deno.test(`convert ${words.join(" ")} is refused with what was expected`, () =>
    withFiles(async (folder) => {
      await assert.rejects(commandLine(["convert", `${folder}/a.csv`, `${folder}/b.tbl`, ...words]), (error: Error) =>
        error instanceof ManifestError && expected.test(error.message));
    }));
}

Deno.test("targetFormat() keeps STAR dialects and refuses endings that mean nothing", () => {
  assert.deepEqual(
    ["b.star", "b.json", "b.tbl", "b.em", "b.mod", "b.ndjson", "B.CSV"].map((name) => targetFormat(name, undefined, "csv")),
    [
      ...["relion5", "copick", "dynamo", "tom-motl", "imod", "portal", "csv"],
    ],
  );
  assert.deepEqual(["relion3.1", "warp", "stopgap", "m"].map((source) => targetFormat("b.star", undefined, source)), [
    "relion3.1",
    "warp",
    "stopgap",
    "m",
  ]);
  assert.equal(targetFormat("b.json", undefined, "eman-json"), "eman-json");
  assert.throws(() => targetFormat("b.png", undefined, "csv"), /its ending names no format of particles: give --to FORMAT/);
});
