/**
 * Full-covariance Gaussian mixtures by expectation-maximisation, float64.
 * @module
 */
import * as simd from "./simd/mixture.wasm";
import { ShapeError } from "../../streams/errors.ts";
import { cholesky, inverseFromFactor, invertLower } from "./cholesky.ts";

/** Parameters of a mixture of k Gaussians in `dims` dimensions. */
export interface Mixture {
  /** Number of classes. */
  readonly k: number;
  /** Number of features. */
  readonly dims: number;
  /** `[k]`, sum 1. */
  readonly weights: Float64Array;
  /** `[k, dims]`. */
  readonly means: Float64Array;
  /** `[k, dims, dims]`, symmetric. */
  readonly covariances: Float64Array;
}

/** How {@linkcode fitMixture} iterates. */
export interface MixtureFitOptions {
  /** Most passes over the table. */
  readonly maxIterations: number;
  /** Stop when the objective per row rises by less than this. */
  readonly tolerance: number;
  /** Added to the diagonal of every covariance, in the table's squared units (scikit-learn's `reg_covar`). */
  readonly regularisation: number;
  /**
   * Pseudo-rows by which each class's covariance is drawn to one that all classes share; 0 (default) is the plain mixture. The objective
   * loses `pooling` times the Kullback-Leibler divergence from the shared to each class's Gaussian shape, and still never falls.
   */
  readonly pooling?: number;
}

/** Outcome of {@linkcode fitMixture}. */
export interface MixtureFit {
  /** The fitted parameters. */
  readonly mixture: Mixture;
  /** Sum over rows of the natural-log density under `mixture`. */
  readonly logLikelihood: number;
  /** Objective before each maximisation and under the final parameters: never falls beyond rounding and the effect of `regularisation`. */
  readonly trace: readonly number[];
  /** Maximisations made. */
  readonly iterations: number;
  /** Whether `tolerance` stopped it. */
  readonly converged: boolean;
  /** `[rows]` most probable class. */
  readonly labels: Int32Array;
  /** `[k]` sums of responsibilities under the final parameters' predecessor: effective class sizes. */
  readonly sizes: Float64Array;
}

const BLOCK = simd.blockRows();
const LOG_TWO_PI = Math.log(2 * Math.PI);

/** WebAssembly memory, reread after every allocation because growth replaces the buffer. */
const floats = () => new Float64Array(simd.memory.buffer);

function lend(bytes: number): number {
  return simd.alloc(bytes) >>> 0;
}

/** A feature table in the layout of the vector kernel; belongs to one thread; dispose of it when done. */
export class MixtureTable implements Disposable {
  /** Rows held. */
  readonly rows: number;
  /** Features of a row. */
  readonly dims: number;
  /** Features with the padding of the kernel. */
  readonly dims4: number;
  /** Where the kernel finds it. */
  readonly pointer: number;
  #owned = true;

  /**
   * Copies `values` `[rows, dims]` row-major.
   * @throws {ShapeError} When `values.length` is not rows x dims, or when a value is not finite.
   */
  constructor(values: Float32Array | Float64Array, dims: number) {
    const rows = values.length / dims;
    if (!Number.isInteger(rows) || rows < 1) {
      throw new ShapeError(`a table of ${values.length} values does not hold whole rows of ${dims}: give [rows, dims] with rows >= 1`);
    }
    this.rows = rows;
    this.dims = dims;
    const dims4 = this.dims4 = (dims + 3) & ~3;
    const blocks = Math.ceil(rows / BLOCK);
    this.pointer = lend(blocks * BLOCK * dims4 * 8);
    const out = floats().subarray(this.pointer / 8, this.pointer / 8 + blocks * BLOCK * dims4);
    out.fill(0);
    for (let row = 0; row < rows; row++) {
      const base = (row - row % BLOCK) * dims4 + row % BLOCK;
      for (let j = 0; j < dims; j++) {
        const value = values[row * dims + j];
        if (!Number.isFinite(value)) {
          this[Symbol.dispose]();
          throw new ShapeError(`feature ${j} of row ${row} is ${value}: features must be finite numbers`);
        }
        out[base + j * BLOCK] = value;
      }
    }
  }

