import assert from "node:assert/strict";
import { ShapeError } from "../../streams/errors.ts";
import { inscribedSphere, prepareBoxes, softSphere } from "../../plugins/kernels/prepare.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { augmentBoxes, rotateAndPrepareBoxes, rotateBoxes } from "../../plugins/kernels/rotate.ts";
import { eulerZyzToMatrix, type Matrix3, multiply3, randomRotation, transpose3 } from "../../plugins/kernels/rotation.ts";
import scipy from "../fixtures/rotate.json" with { type: "json" };

/** Float32: positions to 2e-6 voxels, on splines of noise whose slope and coefficients reach several deviations a voxel. */
const SPLINE_TOLERANCE = 1.5e-5;

const IDENTITY = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);

function noise(count: number, box: number, key = 0): Float32Array {
  const random = createRandom(3, "rotate test", box, key);
  return Float32Array.from({ length: count * box ** 3 }, () => random.normal());
}

/** Gaussian blobs at points (x, y, z) from the centre, with weights. */
function blobs(box: number, points: readonly number[][], sigma: number): Float32Array {
  const c = Math.floor(box / 2);
  return Float32Array.from({ length: box ** 3 }, (_, i) => {
    const x = i % box - c, y = Math.floor(i / box) % box - c, z = Math.floor(i / box / box) - c;
    return points.reduce(
      (sum, [px, py, pz, w]) => sum + w * Math.exp(-((x - px) ** 2 + (y - py) ** 2 + (z - pz) ** 2) / (2 * sigma ** 2)),
      0,
    );
  });
}

function turn(m: Matrix3, [x, y, z, w]: readonly number[]): number[] {
  return [m[0] * x + m[1] * y + m[2] * z, m[3] * x + m[4] * y + m[5] * z, m[6] * x + m[7] * y + m[8] * z, w];
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}

for (const { box, matrix, voxels, rotated } of scipy) {
  Deno.test(`\`rotateBoxes()\` equals SciPy's cubic spline, mirrored faces included (box ${box})`, () => {
    const out = rotateBoxes(Float32Array.from(voxels), 1, box, Float64Array.from(matrix));
    assert.ok(largestDifference(out, rotated) < SPLINE_TOLERANCE, `${largestDifference(out, rotated)}`);
  });
}

Deno.test("`rotateBoxes()` by the identity changes nothing, for short, even and odd boxes", () => {
  for (const box of [4, 5, 9, 16, 24]) {
    const voxels = noise(2, box), before = voxels.slice();
    const out = rotateBoxes(voxels, 2, box, Float64Array.of(...IDENTITY, ...IDENTITY));
    assert.ok(largestDifference(out, voxels) < SPLINE_TOLERANCE, `box ${box}: ${largestDifference(out, voxels)}`);
    assert.deepEqual(voxels, before);
  }
});

Deno.test("`rotateBoxes()` carries what lies at p to A p, as RELION's angles say", () => {
  const box = 24,
    points = [[5, 0, 0, 1], [0, 4, -3, 0.6], [-2, -5, 4, 0.8]],
    random = createRandom(1, "convention"),
    sphere = inscribedSphere(24);
  for (const a of [eulerZyzToMatrix(30, 50, -70), randomRotation(random), eulerZyzToMatrix(0, 90, 0)]) {
    const out = rotateBoxes(blobs(box, points, 1.6), 1, box, a);
    // A Gaussian of sigma 1.6 lies 99.99 % below a quarter of a cycle, where the spline is right to 0.2 %.
    // Inside the sphere: in the corners the mirrored box shows.
    const inside = (voxels: Float32Array) => voxels.map((v, i) => v * sphere[i]);
    const difference = largestDifference(inside(out), inside(blobs(box, points.map((p) => turn(a, p)), 1.6)));
    assert.ok(difference < 4e-3, `${difference}`);
  }
});

