import assert from "node:assert/strict";
import { dirname } from "node:path";
import { gzipSync } from "node:zlib";
import { CASES, hunt } from "./hunt.ts";
import { decodeBase64, readFixture, temporaryFolder } from "./reading.ts";
import { Bzip2Error, decompressBzip2 } from "../../../plugins/formats/bzip2.ts";
import { encodeEm } from "../../../plugins/formats/em.ts";
import { examineVolume } from "../../../plugins/formats/examine_volume.ts";
import { openVolumeFile } from "../../../plugins/formats/volume_file.ts";
import { InputError } from "../../../streams/errors.ts";

const volumes = readFixture<{
  zarr: Record<string, { files: Record<string, string> }>;
  mrc: Record<string, { file: string }>;
  bzip2: Record<string, { file: string }>;
}>("volumes");
const mrcs = Object.values(volumes.mrc).map(({ file }) => decodeBase64(file));
const em = encodeEm({ shapeZyx: [4, 5, 6], values: Float32Array.from({ length: 120 }, (_, i) => i % 7), voxelSizeAngstrom: 10 });

/** Files written in a row: each case costs several calls to the file system. */
const FEWER = Math.ceil(CASES / 4);

Deno.test("damaged MRC files with extended headers, stacks, 4-bit and complex voxels, and EM files, give an InputError or are read through", async () => {
  await using folder = await temporaryFolder();
  for (const [name, files] of [["more mrc", mrcs], ["em", [em]]] as const) {
    const path = `${folder.path}/a.${name === "em" ? "em" : "mrc"}`;
    await hunt(name, files, async (bytes) => {
      await Deno.writeFile(path, bytes);
      const { description, statistics, nonFiniteVoxels } = await examineVolume(path);
      const voxels = description.shapeZyx.reduce((a, b) => a * b, description.volumes);
      assert.ok(
        voxels <= 2 * bytes.length && nonFiniteVoxels <= voxels && statistics !== null,
        `${voxels} voxels from ${bytes.length} bytes`,
      );
    }, FEWER);
  }
});

Deno.test("damaged compressed files give an InputError or are read through, whether the damage is outside or inside", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/a.mrc.gz`;
  await hunt("gzip", mrcs.map((file) => new Uint8Array(gzipSync(file))), async (bytes) => {
    await Deno.writeFile(path, bytes);
    await examineVolume(path);
  }, FEWER);
  await hunt("header in gzip", [...mrcs, em], async (bytes) => {
    await Deno.writeFile(path, gzipSync(bytes, { level: 1 }));
    await examineVolume(path);
  }, FEWER);
  const packed = Object.values(volumes.bzip2).map(({ file }) => decodeBase64(file));
  await hunt("bzip2", packed, async (bytes) => {
    try {
      const input = async function* () {
        yield await Promise.resolve(bytes);
      };
      for await (const piece of decompressBzip2(input())) assert.ok(piece.length > 0);
    } catch (error) {
      if (error instanceof Bzip2Error) throw new InputError("a.bz2", error.message);
      throw error;
    }
  });
});

Deno.test("OME-Zarr folders of which one file is damaged give an InputError or a volume", async () => {
  await using folder = await temporaryFolder();
  const folders = Object.values(volumes.zarr);
  for (const [i, { files }] of folders.entries()) {
    for (const [path, content] of Object.entries(files)) {
      const at = `${folder.path}/${i}/${path}`;
      await Deno.mkdir(dirname(at), { recursive: true });
      await Deno.writeFile(at, decodeBase64(content));
    }
  }
  const all = folders.flatMap(({ files }, i) =>
    Object.entries(files).map(([path, content]) => ({ i, path, bytes: decodeBase64(content) }))
  );
  // Metadata more often than chunks.
  const targets = [...all, ...Array(4).fill(all.filter(({ path }) => /zarr\.json|\.z(attrs|array|group)$/.test(path))).flat()];
  let at = 0;
  await hunt("ome-zarr", targets.map(({ bytes }) => bytes), async (bytes) => {
    const { i, path, bytes: whole } = targets[at++ % targets.length];
    await Deno.writeFile(`${folder.path}/${i}/${path}`, bytes);
    try {
      await using volume = await openVolumeFile(`${folder.path}/${i}`);
      const size = volume.shapeZyx.map((n) => Math.min(n, 8)) as [number, number, number];
      assert.equal((await volume.readBox([0, 0, 0], size)).length, size[0] * size[1] * size[2]);
    } finally {
      await Deno.writeFile(`${folder.path}/${i}/${path}`, whole);
    }
  }, Math.max(FEWER, 150));
});
