import assert from "node:assert/strict";
import { decodeBase64, readFixture, temporaryFolder } from "../../plugins/formats/reading.ts";
import { createMrcWriter, writeMrcVolume } from "../../../plugins/formats/mrc.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import type { Triple } from "../../../streams/contract.ts";
import { inspect, inspectionRecord, inspectionText } from "../../../streams/verbs/inspect.ts";

/** Writes a volume, inspects it, and gives the text with the folder's name cut away. */
async function screen(folder: string, name: string, options: { voxels?: boolean } = {}): Promise<string> {
  return inspectionText(await inspect(`${folder}/${name}`, options)).replaceAll(`${folder}/`, "");
}

/** Noise with dark or bright balls, so that local means are lopsided. */
function ballsInNoise([nz, ny, nx]: Triple, sign: number): Float32Array {
  const random = createRandom(2, "inspect"), voxels = new Float32Array(nz * ny * nx);
  for (let i = 0; i < voxels.length; i++) voxels[i] = random.normal();
  for (let n = 0; n < 20; n++) {
    const [cz, cy, cx] = [nz, ny, nx].map((length) => random.integer(length));
    for (let z = -5; z <= 5; z++) {
      for (let y = -5; y <= 5; y++) {
        for (let x = -5; x <= 5; x++) {
          const at = [cz + z, cy + y, cx + x];
          if (x * x + y * y + z * z <= 25 && at.every((value, i) => value >= 0 && value < [nz, ny, nx][i])) {
            voxels[(at[0] * ny + at[1]) * nx + at[2]] += 2 * sign;
          }
        }
      }
    }
  }
  return voxels;
}

Deno.test("a healthy tomogram: shape, voxel size, statistics, contrast, and nothing odd", async () => {
  await using folder = await temporaryFolder();
  const shape: Triple = [24, 64, 64];
  for (const [name, sign] of [["dark", -1], ["bright", 1]] as const) {
    await writeMrcVolume(`${folder.path}/${name}.mrc`, { shapeZyx: shape, voxels: ballsInNoise(shape, sign), voxelSizeAngstrom: 13.48 });
    const text = await screen(folder.path, `${name}.mrc`);
    assert.match(text, new RegExp(`^${name}\\.mrc: MRC volume, 394 kB\n`));
    assert.match(text, /shape +64 x 64 x 24 voxels \(x, y, z\) \(86 x 86 x 32 nm\)/);
    assert.match(text, /voxel size +13\.48 A/);
    assert.match(text, /stored as +float32, byte order little, columns rows sections = x, y, z/);
    assert.match(text, new RegExp(`contrast +probably ${name} \\(a guess: skewness of 4-voxel means -?\\d`));
    assert.match(text, /nothing odd was found$/);
  }
});

Deno.test("what is odd is said: unset voxel size, NaN, constant sections, statistics that are not the voxels', thickness along y", async () => {
  await using folder = await temporaryFolder();
  const shape: Triple = [20, 6, 20], path = `${folder.path}/a.mrc`, voxels = ballsInNoise(shape, -1).fill(7, 3 * 120, 5 * 120);
  await writeMrcVolume(path, { shapeZyx: shape, voxels, voxelSizeAngstrom: 0 });
  const bytes = await Deno.readFile(path), view = new DataView(bytes.buffer);
  view.setFloat32(84, 3, true);
  view.setFloat32(1024 + 4 * (10 * 120 + 2 * 20 + 5), NaN, true);
  await Deno.writeFile(path, bytes);
  const text = await screen(folder.path, "a.mrc");
  for (
    const line of [
      "! voxel size is 0: not set; state voxelSizeAngstrom",
      "! thinnest along y (6): a reconstruction whose y and z were not exchanged yet? (IMOD: trimvol -rx)",
      "! 1 voxels are NaN or infinite, the first at x 5, y 2, z 10: replace them",
      "! 2 of 20 sections are constant, the first is number 3 (from 0)",
      "! statistics of the header are not those of the voxels: mean 3 in the header, ",
    ]
  ) assert.ok(text.includes(line), `${line}\n${text}`);
  const header = await screen(folder.path, "a.mrc", { voxels: false });
  assert.doesNotMatch(header, /NaN|constant|deviation/);
});

