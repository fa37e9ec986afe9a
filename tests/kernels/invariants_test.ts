import assert from "node:assert/strict";
import { invariantDims, type InvariantSettings, invariantsOf } from "../../plugins/kernels/invariants.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { type Matrix3, randomRotation } from "../../plugins/kernels/rotation.ts";
import { realSphericalHarmonics } from "../../plugins/kernels/spherical_harmonics.ts";
import { ShapeError } from "../../streams/errors.ts";
import fixture from "../fixtures/invariants.json" with { type: "json" };

const SETTINGS: InvariantSettings = {
  boxVoxels: 24,
  sigmaVoxels: 1,
  shells: 10,
  maximumRadiusVoxels: 10,
  degree: 6,
  crossShell: true,
};

/** Blobs about the box's centre, turned by `rotation`: an exactly rotated particle without interpolation. */
function particle(centres: readonly (readonly number[])[], rotation: Matrix3, b: number): Float32Array {
  const turned = centres.map((c) => [0, 1, 2].map((i) => rotation[3 * i] * c[0] + rotation[3 * i + 1] * c[1] + rotation[3 * i + 2] * c[2]));
  const out = new Float32Array(b ** 3), middle = Math.floor(b / 2);
  for (let z = 0, i = 0; z < b; z++) {
    for (let y = 0; y < b; y++) {
      for (let x = 0; x < b; x++, i++) {
        for (const c of turned) out[i] += Math.exp(-((x - middle - c[0]) ** 2 + (y - middle - c[1]) ** 2 + (z - middle - c[2]) ** 2) / 8);
      }
    }
  }
  return out;
}
const LAMBDA = [[5, 0, 0], [-3, 4, 0], [0, -4, 3], [0, 1, -5]];
/** The same distances from the centre in other directions: only l >= 1 can tell. */
const OTHER = [[5, 0, 0], [4, 3, 0], [3, 0, 4], [1, -5, 0]];
const IDENTITY = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);

function distance(a: Float32Array, b: Float32Array): number {
  return Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0));
}

Deno.test("`invariantsOf()` agrees with SciPy on random boxes", () => {
  /** Float32 convolution, sampling and projection against float64; cross-shell terms divide by small powers. */
  const FLOAT32_CHAIN = 2e-4;
  const features = invariantsOf(Float32Array.from(fixture.boxes), 2, { ...fixture, crossShell: true });
  const dims = invariantDims({ ...fixture, crossShell: true });
  assert.equal(features.length, 2 * dims);
  fixture.features.flat().forEach((value, i) => {
    assert.ok(
      Math.abs(features[i] - value) <= FLOAT32_CHAIN,
      `feature ${i % dims} of box ${Math.floor(i / dims)}: ${features[i]}, SciPy ${value}`,
    );
  });
});

Deno.test("a rotated particle keeps its invariants, another arrangement of the same blobs does not", () => {
  /** Of the distance between two particles; trilinear sampling is not exactly invariant, least on the inner shells. */
  const ROTATED_AT_MOST = 0.2;
  const random = createRandom(3, "invariants test");
  const inside = { ...SETTINGS, crossShell: false };
  const still = invariantsOf(particle(LAMBDA, IDENTITY, 24), 1, inside);
  const other = distance(still, invariantsOf(particle(OTHER, IDENTITY, 24), 1, inside));
  for (let turn = 0; turn < 5; turn++) {
    const rotated = distance(still, invariantsOf(particle(LAMBDA, randomRotation(random), 24), 1, inside));
    assert.ok(rotated < ROTATED_AT_MOST * other, `rotated ${rotated}, other particle ${other}`);
  }
});

Deno.test("a pure harmonic has power in its own degree only", () => {
  /** The next largest degree, from sampling on the lattice: in natural-log units of unscaled power. */
  const RATIO = Math.log(50);
  const b = 24, middle = 12, degree = 4;
  for (let l = 1; l <= degree; l++) {
    const box = new Float32Array(b ** 3);
    for (let z = 0, i = 0; z < b; z++) {
      for (let y = 0; y < b; y++) {
        for (let x = 0; x < b; x++, i++) {
          const q = [x - middle, y - middle, z - middle], r = Math.hypot(...q);
          if (r > 0) box[i] = realSphericalHarmonics(l, Float64Array.from(q, (v) => v / r))[l * l + 1] * Math.exp(-((r - 7) ** 2) / 8);
        }
      }
    }
    const settings = { ...SETTINGS, degree, shells: 1, maximumRadiusVoxels: 7, crossShell: false };
    const features = invariantsOf(box, 1, settings);
    let trigamma = Math.PI ** 2 / 2;
    const powers = Array.from({ length: degree }, (_, i) => features[1 + i] * Math.sqrt(trigamma -= 4 / (2 * i + 1) ** 2));
    powers.forEach((power, i) => {
      if (i + 1 !== l) assert.ok(powers[l - 1] - power > RATIO, `l ${l}: log power of degree ${i + 1} is ${power}, own ${powers[l - 1]}`);
    });
  }
});

Deno.test("white noise gives every log power unit deviation", () => {
  /** 600 boxes know a deviation to 3 %; the lattice makes the coefficients of the inner shells unlike. */
  const BAND = [0.8, 1.25];
  const random = createRandom(4, "invariants noise"), count = 600, b = 24;
  const boxes = Float32Array.from({ length: count * b ** 3 }, () => random.normal());
  const settings = { ...SETTINGS, crossShell: false };
  const features = invariantsOf(boxes, count, settings), dims = invariantDims(settings);
  for (let d = settings.shells; d < dims; d++) {
    let sum = 0, squares = 0;
    for (let i = 0; i < count; i++) {
      sum += features[i * dims + d];
      squares += features[i * dims + d] ** 2;
    }
    const deviation = Math.sqrt(squares / count - (sum / count) ** 2);
    assert.ok(deviation > BAND[0] && deviation < BAND[1], `feature ${d}: deviation ${deviation}`);
  }
});

Deno.test("a box's features depend neither on its neighbours in the batch nor on brightness and contrast", () => {
  /** Float32 after an affine change of the box. */
  const FLOAT32 = 1e-3;
  const random = createRandom(5, "invariants batch"), b = 24, size = b ** 3;
  const boxes = Float32Array.from({ length: 5 * size }, () => random.normal());
  const together = invariantsOf(boxes, 5, SETTINGS), dims = invariantDims(SETTINGS);
  for (let i = 0; i < 5; i++) {
    assert.deepEqual(invariantsOf(boxes.subarray(i * size, (i + 1) * size), 1, SETTINGS), together.slice(i * dims, (i + 1) * dims));
  }
  const changed = invariantsOf(boxes.map((v) => 7 + 3 * v), 5, SETTINGS);
  together.forEach((value, i) => assert.ok(Math.abs(changed[i] - value) < FLOAT32, `${changed[i]} and ${value}`));
});

Deno.test("a constant box gives finite features, small boxes keep the number of features, impossible ones are refused", () => {
  assert.ok(invariantsOf(new Float32Array(24 ** 3).fill(3), 1, SETTINGS).every(Number.isFinite));
  assert.equal(invariantsOf(new Float32Array(12 ** 3), 1, { ...SETTINGS, boxVoxels: 12 }).length, invariantDims(SETTINGS));
  assert.throws(() => invariantsOf(new Float32Array(4 ** 3), 1, { ...SETTINGS, boxVoxels: 4 }), ShapeError);
  assert.throws(() => invariantsOf(new Float32Array(10), 1, SETTINGS), /10 voxels given, 1 boxes of 24\^3 need 13824/);
});
