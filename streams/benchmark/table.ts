/**
 * Cells of the benchmark as tables: means and deviations over seeds.
 * @module
 */
import type { Cell } from "./cells.ts";

/** One row: a method on a condition over all its seeds. */
export interface Row {
  readonly set: string;
  readonly condition: string;
  readonly method: string;
  /** Size of the set. */
  readonly boxes: number;
  readonly boxVoxels: number;
  readonly cells: readonly Cell[];
}

/** Mean and sample deviation; the deviation of one value is null, and so are both of none. */
export function summarise(values: readonly (number | null)[]): { mean: number | null; deviation: number | null } {
  const known = values.filter((value) => value !== null), n = known.length;
  if (n === 0) return { mean: null, deviation: null };
  const mean = known.reduce((sum, value) => sum + value, 0) / n;
  return { mean, deviation: n < 2 ? null : Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1)) };
}

/** Groups cells into rows, in the order of `cells`. */
export function groupCells(cells: readonly Cell[]): Row[] {
  const rows = new Map<string, Row & { cells: Cell[] }>();
  for (const cell of cells) {
    const { set, condition, method, boxes, boxVoxels } = cell;
    const key = JSON.stringify([set, condition, method, boxes, boxVoxels]);
    const row = rows.get(key);
    if (row) row.cells.push(cell);
    else rows.set(key, { set, condition, method, boxes, boxVoxels, cells: [cell] });
  }
  return [...rows.values()];
}

function figure(values: readonly (number | null)[], digits = 3): string {
  const { mean, deviation } = summarise(values);
  if (mean === null) return "-";
  return deviation === null ? mean.toFixed(digits) : `${mean.toFixed(digits)} ± ${deviation.toFixed(digits)}`;
}

function markdown(header: readonly string[], body: readonly (readonly string[])[]): string {
  return [header, header.map(() => "---"), ...body].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

const COLUMNS: readonly [string, (row: Row) => string][] = [
  ["method", ({ method }) => method],
  ["seeds", ({ cells }) => String(cells.length)],
  ["ARI", ({ cells }) => figure(cells.map(({ ari }) => ari))],
  ["homogeneity", ({ cells }) => figure(cells.map(({ homogeneity }) => homogeneity))],
  ["completeness", ({ cells }) => figure(cells.map(({ completeness }) => completeness))],
  ["V-measure", ({ cells }) => figure(cells.map(({ vMeasure }) => vMeasure))],
  ["accuracy", ({ cells }) => figure(cells.map(({ accuracy }) => accuracy))],
  ["K found", ({ cells }) => figure(cells.map(({ k }) => k), 1)],
  ["seconds", ({ cells }) => figure(cells.map(({ seconds }) => seconds), 0)],
  ["processor seconds", ({ cells }) => figure(cells.map(({ cpuSeconds }) => cpuSeconds), 0)],
];
const PICKS: readonly [string, (row: Row) => string][] = [
  ["recall", ({ cells }) => figure(cells.map(({ recall }) => recall))],
  ["precision", ({ cells }) => figure(cells.map(({ precision }) => precision))],
  ["V-measure with false picks", ({ cells }) => figure(cells.map(({ vMeasureWithFalsePicks }) => vMeasureWithFalsePicks))],
];

/** The full table of each condition, in Markdown; `summaryOf` says in words what a condition is. */
export function conditionTables(rows: readonly Row[], summaryOf: (condition: string) => string): string {
  const groups = Map.groupBy(rows, (row) => JSON.stringify([row.set, row.condition, row.boxes, row.boxVoxels]));
  return [...groups.values()].map((group) => {
    const [{ set, condition, boxes, boxVoxels, cells }] = group;
    const columns = group.some((row) => row.cells.some(({ recall }) => recall !== null)) ? [...COLUMNS, ...PICKS] : COLUMNS;
    const title = `${condition} (${set}): ${summaryOf(condition)}; ${boxes} boxes of ${boxVoxels}, ${cells[0].trueK} true class${
      cells[0].trueK === 1 ? "" : "es"
    }`;
    return `${title}\n\n${markdown(columns.map(([name]) => name), group.map((row) => columns.map(([, value]) => value(row))))}`;
  }).join("\n\n");
}

/** One figure of all conditions by method, in Markdown. */
export function overview(rows: readonly Row[], name: "ari" | "vMeasure" | "k"): string {
  const methods = [...new Set(rows.map(({ method }) => method))];
  const groups = Map.groupBy(rows, ({ set, condition, boxes, boxVoxels }) => `${condition}, ${boxes} x ${boxVoxels}^3, ${set}`);
  const body = [...groups].map(([condition, group]) => [
    condition,
    ...methods.map((method) =>
      figure((group.find((row) => row.method === method)?.cells ?? []).map((cell) => cell[name]), name === "k" ? 1 : 3)
    ),
  ]);
  return markdown([{ ari: "ARI", vMeasure: "V-measure", k: "K found" }[name], ...methods], body);
}
