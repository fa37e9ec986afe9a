/**
 * Operators that sort out picks, on made-up volumes.
 */
import assert from "node:assert/strict";
import type { AnyPlugin, Picks, Triple } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import { writeMrcVolume } from "../../../plugins/formats/mrc.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import edgeMargin from "../../../plugins/operators/edge_margin.ts";
import flatBoxes from "../../../plugins/operators/flat_boxes.ts";
import goldBeads from "../../../plugins/operators/gold_beads.ts";
import maskPicks from "../../../plugins/operators/mask_picks.ts";
import { memoryContext, memoryTomogram, memoryVolume } from "../memory_context.ts";

function picksAt(centres: readonly (readonly number[])[], voxels: Float32Array, shapeZyx: Triple, voxelSize = 10): Picks {
  return {
    tomogram: memoryTomogram({ raw: memoryVolume(voxels, shapeZyx, voxelSize) }),
    centresXyz: Float64Array.from(centres.flat()),
    score: Float32Array.from(centres, (_, i) => i),
    eulerZyzDegrees: Float64Array.from(centres.flatMap((_, i) => [i, 2 * i, 3 * i])),
    columns: { name: centres.map((_, i) => `p${i}`) },
  };
}

async function run(plugin: AnyPlugin, given: Record<string, unknown>, picks: Picks) {
  const context = memoryContext(), operator = await plugin.create(plugin.options.parse(given), context, {});
  return { picks: await operator.apply(picks, context.signal) as Picks, told: context.told };
}
/** Everything that belongs to the picks left, by their own numbers. */
function checkCarried(picks: Picks, expected: readonly number[]): void {
  assert.deepEqual([...picks.score], expected);
  assert.deepEqual(picks.columns.name, expected.map((i) => `p${i}`));
  assert.deepEqual([...picks.eulerZyzDegrees!], expected.flatMap((i) => [i, 2 * i, 3 * i]));
}

Deno.test("`edge-margin` keeps picks at least a margin inside, along z another one", async () => {
  const picks = picksAt([[4, 5, 5], [3.9, 5, 5], [15, 14, 2], [15.1, 9, 5], [8, 8, 1.9]], new Float32Array(10 * 20 * 20), [10, 20, 20]);
  const { picks: kept, told } = await run(edgeMargin, { marginVoxels: 4, marginZVoxels: 2 }, picks);
  checkCarried(kept, [0, 2]);
  assert.deepEqual(told.map(({ message, count }) => [message, count]), [["pick nearer than 4 (along z 2) voxels to a face", 3]]);
  checkCarried((await run(edgeMargin, { marginVoxels: 4 }, picks)).picks, [0]);
});

