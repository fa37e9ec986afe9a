import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { temporaryFolder } from "../formats/reading.ts";
import { fakeContext } from "./fake_context.ts";
import { writeMrcVolume } from "../../../plugins/formats/mrc.ts";
import { findFiles } from "../../../plugins/sources/tomograms/find_files.ts";
import { OpenFiles } from "../../../plugins/sources/tomograms/open_files.ts";
import source from "../../../plugins/sources/tomograms.ts";
import type { Tomogram, Triple } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";

const SHAPE: Triple = [4, 5, 6];

/** Voxels 0..119 plus an offset that tells files apart. */
function ramp(offset = 0): Float32Array {
  return Float32Array.from({ length: 120 }, (_, i) => i + offset);
}

async function write(path: string, { voxels = ramp(), voxelSizeAngstrom = 10 } = {}): Promise<void> {
  await writeMrcVolume(path, { shapeZyx: SHAPE, voxels, voxelSizeAngstrom });
}

/** Opens the source and collects its tomograms. */
async function collect(folder: string, options: Record<string, unknown>) {
  const { context, told } = fakeContext(folder);
  const instance = await source.create(source.options.parse(options), context, {});
  const tomograms: Tomogram[] = [];
  for await (const tomogram of instance.open(context.signal)) tomograms.push(tomogram);
  return { tomograms, told, instance, close: () => instance[Symbol.asyncDispose]!() };
}

Deno.test("tomograms come sorted by their stem, dark ones multiplied by -1, with their facts", async () => {
  await using folder = await temporaryFolder();
  await write(`${folder.path}/b.mrc`, { voxels: ramp(1000) });
  await write(`${folder.path}/sub/a.rec`, { voxels: ramp(2000) });
  const { tomograms, told, close } = await collect(folder.path, {
    paths: [`${folder.path}/*.mrc`, `${folder.path}/sub/a.rec`],
    tiltRangeDegrees: [-60, 50],
  });
  assert.deepEqual(tomograms.map(({ id, ordinal }) => [id, ordinal]), [["a", 0], ["b", 1]]);
  const [a, b] = tomograms;
  assert.deepEqual(await a.volumes.raw.readSlab(0, 4), ramp(2000).map((value) => -value));
  assert.deepEqual([...await b.volumes.raw.readBox([3, 4, 4], [1, 1, 2])], [-1118, -1119]);
  assert.deepEqual([a.volumes.raw.shapeZyx, a.volumes.raw.voxelSizeAngstrom], [SHAPE, 10]);
  assert.deepEqual(a.geometry, { tiltRangeDegrees: [-60, 50], tiltAxis: "y", handedness: "unknown" });
  assert.deepEqual(a.metadata, {
    path: `${folder.path}/sub/a.rec`,
    bytes: 1024 + 480,
    contrast: "dark",
    mode: 2,
    headerVoxelSizeAngstrom: 10,
  });
  assert.deepEqual(told.notes, ["contrast: particles are dark in the files: voxels are multiplied by -1"]);
  assert.deepEqual(told.warnings, []);
  await close();
});

Deno.test("bright tomograms are left as they are, and an unknown tilt range is said", async () => {
  await using folder = await temporaryFolder();
  await write(`${folder.path}/a.mrc`);
  const { tomograms, told, close } = await collect(folder.path, { paths: [`${folder.path}/a.mrc`], contrast: "bright" });
  assert.deepEqual(await tomograms[0].volumes.raw.readSlab(0, 4), ramp());
  assert.equal(tomograms[0].geometry.tiltRangeDegrees, "unknown");
  assert.match(told.notes.join("\n"), /tilt-range-unknown: tilt range of all tomograms unknown/);
  await close();
});

Deno.test("reopen() gives the same tomogram by its ordinal, and null beyond the last", async () => {
  await using folder = await temporaryFolder();
  await write(`${folder.path}/a.mrc`);
  await write(`${folder.path}/b.mrc`, { voxels: ramp(5) });
  const { tomograms, instance, close } = await collect(folder.path, { paths: [`${folder.path}/*.mrc`] });
  const again = await instance.reopen!(1);
  assert.deepEqual([again!.id, again!.geometry, again!.metadata], [tomograms[1].id, tomograms[1].geometry, tomograms[1].metadata]);
  assert.deepEqual(await again!.volumes.raw.readSlab(0, 1), await tomograms[1].volumes.raw.readSlab(0, 1));
  assert.equal(await instance.reopen!(2), null);
  await Deno.remove(`${folder.path}/a.mrc`);
  await Deno.remove(`${folder.path}/b.mrc`);
  assert.equal(await instance.reopen!(0), null);
  await close();
});

