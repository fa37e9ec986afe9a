import assert from "node:assert/strict";
import { leadingEigenpairs } from "../../plugins/kernels/eigen.ts";
import { columnMeans, fitPca, pcaFromStrips, planProducts, productStrip, projectPca } from "../../plugins/kernels/pca.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { ShapeError } from "../../streams/errors.ts";
import fixture from "../fixtures/mixture.json" with { type: "json" };

/** scikit-learn decomposes the table, we its products: squares cost half of float64's digits at worst. */
const AGAINST_SKLEARN = 1e-8;
/** The Krylov iteration stops at a residual of 1e-9 of the largest eigenvalue. */
const RESIDUAL = 1e-8;

const worst = (a: ArrayLike<number>, b: ArrayLike<number>) => {
  assert.equal(a.length, b.length);
  let most = 0, scale = 0;
  for (let i = 0; i < a.length; i++) {
    most = Math.max(most, Math.abs(a[i] - b[i]));
    scale = Math.max(scale, Math.abs(b[i]));
  }
  return most / scale;
};

Deno.test("`fitPca()` gives scikit-learn's axes up to sign, variances and scores, for more rows than columns and for fewer", () => {
  for (const { values, dims, components, mean, axes, variances, totalVariance, scores } of fixture.pca) {
    const table = Float64Array.from(values);
    const pca = fitPca(table, dims, components);
    const signs = Array.from({ length: components }, (_, c) => {
      const loadings = axes.slice(c * dims, (c + 1) * dims);
      return Math.sign(loadings.reduce((a, b) => Math.abs(b) > Math.abs(a) + 1e-12 ? b : a));
    });
    assert.ok(worst(pca.mean, mean) < AGAINST_SKLEARN);
    assert.ok(worst(pca.variances, variances) < AGAINST_SKLEARN);
    assert.ok(Math.abs(pca.totalVariance / totalVariance - 1) < AGAINST_SKLEARN);
    assert.ok(worst(pca.axes, axes.map((v, i) => v * signs[Math.floor(i / dims)])) < AGAINST_SKLEARN);
    assert.ok(worst(projectPca(pca, table), scores.map((v, i) => v * signs[i % components])) < AGAINST_SKLEARN);
  }
});

Deno.test("any division into strips gives bit-identical components", () => {
  const random = createRandom(1, "strips");
  for (const [rows, dims] of [[150, 37], [23, 61]]) {
    const values = Float32Array.from({ length: rows * dims }, () => random.normal());
    const mean = columnMeans(values, dims);
    const one = fitPca(values, dims, 5);
    for (const count of [2, 5, 40]) {
      const strips = planProducts(rows, dims, count).map((strip) => productStrip(values, dims, mean, strip));
      assert.deepEqual(pcaFromStrips(values, dims, 5, mean, strips), one);
    }
  }
});

Deno.test("a row's projection does not depend on the other rows", () => {
  const random = createRandom(2, "rows");
  const values = Float32Array.from({ length: 40 * 11 }, () => random.normal());
  const pca = fitPca(values, 11, 3);
  assert.deepEqual(projectPca(pca, values).subarray(3 * 17, 3 * 18), projectPca(pca, values.subarray(11 * 17, 11 * 18)));
});

Deno.test("components without variance come out orthonormal", () => {
  // Three copies of two points: one direction only.
  const pca = fitPca(Float64Array.from([1, 2, 3, 3, 2, 5, 1, 2, 3, 3, 2, 5, 1, 2, 3, 3, 2, 5]), 3, 3);
  assert.ok(pca.variances[0] > 1 && pca.variances[1] < 1e-12 && pca.variances[2] < 1e-12);
  const few = fitPca(Float64Array.from([1, 2, 3, 4, 3, 2, 5, 6, 1, 2, 3, 4]), 4, 3);
  for (const { axes, dims } of [pca, few]) {
    for (let a = 0; a < 3; a++) {
      for (let b = 0; b <= a; b++) {
        let product = 0;
        for (let j = 0; j < dims; j++) product += axes[a * dims + j] * axes[b * dims + j];
        assert.ok(Math.abs(product - (a === b ? 1 : 0)) < 1e-12);
      }
    }
  }
});

Deno.test("`leadingEigenpairs()` converges on a large matrix, repeated eigenvalues included", () => {
  const n = 300, spectrum = [9, 5, 5, 5, 5, 5, 4, 2, 1.5];
  // Q diag(spectrum, small tail) Q^T with Q of random reflections.
  const random = createRandom(3, "matrix");
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) matrix[i * n + i] = spectrum[i] ?? 1 / (i + 1);
  for (let reflection = 0; reflection < 3; reflection++) {
    const v = Float64Array.from({ length: n }, () => random.normal());
    const scale = 2 / v.reduce((sum, x) => sum + x * x, 0);
    for (const turn of [(i: number, j: number) => i * n + j, (i: number, j: number) => j * n + i]) {
      for (let j = 0; j < n; j++) {
        let part = 0;
        for (let i = 0; i < n; i++) part += v[i] * matrix[turn(i, j)];
        for (let i = 0; i < n; i++) matrix[turn(i, j)] -= scale * part * v[i];
      }
    }
  }
  const pairs = leadingEigenpairs(matrix, n, 9);
  assert.equal(pairs.method, "krylov");
  assert.ok(worst(pairs.values, spectrum) < RESIDUAL, `${pairs.values}`);
  for (let c = 0; c < 9; c++) {
    const vector = pairs.vectors.subarray(c * n, (c + 1) * n);
    const image = Float64Array.from({ length: n }, (_, i) => vector.reduce((sum, x, j) => sum + x * matrix[i * n + j], 0));
    assert.ok(worst(image, vector.map((x) => x * pairs.values[c])) < RESIDUAL);
  }
});

Deno.test("`leadingEigenpairs()` decomposes whole what is small, and agrees with the iteration", () => {
  const n = 120, random = createRandom(4, "noise");
  const table = Float64Array.from({ length: n * n }, () => random.normal());
  const matrix = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) for (let m = 0; m < n; m++) matrix[i * n + j] += table[m * n + i] * table[m * n + j];
  }
  const few = leadingEigenpairs(matrix, n, 4), many = leadingEigenpairs(matrix, n, 60);
  assert.equal(many.method, "full");
  assert.ok(worst(few.values, many.values.subarray(0, 4)) < RESIDUAL);
  assert.ok(worst(few.vectors, many.vectors.subarray(0, 4 * n)) < 1e-6, "vectors differ by the residual over the gap");
});

Deno.test("`fitPca()` says what it was given when that cannot be", () => {
  assert.throws(() => fitPca(new Float64Array(7), 2, 1), ShapeError);
  assert.throws(() => fitPca(new Float64Array(12), 4, 4), /ask for 1\.\.3/);
});
