/**
 * One number of classes: its best fit and what the criteria say of it.
 * @module
 */
import type { PluginContext } from "../../../streams/contract.ts";
import { akaikeInformation, bayesianInformation, completedLikelihood, mixtureParameters } from "../../kernels/criteria.ts";
import { evaluateMixture, MixtureTable } from "../../kernels/mixture.ts";
import { better, type FoundMixture, type SearchSettings } from "../../kernels/mixture_search.ts";
import type { PartitionMeasures } from "../../kernels/partition_measures.ts";

const SEARCH = new URL("../../kernels/mixture_search.ts", import.meta.url).href;
const MEASURES = new URL("../../kernels/partition_measures.ts", import.meta.url).href;
/** Starts of one unit of work: part of the method, because only the best of a group goes on. */
const STARTS_A_GROUP = 5;
/** Starts that are fitted to the end. */
const LONG_RUNS = 2;
/** Folds of the cross-validation. */
const FOLDS = 5;

/** Fewer rows than this leave a fold next to nothing: the Bayesian criterion decides. */
const FEWEST_VALIDATED = 4 * FOLDS;

/** A table in memory that workers share. */
export interface SharedTable {
  /** `[rows, dims]` over a SharedArrayBuffer. */
  readonly values: Float64Array;
  /** Rows. */
  readonly rows: number;
  /** Principal components. */
  readonly dims: number;
  /** `[rows]` fold of each row, drawn once. */
  readonly folds: Uint8Array;
}

/** A fitted number of classes. */
export interface Candidate {
  /** Its best fit. */
  readonly found: FoundMixture;
  /** All parameters count. */
  readonly bic: number;
  /** Covariances alone count. */
  readonly bicPaper: number;
  /** Akaike's criterion. */
  readonly aic: number;
  /** The integrated completed likelihood. */
  readonly icl: number;
  /** What it leaves of the scatter, for the criteria that compare numbers of classes. */
  readonly measures: PartitionMeasures;
  /** `[rows]` log density of each row under a fit without its fold; null when it was not asked for. */
  readonly heldOut: Float64Array | null;
}

/** Puts coordinates into shared memory and draws folds. */
export function shareTable(values: Float64Array, dims: number, context: PluginContext, key: number): SharedTable {
  const shared = new Float64Array(new SharedArrayBuffer(values.byteLength));
  shared.set(values);
  const rows = values.length / dims;
  const folds = new Uint8Array(rows);
  context.random("folds", key).permutation(rows).forEach((row, i) => folds[row] = i % FOLDS);
  return { values: shared, rows, dims, folds };
}

/** The best of `restarts` k-means++ starts and of the given labels. Deterministic, whatever the pool's size. */
export async function searchStarts(
  table: SharedTable,
  k: number,
  restarts: number,
  warm: readonly Int32Array[],
  settings: SearchSettings,
  context: PluginContext,
  seed: number,
): Promise<FoundMixture> {
  const { signal, pool } = context;
  const jobs: Promise<FoundMixture>[] = warm.map((labels) =>
    pool.run<FoundMixture>(SEARCH, "continueLabels", [table.values, k, labels, settings], { signal })
  );
  const short: Promise<FoundMixture>[] = [];
  // One class has one optimum.
  const starts = k === 1 ? Math.min(1, restarts) : restarts;
  for (let from = 0; from < starts; from += STARTS_A_GROUP) {
    const to = Math.min(starts, from + STARTS_A_GROUP);
    short.push(pool.run<FoundMixture>(SEARCH, "startMixtures", [table.values, k, seed, from, to, settings], { signal }));
  }
  const order = (a: FoundMixture, b: FoundMixture) => better(a, b) ? -1 : better(b, a) ? 1 : 0;
  const promising = (await Promise.all(short)).sort(order).slice(0, LONG_RUNS);
  for (const start of promising) jobs.push(goOn(table, start, settings, context));
  return (await Promise.all(jobs)).sort(order)[0];
}

/** Goes on from parameters found on another table of the same columns. */
export function goOn(table: SharedTable, start: FoundMixture, settings: SearchSettings, context: PluginContext): Promise<FoundMixture> {
  const { signal, pool } = context;
  return pool.run<FoundMixture>(SEARCH, "continueMixture", [table.values, start, settings], { signal });
}

/** Criteria of a fit; cross-validated likelihood when `validate`. */
export async function judge(
  table: SharedTable,
  found: FoundMixture,
  validate: boolean,
  settings: SearchSettings,
  context: PluginContext,
): Promise<Candidate> {
  const { rows, dims, values, folds } = table, { k } = found;
  const measuring = context.pool.run<PartitionMeasures>(MEASURES, "measurePartition", [values, found], { signal: context.signal });
  // When a fold fails first, this must not fail unheard.
  measuring.catch(() => {});
  let heldOut: Float64Array | null = null;
  if (validate && rows >= FEWEST_VALIDATED) {
    const { labels } = labelRows(values, found);
    const parts = await Promise.all(
      Array.from(
        { length: FOLDS },
        (_, fold) =>
          context.pool.run<Float64Array>(SEARCH, "crossValidateFold", [values, k, labels, folds, fold, settings], {
            signal: context.signal,
          }),
      ),
    );
    const next = new Int32Array(FOLDS);
    heldOut = Float64Array.from(folds, (fold) => parts[fold][next[fold]++]);
  }
  const measures = await measuring;
  const parameters = mixtureParameters(k, dims, "full"), bic = bayesianInformation(found.logLikelihood, parameters, rows);
  return {
    found,
    bic,
    aic: akaikeInformation(found.logLikelihood, parameters),
    icl: completedLikelihood(bic, measures.entropy),
    measures,
    bicPaper: bayesianInformation(found.logLikelihood, mixtureParameters(k, dims, "paper"), rows),
    heldOut,
  };
}

/** Most probable classes and log densities of coordinates `[rows, dims]`. */
export function labelRows(values: Float64Array, mixture: FoundMixture): { labels: Int32Array; logLikelihood: Float64Array } {
  if (values.length === 0) return { labels: new Int32Array(), logLikelihood: new Float64Array() };
  using table = new MixtureTable(values, mixture.dims);
  return evaluateMixture(table, mixture);
}

/** Mean cross-validated log density a row; -Infinity when there is none. */
export function heldOutMean({ heldOut }: Candidate): number {
  return heldOut ? heldOut.reduce((sum, value) => sum + value, 0) / heldOut.length : -Infinity;
}
