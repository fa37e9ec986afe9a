import assert from "node:assert/strict";
import { cholesky, invertLower } from "../../plugins/kernels/cholesky.ts";

Deno.test("`cholesky()` and `invertLower()` undo each other, and an indefinite matrix gives null", () => {
  const factor = cholesky([4, 2, 0.4, 2, 5, 1, 0.4, 1, 3], 3)!;
  const inverse = invertLower(factor, 3);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) {
      let sum = 0;
      for (let m = 0; m < 3; m++) sum += factor[i * 3 + m] * inverse[m * 3 + j];
      assert.ok(Math.abs(sum - (i === j ? 1 : 0)) < 1e-15);
    }
  }
  assert.equal(cholesky([1, 2, 2, 1], 2), null);
});
