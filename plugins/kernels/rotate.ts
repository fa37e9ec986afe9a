/**
 * Rotation of boxes by cubic B-splines.
 *
 * Convention (RELION's, FIELD.md): with matrix A as in rotation.ts, `rotated(p) = box(A^T p)`, where p = (x, y, z) is counted in voxels from
 * the box's centre, voxel floor(N / 2) on each axis. So what lies at p in the box lies at A p after the rotation, and a reference rotated by
 * `eulerZyzToMatrix(rot, tilt, psi)` is what a particle with these angles shows. Beyond its faces a box continues mirrored.
 * @module
 */
import * as simd from "./simd/boxes.wasm";
import { ShapeError } from "../../streams/errors.ts";
import {
  applyGain,
  type BoxWorkspace,
  loadBox,
  openBoxWorkspace,
  openGain,
  reserve,
  storeBox,
  storePrepared,
  view,
} from "./box_workspace.ts";
import { checkBoxes, checkLowPass, halfBand, type PreparedBoxes, type PrepareOptions } from "./prepare.ts";
import { createRandom } from "./random.ts";
import { randomRotation } from "./rotation.ts";

/** A cube with mirrored margins wide enough for every rotation of a box. */
interface Margin {
  readonly pad: number;
  /** Floats a row. */
  readonly wide: number;
  readonly cube: number;
  /** Nine floats. */
  readonly matrix: number;
}

const margins = new Map<number, Margin>();

function openMargin(n: number): Margin {
  let margin = margins.get(n);
  if (!margin) {
    const centre = Math.floor(n / 2);
    // The farthest corner is sqrt(3) centre away; the spline reaches two voxels further, one for rounding.
    const pad = Math.ceil(Math.sqrt(3) * centre) - centre + 3;
    const wide = (n + 2 * pad + 3) & ~3;
    margin = { pad, wide, cube: reserve((n + 2 * pad) ** 2 * wide + 4), matrix: reserve(12) };
    margins.set(n, margin);
  }
  return margin;
}

/** Replaces the spline coefficients in `workspace.box` by samples of the rotated spline. */
function sampleRotated(workspace: BoxWorkspace, margin: Margin, matrix: ArrayLike<number>, at: number): void {
  const { n, row, box } = workspace, { pad, wide, cube } = margin;
  const t = view(margin.matrix, 9);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) t[3 * i + j] = matrix[at + 3 * j + i];
  }
  simd.extend(box, cube, n, row, pad, wide);
  simd.sample(cube, box, margin.matrix, n, row, pad, wide);
}

/**
 * Rotates each box about its centre by its own matrix, by cubic B-spline interpolation (exact at voxels: the identity changes nothing).
 *
 * Shapes: `voxels` `[count, b, b, b]`, left unchanged; `matrices` `[count, 3, 3]` row-major, acting on (x, y, z). Returns `[count, b, b, b]`.
 * Cost: some 64 multiplications a voxel. Equal to SciPy's `affine_transform(order=3, mode="reflect")` within float32 rounding.
 * @throws {ShapeError} When the lengths do not belong together.
 */
export function rotateBoxes(voxels: Float32Array, count: number, boxVoxels: number, matrices: Float64Array | Float32Array): Float32Array {
  checkBoxes(voxels, count, boxVoxels);
  if (matrices.length !== 9 * count) throw new ShapeError(`${matrices.length} numbers are not ${count} matrices of 3 x 3`);
  const workspace = openBoxWorkspace(boxVoxels), margin = openMargin(boxVoxels), out = new Float32Array(voxels.length);
  for (let i = 0; i < count; i++) {
    loadBox(workspace, voxels, i);
    simd.splineCoefficients(workspace.box, workspace.n, workspace.row);
    sampleRotated(workspace, margin, matrices, 9 * i);
    storeBox(workspace, out, i);
  }
  return out;
}

/** What {@linkcode augmentBoxes} returns. */
export interface AugmentedBoxes extends PreparedBoxes {
  /** `[count, 3, 3]`: the rotation of each box. */
  readonly matrices: Float64Array;
}

/**
 * Turns each box by a rotation drawn uniformly from SO(3) and prepares it, as {@linkcode prepareBoxes} prepares originals.
 *
 * On white noise the result has the originals' statistics: it is band-limited before and after the rotation (half of the preparation's
 * low-pass each), and the spline's own loss, sinc^4 along each axis of the source, is made up for (tests/kernels/rotate_test.ts lets a
 * classifier try to tell copies from originals). A pool entry: plain arguments, plain results.
 *
 * @param rows `[count, 2]`: tomogram ordinal, pick ordinal; with `seed` and `key` they fix each rotation, so that batches change nothing.
 * @param key Says which copy this is: the iteration.
 * @throws {ShapeError} When the lengths do not belong together.
 */
export function augmentBoxes(
  voxels: Float32Array,
  count: number,
  boxVoxels: number,
  seed: number,
  key: number,
  rows: Int32Array,
  options: PrepareOptions = {},
): AugmentedBoxes {
  if (rows.length !== 2 * count) throw new ShapeError(`${rows.length} numbers are not the rows (tomogram, pick) of ${count} boxes`);
  const matrices = new Float64Array(9 * count);
  for (let i = 0; i < count; i++) {
    matrices.set(randomRotation(createRandom(seed, "augment", key, rows[2 * i], rows[2 * i + 1])), 9 * i);
  }
  return { ...rotateAndPrepareBoxes(voxels, count, boxVoxels, matrices, options), matrices };
}

/**
 * Rotates each box by its own matrix and prepares it, as {@linkcode augmentBoxes} does with rotations of its own.
 *
 * @param matrices `[count, 3, 3]` row-major.
 * @throws {ShapeError} When the lengths do not belong together.
 */
export function rotateAndPrepareBoxes(
  voxels: Float32Array,
  count: number,
  boxVoxels: number,
  matrices: Float64Array | readonly number[],
  options: PrepareOptions = {},
): PreparedBoxes {
  checkBoxes(voxels, count, boxVoxels);
  if (matrices.length !== 9 * count) throw new ShapeError(`${matrices.length} numbers are not ${count} matrices of 3 x 3`);
  const sigma = checkLowPass(options), workspace = openBoxWorkspace(boxVoxels), margin = openMargin(boxVoxels);
  const before = openGain(
    workspace,
    `spline ${sigma}`,
    (x, y, z) => halfBand(Math.hypot(x, y, z), sigma) / (sinc4(x) * sinc4(y) * sinc4(z)),
  );
  const after = openGain(workspace, `half ${sigma}`, (x, y, z) => halfBand(Math.hypot(x, y, z), sigma));
  const out = new Float32Array(voxels.length), unusable: number[] = [];
  for (let i = 0; i < count; i++) {
    loadBox(workspace, voxels, i);
    applyGain(workspace, before);
    sampleRotated(workspace, margin, matrices, 9 * i);
    applyGain(workspace, after);
    if (!storePrepared(workspace, out, i)) unusable.push(i);
  }
  return { voxels: out, unusable: Int32Array.from(unusable) };
}

/** Transform of the cubic B-spline at a frequency in cycles per voxel. */
function sinc4(frequency: number): number {
  const x = Math.PI * frequency;
  return x === 0 ? 1 : (Math.sin(x) / x) ** 4;
}
