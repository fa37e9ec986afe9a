import assert from "node:assert/strict";
import fc from "fast-check";
import ddbi, { distortionDaviesBouldin } from "../../../plugins/scorers/ddbi.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { checkPlugin } from "../../../streams/check_plugin.ts";
import type { Scorer } from "../../../streams/contract.ts";
import { ShapeError } from "../../../streams/errors.ts";
import fixture from "../../fixtures/ddbi.json" with { type: "json" };
import { memoryContext } from "../memory_context.ts";

/** Float64 inverses of well-conditioned matrices, sums in another order. */
const ROUNDING = 1e-9;

Deno.test("ddbi conforms", async () => await checkPlugin(ddbi));

Deno.test("the index equals the formula written out with n x n products", () => {
  for (const { values, dims, labels, k, regularisation, index } of fixture) {
    const ours = distortionDaviesBouldin(Float64Array.from(values), dims, Int32Array.from(labels), k, regularisation);
    assert.ok(Math.abs(ours / index - 1) < ROUNDING, `${ours} against ${index}`);
  }
});

Deno.test("two classes of the same points, shifted, have the closed form 2 P (n - 1) / n over twice the squared distance", () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 5 }), fc.double({ min: 1, max: 20, noNaN: true }), (seed, dims, shift) => {
      const random = createRandom(seed, "ddbi"), n = 12;
      const points = Float64Array.from({ length: n * dims }, () => random.normal());
      const both = new Float64Array(2 * n * dims);
      both.set(points);
      both.set(points.map((x, i) => x + (i % dims === 0 ? shift : 0)), n * dims);
      const labels = Int32Array.from({ length: 2 * n }, (_, i) => i < n ? 0 : 1);
      // The squared distance in units of the class's covariance: by the index of the first axis alone when dims is 1.
      const index = distortionDaviesBouldin(both, dims, labels, 2, 0);
      const spread = dims * (n - 1) / n;
      const squared = spread / index;
      // Doubling the shift multiplies the squared distance by four and leaves the spread at P (n - 1) / n.
      both.set(points.map((x, i) => x + (i % dims === 0 ? 2 * shift : 0)), n * dims);
      const twice = distortionDaviesBouldin(both, dims, labels, 2, 0);
      assert.ok(Math.abs(twice * 4 / index - 1) < 1e-6);
      if (dims === 1) {
        const mean = points.reduce((a, b) => a + b) / n;
        const variance = points.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1);
        assert.ok(Math.abs(squared / (shift * shift / variance) - 1) < 1e-6);
      }
    }),
    { seed: 4, numRuns: 40 },
  );
});

Deno.test("the order of rows, the names of slots and the scale of the features leave the index as it is", () => {
  const random = createRandom(5, "invariance"), n = 90, dims = 4;
  const values = Float64Array.from({ length: n * dims }, (_, i) => random.normal() + 2 * (Math.floor(i / dims) % 3));
  const labels = Int32Array.from({ length: n }, (_, i) => i % 3), order = random.permutation(n);
  const plain = distortionDaviesBouldin(values, dims, labels, 3, 0);
  const shuffled = Float64Array.from({ length: n * dims }, (_, i) => values[order[Math.floor(i / dims)] * dims + i % dims]);
  const others = [
    distortionDaviesBouldin(shuffled, dims, Int32Array.from(order, (row) => labels[row]), 3, 0),
    distortionDaviesBouldin(values, dims, labels.map((c) => 2 - c), 3, 0),
    distortionDaviesBouldin(values.map((x) => 1000 * x - 7), dims, labels, 3, 0),
    distortionDaviesBouldin(values, dims, labels.map((c) => 2 * c), 6, 0),
  ];
  for (const other of others) assert.ok(Math.abs(other / plain - 1) < ROUNDING, `${other} against ${plain}`);
});

Deno.test("classes farther apart score lower; one class, or two with one centre, score Infinity", () => {
  const random = createRandom(6, "apart");
  const score = (gap: number) => {
    const values = Float64Array.from({ length: 200 }, (_, i) => random.normal() + gap * (i % 2));
    return distortionDaviesBouldin(values, 1, Int32Array.from({ length: 200 }, (_, i) => i % 2), 2, 1e-5);
  };
  const scores = [1, 2, 4, 8].map(score);
  for (let i = 1; i < scores.length; i++) assert.ok(scores[i] < scores[i - 1], `${scores}`);
  assert.equal(distortionDaviesBouldin(Float64Array.of(1, 2, 3), 1, Int32Array.of(0, 0, 0), 1, 0), Infinity);
  assert.equal(distortionDaviesBouldin(Float64Array.of(1, 3, 1, 3), 1, Int32Array.of(0, 0, 1, 1), 2, 0), Infinity);
});

Deno.test("a class of one row counts by the other's distance, a class of equal rows stays finite", () => {
  const values = Float64Array.of(0, 2, 11);
  // t = 1/2 and 0; d = 10^2 / 2 seen from the pair, twice.
  assert.ok(Math.abs(distortionDaviesBouldin(values, 1, Int32Array.of(0, 0, 1), 2, 0) - 0.5 / 100) < 1e-12);
  assert.ok(Number.isFinite(distortionDaviesBouldin(Float64Array.of(0, 2, 5, 5), 1, Int32Array.of(0, 0, 1, 1), 2, 0)));
  assert.throws(() => distortionDaviesBouldin(values, 1, Int32Array.of(0), 1, 0), ShapeError);
});

Deno.test("many features are first projected on their principal components", () => {
  const random = createRandom(7, "wide"), n = 80, dims = 120;
  const labels = Int32Array.from({ length: n }, (_, i) => i % 2);
  const values = Float32Array.from(
    { length: n * dims },
    (_, i) => random.normal() + (i % dims < 40 ? 2 * labels[Math.floor(i / dims)] : 0),
  );
  const scorer = ddbi.create(ddbi.options.parse({ components: 4 }), memoryContext(), {}) as Scorer;
  const clustering = { k: 2, labels, classIds: Int32Array.of(0, 1), criteria: [] };
  const score = scorer.score({ rows: new Int32Array(2 * n), dims, values }, clustering);
  const mixed = scorer.score({ rows: new Int32Array(2 * n), dims, values }, { ...clustering, labels: labels.map((_, i) => (i >> 1) % 2) });
  assert.ok(score < 0.2 && mixed > 10 * score, `${score} and ${mixed}`);
});
