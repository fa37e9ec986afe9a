import assert from "node:assert/strict";
import { kmeans, seedCentres } from "../../plugins/kernels/kmeans.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { ShapeError } from "../../streams/errors.ts";
import fixture from "../fixtures/mixture.json" with { type: "json" };

/** Both sum the same squares in float64, in another order. */
const SAME_SUM = 1e-9;

/** True when two labelings are the same partition. */
function samePartition(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  const names = new Map<string, number>();
  for (let i = 0; i < a.length; i++) names.set(`${a[i]} ${b[i]}`, 1);
  return names.size === new Set(Array.from(a)).size && names.size === new Set(Array.from(b)).size;
}

Deno.test("`kmeans()` reaches scikit-learn's partition and inertia", () => {
  for (const { values, dims, k, inertia, labels } of fixture.kmeans) {
    const fit = kmeans(Float64Array.from(values), dims, k, createRandom(1, "kmeans"), { restarts: 5 });
    assert.ok(Math.abs(fit.inertia / inertia - 1) < SAME_SUM, `${fit.inertia} against ${inertia}`);
    assert.ok(samePartition(fit.labels, labels));
  }
});

Deno.test("`kmeans()` counts a row as often as its weight says", () => {
  const random = createRandom(2, "weights");
  // Three loose groups, so that every good start ends in the same optimum.
  const values = Float64Array.from({ length: 60 }, (_, i) => random.normal() + 4 * ((i >> 1) % 3));
  const weights = Array.from({ length: 30 }, () => 1 + random.integer(3));
  const repeated = weights.flatMap((w, row) => Array.from({ length: w }, () => [values[2 * row], values[2 * row + 1]]).flat());
  const weighted = kmeans(values, 2, 3, createRandom(3, "a"), { restarts: 30, weights });
  const plain = kmeans(Float64Array.from(repeated), 2, 3, createRandom(3, "b"), { restarts: 30 });
  assert.ok(Math.abs(weighted.inertia / plain.inertia - 1) < SAME_SUM, `${weighted.inertia} against ${plain.inertia}`);
});

Deno.test("`kmeans()` never raises the inertia with more iterations, repeats for the same key, and fills every cluster", () => {
  const random = createRandom(4, "points");
  const values = Float32Array.from({ length: 400 }, () => random.normal());
  let before = Infinity;
  for (let maxIterations = 0; maxIterations < 12; maxIterations++) {
    const fit = kmeans(values, 4, 7, createRandom(5, "start"), { maxIterations });
    assert.ok(fit.inertia <= before * (1 + 1e-12), `${fit.inertia} after ${before}`);
    before = fit.inertia;
    assert.deepEqual(fit, kmeans(values, 4, 7, createRandom(5, "start"), { maxIterations }));
  }
  const fit = kmeans(values, 4, 7, createRandom(5, "start"));
  assert.equal(new Set(fit.labels).size, 7);
});

Deno.test("`seedCentres()` takes one seed from each far-off group, and copes with fewer different rows than seeds", () => {
  const values = Float64Array.from({ length: 80 }, (_, i) => (i % 4) * 100 + Math.floor(i / 4) * 0.01);
  const seeds = seedCentres(values, 1, 4, createRandom(6, "seeds"));
  assert.deepEqual([...seeds].map((row) => row % 4).sort(), [0, 1, 2, 3]);
  assert.equal(seedCentres(new Float64Array(10), 1, 3, createRandom(6, "equal")).length, 3);
  assert.throws(() => kmeans(new Float64Array(4), 2, 3, createRandom(7, "few")), ShapeError);
});
