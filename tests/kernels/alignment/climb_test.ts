import assert from "node:assert/strict";
import { climbPoses, type ClimbStep } from "../../../plugins/kernels/alignment/climb.ts";
import { centreOfMass, volumeToBox } from "../../../plugins/kernels/alignment/average.ts";
import { volumeFromPoses } from "../../../plugins/kernels/alignment/maximisation.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { multiply3, quaternionToMatrix } from "../../../plugins/kernels/rotation.ts";
import { ASYMMETRIC, blobSet, OTHER } from "./blobs.ts";

const OPTIONS = { boxVoxels: 24, kMax: 7, noise: 0.02, shift: 1, seed: 5 };
const MASK = { inner: 0.38, outer: 0.46 };
const SHELLS = OPTIONS.kMax + 1;
const NOISE = new Float64Array(SHELLS).fill(OPTIONS.noise ** 2), SIGNAL = new Float64Array(SHELLS).fill(1);
const COUNT = 60;

/** Sixty particles of each kind at known poses, and volumes made from the first forty. */
function posed() {
  const kinds = [ASYMMETRIC, OTHER], labels = Int32Array.from({ length: 2 * COUNT }, (_, i) => i < COUNT ? 0 : 1);
  const { set, poses } = blobSet(kinds, labels, OPTIONS);
  const solve = (first: number, forSlices: boolean) =>
    volumeFromPoses({
      set,
      members: Int32Array.from({ length: 40 }, (_, i) => first + i),
      weights: new Float32Array(40).fill(1),
      poses: poses.slice(12 * first, 12 * (first + 40)),
      kMax: OPTIONS.kMax,
      noise: NOISE,
      signal: SIGNAL,
      mask: MASK,
      forSlices,
    });
  return { set, poses, solve };
}

function turn(pose: Float32Array, degrees: number, axis: number): Float32Array {
  const half = degrees * Math.PI / 360, q = [0, 0, 0];
  q[axis] = Math.sin(half);
  const out = pose.slice();
  out.set(multiply3(quaternionToMatrix(Math.cos(half), q[0], q[1], q[2]), Float64Array.from(pose.subarray(0, 9))));
  return out;
}

function apart(a: Float32Array, b: Float32Array): number {
  let trace = 0;
  for (let i = 0; i < 9; i++) trace += a[i] * b[i];
  return Math.acos(Math.min(1, (trace - 1) / 2)) * 180 / Math.PI;
}

Deno.test("`climbPoses()` finds the pose of unseen boxes again from ten degrees and a voxel away, and tells the classes apart", () => {
  /** Trilinear slices of a volume made from forty boxes. */
  const DEGREES = 2, VOXELS = 0.1;
  const { set, poses, solve } = posed();
  const members = Int32Array.from({ length: 10 }, (_, i) => 45 + i), start = new Float32Array(24 * members.length);
  members.forEach((i, j) => {
    const away = turn(poses.slice(12 * i, 12 * i + 12), 10, j % 3);
    away[9 + j % 3] += 0.7;
    start.set(away, 24 * j);
    start.set(away, 24 * j + 12);
  });
  const step: ClimbStep = {
    set,
    members,
    kMax: OPTIONS.kMax,
    volumes: [solve(0, true), solve(COUNT, true)],
    noise: NOISE,
    poses: start,
    likelihood: new Float64Array(2 * members.length),
    judges: new Uint8Array(members.length),
    angle: 0.2,
    rounds: 6,
    reachVoxels: 0.5,
  };
  const { poses: found, likelihood } = climbPoses(step);
  members.forEach((i, j) => {
    const truth = poses.slice(12 * i, 12 * i + 12), own = found.slice(24 * j, 24 * j + 12);
    assert.ok(apart(truth, own) < DEGREES, `box ${i}: ${apart(truth, own)} degrees from the truth`);
    for (let d = 9; d < 12; d++) assert.ok(Math.abs(truth[d] - own[d]) < VOXELS, `box ${i}: shift ${own[d]}, truth ${truth[d]}`);
    assert.ok(likelihood[2 * j] > likelihood[2 * j + 1]);
  });
  // A class that is hopelessly behind keeps its pose and its value.
  const hopeless = climbPoses({ ...step, likelihood: step.likelihood.map((_, i) => i % 2 ? -1000 : 100) });
  members.forEach((_, j) => {
    assert.equal(hopeless.likelihood[2 * j], likelihood[2 * j]);
    assert.equal(hopeless.likelihood[2 * j + 1], -1000);
    assert.deepEqual(hopeless.poses.subarray(24 * j + 12, 24 * j + 24), start.subarray(24 * j + 12, 24 * j + 24));
  });
});