Deno.test("a gzipped tomogram is unpacked once into scratch and reads the same", async () => {
  await using folder = await temporaryFolder();
  await write(`${folder.path}/a.mrc`, { voxelSizeAngstrom: 13.48 });
  await Deno.writeFile(`${folder.path}/b.mrc.gz`, gzipSync(await Deno.readFile(`${folder.path}/a.mrc`)));
  await Deno.remove(`${folder.path}/a.mrc`);
  const { tomograms, told, instance, close } = await collect(folder.path, { paths: [`${folder.path}/*.mrc.gz`] });
  assert.equal(tomograms[0].id, "b");
  assert.deepEqual(await tomograms[0].volumes.raw.readSlab(0, 4), ramp().map((value) => -value));
  assert.equal(tomograms[0].volumes.raw.voxelSizeAngstrom, 13.48);
  await instance.reopen!(0);
  assert.equal(told.filled.length, 1);
  await close();
});

Deno.test("a damaged gzip file is refused, whether cut or holding too few voxels", async () => {
  await using folder = await temporaryFolder();
  await write(`${folder.path}/a.mrc`);
  const bytes = await Deno.readFile(`${folder.path}/a.mrc`);
  const path = `${folder.path}/b.mrc.gz`;
  for (
    const [content, message] of [
      [gzipSync(bytes).subarray(0, 150), /b\.mrc\.gz: (is no complete gzip file|truncated)/],
      [
        gzipSync(bytes.subarray(0, 1200)),
        /b\.mrc\.gz: truncated: 6 x 5 x 4 voxels \(float32\) need 480 bytes, the decompressed file has 176/,
      ],
    ] as const
  ) {
    await Deno.writeFile(path, content);
    await assert.rejects(
      collect(folder.path, { paths: [path] }),
      (error: Error) => error instanceof InputError && message.test(error.message),
    );
  }
});

Deno.test("the geometry table counts most, then options, then tilt files of the same stem", async () => {
  await using folder = await temporaryFolder();
  for (const id of ["a", "b", "c", "d"]) await write(`${folder.path}/${id}.mrc`);
  await Deno.writeTextFile(`${folder.path}/a.rawtlt`, "-50\n0\n48\n");
  await Deno.writeTextFile(
    `${folder.path}/b.mdoc`,
    "[ZValue = 0]\nTiltAngle = 3\nExposureDose = 2\nTargetDefocus = -3\n[ZValue = 1]\nTiltAngle = -3\nExposureDose = 2\nTargetDefocus = -3\n",
  );
  await Deno.writeTextFile(`${folder.path}/c.tlt`, "-40\n40\n");
  await Deno.writeTextFile(`${folder.path}/c.rawtlt`, "-41\n41\n");
  const table = `${folder.path}/geometry.csv`;
  await Deno.writeTextFile(
    table,
    "tomogram,tiltMinDegrees,tiltMaxDegrees,tiltAxis,handedness,defocusAngstrom\nd,-30,35,x,-1,25000\nc,-20,20,,,\nz,,,,,\n",
  );
  const { tomograms, told, close } = await collect(folder.path, { paths: [`${folder.path}/*.mrc`], geometry: table });
  assert.deepEqual(tomograms.map(({ geometry }) => geometry), [
    { tiltRangeDegrees: [-50, 48], tiltAnglesDegrees: [-50, 0, 48], tiltAxis: "y", handedness: "unknown" },
    {
      tiltRangeDegrees: [-3, 3],
      tiltAnglesDegrees: [-3, 3],
      tiltAxis: "y",
      handedness: "unknown",
      defocusAngstrom: 30000,
      doseElectronsPerSquareAngstrom: 4,
    },
    { tiltRangeDegrees: [-20, 20], tiltAxis: "y", handedness: "unknown" },
    { tiltRangeDegrees: [-30, 35], tiltAxis: "x", handedness: -1, defocusAngstrom: 25000 },
  ]);
  assert.deepEqual(told.warnings, [
    `tilt-range: c: ${folder.path}/c.tlt says -40 to 40 degrees, the geometry table says -20 to 20: the latter was taken`,
    "geometry-without-tomogram: geometry.csv names z, but no file has that stem",
  ]);
  await close();
  const none = await collect(folder.path, {
    paths: [`${folder.path}/a.mrc`],
    tiltFiles: "none",
    tiltRangeDegrees: [-60, 60],
    handedness: 1,
  });
  assert.deepEqual(none.tomograms[0].geometry, { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: 1 });
  await none.close();
});

