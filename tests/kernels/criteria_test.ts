import assert from "node:assert/strict";
import { calinskiHarabasz, completedLikelihood, jump, krzanowskiLai } from "../../plugins/kernels/criteria.ts";
import { measurePartition } from "../../plugins/kernels/partition_measures.ts";
import fixture from "../fixtures/criteria.json" with { type: "json" };

/** Float64 sums in another order. */
const ROUNDING = 1e-9;
const { dims, rows, cases } = fixture, values = Float64Array.from(fixture.values);
const close = (found: number | null, expected: number | null, what: string) => {
  if (expected === null) return assert.equal(found, null, what);
  assert.ok(Math.abs(found! - expected) <= ROUNDING * Math.max(1, Math.abs(expected)), `${what}: ${found}, expected ${expected}`);
};
const measured = cases.map(({ k, weights, means, covariances }) =>
  measurePartition(values, {
    k,
    dims,
    weights: Float64Array.from(weights),
    means: Float64Array.from(means),
    covariances: Float64Array.from(covariances),
  })
);

Deno.test("`measurePartition()` measures entropy and scatter as scikit-learn and NumPy do", () => {
  cases.forEach((expected, i) => {
    for (const name of ["entropy", "within", "between", "distortion"] as const) {
      close(measured[i][name], expected[name], `${name} at K = ${expected.k}`);
    }
  });
});

Deno.test("ICL, Calinski-Harabasz, Krzanowski-Lai and jump agree with scikit-learn and NumPy", () => {
  cases.forEach((expected, i) => {
    const { k } = expected, own = measured[i];
    close(completedLikelihood(expected.bic, own.entropy), expected.icl, `ICL at K = ${k}`);
    close(calinskiHarabasz(own.between, own.within, k, rows), expected.calinskiHarabasz, `Calinski-Harabasz at K = ${k}`);
    close(jump(own.distortion, measured[i - 1]?.distortion ?? null, dims), expected.jump, `jump at K = ${k}`);
    if (expected.krzanowskiLai === null) return;
    const within = [measured[i - 1].within, own.within, measured[i + 1].within] as const;
    close(krzanowskiLai(within, k, dims), expected.krzanowskiLai, `Krzanowski-Lai at K = ${k}`);
  });
});

Deno.test("criteria of one class, of points and of classes without scatter are finite or absent", () => {
  assert.equal(calinskiHarabasz(0, 5, 1, 10), null);
  assert.equal(calinskiHarabasz(5, 0, 2, 10), Number.MAX_VALUE);
  assert.ok(Number.isFinite(krzanowskiLai([4, 2, 2 * (2 / 3) ** 2], 2, 1)));
  assert.ok(Number.isFinite(jump(1e-300, 1, 16)));
  const points = new Float64Array(12).fill(3);
  const mixture = {
    k: 2,
    dims: 3,
    weights: Float64Array.of(0.5, 0.5),
    means: new Float64Array(6).fill(3),
    covariances: new Float64Array(18),
  };
  assert.deepEqual(Object.values(measurePartition(points, mixture)).map(Number.isFinite), [true, true, true, true]);
});
