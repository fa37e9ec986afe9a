/**
 * Between a class's volume in Fourier space and its average in real space.
 * @module
 */
import { fft3 } from "../fft.ts";
import { paddedSide } from "./volume.ts";

/**
 * A class's volume as a box in real space.
 *
 * @param volume `[side^3]` interleaved complex on the padded grid of kMax, as {@linkcode solveVolume} makes it for reading (not for slicing).
 * @returns `[b, b, b]`, centre at voxel floor(b / 2), in the units of the boxes.
 */
export function volumeToBox(volume: Float32Array, kMax: number, boxVoxels: number): Float32Array {
  const b = boxVoxels, side = paddedSide(kMax), middle = side / 2, centre = Math.floor(b / 2);
  const spectrum = new Float32Array(2 * b ** 3), scale = b ** 1.5;
  for (let z = -kMax; z <= kMax; z++) {
    for (let y = -kMax; y <= kMax; y++) {
      for (let x = -kMax; x <= kMax; x++) {
        if (x * x + y * y + z * z > (kMax + 0.5) ** 2) continue;
        const from = 2 * (((2 * z + middle) * side + 2 * y + middle) * side + 2 * x + middle);
        const to = 2 * (((z + b) % b * b + (y + b) % b) * b + (x + b) % b);
        const angle = -2 * Math.PI * (x + y + z) * centre / b;
        const cosine = Math.cos(angle) * scale, sine = Math.sin(angle) * scale;
        spectrum[to] = volume[from] * cosine - volume[from + 1] * sine;
        spectrum[to + 1] = volume[from] * sine + volume[from + 1] * cosine;
      }
    }
  }
  fft3(spectrum, [b, b, b], true);
  return Float32Array.from({ length: b ** 3 }, (_, i) => spectrum[2 * i]);
}

/** Centre of the positive density, `[x, y, z]` from voxel floor(b / 2); zeros for an empty box. */
export function centreOfMass(box: Float32Array, boxVoxels: number): [number, number, number] {
  const b = boxVoxels, centre = Math.floor(b / 2);
  let peak = 0;
  for (const value of box) peak = Math.max(peak, value);
  let mass = 0, sx = 0, sy = 0, sz = 0;
  for (let z = 0, i = 0; z < b; z++) {
    for (let y = 0; y < b; y++) {
      for (let x = 0; x < b; x++, i++) {
        // Below a fifth of the peak lie noise and the ripples of a low-pass.
        const weight = Math.max(0, box[i] - 0.2 * peak);
        mass += weight;
        sx += weight * (x - centre);
        sy += weight * (y - centre);
        sz += weight * (z - centre);
      }
    }
  }
  return mass > 0 ? [sx / mass, sy / mass, sz / mass] : [0, 0, 0];
}
