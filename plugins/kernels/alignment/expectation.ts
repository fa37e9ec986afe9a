/**
 * Expectation on a grid of rotations and shifts, for a share of the boxes; runs in a worker.
 *
 * The model of a box's coefficients is F = w exp(-i k.t) A(R) + noise, with w its wedge, A(R) the class's slice and the noise white within a
 * shell. All log-likelihoods are against an empty reference (A = 0), so that the sum of a box's own power drops out.
 * @module
 */
import * as simd from "../simd/align.wasm";
import { type BoxSet, inverseDeviations, wedgeCount, writeRow } from "./box_set.ts";
import { doubles, floats, integers, put, reserve, zeros } from "./memory.ts";
import { paddedSide } from "./volume.ts";

/** Boxes, references and candidates of a step. */
export interface GridStep {
  readonly set: BoxSet;
  /** Boxes of this share. */
  readonly members: Int32Array;
  readonly kMax: number;
  /** `[rotations, 9]`, a multiple of 8 rotations. */
  readonly rotations: Float32Array;
  /** One grid a class, as {@linkcode solveVolume} makes it. */
  readonly volumes: readonly Float32Array[];
  /** `[classes]` log prior. */
  readonly prior: Float32Array;
  /** `[kMax + 1]` variance of a noise coefficient by shell. */
  readonly noise: Float64Array;
  /** Inverse temperature. */
  readonly beta: number;
  /** `[boxes of the set, 3]` where each box's particle is thought to be, from the centre. */
  readonly offsets: Float32Array;
  /** `[shifts, 3]` tried about the offset. */
  readonly shifts: Float32Array;
  /** Whether sums for the maximisation step are wanted. */
  readonly sums: boolean;
}

/** Outcome of a grid step for its share of n boxes. */
export interface GridOutcome {
  /** `[classes, rotations, coefficients]` complex: posterior-weighted boxes over noise deviation; empty without `sums`. */
  readonly sums: Float32Array;
  /** `[groups, classes, rotations]` posterior mass. */
  readonly mass: Float32Array;
  /** `[coefficients]` expected squared residual minus the boxes' own power, over noise variance, summed over boxes. */
  readonly residual: Float64Array;
  /** `[n, classes]` log of the mean over poses of exp(beta x log-likelihood). */
  readonly evidence: Float64Array;
  /** `[n, classes]` largest log-likelihood. */
  readonly best: Float32Array;
  /** `[n, classes]` rotation index of the largest. */
  readonly bestRotation: Int32Array;
  /** `[n, classes, 3]` offset of the largest. */
  readonly bestOffset: Float32Array;
  /** `[n, 3]` mean offset under the posterior. */
  readonly meanOffset: Float32Array;
}

/** Boxes whose scores are held at a time. */
const BLOCK = 8;
/** Candidates this many nats below the best count for nothing. */
const CUT = 12;
/** Candidates with less of the posterior than this are left out of the sums. */
const LEAST = 1e-5;

/** A step's tables in the kernel's memory. */
interface Loaded {
  readonly C: number;
  readonly T: number;
  readonly R: number;
  readonly columns: number;
  readonly scale: Float32Array;
  readonly ks: number;
  readonly panels: number;
  readonly norms: number;
  readonly rows: number;
  readonly values: number;
  readonly best: number;
  readonly where: number;
}

