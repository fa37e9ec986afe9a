/**
 * How far two partitions of the same things agree: the figures that the field reports for clusterings with known truth.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";
import { assign } from "./assignment.ts";

/** Counts of things by true label (rows) and by given label (columns). */
export interface ConfusionTable {
  /** Distinct true labels, ascending: numbers by value, text by code unit, numbers before text. */
  readonly trueLabels: readonly (string | number)[];
  /** Distinct given labels, in the same order. */
  readonly givenLabels: readonly (string | number)[];
  /** `[trueLabels.length, givenLabels.length]` row-major. */
  readonly counts: Float64Array;
  /** Sum of all counts. */
  readonly total: number;
}

/** Figures of agreement; all are 1 for equal partitions, whatever the labels are called. */
export interface Agreement {
  /** Adjusted Rand index: 0 expected by chance, never above 1, may be negative. */
  readonly ari: number;
  /** 1 when each given class holds one true class only. */
  readonly homogeneity: number;
  /** 1 when each true class lies in one given class only. */
  readonly completeness: number;
  /** Harmonic mean of homogeneity and completeness. */
  readonly vMeasure: number;
  /** Share of things on matched cells, when given classes are matched one to one to true ones in the best way. */
  readonly accuracy: number;
}

/** Numbers by value, then text by code unit: the same order on every machine, unlike a locale's collation. */
function compareLabels(a: string | number, b: string | number): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "number") return -1;
  if (typeof b === "number") return 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

function distinct(labels: ArrayLike<string | number>): { labels: (string | number)[]; index: Map<string | number, number> } {
  const seen = new Set<string | number>();
  for (let i = 0; i < labels.length; i++) seen.add(labels[i]);
  const sorted = [...seen].sort(compareLabels);
  return { labels: sorted, index: new Map(sorted.map((label, i) => [label, i])) };
}

/**
 * Counts how often each true label meets each given label.
 *
 * Shapes: both lists [n]. Cost: O(n + labels log labels).
 * @throws {ShapeError} When the lists differ in length.
 */
export function tabulateConfusion(truth: ArrayLike<string | number>, given: ArrayLike<string | number>): ConfusionTable {
  if (truth.length !== given.length) {
    throw new ShapeError(`${truth.length} true labels beside ${given.length} given ones: one of each is needed for every particle`);
  }
  const rows = distinct(truth);
  const columns = distinct(given);
  const width = columns.labels.length;
  const counts = new Float64Array(rows.labels.length * width);
  for (let i = 0; i < truth.length; i++) counts[rows.index.get(truth[i])! * width + columns.index.get(given[i])!]++;
  return { trueLabels: rows.labels, givenLabels: columns.labels, counts, total: truth.length };
}

function marginals(table: ConfusionTable): { rows: Float64Array; columns: Float64Array } {
  const width = table.givenLabels.length;
  const rows = new Float64Array(table.trueLabels.length);
  const columns = new Float64Array(width);
  for (let r = 0; r < rows.length; r++) {
    for (let c = 0; c < width; c++) {
      rows[r] += table.counts[r * width + c];
      columns[c] += table.counts[r * width + c];
    }
  }
  return { rows, columns };
}

/** Entropy of a partition in nats. */
function entropy(sizes: Float64Array, total: number): number {
  let sum = 0;
  for (const size of sizes) if (size > 0) sum -= (size / total) * Math.log(size / total);
  return sum;
}

/** Mutual information of the two partitions in nats, never below zero. */
function mutualInformation(table: ConfusionTable, rows: Float64Array, columns: Float64Array): number {
  const { counts, total } = table;
  let sum = 0;
  for (let r = 0; r < rows.length; r++) {
    for (let c = 0; c < columns.length; c++) {
      const count = counts[r * columns.length + c];
      if (count > 0) sum += (count / total) * (Math.log(count / rows[r]) + Math.log(total / columns[c]));
    }
  }
  return Math.max(0, sum);
}

function adjustedRandIndex(table: ConfusionTable, rows: Float64Array, columns: Float64Array): number {
  const squares = (values: Float64Array) => values.reduce((sum, value) => sum + value * value, 0);
  const { counts, total } = table;
  const cells = squares(counts);
  // Ordered pairs: together in both, in the given one only, in the true one only, in neither.
  const both = cells - total;
  const givenOnly = squares(columns) - cells;
  const trueOnly = squares(rows) - cells;
  const neither = total * total - both - givenOnly - trueOnly - total;
  if (givenOnly === 0 && trueOnly === 0) return 1;
  return (2 * (both * neither - trueOnly * givenOnly)) /
    ((both + trueOnly) * (trueOnly + neither) + (both + givenOnly) * (givenOnly + neither));
}

/**
 * Matches given classes to true ones, one to one, so that as many things as possible lie on matched cells.
 *
 * Cost: that of the assignment, O(min^2 max) in the numbers of classes.
 * @returns For each given class the row of its true class, or -1 when there are more given classes than true ones.
 */
export function matchClasses(table: ConfusionTable): Int32Array {
  const height = table.trueLabels.length;
  const width = table.givenLabels.length;
  const rowOfColumn = new Int32Array(width).fill(-1);
  for (const [row, column] of assign(table.counts.map((count) => -count), height, width)) rowOfColumn[column] = row;
  return rowOfColumn;
}

/**
 * Measures the agreement of the two partitions behind a confusion table.
 *
 * Float64 throughout; logarithms are natural (they cancel). Equal to scikit-learn's `adjusted_rand_score` and
 * `homogeneity_completeness_v_measure`; accuracy as in `scipy.optimize.linear_sum_assignment` over the table.
 * @throws {ShapeError} When the table is empty.
 * @see Hubert and Arabie 1985 (adjusted Rand index); Rosenberg and Hirschberg 2007 (V-measure).
 */
export function measureAgreement(table: ConfusionTable): Agreement {
  if (table.total === 0) throw new ShapeError("no particle to compare: agreement needs at least one");
  const { rows, columns } = marginals(table);
  const information = mutualInformation(table, rows, columns);
  const trueEntropy = entropy(rows, table.total);
  const givenEntropy = entropy(columns, table.total);
  const homogeneity = trueEntropy > 0 ? Math.min(1, information / trueEntropy) : 1;
  const completeness = givenEntropy > 0 ? Math.min(1, information / givenEntropy) : 1;
  const vMeasure = homogeneity + completeness > 0 ? (2 * homogeneity * completeness) / (homogeneity + completeness) : 0;
  let onMatched = 0;
  matchClasses(table).forEach((row, column) => {
    if (row >= 0) onMatched += table.counts[row * columns.length + column];
  });
  return { ari: adjustedRandIndex(table, rows, columns), homogeneity, completeness, vMeasure, accuracy: onMatched / table.total };
}
