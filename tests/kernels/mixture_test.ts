import assert from "node:assert/strict";
import fc from "fast-check";
import { akaikeInformation, bayesianInformation, mixtureParameters } from "../../plugins/kernels/criteria.ts";
import { evaluateMixture, fitMixture, type Mixture, mixtureFromLabels, MixtureTable } from "../../plugins/kernels/mixture.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { ShapeError } from "../../streams/errors.ts";
import fixture from "../fixtures/mixture.json" with { type: "json" };

/** Float64 sums in another order, over up to 60 iterations. */
const AGAINST_SKLEARN = 1e-7;
/** Rounding of a sum of some hundred log densities. */
const ROUNDING = 1e-9;

const worst = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  assert.equal(a.length, b.length);
  let most = 0, scale = 0;
  for (let i = 0; i < a.length; i++) {
    most = Math.max(most, Math.abs(a[i] - b[i]));
    scale = Math.max(scale, Math.abs(b[i]));
  }
  return most / scale;
};

Deno.test("`fitMixture()` follows scikit-learn's parameters, likelihood, labels and BIC, iteration by iteration", () => {
  for (const { values, dims, k, labels, regularisation, fits, rows } of fixture.mixtures) {
    const data = Float64Array.from(values);
    using table = new MixtureTable(data, dims);
    const start = mixtureFromLabels(data, dims, labels, k, regularisation);
    for (const expected of fits) {
      // scikit-learn stops at `tol` 0 only when the likelihood falls by rounding: so do we, far past agreement in digits.
      const fit = fitMixture(table, start, { maxIterations: expected.iterations, tolerance: -Infinity, regularisation });
      assert.ok(worst(fit.mixture.weights, expected.weights) < AGAINST_SKLEARN);
      assert.ok(worst(fit.mixture.means, expected.means) < AGAINST_SKLEARN);
      assert.ok(worst(fit.mixture.covariances, expected.covariances) < AGAINST_SKLEARN);
      assert.ok(Math.abs(fit.logLikelihood / expected.logLikelihood - 1) < AGAINST_SKLEARN);
      assert.deepEqual([...fit.labels], expected.labels);
      const scores = evaluateMixture(table, fit.mixture);
      assert.ok(worst(scores.logLikelihood.subarray(0, 10), expected.firstRows) < AGAINST_SKLEARN);
      assert.deepEqual(scores.labels, fit.labels);
      const bic = bayesianInformation(fit.logLikelihood, mixtureParameters(k, dims, "full"), rows);
      assert.ok(Math.abs(bic / expected.bic - 1) < AGAINST_SKLEARN);
      const aic = akaikeInformation(fit.logLikelihood, mixtureParameters(k, dims, "full"));
      assert.ok(Math.abs(aic / expected.aic - 1) < AGAINST_SKLEARN);
    }
  }
});

Deno.test("`mixtureParameters()` counts as the paper's Eq. 4 and in full", () => {
  assert.equal(mixtureParameters(20, 16, "paper"), 20 * (16 * 16 + 16) / 2);
  assert.equal(mixtureParameters(6, 16, "full"), 6 * 152 + 6 - 1);
});

/** Labels at random over a table of random groups: a start that leaves much to do. */
function randomCase(seed: number, rows: number, dims: number, k: number) {
  const random = createRandom(seed, "case");
  const centres = Float64Array.from({ length: k * dims }, () => 2 * random.normal());
  const values = new Float64Array(rows * dims), labels = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    const c = random.integer(k);
    labels[row] = random.uniform() < 0.5 ? c : random.integer(k);
    for (let j = 0; j < dims; j++) values[row * dims + j] = centres[c * dims + j] + random.normal() * (1 + (c + j) % 3);
  }
  return { values, labels };
}

const cases = fc.record({
  seed: fc.integer(),
  rows: fc.integer({ min: 80, max: 300 }),
  dims: fc.integer({ min: 1, max: 9 }),
  k: fc.integer({ min: 1, max: 5 }),
});

Deno.test("an iteration never lowers the likelihood, nor the pooled objective", () => {
  fc.assert(
    fc.property(cases, fc.constantFrom(0, 3, 40), ({ seed, rows, dims, k }, pooling) => {
      const { values, labels } = randomCase(seed, rows, dims, k);
      using table = new MixtureTable(values, dims);
      const start = mixtureFromLabels(values, dims, labels, k, 0, pooling + 1);
      const { trace } = fitMixture(table, start, { maxIterations: 25, tolerance: -Infinity, regularisation: 0, pooling });
      for (let i = 1; i < trace.length; i++) {
        assert.ok(trace[i] >= trace[i - 1] - ROUNDING * Math.abs(trace[i]), `${trace[i - 1]} then ${trace[i]} at ${i}, pooling ${pooling}`);
      }
    }),
    { seed: 1, numRuns: 40 },
  );
});

