import assert from "node:assert/strict";
import fc from "fast-check";
import { createRandom } from "../../plugins/kernels/random.ts";
import { eulerZyzToMatrix, matrixToEulerZyz, multiply3, randomRotation, transpose3 } from "../../plugins/kernels/rotation.ts";

/** Two products of sines and cosines in float64, with room for the division by small sines near the poles. */
const TOLERANCE = 1e-7;

function assertClose(a: ArrayLike<number>, b: ArrayLike<number>, tolerance = TOLERANCE) {
  assert.equal(a.length, b.length);
  for (let i = 0; i < a.length; i++) assert.ok(Math.abs(a[i] - b[i]) <= tolerance, `[${i}] ${a[i]} is not ${b[i]}`);
}

Deno.test("`matrixToEulerZyz()` inverts `eulerZyzToMatrix()` for every rotation", () => {
  const angle = (low: number, high: number) => fc.double({ min: low, max: high, noNaN: true });
  fc.assert(fc.property(angle(-180, 180), angle(0, 180), angle(-180, 180), (rot, tilt, psi) => {
    const m = eulerZyzToMatrix(rot, tilt, psi);
    assertClose(eulerZyzToMatrix(...matrixToEulerZyz(m)), m, 1e-6);
  }));
});

Deno.test("`matrixToEulerZyz()` is exact at both poles", () => {
  for (const tilt of [0, 180]) {
    const m = eulerZyzToMatrix(35, tilt, 20);
    assertClose(eulerZyzToMatrix(...matrixToEulerZyz(m)), m);
  }
});

Deno.test("`randomRotation()` is orthogonal and uniform: entries have mean 0 and mean square 1/3", () => {
  const random = createRandom(1, "rotation test");
  const n = 20_000, mean = new Float64Array(9), square = new Float64Array(9);
  for (let i = 0; i < n; i++) {
    const m = randomRotation(random);
    if (i < 20) assertClose(multiply3(m, transpose3(m)), [1, 0, 0, 0, 1, 0, 0, 0, 1], 1e-12);
    for (let j = 0; j < 9; j++) {
      mean[j] += m[j] / n;
      square[j] += m[j] * m[j] / n;
    }
  }
  // Five standard errors of 20,000 draws: 5 * sqrt(1/3 / n) and 5 * sqrt(4/45 / n).
  assertClose(mean, new Float64Array(9), 0.021);
  assertClose(square, new Float64Array(9).fill(1 / 3), 0.011);
});

Deno.test("`randomRotation()` turns by the angle distribution of SO(3): mean of (1 - cos) is 3/2", () => {
  // Density of the angle is (1 - cos t) / pi on 0..pi, so the trace's mean is 0 and its mean square is 1.
  const random = createRandom(2, "rotation test");
  let trace = 0, trace2 = 0;
  const n = 20_000;
  for (let i = 0; i < n; i++) {
    const m = randomRotation(random);
    const t = m[0] + m[4] + m[8];
    trace += t / n;
    trace2 += t * t / n;
  }
  assertClose([trace, trace2], [0, 1], 0.06);
});
