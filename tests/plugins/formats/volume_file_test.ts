import assert from "node:assert/strict";
import { dirname } from "node:path";
import { decodeBase64, readFixture, realFiles, temporaryFolder } from "./reading.ts";
import { orderGeometry } from "../../../plugins/formats/axis_order.ts";
import { decompressBzip2 } from "../../../plugins/formats/bzip2.ts";
import { decompressFile } from "../../../plugins/formats/decompress.ts";
import { encodeEm, parseEm } from "../../../plugins/formats/em.ts";
import { openMrcVolume } from "../../../plugins/formats/mrc.ts";
import { examineVolume } from "../../../plugins/formats/examine_volume.ts";
import { describeVolumeFile, openVolumeFile, streamVolumeFile, voxelSizeOf } from "../../../plugins/formats/volume_file.ts";
import { InputError } from "../../../streams/errors.ts";

interface VolumesFixture {
  readonly zarr: Record<string, { files: Record<string, string>; values: number[][]; shapeZyx: [number, number, number] }>;
  readonly mrc: Record<string, { file: string; values?: number[] }>;
  readonly bzip2: Record<string, { file: string; gzip: string; length: number; sum: number }>;
}
const fixture = readFixture<VolumesFixture>("volumes");

/** Amplitudes of complex numbers are rounded once more than NumPy's. */
const AMPLITUDE_TOLERANCE = 1e-6;

async function writeZarr(root: string, name: string): Promise<string> {
  for (const [path, content] of Object.entries(fixture.zarr[name].files)) {
    await Deno.mkdir(dirname(`${root}/${path}`), { recursive: true });
    await Deno.writeFile(`${root}/${path}`, decodeBase64(content));
  }
  return root;
}

async function writeMrc(folder: string, name: string, file = `${folder}/a.mrc`): Promise<string> {
  await Deno.writeFile(file, decodeBase64(fixture.mrc[name].file));
  return file;
}

for (const [name, { values, shapeZyx }] of Object.entries(fixture.zarr)) {
  Deno.test(`openVolumeFile() reads what zarr-python wrote: ${name}`, async () => {
    await using folder = await temporaryFolder();
    const path = await writeZarr(`${folder.path}/a.zarr`, name);
    const description = await describeVolumeFile(path);
    assert.deepEqual(description.shapeZyx, shapeZyx);
    await using volume = await openVolumeFile(path);
    assert.deepEqual([...await volume.readSlab(0, shapeZyx[0])], values[0].map(Math.fround));
    const [, ny, nx] = shapeZyx;
    const expected = [1, 2, 3].flatMap((z) =>
      [2, 3, 4].flatMap((y) => [3, 4, 5, 6].map((x) => Math.fround(values[0][(z * ny + y) * nx + x])))
    );
    assert.deepEqual([...await volume.readBox([1, 2, 3], [3, 3, 4])], expected);
    await assert.rejects(volume.readBox([0, 0, 4], [1, 1, 4]), RangeError);
    const expectedSize = name.includes("no unit") ? 0 : name.includes("nanometer") ? 13.48 : 10;
    assert.equal(voxelSizeOf(description), expectedSize);
    assert.equal(description.anomalies.length, expectedSize === 0 ? 1 : 0, description.anomalies.join());
  });
}

Deno.test("the level of a multiscale volume is chosen by its voxel size, or named in the path", async () => {
  await using folder = await temporaryFolder();
  const name = "0.5, gzip, two levels", path = await writeZarr(`${folder.path}/a.zarr`, name);
  const coarse = await describeVolumeFile(path, { wantedVoxelSizeAngstrom: 20.1 });
  assert.deepEqual([coarse.shapeZyx, voxelSizeOf(coarse), coarse.originXyzAngstrom, coarse.locator], [
    [3, 3, 4],
    20,
    [5, 5, 5],
    `${path}/1`,
  ]);
  assert.deepEqual(coarse.anomalies, []);
  for (const at of [coarse.locator, `${path}/1/`]) {
    await using volume = await openVolumeFile(at);
    assert.deepEqual([...await volume.readSlab(0, 3)], fixture.zarr[name].values[1].map(Math.fround));
    assert.equal(volume.voxelSizeAngstrom, 20);
  }
  const off = await describeVolumeFile(path, { wantedVoxelSizeAngstrom: 15 });
  assert.deepEqual(off.anomalies, ["no level has 15 A a voxel; there are 0: 10 A, 1: 20 A: 1 is the nearest"]);
});

