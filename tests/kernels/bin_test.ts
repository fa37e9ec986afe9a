import assert from "node:assert/strict";
import { binBoxes } from "../../plugins/kernels/bin.ts";

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