Deno.test("`mask-picks` keeps picks inside or outside a mask, and refuses one of another shape", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const shape: Triple = [6, 8, 10], path = `${folder}/{id}_mask.mrc`;
    const mask = Float32Array.from({ length: 480 }, (_, i) => i % 10 < 5 ? 1 : 0.5);
    await writeMrcVolume(`${folder}/memory_mask.mrc`, { shapeZyx: shape, voxelSizeAngstrom: 10, voxels: mask });
    const picks = picksAt([[4.4, 2, 3], [4.6, 2, 3], [0, 7, 5], [9, 0, 0], [-3, 2, 2]], new Float32Array(480), shape);
    const inside = await run(maskPicks, { path }, picks);
    checkCarried(inside.picks, [0, 2]);
    assert.deepEqual(inside.told.map(({ message, count }) => [message, count]), [["pick outside the mask", 3]]);
    checkCarried((await run(maskPicks, { path, keep: "outside" }, picks)).picks, [1, 3, 4]);
    await assert.rejects(
      run(maskPicks, { path }, picksAt([[1, 1, 1]], new Float32Array(1000), [10, 10, 10])),
      (e: Error) => e instanceof InputError && /has 10 x 8 x 6 voxels, the tomogram 10 x 10 x 10/.test(e.message),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Noise with dense balls of radius 5 and weaker blobs. */
function beadScene(beads: readonly (readonly number[])[], blobs: readonly (readonly number[])[], size: number): Float32Array {
  const random = createRandom(4, "beads");
  return Float32Array.from({ length: size ** 3 }, (_, i) => {
    const at = [i % size, Math.floor(i / size) % size, Math.floor(i / size / size)];
    const distance = (c: readonly number[]) => Math.hypot(at[0] - c[0], at[1] - c[1], at[2] - c[2]);
    return random.normal() + beads.reduce((sum, c) => sum + (distance(c) < 5 ? 8 : 0), 0) +
      blobs.reduce((sum, c) => sum + 2 * Math.exp(-(distance(c) ** 2) / 30), 0);
  });
}

Deno.test("`gold-beads` finds beads by the gap to all else and leaves out the picks on them", async () => {
  const beads = [[12, 12, 30], [45, 40, 20]], blobs = [[40, 14, 40], [15, 44, 16], [46, 30, 44], [28, 28, 28]], size = 60;
  const voxels = beadScene(beads, blobs, size), shape: Triple = [size, size, size];
  const picks = picksAt([[14, 12, 29], [40, 14, 40], [45, 41, 20], [45, 51, 20], [15, 44, 16], [46, 30, 44], [28, 28, 28]], voxels, shape);
  const { picks: kept, told } = await run(goldBeads, {}, picks);
  checkCarried(kept, [1, 3, 4, 5, 6]);
  assert.match(told[0].message, /^tomogram "memory": 2 gold beads found, .*; 2 of 7 picks lie on them$/);
  const flagged = await run(goldBeads, { action: "flag", distanceAngstrom: 120 }, picks);
  checkCarried(flagged.picks, [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(flagged.picks.columns.onGoldBead, [1, 0, 1, 1, 0, 0, 0]);
  // Without beads there is no gap, and blobs are none.
  const none = await run(goldBeads, {}, picksAt(blobs, beadScene([], blobs, size), shape));
  checkCarried(none.picks, [0, 1, 2, 3]);
  assert.match(none.told[0].message, /no gold bead found/);
  await assert.rejects(run(goldBeads, {}, picksAt(blobs, voxels, shape, 0)), /voxel size is unknown/);
});

Deno.test("`flat-boxes` measures membranes as flat and balls as not", async () => {
  const size = 72, random = createRandom(8, "flat"), balls = [[20, 20, 24], [18, 50, 46], [22, 36, 12]];
  const voxels = Float32Array.from({ length: size ** 3 }, (_, i) => {
    const x = i % size, y = Math.floor(i / size) % size, z = Math.floor(i / size / size);
    const leaflet = (at: number) => Math.exp(-0.5 * ((x + 0.3 * z - at) / 1.2) ** 2);
    return random.normal() + 3 * (leaflet(60) + leaflet(64)) +
      balls.reduce((sum, c) => sum + (Math.hypot(x - c[0], y - c[1], z - c[2]) < 6 ? 2 : 0), 0);
  });
  const onSheet = [[51, 20, 36], [55, 50, 24], [48, 8, 46]];
  const picks = picksAt([...balls, ...onSheet], voxels, [size, size, size]);
  const { picks: kept, told } = await run(flatBoxes, { particleDiameterAngstrom: 120, mostFlatness: 0.8 }, picks);
  checkCarried(kept, [0, 1, 2]);
  assert.deepEqual(told.map(({ message, count }) => [message, count]), [["surroundings flatter than 0.8", 3]]);
  const flagged = await run(flatBoxes, { particleDiameterAngstrom: 120, mostFlatness: 0.8, action: "flag" }, picks);
  checkCarried(flagged.picks, [0, 1, 2, 3, 4, 5]);
  const flatness = flagged.picks.columns.flatness as number[];
  assert.ok(Math.max(...flatness.slice(0, 3)) < 0.6 && Math.min(...flatness.slice(3)) > 0.8, `${flatness}`);
});