for (
  const [text, message] of [
    ["name2,x\na,1\n", /no column "tomogram": found name2, x; known columns are tomogram, tiltMinDegrees/],
    ["tomogram,tiltMin\na,1\n", /tiltMinDegrees and tiltMaxDegrees must stand together/],
    ["tomogram,colour\na,1\n", /unknown column "colour"/],
    ["tomogram,tiltMin,tiltMax\na,60,-60\n", /line 2: tilt range 60 to -60 degrees/],
    ["tomogram,tiltMin,tiltMax\na,x,60\n", /line 2: tiltMinDegrees is "x", expected a number/],
    ["tomogram,tiltAxis\na,z\n", /line 2: tiltAxis is "z", expected x or y/],
    ["tomogram,handedness\na,1\na,1\n", /line 3: "a" stands twice/],
  ] as const
) {
  Deno.test(`a geometry table with ${JSON.stringify(text)} is refused`, async () => {
    await using folder = await temporaryFolder();
    await write(`${folder.path}/a.mrc`);
    await Deno.writeTextFile(`${folder.path}/g.csv`, text);
    await assert.rejects(collect(folder.path, { paths: [`${folder.path}/a.mrc`], geometry: `${folder.path}/g.csv` }), (error: Error) => {
      assert.match(error.message, message);
      return error instanceof InputError;
    });
  });
}

Deno.test("bad input gets one clear error that names file and remedy, before any tomogram is handed out", async () => {
  await using folder = await temporaryFolder();
  const path = (name: string) => `${folder.path}/${name}`;
  await write(path("good.mrc"));
  await Deno.writeFile(path("cut.mrc"), (await Deno.readFile(path("good.mrc"))).subarray(0, 1200));
  await Deno.writeTextFile(path("text.mrc"), "x".repeat(3000));
  await write(path("other/good.mrc"));
  await write(path("fine.mrc"), { voxelSizeAngstrom: 5 });
  await write(path("unset.mrc"), { voxelSizeAngstrom: 0 });
  await write(path("flat.mrc"), { voxels: new Float32Array(120).fill(7) });
  await writeMrcVolume(path("stack.mrcs"), { shapeZyx: [4, 2, 2], voxels: new Float32Array(16), voxelSizeAngstrom: 1, volumeSections: 2 });
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ paths: [path("none*.mrc")] }, /none\*\.mrc: no file matches/],
    [{ paths: [folder.path] }, /is a folder, and no Zarr group: write .*\*\.mrc/],
    [{ paths: [path("good.mrc"), path("cut.mrc")] }, /cut\.mrc: truncated: 6 x 5 x 4 voxels of mode 2 need 1504 bytes, the file has 1200/],
    [{ paths: [path("text.mrc")] }, /text\.mrc: not an MRC file/],
    [{ paths: [path("good.mrc"), path("other/good.mrc")] }, /other\/good\.mrc: has the same id "good" as .*\/good\.mrc: rename one/],
    [
      { paths: [path("good.mrc"), path("fine.mrc")] },
      /good has 10 A a voxel, fine has 5 A \(100 % apart\): add the stage .*"rescale".*"voxelSizeAngstrom": 10/,
    ],
    [{ paths: [path("unset.mrc")] }, /unset\.mrc: the header holds no voxel size/],
    [{ paths: [path("good.mrc")], voxelSizeAngstrom: 13 }, /good\.mrc: header voxel size 10 A, manifest says 13 A \(23 % apart\)/],
    [{ paths: [path("flat.mrc")] }, /flat\.mrc: every voxel is 7: is this an empty or failed reconstruction\?/],
    [{ paths: [path("stack.mrcs")] }, /stack\.mrcs: is a stack of 2 cubic volumes .*"subtomogram-stack"/],
  ];
  for (const [options, message] of cases) {
    await assert.rejects(collect(folder.path, options), (error: Error) => {
      assert.match(error.message, message);
      return error instanceof InputError;
    });
  }
  const allowed = await collect(folder.path, { paths: [path("good.mrc"), path("fine.mrc")], unlikeVoxelSizes: "allow" });
  assert.deepEqual(allowed.tomograms.map(({ volumes }) => volumes.raw.voxelSizeAngstrom), [5, 10]);
  await allowed.close();
  const stated = await collect(folder.path, {
    paths: [path("unset.mrc"), path("good.mrc")],
    voxelSizeAngstrom: 13,
    onVoxelSizeMismatch: "manifest",
  });
  assert.deepEqual(stated.tomograms.map(({ volumes }) => volumes.raw.voxelSizeAngstrom), [13, 13]);
  assert.match(
    stated.told.notes.join("\n"),
    /good\.mrc: header voxel size 10 A, manifest says 13 A \(23 % apart\): the manifest's was taken/,
  );
  await stated.close();
});