/** Runs a grid step. Cost: boxes x shifts x classes x rotations x 8 coefficients flop. */
export function expectation(step: GridStep): GridOutcome {
  const { members, shifts, beta } = step, K = step.volumes.length, G = wedgeCount(step.set), n = members.length;
  const loaded = load(step), { C, T, R, columns } = loaded;
  const prior = put("prior", step.prior), classSums = reserve("classSums", 8 * K), shiftMass = reserve("shiftMass", 8 * T);
  const entries = reserve("entries", 4 * T * columns), weights = reserve("weights", 4 * T * columns);
  const sums = zeros("sums", step.sums ? 2 * columns * C : 0), mass = zeros("mass", G * columns);
  const out = {
    evidence: new Float64Array(n * K),
    best: new Float32Array(n * K),
    bestRotation: new Int32Array(n * K),
    bestOffset: new Float32Array(3 * n * K),
    meanOffset: new Float32Array(3 * n),
  };
  for (let first = 0; first < n; first += BLOCK) {
    const block = Math.min(BLOCK, n - first);
    score(step, loaded, first, block);
    for (let b = 0; b < block; b++) {
      const i = members[first + b], at = (first + b) * K, own = loaded.values + 4 * b * T * columns, group = step.set.groups[i];
      simd.likelihoods(own, T, K, R, loaded.norms + 4 * group * columns, beta, loaded.best, loaded.where);
      const tops = floats(loaded.best, K), places = integers(loaded.where, K);
      let top = -Infinity;
      for (let k = 0; k < K; k++) {
        top = Math.max(top, tops[k] + step.prior[k]);
        out.best[at + k] = tops[k] / beta;
        const shift = Math.floor(places[k] / columns);
        out.bestRotation[at + k] = places[k] - shift * columns - k * R;
        for (let d = 0; d < 3; d++) out.bestOffset[3 * (at + k) + d] = step.offsets[3 * i + d] + shifts[3 * shift + d];
      }
      const listed = simd.softAssign(own, T, K, R, prior, top, CUT, classSums, entries, weights);
      const totals = doubles(classSums, K);
      const total = totals.reduce((sum, value) => sum + value, 0);
      for (let k = 0; k < K; k++) {
        // A class far below the best has no listed candidate: its largest alone bounds it from below.
        out.evidence[at + k] = totals[k] > 0 ? Math.log(totals[k] / (R * T)) + top - step.prior[k] : tops[k] - Math.log(R * T);
      }
      doubles(shiftMass, T).fill(0);
      if (step.sums) {
        const rows = loaded.rows + 8 * b * T * C, own = mass + 4 * group * columns;
        simd.accumulate(rows, sums, own, shiftMass, columns, C, entries, weights, listed, 1 / total, LEAST);
      }
      const share = doubles(shiftMass, T);
      for (let d = 0; d < 3; d++) {
        let mean = 0;
        for (let t = 0; t < T; t++) mean += share[t] * shifts[3 * t + d];
        out.meanOffset[3 * (first + b) + d] = step.offsets[3 * i + d] + mean;
      }
    }
  }
  return {
    ...out,
    sums: floats(sums, step.sums ? 2 * columns * C : 0).slice(),
    mass: floats(mass, G * columns).slice(),
    residual: step.sums ? residuals(step, loaded, sums, mass) : new Float64Array(C),
  };
}

/**
 * The inverse temperature, at most 1, at which the mean entropy of the posterior over class and pose is `entropy` nats.
 * Found by bisection on the scores of all members: give it few.
 */
export function temperature(step: GridStep, entropy: number): number {
  const { members } = step, K = step.volumes.length, loaded = load(step), { T, R, columns } = loaded;
  const block = Math.min(BLOCK, members.length);
  let low = Math.log(1e-4), high = 0;
  // Scores of eight boxes are held; more are averaged as one block after another, each with its own bisection.
  let sum = 0, blocks = 0;
  for (let first = 0; first + block <= members.length; first += block) {
    score(step, loaded, first, block);
    const tops = new Float64Array(block);
    for (let b = 0; b < block; b++) {
      const own = loaded.values + 4 * b * T * columns, group = step.set.groups[members[first + b]];
      simd.likelihoods(own, T, K, R, loaded.norms + 4 * group * columns, 1, loaded.best, loaded.where);
      tops[b] = Math.max(...floats(loaded.best, K));
    }
    [low, high] = [Math.log(1e-4), 0];
    for (let turn = 0; turn < 12; turn++) {
      const middle = (low + high) / 2;
      let mean = 0;
      for (let b = 0; b < block; b++) {
        mean += simd.entropyAt(loaded.values + 4 * b * T * columns, T * columns, tops[b], Math.exp(middle), CUT) / block;
      }
      if (mean > entropy) low = middle;
      else high = middle;
    }
    sum += high;
    blocks++;
  }
  return blocks ? Math.exp(sum / blocks) : 1;
}

