import assert from "node:assert/strict";
import fc from "fast-check";
import type { Triple } from "../../streams/contract.ts";
import { ShapeError } from "../../streams/errors.ts";
import { blurSections, gaussianReach, gaussianWeights } from "../../plugins/kernels/blur.ts";
import { mirrorIndex, planBricks } from "../../plugins/kernels/brick.ts";
import { filterBrick, MAXIMUM_FIELDS, responseReach } from "../../plugins/kernels/difference_of_gaussians.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { histogramQuantile, robustMoments } from "../../plugins/kernels/response_statistics.ts";
import { suppress } from "../../plugins/kernels/suppress.ts";
import scipy from "../fixtures/dog.json" with { type: "json" };

/** Float32 sums of some ten products on values around 100. */
const BLUR_TOLERANCE = 5e-5;
/** What the project asks of a response: 1e-4 of the largest. */
const RESPONSE_TOLERANCE = 1e-4;

const shape = scipy.shapeZyx as unknown as Triple, [nz, ny, nx] = shape;

function cut(voxels: Float32Array, [, y, x]: Triple, [cz, cy, cx]: Triple, [sz, sy, sx]: Triple): Float32Array {
  return Float32Array.from(
    { length: sz * sy * sx },
    (_, i) => voxels[((cz + Math.floor(i / sy / sx)) * y + cy + Math.floor(i / sx) % sy) * x + cx + i % sx],
  );
}

/** Untiled, float64. */
function blurDouble(voxels: ArrayLike<number>, [z, y, x]: Triple, sigma: number): Float64Array {
  const weights = gaussianWeights(sigma);
  let values = Float64Array.from(voxels);
  for (const [n, stride] of [[z, y * x], [y, x], [x, 1]]) {
    const next = new Float64Array(values.length);
    for (let i = 0; i < values.length; i++) {
      const at = Math.floor(i / stride) % n;
      for (let k = 1 - weights.length; k < weights.length; k++) {
        next[i] += weights[Math.abs(k)] * values[i + (mirrorIndex(at + k, n) - at) * stride];
      }
    }
    values = next;
  }
  return values;
}

Deno.test("`blurSections()` equals SciPy's gaussian_filter, whole or in parts", () => {
  const voxels = Float32Array.from(scipy.voxels), reach = gaussianReach(scipy.sigmaWideVoxels), plane = ny * nx;
  const whole = blurSections(voxels, 0, 0, nz, shape, scipy.sigmaWideVoxels);
  scipy.blurred.forEach((expected, i) => assert.ok(Math.abs(whole[7 * i] - expected) < BLUR_TOLERANCE));
  for (const [from, to] of [[0, 3], [5, 6], [9, nz]]) {
    const first = Math.max(0, from - reach), last = Math.min(nz, to + reach);
    const part = blurSections(voxels.subarray(first * plane, last * plane), first, from, to, shape, scipy.sigmaWideVoxels);
    assert.deepEqual(part, whole.slice(from * plane, to * plane));
  }
  assert.throws(() => blurSections(voxels.subarray(plane), 1, 0, nz, shape, 1), ShapeError);
});

Deno.test("`gaussianWeights()` sums to one and refuses a sigma of 0", () => {
  const weights = gaussianWeights(5);
  assert.equal(weights.length, 21);
  assert.ok(Math.abs(weights.reduce((sum, w, i) => sum + (i ? 2 : 1) * w, 0) - 1) < 1e-14);
  assert.throws(() => gaussianWeights(0), RangeError);
});

Deno.test("`planBricks()` tiles every volume exactly, within the room it is given", () => {
  const size = fc.integer({ min: 1, max: 60 });
  fc.assert(
    fc.property(fc.tuple(size, size, size), fc.integer({ min: 0, max: 9 }), fc.integer({ min: 1, max: 60000 }), (sizes, reach, most) => {
      const bricks = planBricks(sizes, reach, most), seen = new Uint8Array(sizes[0] * sizes[1] * sizes[2]);
      for (const { cornerZyx: [z0, y0, x0], sizeZyx: [sz, sy, sx], readCornerZyx, readSizeZyx } of bricks) {
        for (let z = z0; z < z0 + sz; z++) {
          for (let y = y0; y < y0 + sy; y++) for (let x = x0; x < x0 + sx; x++) seen[(z * sizes[1] + y) * sizes[2] + x]++;
        }
        assert.ok(readSizeZyx[0] * readSizeZyx[1] * readSizeZyx[2] <= Math.max(most, (4 * reach + 1) ** 3));
        [z0, y0, x0].forEach((corner, axis) => {
          assert.equal(readCornerZyx[axis], Math.max(0, corner - reach));
          assert.equal(readCornerZyx[axis] + readSizeZyx[axis], Math.min(sizes[axis], corner + [sz, sy, sx][axis] + reach));
        });
      }
      assert.ok(seen.every((count) => count === 1));
    }),
  );
});

