import assert from "node:assert/strict";
import fc from "fast-check";
import { falseShares } from "../../plugins/kernels/decoy_share.ts";

Deno.test("`falseShares()` counts decoys beside picks, no better score being false more often", () => {
  // Falling scores: p p p d p d d p, in blocks of 0 decoys to 3 picks, 1 to 1 and 2 to 1.
  assert.deepEqual([...falseShares([9, 8, 7, 5, 1], [6, 4, 3])], [0, 0, 0, 1, 1]);
  assert.deepEqual([...falseShares([9, 8, 6, 5], [7])], [0, 0, 0.5, 0.5]);
  assert.deepEqual([...falseShares([1, 2], [])], [0, 0]);
  assert.deepEqual([...falseShares([], [3])], []);
  // Equal scores share.
  assert.deepEqual([...falseShares([2, 2, 2, 2], [2])], [0.25, 0.25, 0.25, 0.25]);
});

Deno.test("`falseShares()` sums to the number of decoys where picks outnumber them, and falls as scores rise", () => {
  const scores = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 40 });
  fc.assert(fc.property(scores, scores, (picks, decoys) => {
    const shares = falseShares(picks, decoys), sum = shares.reduce((a, b) => a + b, 0);
    assert.ok(sum <= decoys.length + 1e-9);
    if (picks.length > 0 && shares.every((share) => share < 1) && Math.min(...picks) <= Math.min(...decoys)) {
      assert.ok(Math.abs(sum - decoys.length) < 1e-9);
    }
    const order = picks.map((_, i) => i).sort((a, b) => picks[b] - picks[a]);
    for (let k = 1; k < order.length; k++) assert.ok(shares[order[k]] >= shares[order[k - 1]] - 1e-12);
  }));
});
