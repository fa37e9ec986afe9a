/**
 * What is done to a box before anything looks at it: normalisation (as boxes are stored) and preparation (as networks see them).
 *
 * The centre of a box of N voxels a side is voxel floor(N / 2) on each axis, everywhere in tomosieve: boxes are cut so that the pick lies
 * there, and rotations turn about it. The inscribed sphere has that centre and radius N - 1 - floor(N / 2), the largest that stays inside
 * the box in every direction.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";

/** Boxes after {@linkcode normaliseBoxes} or {@linkcode prepareBoxes}. */
export interface PreparedBoxes {
  /** `[count, b, b, b]`. */
  readonly voxels: Float32Array;
  /** Indices (0..count-1, ascending) of boxes that are constant inside the sphere or hold a value that is not finite; they are all zeros. */
  readonly unusable: Int32Array;
}

/** Options of {@linkcode prepareBoxes}. */
export interface PrepareOptions {
  /** Sigma of a Gaussian low-pass in voxels; 0 or absent: none. */
  readonly lowPassVoxels?: number;
}

/** Width in voxels of the soft edge of {@linkcode softSphere}. */
export const SOFT_EDGE_VOXELS = 3;

/** Relative deviation below which a box counts as constant: float32 rounding of a constant box's own mean stays below it. */
const CONSTANT_BELOW = 1e-6;

/** Voxel index of a box's centre on each axis: floor(N / 2). */
export function boxCentre(boxVoxels: number): number {
  return Math.floor(boxVoxels / 2);
}

/** Radius in voxels of the inscribed sphere about {@linkcode boxCentre}: N - 1 - floor(N / 2). */
export function inscribedRadius(boxVoxels: number): number {
  return boxVoxels - 1 - boxCentre(boxVoxels);
}

/** Cached by box size: masks are read-only. */
const hardSpheres = new Map<number, Uint8Array>();
const softSpheres = new Map<number, Float32Array>();

/** The inscribed sphere as a mask `[b, b, b]`: 1 where the distance to the centre is at most {@linkcode inscribedRadius}. Do not write to it. */
export function inscribedSphere(boxVoxels: number): Uint8Array {
  let mask = hardSpheres.get(boxVoxels);
  if (!mask) {
    const radius = inscribedRadius(boxVoxels);
    mask = Uint8Array.from(radii(boxVoxels), (r) => r <= radius ? 1 : 0);
    hardSpheres.set(boxVoxels, mask);
  }
  return mask;
}

/**
 * The soft inscribed sphere `[b, b, b]`: 1 inside, a raised cosine over the outer {@linkcode SOFT_EDGE_VOXELS} voxels, 0 from
 * {@linkcode inscribedRadius} on. Do not write to it.
 */
export function softSphere(boxVoxels: number): Float32Array {
  let mask = softSpheres.get(boxVoxels);
  if (!mask) {
    const outer = inscribedRadius(boxVoxels), edge = Math.min(SOFT_EDGE_VOXELS, outer / 2);
    mask = Float32Array.from(radii(boxVoxels), (r) => {
      const t = (outer - r) / edge;
      return t <= 0 ? 0 : t >= 1 ? 1 : 0.5 - 0.5 * Math.cos(Math.PI * t);
    });
    softSpheres.set(boxVoxels, mask);
  }
  return mask;
}

/** Distance of each voxel from the centre voxel, `[b, b, b]`. */
function radii(boxVoxels: number): Float64Array {
  const c = boxCentre(boxVoxels), out = new Float64Array(boxVoxels ** 3);
  let i = 0;
  for (let z = -c; z < boxVoxels - c; z++) {
    for (let y = -c; y < boxVoxels - c; y++) {
      for (let x = -c; x < boxVoxels - c; x++) out[i++] = Math.hypot(x, y, z);
    }
  }
  return out;
}

/**
 * Shifts and scales each box to zero mean and unit deviation inside its inscribed sphere; nothing is masked. How boxes are stored.
 *
 * Shapes: `voxels` `[count, b, b, b]`, left unchanged. Moments in float64. A box that is constant inside the sphere, or holds a value that
 * is not finite anywhere, becomes zeros and is listed in `unusable`.
 * @throws {ShapeError} When `voxels.length` is not count x b x b x b.
 */
export function normaliseBoxes(voxels: Float32Array, count: number, boxVoxels: number): PreparedBoxes {
  checkBoxes(voxels, count, boxVoxels);
  const size = boxVoxels ** 3, sphere = inscribedSphere(boxVoxels);
  let members = 0;
  for (let i = 0; i < size; i++) members += sphere[i];
  const out = new Float32Array(voxels.length), unusable: number[] = [];
  for (let n = 0; n < count; n++) {
    const at = n * size;
    let sum = 0, all = 0;
    for (let i = 0; i < size; i++) {
      all += voxels[at + i];
      if (sphere[i]) sum += voxels[at + i];
    }
    const mean = sum / members;
    let square = 0;
    for (let i = 0; i < size; i++) {
      const d = voxels[at + i] - mean;
      if (sphere[i]) square += d * d;
    }
    const deviation = Math.sqrt(square / members);
    if (!Number.isFinite(all) || !(deviation > CONSTANT_BELOW * Math.abs(mean)) || !(deviation > 0)) {
      unusable.push(n);
      continue;
    }
    const scale = 1 / deviation;
    for (let i = 0; i < size; i++) out[at + i] = (voxels[at + i] - mean) * scale;
  }
  return { voxels: out, unusable: Int32Array.from(unusable) };
}