  /** Gives the memory back. */
  [Symbol.dispose](): void {
    if (this.#owned) simd.release(this.pointer);
    this.#owned = false;
  }
}

/** Cholesky factor of one class's covariance; adds to the diagonal, by growing steps, when rounding has made it indefinite. */
function factorise(covariance: Float64Array, dims: number): Float64Array {
  let lift = 0;
  for (let attempt = 0; attempt < 40; attempt++) {
    const factor = cholesky(covariance, dims);
    if (factor) return factor;
    let trace = 0;
    for (let i = 0; i < dims; i++) trace += Math.abs(covariance[i * dims + i]);
    const step = (trace / dims || 1e-300) * 1e-12 * 4 ** attempt;
    for (let i = 0; i < dims; i++) covariance[i * dims + i] += step - lift;
    lift = step;
  }
  throw new ShapeError("a class's covariance could not be factorised: the features hold values that are not finite");
}

/** Parameters as the vector kernel reads them. */
interface Packed {
  readonly constants: Float64Array;
  readonly means: Float64Array;
  readonly factors: Float64Array;
  /** ln |covariance| of each class. */
  readonly logDeterminants: Float64Array;
  /** Inverses of the Cholesky factors, `[k][dims, dims]`. */
  readonly inverses: readonly Float64Array[];
}

function pack(mixture: Mixture): Packed {
  const { k, dims } = mixture;
  const dims4 = (dims + 3) & ~3, groups = dims4 >> 2;
  const length = (groups * (groups + 1) / 2) * 16;
  const constants = new Float64Array(k), means = new Float64Array(k * dims4), factors = new Float64Array(k * length);
  const logDeterminants = new Float64Array(k);
  const inverses: Float64Array[] = [];
  for (let c = 0; c < k; c++) {
    const factor = factorise(mixture.covariances.subarray(c * dims * dims, (c + 1) * dims * dims), dims);
    const inverse = invertLower(factor, dims);
    inverses.push(inverse);
    for (let i = 0; i < dims; i++) logDeterminants[c] += 2 * Math.log(factor[i * dims + i]);
    // An empty class keeps a finite constant: exp(-huge) is 0 either way.
    constants[c] = Math.max(Math.log(mixture.weights[c]), -1e300) - (dims * LOG_TWO_PI + logDeterminants[c]) / 2;
    means.set(mixture.means.subarray(c * dims, (c + 1) * dims), c * dims4);
    let at = c * length;
    for (let g = 0; g < groups; g++) {
      for (let column = 0; column < 4 * g + 4; column++) {
        for (let row = 4 * g; row < 4 * g + 4; row++) factors[at++] = row < dims && column <= row ? inverse[row * dims + column] : 0;
      }
    }
  }
  return { constants, means, factors, logDeterminants, inverses };
}

/** Sums of one sweep: effective sizes, shifts of the means, scatters about the old means (lower triangle). */
interface Sums {
  readonly logLikelihood: number;
  readonly sizes: Float64Array;
  readonly shifts: Float64Array;
  readonly scatters: Float64Array;
}

function sweep(
  table: MixtureTable,
  k: number,
  packed: Packed,
  wants: { sums: boolean; labels?: Int32Array; logLikelihoods?: Float64Array },
): Sums {
  const { rows, dims, dims4 } = table;
  const parts = [packed.constants, packed.means, packed.factors];
  const sumLength = wants.sums ? k * (1 + dims4 + dims4 * dims4) : 0;
  const inputs = parts.reduce((sum, part) => sum + ((part.length + 1) & ~1), 0);
  const pointer = lend((inputs + ((sumLength + 1) & ~1)) * 8);
  const labels = wants.labels ? lend(rows * 4) : 0;
  const logLikelihoods = wants.logLikelihoods ? lend(rows * 8) : 0;
  const memory = floats();
  const at: number[] = [];
  let offset = pointer / 8;
  for (const part of parts) {
    memory.set(part, offset);
    at.push(offset * 8);
    offset += (part.length + 1) & ~1;
  }
  const sums = offset;
  memory.fill(0, sums, sums + sumLength);
  // Sizes come last: an odd k would break the 16-byte alignment of what follows.
  const scattersAt = sums, shiftsAt = sums + k * dims4 * dims4, sizesAt = shiftsAt + k * dims4;
  const logLikelihood = simd.sweep(
    table.pointer,
    rows,
    dims,
    k,
    at[0],
    at[1],
    at[2],
    wants.sums ? 1 : 0,
    sizesAt * 8,
    shiftsAt * 8,
    scattersAt * 8,
    labels,
    logLikelihoods,
  );
  const after = floats();
  const take = (from: number, length: number) => wants.sums ? after.slice(from, from + length) : new Float64Array(0);
  const result = {
    logLikelihood,
    scatters: take(scattersAt, k * dims4 * dims4),
    shifts: take(shiftsAt, k * dims4),
    sizes: take(sizesAt, k),
  };
  if (wants.labels) wants.labels.set(new Int32Array(simd.memory.buffer, labels, rows));
  if (wants.logLikelihoods) wants.logLikelihoods.set(new Float64Array(simd.memory.buffer, logLikelihoods, rows));
  for (const lent of [pointer, labels, logLikelihoods]) if (lent) simd.release(lent);
  return result;
}

/** Covariance that all classes share: the harmonic mean of theirs, which maximises the pooled objective. */
function sharedCovariance(packed: Packed, k: number, dims: number): Float64Array {
  const precision = new Float64Array(dims * dims);
  for (let c = 0; c < k; c++) {
    const inverse = inverseFromFactor(packed.inverses[c], dims);
    for (let i = 0; i < precision.length; i++) precision[i] += inverse[i] / k;
  }
  return inverseFromFactor(invertLower(factorise(precision, dims), dims), dims);
}

/** Sum over classes of ln|S_c| - ln|S_0| + tr(S_c^-1 S_0) - dims, halved: the divergence that `pooling` weighs. */
function divergence(packed: Packed, shared: Float64Array, k: number, dims: number): number {
  const factor = factorise(shared.slice(), dims);
  let logDeterminant = 0;
  for (let i = 0; i < dims; i++) logDeterminant += 2 * Math.log(factor[i * dims + i]);
  let sum = 0;
  for (let c = 0; c < k; c++) {
    const inverse = inverseFromFactor(packed.inverses[c], dims);
    let trace = 0;
    for (let i = 0; i < inverse.length; i++) trace += inverse[i] * shared[i];
    sum += (packed.logDeterminants[c] - logDeterminant + trace - dims) / 2;
  }
  return sum;
}

/** New parameters from the sums of a sweep about the old means. */
function maximise(old: Mixture, sums: Sums, rows: number, regularisation: number, pooling: number, shared: Float64Array | null): Mixture {
  const { k, dims } = old;
  const dims4 = (dims + 3) & ~3;
  const weights = new Float64Array(k), means = new Float64Array(k * dims), covariances = new Float64Array(k * dims * dims);
  for (let c = 0; c < k; c++) {
    const size = sums.sizes[c];
    weights[c] = size / rows;
    const shift = (i: number) => sums.shifts[c * dims4 + i] / size;
    if (!(size > 1e-8)) {
      // A class that has lost every row stays where it was, with no weight.
      means.set(old.means.subarray(c * dims, (c + 1) * dims), c * dims);
      covariances.set(old.covariances.subarray(c * dims * dims, (c + 1) * dims * dims), c * dims * dims);
      continue;
    }
    for (let i = 0; i < dims; i++) {
      means[c * dims + i] = old.means[c * dims + i] + shift(i);
      for (let j = 0; j <= i; j++) {
        let scatter = sums.scatters[(c * dims4 + i) * dims4 + j] - size * shift(i) * shift(j);
        if (shared) scatter += pooling * shared[i * dims + j];
        const value = scatter / (size + (shared ? pooling : 0)) + (i === j ? regularisation : 0);
        covariances[(c * dims + i) * dims + j] = covariances[(c * dims + j) * dims + i] = value;
      }
    }
  }
  return { k, dims, weights, means, covariances };
}

/**
 * Fits a mixture to `table` from the parameters `start`.
 *
 * Each iteration is one pass over the table: O(rows k dims^2). Deterministic, and the same on every machine.
 * @throws {ShapeError} When `start.dims` is not the table's.
 * @see Dempster, Laird and Rubin 1977; the update with `regularisation` is scikit-learn's.
 */
export function fitMixture(table: MixtureTable, start: Mixture, options: MixtureFitOptions): MixtureFit {
  const { k, dims } = start;
  if (dims !== table.dims) throw new ShapeError(`the mixture has ${dims} dimensions, the table ${table.dims}`);
  const pooling = options.pooling ?? 0;
  let mixture = start;
  let converged = false;
  let iterations = 0;
  const trace: number[] = [];
  const measure = (wants: { sums: boolean; labels?: Int32Array }) => {
    const packed = pack(mixture);
    const shared = pooling > 0 && k > 1 ? sharedCovariance(packed, k, dims) : null;
    const sums = sweep(table, k, packed, wants);
    trace.push(sums.logLikelihood - (shared ? pooling * divergence(packed, shared, k, dims) : 0));
    return { sums, shared };
  };
  let sizes = new Float64Array(k);
  while (iterations < options.maxIterations && !converged) {
    const { sums, shared } = measure({ sums: true });
    sizes = sums.sizes as Float64Array<ArrayBuffer>;
    mixture = maximise(mixture, sums, table.rows, options.regularisation, pooling, shared);
    iterations++;
    const n = trace.length;
    converged = n > 1 && trace[n - 1] - trace[n - 2] < options.tolerance * table.rows;
  }
  const labels = new Int32Array(table.rows);
  const { sums } = measure({ sums: false, labels });
  return { mixture, logLikelihood: sums.logLikelihood, trace, iterations, converged, labels, sizes };
}

/**
 * The most probable class and the natural-log density of every row.
 *
 * A row's result does not depend on the other rows. Shapes: `labels` [rows], `logLikelihood` [rows].
 */
export function evaluateMixture(table: MixtureTable, mixture: Mixture): { labels: Int32Array; logLikelihood: Float64Array } {
  const labels = new Int32Array(table.rows), logLikelihood = new Float64Array(table.rows);
  sweep(table, mixture.k, pack(mixture), { sums: false, labels, logLikelihoods: logLikelihood });
  return { labels, logLikelihood };
}

/**
 * Parameters of a mixture whose classes are the given labels: one maximisation step.
 *
 * `values` [rows, dims]; `labels` [rows], 0..k-1 (other values are left out). An empty class gets the whole table's mean and covariance
 * and no weight. Two passes, so far-off means do no harm.
 */
export function mixtureFromLabels(
  values: Float32Array | Float64Array,
  dims: number,
  labels: ArrayLike<number>,
  k: number,
  regularisation: number,
  pooling = 0,
): Mixture {
  const rows = values.length / dims;
  if (labels.length !== rows) throw new ShapeError(`${labels.length} labels for ${rows} rows`);
  const weights = new Float64Array(k), means = new Float64Array((k + 1) * dims), scatters = new Float64Array((k + 1) * dims * dims);
  const sizes = new Float64Array(k + 1);
  // Slot k is the whole table, for empty classes.
  const slots = (row: number) => labels[row] >= 0 && labels[row] < k ? [labels[row], k] : [];
  for (let row = 0; row < rows; row++) {
    for (const c of slots(row)) {
      sizes[c]++;
      for (let i = 0; i < dims; i++) means[c * dims + i] += values[row * dims + i];
    }
  }
  for (let c = 0; c <= k; c++) for (let i = 0; i < dims; i++) means[c * dims + i] /= sizes[c] || 1;
  const delta = new Float64Array(dims);
  for (let row = 0; row < rows; row++) {
    for (const c of slots(row)) {
      for (let i = 0; i < dims; i++) delta[i] = values[row * dims + i] - means[c * dims + i];
      for (let i = 0; i < dims; i++) {
        const at = (c * dims + i) * dims;
        for (let j = 0; j <= i; j++) scatters[at + j] += delta[i] * delta[j];
      }
    }
  }
  const within = new Float64Array(dims * dims);
  for (let c = 0; c < k; c++) for (let i = 0; i < within.length; i++) within[i] += scatters[c * dims * dims + i] / (sizes[k] || 1);
  const covariances = new Float64Array(k * dims * dims);
  for (let c = 0; c < k; c++) {
    const source = sizes[c] > 0 ? c : k;
    weights[c] = sizes[c] / (sizes[k] || 1);
    if (source === k) means.copyWithin(c * dims, k * dims, (k + 1) * dims);
    for (let i = 0; i < dims; i++) {
      for (let j = 0; j <= i; j++) {
        const value = (scatters[(source * dims + i) * dims + j] + pooling * within[i * dims + j]) / ((sizes[source] || 1) + pooling) +
          (i === j ? regularisation : 0);
        covariances[(c * dims + i) * dims + j] = covariances[(c * dims + j) * dims + i] = value;
      }
    }
  }
  return { k, dims, weights, means: means.slice(0, k * dims), covariances };
}
