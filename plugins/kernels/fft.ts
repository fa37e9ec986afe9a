/**
 * Fourier transforms of any length in one and three dimensions, in place, on interleaved complex arrays.
 *
 * Normalisation is SciPy's default: forward unscaled, `X[k] = sum_n x[n] exp(-2 pi i k n / N)`; inverse divided by the number of points, so
 * that forward then inverse is the identity. Index k holds frequency k for k < N / 2 and k - N from there on (the zero frequency comes first).
 * Lengths with prime factors up to 61 take O(N sum of factors); others Bluestein's O(N log N). Results depend on nothing but the input.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";
import type { Triple } from "../../streams/contract.ts";

/** Interleaved complex numbers: re, im, re, im, ... */
export type ComplexArray = Float32Array | Float64Array;

/** Largest prime factor that is done by an O(r^2) butterfly; above it Bluestein's algorithm takes over. */
const LARGEST_BUTTERFLY = 61;
/** Lines that go through the stages together: neighbouring reads share a cache line. */
const LINES = 8;

interface Plan {
  readonly length: number;
  readonly factors: readonly number[];
  /** exp(-2 pi i k / length), interleaved. */
  readonly twiddles: Float64Array;
  readonly chirp?: Chirp;
  readonly a: Float64Array;
  readonly b: Float64Array;
}

interface Chirp {
  readonly plan: Plan;
  /** exp(-pi i k^2 / length), interleaved. */
  readonly factors: Float64Array;
  /** Transform of the conjugate chirp, wrapped around. */
  readonly spectrum: Float64Array;
}

const plans = new Map<number, Plan>();

/**
 * Transforms one line in place.
 *
 * @param data `[2 n]` interleaved complex.
 * @throws {ShapeError} When the length is odd or zero.
 */
export function fft1(data: ComplexArray, inverse = false): void {
  const n = data.length / 2;
  if (!Number.isInteger(n) || n < 1) throw new ShapeError(`fft1: ${data.length} numbers are not a line of interleaved complex values`);
  transformAxis(data, planOf(n), 1, 1, inverse);
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
  transformAxis(data, planOf(nx), nz * ny, 1, inverse);
  transformAxis(data, planOf(ny), nz, nx, inverse);
  transformAxis(data, planOf(nz), 1, ny * nx, inverse);
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
  transformAxis(data, planOf(length), outer, stride, inverse);
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
  const half = (nx >> 1) + 1;
  const rows = nz * ny;
  const out = like(real, 2 * rows * half);
  const plan = planOf(nx);
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
    transformAxis(pair, plan, pairs, 1, false);
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
  transformAxis(out, planOf(ny), nz, half, false);
  transformAxis(out, planOf(nz), 1, ny * half, false);
  return out;
}

/**
 * Inverts {@linkcode rfft3}.
 *
 * @param spectrum `[nz, ny, floor(nx / 2) + 1]` interleaved complex; it is overwritten.
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
  transformAxis(spectrum, planOf(nz), 1, ny * half, true);
  transformAxis(spectrum, planOf(ny), nz, half, true);
  const out = like(spectrum, rows * nx);
  const plan = planOf(nx);
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
    transformAxis(pair, plan, pairs, 1, true);
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

/** Smallest length >= n whose prime factors are 2, 3 and 5. */
export function fastLength(n: number): number {
  for (let length = Math.max(1, n);; length++) {
    let rest = length;
    for (const factor of [2, 3, 5]) while (rest % factor === 0) rest /= factor;
    if (rest === 1) return length;
  }
}

function like<T extends ComplexArray>(model: T, length: number): T {
  return (model instanceof Float32Array ? new Float32Array(length) : new Float64Array(length)) as T;
}

/** Transforms every line of `plan.length` points whose neighbours are `stride` complex numbers apart; `outer` blocks of `stride` lines. */
function transformAxis(data: ComplexArray, plan: Plan, outer: number, stride: number, inverse: boolean): void {
  const n = plan.length;
  if (n === 1) return;
  const lines = outer * stride;
  const scale = inverse ? 1 / n : 1;
  const offsets = new Float64Array(LINES);
  for (let line = 0; line < lines; line += LINES) {
    const count = Math.min(LINES, lines - line);
    for (let j = 0; j < count; j++) {
      const block = Math.floor((line + j) / stride);
      offsets[j] = 2 * (block * stride * n + (line + j - block * stride));
    }
    const a = plan.a;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < count; j++) {
        const at = offsets[j] + 2 * stride * i, to = 2 * (i * LINES + j);
        a[to] = data[at];
        a[to + 1] = data[at + 1];
      }
    }
    const result = transformLines(plan);
    for (let k = 0; k < n; k++) {
      // The inverse transform is the forward one read backwards.
      const from = inverse && k > 0 ? n - k : k;
      for (let j = 0; j < count; j++) {
        const at = offsets[j] + 2 * stride * k, source = 2 * (from * LINES + j);
        data[at] = result[source] * scale;
        data[at + 1] = result[source + 1] * scale;
      }
    }
  }
}

