import assert from "node:assert/strict";
import type { Geometry, Subtomograms, Tomogram } from "../../streams/contract.ts";
import { DiskBoxStore, stackPath, StackWriter } from "../../streams/store.ts";

const BOX = 4;
/** Half the spacing of float16 between 1 and 2. */
const HALF_PRECISION = 2 ** -11;
const geometry: Geometry = { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: "unknown" };

function batch(tomogram: number, picks: number[]): Subtomograms {
  const rows = Int32Array.from(picks.flatMap((pick) => [tomogram, pick]));
  const voxels = Float32Array.from(
    { length: picks.length * BOX ** 3 },
    (_, i) => tomogram + picks[Math.floor(i / BOX ** 3)] / 100 + (i % 64) / 64,
  );
  return { tomogram: {} as Tomogram, rows, boxVoxels: BOX, voxels };
}

async function store(folder: string) {
  const parts = [];
  for (const [ordinal, batches] of [[[0, 2], [5]], [[1]], [[3, 4, 9]]].entries()) {
    const path = stackPath(folder, ordinal, `t${ordinal}`);
    await using writer = new StackWriter(path);
    for (const picks of batches) await writer.add(batch(ordinal, picks), 10);
    await writer.finish();
    parts.push({ path, geometry, rows: Int32Array.from(batches.flat().flatMap((pick) => [ordinal, pick])) });
  }
  return new DiskBoxStore(parts, BOX, 10);
}

Deno.test("`read()` gives any boxes in any order, from several tomograms, as they were written", async () => {
  await using boxes = await store(Deno.makeTempDirSync());
  assert.equal(boxes.count, 7);
  assert.deepEqual([...boxes.rows], [0, 0, 0, 2, 0, 5, 1, 1, 2, 3, 2, 4, 2, 9]);
  const wanted = [6, 0, 3, 3, 1];
  const expected = wanted.map((i) => batch(boxes.rows[2 * i], [boxes.rows[2 * i + 1]]).voxels);
  const [found, again] = await Promise.all([boxes.read(wanted), boxes.read(wanted)]);
  assert.deepEqual(found, again);
  for (let i = 0; i < wanted.length; i++) {
    for (let v = 0; v < 64; v++) assert.ok(Math.abs(found[64 * i + v] - expected[i][v]) <= HALF_PRECISION * 2, `box ${i} voxel ${v}`);
  }
  await assert.rejects(boxes.read([7]), RangeError);
});

Deno.test("an unfinished stack leaves no file; batches that do not fit together are refused", async () => {
  const folder = Deno.makeTempDirSync(), path = stackPath(folder, 0, "../e vil");
  assert.match(path, /subtomograms\/0000_e_vil\.mrcs$/);
  {
    await using writer = new StackWriter(path);
    await writer.add(batch(0, [0, 1]), 10);
    await assert.rejects(writer.add({ ...batch(0, [2]), boxVoxels: 5 }, 10), /boxes of 5 voxels after boxes of 4/);
    await assert.rejects(writer.add({ ...batch(0, [2, 3]), voxels: new Float32Array(64) }, 10), { name: "ShapeError" });
  }
  assert.deepEqual([...Deno.readDirSync(`${folder}/subtomograms`)], []);
});
