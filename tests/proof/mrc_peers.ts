/**
 * Holds the MRC reader and writer against independent programs: mrcfile (Python), @itk-wasm/image-io and relion_image_handler.
 *
 * Needs python3 with mrcfile (or TOMOSIEVE_PYTHON), RELION, and npm for @itk-wasm/image-io; what is absent is said and left out, and the
 * script fails when nothing was there. Run: deno run -A tests/proof/mrc_peers.ts
 */
import assert from "node:assert/strict";
import { openMrcVolume, writeMrcVolume } from "../../plugins/formats/mrc.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { realFiles } from "../plugins/formats/reading.ts";

/** Sums in another order. */
const MEAN_TOLERANCE = 1e-5;

async function run(command: string, args: string[], cwd?: string): Promise<{ ok: boolean; text: string }> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(command, { args, cwd, stdout: "piped", stderr: "piped" }).output();
    return { ok: success, text: new TextDecoder().decode(stdout) + (success ? "" : new TextDecoder().decode(stderr)) };
  } catch {
    return { ok: false, text: `${command} is not there` };
  }
}

const PYTHON = Deno.env.get("TOMOSIEVE_PYTHON") ?? "python3";
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
for (const path of Deno.args) {
  const { couldRead, image } = await mrcReadImageNode(path);
  console.log(JSON.stringify({ couldRead, size: image.size, spacing: image.spacing[0], data: Array.from(image.data) }));
}
`;

interface Seen {
  readonly valid: boolean;
  readonly shape: number[];
  readonly sum: number;
  readonly last: number;
  readonly weighted: number;
  readonly voxel: number;
}

async function ours(path: string): Promise<Omit<Seen, "valid" | "shape">> {
  await using volume = await openMrcVolume(path);
  const voxels = await volume.readSlab(0, volume.shapeZyx[0]);
  let sum = 0, weighted = 0;
  voxels.forEach((value, i) => {
    sum += value;
    weighted += value * i;
  });
  return { sum, weighted, last: voxels[voxels.length - 1], voxel: volume.voxelSizeAngstrom };
}

function close(a: number, b: number, what: string): void {
  assert.ok(Math.abs(a - b) <= MEAN_TOLERANCE * Math.max(1, Math.abs(a), Math.abs(b)), `${what}: ${a} and ${b}`);
}

const folder = await Deno.makeTempDir({ prefix: "tomosieve-mrc-" });
let compared = 0;
try {
  const random = createRandom(3, "mrc peers");
  const voxels = Float32Array.from({ length: 12 * 10 * 14 }, () => 5 + random.normal());
  const written = { "mode 2": `${folder}/a.mrc`, "stack": `${folder}/c.mrcs`, "mode 12": `${folder}/b.mrc` };
  await writeMrcVolume(written["mode 2"], { shapeZyx: [12, 10, 14], voxels, voxelSizeAngstrom: 13.48 });
  await writeMrcVolume(written["mode 12"], { shapeZyx: [12, 10, 14], voxels, voxelSizeAngstrom: 13.48, mode: 12 });
  await writeMrcVolume(written.stack, {
    shapeZyx: [12, 4, 4],
    voxels: voxels.subarray(0, 192),
    voxelSizeAngstrom: 13.48,
    volumeSections: 4,
  });

  const real = realFiles("mrc");
  const realPaths = real === null
    ? []
    : [real, `${real}portal/`].flatMap((at) =>
      [...Deno.readDirSync(at)].filter(({ isFile, name }) => isFile && !/\.(gz|bz2)$/.test(name)).map(({ name }) => at + name)
    ).sort();

  const paths = [...Object.values(written), ...realPaths];
  const mrcfile = await run(PYTHON, ["-c", MRCFILE, ...paths]);
  if (!mrcfile.ok) console.log(`left out: mrcfile (${mrcfile.text.trim().split("\n").at(-1)})`);
  else {
    const seen = JSON.parse(mrcfile.text) as Seen[];
    for (const [i, path] of paths.entries()) {
      const mine = await ours(path);
      close(mine.sum, seen[i].sum, `${path} sum`);
      close(mine.weighted, seen[i].weighted, `${path} weighted sum`);
      assert.equal(mine.last, seen[i].last);
      close(mine.voxel, seen[i].voxel, `${path} voxel size`);
      compared++;
    }
    // mrcfile sums mode 12 in float16 and overflows: its check of our statistics says nothing there.
    for (const i of [0, 1]) assert.ok(seen[i].valid, `mrcfile.validate refuses ${paths[i]}`);
    assert.deepEqual(seen[1].shape, [3, 4, 4, 4], "mrcfile sees a stack of volumes");
    console.log(`mrcfile: ${paths.length} files alike, ours valid`);
  }

  const stats = await run("relion_image_handler", ["--i", written["mode 2"], "--stats"]);
  if (!stats.ok) console.log("left out: relion_image_handler");
  else {
    const [, mean, deviation, min, max] = /avg= (\S+) stddev= (\S+) minval= (\S+) maxval= (\S+);/.exec(stats.text)!.map(Number);
    await using volume = await openMrcVolume(written["mode 2"]);
    const { statistics } = volume.header;
    // RELION prints six digits and divides by n - 1.
    close(mean, statistics.mean, "mean");
    assert.ok(Math.abs(deviation / statistics.rms - 1) < 1e-3);
    close(min, statistics.min, "min");
    close(max, statistics.max, "max");
    assert.match(stats.text, /= 14 x 10 x 12 x 1 .*angpix = 13\.48/s);
    compared++;
    console.log("relion_image_handler: shape, statistics and voxel size alike");
  }

  await Deno.writeTextFile(
    `${folder}/deno.json`,
    '{"nodeModulesDir":"auto","imports":{"@itk-wasm/image-io":"npm:@itk-wasm/image-io@1.6.1"}}',
  );
  await Deno.writeTextFile(`${folder}/itk.ts`, ITK);
  const itk = await run(Deno.execPath(), ["run", "-A", "itk.ts", written["mode 2"]], folder);
  if (!itk.ok) console.log(`left out: @itk-wasm/image-io (${itk.text.trim().split("\n").at(-1)})`);
  else {
    const { couldRead, size, spacing, data } = JSON.parse(itk.text.trim().split("\n").at(-1)!);
    assert.deepEqual([couldRead, size], [true, [14, 10, 12]]);
    close(spacing, 13.48, "spacing");
    assert.deepEqual(Float32Array.from(data), voxels);
    compared++;
    console.log("@itk-wasm/image-io: every voxel alike");
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
if (compared === 0) {
  console.error("nothing to compare with");
  Deno.exit(1);
}
