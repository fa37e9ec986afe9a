/**
 * Holds the volume formats against independent programs: mrcfile, NumPy, zarr-python (in an environment of its own, made here), RELION, and
 * HDF5 files of h5py through the optional package h5wasm.
 *
 * Needs /usr/bin/python3 with mrcfile and venv (or TOMOSIEVE_PYTHON), Debian's `relion`, PyPI and npm. Run: deno task proof
 */
import assert from "node:assert/strict";
import { decodeBase64, readFixture, realFiles, temporaryFolder } from "../plugins/formats/reading.ts";
import { copyVolume } from "../../plugins/formats/copy_volume.ts";
import { examineVolume } from "../../plugins/formats/examine_volume.ts";
import { writeMrcVolume } from "../../plugins/formats/mrc.ts";
import { describeVolumeFile, openVolumeFile, streamVolumeFile, voxelSizeOf } from "../../plugins/formats/volume_file.ts";
import { createRandom } from "../../plugins/kernels/random.ts";

/** Sums in another order, and six printed digits. */
const TOLERANCE = 1e-5;
const PYTHON = Deno.env.get("TOMOSIEVE_PYTHON") ?? "/usr/bin/python3";

async function run(command: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, stdout: "piped", stderr: "piped" }).output();
  assert.ok(success, `${command} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

function close(a: number, b: number, what: string): void {
  assert.ok(Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(a), Math.abs(b)), `${what}: ${a} and ${b}`);
}

/** Sums that depend on every voxel and its place. */
async function sumsOf(path: string): Promise<{ sum: number; weighted: number }> {
  let sum = 0, weighted = 0, at = 0;
  for await (const piece of streamVolumeFile(await describeVolumeFile(path))) {
    for (const value of piece) {
      sum += value;
      weighted += value * at++;
    }
  }
  return { sum, weighted };
}

const MRCFILE = `
import json, sys, warnings
import mrcfile, numpy
warnings.simplefilter("ignore")
out = []
for path in sys.argv[1:]:
    with mrcfile.open(path, permissive=True) as mrc:
        data = mrc.data if mrc.data.dtype.kind != "c" else numpy.abs(mrc.data)
        data = data.astype(numpy.float64)
        out.append(dict(sum=data.sum(), weighted=float((data.ravel() * numpy.arange(data.size)).sum()), min=data.min(), max=data.max(),
                        mean=data.mean(), rms=data.std(), header=[float(mrc.header[k]) for k in ("dmin", "dmax", "dmean", "rms")],
                        valid=bool(mrcfile.validate(path, print_file=open("/dev/null", "w")))))
print(json.dumps(out))
`;

Deno.test("mrcfile reads the same voxels as we do: real files plain, in gzip and in bzip2, extended headers, mode 4, stacks", async () => {
  const folder = realFiles("mrc");
  assert.ok(folder !== null, "no real files: see ../shared/data/README.md");
  await using fresh = await temporaryFolder();
  const paths = ["EMD-3197.map", "emd_3197.map.gz", "EMD-3197.map.bz2", "float16.mrc"].map((name) => folder + name);
  for (const [name, { file }] of Object.entries(readFixture<{ mrc: Record<string, { file: string }> }>("volumes").mrc)) {
    if (name === "mode 101") continue; // mrcfile does not read it.
    paths.push(`${fresh.path}/${name.replaceAll(" ", "_")}.mrc`);
    await Deno.writeFile(paths[paths.length - 1], decodeBase64(file));
  }
  const seen = JSON.parse(await run(PYTHON, "-c", MRCFILE, ...paths));
  for (const [i, path] of paths.entries()) {
    const { sum, weighted } = await sumsOf(path), { statistics } = await examineVolume(path);
    close(sum, seen[i].sum, `${path} sum`);
    close(weighted, seen[i].weighted, `${path} weighted sum`);
    for (const key of ["min", "max", "mean", "rms"] as const) close(statistics![key], seen[i][key], `${path} ${key}`);
  }
  console.log(`${paths.length} files alike`);
});

const random = createRandom(8, "volumes proof");
const shape = [70, 90, 140] as const;
const voxels = Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, () => 3 + random.normal());

Deno.test("header statistics of mode 2 and mode 12 are NumPy's, and RELION's and mrcfile's checks agree", async () => {
  await using folder = await temporaryFolder();
  const paths = [`${folder.path}/a.mrc`, `${folder.path}/half.mrc`];
  await writeMrcVolume(paths[0], { shapeZyx: shape, voxels, voxelSizeAngstrom: 13.48 });
  await copyVolume(paths[0], paths[1], { half: true });
  const seen = JSON.parse(await run(PYTHON, "-c", MRCFILE, ...paths));
  for (const [i, { min, max, mean, rms, header, valid }] of seen.entries()) {
    [min, max, mean, rms].forEach((value, k) => close(header[k], value, `${paths[i]} statistic ${k}`));
    // mrcfile sums mode 12 in float16, whose check says nothing.
    if (i === 0) assert.ok(valid, "mrcfile.validate");
  }
  const text = await run("relion_image_handler", "--i", paths[0], "--stats");
  const [, mean, , min, max] = /avg= (\S+) stddev= (\S+) minval= (\S+) maxval= (\S+);/.exec(text)!.map(Number);
  close(mean, seen[0].header[2], "RELION's mean");
  close(min, seen[0].header[0], "RELION's minimum");
  close(max, seen[0].header[1], "RELION's maximum");
});

const ZARR = `
import json, sys
import numpy, zarr
group = zarr.open_group(sys.argv[1], mode="r")
ome = group.attrs["ome"]
levels = []
for entry in ome["multiscales"][0]["datasets"]:
    data = group[entry["path"]][...].astype(numpy.float64)
    levels.append(dict(shape=list(data.shape), dtype=str(group[entry["path"]].dtype), sum=data.sum(),
                       weighted=float((data.ravel() * numpy.arange(data.size)).sum()), transforms=entry["coordinateTransformations"]))
print(json.dumps(dict(version=ome["version"], axes=ome["multiscales"][0]["axes"], levels=levels)))
`;

Deno.test("zarr-python reads the OME-Zarr that we write, every level, float32 and float16", async () => {
  await using folder = await temporaryFolder();
  await run(PYTHON, "-m", "venv", `${folder.path}/venv`);
  await run(`${folder.path}/venv/bin/pip`, "install", "-q", "zarr==3.1.3");
  const source = `${folder.path}/a.mrc`;
  await writeMrcVolume(source, { shapeZyx: shape, voxels, voxelSizeAngstrom: 13.48 });
  for (const half of [false, true]) {
    const path = `${folder.path}/${half}.zarr`;
    await copyVolume(source, path, { half });
    const seen = JSON.parse(await run(`${folder.path}/venv/bin/python`, "-c", ZARR, path));
    assert.deepEqual([seen.version, seen.levels.length, seen.levels[0].dtype], ["0.5", 3, half ? "float16" : "float32"]);
    assert.deepEqual(seen.axes[0], { name: "z", type: "space", unit: "angstrom" });
    assert.deepEqual(seen.levels[1].transforms, [{ type: "scale", scale: [26.96, 26.96, 26.96] }, {
      type: "translation",
      translation: [6.74, 6.74, 6.74],
    }]);
    for (const [level, { shape: levelShape, sum, weighted }] of seen.levels.entries()) {
      const own = await sumsOf(`${path}/${level}`);
      assert.deepEqual((await describeVolumeFile(`${path}/${level}`)).shapeZyx, levelShape);
      close(own.sum, sum, `level ${level} sum`);
      close(own.weighted, weighted, `level ${level} weighted sum`);
    }
  }
});

Deno.test("HDF5 files of h5py are read through the optional package h5wasm, and a damaged one is an InputError", async () => {
  await using folder = await temporaryFolder();
  // The package is none of the project's: what fetching it adds to the lock file is taken out again.
  const lock = new URL("../../deno.lock", import.meta.url), saved = await Deno.readTextFile(lock);
  try {
    const { hdf5 } = readFixture<{ hdf5: Record<string, { file: string; values: number[] }> }>("volumes"), path = `${folder.path}/a.h5`;
    for (
      const [name, dataset, size] of [["element_size_um", "", 13.48], ["EMAN2, gzip chunks", "", 13.5], [
        "two datasets",
        ":/g/b",
        0,
      ]] as const
    ) {
      await Deno.writeFile(path, decodeBase64(hdf5[name].file));
      const description = await describeVolumeFile(path + dataset);
      assert.deepEqual([description.shapeZyx, Number(voxelSizeOf(description).toFixed(4))], [[5, 6, 7], size]);
      assert.equal(description.readInOrderOnly, name.includes("chunks"));
      const [piece] = await Array.fromAsync(streamVolumeFile(description));
      assert.deepEqual([...piece], hdf5[name].values.map(Math.fround));
      await using volume = await openVolumeFile(description.locator);
      assert.deepEqual([...await volume.readBox([1, 2, 3], [1, 1, 2])], [hdf5[name].values[59], hdf5[name].values[60]].map(Math.fround));
    }
    await assert.rejects(describeVolumeFile(path), /holds 2 datasets of three axes: name one, as .*a\.h5:\/g\/a \(\/g\/a, \/g\/b\)/);
    await Deno.writeFile(path, decodeBase64(hdf5["two datasets"].file).subarray(0, 900));
    await assert.rejects(describeVolumeFile(path), /a\.h5: is no readable HDF5 file \(cannot be opened\): copy it again/);
  } finally {
    await Deno.writeTextFile(lock, saved);
  }
});

Deno.test("inspect reads an OME-Zarr volume from a web server, and names the permission that it needs", async () => {
  await using folder = await temporaryFolder();
  const source = `${folder.path}/a.mrc`;
  await writeMrcVolume(source, { shapeZyx: shape, voxels, voxelSizeAngstrom: 13.48 });
  await copyVolume(source, `${folder.path}/a.zarr`);
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const bytes = await Deno.readFile(folder.path + new URL(request.url).pathname).catch(() => null);
    return bytes === null ? new Response(null, { status: 404 }) : new Response(bytes);
  });
  const host = `127.0.0.1:${server.addr.port}`, cli = new URL("../../cli.ts", import.meta.url).pathname;
  const inspect = async (...flags: string[]) => {
    const args = [
      "run",
      "--allow-read",
      "--allow-write",
      "--allow-env",
      "--allow-sys",
      "--allow-ffi",
      ...flags,
      cli,
      "inspect",
      "--json",
      `http://${host}/a.zarr`,
    ];
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "piped" }).output();
    return { code, out: new TextDecoder().decode(stdout), words: new TextDecoder().decode(stderr) };
  };
  const refused = await inspect();
  assert.equal(refused.code, 1);
  assert.match(refused.words, new RegExp(`run it with --allow-net=${host}`));
  const { code, out } = await inspect(`--allow-net=${host}`);
  assert.equal(code, 0);
  const [found] = JSON.parse(out).files;
  assert.deepEqual([found.format, found.shapeZyx, found.voxelSizeAngstrom], ["OME-Zarr", [...shape], 13.48]);
  const { statistics } = await examineVolume(source);
  close(found.statistics.mean, statistics!.mean, "mean");
});