Deno.test("A quarter turn is an exact permutation of voxels about voxel floor(N / 2)", () => {
  for (const box of [9, 12]) {
    const c = Math.floor(box / 2), voxels = noise(1, box), quarter = Float64Array.of(0, -1, 0, 1, 0, 0, 0, 0, 1);
    const out = rotateBoxes(voxels, 1, box, quarter);
    for (let z = 0; z < box; z++) {
      for (let y = 0; y < box; y++) {
        for (let x = 0; x < box; x++) {
          // (x, y) goes to (-y, x) about the centre; on an even box one face has no partner.
          const to = [z, c + (x - c), c - (y - c)];
          if (to.some((t) => t < 0 || t >= box)) continue;
          const difference = out[(to[0] * box + to[1]) * box + to[2]] - voxels[(z * box + y) * box + x];
          assert.ok(Math.abs(difference) < SPLINE_TOLERANCE);
        }
      }
    }
  }
});

Deno.test("`rotateBoxes()` there and back again restores a smooth box inside the sphere", () => {
  const box = 24, random = createRandom(8, "back"), mask = softSphere(box);
  const voxels = blobs(box, [[3, 2, -4, 1], [-4, 1, 2, 1], [0, -3, -1, 0.5]], 1.8), a = randomRotation(random);
  const back = rotateBoxes(rotateBoxes(voxels, 1, box, a), 1, box, transpose3(a));
  assert.ok(largestDifference(back.map((v, i) => v * mask[i]), voxels.map((v, i) => v * mask[i])) < 6e-3);
});

Deno.test("A rotated and prepared box equals the prepared box of the rotated particle", () => {
  const box = 24, a = randomRotation(createRandom(4, "prepared")), points = [[4, 1, 0, 1], [-3, 2, -3, 0.7], [0, -5, 2, 0.5]];
  const rotated = rotateAndPrepareBoxes(blobs(box, points, 1.3), 1, box, a).voxels;
  const expected = prepareBoxes(blobs(box, points.map((p) => turn(a, p)), 1.3), 1, box).voxels;
  // Unit deviation; the brightest voxel is about 10.
  assert.ok(largestDifference(rotated, expected) < 0.03, `${largestDifference(rotated, expected)}`);
});

Deno.test("`augmentBoxes()` depends on seed, key and row, not on the batch; unusable boxes are listed", () => {
  const box = 16, size = box ** 3, voxels = noise(3, box), rows = Int32Array.of(0, 4, 0, 5, 1, 4);
  const all = augmentBoxes(voxels, 3, box, 7, 2, rows);
  const last = augmentBoxes(voxels.slice(2 * size), 1, box, 7, 2, rows.slice(4));
  assert.deepEqual(all.voxels.subarray(2 * size), last.voxels);
  assert.deepEqual(all.matrices.subarray(18), last.matrices);
  for (const other of [augmentBoxes(voxels, 3, box, 8, 2, rows), augmentBoxes(voxels, 3, box, 7, 3, rows)]) {
    assert.ok(largestDifference(other.matrices, all.matrices) > 0.1);
  }
  for (let i = 0; i < 3; i++) {
    const m = all.matrices.subarray(9 * i, 9 * i + 9);
    assert.ok(largestDifference(multiply3(m, transpose3(m)), IDENTITY) < 1e-12);
  }
  voxels.fill(2, size, 2 * size);
  const { voxels: out, unusable } = augmentBoxes(voxels, 3, box, 7, 2, rows);
  assert.deepEqual([...unusable], [1]);
  assert.ok(out.subarray(size, 2 * size).every((v) => v === 0));
});

Deno.test("Rotations refuse lengths that do not belong together", () => {
  assert.throws(() => rotateBoxes(new Float32Array(512), 1, 8, new Float64Array(8)), ShapeError);
  assert.throws(() => rotateBoxes(new Float32Array(511), 1, 8, IDENTITY), ShapeError);
  assert.throws(() => augmentBoxes(new Float32Array(512), 1, 8, 0, 0, Int32Array.of(1)), ShapeError);
});