Deno.test("the residual of unseen boxes at their poses is the noise", () => {
  /** Ten boxes of 500 coefficients, and what a volume from forty boxes leaves out. */
  const NOISE_AT_MOST = 1.6;
  const noise = 0.2, labels = new Int32Array(60);
  const { set, poses } = blobSet([ASYMMETRIC], labels, { ...OPTIONS, noise });
  const variance = new Float64Array(SHELLS).fill(noise ** 2);
  const members = Int32Array.from({ length: 50 }, (_, i) => i);
  const volume = volumeFromPoses({
    set,
    members,
    weights: new Float32Array(50).fill(1),
    poses: poses.slice(0, 600),
    kMax: OPTIONS.kMax,
    noise: variance,
    signal: SIGNAL,
    mask: MASK,
  });
  const judges = Int32Array.from({ length: 10 }, (_, i) => 50 + i);
  const { residual } = climbPoses({
    set,
    members: judges,
    kMax: OPTIONS.kMax,
    volumes: [volume],
    noise: variance,
    poses: poses.slice(600, 720),
    likelihood: new Float64Array(10),
    judges: new Uint8Array(10).fill(1),
    angle: 0.001,
    rounds: 1,
    reachVoxels: 0.001,
  });
  let power = 0;
  for (const i of judges) {
    for (let c = 0; c < 2 * set.order.count; c++) power += set.coefficients[2 * i * set.order.count + c] ** 2;
  }
  const mean = (power / noise ** 2 + residual.reduce((sum, value) => sum + value, 0)) / (10 * set.order.count);
  assert.ok(
    mean > 0.9 && mean < NOISE_AT_MOST,
    `residual ${mean} times the noise; without the reference ${power / noise ** 2 / (10 * set.order.count)}`,
  );
});

Deno.test("`volumeToBox()` shows the particle where it is", () => {
  /** Of the correlation with the particle low-passed to the same frequency. */
  const CORRELATION = 0.97;
  const { solve } = posed(), b = OPTIONS.boxVoxels;
  const box = volumeToBox(solve(0, false), OPTIONS.kMax, b), middle = Math.floor(b / 2);
  let dot = 0, own = 0, other = 0, mean = 0;
  const truth = new Float64Array(b ** 3);
  for (let z = 0, i = 0; z < b; z++) {
    for (let y = 0; y < b; y++) {
      for (let x = 0; x < b; x++, i++) {
        for (const c of ASYMMETRIC) {
          truth[i] += Math.exp(-((x - middle - c[0]) ** 2 + (y - middle - c[1]) ** 2 + (z - middle - c[2]) ** 2) / (2 * 1.6 ** 2));
        }
        mean += truth[i] / b ** 3;
      }
    }
  }
  box.forEach((value, i) => {
    dot += value * (truth[i] - mean);
    own += value * value;
    other += (truth[i] - mean) ** 2;
  });
  assert.ok(dot / Math.sqrt(own * other) > CORRELATION, `correlation ${dot / Math.sqrt(own * other)}`);
  const random = createRandom(1, "mass"), spot = new Float32Array(b ** 3);
  const at = [random.integer(6) + 9, random.integer(6) + 9, random.integer(6) + 9];
  spot[(at[2] * b + at[1]) * b + at[0]] = 1;
  assert.deepEqual(centreOfMass(spot, b), at.map((v) => v - middle));
  assert.deepEqual(centreOfMass(new Float32Array(b ** 3), b), [0, 0, 0]);
});
