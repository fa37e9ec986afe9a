import assert from "node:assert/strict";
import { addParticle, beadTemplate, massOf, mirrorBeads, reachOf, type Template } from "../../plugins/kernels/density.ts";
import { gridTemplateFromAtoms, gridTemplateFromMap, mirrorGrid } from "../../plugins/kernels/density_grid.ts";
import { analyticModel, BEADS, MODEL_NAMES } from "../../plugins/kernels/density_models.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { eulerZyzToMatrix, type Matrix3, randomRotation } from "../../plugins/kernels/rotation.ts";
import { ShapeError } from "../../streams/errors.ts";

/** Bead positions converge to this by repeated centring, in diameters. */
const CENTRED = 1e-9;
/** Beads are cut off at four deviations, which costs 0.1 % of their mass at most. */
const CUT_OFF = 2e-3;
/** Correlation of a shape read from a grid with the same shape computed: trilinear reading of a twice oversampled, band-limited map. */
const GRID_CORRELATION = 0.999;

const IDENTITY = eulerZyzToMatrix(0, 0, 0);

function render(template: Template, size: number, centre: readonly number[], pose: Matrix3 = IDENTITY): Float32Array {
  const volume = new Float32Array(size ** 3);
  addParticle(volume, [size, size, size], template, centre, pose);
  return volume;
}

function sum(values: Float32Array): number {
  return values.reduce((total, value) => total + value, 0);
}

