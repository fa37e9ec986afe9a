/**
 * Boxes as low-frequency Fourier coefficients: all that alignment looks at.
 *
 * Coefficients are those of one half space, ordered by |k|, so that a coarser level is a prefix. k is in cycles a box. The transform is
 * unitary (white noise of variance s gives coefficients of variance s) and its origin is the box's centre, voxel floor(N / 2).
 * @module
 */
import type { Geometry } from "../../../streams/contract.ts";
import { ShapeError } from "../../../streams/errors.ts";
import { rfft3 } from "../fft.ts";
import { tiltRangeOf, wedgeMask } from "../wedge.ts";

/** Frequencies of one half space, by |k|. */
export interface CoefficientOrder {
  readonly count: number;
  /** `[count, 3]` kx, ky, kz. */
  readonly ksXyz: Float32Array;
  /** `[count]` |k| rounded to whole cycles. */
  readonly shells: Int32Array;
  /** `[kMax + 1]` how many coefficients a level has: those with |k|^2 <= level^2 + 1/2. */
  readonly upTo: Int32Array;
}

/** Frequencies 0 < |k| <= kMax of the half space kx > 0 (then ky > 0, then kz > 0), nearest first, where `wanted` (default: all). */
export function coefficientOrder(kMax: number, wanted: (kx: number, ky: number, kz: number) => boolean = () => true): CoefficientOrder {
  const found: [number, number, number][] = [];
  for (let x = 0; x <= kMax; x++) {
    for (let y = -kMax; y <= kMax; y++) {
      for (let z = -kMax; z <= kMax; z++) {
        const half = x > 0 || (x === 0 && (y > 0 || (y === 0 && z > 0)));
        if (half && x * x + y * y + z * z <= kMax * kMax + 0.5 && wanted(x, y, z)) found.push([x, y, z]);
      }
    }
  }
  const square = (k: readonly number[]) => k[0] * k[0] + k[1] * k[1] + k[2] * k[2];
  found.sort((a, b) => square(a) - square(b) || a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
  return {
    count: found.length,
    ksXyz: Float32Array.from(found.flat()),
    shells: Int32Array.from(found, (k) => Math.round(Math.sqrt(square(k)))),
    upTo: Int32Array.from({ length: kMax + 1 }, (_, level) => found.filter((k) => square(k) <= level * level + 0.5).length),
  };
}

/**
 * Coefficients of boxes.
 *
 * Shapes: `voxels` [count, b, b, b] -> [count, {@linkcode CoefficientOrder.count}] interleaved complex float32.
 * @throws {ShapeError} When the highest frequency does not lie below half the box, or `voxels` is not count boxes.
 */
export function boxCoefficients(voxels: Float32Array, count: number, boxVoxels: number, order: CoefficientOrder): Float32Array {
  const b = boxVoxels, size = b ** 3;
  if (voxels.length !== count * size) throw new ShapeError(`${voxels.length} voxels are not ${count} boxes of ${b}^3`);
  if (order.upTo.length - 1 >= b / 2) {
    throw new ShapeError(`frequencies up to ${order.upTo.length - 1} cycles a box: below half the box (${b / 2}) expected`);
  }
  const { ksXyz, count: n } = order;
  const centre = Math.floor(b / 2), width = Math.floor(b / 2) + 1, scale = b ** -1.5;
  const at = new Int32Array(n), cosine = new Float32Array(n), sine = new Float32Array(n);
  for (let c = 0; c < n; c++) {
    const [x, y, z] = [ksXyz[3 * c], ksXyz[3 * c + 1], ksXyz[3 * c + 2]];
    at[c] = 2 * (((z + b) % b * b + (y + b) % b) * width + x);
    const angle = 2 * Math.PI * ((x + y + z) * centre % b) / b;
    cosine[c] = Math.cos(angle) * scale;
    sine[c] = Math.sin(angle) * scale;
  }
  const out = new Float32Array(2 * count * n);
  for (let i = 0; i < count; i++) {
    const spectrum = rfft3(voxels.subarray(i * size, (i + 1) * size), [b, b, b]);
    for (let c = 0, o = 2 * i * n; c < n; c++, o += 2) {
      const re = spectrum[at[c]], im = spectrum[at[c] + 1];
      out[o] = re * cosine[c] - im * sine[c];
      out[o + 1] = re * sine[c] + im * cosine[c];
    }
  }
  return out;
}

/**
 * Which frequencies a tilt range measures: 1 inside, 0 in the missing wedge; null when the range is unknown.
 * @returns A function of kx, ky, kz, each below half the box.
 */
export function wedgeOf(geometry: Geometry, boxVoxels: number): ((kx: number, ky: number, kz: number) => number) | null {
  if (!tiltRangeOf(geometry)) return null;
  const mask = wedgeMask(boxVoxels, geometry, "centred"), half = Math.floor(boxVoxels / 2);
  return (kx, ky, kz) => mask[((kz + half) * boxVoxels + ky + half) * boxVoxels + kx + half];
}
