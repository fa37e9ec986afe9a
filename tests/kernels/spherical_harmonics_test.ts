import assert from "node:assert/strict";
import { gaussLegendre, realSphericalHarmonics, sphereQuadrature } from "../../plugins/kernels/spherical_harmonics.ts";

/** Float64 sums of a few hundred terms of order one. */
const FLOAT64 = 1e-13;

Deno.test("`gaussLegendre()` gives the textbook nodes and weights for three points", () => {
  const { nodes, weights } = gaussLegendre(3);
  [-Math.sqrt(0.6), 0, Math.sqrt(0.6)].forEach((x, i) => assert.ok(Math.abs(nodes[i] - x) < FLOAT64));
  [5 / 9, 8 / 9, 5 / 9].forEach((w, i) => assert.ok(Math.abs(weights[i] - w) < FLOAT64));
});

Deno.test("`gaussLegendre()` integrates every polynomial up to degree 2n - 1 exactly and not degree 2n", () => {
  const n = 6, { nodes, weights } = gaussLegendre(n);
  const integral = (power: number) => nodes.reduce((sum, x, i) => sum + weights[i] * x ** power, 0);
  for (let power = 0; power < 2 * n; power++) assert.ok(Math.abs(integral(power) - (power % 2 ? 0 : 2 / (power + 1))) < FLOAT64);
  assert.ok(Math.abs(integral(2 * n) - 2 / (2 * n + 1)) > 1e-5);
});

Deno.test("`realSphericalHarmonics()` is orthonormal under the quadrature", () => {
  const degree = 6, columns = (degree + 1) ** 2;
  const { directionsXyz, weights } = sphereQuadrature(degree + 1);
  const Y = realSphericalHarmonics(degree, directionsXyz);
  for (let a = 0; a < columns; a++) {
    for (let b = 0; b < columns; b++) {
      let sum = 0;
      for (let p = 0; p < weights.length; p++) sum += weights[p] * Y[p * columns + a] * Y[p * columns + b];
      assert.ok(Math.abs(sum - (a === b ? 1 : 0)) < FLOAT64, `columns ${a} and ${b}: ${sum}`);
    }
  }
});

Deno.test("`realSphericalHarmonics()` has the closed forms of l = 1 and l = 2", () => {
  const [x, y, z] = [0.36, -0.48, 0.8];
  const Y = realSphericalHarmonics(2, Float64Array.of(x, y, z));
  const one = Math.sqrt(3 / (4 * Math.PI)), two = Math.sqrt(15 / (4 * Math.PI));
  const expected = [
    Math.sqrt(1 / (4 * Math.PI)),
    one * y,
    one * z,
    one * x,
    two * x * y,
    two * y * z,
    Math.sqrt(5 / (16 * Math.PI)) * (3 * z * z - 1),
    two * x * z,
    two / 2 * (x * x - y * y),
  ];
  expected.forEach((value, i) => assert.ok(Math.abs(Y[i] - value) < FLOAT64, `column ${i}: ${Y[i]}, expected ${value}`));
});
