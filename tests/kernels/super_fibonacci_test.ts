import assert from "node:assert/strict";
import { createRandom } from "../../plugins/kernels/random.ts";
import { rotationSpacing, superFibonacciRotations } from "../../plugins/kernels/super_fibonacci.ts";
import fixture from "../fixtures/alignment.json" with { type: "json" };

/** Float32 matrices. */
const FLOAT32 = 1e-6;

function angle(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let trace = 0;
  for (let i = 0; i < 9; i++) trace += a[i] * b[i];
  return Math.acos(Math.max(-1, Math.min(1, (trace - 1) / 2)));
}

Deno.test("`superFibonacciRotations()` gives the spiral of SciPy's quaternions, turned as a whole", () => {
  const ours = superFibonacciRotations(16, createRandom(1, "super-Fibonacci test")), theirs = fixture.rotations;
  for (let i = 0; i < 16; i++) {
    for (let j = 0; j < i; j++) {
      const own = angle(ours.subarray(9 * i, 9 * i + 9), ours.subarray(9 * j, 9 * j + 9));
      const scipy = angle(theirs.slice(9 * i, 9 * i + 9), theirs.slice(9 * j, 9 * j + 9));
      // The arc cosine loses half the digits near a half turn.
      assert.ok(Math.abs(own - scipy) < 2e-3, `rotations ${i} and ${j}: ${own} apart, SciPy ${scipy}`);
    }
  }
});

Deno.test("`superFibonacciRotations()` are rotations, and every rotation has a neighbour nearer than the spacing", () => {
  const count = 1152, spacing = rotationSpacing(count);
  const rotations = superFibonacciRotations(count, createRandom(2, "super-Fibonacci test"));
  for (let i = 0; i < count; i += 7) {
    const m = rotations.subarray(9 * i, 9 * i + 9);
    for (let a = 0; a < 3; a++) {
      for (let b = 0; b < 3; b++) {
        const dot = m[3 * a] * m[3 * b] + m[3 * a + 1] * m[3 * b + 1] + m[3 * a + 2] * m[3 * b + 2];
        assert.ok(Math.abs(dot - (a === b ? 1 : 0)) < FLOAT32);
      }
    }
  }
  const random = createRandom(3, "super-Fibonacci test");
  let worst = 0;
  for (let turn = 0; turn < 100; turn++) {
    const probe = superFibonacciRotations(1, createRandom(random.integer(1e9), "probe"));
    let nearest = Math.PI;
    for (let i = 0; i < count; i++) nearest = Math.min(nearest, angle(probe, rotations.subarray(9 * i, 9 * i + 9)));
    worst = Math.max(worst, nearest);
  }
  assert.ok(worst < spacing, `a rotation is ${worst} from the grid, spacing ${spacing}`);
});