Deno.test("an OME-Zarr volume is read from a web server, where the network may be used", async () => {
  await using folder = await temporaryFolder();
  const name = "0.5, sharded", root = await writeZarr(`${folder.path}/a.zarr`, name);
  let asked = 0;
  const handler = async (request: Request): Promise<Response> => {
    asked++;
    const path = folder.path + new URL(request.url).pathname;
    const bytes = await Deno.readFile(path).catch(() => null);
    return bytes === null ? new Response(null, { status: 404 }) : new Response(bytes);
  };
  const { state } = await Deno.permissions.query({ name: "net", host: "127.0.0.1" });
  if (state !== "granted") {
    await assert.rejects(
      describeVolumeFile("http://127.0.0.1:8000/a.zarr"),
      /127\.0\.0\.1:8000\/a\.zarr: tomosieve was not given the network: run it with --allow-net=127\.0\.0\.1:8000/,
    );
    return;
  }
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, handler);
  const address = `http://127.0.0.1:${server.addr.port}/a.zarr`;
  const description = await describeVolumeFile(address);
  assert.equal(description.readInOrderOnly, true);
  const pieces = await Array.fromAsync(streamVolumeFile(description));
  assert.deepEqual(pieces.flatMap((piece) => [...piece]), fixture.zarr[name].values[0].map(Math.fround));
  assert.ok(asked > 0);
  assert.equal((await describeVolumeFile(root)).readInOrderOnly, false);
  await assert.rejects(describeVolumeFile(`${address}x`), /is no OME-Zarr volume/);
});

