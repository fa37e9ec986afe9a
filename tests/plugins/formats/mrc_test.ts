import assert from "node:assert/strict";
import { decodeBase64, readFixture, realFiles, temporaryFolder } from "./reading.ts";
import { createMrcWriter, openMrcStack, openMrcVolume, parseMrcHeader, writeMrcVolume } from "../../../plugins/formats/mrc.ts";
import { describeVolumeFile, streamVolumeFile } from "../../../plugins/formats/volume_file.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { InputError, ShapeError } from "../../../streams/errors.ts";

interface MrcFixture {
  readonly files: Record<string, { file: string; values: number[]; shapeZyx: [number, number, number]; voxelSizeAngstrom: number }>;
}
const fixture = readFixture<MrcFixture>("mrc");

/** Statistics are summed in another order than NumPy's and stored as float32. */
const STATISTICS_TOLERANCE = 1e-6;
/** Other programs sum in float32 or float16. */
const REAL_MEAN_TOLERANCE = 1e-3;

/** A valid little-endian file of 2 x 3 x 4 float32 voxels 0..23 with some bytes changed. */
function makeFile(change: (view: DataView, bytes: Uint8Array) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(1024 + 96);
  const view = new DataView(bytes.buffer);
  [4, 3, 2, 2, 0, 0, 0, 4, 3, 2].forEach((value, i) => view.setInt32(4 * i, value, true));
  [40, 30, 20, 90, 90, 90].forEach((value, i) => view.setFloat32(40 + 4 * i, value, true));
  [1, 2, 3].forEach((value, i) => view.setInt32(64 + 4 * i, value, true));
  view.setInt32(88, 1, true);
  bytes.set([0x4d, 0x41, 0x50, 0x20, 0x44, 0x44], 208);
  for (let i = 0; i < 24; i++) view.setFloat32(1024 + 4 * i, i, true);
  change(view, bytes);
  return bytes;
}

async function writeFile(folder: string, bytes: Uint8Array, name = "a.mrc"): Promise<string> {
  const path = `${folder}/${name}`;
  await Deno.writeFile(path, bytes);
  return path;
}

for (const [name, { file, values, shapeZyx, voxelSizeAngstrom }] of Object.entries(fixture.files)) {
  Deno.test(`openMrcVolume() reads what mrcfile wrote: ${name}`, async () => {
    await using folder = await temporaryFolder();
    await using volume = await openMrcVolume(await writeFile(folder.path, decodeBase64(file)));
    assert.deepEqual(volume.shapeZyx, shapeZyx);
    assert.equal(volume.voxelSizeAngstrom, voxelSizeAngstrom);
    assert.deepEqual([...await volume.readSlab(0, shapeZyx[0])], values);
    const [, ny, nx] = shapeZyx;
    const box = await volume.readBox([1, 1, 2], [2, 2, 2]);
    const expected = [1, 2].flatMap((z) => [1, 2].flatMap((y) => [2, 3].map((x) => values[(z * ny + y) * nx + x])));
    assert.deepEqual([...box], expected);
  });
}

Deno.test("openMrcStack() reads single boxes of a stack that mrcfile wrote, in the order asked for", async () => {
  await using folder = await temporaryFolder();
  const { file, values } = fixture.files["stack of volumes"];
  await using stack = await openMrcStack(await writeFile(folder.path, decodeBase64(file)), 4);
  assert.deepEqual([stack.count, stack.boxVoxels, stack.voxelSizeAngstrom], [3, 4, 2.5]);
  const box = (i: number) => values.slice(64 * i, 64 * i + 64);
  assert.deepEqual([...await stack.read([2, 0, 1, 1])], [...box(2), ...box(0), ...box(1), ...box(1)]);
  await assert.rejects(stack.read([3]), RangeError);
});

Deno.test("parseMrcHeader() keeps the kind and size of an extended header and the labels", () => {
  const bytes = decodeBase64(fixture.files["extended header"].file);
  const header = parseMrcHeader(bytes, bytes.length, "a.mrc");
  assert.deepEqual([header.extendedBytes, header.extendedType, header.labels], [1024, "FEI1", ["made by mrcfile"]]);
  assert.deepEqual(header.anomalies, []);
});

