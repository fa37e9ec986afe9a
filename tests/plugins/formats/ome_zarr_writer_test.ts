import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { decodeBase64, readFixture, temporaryFolder } from "./reading.ts";
import { copyVolume } from "../../../plugins/formats/copy_volume.ts";
import { writeMrcVolume } from "../../../plugins/formats/mrc.ts";
import { createOmeZarrWriter } from "../../../plugins/formats/ome_zarr_writer.ts";
import { describeVolumeFile, openVolumeFile, streamVolumeFile, voxelSizeOf } from "../../../plugins/formats/volume_file.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import type { Triple } from "../../../streams/contract.ts";
import { RunError, ShapeError } from "../../../streams/errors.ts";

function noise(shape: Triple): Float32Array {
  const random = createRandom(4, "ome-zarr");
  return Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, () => random.normal());
}

/** Means of eight are summed in another order. */
const MEAN_TOLERANCE = 1e-6;

Deno.test("createOmeZarrWriter() writes a pyramid that reads back, each level the means of the one before", async () => {
  await using folder = await temporaryFolder();
  const shape: Triple = [131, 70, 133], [nz, ny, nx] = shape, voxels = noise(shape), path = `${folder.path}/new/a.zarr`;
  const writer = await createOmeZarrWriter(path, { shapeZyx: shape, voxelSizeAngstrom: 10 });
  for (let z = 0; z < nz; z += 9) await writer.writeSlab(voxels.subarray(z * ny * nx, Math.min(nz, z + 9) * ny * nx));
  const { statistics } = await writer.finish();
  assert.equal(statistics.max, voxels.reduce((a, b) => Math.max(a, b)));
  await using fine = await openVolumeFile(path);
  assert.deepEqual(await fine.readSlab(0, nz), voxels);
  const coarse = await describeVolumeFile(path, { wantedVoxelSizeAngstrom: 20 });
  assert.deepEqual([coarse.shapeZyx, voxelSizeOf(coarse), coarse.originXyzAngstrom], [[65, 35, 66], 20, [5, 5, 5]]);
  await using half = await openVolumeFile(coarse.locator);
  for (const [z, y, x] of [[0, 0, 0], [64, 34, 65], [13, 20, 7]]) {
    let mean = 0;
    for (let i = 0; i < 8; i++) mean += voxels[((2 * z + (i >> 2)) * ny + 2 * y + ((i >> 1) & 1)) * nx + 2 * x + (i & 1)] / 8;
    const [found] = await half.readBox([z, y, x], [1, 1, 1]);
    assert.ok(Math.abs(found - mean) < MEAN_TOLERANCE, `${found} and ${mean}`);
  }
  const smallest = await describeVolumeFile(path, { wantedVoxelSizeAngstrom: 1e6 });
  assert.deepEqual([smallest.shapeZyx, smallest.originXyzAngstrom], [[32, 17, 33], [15, 15, 15]]);
  assert.deepEqual(Array.from(Deno.readDirSync(`${folder.path}/new`), ({ name }) => name), ["a.zarr"]);
});

Deno.test("a single section, float16, and an unset voxel size", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/a.zarr`, voxels = noise([1, 200, 3]);
  const writer = await createOmeZarrWriter(path, { shapeZyx: [1, 200, 3], voxelSizeAngstrom: 0, voxelType: "float16" });
  await writer.writeSlab(voxels);
  await writer.finish();
  const description = await describeVolumeFile(path);
  assert.deepEqual([description.voxelType, voxelSizeOf(description), description.facts.levels.split(",").length], ["float16", 0, 3]);
  await using volume = await openVolumeFile(path);
  assert.deepEqual(await volume.readSlab(0, 1), Float32Array.from(new Float16Array(voxels)));
});

Deno.test("a writer that is given up leaves nothing, and nothing is overwritten", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/a.zarr`, options = { shapeZyx: [2, 2, 2] as const, voxelSizeAngstrom: 1 };
  {
    await using writer = await createOmeZarrWriter(path, options);
    await writer.writeSlab(Float32Array.of(1, 2, 3, 4));
    await assert.rejects(writer.finish(), /1 sections were written, 2 were announced/);
    await assert.rejects(writer.writeSlab(new Float32Array(3)), ShapeError);
    await assert.rejects(writer.writeSlab(Float32Array.of(1, NaN, 3, 4)), /voxel x 1, y 0, z 1 is NaN/);
  }
  assert.deepEqual([...Deno.readDirSync(folder.path)], []);
  await Deno.mkdir(path);
  await assert.rejects(
    createOmeZarrWriter(path, options),
    (error: Error) => error instanceof RunError && /of that name exists/.test(error.message),
  );
});

Deno.test("copyVolume() goes from any format to MRC and OME-Zarr, with the statistics of what was written", async () => {
  await using folder = await temporaryFolder();
  const voxels = noise([5, 6, 7]), at = (name: string) => `${folder.path}/${name}`;
  await writeMrcVolume(at("a.mrc"), { shapeZyx: [5, 6, 7], voxels, voxelSizeAngstrom: 13.48 });
  await Deno.writeFile(at("a.mrc.gz"), gzipSync(await Deno.readFile(at("a.mrc"))));
  await copyVolume(at("a.mrc.gz"), at("b.zarr"));
  const { statistics } = await copyVolume(at("b.zarr"), at("c.mrc"), { half: true });
  const description = await describeVolumeFile(at("c.mrc")), header = description.statistics!;
  assert.deepEqual([description.voxelType, voxelSizeOf(description), header.max], ["float16", 13.48, statistics.max]);
  const [piece] = await Array.fromAsync(streamVolumeFile(description));
  assert.deepEqual(piece, Float32Array.from(new Float16Array(voxels)));
  await copyVolume(at("a.mrc.gz"), at("d.em"));
  const em = await describeVolumeFile(at("d.em"));
  assert.deepEqual([em.format, em.shapeZyx, voxelSizeOf(em)], ["EM", [5, 6, 7], 13.48]);
  assert.deepEqual(await Array.fromAsync(streamVolumeFile(em)), [voxels]);
  await assert.rejects(copyVolume(at("a.mrc"), at("e.em"), { half: true }), /hold no half-precision numbers/);
  await assert.rejects(copyVolume(at("a.mrc"), at("x.txt")), /is no name of a volume/);
  // Exchanged axes are put in order; a stack of volumes stays one.
  const { files } = readFixture<{ files: Record<string, { file: string; values: number[]; shapeZyx: Triple }> }>("mrc");
  await Deno.writeFile(at("p.mrc"), decodeBase64(files["axes 3 1 2"].file));
  await copyVolume(at("p.mrc"), at("q.mrc"));
  const straight = await describeVolumeFile(at("q.mrc"));
  assert.deepEqual([straight.axes, straight.shapeZyx], [[1, 2, 3], files["axes 3 1 2"].shapeZyx]);
  await using q = await openVolumeFile(at("q.mrc"));
  assert.deepEqual([...await q.readSlab(0, straight.shapeZyx[0])], files["axes 3 1 2"].values.map(Math.fround));
  await Deno.writeFile(at("s.mrc"), decodeBase64(files["stack of volumes"].file));
  await copyVolume(at("s.mrc"), at("t.mrc"));
  assert.deepEqual([(await describeVolumeFile(at("t.mrc"))).volumes, await describeVolumeFile(at("t.mrc")).then(voxelSizeOf)], [3, 2.5]);
  await assert.rejects(copyVolume(at("s.mrc"), at("u.zarr")), /is a stack of 3 volumes/);
});
