/**
 * Particles made of Gaussian blobs: their Fourier coefficients are known in closed form, whatever the pose.
 * @module
 */
import type { BoxSet } from "../../../plugins/kernels/alignment/box_set.ts";
import { coefficientOrder, wedgeOf } from "../../../plugins/kernels/alignment/coefficients.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { randomRotation } from "../../../plugins/kernels/rotation.ts";

/** Blob centres in voxels from the particle's centre. */
export type Blobs = readonly (readonly [number, number, number])[];

/** An arrangement without symmetry. */
export const ASYMMETRIC: Blobs = [[5, 0, 0], [-3, 4, 0], [0, -4, 3], [0, 1, -5], [2, 2, 2]];
/** Another with the same distances from the centre. */
export const OTHER: Blobs = [[-5, 0, 0], [3, 4, 0], [0, 4, 3], [5, -1, 0], [-2, 2, -2]];

const SIGMA = 1.6;

/** Coefficient k (cycles a box) of blobs at A c + t. */
export function blobCoefficient(blobs: Blobs, pose: ArrayLike<number>, k: readonly number[], boxVoxels: number): [number, number] {
  const unit = 2 * Math.PI / boxVoxels;
  const envelope = (2 * Math.PI) ** 1.5 * SIGMA ** 3 * boxVoxels ** -1.5 *
    Math.exp(-0.5 * (SIGMA * unit) ** 2 * (k[0] ** 2 + k[1] ** 2 + k[2] ** 2));
  let re = 0, im = 0;
  for (const c of blobs) {
    let angle = 0;
    for (let d = 0; d < 3; d++) angle += k[d] * (pose[3 * d] * c[0] + pose[3 * d + 1] * c[1] + pose[3 * d + 2] * c[2] + pose[9 + d]);
    re += envelope * Math.cos(unit * angle);
    im -= envelope * Math.sin(unit * angle);
  }
  return [re, im];
}

/** Boxes of blob particles at random poses `[n, 12]`, inside a wedge of +-60 degrees, with white noise of the given deviation. */
export function blobSet(
  kinds: readonly Blobs[],
  labels: Int32Array,
  options: { readonly boxVoxels: number; readonly kMax: number; readonly noise: number; readonly shift: number; readonly seed: number },
): { readonly set: BoxSet; readonly poses: Float32Array } {
  const { boxVoxels, kMax } = options, n = labels.length, random = createRandom(options.seed, "blob set");
  const wedge = wedgeOf({ tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: 1 }, boxVoxels)!;
  const order = coefficientOrder(kMax, (x, y, z) => wedge(x, y, z) > 0), C = order.count;
  const coefficients = new Float32Array(2 * n * C), poses = new Float32Array(12 * n);
  for (let i = 0; i < n; i++) {
    poses.set(randomRotation(random), 12 * i);
    for (let d = 0; d < 3; d++) poses[12 * i + 9 + d] = options.shift * (2 * random.uniform() - 1);
    for (let c = 0; c < C; c++) {
      const [re, im] = blobCoefficient(
        kinds[labels[i]],
        poses.subarray(12 * i, 12 * i + 12),
        [...order.ksXyz.subarray(3 * c, 3 * c + 3)],
        boxVoxels,
      );
      coefficients[2 * (i * C + c)] = re + options.noise * Math.SQRT1_2 * random.normal();
      coefficients[2 * (i * C + c) + 1] = im + options.noise * Math.SQRT1_2 * random.normal();
    }
  }
  return { set: { boxVoxels, order, coefficients, wedges: new Float32Array(C).fill(1), groups: new Int32Array(n) }, poses };
}
