import assert from "node:assert/strict";
import { temporaryFolder } from "../formats/reading.ts";
import { fakeContext } from "./fake_context.ts";
import { writeMrcVolume } from "../../../plugins/formats/mrc.ts";
import { normaliseBoxes } from "../../../plugins/kernels/prepare.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import source from "../../../plugins/sources/subtomogram_stack.ts";
import type { Subtomograms } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";

const B = 6;

/** n boxes of noise; those in `flat` are constant. */
function makeBoxes(n: number, flat: readonly number[] = []): Float32Array {
  const random = createRandom(2, "stack source", n);
  const voxels = Float32Array.from({ length: n * B ** 3 }, () => 50 + random.normal());
  for (const i of flat) voxels.fill(3, i * B ** 3, (i + 1) * B ** 3);
  return voxels;
}

async function write(path: string, voxels: Float32Array, voxelSizeAngstrom = 10): Promise<void> {
  await writeMrcVolume(path, { shapeZyx: [voxels.length / B ** 2, B, B], voxels, voxelSizeAngstrom, volumeSections: B });
}

async function collect(options: Record<string, unknown>) {
  const { context, told } = fakeContext();
  const instance = await source.create(source.options.parse(options), context, {});
  const batches: Subtomograms[] = [];
  for await (const batch of instance.open(context.signal)) batches.push(batch);
  return { batches, told };
}

Deno.test("boxes come normalised, in order, made bright, with rows (stack, box)", async () => {
  await using folder = await temporaryFolder();
  const first = makeBoxes(5), second = makeBoxes(3);
  await write(`${folder.path}/a.mrcs`, first);
  await write(`${folder.path}/b.mrcs`, second);
  const { batches, told } = await collect({ path: `${folder.path}/*.mrcs`, boxVoxels: B, tiltRangeDegrees: [-60, 60] });
  assert.deepEqual(batches.map(({ tomogram }) => [tomogram.id, tomogram.ordinal]), [["a", 0], ["b", 1]]);
  assert.deepEqual([...batches[0].rows], [0, 0, 0, 1, 0, 2, 0, 3, 0, 4]);
  assert.deepEqual([...batches[1].rows], [1, 0, 1, 1, 1, 2]);
  assert.deepEqual(batches[1].voxels, normaliseBoxes(second.map((value) => -value), 3, B).voxels);
  assert.equal(batches[0].picks, undefined);
  const { tomogram } = batches[0];
  assert.deepEqual(tomogram.volumes, {});
  assert.deepEqual(tomogram.geometry, { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: "unknown" });
  assert.equal(tomogram.metadata.voxelSizeAngstrom, 10);
  assert.equal(tomogram.metadata.boxes, 5);
  assert.deepEqual(told.notes, ["contrast: particles are dark in the files: voxels are multiplied by -1"]);
});

Deno.test("constant boxes are dropped and counted; the others keep their numbers", async () => {
  await using folder = await temporaryFolder();
  const voxels = makeBoxes(4, [0, 2]);
  await write(`${folder.path}/a.mrcs`, voxels);
  const { batches, told } = await collect({ path: `${folder.path}/a.mrcs`, contrast: "bright" });
  assert.deepEqual([...batches[0].rows], [0, 1, 0, 3]);
  const all = normaliseBoxes(voxels, 4, B).voxels, size = B ** 3;
  assert.deepEqual(batches[0].voxels, Float32Array.from([...all.subarray(size, 2 * size), ...all.subarray(3 * size)]));
  assert.deepEqual(told.drops, [[2, "constant boxes in a.mrcs"]]);
});

Deno.test("a large stack comes in batches that together are the stack", async () => {
  await using folder = await temporaryFolder();
  // 64 x 24^3 / 6^3 = 4096 boxes a batch.
  const n = 4100;
  await write(`${folder.path}/a.mrcs`, makeBoxes(n));
  const { batches } = await collect({ path: `${folder.path}/a.mrcs` });
  assert.deepEqual(batches.map(({ rows }) => rows.length / 2), [4096, 4]);
  assert.deepEqual(batches.flatMap(({ rows }) => [...rows].filter((_, i) => i % 2 === 1)), Array.from({ length: n }, (_, i) => i));
});

Deno.test("an odd z spacing in the header of a stack does not matter", async () => {
  await using folder = await temporaryFolder();
  await writeMrcVolume(`${folder.path}/a.mrc`, { shapeZyx: [2 * B, B, B], voxels: makeBoxes(2), voxelSizeAngstrom: 10 });
  const bytes = await Deno.readFile(`${folder.path}/a.mrc`);
  new DataView(bytes.buffer).setFloat32(48, 60, true);
  await Deno.writeFile(`${folder.path}/a.mrc`, bytes);
  const { batches } = await collect({ path: `${folder.path}/a.mrc` });
  assert.equal(batches[0].tomogram.metadata.voxelSizeAngstrom, 10);
});

Deno.test("stacks that do not fit the options or one another are refused", async () => {
  await using folder = await temporaryFolder();
  const path = (name: string) => `${folder.path}/${name}`;
  await write(path("a.mrcs"), makeBoxes(2));
  await write(path("b.mrcs"), makeBoxes(2), 12);
  await writeMrcVolume(path("c.mrcs"), { shapeZyx: [8, 4, 4], voxels: makeBoxes(1).subarray(0, 128), voxelSizeAngstrom: 10 });
  const cases: [Record<string, unknown>, RegExp][] = [
    [{ path: path("none.mrcs") }, /none\.mrcs: no file matches/],
    [{ path: path("a.mrcs"), boxVoxels: 24 }, /a\.mrcs: holds boxes of 6 voxels, boxVoxels says 24: set it to 6/],
    [{ path: [path("a.mrcs"), path("b.mrcs")] }, /b has 12 A a voxel, a has 10 A \(20 % apart\)/],
    [{ path: [path("a.mrcs"), path("c.mrcs")] }, /c\.mrcs: holds boxes of 4 voxels, a holds boxes of 6/],
    [{ path: path("a.mrcs"), voxelSizeAngstrom: 20 }, /header voxel size 10 A, manifest says 20 A \(50 % apart\)/],
  ];
  for (const [options, message] of cases) {
    await assert.rejects(collect(options), (error: Error) => {
      assert.match(error.message, message);
      return error instanceof InputError;
    });
  }
});