const zarrFaults: readonly [string, string, (metadata: Record<string, unknown>) => unknown, RegExp][] = [
  ["no multiscales", "zarr.json", () => ({ zarr_format: 3, node_type: "group" }), /neither zarr\.json nor \.zattrs names multiscales/],
  [
    "axes in another order",
    "zarr.json",
    (m) => edit(m, (scale) => scale.axes.reverse()),
    /axes are \["x","y","z"\], expected them to end in z, y, x/,
  ],
  ["no datasets", "zarr.json", (m) => edit(m, (scale) => scale.datasets.splice(0)), /datasets is empty/],
  [
    "a negative scale",
    "zarr.json",
    (m) => edit(m, (scale) => scale.datasets[0].coordinateTransformations[0].scale[1] = -1),
    /coordinateTransformations: scale is \[10,-1,10\]/,
  ],
  ["no array", "zarr.json", (m) => edit(m, (scale) => scale.datasets[0].path = "9"), /level "9" cannot be read/],
  ["a chunk too large", "0/zarr.json", (m) => shaped(m, [1e6, 1e6, 7], [1e6, 1e6, 7]), /has chunks of \[1000000,1000000,7\] voxels/],
  ["a shape of 2", "0/zarr.json", (m) => shaped(m, [6, 7], [3, 4]), /has the shape \[6,7\], expected z, y, x/],
];
// deno-lint-ignore no-explicit-any -- metadata is changed wherever a case wants.
function edit(metadata: any, change: (scale: any) => void): unknown {
  change(metadata.attributes.ome.multiscales[0]);
  return metadata;
}
function shaped(metadata: Record<string, unknown>, shape: number[], chunks: number[]): unknown {
  return { ...metadata, shape, chunk_grid: { name: "regular", configuration: { chunk_shape: chunks } } };
}
for (const [what, file, change, message] of zarrFaults) {
  Deno.test(`an OME-Zarr folder with ${what} is refused, saying so`, async () => {
    await using folder = await temporaryFolder();
    const path = await writeZarr(`${folder.path}/a.zarr`, "0.5, gzip, two levels");
    const at = `${path}/${file}`, metadata = JSON.parse(await Deno.readTextFile(at));
    await Deno.writeTextFile(at, JSON.stringify(change(metadata)));
    await assert.rejects(openVolumeFile(path), (error: Error) => {
      assert.ok(error instanceof InputError, String(error));
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("a damaged chunk is an error that names it, and an absent one is the fill value", async () => {
  await using folder = await temporaryFolder();
  const path = await writeZarr(`${folder.path}/a.zarr`, "0.5, gzip, two levels");
  await Deno.writeFile(`${path}/0/c/1/0/1`, new Uint8Array([1, 2, 3]));
  await Deno.remove(`${path}/0/c/0/0/0`);
  await using volume = await openVolumeFile(path);
  assert.deepEqual([...await volume.readBox([0, 0, 0], [2, 3, 4])], Array(24).fill(0));
  await assert.rejects(volume.readSlab(2, 3), /level "0": chunk 1, 0, 1 \(z, y, x\) cannot be decompressed .*: copy it again/);
});

for (const kind of ["FEI1", "FEI2"] as const) {
  Deno.test(`tilt angles and pixel size come from an extended header ${kind} that mrcfile wrote`, async () => {
    await using folder = await temporaryFolder();
    const path = await writeMrc(folder.path, kind), description = await describeVolumeFile(path);
    assert.deepEqual(description.tiltAnglesDegrees, [-60, -20, 20, 60]);
    assert.equal(voxelSizeOf(description), 3.37);
    assert.match(description.anomalies.join("\n"), /voxel size 3\.37 A from the extended header/);
    assert.match(description.facts["extended header"], new RegExp(`^${kind}, \\d+ bytes, 4 tilts from -60 to 60 degrees$`));
    await using volume = await openVolumeFile(path);
    assert.deepEqual(volume.shapeZyx, [4, 3, 5]);
    // A record length that cannot be is said, and the voxels are read all the same.
    const bytes = await Deno.readFile(path);
    new DataView(bytes.buffer).setInt32(1024, -1, true);
    await Deno.writeFile(path, bytes);
    const damaged = await describeVolumeFile(path);
    assert.equal(damaged.tiltAnglesDegrees, undefined);
    assert.match(damaged.anomalies.join("\n"), /its first record states a length of/);
  });
}

/** A file of `sections` sections with an extended header of `kind`. */
async function withExtended(folder: string, kind: string, words: [number, number], extended: Uint8Array): Promise<string> {
  const bytes = decodeBase64(fixture.mrc.CCP4.file), old = 160;
  const fresh = new Uint8Array([...bytes.subarray(0, 1024), ...extended, ...bytes.subarray(1024 + old)]);
  const view = new DataView(fresh.buffer);
  view.setInt32(92, extended.length, true);
  fresh.set(new TextEncoder().encode(kind), 104);
  words.forEach((word, i) => view.setInt16(128 + 2 * i, word, true));
  const path = `${folder}/e.mrc`;
  await Deno.writeFile(path, fresh);
  return path;
}

Deno.test("SerialEM's and Agard's extended headers give tilt angles; symmetry operators of CCP4 are counted", async () => {
  await using folder = await temporaryFolder();
  // Tilt (2 bytes, hundredths) and piece coordinates (6 bytes) a section.
  const seri = new Uint8Array(64), seriView = new DataView(seri.buffer);
  [-6000, -3000, 1234, 4500].forEach((angle, i) => seriView.setInt16(8 * i, angle, true));
  const a = await describeVolumeFile(await withExtended(folder.path, "SERI", [8, 3], seri));
  assert.deepEqual(a.tiltAnglesDegrees, [-60, -30, 12.34, 45]);
  const wrong = await describeVolumeFile(await withExtended(folder.path, "SERI", [2, 3], seri));
  assert.equal(wrong.tiltAnglesDegrees, undefined);
  assert.match(wrong.anomalies.join("\n"), /records of 2 bytes \(bytes 129-130\), flags 3 need 8/);
  const agar = new Uint8Array(4 * 4 * 16), agarView = new DataView(agar.buffer);
  [-45, -15, 15, 45].forEach((angle, i) => {
    agarView.setFloat32(64 * i, angle, true);
    agarView.setFloat32(64 * i + 44, 2.5e-10, true);
  });
  const b = await describeVolumeFile(await withExtended(folder.path, "AGAR", [0, 16], agar));
  assert.deepEqual(b.tiltAnglesDegrees, [-45, -15, 15, 45]);
  const c = await describeVolumeFile(await writeMrc(folder.path, "CCP4"));
  assert.equal(c.facts["extended header"], "CCP4, 160 bytes, 2 symmetry operators");
  assert.equal(voxelSizeOf(c), 13.48);
});

Deno.test("mode 4 is read as amplitudes, and said to be a Fourier transform", async () => {
  await using folder = await temporaryFolder();
  const path = await writeMrc(folder.path, "mode 4"), { values } = fixture.mrc["mode 4"];
  const description = await describeVolumeFile(path);
  assert.equal(description.isTransform, true);
  await using volume = await openVolumeFile(path);
  const found = await volume.readSlab(0, 2);
  values!.forEach((value, i) => assert.ok(Math.abs(value - found[i]) < AMPLITUDE_TOLERANCE, `${found[i]} and ${value}`));
});

Deno.test("mode 101 and IMOD's packed bytes hold two voxels a byte, rows ending at whole bytes", async () => {
  await using folder = await temporaryFolder();
  const { file, values } = fixture.mrc["mode 101"], path = `${folder.path}/a.mrc`;
  await Deno.writeFile(path, decodeBase64(file));
  await using volume = await openVolumeFile(path);
  assert.deepEqual(volume.shapeZyx, [2, 3, 5]);
  assert.deepEqual([...await volume.readSlab(0, 2)], values);
  assert.deepEqual([...await volume.readBox([1, 1, 1], [1, 2, 3])], [6, 7, 8, 11, 12, 13].map((i) => values![15 + i]));
  // The same bytes as mode 0 with IMOD's stamp and flag 16: nx = 3 bytes a row are 6 voxels.
  const bytes = decodeBase64(file), view = new DataView(bytes.buffer);
  view.setInt32(12, 0, true);
  view.setInt32(0, 3, true);
  view.setInt32(28, 3, true);
  view.setFloat32(40, 30, true);
  [3, 2].forEach((n, i) => view.setFloat32(44 + 4 * i, 5 * n, true));
  view.setInt32(152, 1146047817, true);
  view.setInt32(156, 16, true);
  await Deno.writeFile(path, bytes);
  const packed = await describeVolumeFile(path);
  assert.deepEqual([packed.shapeZyx, packed.voxelType, packed.voxelSizeXyzAngstrom], [[2, 3, 6], "uint4", [10, 5, 5]]);
  view.setInt32(156, 17, true);
  await Deno.writeFile(path, bytes);
  await assert.rejects(
    describeVolumeFile(path),
    /imodFlags \(bytes 157-160\) is 17: bytes are signed \(1\) and hold two voxels \(16\) at once/,
  );
});

Deno.test("each volume of a stack of volumes can be opened", async () => {
  await using folder = await temporaryFolder();
  const path = await writeMrc(folder.path, "volume stack"), { values } = fixture.mrc["volume stack"];
  const description = await describeVolumeFile(path);
  assert.deepEqual([description.volumes, description.shapeZyx], [3, [2, 4, 5]]);
  await using second = await openVolumeFile(path, { stackIndex: 1 });
  assert.deepEqual([...await second.readSlab(0, 2)], values!.slice(40, 80).map(Math.fround));
  await assert.rejects(second.readSlab(1, 3), RangeError);
});

Deno.test("EM files are told by their content, of either byte order and every type", async () => {
  await using folder = await temporaryFolder();
  const values = Float32Array.from({ length: 24 }, (_, i) => i - 7);
  const bytes = encodeEm({ shapeZyx: [2, 3, 4], values, voxelSizeAngstrom: 13.48 });
  assert.deepEqual(parseEm(bytes, "a.em").values, values);
  // No name says that this is an EM file.
  const path = `${folder.path}/a.vol`;
  await Deno.writeFile(path, bytes);
  const description = await describeVolumeFile(path);
  assert.deepEqual([description.format, description.shapeZyx, voxelSizeOf(description)], ["EM", [2, 3, 4], 13.48]);
  await using volume = await openVolumeFile(path);
  assert.deepEqual([...await volume.readBox([1, 1, 2], [1, 2, 2])], [11, 12, 15, 16]);
  const types: [number, number, (view: DataView, at: number, value: number) => void][] = [
    [1, 1, (view, at, value) => view.setInt8(at, value)],
    [2, 2, (view, at, value) => view.setInt16(at, value)],
    [4, 4, (view, at, value) => view.setInt32(at, value)],
    [5, 4, (view, at, value) => view.setFloat32(at, value)],
    [9, 8, (view, at, value) => view.setFloat64(at, value)],
  ];
  for (const [type, size, put] of types) {
    const big = new Uint8Array(512 + 24 * size), view = new DataView(big.buffer);
    big[0] = 5;
    big[3] = type;
    [4, 3, 2].forEach((n, i) => view.setInt32(4 + 4 * i, n));
    values.forEach((value, i) => put(view, 512 + i * size, value));
    assert.deepEqual(parseEm(big, "b.em").values, values, `type ${type}`);
  }
  bytes[3] = 10;
  assert.throws(() => parseEm(bytes, "a.em"), /a\.em: header field type \(byte 4\) is 10 \(complex double\), expected 1, 2, 4, 5, 8 or 9/);
  bytes[3] = 5;
  assert.throws(() => parseEm(bytes.subarray(0, 600), "a.em"), /truncated: 4 x 3 x 2 voxels of EM type 5 need 608 bytes, the file has 600/);
});

for (const [name, { file, gzip, length, sum }] of Object.entries(fixture.bzip2)) {
  Deno.test(`bzip2 and gzip files that Python wrote are decompressed as streams, also two in a row: ${name}`, async () => {
    await using folder = await temporaryFolder();
    const path = `${folder.path}/a`;
    for (const [compression, one] of [["bzip2", decodeBase64(file)], ["gzip", decodeBase64(gzip)]] as const) {
      await Deno.writeFile(path, new Uint8Array([...one, ...one]));
      const pieces = await Array.fromAsync(decompressFile(path, compression));
      const all = new Uint8Array(pieces.reduce((total, piece) => total + piece.length, 0));
      pieces.reduce((at, piece) => (all.set(piece, at), at + piece.length), 0);
      assert.equal(all.length, 2 * length);
      for (const half of [all.subarray(0, length), all.subarray(length)]) {
        assert.equal(half.reduce((total, byte, i) => total + byte * (i % 1000), 0), sum);
      }
    }
  });
}

Deno.test("a bzip2 file gives the same whatever the size of the chunks it comes in, and damage is found", async () => {
  const file = decodeBase64(fixture.bzip2.runs.file);
  const read = async (bytes: Uint8Array, size: number) => {
    const chunks = async function* () {
      for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
    };
    let length = 0;
    for await (const piece of decompressBzip2(chunks())) length += piece.length;
    return length;
  };
  for (const size of [1, 7, 1 << 20]) assert.equal(await read(file, size), fixture.bzip2.runs.length);
  await assert.rejects(read(file.subarray(0, file.length - 3), 64), /ends in the middle of a block/);
  const flipped = file.slice();
  flipped[10] ^= 1;
  await assert.rejects(read(flipped, 64), /has a wrong checksum: it is damaged/);
  await assert.rejects(read(Uint8Array.of(1, 2, 3), 64), /is no bzip2 file/);
});

Deno.test("compressed volumes are streamed in the file's own order of axes, and cannot be opened at random", async () => {
  await using folder = await temporaryFolder();
  const { files } = readFixture<{ files: Record<string, { file: string; values: number[]; shapeZyx: [number, number, number] }> }>("mrc");
  const permuted = files["axes 2 1 3"], path = `${folder.path}/a.mrc`;
  await Deno.writeFile(path, decodeBase64(permuted.file));
  await Deno.writeFile(`${path}.gz`, await gzipped(decodeBase64(permuted.file)));
  const description = await describeVolumeFile(`${path}.gz`);
  assert.deepEqual([description.compression, description.axes, description.shapeZyx], ["gzip", [2, 1, 3], permuted.shapeZyx]);
  const [piece] = await Array.fromAsync(streamVolumeFile(description));
  const [nz, ny, nx] = permuted.shapeZyx;
  for (let z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++) assert.equal(piece[(z * nx + x) * ny + y], permuted.values[(z * ny + y) * nx + x]);
    }
  }
  await assert.rejects(openVolumeFile(`${path}.gz`), /is compressed \(gzip\) and can be read only from beginning to end/);
});

async function gzipped(bytes: Uint8Array): Promise<Uint8Array> {
  return await new Response(new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream("gzip"))).bytes();
}

Deno.test("a geometry goes with the axes: tilt axis, and handedness as the wedge demands", () => {
  const geometry = { tiltRangeDegrees: [-60, 40] as const, tiltAxis: "y" as const, handedness: 1 as const };
  assert.deepEqual(orderGeometry(geometry, [1, 2, 3]), geometry);
  assert.deepEqual(orderGeometry(geometry, [2, 1, 3]), { ...geometry, tiltAxis: "x" });
  // Sections that are not z: nothing that was stated of columns and rows can be meant.
  assert.deepEqual(orderGeometry(geometry, [1, 3, 2]), geometry);
});

Deno.test("the real EMDB map is the same plain, in gzip and in bzip2", async () => {
  const folder = realFiles("mrc");
  if (folder === null) return;
  await using map = await openMrcVolume(`${folder}EMD-3197.map`);
  const expected = await map.readSlab(0, 20);
  for (const name of ["emd_3197.map.gz", "EMD-3197.map.bz2"]) {
    const description = await describeVolumeFile(folder + name);
    assert.equal(voxelSizeOf(description), 11.4);
    const pieces = await Array.fromAsync(streamVolumeFile(description));
    assert.deepEqual(Float32Array.from(pieces.flatMap((piece) => [...piece])), expected, name);
  }
});

Deno.test("a compressed file whose header states sections that no memory holds is refused before they are made room for", async () => {
  await using folder = await temporaryFolder();
  const bytes = decodeBase64(fixture.mrc.CCP4.file), view = new DataView(bytes.buffer), path = `${folder.path}/a.mrc.gz`;
  view.setInt32(0, 57093, true);
  view.setInt32(4, 33795, true);
  await Deno.writeFile(path, await gzipped(bytes));
  await assert.rejects(examineVolume(path), (error: Error) => {
    assert.ok(error instanceof InputError, String(error));
    assert.match(error.message, /header states 57093 x 33795 voxels a section, expected at most 268435456: is it damaged\?/);
    return true;
  });
});