Deno.test("masks, clipped integers, tilt series, stacks of boxes and exchanged axes are recognised", async () => {
  await using folder = await temporaryFolder();
  const file = async (name: string, mode: number, [nz, ny, nx]: Triple, value: (i: number) => number) => {
    await using writer = await createMrcWriter(`${folder.path}/${name}`, { ny, nx, voxelSizeAngstrom: 10, sync: false });
    await writer.writeSlab(Float32Array.from({ length: nz * ny * nx }, (_, i) => value(i)));
    await writer.finish();
    const floats = await Deno.readFile(`${folder.path}/${name}`), head = floats.slice(0, 1024);
    new DataView(head.buffer).setInt32(12, mode, true);
    const stored = mode === 2 ? floats.subarray(1024) : new Uint8Array(Int8Array.from(new Float32Array(floats.slice(1024).buffer)).buffer);
    await Deno.writeFile(`${folder.path}/${name}`, new Uint8Array([...head, ...stored]));
    return await screen(folder.path, name);
  };
  assert.match(await file("mask.mrc", 0, [4, 8, 8], (i) => i % 3 === 0 ? 1 : 0), /holds the values 0, 1 and no other: a mask or labels/);
  assert.match(
    await file("clipped.mrc", 0, [4, 8, 8], (i) => Math.max(-128, Math.min(127, 4 * (i % 97) - 150))),
    /% of the voxels are at an end of the range of int8: clipped/,
  );
  assert.match(await file("s.st", 2, [4, 8, 8], (i) => i % 11), /looks like a tilt series of 4 images rather than a tomogram/);
  assert.match(await file("boxes.mrcs", 2, [24, 8, 8], (i) => i % 11), /24 sections are 3 times 8: a stack of boxes\?/);
  const { files } = readFixture<{ files: Record<string, { file: string }> }>("mrc");
  await Deno.writeFile(`${folder.path}/p.mrc`, decodeBase64(files["axes 2 3 1"].file));
  assert.match(
    await screen(folder.path, "p.mrc"),
    /columns, rows, sections are y, z, x: put into x, y, z here, but ignored by many programs/,
  );
});

Deno.test("a particle file: how many, where, in which frame, and what is odd", async () => {
  await using folder = await temporaryFolder();
  await Deno.writeTextFile(
    `${folder.path}/p.star`,
    "data_\n\nloop_\n_rlnTomoName #1\n_rlnCoordinateX #2\n_rlnCoordinateY #3\n_rlnCoordinateZ #4\n" +
      "t1 10 20 30\nt1 10 20 30\nt2 -15 25 35\n",
  );
  const text = await screen(folder.path, "p.star");
  assert.match(text, /^p\.star: RELION .* particles\n/);
  assert.match(text, /particles +3 in 2 tomograms: t1 2, t2 1/);
  assert.match(text, /coordinates +voxels from the first voxel/);
  assert.match(text, /x, y, z +-15 to 10; 20 to 25; 30 to 35/);
  assert.match(text, /! some coordinates are below 0/);
  assert.match(text, /! 1 particles stand at the place of an earlier one/);
});

Deno.test("the record for --json holds no voxels and survives JSON", async () => {
  await using folder = await temporaryFolder();
  await writeMrcVolume(`${folder.path}/a.mrc`, {
    shapeZyx: [2, 2, 2],
    voxels: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    voxelSizeAngstrom: 1,
  });
  const record = JSON.parse(JSON.stringify(inspectionRecord(await inspect(`${folder.path}/a.mrc`))));
  assert.deepEqual([record.kind, record.format, record.shapeZyx, record.statistics.mean], ["volume", "MRC", [2, 2, 2], 4.5]);
  assert.deepEqual(record.anomalies, ["voxel size is exactly 1 A, which often means that it was never set"]);
});
