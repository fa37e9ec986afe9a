/**
 * What a microscope does to a simulated density: contrast transfer, noise colour and missing wedge, as gains in Fourier space.
 * @module
 */
import { type ContrastTransfer, contrastTransfer } from "../../kernels/contrast_transfer.ts";
import { frequencyOf } from "../../kernels/fft.ts";
import { wedgeSection } from "../../kernels/fourier_filter.ts";

/** How a density becomes a reconstruction. */
export interface Imaging {
  /** Voxel size, for the contrast transfer. */
  readonly voxelSizeAngstrom: number;
  /** Tilts about y; `null`: no missing wedge. */
  readonly tiltRangeDegrees: readonly [number, number] | null;
  /** Absent: none. */
  readonly ctf?: ContrastTransfer;
  /** The noise's power falls with spatial frequency to this power; 0: white. */
  readonly noisePowerExponent: number;
}

/** Spatial frequency, in cycles per voxel, below which coloured noise grows no further. */
const NOISE_PLATEAU = 1 / 64;

/**
 * Amplitude of the noise at a spatial frequency, 1 at half a cycle per voxel.
 *
 * @param frequency Cycles per voxel.
 */
export function noiseAmplitude(powerExponent: number, frequency: number): number {
  return Math.pow(Math.max(frequency, NOISE_PLATEAU) / 0.5, -powerExponent / 2);
}

/** Whether an imaging needs gains that change along y, and so a transform of the whole volume. */
export function isRadial(imaging: Imaging): boolean {
  return imaging.ctf !== undefined || imaging.noisePowerExponent !== 0;
}

/** Gains of signal and noise on one plane of constant ky, each `[nz, floor(nx / 2) + 1]`, the wedge included. */
export function sectionGains(
  imaging: Imaging,
  shapeZyx: readonly [number, number, number],
  ky: number,
  wedge = wedgeOf(imaging, shapeZyx),
): { readonly signal: Float32Array; readonly noise: Float32Array } {
  if (!isRadial(imaging)) return { signal: wedge, noise: wedge };
  const [nz, ny, nx] = shapeZyx;
  const half = (nx >> 1) + 1;
  const { ctf, noisePowerExponent, voxelSizeAngstrom } = imaging;
  const fy = frequencyOf(ky, ny) / ny;
  const signal = ctf ? new Float32Array(wedge.length) : wedge;
  const noise = noisePowerExponent === 0 ? wedge : new Float32Array(wedge.length);
  for (let z = 0, i = 0; z < nz; z++) {
    const fz = frequencyOf(z, nz) / nz;
    for (let x = 0; x < half; x++, i++) {
      const frequency = Math.sqrt(fz * fz + fy * fy + (x / nx) ** 2);
      if (ctf) signal[i] = wedge[i] * contrastTransfer(ctf, frequency / voxelSizeAngstrom);
      if (noise !== wedge) noise[i] = wedge[i] * noiseAmplitude(noisePowerExponent, frequency);
    }
  }
  return { signal, noise };
}

/** The missing wedge alone, `[nz, floor(nx / 2) + 1]`. */
export function wedgeOf(imaging: Imaging, [nz, , nx]: readonly [number, number, number]): Float32Array {
  return imaging.tiltRangeDegrees ? wedgeSection(nz, nx, imaging.tiltRangeDegrees) : new Float32Array(nz * ((nx >> 1) + 1)).fill(1);
}

/** Gains of signal and noise for a cubic box, each the half spectrum `[b, b, floor(b / 2) + 1]` of `rfft3`. */
export function boxGains(imaging: Imaging, boxVoxels: number): { readonly signal: Float32Array; readonly noise: Float32Array } {
  const b = boxVoxels, half = (b >> 1) + 1;
  const shape = [b, b, b] as const;
  const signal = new Float32Array(b * b * half), noise = new Float32Array(b * b * half);
  const wedge = wedgeOf(imaging, shape);
  for (let y = 0; y < b; y++) {
    const gains = sectionGains(imaging, shape, y, wedge);
    for (let z = 0; z < b; z++) {
      signal.set(gains.signal.subarray(z * half, (z + 1) * half), (z * b + y) * half);
      noise.set(gains.noise.subarray(z * half, (z + 1) * half), (z * b + y) * half);
    }
  }
  return { signal, noise };
}

/** Variance that white noise of variance 1 keeps after these gains of a box (`[b, b, floor(b / 2) + 1]`); the zero frequency has none. */
export function keptVariance(gain: Float32Array, boxVoxels: number): number {
  const b = boxVoxels, half = (b >> 1) + 1;
  let sum = 0;
  for (let i = 0; i < gain.length; i++) {
    const kx = i % half;
    sum += (kx === 0 || 2 * kx === b ? 1 : 2) * gain[i] * gain[i];
  }
  return (sum - gain[0] * gain[0]) / b ** 3;
}