Deno.test("a volume that is constant only where it was looked at first is not refused", async () => {
  await using folder = await temporaryFolder();
  const voxels = new Float32Array(40 * 4);
  // Section 5 is none of the five that are looked at first.
  voxels[5 * 4 + 1] = 1;
  await writeMrcVolume(`${folder.path}/a.mrc`, { shapeZyx: [40, 2, 2], voxels, voxelSizeAngstrom: 10 });
  const { tomograms, close } = await collect(folder.path, { paths: [`${folder.path}/a.mrc`] });
  assert.equal(tomograms.length, 1);
  await close();
});

Deno.test("a NaN voxel stops the reader with its place", async () => {
  await using folder = await temporaryFolder();
  await write(`${folder.path}/a.mrc`);
  const bytes = await Deno.readFile(`${folder.path}/a.mrc`);
  new DataView(bytes.buffer).setFloat32(1024 + 4 * (30 + 6 + 3), NaN, true);
  await Deno.writeFile(`${folder.path}/a.mrc`, bytes);
  const { tomograms, close } = await collect(folder.path, { paths: [`${folder.path}/a.mrc`] });
  await assert.rejects(tomograms[0].volumes.raw.readSlab(0, 4), /a\.mrc: voxel x 3, y 1, z 1 is NaN/);
  await close();
});

Deno.test("findFiles() lists a file once, takes folders with brackets as they stand, and skips folders", async () => {
  await using folder = await temporaryFolder();
  const odd = `${folder.path}/run [1] {a}`;
  await write(`${odd}/b.mrc`);
  await write(`${odd}/a.mrc`);
  await Deno.mkdir(`${odd}/c.mrc`);
  await Deno.symlink(`${odd}/b.mrc`, `${folder.path}/link.mrc`);
  const files = findFiles([`${odd}/*.mrc`, `${odd}/a.mrc`, `${folder.path}/link.mrc`, `${folder.path}/**/b.mrc`]);
  assert.deepEqual(files.map(({ id, path }) => [id, path]), [["a", `${odd}/a.mrc`], ["b", `${odd}/b.mrc`]]);
});

Deno.test("OpenFiles keeps few files open, also under overlapping reads, and sees a file replaced by another shape", async () => {
  await using folder = await temporaryFolder();
  await using files = new OpenFiles(2);
  const paths = Array.from({ length: 6 }, (_, i) => `${folder.path}/${i}.mrc`);
  for (const [i, path] of paths.entries()) await write(path, { voxels: ramp(100 * i) });
  const volumes = paths.map((path) => files.volume(path, SHAPE, 10));
  assert.equal(files.count, 0);
  const reads = await Promise.all(Array.from({ length: 30 }, (_, i) => volumes[i % 6].readSlab(i % 4, i % 4 + 1)));
  reads.forEach((section, i) => assert.equal(section[0], 100 * (i % 6) + 30 * (i % 4)));
  assert.equal(files.count, 2);
  await volumes[0].readSlab(0, 1);
  await Deno.remove(paths[1]);
  await volumes[2].readSlab(0, 1);
  await volumes[3].readSlab(0, 1);
  await assert.rejects(volumes[1].readSlab(0, 1), /1\.mrc: no such file/);
  await writeMrcVolume(paths[1], { shapeZyx: [2, 5, 6], voxels: new Float32Array(60), voxelSizeAngstrom: 10 });
  await assert.rejects(volumes[1].readSlab(0, 1), /had 4 x 5 x 6 voxels \(z, y, x\) and now has 2 x 5 x 6: it was replaced during the run/);
});