Deno.test("renaming the classes renames the result; reordering the rows reorders the labels", () => {
  fc.assert(
    fc.property(cases, ({ seed, rows, dims, k }) => {
      const { values, labels } = randomCase(seed, rows, dims, k);
      const random = createRandom(seed, "orders");
      const options = { maxIterations: 5, tolerance: -Infinity, regularisation: 1e-4 };
      const run = (data: Float64Array, given: Int32Array) => {
        using table = new MixtureTable(data, dims);
        return fitMixture(table, mixtureFromLabels(data, dims, given, k, 1e-4), options);
      };
      const plain = run(values, labels);
      const names = random.permutation(k), order = random.permutation(rows);
      const renamed = run(values, labels.map((label) => names[label]));
      assert.ok(Math.abs(renamed.logLikelihood / plain.logLikelihood - 1) < 1e-8);
      for (let c = 0; c < k; c++) assert.ok(Math.abs(renamed.mixture.weights[names[c]] - plain.mixture.weights[c]) < 1e-8);
      const shuffled = Float64Array.from({ length: values.length }, (_, i) => values[order[Math.floor(i / dims)] * dims + i % dims]);
      const moved = run(shuffled, Int32Array.from(order, (row) => labels[row]));
      assert.ok(Math.abs(moved.logLikelihood / plain.logLikelihood - 1) < 1e-8);
    }),
    { seed: 2, numRuns: 25 },
  );
});

Deno.test("a row's label and density do not depend on the rows beside it", () => {
  const { values, labels } = randomCase(7, 300, 6, 3);
  const mixture = mixtureFromLabels(values, 6, labels, 3, 1e-6);
  using table = new MixtureTable(values, 6);
  const whole = evaluateMixture(table, mixture);
  for (const [from, to] of [[0, 1], [1, 4], [129, 300]]) {
    using part = new MixtureTable(values.subarray(6 * from, 6 * to), 6);
    const some = evaluateMixture(part, mixture);
    assert.deepEqual(some.labels, whole.labels.slice(from, to));
    assert.deepEqual(some.logLikelihood, whole.logLikelihood.slice(from, to));
  }
});

Deno.test("the density of one Gaussian is its closed form, far out too", () => {
  const mixture: Mixture = {
    k: 1,
    dims: 2,
    weights: Float64Array.of(1),
    means: Float64Array.of(1, -2),
    covariances: Float64Array.of(4, 1, 1, 3),
  };
  const points = Float64Array.of(1, -2, 3, 0, 1e5, 1e5);
  using table = new MixtureTable(points, 2);
  const { logLikelihood } = evaluateMixture(table, mixture);
  for (let i = 0; i < 3; i++) {
    const x = points[2 * i] - 1, y = points[2 * i + 1] + 2;
    // The inverse of [[4, 1], [1, 3]] is [[3, -1], [-1, 4]] / 11.
    const expected = -Math.log(2 * Math.PI) - Math.log(11) / 2 - (3 * x * x - 2 * x * y + 4 * y * y) / 22;
    assert.ok(Math.abs(logLikelihood[i] / expected - 1) < 1e-12, `${logLikelihood[i]} against ${expected}`);
  }
});

Deno.test("pooling draws every class's shape to one: at a huge weight all covariances are equal", () => {
  const { values, labels } = randomCase(9, 400, 3, 3);
  using table = new MixtureTable(values, 3);
  const fit = (pooling: number) =>
    fitMixture(table, mixtureFromLabels(values, 3, labels, 3, 0, pooling), { maxIterations: 30, tolerance: 0, regularisation: 0, pooling });
  const tied = fit(1e9).mixture.covariances, free = fit(0).mixture.covariances;
  assert.ok(worst(tied.subarray(9, 18), tied.subarray(0, 9)) < 1e-5 && worst(tied.subarray(18), tied.subarray(0, 9)) < 1e-5);
  assert.ok(worst(free.subarray(9, 18), free.subarray(0, 9)) > 0.1);
});

Deno.test("classes that are empty, hold one row, or collapse leave finite numbers", () => {
  const { values } = randomCase(3, 60, 4, 2);
  using table = new MixtureTable(values, 4);
  const labels = Int32Array.from({ length: 60 }, (_, row) => row === 0 ? 1 : 0);
  const start = mixtureFromLabels(values, 4, labels, 3, 1e-6);
  assert.deepEqual([...start.weights], [59 / 60, 1 / 60, 0]);
  const fit = fitMixture(table, start, { maxIterations: 20, tolerance: 0, regularisation: 1e-6 });
  assert.ok(Number.isFinite(fit.logLikelihood) && fit.mixture.covariances.every(Number.isFinite));
  const constant = new Float64Array(40).fill(3);
  using flat = new MixtureTable(constant, 2);
  const still = fitMixture(flat, mixtureFromLabels(constant, 2, new Int32Array(20), 1, 0), {
    maxIterations: 3,
    tolerance: 0,
    regularisation: 0,
  });
  assert.ok(Number.isFinite(still.logLikelihood));
});

Deno.test("a table says which value is not a number, and a mixture must have its dimensions", () => {
  assert.throws(() => new MixtureTable(Float64Array.of(1, 2, 3, NaN), 2), /feature 1 of row 1 is NaN/);
  assert.throws(() => new MixtureTable(new Float64Array(5), 2), ShapeError);
  using table = new MixtureTable(new Float64Array(6), 3);
  const start = mixtureFromLabels(Float64Array.of(1, 2), 1, [0, 0], 1, 1);
  assert.throws(() => fitMixture(table, start, { maxIterations: 1, tolerance: 0, regularisation: 0 }), ShapeError);
  assert.throws(() => mixtureFromLabels(new Float64Array(6), 3, [0], 1, 0), ShapeError);
});