Deno.test("`filterBrick()` equals an untiled float64 response, in any bricks, on voxels far from zero", () => {
  const random = createRandom(2, "bricks"), sizes: Triple = [13, 30, 37], sigmaNarrowVoxels = 1.1, sigmaWideVoxels = 2.1;
  const voxels = Float32Array.from({ length: 13 * 30 * 37 }, () => 30_000 + 50 * random.normal());
  const narrow = blurDouble(voxels, sizes, sigmaNarrowVoxels), wide = blurDouble(voxels, sizes, sigmaWideVoxels);
  const response = narrow.map((v, i) => v - wide[i]), largest = response.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
  const lists: string[] = [];
  for (const most of [1e6, 9000, 6000]) {
    const bricks = planBricks(sizes, responseReach(sigmaWideVoxels), most), maxima: number[][] = [];
    let sum = 0, square = 0, counted = 0;
    for (const brick of bricks) {
      const part = filterBrick({
        brick,
        shapeZyx: sizes,
        voxels: cut(voxels, sizes, brick.readCornerZyx, brick.readSizeZyx),
        sigmaNarrowVoxels,
        sigmaWideVoxels,
        offset: 30_000,
      });
      sum += part.sum;
      square += part.square;
      counted += part.histogram.reduce((a, b) => a + b, 0);
      for (let i = 0; i < part.maxima.length; i += MAXIMUM_FIELDS) maxima.push([...part.maxima.subarray(i, i + MAXIMUM_FIELDS)]);
    }
    assert.equal(counted, voxels.length);
    assert.ok(Math.abs(sum - response.reduce((a, v) => a + v, 0)) < RESPONSE_TOLERANCE * largest * voxels.length);
    assert.ok(Math.abs(square / response.reduce((a, v) => a + v * v, 0) - 1) < RESPONSE_TOLERANCE);
    for (const [x, y, z, value] of maxima) {
      assert.ok(Math.abs(value - response[(z * 30 + y) * 37 + x]) < RESPONSE_TOLERANCE * largest);
    }
    lists.push(maxima.map(([x, y, z]) => (z * 30 + y) * 37 + x).sort((a, b) => a - b).join());
  }
  // The same list from float64, all 26 neighbours, volume's faces included.
  const expected: number[] = [];
  for (let i = 0; i < response.length; i++) {
    const z = Math.floor(i / 37 / 30), y = Math.floor(i / 37) % 30, x = i % 37;
    let top = response[i] > 0;
    for (let c = -1; c <= 1; c++) {
      for (let b = -1; b <= 1; b++) {
        for (let a = -1; a <= 1; a++) {
          if (z + c < 0 || z + c >= 13 || y + b < 0 || y + b >= 30 || x + a < 0 || x + a >= 37) continue;
          if (response[i + (c * 30 + b) * 37 + a] > response[i]) top = false;
        }
      }
    }
    if (top) expected.push(i);
  }
  assert.ok(expected.length > 20);
  for (const list of lists) assert.equal(list, expected.join());
});

Deno.test("`filterBrick()` finds the top of a smooth blob between voxels", () => {
  const sizes: Triple = [24, 24, 24], at = [11.3, 12.4, 10.8];
  const voxels = Float32Array.from({ length: 24 ** 3 }, (_, i) => {
    const d = [i % 24, Math.floor(i / 24) % 24, Math.floor(i / 576)].map((v, axis) => v - at[axis]);
    return Math.exp(-(d[0] ** 2 + d[1] ** 2 + d[2] ** 2) / (2 * 2.5 ** 2));
  });
  const [brick] = planBricks(sizes, responseReach(3), 1e6);
  const { maxima } = filterBrick({ brick, shapeZyx: sizes, voxels, sigmaNarrowVoxels: 1.5, sigmaWideVoxels: 3, offset: 0 });
  let best = 0;
  for (let i = 0; i < maxima.length; i += MAXIMUM_FIELDS) if (maxima[i + 3] > maxima[best + 3]) best = i;
  // A parabola through a bell of sigma 3 is off by less than 0.02 voxels.
  at.forEach((v, axis) => assert.ok(Math.abs(maxima[best + axis] + maxima[best + 4 + axis] - v) < 0.02));
});