/** Slices of all references, their norms under every wedge, and room for scores. */
function load(step: GridStep): Loaded {
  const { set, kMax } = step, { order } = set, C = order.upTo[kMax], G = wedgeCount(set), side = paddedSide(kMax);
  const K = step.volumes.length, R = step.rotations.length / 9, columns = K * R, T = step.shifts.length / 3;
  const scale = inverseDeviations(order, C, step.noise);
  const ks = put("ks", order.ksXyz.subarray(0, 3 * C)), scales = put("scale", scale), rotations = put("rotations", step.rotations);
  const panels = reserve("panels", 8 * columns * C), norms = reserve("norms", 4 * G * columns), grid = reserve("grid", 8 * side ** 3);
  step.volumes.forEach((volume, k) => {
    floats(grid, volume.length).set(volume);
    simd.slices(grid, side, rotations, R, ks, C, scales, panels + 8 * k * R * C);
  });
  for (let g = 0; g < G; g++) {
    const wedge = put("wedge", set.wedges.subarray(g * order.count, g * order.count + C));
    simd.norms(panels, columns, C, wedge, norms + 4 * g * columns);
  }
  const rows = reserve("rows", 8 * BLOCK * T * C), values = reserve("values", 4 * BLOCK * T * columns);
  return { C, T, R, columns, scale, ks, panels, norms, rows, values, best: reserve("best", 4 * K), where: reserve("where", 4 * K) };
}

/** Scores of a block of boxes under all shifts against all slices. */
function score(step: GridStep, loaded: Loaded, first: number, block: number): void {
  const { set, members, shifts, offsets } = step, { C, T, columns } = loaded;
  const row = reserve("row", 8 * C), table = reserve("shifts", 12 * T);
  for (let b = 0; b < block; b++) {
    const i = members[first + b];
    writeRow(set, i, loaded.scale, row);
    floats(table, 3 * T).set(shifts.map((value, t) => offsets[3 * i + t % 3] + value));
    simd.shiftRows(row, loaded.rows + 8 * b * T * C, loaded.ks, C, table, T, set.boxVoxels);
  }
  // The last lines of an incomplete block are left over from an earlier one and never read.
  simd.scores(loaded.rows, loaded.panels, loaded.values, Math.ceil(block * T / 4) * 4, 2 * C, columns);
}

/** Per coefficient: sum over candidates of mass w |A|^2 - 2 Re(S conj A). */
function residuals(step: GridStep, { C, columns, panels }: Loaded, sums: number, mass: number): Float64Array {
  const G = wedgeCount(step.set), stored = step.set.order.count;
  const a = floats(panels, 2 * columns * C), s = floats(sums, 2 * columns * C), m = floats(mass, G * columns);
  const out = new Float64Array(C), share = new Float64Array(C);
  for (let column = 0; column < columns; column++) {
    const panel = (column >> 3) * 16 * C + (column & 7), line = 2 * column * C;
    let any = false;
    share.fill(0);
    for (let g = 0; g < G; g++) {
      const part = m[g * columns + column];
      if (part === 0) continue;
      any = true;
      for (let c = 0; c < C; c++) share[c] += part * step.set.wedges[g * stored + c];
    }
    if (!any) continue;
    for (let c = 0; c < C; c++) {
      const re = a[panel + 16 * c], im = a[panel + 16 * c + 8];
      out[c] += share[c] * (re * re + im * im) - 2 * (s[line + 2 * c] * re + s[line + 2 * c + 1] * im);
    }
  }
  return out;
}
