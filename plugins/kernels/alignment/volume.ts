/**
 * A class's density in Fourier space on a grid padded twofold, from which slices are taken by trilinear interpolation.
 *
 * The grid is centred (the zero frequency at voxel side / 2); one voxel is half a cycle a box.
 * @module
 */
import { fft3 } from "../fft.ts";

/** Side of the padded grid for frequencies up to kMax: room for 2 kMax, one neighbour, and rounding. */
export function paddedSide(kMax: number): number {
  return 4 * (kMax + 2);
}

/** Soft radial mask of a class, as fractions of the box: 1 inside `inner`, a raised cosine to 0 at `outer`. */
export interface RadialMask {
  readonly inner: number;
  readonly outer: number;
}

/**
 * Solves for a volume from inserted slices (Wiener), masks it in real space and prepares it for trilinear slicing (or, not `forSlices`, for
 * reading its coefficients).
 *
 * @param sums `[side^3]` interleaved complex: inserted coefficients over noise variance, one half space is enough. Overwritten.
 * @param weights `[side^3]`: inserted weights over noise variance.
 * @param signal `[kMax + 1]` expected power of a coefficient by shell.
 * @returns `[side^3]` interleaved complex, ready for slices.
 * @see Scheres 2012, "RELION", J. Struct. Biol. 180 (the regularised M step); the twofold padding and the sinc^2 correction are its own.
 */
export function solveVolume(
  sums: Float32Array,
  weights: Float32Array,
  kMax: number,
  signal: ArrayLike<number>,
  mask: RadialMask,
  forSlices = true,
): Float32Array {
  const side = paddedSide(kMax), middle = side / 2;
  const volume = new Float32Array(2 * side ** 3);
  const reach = 2 * kMax + 1;
  for (let z = -reach; z <= reach; z++) {
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++) {
        const radius = Math.sqrt(x * x + y * y + z * z) / 2;
        if (radius > kMax + 0.5) continue;
        const at = ((z + middle) * side + y + middle) * side + x + middle;
        const mate = ((middle - z) * side + middle - y) * side + middle - x;
        const low = Math.min(kMax - 1, Math.floor(radius)), part = Math.min(1, radius - low);
        const inverse = (1 - part) / signal[low] + part / signal[low + 1];
        // Eight grid voxels make one coefficient of the box; the checkerboard moves the origin to the centre.
        const scale = 8 / (8 * (weights[at] + weights[mate]) + inverse) * ((x + y + z) & 1 ? -1 : 1);
        volume[2 * at] = (sums[2 * at] + sums[2 * mate]) * scale;
        volume[2 * at + 1] = (sums[2 * at + 1] - sums[2 * mate + 1]) * scale;
      }
    }
  }
  fft3(volume, [side, side, side], true);
  const hat = hatTransform(side);
  for (let z = 0, at = 0; z < side; z++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++, at += 2) {
        // One correction for the insertion, one more for the slicing to come.
        const factor = radialWeight(Math.hypot(x - middle, y - middle, z - middle) * 2 / side, mask);
        volume[at] *= factor === 0 ? 0 : factor / (hat[x] * hat[y] * hat[z]) ** (forSlices ? 2 : 1);
        volume[at + 1] = 0;
      }
    }
  }
  fft3(volume, [side, side, side]);
  for (let z = 0, at = 0; z < side; z++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++, at += 2) {
        if ((x + y + z) & 1) {
          volume[at] = -volume[at];
          volume[at + 1] = -volume[at + 1];
        }
      }
    }
  }
  return volume;
}

/** The mask at a radius in fractions of the box. */
export function radialWeight(radius: number, mask: RadialMask): number {
  const t = (mask.outer - radius) / (mask.outer - mask.inner);
  return t <= 0 ? 0 : t >= 1 ? 1 : 0.5 - 0.5 * Math.cos(Math.PI * t);
}

/** Real-space transform of trilinear interpolation along one axis: sinc^2. */
function hatTransform(side: number): Float64Array {
  return Float64Array.from({ length: side }, (_, i) => {
    const x = Math.PI * (i - side / 2) / side;
    return x === 0 ? 1 : (Math.sin(x) / x) ** 2;
  });
}

/** Copies a grid of one kMax into the grid of another: coefficients beyond the smaller are dropped or zero. */
export function adoptVolume(volume: Float32Array, fromKMax: number, toKMax: number): Float32Array {
  const a = paddedSide(fromKMax), b = paddedSide(toKMax), reach = 2 * Math.min(fromKMax, toKMax) + 2;
  const out = new Float32Array(2 * b ** 3);
  for (let z = -reach; z <= reach; z++) {
    for (let y = -reach; y <= reach; y++) {
      const from = ((z + a / 2) * a + y + a / 2) * a + a / 2 - reach, to = ((z + b / 2) * b + y + b / 2) * b + b / 2 - reach;
      out.set(volume.subarray(2 * from, 2 * (from + 2 * reach + 1)), 2 * to);
    }
  }
  return out;
}

/** The same volume with what lay at `centre` (x, y, z, voxels of the box) at its origin. */
export function shiftVolume(volume: Float32Array, kMax: number, centre: readonly number[], boxVoxels: number): Float32Array {
  const side = paddedSide(kMax), middle = side / 2, unit = Math.PI / boxVoxels, out = new Float32Array(volume.length);
  for (let z = 0, at = 0; z < side; z++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++, at += 2) {
        const re = volume[at], im = volume[at + 1];
        if (re === 0 && im === 0) continue;
        const angle = unit * ((x - middle) * centre[0] + (y - middle) * centre[1] + (z - middle) * centre[2]);
        const cosine = Math.cos(angle), sine = Math.sin(angle);
        out[at] = re * cosine - im * sine;
        out[at + 1] = re * sine + im * cosine;
      }
    }
  }
  return out;
}
