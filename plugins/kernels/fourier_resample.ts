/**
 * Resampling by cutting (or extending) the Fourier transform of lines: nothing below the new Nyquist frequency changes.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";
import { fftLines } from "./fft.ts";

/** How one axis is resampled. */
export interface AxisResampling {
  /** Samples before. */
  readonly length: number;
  /** Length that a line is continued to, so that both grids fit into one period. */
  readonly period: number;
  /** Samples in a period afterwards. */
  readonly newPeriod: number;
  /** Samples afterwards: all that lie within the old line. */
  readonly newLength: number;
}

/** Least samples that a line is continued by: room to lead its end back to its beginning. */
const LEAST_PADDING = 8;
/** Samples more among which the fastest length is looked for. */
const MORE_PADDING = 64;
/** Largest numerator and denominator of a step. */
const LARGEST_STEP_TERM = 96;
/** Error of a step that is good enough to stop at the simplest fraction. */
const STEP_TOLERANCE = 2e-4;
/** Rows that go through the transform together. */
const ROWS_TOGETHER = 64;

/** New distance between samples in units of the old: `old / fresh` in lowest terms. */
export interface Step {
  /** Old samples that span the same length as ... */
  readonly old: number;
  /** ... this many new ones. */
  readonly fresh: number;
}

/**
 * The simplest fraction within 2e-4 of a ratio of sample distances, or else the nearest with terms up to 96 (0.5 % at worst, close to 1).
 * All axes share it, so that voxels stay cubes and coordinates map exactly.
 *
 * @param ratio New distance between samples divided by the old: above 1 makes fewer.
 * @throws {RangeError} When the ratio is not between 1/96 and 96.
 */
export function chooseStep(ratio: number): Step {
  if (!(ratio >= 1 / LARGEST_STEP_TERM && ratio <= LARGEST_STEP_TERM)) {
    throw new RangeError(`samples ${ratio} times as far apart: expected a ratio between 1/${LARGEST_STEP_TERM} and ${LARGEST_STEP_TERM}`);
  }
  let best = { old: 1, fresh: 1, error: Infinity };
  for (let larger = 1; larger <= LARGEST_STEP_TERM && best.error > STEP_TOLERANCE; larger++) {
    const [old, fresh] = ratio >= 1 ? [larger, Math.max(1, Math.round(larger / ratio))] : [Math.max(1, Math.round(larger * ratio)), larger];
    const error = Math.abs(old / fresh / ratio - 1);
    if (error < best.error) best = { old, fresh, error };
  }
  return { old: best.old, fresh: best.fresh };
}

/**
 * Chooses the periods of one axis for a step.
 *
 * @throws {RangeError} When fewer than two samples would be left.
 */
export function planResampling(length: number, step: Step): AxisResampling {
  let best: { cost: number; period: number; newPeriod: number } | null = null;
  const first = Math.ceil((length + LEAST_PADDING) / step.old);
  for (let m = first; m === first || m * step.old <= length + LEAST_PADDING + MORE_PADDING; m++) {
    const period = m * step.old, newPeriod = m * step.fresh;
    const cost = period * sumOfFactors(period) + newPeriod * sumOfFactors(newPeriod);
    if (!best || cost < best.cost) best = { cost, period, newPeriod };
  }
  const newLength = Math.floor(((length - 1) * step.fresh) / step.old) + 1;
  if (newLength < 2) {
    throw new RangeError(`${length} samples at ${step.old}/${step.fresh} times their distance leave one: expected two or more`);
  }
  return { length, period: best!.period, newPeriod: best!.newPeriod, newLength };
}

function sumOfFactors(n: number): number {
  let sum = 0;
  for (let p = 2; n > 1; p++) {
    while (n % p === 0) {
      n /= p;
      sum += p;
    }
    if (p * p > n && n > 1) return sum + n;
  }
  return sum;
}

/**
 * Resamples one axis of `[outer, length, inner]` float32; sample 0 stays where it is, sample i of the result lies at i period / newPeriod.
 *
 * Lines are continued by their mirror images from both ends, one faded into the other. Frequencies at and above the lower of both Nyquist
 * frequencies become zero. A pool entry.
 * @returns `[outer, newLength, inner]`.
 * @throws {ShapeError} When `data.length` is not outer x length x inner.
 */
