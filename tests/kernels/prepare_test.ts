import assert from "node:assert/strict";
import { ShapeError } from "../../streams/errors.ts";
import { inscribedRadius, inscribedSphere, lowPassBoxes, normaliseBoxes, prepareBoxes, softSphere } from "../../plugins/kernels/prepare.ts";
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

Deno.test("`lowPassBoxes()` keeps a constant and blurs a point into a Gaussian", () => {
  const box = 21, c = 10, sigma = 1.5, point = new Float32Array(box ** 3);
  point[(c * box + c) * box + c] = 1;
  const blurred = lowPassBoxes(point, 1, box, sigma);
  const line = [...Array(13)].map((_, i) => Math.exp(-0.5 * ((i - 6) / sigma) ** 2));
  const norm = line.reduce((a, t) => a + t, 0);
  for (const [z, y, x] of [[0, 0, 0], [1, 0, 2], [-2, 1, 3], [0, -4, 0]]) {
    const expected = (line[6 + z] * line[6 + y] * line[6 + x]) / norm ** 3;
    assert.ok(Math.abs(blurred[((c + z) * box + c + y) * box + c + x] - expected) < 1e-7);
  }
  // Float32 taps sum to one within rounding.
  for (const v of lowPassBoxes(new Float32Array(box ** 3).fill(3), 1, box, 4)) assert.ok(Math.abs(v - 3) < 1e-5);
});

Deno.test("`prepareBoxes()` refuses arrays that are not boxes and a negative low-pass", () => {
  assert.throws(() => prepareBoxes(new Float32Array(100), 1, 8), ShapeError);
  assert.throws(() => prepareBoxes(new Float32Array(512), 1, 8, { lowPassVoxels: -1 }), /lowPassVoxels is -1/);
});