for (const mode of [2, 12] as const) {
  Deno.test(`createMrcWriter() writes mode ${mode} in slabs, with the statistics of what is stored`, async () => {
    await using folder = await temporaryFolder();
    const path = `${folder.path}/new/a.mrc`;
    const random = createRandom(1, "mrc");
    const voxels = Float32Array.from({ length: 5 * 6 * 7 }, () => 1000 + random.normal());
    const writer = await createMrcWriter(path, { ny: 6, nx: 7, voxelSizeAngstrom: 13.48, mode });
    await writer.writeSlab(voxels.subarray(0, 2 * 42));
    await writer.writeSlab(voxels.subarray(2 * 42));
    await writer.finish();
    await using volume = await openMrcVolume(path);
    const stored = mode === 2 ? voxels : Float32Array.from(new Float16Array(voxels));
    assert.deepEqual(await volume.readSlab(0, 5), stored);
    assert.equal(volume.voxelSizeAngstrom, 13.48);
    const mean = stored.reduce((sum, value) => sum + value, 0) / stored.length;
    const rms = Math.sqrt(stored.reduce((sum, value) => sum + (value - mean) ** 2, 0) / stored.length);
    const { statistics } = volume.header;
    assert.equal(statistics.min, Math.min(...stored));
    assert.equal(statistics.max, Math.max(...stored));
    assert.ok(Math.abs(statistics.mean / mean - 1) < STATISTICS_TOLERANCE, `${statistics.mean} against ${mean}`);
    assert.ok(Math.abs(statistics.rms / rms - 1) < STATISTICS_TOLERANCE, `${statistics.rms} against ${rms}`);
    assert.deepEqual(volume.header.anomalies, []);
    assert.deepEqual(Array.from(Deno.readDirSync(`${folder.path}/new`), (entry) => entry.name), ["a.mrc"]);
  });
}

Deno.test("writeMrcVolume() marks a stack of volumes as space group 401 with MZ sections each", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/a.mrcs`;
  const voxels = Float32Array.from({ length: 5 * 27 }, (_, i) => i);
  await writeMrcVolume(path, { shapeZyx: [15, 3, 3], voxels, voxelSizeAngstrom: 2, mode: 12, volumeSections: 3 });
  await using stack = await openMrcStack(path);
  assert.deepEqual([stack.count, stack.header.spaceGroup, stack.header.intervalsXyz, stack.voxelSizeAngstrom], [5, 401, [3, 3, 3], 2]);
  assert.deepEqual(await stack.read([4]), voxels.subarray(4 * 27));
});

Deno.test("the same volume gives the same bytes", async () => {
  await using folder = await temporaryFolder();
  const content = { shapeZyx: [1, 2, 2] as const, voxels: Float32Array.of(1, 2, 3, 4), voxelSizeAngstrom: 10 };
  await writeMrcVolume(`${folder.path}/a.mrc`, content);
  await writeMrcVolume(`${folder.path}/b.mrc`, content);
  assert.deepEqual(await Deno.readFile(`${folder.path}/a.mrc`), await Deno.readFile(`${folder.path}/b.mrc`));
});

Deno.test("a writer that is given up leaves no file", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/a.mrc`;
  await assert.rejects(
    writeMrcVolume(path, { shapeZyx: [1, 1, 2], voxels: Float32Array.of(1, NaN), voxelSizeAngstrom: 1 }),
    /voxel x 1, y 0, z 0 is NaN/,
  );
  await assert.rejects(
    writeMrcVolume(path, { shapeZyx: [1, 1, 2], voxels: Float32Array.of(1, 7e4), voxelSizeAngstrom: 1, mode: 12 }),
    /voxel x 1, y 0, z 0 is 70000, which does not fit mode 12/,
  );
  await assert.rejects(writeMrcVolume(path, { shapeZyx: [1, 2, 2], voxels: new Float32Array(3), voxelSizeAngstrom: 1 }), ShapeError);
  const writer = await createMrcWriter(path, { ny: 2, nx: 2, voxelSizeAngstrom: 1, volumeSections: 2 });
  await assert.rejects(writer.writeSlab(new Float32Array(3)), ShapeError);
  await writer.writeSlab(new Float32Array(4));
  await assert.rejects(writer.finish(), /1 sections were written, expected a multiple of 2/);
  await writer.abort();
  assert.deepEqual([...Deno.readDirSync(folder.path)], []);
});