export function resampleAxis(data: Float32Array, outer: number, inner: number, plan: AxisResampling): Float32Array {
  const { length, period, newPeriod, newLength } = plan;
  if (data.length !== outer * length * inner) throw new ShapeError(`${data.length} samples are not ${outer} x ${length} x ${inner}`);
  if (inner === 1) return resampleRows(data, outer, plan);
  const out = new Float32Array(outer * newLength * inner), half = Math.ceil(Math.min(period, newPeriod) / 2), scale = newPeriod / period;
  // Two real lines make one complex line; each half of the lines rides as real and imaginary parts.
  const pairs = Math.ceil(inner / 2), padding = period - length;
  const old = new Float32Array(2 * period * pairs), next = new Float32Array(2 * newPeriod * pairs);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < length; i++) {
      const from = (o * length + i) * inner;
      old.set(data.subarray(from, from + inner), 2 * i * pairs);
      if (inner % 2) old[2 * (i + 1) * pairs - 1] = 0;
    }
    for (let i = 0; i < padding; i++) {
      const fade = 0.5 - 0.5 * Math.cos((Math.PI * (i + 1)) / (padding + 1));
      const end = 2 * pairs * Math.max(0, length - 1 - i), start = 2 * pairs * Math.min(length - 1, padding - 1 - i);
      const to = 2 * pairs * (length + i);
      for (let x = 0; x < 2 * pairs; x++) old[to + x] = (1 - fade) * old[end + x] + fade * old[start + x];
    }
    fftLines(old, 1, period, pairs);
    next.fill(0);
    const row = 2 * pairs;
    for (let k = 0; k < half; k++) {
      for (let x = 0; x < row; x++) next[k * row + x] = old[k * row + x] * scale;
      if (k > 0) { for (let x = 0; x < row; x++) next[(newPeriod - k) * row + x] = old[(period - k) * row + x] * scale; }
    }
    fftLines(next, 1, newPeriod, pairs, true);
    for (let i = 0; i < newLength; i++) out.set(next.subarray(i * row, i * row + inner), (o * newLength + i) * inner);
  }
  return out;
}

/** Rows side by side, so that many go through the transform together. */
function resampleRows(data: Float32Array, rows: number, plan: AxisResampling): Float32Array {
  const { length, newLength } = plan, out = new Float32Array(rows * newLength);
  for (let first = 0; first < rows; first += ROWS_TOGETHER) {
    // An even number, at least two: one alone would come back here.
    const count = Math.min(ROWS_TOGETHER, rows - first), wide = count + (count % 2);
    const turned = new Float32Array(length * wide);
    for (let r = 0; r < count; r++) {
      for (let i = 0, from = (first + r) * length; i < length; i++) turned[i * wide + r] = data[from + i];
    }
    const done = resampleAxis(turned, 1, wide, plan);
    for (let r = 0; r < count; r++) {
      for (let i = 0, to = (first + r) * newLength; i < newLength; i++) out[to + i] = done[i * wide + r];
    }
  }
  return out;
}

/**
 * Resamples the z and x axes of a strip `[nz, rows, nx]` and hands it out with its rows first: `[rows, nz', nx']`. A pool entry.
 * @throws {ShapeError} When the strip's length does not fit.
 */
export function resampleStrip(strip: Float32Array, rows: number, planZ: AxisResampling, planX: AxisResampling): Float32Array {
  const alongX = resampleAxis(strip, planZ.length * rows, 1, planX), nx = planX.newLength;
  const both = resampleAxis(alongX, 1, rows * nx, planZ), nz = planZ.newLength;
  const out = new Float32Array(both.length);
  for (let y = 0; y < rows; y++) {
    for (let z = 0; z < nz; z++) {
      const from = (z * rows + y) * nx;
      out.set(both.subarray(from, from + nx), (y * nz + z) * nx);
    }
  }
  return out;
}

/**
 * Resamples the y axis of `[ny, sections, nx]` and hands it out with its sections first: `[sections, ny', nx]`. A pool entry.
 * @throws {ShapeError} When the length does not fit.
 */
export function resampleSections(rows: Float32Array, sections: number, nx: number, planY: AxisResampling): Float32Array {
  const all = resampleAxis(rows, 1, sections * nx, planY), ny = planY.newLength, out = new Float32Array(all.length);
  for (let z = 0; z < sections; z++) {
    for (let y = 0; y < ny; y++) {
      const from = (y * sections + z) * nx;
      out.set(all.subarray(from, from + nx), (z * ny + y) * nx);
    }
  }
  return out;
}
