/**
 * What is done to a box before anything looks at it: normalisation (as boxes are stored) and preparation (as networks see them).
 * @module
 */
import * as simd from "./simd/boxes.wasm";
import { ShapeError } from "../../streams/errors.ts";
import {
  applyGain,
  type BoxWorkspace,
  type Gain,
  loadBox,
  openBoxWorkspace,
  openGain,
  reserve,
  storePrepared,
  view,
} from "./box_workspace.ts";
import { inscribedSphere } from "./sphere.ts";

export { boxCentre, inscribedRadius, inscribedSphere, SOFT_EDGE_VOXELS, softSphere } from "./sphere.ts";

/** Boxes after {@linkcode normaliseBoxes} or {@linkcode prepareBoxes}. */
export interface PreparedBoxes {
  /** `[count, b, b, b]`. */
  readonly voxels: Float32Array;
  /** Indices (0..count-1, ascending) of boxes that are constant or hold a value that is not finite; they are all zeros. */
  readonly unusable: Int32Array;
}

/** Options of {@linkcode prepareBoxes}. */
export interface PrepareOptions {
  /** Sigma of a Gaussian low-pass in voxels, on top of the band limit; 0 or absent: none. */
  readonly lowPassVoxels?: number;
}

/**
 * The band limit in cycles per voxel: {@linkcode halfBand} falls from 1 at the first to 0 at the second.
 *
 * Beyond 0.5 a rotated grid cannot hold what the corners of the original's spectrum hold, and close to it a cubic spline's images grow
 * (3 % of the power at 0.4): what lies there would tell a rotated copy from an original, and holds hardly any signal in a tomogram.
 */
const BAND_EDGE = [0.25, 0.48] as const;

/**
 * Half of the preparation's low-pass at a frequency in cycles per voxel: the whole is its square. A rotated copy gets one half before and
 * one after the rotation (the second removes the spline's images), an original both at once.
 */
export function halfBand(frequency: number, lowPassVoxels: number): number {
  const [from, to] = BAND_EDGE;
  const t = Math.min(1, Math.max(0, (to - frequency) / (to - from)));
  return (0.5 - 0.5 * Math.cos(Math.PI * t)) * Math.exp(-((Math.PI * lowPassVoxels * frequency) ** 2));
}

/**
 * Shifts and scales each box to zero mean and unit deviation inside its inscribed sphere; nothing is masked. How boxes are stored.
 *
 * Shapes: `voxels` `[count, b, b, b]`, left unchanged. Moments in float64. A box that is constant inside the sphere (deviation not above
 * 1e-6 of the mean), or holds a value that is not finite anywhere, becomes zeros and is listed in `unusable`.
 * @throws {ShapeError} When `voxels.length` is not count x b x b x b.
 */
export function normaliseBoxes(voxels: Float32Array, count: number, boxVoxels: number): PreparedBoxes {
  checkBoxes(voxels, count, boxVoxels);
  const size = boxVoxels ** 3, { dense } = openBoxWorkspace(boxVoxels), [sphere, ones] = openHardSphere(boxVoxels);
  const out = new Float32Array(voxels.length), unusable: number[] = [];
  for (let n = 0; n < count; n++) {
    view(dense, size).set(voxels.subarray(n * size, (n + 1) * size));
    if (!simd.standardise(dense, sphere, ones, dense, size)) unusable.push(n);
    out.set(view(dense, size), n * size);
  }
  return { voxels: out, unusable: Int32Array.from(unusable) };
}

const hardSpheres = new Map<number, readonly [number, number]>();

/** The sphere of 0 and 1, and a mask of ones, in the module's memory. */
function openHardSphere(boxVoxels: number): readonly [number, number] {
  let pointers = hardSpheres.get(boxVoxels);
  if (!pointers) {
    const size = boxVoxels ** 3;
    pointers = [reserve(size), reserve(size)];
    view(pointers[0], size).set(inscribedSphere(boxVoxels));
    view(pointers[1], size).fill(1);
    hardSpheres.set(boxVoxels, pointers);
  }
  return pointers;
}

/**
 * Prepares boxes for a network: band limit, optional Gaussian low-pass, soft inscribed sphere, then zero mean and unit deviation inside it.
 * Originals, rotated copies (`augmentBoxes()` in rotate.ts) and inference all go through it, so that nothing but orientation tells a copy
 * from an original.
 *
 * The low-pass continues the box by mirroring at its faces (SciPy's `reflect`). With w the soft sphere, m = sum(w v) / sum(w) and
 * s^2 = sum(w (v - m)^2) / sum(w), the result is w (v - m) / s: it sums to zero. Differs from the paper, which prepares nothing.
 *
 * Shapes: `voxels` `[count, b, b, b]`, left unchanged. A constant or non-finite box becomes zeros and is listed in `unusable`.
 * @throws {ShapeError} When `voxels.length` is not count x b x b x b.
 * @throws {RangeError} When `lowPassVoxels` is negative or not finite.
 */
export function prepareBoxes(voxels: Float32Array, count: number, boxVoxels: number, options: PrepareOptions = {}): PreparedBoxes {
  checkBoxes(voxels, count, boxVoxels);
  const sigma = checkLowPass(options), workspace = openBoxWorkspace(boxVoxels), gain = openWholeBand(workspace, sigma);
  const out = new Float32Array(voxels.length), unusable: number[] = [];
  for (let n = 0; n < count; n++) {
    loadBox(workspace, voxels, n);
    applyGain(workspace, gain);
    if (!storePrepared(workspace, out, n)) unusable.push(n);
  }
  return { voxels: out, unusable: Int32Array.from(unusable) };
}

function openWholeBand(workspace: BoxWorkspace, sigma: number): Gain {
  return openGain(workspace, `whole ${sigma}`, (x, y, z) => halfBand(Math.hypot(x, y, z), sigma) ** 2);
}

/**
 * Reads the low-pass out of the options.
 * @throws {RangeError} When it is negative or not finite.
 */
export function checkLowPass(options: PrepareOptions): number {
  const sigma = options.lowPassVoxels ?? 0;
  if (!(sigma >= 0 && Number.isFinite(sigma))) throw new RangeError(`lowPassVoxels is ${sigma}: expected a number of voxels, 0 or more`);
  return sigma;
}

/**
 * Checks that an array holds `count` boxes.
 * @throws {ShapeError} When it does not, or a box is smaller than 4 voxels.
 */
export function checkBoxes(voxels: Float32Array, count: number, boxVoxels: number): void {
  if (!Number.isInteger(boxVoxels) || boxVoxels < 4) throw new ShapeError(`boxVoxels is ${boxVoxels}: expected a whole number, 4 or more`);
  if (voxels.length !== count * boxVoxels ** 3) {
    throw new ShapeError(
      `${voxels.length} voxels are not ${count} boxes of ${boxVoxels}^3 (${count * boxVoxels ** 3}): pass the count and size of the boxes`,
    );
  }
}
