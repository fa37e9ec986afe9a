/**
 * How many classes: the ladder, its neighbours, and the choice.
 * @module
 */
import type { Clustering, PluginContext } from "../../../streams/contract.ts";
import { RunError } from "../../../streams/errors.ts";
import type { FoundMixture, SearchSettings } from "../../kernels/mixture_search.ts";
import { calinskiHarabasz, jump, krzanowskiLai, mixtureParameters } from "../../kernels/criteria.ts";
import { growOrShrink } from "../../kernels/relabel.ts";
import { type Candidate, goOn, heldOutMean, judge, labelRows, searchStarts, type SharedTable, shareTable } from "./candidate.ts";
import { BOXES_PER_PARAMETER, candidateLadder, classParameters, type Criterion, type GmmBicOptions } from "./options.ts";

/** Steps of the ladder without improvement that end the climb. */
const STEPS_WITHOUT_GAIN = 3;
/** Classes on either side of the best that are tried too. */
const NEIGHBOURS = 2;
/** Rise of the log-likelihood a box below which candidates are compared (scikit-learn's default for a fit). */
const COMPARING_TOLERANCE = 1e-3;
/** Standard errors by which held-out likelihood must speak for structure: below it one class stays. */
const STANDARD_ERRORS = 2;

/** What was chosen and between what. */
export interface Selection {
  /** The fit that was chosen. */
  readonly found: FoundMixture;
  /** What chose. */
  readonly criterion: Criterion;
  /** Its value of the Bayesian criterion, counted in full unless `bic-paper` chose. */
  readonly bic: number;
  /** One row a candidate. */
  readonly criteria: readonly Readonly<Record<string, number>>[];
}

/** Chooses the number of classes for `table` and fits it. */
export async function selectMixture(
  table: SharedTable,
  previous: Clustering | null,
  options: GmmBicOptions,
  settings: SearchSettings & { readonly finalPooling: number },
  context: PluginContext,
  key: number,
): Promise<Selection> {
  const ladder = candidateLadder(options, table.rows);
  if (ladder.length === 0) {
    throw new RunError(
      `${context.stage}: ${table.rows} boxes cannot make ${
        options.candidates!.join(" or ")
      } classes: give smaller candidates or more boxes`,
    );
  }
  const seed = context.random("starts", key).integer(2 ** 31);
  const sample = subsample(table, previous, options.subsampleBoxes, context, key);
  const validates = options.criterion === "auto" || options.criterion === "cross-validation";
  // What is only compared need not be exact; the chosen number of classes is fitted with the stated tolerance.
  const plain = { ...settings, pooling: 0, tolerance: Math.max(settings.tolerance, COMPARING_TOLERANCE) };
  const warmFor = (k: number) =>
    sample.previous && k > 1 ? [growOrShrink(sample.table.values, table.dims, sample.previous, previous!.k, k)] : [];

  const climbed = new Map<number, Candidate>();
  const tryClasses = async (k: number) => {
    const found = await searchStarts(sample.table, k, options.restarts, warmFor(k), plain, context, seed);
    climbed.set(k, await judge(sample.table, found, validates && !found.degenerate, plain, context));
  };
  for (const k of ladder) {
    await tryClasses(k);
    context.progress(climbed.size);
    if (!options.candidates && !stillClimbing(climbed, options.criterion, sample.table)) break;
  }
  const near = (best: number) => {
    const [least, most] = [ladder[0], Math.min(options.maximumClasses, Math.floor(sample.table.rows / 2))];
    return Array.from({ length: 2 * NEIGHBOURS + 1 }, (_, i) => best - NEIGHBOURS + i).filter((k) => k >= least && k <= most);
  };
  if (!options.candidates) {
    const around = new Set(bests(climbed, options.criterion, sample.table).flatMap(near));
    for (const k of around) if (!climbed.has(k)) await tryClasses(k);
  }
  let candidates = climbed, judged = sample.table;
  if (sample.table !== table) {
    candidates = new Map();
    judged = table;
    const wanted = options.candidates
      ? [...climbed.keys()]
      : [...new Set([1, ...bests(climbed, options.criterion, sample.table).flatMap(near)])];
    for (const k of wanted) {
      const start = climbed.get(k);
      if (!start) continue;
      const found = await goOn(table, start.found, plain, context);
      // With 1.5 boxes a parameter in every candidate, the Bayesian criterion will be trusted.
      const scarce = table.rows < BOXES_PER_PARAMETER * Math.max(...wanted) * classParameters(table.dims);
      candidates.set(
        k,
        await judge(table, found, validates && !found.degenerate && (scarce || options.criterion !== "auto"), plain, context),
      );
    }
  }
  const { k, criterion } = choose(candidates, options.criterion, judged);
  const chosen = candidates.get(k)!;
  const found = await finish(table, sample, chosen.found, options, settings, context, seed);
  return { found, criterion, bic: criterion === "bic-paper" ? chosen.bicPaper : chosen.bic, criteria: tabulate(candidates, judged, k) };
}

/** The pooled fit of the chosen number of classes, from the plain one and from twice as many starts. */
async function finish(
  table: SharedTable,
  sample: Sample,
  plain: FoundMixture,
  options: GmmBicOptions,
  settings: SearchSettings & { readonly finalPooling: number },
  context: PluginContext,
  seed: number,
): Promise<FoundMixture> {
  const { k } = plain;
  if (k === 1) return plain;
  if (settings.finalPooling === 0) return await goOn(table, plain, settings, context);
  const pooled = { ...settings, pooling: settings.finalPooling };
  const { labels } = labelRows(sample.table.values, plain);
  const found = await searchStarts(sample.table, k, 2 * options.restarts, [labels], pooled, context, seed);
  return sample.table === table ? found : await goOn(table, found, pooled, context);
}

