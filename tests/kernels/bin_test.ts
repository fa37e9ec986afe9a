import assert from "node:assert/strict";
import { createRandom } from "../../plugins/kernels/random.ts";
import { binBoxes, shrinkBoxes } from "../../plugins/kernels/bin.ts";

Deno.test("`binBoxes()` averages cubes of voxels, box by box", () => {
  const box = Float32Array.from({ length: 2 * 64 }, (_, i) => i);
  const binned = binBoxes(box, 2, 4, 2);
  assert.equal(binned.length, 16);
  // The first cube holds 0, 1, 4, 5, 16, 17, 20, 21; the second box lies 64 higher.
  assert.equal(binned[0], (0 + 1 + 4 + 5 + 16 + 17 + 20 + 21) / 8);
  assert.equal(binned[7], binned[0] + 2 + 8 + 32);
  assert.equal(binned[8], binned[0] + 64);
});

Deno.test("`binBoxes()` leaves out what does not fill a bin, keeps a box for factor 1 and refuses a wrong length", () => {
  const box = Float32Array.from({ length: 125 }, (_, i) => i);
  assert.equal(binBoxes(box, 1, 5, 2).length, 8);
  assert.deepEqual(binBoxes(box, 1, 5, 1), box);
  assert.throws(() => binBoxes(box, 2, 5, 2), { name: "ShapeError" });
});

Deno.test("`shrinkBoxes()` is binning where the ratio is whole, keeps the mean where it is not, and puts small boxes in the middle", () => {
  const random = createRandom(2, "shrink"), boxes = Float32Array.from({ length: 2 * 12 ** 3 }, () => random.normal());
  /** Sums in another order. */
  const ROUNDING = 1e-6;
  const binned = binBoxes(boxes, 2, 12, 3);
  shrinkBoxes(boxes, 2, 12, 4).forEach((value, i) => assert.ok(Math.abs(value - binned[i]) < ROUNDING));
  const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value / values.length, 0);
  assert.ok(Math.abs(mean(shrinkBoxes(boxes, 2, 12, 7)) - mean(boxes)) < ROUNDING);
  // Voxels 0..4 along x, cut into halves of 2.5: the middle one counts by half on both sides.
  const ramp = Float32Array.from({ length: 125 }, (_, i) => i % 5);
  assert.deepEqual([...shrinkBoxes(ramp, 1, 5, 2).subarray(0, 2)].map((value) => Math.round(value * 1e5) / 1e5), [0.8, 3.2]);
  const padded = shrinkBoxes(new Float32Array(8).fill(1), 1, 2, 4);
  assert.deepEqual([padded.reduce((a, b) => a + b, 0), padded[0], padded[1 * 16 + 1 * 4 + 1]], [8, 0, 1]);
  assert.throws(() => shrinkBoxes(boxes, 3, 12, 4), /3 boxes/);
});