function planOf(n: number): Plan {
  let plan = plans.get(n);
  if (!plan) plans.set(n, plan = makePlan(n));
  return plan;
}

function makePlan(n: number): Plan {
  const factors: number[] = [];
  let rest = n;
  for (const factor of [4, 2, 3, 5]) {
    for (; rest % factor === 0; rest /= factor) factors.push(factor);
  }
  for (let factor = 7; rest > 1; factor += 2) {
    if (factor * factor > rest) factor = rest;
    for (; rest % factor === 0; rest /= factor) factors.push(factor);
  }
  const a = new Float64Array(2 * n * LINES), b = new Float64Array(2 * n * LINES);
  if (factors.some((factor) => factor > LARGEST_BUTTERFLY)) {
    return { length: n, factors: [], twiddles: new Float64Array(0), chirp: makeChirp(n), a, b };
  }
  return { length: n, factors, twiddles: roots(n), a, b };
}

function roots(n: number): Float64Array {
  const twiddles = new Float64Array(2 * n);
  for (let k = 0; k < n; k++) {
    twiddles[2 * k] = Math.cos(2 * Math.PI * k / n);
    twiddles[2 * k + 1] = -Math.sin(2 * Math.PI * k / n);
  }
  return twiddles;
}

function makeChirp(n: number): Chirp {
  const plan = planOf(fastLength(2 * n - 1));
  const m = plan.length;
  const factors = new Float64Array(2 * n);
  const spectrum = new Float64Array(2 * m);
  for (let k = 0; k < n; k++) {
    // k^2 modulo 2 n keeps the angle small, hence exact.
    const angle = Math.PI * ((k * k) % (2 * n)) / n;
    factors[2 * k] = Math.cos(angle);
    factors[2 * k + 1] = -Math.sin(angle);
    for (const at of k === 0 ? [0] : [k, m - k]) {
      spectrum[2 * at] = Math.cos(angle);
      spectrum[2 * at + 1] = Math.sin(angle);
    }
  }
  transformAxis(spectrum, plan, 1, 1, false);
  return { plan, factors, spectrum };
}

/** Transforms the lines in `plan.a` (`[n, LINES]` complex); returns the buffer that holds the result. */
function transformLines(plan: Plan): Float64Array {
  if (plan.chirp) return transformByChirp(plan, plan.chirp);
  let x = plan.a, y = plan.b;
  let length = plan.length, s = 2 * LINES;
  // Stockham's decimation in frequency: no bit reversal, every pass reads and writes whole rows of s numbers.
  for (const radix of plan.factors) {
    const m = length / radix, step = plan.length / length;
    if (radix === 2) pass2(x, y, m, s, step, plan.twiddles);
    else if (radix === 3) pass3(x, y, m, s, step, plan.twiddles);
    else if (radix === 4) pass4(x, y, m, s, step, plan.twiddles);
    else passAny(x, y, radix, m, s, step, plan.length, plan.twiddles);
    [x, y] = [y, x];
    length = m;
    s *= radix;
  }
  return x;
}

function pass2(x: Float64Array, y: Float64Array, m: number, s: number, step: number, w: Float64Array): void {
  for (let p = 0; p < m; p++) {
    const c = w[2 * p * step], d = w[2 * p * step + 1];
    const i0 = s * p, i1 = s * (p + m), o0 = s * 2 * p, o1 = o0 + s;
    for (let q = 0; q < s; q += 2) {
      const ar = x[i0 + q], ai = x[i0 + q + 1], br = x[i1 + q], bi = x[i1 + q + 1];
      y[o0 + q] = ar + br;
      y[o0 + q + 1] = ai + bi;
      const r = ar - br, i = ai - bi;
      y[o1 + q] = r * c - i * d;
      y[o1 + q + 1] = r * d + i * c;
    }
  }
}

function pass3(x: Float64Array, y: Float64Array, m: number, s: number, step: number, w: Float64Array): void {
  const sine = Math.sqrt(3) / 2;
  for (let p = 0; p < m; p++) {
    const c1 = w[2 * p * step], d1 = w[2 * p * step + 1], c2 = w[4 * p * step], d2 = w[4 * p * step + 1];
    const i0 = s * p, i1 = i0 + s * m, i2 = i1 + s * m, o0 = s * 3 * p, o1 = o0 + s, o2 = o1 + s;
    for (let q = 0; q < s; q += 2) {
      const ar = x[i0 + q], ai = x[i0 + q + 1];
      const sr = x[i1 + q] + x[i2 + q], si = x[i1 + q + 1] + x[i2 + q + 1];
      const tr = sine * (x[i1 + q + 1] - x[i2 + q + 1]), ti = sine * (x[i2 + q] - x[i1 + q]);
      const mr = ar - 0.5 * sr, mi = ai - 0.5 * si;
      y[o0 + q] = ar + sr;
      y[o0 + q + 1] = ai + si;
      const r1 = mr + tr, j1 = mi + ti, r2 = mr - tr, j2 = mi - ti;
      y[o1 + q] = r1 * c1 - j1 * d1;
      y[o1 + q + 1] = r1 * d1 + j1 * c1;
      y[o2 + q] = r2 * c2 - j2 * d2;
      y[o2 + q + 1] = r2 * d2 + j2 * c2;
    }
  }
}

