import assert from "node:assert/strict";
import { initialiseNetwork, orthonormalVectors } from "../../plugins/kernels/initialise.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import type { NetworkSpec } from "../../plugins/engines/network.ts";

/** Float64 Gram-Schmidt done twice leaves a few hundred rounding errors of 1e-16. */
const ORTHONORMAL = 1e-12;
/** The same after rounding to float32. */
const ORTHONORMAL_FLOAT32 = 1e-5;

const spec: NetworkSpec = {
  layers: [
    { id: "x", op: "input", shape: [1, 5, 5, 5] },
    { id: "tall", op: "conv3d", from: "x", channels: 40, kernel: 3, padding: "valid" },
    { id: "norm", op: "batchNorm", from: "tall", momentum: 0.9, epsilon: 1e-3 },
    { id: "wide", op: "conv3d", from: "norm", channels: 6, kernel: 3, padding: "valid" },
    { id: "flat", op: "reshape", from: "wide", shape: [6] },
    { id: "head", op: "dense", from: "flat", units: 3 },
  ],
  outputs: ["head"],
};

function gram(vectors: ArrayLike<number>, count: number, length: number, row: number, column: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) {
      let dot = 0;
      for (let k = 0; k < length; k++) dot += vectors[i * row + k * column] * vectors[j * row + k * column];
      sum = Math.max(sum, Math.abs(dot - (i === j ? 1 : 0)));
    }
  }
  return sum;
}

Deno.test("`orthonormalVectors()` gives orthonormal rows, also when the matrix is square", () => {
  for (const [count, length] of [[1, 1], [7, 50], [33, 33]]) {
    const { normal } = createRandom(3, "orthonormal", count);
    assert.ok(gram(orthonormalVectors(count, length, normal), count, length, length, 1) < ORTHONORMAL, `${count} x ${length}`);
  }
  assert.throws(() => orthonormalVectors(3, 2, () => 0), RangeError);
});

Deno.test("`orthonormalVectors()` favours no direction", () => {
  // The first number of a uniform unit vector in 4 dimensions has mean 0 and variance 1/4.
  let sum = 0, square = 0;
  const draws = 4000;
  const { normal } = createRandom(5, "direction");
  for (let i = 0; i < draws; i++) {
    const [value] = orthonormalVectors(4, 4, normal).subarray(12);
    sum += value;
    square += value * value;
  }
  // Five standard errors of the mean of 4000 draws.
  assert.ok(Math.abs(sum / draws) < 5 * 0.5 / Math.sqrt(draws), `mean ${sum / draws}`);
  assert.ok(Math.abs(square / draws - 0.25) < 0.02, `variance ${square / draws}`);
});

Deno.test("`initialiseNetwork()` gives orthogonal kernels, zero biases and an identity batch norm", () => {
  const { arrays, step, momentumProduct } = initialiseNetwork(spec, 7);
  assert.deepEqual([step, momentumProduct], [0, 1]);
  // 40 filters of 27 numbers: the columns are orthonormal; 6 of 1080: the rows; dense [6, 3]: the columns.
  assert.ok(gram(arrays["tall.weight"].values, 27, 40, 1, 27) < ORTHONORMAL_FLOAT32);
  assert.ok(gram(arrays["wide.weight"].values, 6, 1080, 1080, 1) < ORTHONORMAL_FLOAT32);
  assert.ok(gram(arrays["head.weight"].values, 3, 6, 1, 3) < ORTHONORMAL_FLOAT32);
  assert.deepEqual(arrays["tall.weight"].shape, [40, 1, 3, 3, 3]);
  for (const [name, value] of [["tall.bias", 0], ["norm.gamma", 1], ["norm.beta", 0], ["norm.mean", 0], ["norm.variance", 1]] as const) {
    assert.ok(arrays[name].values.every((v) => v === value), name);
  }
  assert.ok(arrays["wide.weight:m"].values.every((v) => v === 0));
  assert.ok(!("norm.mean:m" in arrays));
});

Deno.test("`initialiseNetwork()` depends on the seed and the layer's name only", () => {
  const longer: NetworkSpec = { ...spec, layers: [...spec.layers, { id: "more", op: "dense", from: "head", units: 2 }] };
  const [a, b, c] = [initialiseNetwork(spec, 7), initialiseNetwork(longer, 7), initialiseNetwork(spec, 8)];
  assert.deepEqual(a.arrays["wide.weight"], b.arrays["wide.weight"]);
  assert.notDeepEqual(a.arrays["wide.weight"], c.arrays["wide.weight"]);
});
