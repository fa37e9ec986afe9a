import assert from "node:assert/strict";
import { ShapeError } from "../../streams/errors.ts";
import { halfBand, inscribedRadius, inscribedSphere, normaliseBoxes, prepareBoxes, softSphere } from "../../plugins/kernels/prepare.ts";
import { createRandom } from "../../plugins/kernels/random.ts";

/** Moments of some thousand float32 values summed in float64. */
const MOMENT_TOLERANCE = 1e-5;

function noise(count: number, box: number, scale = 1, offset = 0): Float32Array {
  const random = createRandom(5, "prepare test", box);
  return Float32Array.from({ length: count * box ** 3 }, () => offset + scale * random.normal());
}

function weightedMoments(voxels: Float32Array, weights: ArrayLike<number>): [number, number] {
  let total = 0, sum = 0, square = 0;
  for (let i = 0; i < voxels.length; i++) {
    total += weights[i];
    sum += weights[i] * voxels[i];
    square += weights[i] * voxels[i] ** 2;
  }
  return [sum / total, Math.sqrt(square / total - (sum / total) ** 2)];
}

for (const box of [24, 21]) {
  Deno.test(`\`normaliseBoxes()\` gives zero mean and unit deviation inside the sphere and masks nothing (box ${box})`, () => {
    const voxels = noise(2, box, 30, -500), before = voxels.slice();
    const { voxels: out, unusable } = normaliseBoxes(voxels, 2, box);
    assert.deepEqual(voxels, before, "input changed");
    assert.equal(unusable.length, 0);
    for (let n = 0; n < 2; n++) {
      const [mean, deviation] = weightedMoments(out.subarray(n * box ** 3, (n + 1) * box ** 3), inscribedSphere(box));
      assert.ok(Math.abs(mean) < MOMENT_TOLERANCE && Math.abs(deviation - 1) < MOMENT_TOLERANCE, `${mean} ${deviation}`);
    }
    assert.ok(Math.abs(out[0]) > 0, "the corner was masked");
  });

  Deno.test(`\`prepareBoxes()\` is zero outside the sphere, sums to zero and does not see scale or offset (box ${box})`, () => {
    const voxels = noise(1, box);
    const { voxels: out } = prepareBoxes(voxels, 1, box, { lowPassVoxels: 1 });
    const mask = softSphere(box), c = Math.floor(box / 2), radius = inscribedRadius(box);
    let sum = 0;
    for (let i = 0; i < out.length; i++) {
      const r = Math.hypot(Math.floor(i / box / box) - c, Math.floor(i / box) % box - c, i % box - c);
      assert.equal(mask[i] === 0, r >= radius);
      if (r >= radius) assert.equal(Math.abs(out[i]), 0);
      sum += out[i];
    }
    assert.ok(Math.abs(sum) / out.length < MOMENT_TOLERANCE);
    const { voxels: other } = prepareBoxes(voxels.map((v) => 7 * v + 3), 1, box, { lowPassVoxels: 1 });
    // Float32 rounding of values around 10 shifted and scaled back.
    for (let i = 0; i < out.length; i++) assert.ok(Math.abs(out[i] - other[i]) < 1e-4, `${out[i]} ${other[i]}`);
  });
}

Deno.test("Constant boxes and boxes with NaN or infinity become zeros and are listed", () => {
  const box = 8, size = box ** 3, voxels = noise(5, box);
  voxels.fill(1234.5, size, 2 * size);
  voxels[2 * size + 3] = NaN;
  voxels[4 * size + 300] = Infinity;
  for (const prepare of [normaliseBoxes, prepareBoxes]) {
    const { voxels: out, unusable } = prepare(voxels, 5, box);
    assert.deepEqual([...unusable], [1, 2, 4]);
    for (const n of unusable) assert.ok(out.subarray(n * size, (n + 1) * size).every((v) => v === 0));
    assert.ok(out.every(Number.isFinite));
    assert.ok(out.subarray(0, size).some((v) => v !== 0));
  }
});

Deno.test("`prepareBoxes()` scales each cosine of the mirrored box by its gain, masks and normalises", () => {
  const box = 24, waves = [[1, 2, 0, 1], [4, 0, 3, 2], [7, 8, 2, 3], [0, 23, 0, 5]], lowPassVoxels = 0.7;
  const wave = ([kz, ky, kx]: number[], i: number) => {
    const along = (k: number, j: number) => Math.cos((Math.PI * k * (j + 0.5)) / box);
    return along(kz, Math.floor(i / box / box)) * along(ky, Math.floor(i / box) % box) * along(kx, i % box);
  };
  const voxels = new Float32Array(box ** 3), expected = new Float64Array(box ** 3), mask = softSphere(box);
  for (const w of waves) {
    const gain = halfBand(Math.hypot(w[0], w[1], w[2]) / (2 * box), lowPassVoxels) ** 2;
    for (let i = 0; i < voxels.length; i++) {
      voxels[i] += w[3] * wave(w, i);
      expected[i] += gain * w[3] * wave(w, i);
    }
  }
  const [mean, deviation] = weightedMoments(Float32Array.from(expected), mask);
  const { voxels: out } = prepareBoxes(voxels, 1, box, { lowPassVoxels });
  // Six float32 products of 24 terms each.
  for (let i = 0; i < out.length; i++) assert.ok(Math.abs(out[i] - (mask[i] * (expected[i] - mean)) / deviation) < 2e-5);
});

Deno.test("`halfBand()` is 1 at rest, about half in power at a third of a cycle, and 0 from 0.48 cycles per voxel on", () => {
  assert.equal(halfBand(0, 1), 1);
  assert.ok(Math.abs(halfBand(0.334, 0) ** 2 - 0.5) < 0.01);
  assert.equal(halfBand(0.48, 0), 0);
  // Both halves together are a Gaussian of sigma 1: exp(-2 pi^2 0.2^2).
  assert.ok(Math.abs(halfBand(0.2, 1) ** 2 - Math.exp(-2 * Math.PI ** 2 * 0.04)) < 1e-12);
});

Deno.test("`prepareBoxes()` refuses arrays that are not boxes and a negative low-pass", () => {
  assert.throws(() => prepareBoxes(new Float32Array(100), 1, 8), ShapeError);
  assert.throws(() => prepareBoxes(new Float32Array(512), 1, 8, { lowPassVoxels: -1 }), /lowPassVoxels is -1/);
});