function pass4(x: Float64Array, y: Float64Array, m: number, s: number, step: number, w: Float64Array): void {
  for (let p = 0; p < m; p++) {
    const c1 = w[2 * p * step], d1 = w[2 * p * step + 1], c2 = w[4 * p * step], d2 = w[4 * p * step + 1];
    const c3 = w[6 * p * step], d3 = w[6 * p * step + 1];
    const i0 = s * p, i1 = i0 + s * m, i2 = i1 + s * m, i3 = i2 + s * m, o0 = s * 4 * p, o1 = o0 + s, o2 = o1 + s, o3 = o2 + s;
    for (let q = 0; q < s; q += 2) {
      const er = x[i0 + q] + x[i2 + q], ei = x[i0 + q + 1] + x[i2 + q + 1];
      const fr = x[i0 + q] - x[i2 + q], fi = x[i0 + q + 1] - x[i2 + q + 1];
      const gr = x[i1 + q] + x[i3 + q], gi = x[i1 + q + 1] + x[i3 + q + 1];
      // -i times the difference.
      const hr = x[i1 + q + 1] - x[i3 + q + 1], hi = x[i3 + q] - x[i1 + q];
      y[o0 + q] = er + gr;
      y[o0 + q + 1] = ei + gi;
      const r1 = fr + hr, j1 = fi + hi, r2 = er - gr, j2 = ei - gi, r3 = fr - hr, j3 = fi - hi;
      y[o1 + q] = r1 * c1 - j1 * d1;
      y[o1 + q + 1] = r1 * d1 + j1 * c1;
      y[o2 + q] = r2 * c2 - j2 * d2;
      y[o2 + q + 1] = r2 * d2 + j2 * c2;
      y[o3 + q] = r3 * c3 - j3 * d3;
      y[o3 + q + 1] = r3 * d3 + j3 * c3;
    }
  }
}

function passAny(
  x: Float64Array,
  y: Float64Array,
  radix: number,
  m: number,
  s: number,
  step: number,
  n: number,
  w: Float64Array,
): void {
  const unit = n / radix;
  for (let p = 0; p < m; p++) {
    for (let j = 0; j < radix; j++) {
      const out = s * (radix * p + j);
      const c = w[2 * p * step * j], d = w[2 * p * step * j + 1];
      y.fill(0, out, out + s);
      for (let k = 0; k < radix; k++) {
        const at = 2 * unit * ((j * k) % radix);
        const cr = w[at] * c - w[at + 1] * d, ci = w[at] * d + w[at + 1] * c;
        const from = s * (p + k * m);
        for (let q = 0; q < s; q += 2) {
          const re = x[from + q], im = x[from + q + 1];
          y[out + q] += re * cr - im * ci;
          y[out + q + 1] += re * ci + im * cr;
        }
      }
    }
  }
}

/** @see Bluestein 1970, "A linear filtering approach to the computation of discrete Fourier transform". */
function transformByChirp(plan: Plan, chirp: Chirp): Float64Array {
  const { factors, spectrum } = chirp;
  const n = plan.length, m = chirp.plan.length, a = plan.a;
  const multiply = (to: Float64Array, from: Float64Array, w: Float64Array, count: number, conjugate: boolean) => {
    for (let k = 0; k < count; k++) {
      const c = w[2 * k], d = w[2 * k + 1];
      for (let q = 2 * k * LINES; q < 2 * (k + 1) * LINES; q += 2) {
        const re = from[q] * c - from[q + 1] * d, im = from[q] * d + from[q + 1] * c;
        to[q] = re;
        to[q + 1] = conjugate ? -im : im;
      }
    }
  };
  const inner = chirp.plan.a;
  multiply(inner, a, factors, n, false);
  inner.fill(0, 2 * n * LINES);
  const forward = transformLines(chirp.plan);
  // Inverse by conjugation: conj(F(conj(z))) / m.
  multiply(inner, forward, spectrum, m, true);
  const back = transformLines(chirp.plan);
  for (let i = 0; i < 2 * n * LINES; i += 2) {
    a[i] = back[i] / m;
    a[i + 1] = -back[i + 1] / m;
  }
  multiply(a, a, factors, n, false);
  return a;
}
