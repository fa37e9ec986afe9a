/**
 * Fourier transforms of any length in one and three dimensions, in place, on interleaved complex arrays.
 *
 * Normalisation is SciPy's default: forward unscaled, `X[k] = sum_n x[n] exp(-2 pi i k n / N)`; inverse divided by the number of points, so
 * that forward then inverse is the identity. Index k holds frequency k for k < N / 2 and k - N from there on (the zero frequency comes first).
 * Lengths with prime factors up to 61 take O(N sum of factors); others Bluestein's O(N log N). Float32 arrays are
 * transformed in float32 (WebAssembly SIMD), float64 ones in float64. Results depend on nothing but the input.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";
import type { Triple } from "../../streams/contract.ts";
import { type ComplexArray, fastLength, planOf, transformAxis } from "./fft_plan.ts";
import { hasPasses, realVolume32, realVolumeBack32, transformAxis32, transformVolume32 } from "./fft_simd.ts";

export { type ComplexArray, fastLength };

/** Pairs of real rows that are transformed together. */
const LINES = 512;

/**
 * Transforms one line in place.
 *
 * @param data `[2 n]` interleaved complex.
 * @throws {ShapeError} When the length is odd or zero.
 */
export function fft1(data: ComplexArray, inverse = false): void {
  const n = data.length / 2;
  if (!Number.isInteger(n) || n < 1) throw new ShapeError(`fft1: ${data.length} numbers are not a line of interleaved complex values`);
  transform(data, n, 1, 1, inverse);
}

/**
 * Transforms a volume in place along all three axes.
 *
 * @param data `[2 nz ny nx]` interleaved complex, x fastest.
 * @throws {ShapeError} When `data.length` is not twice the number of voxels.
 */
export function fft3(data: ComplexArray, shapeZyx: Triple, inverse = false): void {
  const [nz, ny, nx] = shapeZyx;
  if (data.length !== 2 * nz * ny * nx) {
    throw new ShapeError(`fft3: ${data.length} numbers do not fill ${nz} x ${ny} x ${nx} complex voxels (${2 * nz * ny * nx} expected)`);
  }
  if (data instanceof Float32Array && shapeZyx.every((n) => hasPasses(planOf(n))) && transformVolume32(data, shapeZyx, inverse)) return;
  transform(data, nx, nz * ny, 1, inverse);
  transform(data, ny, nz, nx, inverse);
  transform(data, nz, 1, ny * nx, inverse);
}

/**
 * Transforms lines in place along one axis of an array `[outer, length, stride]`.
 *
 * @param data Interleaved complex.
 * @throws {ShapeError} When `data.length` is not `2 * outer * length * stride`.
 */
export function fftLines(data: ComplexArray, outer: number, length: number, stride: number, inverse = false): void {
  if (data.length !== 2 * outer * length * stride) {
    throw new ShapeError(`fftLines: ${data.length} numbers do not fill ${outer} x ${length} x ${stride} complex values`);
  }
  transform(data, length, outer, stride, inverse);
}

/**
 * Transforms a real volume.
 *
 * @param real `[nz, ny, nx]`.
 * @returns The half spectrum `[nz, ny, floor(nx / 2) + 1]`, interleaved complex, of the input's precision; the rest follows from
 * `X[-k] = conj(X[k])`.
 * @throws {ShapeError} When `real.length` is not the number of voxels.
 */
export function rfft3<T extends ComplexArray>(real: T, shapeZyx: Triple): T {
  const [nz, ny, nx] = shapeZyx;
  if (real.length !== nz * ny * nx) throw new ShapeError(`rfft3: ${real.length} numbers do not fill ${nz} x ${ny} x ${nx} voxels`);
  if (real instanceof Float32Array && shapeZyx.every((n) => hasPasses(planOf(n)))) {
    const spectrum = realVolume32(real, shapeZyx);
    if (spectrum) return spectrum as T;
  }
  const half = (nx >> 1) + 1;
  const rows = nz * ny;
  const out = like(real, 2 * rows * half);
  // Two real rows ride as one complex row: their spectra are its Hermitian and anti-Hermitian parts.
  const pair = like(real, 2 * nx * LINES);
  for (let row = 0; row < rows; row += 2 * LINES) {
    const pairs = Math.min(LINES, Math.ceil((rows - row) / 2));
    for (let p = 0; p < pairs; p++) {
      const first = (row + 2 * p) * nx, second = row + 2 * p + 1 < rows ? first + nx : -1;
      for (let i = 0; i < nx; i++) {
        pair[2 * (p * nx + i)] = real[first + i];
        pair[2 * (p * nx + i) + 1] = second < 0 ? 0 : real[second + i];
      }
    }
    transform(pair.subarray(0, 2 * nx * pairs), nx, pairs, 1, false);
    for (let p = 0; p < pairs; p++) {
      const first = 2 * (row + 2 * p) * half, second = row + 2 * p + 1 < rows ? first + 2 * half : -1;
      for (let k = 0; k < half; k++) {
        const at = 2 * (p * nx + k), mirror = 2 * (p * nx + (k === 0 ? 0 : nx - k));
        const re = pair[at], im = pair[at + 1], reMirror = pair[mirror], imMirror = pair[mirror + 1];
        out[first + 2 * k] = 0.5 * (re + reMirror);
        out[first + 2 * k + 1] = 0.5 * (im - imMirror);
        if (second >= 0) {
          out[second + 2 * k] = 0.5 * (im + imMirror);
          out[second + 2 * k + 1] = 0.5 * (reMirror - re);
        }
      }
    }
  }
  transform(out, ny, nz, half, false);
  transform(out, nz, 1, ny * half, false);
  return out;
}