interface Sample {
  readonly table: SharedTable;
  /** Labels of the iteration before on its rows. */
  readonly previous: Int32Array | null;
}

function subsample(table: SharedTable, previous: Clustering | null, limit: number, context: PluginContext, key: number): Sample {
  if (table.rows <= limit) return { table, previous: previous?.labels ?? null };
  const rows = context.random("subsample", key).permutation(table.rows).slice(0, limit).sort();
  const values = new Float64Array(limit * table.dims);
  rows.forEach((row, i) => values.set(table.values.subarray(row * table.dims, (row + 1) * table.dims), i * table.dims));
  return {
    table: shareTable(values, table.dims, context, key),
    previous: previous && Int32Array.from(rows, (row) => previous.labels[row]),
  };
}

type Candidates = ReadonlyMap<number, Candidate>;

/** One criterion's value of each candidate, lower is better; Infinity where it has none. */
function valuesOf(criterion: Criterion, candidates: Candidates, { rows, dims }: SharedTable): Map<number, number> {
  const of = (k: number, { found, ...candidate }: Candidate): number | null => {
    // A class of too few rows has whatever likelihood one likes.
    if (criterion === "cross-validation") return -heldOutMean({ found, ...candidate });
    if (found.degenerate) return null;
    if (criterion === "bic-paper") return candidate.bicPaper;
    if (criterion === "bic" || criterion === "aic" || criterion === "icl") return candidate[criterion];
    const value = scatterCriteria(k, candidates, rows, dims)[criterion];
    return value === undefined ? null : -value;
  };
  return new Map([...candidates].map(([k, candidate]) => [k, of(k, candidate) ?? Infinity]));
}

/** The criteria that look at the scatter within classes, higher is better; those that lack a neighbour are left out. */
function scatterCriteria(k: number, candidates: Candidates, rows: number, dims: number): { ch?: number; kl?: number; jump?: number } {
  const [before, own, after] = [k - 1, k, k + 1].map((other) => candidates.get(other)?.measures);
  const ch = own ? calinskiHarabasz(own.between, own.within, k, rows) : null;
  return {
    ...(ch === null ? {} : { ch }),
    ...(before && own && after ? { kl: krzanowskiLai([before.within, own.within, after.within], k, dims) } : {}),
    ...(own && own.distortion > 0 && (before || k === 1) ? { jump: jump(own.distortion, before?.distortion ?? null, dims) } : {}),
  };
}

/** The criteria that have a say. */
function deciding(criterion: GmmBicOptions["criterion"]): Criterion[] {
  return criterion === "auto" ? ["bic", "cross-validation"] : [criterion];
}

/** Whether some criterion has improved within the last steps. */
function stillClimbing(climbed: Candidates, criterion: GmmBicOptions["criterion"], table: SharedTable): boolean {
  return deciding(criterion).some((each) => {
    const values = [...valuesOf(each, climbed, table).values()];
    return values.length - 1 - values.indexOf(Math.min(...values)) < STEPS_WITHOUT_GAIN;
  });
}

/** Numbers of classes that one of the criteria likes best. */
function bests(candidates: Candidates, criterion: GmmBicOptions["criterion"], table: SharedTable): number[] {
  return [...new Set(deciding(criterion).map((each) => least(each, candidates, table)))];
}

function least(criterion: Criterion, candidates: Candidates, table: SharedTable): number {
  return [...valuesOf(criterion, candidates, table)].reduce((best, next) => next[1] < best[1] ? next : best)[0];
}

function choose(candidates: Candidates, criterion: GmmBicOptions["criterion"], table: SharedTable): { k: number; criterion: Criterion } {
  if (criterion !== "auto" && criterion !== "cross-validation") return { k: least(criterion, candidates, table), criterion };
  const bic = () => ({ k: least("bic", candidates, table), criterion: "bic" as const });
  if ([...candidates.values()].every((candidate) => candidate.heldOut === null)) return bic();
  const k = least("cross-validation", candidates, table);
  if (criterion === "auto" && table.rows >= BOXES_PER_PARAMETER * k * classParameters(table.dims)) return bic();
  const one = candidates.get(1);
  return { k: one?.heldOut && !speaksFor(candidates.get(k)!, one) ? 1 : k, criterion: "cross-validation" };
}

/** Whether `candidate` foretells rows better than `one` by more than chance. */
function speaksFor(candidate: Candidate, one: Candidate): boolean {
  if (candidate === one) return true;
  const rows = one.heldOut!.length;
  let sum = 0, square = 0;
  for (let row = 0; row < rows; row++) {
    const gain = candidate.heldOut![row] - one.heldOut![row];
    sum += gain / rows;
    square += gain * gain / rows;
  }
  return sum > STANDARD_ERRORS * Math.sqrt(Math.max(0, square - sum * sum) / rows);
}

function tabulate(candidates: Candidates, table: SharedTable, chosen: number): Record<string, number>[] {
  return [...candidates].sort((a, b) => a[0] - b[0]).map(([k, candidate]) => ({
    k,
    logLikelihood: candidate.found.logLikelihood,
    parameters: mixtureParameters(k, table.dims, "full"),
    parametersPaper: mixtureParameters(k, table.dims, "paper"),
    bic: candidate.bic,
    bicPaper: candidate.bicPaper,
    aic: candidate.aic,
    icl: candidate.icl,
    ...scatterCriteria(k, candidates, table.rows, table.dims),
    ...(candidate.heldOut ? { heldOutLogLikelihood: heldOutMean(candidate) } : {}),
    boxes: table.rows,
    components: table.dims,
    degenerate: candidate.found.degenerate ? 1 : 0,
    chosen: k === chosen ? 1 : 0,
  }));
}