Deno.test("overlapping reads of one file do not disturb each other", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/a.mrc`;
  const n = 40;
  const voxels = Float32Array.from({ length: n ** 3 }, (_, i) => i);
  await writeMrcVolume(path, { shapeZyx: [n, n, n], voxels, voxelSizeAngstrom: 1 });
  await using volume = await openMrcVolume(path);
  const corners = Array.from({ length: 50 }, (_, i) => [(7 * i) % 30, (11 * i) % 30, (13 * i) % 30] as const);
  const [slab, ...boxes] = await Promise.all([volume.readSlab(0, n), ...corners.map((corner) => volume.readBox(corner, [2, 3, 4]))]);
  assert.deepEqual(slab, voxels);
  boxes.forEach((box, i) => {
    const [z, y, x] = corners[i];
    assert.equal(box[0], (z * n + y) * n + x);
    assert.equal(box[23], ((z + 1) * n + y + 2) * n + x + 3);
  });
});

const faults: readonly [string, Uint8Array, RegExp][] = [
  ["an empty file", new Uint8Array(0), /truncated: the file has 0 bytes, an MRC header alone takes 1024/],
  ["a cut header", makeFile().subarray(0, 1000), /truncated: the file has 1000 bytes/],
  ["cut voxels", makeFile().subarray(0, 1100), /truncated: 4 x 3 x 2 voxels of mode 2 need 1120 bytes, the file has 1100/],
  ["a text file", new Uint8Array(2000).fill(0x61), /not an MRC file: machine stamp \(bytes 213-214\) is 0x61 0x61/],
  ["a negative size", makeFile((view) => view.setInt32(8, -2, true)), /header field nz \(bytes 9-12\) is -2/],
  ["a size of 0", makeFile((view) => view.setInt32(0, 0, true)), /header field nx \(bytes 1-4\) is 0/],
  [
    "a Fourier transform",
    makeFile((view) => view.setInt32(12, 3, true)),
    /header field mode \(bytes 13-16\) is 3 \(complex int16, a Fourier transform\)/,
  ],
  [
    "an unknown mode",
    makeFile((view) => view.setInt32(12, 99, true)),
    /header field mode \(bytes 13-16\) is 99, expected 0, 1, 2, 4, 6, 12 or 101/,
  ],
  [
    "the wrong machine stamp",
    makeFile((_, bytes) => bytes.set([0x11, 0x11], 212)),
    /machine stamp \(bytes 213-214\) is 0x11 0x11, big-endian, but only little-endian/,
  ],
  ["the same axis twice", makeFile((view) => view.setInt32(68, 1, true)), /mapc, mapr, maps \(bytes 65-76\) are 1, 1, 3/],
  [
    "a negative extended header",
    makeFile((view) => view.setInt32(92, -4, true)),
    /nsymbt \(bytes 93-96\), the size of the extended header, is -4/,
  ],
  ["an extended header beyond the end", makeFile((view) => view.setInt32(92, 1 << 30, true)), /nsymbt .* is 1073741824; the file has 1120/],
  ["unlike voxel sizes on its axes", makeFile((view) => view.setFloat32(48, 40, true)), /header voxel size is 10 x 10 x 20 A/],
];
for (const [what, bytes, message] of faults) {
  Deno.test(`openMrcVolume() refuses ${what}, naming field and value`, async () => {
    await using folder = await temporaryFolder();
    const path = await writeFile(folder.path, bytes);
    await assert.rejects(openMrcVolume(path), (error: Error) => {
      assert.ok(error instanceof InputError && error.path === path, String(error));
      assert.match(error.message, message);
      return true;
    });
  });
}

Deno.test("openMrcVolume() says when there is no such file, or a folder", async () => {
  await using folder = await temporaryFolder();
  await assert.rejects(openMrcVolume(`${folder.path}/none.mrc`), /none\.mrc: no such file/);
  await assert.rejects(openMrcVolume(folder.path), InputError);
});

Deno.test("openMrcStack() refuses what is no stack of cubes, and another box size than stated", async () => {
  await using folder = await temporaryFolder();
  await assert.rejects(
    openMrcStack(await writeFile(folder.path, makeFile())),
    /4 x 3 x 2 voxels are no stack of cubic boxes: sections are not square/,
  );
  const path = `${folder.path}/s.mrcs`;
  await writeMrcVolume(path, { shapeZyx: [5, 2, 2], voxels: new Float32Array(20).fill(1), voxelSizeAngstrom: 1 });
  await assert.rejects(openMrcStack(path), /5 sections are no multiple of 2/);
  await assert.rejects(openMrcStack(path, 3), /holds boxes of 2 voxels, boxVoxels says 3: set it to 2/);
});

Deno.test("a NaN or infinite voxel is an error that names it, from volumes and stacks", async () => {
  await using folder = await temporaryFolder();
  const path = await writeFile(folder.path, makeFile((view) => view.setFloat32(1024 + 4 * (1 * 12 + 2 * 4 + 3), NaN, true)));
  await using volume = await openMrcVolume(path);
  assert.equal((await volume.readSlab(0, 1)).length, 12);
  await assert.rejects(volume.readSlab(0, 2), /voxel x 3, y 2, z 1 is NaN/);
  await assert.rejects(volume.readBox([1, 2, 2], [1, 1, 2]), /voxel x 3, y 2, z 1 is NaN/);
  const bytes = decodeBase64(fixture.files["stack of volumes"].file);
  new DataView(bytes.buffer).setFloat32(1024 + 4 * (64 + 16 + 4 + 1), Infinity, true);
  await using stack = await openMrcStack(await writeFile(folder.path, bytes, "s.mrcs"));
  await assert.rejects(stack.read([0, 1]), /box 1 \(counted from 0\), voxel x 1, y 1, z 1 is Infinity/);
});

Deno.test("a box outside the volume is a RangeError", async () => {
  await using folder = await temporaryFolder();
  await using volume = await openMrcVolume(await writeFile(folder.path, makeFile()));
  for (
    const [corner, size] of [[[0, 0, 1], [2, 3, 4]], [[-1, 0, 0], [1, 1, 1]], [[0, 0, 0], [0, 1, 1]], [[0.5, 0, 0], [1, 1, 1]]] as const
  ) {
    await assert.rejects(volume.readBox(corner, size), RangeError);
  }
});

Deno.test("mode 0 is unsigned with IMOD's stamp and without its signed flag, else signed", async () => {
  await using folder = await temporaryFolder();
  const bytesFile = (change: (view: DataView) => void) =>
    makeFile((view, bytes) => {
      view.setInt32(12, 0, true);
      bytes.fill(200, 1024);
      change(view);
    });
  const first = async (bytes: Uint8Array) => {
    await using volume = await openMrcVolume(await writeFile(folder.path, bytes));
    return {
      value: (await volume.readSlab(0, 1))[0],
      anomalies: volume.header.anomalies.filter((text) => text.startsWith("mode 0")).length,
    };
  };
  const stamp = (flags: number) => (view: DataView) => {
    view.setInt32(152, 1146047817, true);
    view.setInt32(156, flags, true);
  };
  assert.deepEqual(await first(bytesFile(() => {})), { value: 200 - 256, anomalies: 0 });
  assert.deepEqual(await first(bytesFile(stamp(1))), { value: 200 - 256, anomalies: 0 });
  assert.deepEqual(await first(bytesFile(stamp(0))), { value: 200, anomalies: 0 });
  assert.deepEqual(
    await first(bytesFile((view) => {
      view.setFloat32(76, 0, true);
      view.setFloat32(80, 255, true);
    })),
    { value: 200, anomalies: 1 },
  );
});

Deno.test("what is odd but readable is read, and said: no stamp, no MAP, no axes, trailing bytes", async () => {
  await using folder = await temporaryFolder();
  const bytes = makeFile((view, all) => {
    all.fill(0, 208, 214);
    [0, 0, 0].forEach((value, i) => view.setInt32(64 + 4 * i, value, true));
  });
  await using volume = await openMrcVolume(await writeFile(folder.path, new Uint8Array([...bytes, 1, 2, 3])));
  assert.deepEqual(await volume.readSlab(0, 2), Float32Array.from({ length: 24 }, (_, i) => i));
  assert.deepEqual(volume.header.anomalies, [
    "machine stamp (bytes 213-214) is 0x00 0x00; read as little-endian by its first words",
    "mapc, mapr, maps are 0: read as 1, 2, 3",
    "3 bytes follow the voxels",
    'bytes 209-212 hold "\\u0000\\u0000\\u0000\\u0000" rather than "MAP "',
  ]);
});

Deno.test("real files of EMDB, mrcfile and the CryoET Data Portal have the statistics that their headers state", async () => {
  const folder = realFiles("mrc");
  if (folder === null) return;
  const files = [folder, `${folder}portal/`].flatMap((at) =>
    [...Deno.readDirSync(at)].filter(({ isFile, name }) => isFile && !/\.(gz|bz2)$/.test(name)).map(({ name }) => at + name)
  );
  assert.ok(files.length >= 10);
  let checked = 0;
  for (const file of files) {
    await using volume = await openMrcVolume(file);
    const voxels = await volume.readSlab(0, volume.shapeZyx[0]);
    const { min, max, mean } = volume.header.statistics;
    // Their headers do not describe their voxels; tests/proof/mrc_peers.ts holds them against mrcfile.
    if (/unsigned_ints|float16/.test(file)) continue;
    const found = voxels.reduce((sum, value) => sum + value, 0) / voxels.length;
    assert.equal(Math.fround(voxels.reduce((a, b) => Math.min(a, b))), min, file);
    assert.equal(Math.fround(voxels.reduce((a, b) => Math.max(a, b))), max, file);
    assert.ok(Math.abs(found - mean) <= REAL_MEAN_TOLERANCE * Math.max(1, Math.abs(mean)), `${file}: ${found} and ${mean}`);
    checked++;
  }
  assert.ok(checked >= 10);
  await using map = await openMrcVolume(`${folder}EMD-3197.map`);
  assert.deepEqual([map.shapeZyx, map.voxelSizeAngstrom], [[20, 20, 20], 11.4]);
  const gzipped = await Array.fromAsync(streamVolumeFile(await describeVolumeFile(`${folder}emd_3197.map.gz`)));
  assert.deepEqual(Float32Array.from(gzipped.flatMap((slab) => [...slab])), await map.readSlab(0, 20));
});
