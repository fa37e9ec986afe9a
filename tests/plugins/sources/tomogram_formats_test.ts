import assert from "node:assert/strict";
import { dirname } from "node:path";
import { gzipSync } from "node:zlib";
import { decodeBase64, readFixture, temporaryFolder } from "../formats/reading.ts";
import { fakeContext } from "./fake_context.ts";
import { encodeEm } from "../../../plugins/formats/em.ts";
import { writeMrcVolume } from "../../../plugins/formats/mrc.ts";
import { findFiles, stemOf } from "../../../plugins/sources/tomograms/find_files.ts";
import source from "../../../plugins/sources/tomograms.ts";
import type { Tomogram } from "../../../streams/contract.ts";

interface Fixture {
  readonly files: Record<string, { file: string; values: number[]; shapeZyx: [number, number, number] }>;
}
const mrc = readFixture<Fixture>("mrc");
const volumes = readFixture<{
  zarr: Record<string, { files: Record<string, string>; values: number[][] }>;
  mrc: Record<string, { file: string; values: number[] }>;
  bzip2: Record<string, { file: string }>;
}>("volumes");

async function collect(folder: string, options: Record<string, unknown>) {
  const { context, told } = fakeContext(folder);
  const instance = await source.create(source.options.parse({ contrast: "bright", ...options }), context, {});
  const tomograms: Tomogram[] = [];
  for await (const tomogram of instance.open(context.signal)) tomograms.push(tomogram);
  return { tomograms, told, instance, close: () => instance[Symbol.asyncDispose]!() };
}

for (const packed of [false, true]) {
  Deno.test(`a file with exchanged axes gives the right voxels and turns the geometry${packed ? ", also gzipped" : ""}`, async () => {
    await using folder = await temporaryFolder();
    const { file, values, shapeZyx } = mrc.files["axes 2 1 3"], bytes = decodeBase64(file);
    const path = `${folder.path}/a.mrc${packed ? ".gz" : ""}`;
    await Deno.writeFile(path, packed ? gzipSync(bytes) : bytes);
    const { tomograms: [tomogram], told, close } = await collect(folder.path, {
      paths: [path],
      tiltRangeDegrees: [-60, 40],
      handedness: 1,
    });
    const { raw } = tomogram.volumes;
    assert.deepEqual(raw.shapeZyx, shapeZyx);
    assert.deepEqual([...await raw.readSlab(0, shapeZyx[0])], values.map(Math.fround));
    assert.deepEqual(
      [...await raw.readBox([1, 2, 3], [1, 1, 2])],
      [values[(shapeZyx[1] + 2) * shapeZyx[2] + 3], values[(shapeZyx[1] + 2) * shapeZyx[2] + 4]].map(Math.fround),
    );
    assert.deepEqual([tomogram.geometry.tiltAxis, tomogram.geometry.tiltRangeDegrees], ["x", [-60, 40]]);
    assert.equal(tomogram.metadata.axes, "y, x, z");
    assert.match(told.notes.join("\n"), /axis-order: a\.mrc(\.gz)?: its columns, rows, sections are y, x, z and are put into x, y, z/);
    await close();
  });
}

Deno.test("each volume of a stack of volumes is a tomogram, plain and gzipped alike, and is reopened by its ordinal", async () => {
  await using folder = await temporaryFolder();
  const { file, values } = volumes.mrc["volume stack"], bytes = decodeBase64(file);
  await Deno.writeFile(`${folder.path}/b.mrc`, bytes);
  await Deno.writeFile(`${folder.path}/c.mrc.gz`, gzipSync(bytes));
  await writeMrcVolume(`${folder.path}/a.mrc`, {
    shapeZyx: [2, 3, 4],
    voxels: Float32Array.from({ length: 24 }, (_, i) => i),
    voxelSizeAngstrom: 13.48,
  });
  const { tomograms, instance, told, close } = await collect(folder.path, { paths: [`${folder.path}/?.mrc*`] });
  assert.deepEqual(tomograms.map(({ id, ordinal }) => [id, ordinal]), [
    ["a", 0],
    ["b_1", 1],
    ["b_2", 2],
    ["b_3", 3],
    ["c_1", 4],
    ["c_2", 5],
    ["c_3", 6],
  ]);
  for (const ordinal of [1, 2, 3, 4, 5, 6]) {
    const part = values.slice(40 * ((ordinal - 1) % 3)).slice(0, 40).map(Math.fround);
    assert.deepEqual([...await tomograms[ordinal].volumes.raw.readSlab(0, 2)], part, `tomogram ${ordinal}`);
    assert.deepEqual([...await (await instance.reopen!(ordinal))!.volumes.raw.readSlab(0, 2)], part);
  }
  assert.equal(told.filled.length, 1);
  assert.equal(await instance.reopen!(7), null);
  await close();
});

Deno.test("EM files and OME-Zarr folders are tomograms; the voxel size chooses the level", async () => {
  await using folder = await temporaryFolder();
  const { files, values } = volumes.zarr["0.5, gzip, two levels"];
  for (const [path, content] of Object.entries(files)) {
    await Deno.mkdir(dirname(`${folder.path}/z.ome.zarr/${path}`), { recursive: true });
    await Deno.writeFile(`${folder.path}/z.ome.zarr/${path}`, decodeBase64(content));
  }
  const em = Float32Array.from({ length: 60 }, (_, i) => i);
  await Deno.writeFile(`${folder.path}/e.em`, encodeEm({ shapeZyx: [3, 4, 5], values: em, voxelSizeAngstrom: 20 }));
  const { tomograms: [e, z], close } = await collect(folder.path, { paths: [`${folder.path}/*.{em,zarr}`], voxelSizeAngstrom: 20 });
  assert.deepEqual([e.id, z.id], ["e", "z"]);
  assert.deepEqual(await e.volumes.raw.readSlab(0, 3), em);
  assert.deepEqual([...await z.volumes.raw.readSlab(0, 3)], values[1].map(Math.fround));
  assert.deepEqual([z.metadata.format, z.metadata.level, z.volumes.raw.voxelSizeAngstrom], ["OME-Zarr", "1", 20]);
  await close();
  await assert.rejects(
    collect(folder.path, { paths: [`${folder.path}/z.ome.zarr`], voxelSizeAngstrom: 14 }),
    /voxel size 10 A, manifest says 14 A|voxel size 20 A, manifest says 14 A/,
  );
});

Deno.test("a Fourier transform is refused as a tomogram", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeFile(`${folder.path}/f.mrc`, decodeBase64(volumes.mrc["mode 4"].file));
  await assert.rejects(collect(folder.path, { paths: [`${folder.path}/f.mrc`] }), /f\.mrc: holds a Fourier transform/);
});

Deno.test("ids come from names without the endings of compression, levels and datasets; addresses stay addresses", () => {
  assert.deepEqual(
    ["/a/t1.mrc.gz", "/a/t1.rec.bz2", "/a/t1.ome.zarr", "/a/t1.zarr/0", "https://h.org/x/t1.zarr/1?q=2", "/a/t1.h5:/volume", "/a/t.1.mrc"]
      .map(stemOf),
    ["t1", "t1", "t1", "t1", "t1", "t1", "t.1"],
  );
  assert.deepEqual(findFiles(["https://h.org/x/t1.zarr"]), [{ id: "t1", path: "https://h.org/x/t1.zarr" }]);
});
