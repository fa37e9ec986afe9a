import assert from "node:assert/strict";
import { climbPoses } from "../../../plugins/kernels/alignment/climb.ts";
import { volumeFromPoses } from "../../../plugins/kernels/alignment/maximisation.ts";
import { synthesiseBoxes } from "../../../plugins/kernels/alignment/synthesis.ts";
import { ASYMMETRIC, blobCoefficient, blobSet } from "./blobs.ts";

const BOX = 24, KMAX = 5, NOISE = 0.05;
const variance = new Float64Array(8).fill(NOISE ** 2);

/** A volume made from fifty posed blobs, and the set it was made from. */
function model() {
  const labels = new Int32Array(50), members = Int32Array.from(labels.keys());
  const { set, poses } = blobSet([ASYMMETRIC], labels, { boxVoxels: BOX, kMax: 7, noise: NOISE, shift: 1, seed: 8 });
  const volume = volumeFromPoses({
    set,
    members,
    weights: new Float32Array(50).fill(1),
    poses,
    kMax: KMAX,
    noise: variance,
    signal: new Float64Array(8).fill(1),
    mask: { inner: 0.38, outer: 0.46 },
  });
  return { set, poses, members, volume };
}

Deno.test("`synthesiseBoxes()` gives the reference at each pose inside the wedge, with the noise asked for", () => {
  /** Of the particle's coefficients: what a volume from fifty noisy boxes and trilinear slices leave out. */
  const LEFT_OUT = 0.15;
  /** 11 boxes of some 300 coefficients: four deviations of a mean of exponentials. */
  const BAND = 4 / Math.sqrt(11 * 300);
  const { set, poses, members, volume } = model(), { order } = set, some = members.slice(3, 14);
  const half = { ...set, wedges: set.wedges.map((_, c) => c % 2) };
  const settings = { set: half, members: some, poses: poses.slice(36, 168), volume, kMax: KMAX, seed: 1 };
  const clean = synthesiseBoxes({ ...settings, noise: new Float64Array(8) });
  const noisy = synthesiseBoxes({ ...settings, noise: variance });
  let wrong = 0, right = 0, noise = 0, measured = 0;
  some.forEach((i, j) => {
    for (let c = 0; c < order.count; c++) {
      const at = 2 * (j * order.count + c);
      if (c % 2 === 0) assert.ok(noisy[at] === 0 && noisy[at + 1] === 0);
      else if (c >= order.upTo[KMAX]) {
        assert.ok(clean[at] === 0 && clean[at + 1] === 0);
        noise += noisy[at] ** 2 + noisy[at + 1] ** 2;
        measured++;
      } else {
        const [re, im] = blobCoefficient(ASYMMETRIC, poses.subarray(12 * i, 12 * i + 12), [...order.ksXyz.subarray(3 * c, 3 * c + 3)], BOX);
        wrong += (clean[at] - re) ** 2 + (clean[at + 1] - im) ** 2;
        right += re ** 2 + im ** 2;
      }
    }
  });
  assert.ok(Math.sqrt(wrong / right) < LEFT_OUT, `${Math.sqrt(wrong / right)} of the particle is wrong`);
  assert.ok(Math.abs(noise / measured / NOISE ** 2 - 1) < BAND, `noise ${noise / measured / NOISE ** 2} times what was asked for`);
});

Deno.test("a synthetic box is as likely under its reference as the pose it was made at allows", () => {
  const { set, poses, members, volume } = model(), some = members.slice(0, 8);
  const coefficients = synthesiseBoxes({ set, members: some, poses: poses.slice(0, 96), volume, kMax: KMAX, noise: variance, seed: 2 });
  const { likelihood } = climbPoses({
    set: { ...set, coefficients },
    members: some,
    kMax: KMAX,
    volumes: [volume],
    noise: variance,
    poses: poses.slice(0, 96),
    likelihood: new Float64Array(8),
    judges: new Uint8Array(8),
    angle: 1e-4,
    rounds: 1,
    reachVoxels: 1e-4,
  });
  some.forEach((i, j) => {
    let power = 0;
    const clean = synthesiseBoxes({
      set,
      members: Int32Array.of(i),
      poses: poses.slice(12 * i, 12 * i + 12),
      volume,
      kMax: KMAX,
      noise: new Float64Array(8),
      seed: 2,
    });
    clean.forEach((value) => power += value * value / NOISE ** 2);
    // 2 Re<F, A> - |A|^2 has mean |A|^2 and deviation sqrt(2) |A|.
    assert.ok(Math.abs(likelihood[j] - power) < 5 * Math.sqrt(2 * power), `box ${i}: ${likelihood[j]}, expected ${power}`);
  });
});
