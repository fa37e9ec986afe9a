import assert from "node:assert/strict";
import { centreOfMass, volumeToBox } from "../../../plugins/kernels/alignment/average.ts";
import { volumeFromPoses } from "../../../plugins/kernels/alignment/maximisation.ts";
import { shiftVolume } from "../../../plugins/kernels/alignment/volume.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { randomRotation } from "../../../plugins/kernels/rotation.ts";
import { beamAlignment, mirrorVolume } from "../../../plugins/refiners/em/judge.ts";
import { ASYMMETRIC, blobSet } from "../../kernels/alignment/blobs.ts";

const BOX = 24, KMAX = 6;

/** A volume of blobs, and its box. */
function particle(): { volume: Float32Array; box: Float32Array } {
  const labels = new Int32Array(60),
    { set, poses } = blobSet([ASYMMETRIC], labels, {
      boxVoxels: BOX,
      kMax: KMAX,
      noise: 0.01,
      shift: 0,
      seed: 4,
    });
  const volume = volumeFromPoses({
    set,
    members: Int32Array.from(labels.keys()),
    weights: new Float32Array(60).fill(1),
    poses,
    kMax: KMAX,
    noise: new Float64Array(KMAX + 1).fill(1e-4),
    signal: new Float64Array(KMAX + 1).fill(1),
    mask: { inner: 0.38, outer: 0.46 },
  });
  return { volume, box: volumeToBox(volume, KMAX, BOX) };
}

Deno.test("`beamAlignment()` is near 0 for random orientations and 1 where one line always meets the beam", () => {
  const random = createRandom(1, "beam");
  const uniform = Array.from({ length: 300 }, () => Float32Array.from(randomRotation(random)));
  const [low, chance] = beamAlignment(uniform);
  assert.ok(low < 0.12 && chance > 0.01, `alignment ${low}, chance ${chance}`);
  // Turns about the beam only: the class's z axis always lies along it.
  const turned = Array.from({ length: 30 }, (_, i) => {
    const c = Math.cos(i), s = Math.sin(i);
    return Float32Array.of(c, -s, 0, s, c, 0, 0, 0, i % 2 ? 1 : -1);
  });
  const [high, never] = beamAlignment(turned);
  assert.ok(Math.abs(high - 1) < 1e-6 && never < 1e-12);
});

Deno.test("`beamAlignment()` has the tail of chi-squared with 5 degrees of freedom (SciPy 1.10.1: chi2.sf)", () => {
  // Lines along x, y and z in shares a, b, c: S = 7.5 n (a^2 + b^2 + c^2 - 1/3).
  const lines = [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map((row) => Float32Array.of(0, 0, 0, 0, 0, 0, ...row));
  const poses = [...Array(6).fill(lines[0]), ...Array(2).fill(lines[1]), ...Array(2).fill(lines[2])];
  // S = 75 (0.44 - 1/3) = 8.
  assert.ok(Math.abs(beamAlignment(poses)[1] - 0.15623562757772268) < 1e-6);
});

Deno.test("`shiftVolume()` brings what lay at a point to the origin", () => {
  const { volume, box } = particle(), centre = centreOfMass(box, BOX);
  const moved = volumeToBox(shiftVolume(volume, KMAX, [2, -1.5, 1], BOX), KMAX, BOX);
  /** A tenth of a voxel: the mask does not move along. */
  centreOfMass(moved, BOX).forEach((value, d) => assert.ok(Math.abs(value - centre[d] + [2, -1.5, 1][d]) < 0.1));
});

Deno.test("`mirrorVolume()` turns x around, and twice is none", () => {
  const { volume, box } = particle(), mirrored = volumeToBox(mirrorVolume(volume, KMAX), KMAX, BOX), middle = BOX / 2;
  const bound = 1e-4 * Math.max(...box);
  let worst = 0;
  for (let z = 1; z < BOX; z++) {
    for (let y = 1; y < BOX; y++) {
      for (let x = 1; x < BOX; x++) {
        worst = Math.max(worst, Math.abs(mirrored[(z * BOX + y) * BOX + x] - box[(z * BOX + y) * BOX + 2 * middle - x]));
      }
    }
  }
  assert.ok(worst < bound, `off by ${worst}`);
  const again = volumeToBox(mirrorVolume(mirrorVolume(volume, KMAX), KMAX), KMAX, BOX);
  assert.ok(again.every((value, i) => Math.abs(value - box[i]) < bound));
});
