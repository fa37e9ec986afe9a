import assert from "node:assert/strict";
import type { Picks, Subtomograms, Triple } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import boxes from "../../../plugins/extractors/boxes.ts";
import { normaliseBoxes } from "../../../plugins/kernels/prepare.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { memoryContext, memoryTomogram, memoryVolume } from "../memory_context.ts";

const SHAPE: Triple = [30, 40, 50];

function setUp(centres: readonly number[][], change: (voxels: Float32Array) => void = () => {}) {
  const random = createRandom(9, "boxes test");
  const voxels = Float32Array.from({ length: SHAPE[0] * SHAPE[1] * SHAPE[2] }, () => 50 + 4 * random.normal());
  change(voxels);
  const volume = memoryVolume(voxels, SHAPE), tomogram = { ...memoryTomogram({ raw: volume }), ordinal: 3 };
  const picks: Picks = {
    tomogram,
    centresXyz: Float64Array.from(centres.flat()),
    score: Float32Array.from(centres, (_, i) => 10 - i),
    eulerZyzDegrees: Float64Array.from(centres.flatMap((_, i) => [i, 2 * i, 3 * i])),
    columns: { name: centres.map((_, i) => `p${i}`) },
  };
  return { voxels, volume, picks };
}

async function extract(picks: Picks, given: Record<string, unknown>, context = memoryContext()) {
  const extractor = await boxes.create(boxes.options.parse(given), context, {});
  const batches: Subtomograms[] = [];
  for await (const batch of extractor.apply(picks, context.signal) as AsyncIterable<Subtomograms>) batches.push(batch);
  return { batches, context };
}

/** The box about a voxel, cut one voxel at a time and normalised alone. */
function expected(voxels: Float32Array, [x, y, z]: readonly number[], b: number): Float32Array {
  const h = Math.floor(b / 2);
  const box = Float32Array.from({ length: b ** 3 }, (_, i) => {
    const at = [z - h + Math.floor(i / b / b), y - h + Math.floor(i / b) % b, x - h + i % b];
    return voxels[(at[0] * SHAPE[1] + at[1]) * SHAPE[2] + at[2]];
  });
  return normaliseBoxes(box, 1, b).voxels;
}

for (const b of [8, 9]) {
  Deno.test(`\`boxes\` puts each pick at voxel floor(N / 2) of its normalised box, in order (box ${b})`, async () => {
    const centres = [[20, 12, 15], [21.4, 13.6, 14.5], [44, 4, 25], [4, 35, 4]];
    const { voxels, picks } = setUp(centres);
    const { batches, context } = await extract(picks, { boxVoxels: b, batchBoxes: 3 });
    assert.deepEqual(batches.map((batch) => batch.rows.length / 2), [3, 1]);
    assert.deepEqual(batches.flatMap((batch) => [...batch.rows]), [3, 0, 3, 1, 3, 2, 3, 3]);
    centres.forEach((centre, i) => {
      const box = batches[Math.floor(i / 3)].voxels.subarray((i % 3) * b ** 3, (i % 3 + 1) * b ** 3);
      assert.deepEqual(box, expected(voxels, centre.map(Math.round), b));
    });
    assert.deepEqual(context.told, []);
    assert.deepEqual(context.steps.at(-1), [4, 4]);
  });
}

Deno.test("`boxes` drops and counts boxes over the edge; the others keep their ordinals, scores, angles and columns", async () => {
  // 8^3: four voxels before the centre, three behind it.
  const centres = [[3, 20, 15], [4, 20, 15], [46, 20, 15], [47, 20, 15], [20, 36, 26], [20, 37, 26], [20, 36, 27]];
  const { batches, context } = await extract(setUp(centres).picks, { boxVoxels: 8 });
  assert.deepEqual([...batches[0].rows], [3, 1, 3, 2, 3, 4]);
  assert.deepEqual([...batches[0].picks!.score], [9, 8, 6]);
  assert.deepEqual([...batches[0].picks!.eulerZyzDegrees!], [1, 2, 3, 2, 4, 6, 4, 8, 12]);
  assert.deepEqual(batches[0].picks!.columns, { name: ["p1", "p2", "p4"] });
  assert.deepEqual(context.told.map(({ message, count }) => [message, count]), [["box of 8 voxels leaves the volume", 4]]);
});

Deno.test("`boxes` drops and counts constant boxes and boxes with NaN", async () => {
  const { picks, voxels } = setUp([[10, 10, 10], [20, 30, 20], [40, 30, 10]], (v) => {
    v.fill(7, 0, 15 * SHAPE[1] * SHAPE[2]);
    for (let i = 0; i < 15 * SHAPE[1] * SHAPE[2]; i++) if (i % SHAPE[2] > 30) v[i] = i % 13;
    v[(21 * SHAPE[1] + 31) * SHAPE[2] + 21] = NaN;
  });
  const { batches, context } = await extract(picks, { boxVoxels: 8 });
  assert.equal(batches.length, 1);
  assert.deepEqual([...batches[0].rows], [3, 2]);
  assert.deepEqual(batches[0].voxels, expected(voxels, [40, 30, 10], 8));
  assert.deepEqual(context.told.map(({ message, count }) => [message, count]), [[
    "box is constant or holds numbers that are not finite",
    2,
  ]]);
});

Deno.test("`boxes` reads neighbouring picks at once and scattered ones singly", async () => {
  const near = setUp([[20, 20, 15], [23, 20, 15], [26, 22, 15], [20, 25, 17]]);
  await extract(near.picks, { boxVoxels: 8 });
  assert.equal(near.volume.reads, 1);
  const far = setUp([[5, 5, 5], [45, 35, 25]]);
  await extract(far.picks, { boxVoxels: 8 });
  assert.equal(far.volume.reads, 2);
});

Deno.test("`boxes` refuses a tomogram that is smaller than a box, and yields nothing for no picks", async () => {
  const { picks } = setUp([[20, 20, 15]]);
  await assert.rejects(
    extract(picks, { boxVoxels: 32 }),
    (e: Error) =>
      e instanceof InputError &&
      /memory: volume "raw" has 50 x 40 x 30 voxels \(x, y, z\), a box 32 a side: lower "boxVoxels"/.test(e.message),
  );
  assert.deepEqual((await extract(setUp([]).picks, { boxVoxels: 8 })).batches, []);
});

Deno.test("`boxes` stops when it is told to, between batches", async () => {
  const { picks } = setUp([[20, 20, 15], [21, 20, 15], [22, 20, 15]]);
  const controller = new AbortController(),
    extractor = await boxes.create(boxes.options.parse({ boxVoxels: 8, batchBoxes: 1 }), memoryContext(), {});
  let seen = 0;
  await assert.rejects(async () => {
    for await (const _ of extractor.apply(picks, controller.signal) as AsyncIterable<Subtomograms>) {
      if (++seen === 2) controller.abort(new DOMException("enough", "AbortError"));
    }
  }, /enough/);
  assert.equal(seen, 2);
});