Deno.test("`filterBrick()` tells sheets from balls and rods, at any angle", () => {
  const sizes: Triple = [32, 32, 32], [brick] = planBricks(sizes, responseReach(3), 1e6);
  const flatness = (axes: number) => {
    // Distance from a point, a line or a plane through the centre, askew.
    const u = [[0.48, 0.6, 0.64], [0.8, 0, -0.6], [0.36, -0.8, 0.48]].slice(0, axes);
    const voxels = Float32Array.from({ length: 32 ** 3 }, (_, i) => {
      const p = [i % 32 - 16, Math.floor(i / 32) % 32 - 16, Math.floor(i / 1024) - 16];
      const square = u.reduce((sum, v) => sum + (v[0] * p[0] + v[1] * p[1] + v[2] * p[2]) ** 2, 0);
      // The centre is a little brighter, so that it is the maximum.
      return Math.exp(-square / 8) * (1 + 0.01 * Math.exp(-(p[0] ** 2 + p[1] ** 2 + p[2] ** 2) / 50));
    });
    const { maxima } = filterBrick({ brick, shapeZyx: sizes, voxels, sigmaNarrowVoxels: 2, sigmaWideVoxels: 3, offset: 0 });
    for (let i = 0; i < maxima.length; i += MAXIMUM_FIELDS) if (maxima.subarray(i, i + 3).every((v) => v === 16)) return maxima[i + 7];
    return NaN;
  };
  assert.ok(Math.abs(flatness(3)) < 0.02 && flatness(2) < 0.05 && flatness(1) > 0.95, [1, 2, 3].map(flatness).join());
});

Deno.test("Histogram statistics are right to 0.2 %, and outliers do not move the robust ones", () => {
  const random = createRandom(4, "histogram"), n = 100_000, histogram = new Uint32Array(1 << 18);
  const values = Float32Array.from({ length: n }, (_, i) => i % 200 === 0 ? 500 : -3 + 2 * random.normal());
  const bits = new Uint32Array(values.buffer);
  for (const b of bits) histogram[b >>> 14]++;
  const sorted = values.slice().sort();
  for (const share of [0.001, 0.1, 0.5, 0.9, 0.99]) {
    const expected = sorted[Math.round(share * n)];
    // The sample's own spacing at the ends adds to the bins' width.
    assert.ok(Math.abs(histogramQuantile(histogram, share) - expected) < 0.003 * Math.abs(expected) + 0.005, `${share}`);
  }
  const { centre, deviation } = robustMoments(histogram);
  // Five standard errors of the median and of the median distance, and half a per cent of outliers.
  assert.ok(Math.abs(centre + 3) < 0.05 && Math.abs(deviation - 2) < 0.06, `${centre} ${deviation}`);
  assert.ok(Number.isNaN(histogramQuantile(new Uint32Array(1 << 18), 0.5)));
});

Deno.test("`suppress()` equals the greedy choice by all pairs, whatever the order of the input", () => {
  const coordinate = fc.integer({ min: 0, max: 30 });
  const points = fc.array(fc.tuple(coordinate, coordinate, coordinate, fc.integer({ min: 1, max: 9 })), { maxLength: 80 });
  fc.assert(fc.property(points, fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 90 }), (list, distance, maximum) => {
    const unique = [...new Map(list.map((p) => [p.slice(0, 3).join(), p])).values()];
    const order = [...unique].sort((a, b) => b[3] - a[3] || a[2] - b[2] || a[1] - b[1] || a[0] - b[0]), kept: typeof order = [];
    for (const p of order) {
      if (kept.length < maximum && kept.every((q) => Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]) >= distance)) kept.push(p);
    }
    for (const input of [unique, [...unique].reverse()]) {
      const found = suppress(input.flatMap((p) => p.slice(0, 3)), input.map((p) => p[3]), distance, maximum);
      assert.deepEqual(Array.from(found, (i) => input[i]), kept);
    }
  }));
});