/**
 * Inverts {@linkcode rfft3}.
 *
 * @param spectrum `[nz, ny, floor(nx / 2) + 1]` interleaved complex; it may be overwritten.
 * @param shapeZyx Shape of the real volume.
 * @returns `[nz, ny, nx]`. Imaginary parts of the columns kx = 0 and (nx even) nx / 2 that break the symmetry of a real volume are ignored.
 * @throws {ShapeError} When `spectrum.length` does not belong to `shapeZyx`.
 */
export function irfft3<T extends ComplexArray>(spectrum: T, shapeZyx: Triple): T {
  const [nz, ny, nx] = shapeZyx;
  const half = (nx >> 1) + 1;
  const rows = nz * ny;
  if (spectrum.length !== 2 * rows * half) {
    throw new ShapeError(`irfft3: ${spectrum.length} numbers are not the half spectrum of ${nz} x ${ny} x ${nx} voxels`);
  }
  if (spectrum instanceof Float32Array && shapeZyx.every((n) => hasPasses(planOf(n)))) {
    const real = realVolumeBack32(spectrum, shapeZyx);
    if (real) return real as T;
  }
  transform(spectrum, nz, 1, ny * half, true);
  transform(spectrum, ny, nz, half, true);
  const out = like(spectrum, rows * nx);
  const pair = like(spectrum, 2 * nx * LINES);
  for (let row = 0; row < rows; row += 2 * LINES) {
    const pairs = Math.min(LINES, Math.ceil((rows - row) / 2));
    for (let p = 0; p < pairs; p++) {
      const first = 2 * (row + 2 * p) * half, second = row + 2 * p + 1 < rows ? first + 2 * half : -1;
      for (let k = 0; k < half; k++) {
        const edge = k === 0 || 2 * k === nx;
        const re1 = spectrum[first + 2 * k], im1 = edge ? 0 : spectrum[first + 2 * k + 1];
        const re2 = second < 0 ? 0 : spectrum[second + 2 * k], im2 = second < 0 || edge ? 0 : spectrum[second + 2 * k + 1];
        const at = 2 * (p * nx + k);
        pair[at] = re1 - im2;
        pair[at + 1] = im1 + re2;
        if (!edge) {
          const mirror = 2 * (p * nx + nx - k);
          pair[mirror] = re1 + im2;
          pair[mirror + 1] = re2 - im1;
        }
      }
    }
    transform(pair.subarray(0, 2 * nx * pairs), nx, pairs, 1, true);
    for (let p = 0; p < pairs; p++) {
      const first = (row + 2 * p) * nx, second = row + 2 * p + 1 < rows ? first + nx : -1;
      for (let i = 0; i < nx; i++) {
        out[first + i] = pair[2 * (p * nx + i)];
        if (second >= 0) out[second + i] = pair[2 * (p * nx + i) + 1];
      }
    }
  }
  return out;
}

/** Frequency of index k on an axis of n points, in cycles per n voxels: -floor(n / 2) .. ceil(n / 2) - 1. */
export function frequencyOf(k: number, n: number): number {
  return k < (n + 1) >> 1 ? k : k - n;
}

function like<T extends ComplexArray>(model: T, length: number): T {
  return (model instanceof Float32Array ? new Float32Array(length) : new Float64Array(length)) as T;
}

/** Transforms the lines of `data` `[outer, n, stride]` in the precision it has. */
function transform(data: ComplexArray, n: number, outer: number, stride: number, inverse: boolean): void {
  const plan = planOf(n);
  if (data instanceof Float32Array && hasPasses(plan)) transformAxis32(data, n, outer, stride, inverse);
  else transformAxis(data, plan, outer, stride, inverse);
}
