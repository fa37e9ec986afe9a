/**
 * Searches for good mixtures: many starts, warm starts from labels, cross-validation. Every function is a unit of work for a pool: plain
 * arguments, the table in shared memory, results that do not depend on who runs it.
 * @module
 */
import { evaluateMixture, fitMixture, type Mixture, mixtureFromLabels, MixtureTable } from "./mixture.ts";
import { kmeans } from "./kmeans.ts";
import { createRandom } from "./random.ts";

/** What all searches share. */
export interface SearchSettings {
  /** Number of features. */
  readonly dims: number;
  /** Added to the diagonals, absolute. */
  readonly regularisation: number;
  /** See {@linkcode import("./mixture.ts").MixtureFitOptions}. */
  readonly pooling: number;
  /** Most iterations of a full fit. */
  readonly maxIterations: number;
  /** Objective per row below which a fit has converged. */
  readonly tolerance: number;
}

/** A fitted mixture as it travels between threads. */
export interface FoundMixture extends Mixture {
  /** Sum over rows of the natural-log density. */
  readonly logLikelihood: number;
  /** What the search maximises: the likelihood, less the penalty of pooling. */
  readonly objective: number;
  /** The smallest class holds too few rows for its own covariance: the likelihood cannot be compared. */
  readonly degenerate: boolean;
}

/**
 * How far k-means starts flatten the table: coordinates are divided by deviation to this power, in turn. Starts on whitened coordinates
 * reach the better optima (docs/decisions.md); the others are there for variety.
 */
const WHITENING = [1, 0.75, 1, 0.5, 0.25];
/** k-means only has to come near: the mixture goes on from there. */
const LLOYD_ITERATIONS = 10;
/** Iterations after which starts of one group are compared and all but the best dropped. */
const SHORT_RUN = 8;
/** Iterations from the labels of the whole table on a training fold. */
const FOLD_RUN = 15;

/**
 * Runs starts `from .. to - 1` of k classes for a few iterations each and gives the best: to be carried on by {@linkcode continueMixture}.
 *
 * `values` [rows, dims], float64. Deterministic in (seed, k, start number).
 * @see Biernacki, Celeux and Govaert 2003, "Choosing starting values for the EM algorithm": short runs, then one long.
 */
export function startMixtures(
  values: Float64Array,
  k: number,
  seed: number,
  from: number,
  to: number,
  settings: SearchSettings,
): FoundMixture {
  const { dims } = settings;
  using table = new MixtureTable(values, dims);
  const deviations = columnDeviations(values, dims);
  let best: FoundMixture | null = null;
  for (let start = from; start < to; start++) {
    const power = WHITENING[start % WHITENING.length];
    const scale = deviations.map((deviation) => deviation > 0 ? deviation ** -power : 1);
    const flattened = values.map((value, i) => value * scale[i % dims]);
    const { labels } = kmeans(flattened, dims, k, createRandom(seed, "mixture start", k, start), { maxIterations: LLOYD_ITERATIONS });
    const first = mixtureFromLabels(values, dims, labels, k, settings.regularisation, settings.pooling);
    const found = improve(table, first, { ...settings, maxIterations: SHORT_RUN });
    if (!best || better(found, best)) best = found;
  }
  return best!;
}

/** Fits from the classes given by `labels` [rows] (0..k-1). */
export function continueLabels(values: Float64Array, k: number, labels: Int32Array, settings: SearchSettings): FoundMixture {
  using table = new MixtureTable(values, settings.dims);
  const start = mixtureFromLabels(values, settings.dims, labels, k, settings.regularisation, settings.pooling);
  return improve(table, start, settings);
}

/** Fits from the parameters `start`. */
export function continueMixture(values: Float64Array, start: Mixture, settings: SearchSettings): FoundMixture {
  using table = new MixtureTable(values, settings.dims);
  return improve(table, start, settings);
}

/** Whether `a` is to be kept rather than `b`: not degenerate, then the higher objective. */
export function better(a: FoundMixture, b: FoundMixture): boolean {
  return a.degenerate !== b.degenerate ? b.degenerate : a.objective > b.objective;
}

function improve(table: MixtureTable, start: Mixture, settings: SearchSettings): FoundMixture {
  const fit = fitMixture(table, start, settings);
  const smallest = fit.sizes.length > 0 ? Math.min(...fit.sizes) : table.rows;
  return {
    ...fit.mixture,
    logLikelihood: fit.logLikelihood,
    objective: fit.trace[fit.trace.length - 1],
    degenerate: fit.mixture.k > 1 && smallest < settings.dims + 2,
  };
}

function columnDeviations(values: Float64Array, dims: number): Float64Array {
  const rows = values.length / dims;
  const sums = new Float64Array(dims), squares = new Float64Array(dims);
  for (let i = 0; i < values.length; i++) sums[i % dims] += values[i] / rows;
  for (let i = 0; i < values.length; i++) squares[i % dims] += (values[i] - sums[i % dims]) ** 2 / rows;
  return squares.map(Math.sqrt);
}

/**
 * Log densities of one fold's rows under a mixture fitted to the other folds, starting from the classes `labels` of the whole table.
 *
 * `folds` [rows] says which fold a row is in. Returns one value a row of fold `fold`, in row order.
 */
export function crossValidateFold(
  values: Float64Array,
  k: number,
  labels: Int32Array,
  folds: Uint8Array,
  fold: number,
  settings: SearchSettings,
): Float64Array {
  const { dims } = settings;
  const rows = folds.length;
  let held = 0;
  for (let row = 0; row < rows; row++) if (folds[row] === fold) held++;
  const training = new Float64Array((rows - held) * dims), test = new Float64Array(held * dims);
  const trainingLabels = new Int32Array(rows - held);
  let a = 0, b = 0;
  for (let row = 0; row < rows; row++) {
    const from = values.subarray(row * dims, (row + 1) * dims);
    if (folds[row] === fold) test.set(from, dims * b++);
    else {
      trainingLabels[a] = labels[row];
      training.set(from, dims * a++);
    }
  }
  using table = new MixtureTable(training, dims);
  const start = mixtureFromLabels(training, dims, trainingLabels, k, settings.regularisation, settings.pooling);
  const { mixture } = fitMixture(table, start, { ...settings, maxIterations: Math.min(FOLD_RUN, settings.maxIterations) });
  using tested = new MixtureTable(test, dims);
  return evaluateMixture(tested, mixture).logLikelihood;
}