/**
 * Prepares boxes for a network: optional Gaussian low-pass, soft inscribed sphere, then zero mean and unit deviation inside it. Originals,
 * rotated copies and inference all go through it, so that nothing but orientation tells a copy from an original.
 *
 * With w the soft sphere, m = sum(w v) / sum(w) and s^2 = sum(w (v - m)^2) / sum(w), the result is w (v - m) / s: it sums to zero. The
 * low-pass continues the box by mirroring at its faces (SciPy's `reflect`) and reaches 4 sigma.
 *
 * Shapes: `voxels` `[count, b, b, b]`, left unchanged. A constant or non-finite box becomes zeros and is listed in `unusable`.
 * @throws {ShapeError} When `voxels.length` is not count x b x b x b.
 * @throws {RangeError} When `lowPassVoxels` is negative or not finite.
 */
export function prepareBoxes(voxels: Float32Array, count: number, boxVoxels: number, options: PrepareOptions = {}): PreparedBoxes {
  checkBoxes(voxels, count, boxVoxels);
  const sigma = options.lowPassVoxels ?? 0;
  if (!(sigma >= 0 && Number.isFinite(sigma))) throw new RangeError(`lowPassVoxels is ${sigma}: expected a number of voxels, 0 or more`);
  const filtered = sigma > 0 ? lowPassBoxes(voxels, count, boxVoxels, sigma) : voxels;
  return maskAndNormalise(filtered, count, boxVoxels);
}

/** The second half of {@linkcode prepareBoxes}: soft sphere and moments. */
export function maskAndNormalise(voxels: Float32Array, count: number, boxVoxels: number): PreparedBoxes {
  const size = boxVoxels ** 3, mask = softSphere(boxVoxels);
  let weight = 0;
  for (let i = 0; i < size; i++) weight += mask[i];
  const out = new Float32Array(voxels.length), unusable: number[] = [];
  for (let n = 0; n < count; n++) {
    const at = n * size;
    let sum = 0, all = 0;
    for (let i = 0; i < size; i++) {
      all += voxels[at + i];
      sum += mask[i] * voxels[at + i];
    }
    const mean = sum / weight;
    let square = 0;
    for (let i = 0; i < size; i++) {
      const d = voxels[at + i] - mean;
      square += mask[i] * d * d;
    }
    const deviation = Math.sqrt(square / weight);
    if (!Number.isFinite(all) || !(deviation > CONSTANT_BELOW * Math.abs(mean)) || !(deviation > 0)) {
      unusable.push(n);
      continue;
    }
    const scale = 1 / deviation;
    for (let i = 0; i < size; i++) out[at + i] = mask[i] * (voxels[at + i] - mean) * scale;
  }
  return { voxels: out, unusable: Int32Array.from(unusable) };
}

/**
 * Gaussian low-pass of each box, mirrored at its faces (SciPy's `reflect`), reaching 4 sigma.
 *
 * Shapes: `voxels` `[count, b, b, b]`, left unchanged; returns the same shape.
 */
export function lowPassBoxes(voxels: Float32Array, count: number, boxVoxels: number, sigmaVoxels: number): Float32Array {
  const b = boxVoxels, reach = Math.ceil(4 * sigmaVoxels);
  const taps = Float64Array.from({ length: reach + 1 }, (_, i) => Math.exp(-0.5 * (i / sigmaVoxels) ** 2));
  const total = taps[0] + 2 * taps.subarray(1).reduce((a, t) => a + t, 0);
  // One b x b matrix holds taps and mirrored ends, so that each axis is a small matrix product.
  const matrix = new Float32Array(b * b);
  for (let i = 0; i < b; i++) {
    for (let k = -reach; k <= reach; k++) matrix[i * b + mirror(i + k, b)] += taps[Math.abs(k)] / total;
  }
  const size = b ** 3, out = new Float32Array(voxels.length), line = new Float64Array(b);
  out.set(voxels);
  for (let n = 0; n < count; n++) {
    for (const stride of [1, b, b * b]) {
      for (let outer = 0; outer < b * b; outer++) {
        const start = n * size + (stride === 1 ? outer * b : stride === b ? Math.floor(outer / b) * b * b + outer % b : outer);
        for (let i = 0; i < b; i++) {
          let sum = 0;
          for (let j = Math.max(0, i - reach), end = Math.min(b - 1, i + reach); j <= end; j++) {
            sum += matrix[i * b + j] * out[start + j * stride];
          }
          line[i] = sum;
        }
        for (let i = 0; i < b; i++) out[start + i * stride] = line[i];
      }
    }
  }
  return out;
}

/** Index of voxel `i` in a line of `n` mirrored about its ends (d c b a | a b c d | d c b a). */
function mirror(i: number, n: number): number {
  const j = ((i % (2 * n)) + 2 * n) % (2 * n);
  return j < n ? j : 2 * n - 1 - j;
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
