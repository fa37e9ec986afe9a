/**
 * Small boxes of blob particles after a missing wedge, with truth, for tests of refinement and averaging.
 * @module
 */
import { fft3 } from "../../../plugins/kernels/fft.ts";
import { normaliseBoxes } from "../../../plugins/kernels/prepare.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { type Matrix3, multiply3, randomRotation, transpose3 } from "../../../plugins/kernels/rotation.ts";
import { wedgeMask } from "../../../plugins/kernels/wedge.ts";
import type { BoxStore, Geometry } from "../../../streams/contract.ts";
import { ASYMMETRIC, type Blobs } from "../../kernels/alignment/blobs.ts";

/** Side of the boxes. */
export const BOX = 16;
/** Voxels of a box. */
export const SIZE = BOX ** 3;
/** Tilt range of every box. */
export const GEOMETRY: Geometry = { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: 1 };
/** Smaller than those of the alignment tests, about their centre of mass; the second is no rotation of the first. */
export const KINDS: Blobs[] = [ASYMMETRIC, [[5, 0, 0], [-5, 1, 0], [1, 4, 1], [0, -4, 0], [2, 2, 2]]].map((blobs) => {
  const mean = [0, 1, 2].map((d) => blobs.reduce((sum, c) => sum + c[d], 0) / blobs.length);
  return blobs.map((c) => [0.75 * (c[0] - mean[0]), 0.75 * (c[1] - mean[1]), 0.75 * (c[2] - mean[2])] as const);
});

/** Boxes of particles (or, for label -1, of noise alone) after the wedge, with noise of the wedge's own. */
export function simulate(labels: Int32Array, noise: number, seed: number): { store: BoxStore; rotations: Matrix3[]; shifts: number[][] } {
  const random = createRandom(seed, "em test"), n = labels.length, voxels = new Float32Array(n * SIZE);
  const mask = wedgeMask(BOX, GEOMETRY, "fft"), rotations: Matrix3[] = [], shifts: number[][] = [];
  for (let i = 0; i < n; i++) {
    const rotation = randomRotation(random), shift = [0, 1, 2].map(() => 2 * random.uniform() - 1), spectrum = new Float32Array(2 * SIZE);
    for (const c of labels[i] < 0 ? [] : KINDS[labels[i]]) {
      const p = [0, 1, 2].map((d) => BOX / 2 + shift[d] + rotation[3 * d] * c[0] + rotation[3 * d + 1] * c[1] + rotation[3 * d + 2] * c[2]);
      for (let z = 0, at = 0; z < BOX; z++) {
        for (let y = 0; y < BOX; y++) {
          for (let x = 0; x < BOX; x++, at += 2) spectrum[at] += Math.exp(-((x - p[0]) ** 2 + (y - p[1]) ** 2 + (z - p[2]) ** 2) / 3.2);
        }
      }
    }
    for (let v = 0; v < SIZE; v++) spectrum[2 * v] += noise * random.normal();
    fft3(spectrum, [BOX, BOX, BOX]);
    for (let v = 0; v < 2 * SIZE; v++) spectrum[v] *= mask[v >> 1];
    fft3(spectrum, [BOX, BOX, BOX], true);
    for (let v = 0; v < SIZE; v++) voxels[i * SIZE + v] = spectrum[2 * v];
    rotations.push(rotation);
    shifts.push(shift);
  }
  const stored = normaliseBoxes(voxels, n, BOX).voxels;
  const store: BoxStore = {
    count: n,
    boxVoxels: BOX,
    voxelSizeAngstrom: 10,
    rows: new Int32Array(2 * n),
    geometryOf: () => GEOMETRY,
    read: (indices) => {
      const out = new Float32Array(indices.length * SIZE);
      for (let i = 0; i < indices.length; i++) out.set(stored.subarray(indices[i] * SIZE, (indices[i] + 1) * SIZE), i * SIZE);
      return Promise.resolve(out);
    },
  };
  return { store, rotations, shifts };
}

/** Angle between two rotations in degrees. */
export function degreesBetween(a: Matrix3, b: Matrix3): number {
  return Math.acos(Math.min(1, (a.reduce((sum, v, j) => sum + v * b[j], 0) - 1) / 2)) * 180 / Math.PI;
}

/**
 * How far estimated rotations are from the truth, but for one turn of the whole frame: the median, in degrees.
 * particle(p) = reference(A^T (p - s)), so that the frame of an estimate relates to the model's by A_true^T A.
 */
export function poseError(truth: readonly Matrix3[], estimates: readonly Matrix3[]): number {
  const frames = truth.map((rotation, i) => multiply3(transpose3(rotation), estimates[i]));
  return Math.min(...frames.map((frame) => median(frames.map((other) => degreesBetween(frame, other)))));
}

/** The upper median. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
