/**
 * Holds the MRC reader and writer against independent programs: mrcfile (Python), relion_image_handler and @itk-wasm/image-io.
 *
 * Needs /usr/bin/python3 with mrcfile (or TOMOSIEVE_PYTHON), Debian's `relion`, and npm for @itk-wasm/image-io 1.6.1. Run: deno task proof
 */
import assert from "node:assert/strict";
import { realFiles, temporaryFolder } from "../plugins/formats/reading.ts";
import { openMrcVolume, writeMrcVolume } from "../../plugins/formats/mrc.ts";
import { createRandom } from "../../plugins/kernels/random.ts";

/** Sums in another order, and six printed digits. */
const TOLERANCE = 1e-5;

const PYTHON = Deno.env.get("TOMOSIEVE_PYTHON") ?? "/usr/bin/python3";
const MRCFILE = `
import json, sys, warnings
import mrcfile, numpy
out = []
for path in sys.argv[1:]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with mrcfile.open(path, permissive=True) as mrc:
            data = mrc.data.astype(numpy.float64)
            valid = mrcfile.validate(path, print_file=open("/dev/null", "w"))
            out.append(dict(valid=bool(valid), shape=list(data.shape), sum=data.sum(), last=float(data.ravel()[-1]),
                            weighted=float((data.ravel() * numpy.arange(data.size)).sum()), voxel=float(mrc.voxel_size.x)))
print(json.dumps(out))
`;
const ITK = `
import { mrcReadImageNode } from "@itk-wasm/image-io";
const { couldRead, image } = await mrcReadImageNode(Deno.args[0]);
console.log(JSON.stringify({ couldRead, size: image.size, spacing: image.spacing[0], voxels: Array.from(image.data) }));
`;

async function run(command: string, args: string[], cwd?: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd, stdout: "piped", stderr: "piped" }).output();
  assert.ok(success, `${command} failed: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

function close(a: number, b: number, what: string): void {
  assert.ok(Math.abs(a - b) <= TOLERANCE * Math.max(1, Math.abs(a), Math.abs(b)), `${what}: ${a} and ${b}`);
}

/** Asks mrcfile and ourselves for sums that depend on every voxel and its place. */
async function compareWithMrcfile(paths: readonly string[]): Promise<{ valid: boolean; shape: number[] }[]> {
  const seen = JSON.parse(await run(PYTHON, ["-c", MRCFILE, ...paths]));
  for (const [i, path] of paths.entries()) {
    await using volume = await openMrcVolume(path);
    const voxels = await volume.readSlab(0, volume.shapeZyx[0]);
    let sum = 0, weighted = 0;
    voxels.forEach((value, at) => {
      sum += value;
      weighted += value * at;
    });
    close(sum, seen[i].sum, `${path} sum`);
    close(weighted, seen[i].weighted, `${path} weighted sum`);
    assert.equal(voxels[voxels.length - 1], seen[i].last);
    close(volume.voxelSizeAngstrom, seen[i].voxel, `${path} voxel size`);
  }
  return seen;
}

const random = createRandom(3, "mrc peers");
const voxels = Float32Array.from({ length: 12 * 10 * 14 }, () => 5 + random.normal());

async function writeVolume(folder: string): Promise<string> {
  await writeMrcVolume(`${folder}/a.mrc`, { shapeZyx: [12, 10, 14], voxels, voxelSizeAngstrom: 13.48 });
  return `${folder}/a.mrc`;
}

Deno.test("mrcfile finds our files valid and reads the same voxels, also of a stack of volumes and in mode 12", async () => {
  await using folder = await temporaryFolder();
  const paths = [await writeVolume(folder.path), `${folder.path}/stack.mrcs`, `${folder.path}/half.mrc`];
  await writeMrcVolume(paths[1], { shapeZyx: [12, 4, 4], voxels: voxels.subarray(0, 192), voxelSizeAngstrom: 13.48, volumeSections: 4 });
  await writeMrcVolume(paths[2], { shapeZyx: [12, 10, 14], voxels, voxelSizeAngstrom: 13.48, mode: 12 });
  const seen = await compareWithMrcfile(paths);
  // mrcfile sums mode 12 in float16 and overflows: its check of statistics says nothing there.
  assert.ok(seen[0].valid && seen[1].valid);
  assert.deepEqual(seen[1].shape, [3, 4, 4, 4]);
});

Deno.test("we read real files as mrcfile does", async () => {
  const folder = realFiles("mrc");
  assert.ok(folder !== null, "no real files: see ../shared/data/README.md");
  const paths = [folder, `${folder}portal/`].flatMap((at) =>
    [...Deno.readDirSync(at)].filter(({ isFile, name }) => isFile && !/\.(gz|bz2)$/.test(name)).map(({ name }) => at + name)
  );
  await compareWithMrcfile(paths.sort());
  console.log(`${paths.length} files alike`);
});

Deno.test("relion_image_handler sees our shape, statistics and voxel size", async () => {
  await using folder = await temporaryFolder();
  const path = await writeVolume(folder.path);
  const text = await run("relion_image_handler", ["--i", path, "--stats"]);
  const [, mean, deviation, min, max] = /avg= (\S+) stddev= (\S+) minval= (\S+) maxval= (\S+);/.exec(text)!.map(Number);
  await using volume = await openMrcVolume(path);
  const { statistics } = volume.header;
  close(mean, statistics.mean, "mean");
  // RELION divides by n - 1.
  assert.ok(Math.abs(deviation / statistics.rms - 1) < 1e-3);
  close(min, statistics.min, "min");
  close(max, statistics.max, "max");
  assert.match(text, /= 14 x 10 x 12 x 1 .*angpix = 13\.48/s);
});

Deno.test("@itk-wasm/image-io reads every voxel that we wrote", async () => {
  await using folder = await temporaryFolder();
  const path = await writeVolume(folder.path);
  // A project of its own: the package is no dependency of tomosieve.
  await Deno.writeTextFile(
    `${folder.path}/deno.json`,
    '{"nodeModulesDir":"auto","imports":{"@itk-wasm/image-io":"npm:@itk-wasm/image-io@1.6.1"}}',
  );
  await Deno.writeTextFile(`${folder.path}/itk.ts`, ITK);
  const text = await run(Deno.execPath(), ["run", "-A", "itk.ts", path], folder.path);
  const image = JSON.parse(text.trim().split("\n").at(-1)!);
  assert.deepEqual([image.couldRead, image.size], [true, [14, 10, 12]]);
  close(image.spacing, 13.48, "spacing");
  assert.deepEqual(Float32Array.from(image.voxels), voxels);
});
