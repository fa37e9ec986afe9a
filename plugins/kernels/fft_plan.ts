/**
 * Plans and passes of the Fourier transforms in float64; `fft.ts` is what others use.
 * @module
 */

/** Interleaved complex numbers: re, im, re, im, ... */
export type ComplexArray = Float32Array | Float64Array;

/** Largest prime factor that is done by an O(r^2) butterfly; above it Bluestein's algorithm takes over. */
const LARGEST_BUTTERFLY = 61;
/** Lines that go through the stages together: neighbouring reads share a cache line. */
const LINES = 8;

/** How lines of one length are transformed. */
export interface Plan {
  /** Points of a line. */
  readonly length: number;
  /** Radices of the passes; empty for Bluestein's algorithm. */
  readonly factors: readonly number[];
  /** exp(-2 pi i k / length), interleaved. */
  readonly twiddles: Float64Array;
  /** Bluestein's algorithm, for lengths with a large prime factor. */
  readonly chirp?: Chirp;
  /** Working memory of a block of lines. */
  readonly a: Float64Array;
  /** The other half of the working memory. */
  readonly b: Float64Array;
}

/** What Bluestein's algorithm needs. */
export interface Chirp {
  /** Plan of the convolution. */
  readonly plan: Plan;
  /** exp(-pi i k^2 / length), interleaved. */
  readonly factors: Float64Array;
  /** Transform of the conjugate chirp, wrapped around. */
  readonly spectrum: Float64Array;
}

const plans = new Map<number, Plan>();

/** Transforms every line of `plan.length` points whose neighbours are `stride` complex numbers apart; `outer` blocks of `stride` lines. */
export function transformAxis(data: ComplexArray, plan: Plan, outer: number, stride: number, inverse: boolean): void {
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

/** The plan of lines of n points; made once. */
export function planOf(n: number): Plan {
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

/** Smallest length >= n whose prime factors are 2, 3 and 5. */
export function fastLength(n: number): number {
  for (let length = Math.max(1, n);; length++) {
    let rest = length;
    for (const factor of [2, 3, 5]) while (rest % factor === 0) rest /= factor;
    if (rest === 1) return length;
  }
}