function correlation(a: Float32Array, b: Float32Array): number {
  const ma = sum(a) / a.length, mb = sum(b) / b.length;
  let ab = 0, aa = 0, bb = 0;
  for (let i = 0; i < a.length; i++) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) ** 2;
    bb += (b[i] - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

Deno.test("every analytic model has the same beads at the same distances from its centre of mass", () => {
  assert.ok(MODEL_NAMES.length >= 12);
  let expected: number[] | undefined;
  for (const name of MODEL_NAMES) {
    const { beadsXyz, sigma } = analyticModel(name);
    assert.equal(beadsXyz.length, 3 * BEADS, name);
    for (let axis = 0; axis < 3; axis++) {
      let mean = 0;
      for (let i = axis; i < beadsXyz.length; i += 3) mean += beadsXyz[i] / BEADS;
      assert.ok(Math.abs(mean) < CENTRED, `${name}: centre of mass ${mean} along axis ${axis}`);
    }
    const radii = Array.from({ length: BEADS }, (_, i) => Math.hypot(...beadsXyz.subarray(3 * i, 3 * i + 3))).sort((a, b) => a - b);
    expected ??= radii;
    radii.forEach((r, i) => assert.ok(Math.abs(r - expected![i]) < CENTRED, `${name}: bead ${i} at ${r}, elsewhere at ${expected![i]}`));
    // The sphere of the stated diameter holds the particle but for the outermost beads' tails.
    assert.ok(radii[BEADS - 1] + 1.9 * sigma <= 0.5, name);
  }
});

Deno.test("no rotation turns one analytic model into another", () => {
  const size = 14, diameter = 11;
  const show = (name: string, pose: Matrix3) => {
    const volume = render(beadTemplate(analyticModel(name), diameter), size, [7, 7, 7], pose);
    const mean = sum(volume) / volume.length;
    const length = Math.sqrt(volume.reduce((total, v) => total + (v - mean) ** 2, 0));
    return volume.map((v) => (v - mean) / length);
  };
  const references = MODEL_NAMES.map((name) => show(name, IDENTITY));
  const random = createRandom(2, "models");
  const poses = Array.from({ length: 500 }, () => randomRotation(random));
  MODEL_NAMES.forEach((name, i) => {
    const best = references.map(() => -1);
    for (const pose of poses) {
      const shown = show(name, pose);
      references.forEach((reference, j) => {
        let alike = 0;
        for (let v = 0; v < shown.length; v++) alike += shown[v] * reference[v];
        best[j] = Math.max(best[j], alike);
      });
    }
    // 500 rotations come within some 15 degrees of any: a model correlates with itself to .87 at least, with others to less.
    assert.ok(best[i] > 0.87, `${name}: ${best[i]} with itself`);
    best.forEach((alike, j) =>
      j === i || assert.ok(alike < best[i] - 0.02, `${name} is ${alike} alike to ${MODEL_NAMES[j]}, ${best[i]} to itself`)
    );
  });
});

Deno.test("`analyticModel()` names the models that there are when asked for another", () => {
  assert.throws(() => analyticModel("sphere"), (e) => e instanceof RangeError && /"sphere".*ring-of-seven.*mushroom/.test(e.message));
  assert.throws(() => analyticModel("constructor"), RangeError);
});

Deno.test("`addParticle()` adds the stated mass wherever the centre lies between voxels", () => {
  for (const diameter of [12, 20]) {
    for (const offset of [0, 0.25, 0.5]) {
      const template = beadTemplate(analyticModel("clamp"), diameter);
      const volume = render(template, 40, [20 + offset, 20 - offset, 20]);
      const mass = massOf(diameter);
      assert.ok(Math.abs(sum(volume) / mass - 1) < CUT_OFF, `${diameter} voxels at ${offset}: ${sum(volume)} instead of ${mass}`);
    }
  }
});

Deno.test("`addParticle()` shows the template at A^T (p - c), RELION's convention", () => {
  const random = createRandom(3, "density test");
  const template = beadTemplate(analyticModel("l-shape"), 22);
  const { beadsXyz: b, sigmaVoxels: s, beadMass } = template;
  for (let trial = 0; trial < 3; trial++) {
    const pose = randomRotation(random);
    const centre = [15 + random.uniform(), 16 + random.uniform(), 14 + random.uniform()];
    const volume = render(template, 32, centre, pose);
    const peak = volume.reduce((a, v) => Math.max(a, v), 0);
    for (let i = 0; i < 200; i++) {
      const p = [0, 1, 2].map(() => 6 + random.integer(20));
      // The reference's own coordinates of voxel p: A transposed times (p - c).
      const q = [0, 1, 2].map((row) => [0, 1, 2].reduce((total, k) => total + pose[3 * k + row] * (p[k] - centre[k]), 0));
      let expected = 0;
      for (let bead = 0; bead < b.length; bead += 3) {
        const square = (q[0] - b[bead]) ** 2 + (q[1] - b[bead + 1]) ** 2 + (q[2] - b[bead + 2]) ** 2;
        expected += beadMass * Math.exp(-square / (2 * s * s)) / (Math.sqrt(2 * Math.PI) * s) ** 3;
      }
      const found = volume[(p[2] * 32 + p[1]) * 32 + p[0]];
      assert.ok(Math.abs(found - expected) < CUT_OFF * peak, `voxel ${p}: ${found} instead of ${expected}`);
    }
  }
});

Deno.test("`addParticle()` leaves out what lies outside and stays within `reachOf()`", () => {
  const template = beadTemplate(analyticModel("tripod"), 16);
  const inside = render(template, 40, [20, 20, 20]);
  const reach = reachOf(template);
  inside.forEach((value, i) => {
    const r = Math.hypot(i % 40 - 20, Math.floor(i / 40) % 40 - 20, Math.floor(i / 1600) - 20);
    if (value !== 0) assert.ok(r <= reach * Math.sqrt(3), `density ${r} voxels from the centre`);
  });
  const corner = render(template, 40, [0, 0, 0]);
  for (let z = 0; z < 10; z++) assert.ok(Math.abs(corner[z * 1600] - inside[((20 + z) * 40 + 20) * 40 + 20]) < 1e-5);
  assert.equal(sum(render(template, 40, [-100, 0, 0])), 0);
  assert.throws(() => addParticle(new Float32Array(7), [2, 2, 2], template, [0, 0, 0], IDENTITY), ShapeError);
});

/** A model as an MRC map would hold it: 48 voxels of half the size, off centre. */
function asMap(name: string): { map: Float32Array; size: number } {
  const size = 56;
  return { map: render(beadTemplate(analyticModel(name), 40), size, [30, 27.5, 26]), size };
}

Deno.test("a template from a map is the particle itself, centred, with the mass of its size", () => {
  const { map, size } = asMap("l-shape");
  const grid = gridTemplateFromMap("l", map, [size, size, size], 5, 0.01, 10);
  const pose = randomRotation(createRandom(4, "grid"));
  const fromMap = render(grid, 32, [16.3, 15.8, 16], pose);
  const computed = render(beadTemplate(analyticModel("l-shape"), 20), 32, [16.3, 15.8, 16], pose);
  const alike = correlation(fromMap, computed);
  assert.ok(alike > GRID_CORRELATION, `correlation ${alike}`);
  assert.ok(Math.abs(sum(fromMap) / massOf(grid.diameterVoxels) - 1) < 0.01, "mass");
  // 99 % of an 84-bead model of 20 voxels lie within about 19 voxels.
  assert.ok(grid.diameterVoxels > 17 && grid.diameterVoxels < 22, `diameter ${grid.diameterVoxels}`);
});

Deno.test("a map on the tomogram's own voxels, or coarser, gives the same particle", () => {
  const map = render(beadTemplate(analyticModel("cap"), 20), 31, [15, 15, 15]);
  const grid = gridTemplateFromMap("cap", map, [31, 31, 31], 10, 0.001, 10);
  const pose = eulerZyzToMatrix(40, 70, 110);
  assert.ok(
    correlation(render(grid, 28, [14, 14, 14], pose), render(beadTemplate(analyticModel("cap"), 20), 28, [14, 14, 14], pose)) >
      GRID_CORRELATION,
  );
  const finer = gridTemplateFromMap("cap", map, [31, 31, 31], 10, 0.001, 5);
  assert.ok(Math.abs(finer.diameterVoxels / (2 * grid.diameterVoxels) - 1) < 1e-6);
});

Deno.test("a map without density above the threshold is refused", () => {
  assert.throws(() => gridTemplateFromMap("x", new Float32Array(27), [3, 3, 3], 10, 0, 10), /no density above the threshold of 0/);
  assert.throws(() => gridTemplateFromMap("x", new Float32Array(26), [3, 3, 3], 10, 0, 10), ShapeError);
});

Deno.test("a template from atoms is a Gaussian at each atom, weighted", () => {
  // One heavy and two light atoms, 60 A apart, at a resolution of 40 A: sigma 9 A or 0.9 voxels.
  const positions = Float64Array.of(100, 0, 0, 160, 0, 0, 100, 60, 0), weights = Float64Array.of(2, 1, 1);
  const grid = gridTemplateFromAtoms("atoms", positions, weights, 40, 10);
  const volume = render(grid, 24, [12, 12, 12]);
  const sigma = 40 / (Math.PI * Math.SQRT2) / 10;
  const centre = [115, 15, 0];
  const expected = new Float32Array(24 ** 3);
  for (let atom = 0; atom < 3; atom++) {
    const at = [0, 1, 2].map((axis) => 12 + (positions[3 * atom + axis] - centre[axis]) / 10);
    for (let i = 0; i < expected.length; i++) {
      const square = (i % 24 - at[0]) ** 2 + (Math.floor(i / 24) % 24 - at[1]) ** 2 + (Math.floor(i / 576) - at[2]) ** 2;
      expected[i] += weights[atom] * Math.exp(-square / (2 * sigma * sigma));
    }
  }
  const alike = correlation(volume, expected);
  // Two voxels is all that a voxel grid can hold: the Gaussians lose their finest detail.
  assert.ok(alike > 0.99, `correlation ${alike}`);
});

Deno.test("a mirrored helix is another particle, the same from beads and from a grid", () => {
  const beads = beadTemplate(analyticModel("helix"), 20);
  const { map, size } = asMap("helix");
  const grid = gridTemplateFromMap("helix", map, [size, size, size], 5, 0.01, 10);
  const mirrored = render(mirrorBeads(beads), 28, [14, 14, 14]);
  assert.ok(correlation(render(mirrorGrid(grid), 28, [14, 14, 14]), mirrored) > GRID_CORRELATION);
  let best = -1;
  const random = createRandom(6, "mirror");
  for (let i = 0; i < 60; i++) best = Math.max(best, correlation(render(beads, 28, [14, 14, 14], randomRotation(random)), mirrored));
  assert.ok(best < 0.95, `some rotation turns the helix into its mirror image: ${best}`);
});
