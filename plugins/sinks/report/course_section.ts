/**
 * How the classes came about: figures of each iteration, model selection, lineage.
 * @module
 */
import type { RunView, Table } from "../../../streams/contract.ts";
import type { ClassStyle } from "../../kernels/palette.ts";
import { iterationNumber, type ReportFacts } from "./facts.ts";
import { formatCount, formatFigure, formatName, formatNoun, formatShare, Html, markup } from "./html.ts";
import { lineage } from "./lineage.ts";
import { type Chart, type ChartLine, classMarker, lineChart } from "./marks.ts";

/** What is said about the figures that learners usually give; others are drawn under their own name. */
const KNOWN: Readonly<Record<string, Partial<Chart> & { title: string }>> = {
  k: { title: "Classes", whole: true },
  labelChange: { title: "Label change", hint: "share of particles that changed class", format: formatShare },
  agreement: { title: "Rotation agreement", hint: "adjusted Rand index of labels when boxes are turned; higher is better" },
  ddbi: { title: "DDBI", hint: "spread within against distance between classes; lower is better" },
  bic: { title: "BIC", hint: "of the chosen model; comparable only for the same features" },
  loss: { title: "Training loss", hint: "mean over the iteration" },
  refineStability: { title: "Refinement stability", hint: "adjusted Rand index of labels when averages are made without the box" },
  refineConfidence: { title: "Refinement confidence", hint: "mean probability of a box's class under such averages" },
};
/** Said elsewhere, or not a figure of the classes. */
const LEFT_OUT = new Set(["iteration", "index", "seconds", "best", "finished"]);

function charts({ iterations, keptIteration }: RunView): Html[] {
  const keys = new Set(
    iterations.flatMap((row) => Object.entries(row).filter(([, value]) => typeof value === "number").map(([key]) => key)),
  );
  const ordered = [
    ...Object.keys(KNOWN).filter((key) => keys.has(key)),
    ...[...keys].filter((key) => !(key in KNOWN) && !LEFT_OUT.has(key)).sort(),
  ];
  const drawn = ordered.map((key) =>
    lineChart({
      ...(KNOWN[key] ?? { title: formatName(key) }),
      xName: "iteration",
      marked: keptIteration,
      lines: [{
        points: iterations.map((row, i) => [iterationNumber(row, i), typeof row[key] === "number" ? row[key] : null]),
      }],
    })
  );
  return drawn.filter((chart) => chart !== null);
}

const CRITERION: Readonly<Record<string, string>> = {
  k: "K",
  bic: "BIC",
  bicFull: "BIC, all parameters",
  aic: "AIC",
  bicPaper: "BIC, parameters as in the paper",
  parametersPaper: "parameters as in the paper",
  icl: "ICL",
  ch: "Calinski-Harabasz (higher is better)",
  kl: "Krzanowski-Lai (higher is better)",
  jump: "jump (higher is better)",
  logLikelihood: "log-likelihood",
  heldOutLogLikelihood: "log-likelihood a box, left out (higher is better)",
};

function selection(facts: ReportFacts): Html | null {
  const { criteria } = facts.view;
  if (criteria.length === 0) return null;
  const columns = [...new Set(criteria.flatMap((row) => Object.keys(row)))];
  const chosen = facts.classes.length;
  const bic = columns.find((name) => name.toLowerCase() === "bic") ?? columns.find((name) => /bic/i.test(name));
  // One row a candidate K; a learner that splits and merges gives one row a round instead.
  const byK = new Set(criteria.map((row) => row.k)).size === criteria.length && criteria.every((row) => typeof row.k === "number");
  const sorted = byK ? criteria.toSorted((a, b) => a.k - b.k) : criteria;
  const chart = bic === undefined || criteria.length < 2 || !byK ? null : lineChart({
    title: CRITERION[bic] ?? formatName(bic),
    hint: "lower is better",
    xName: "number of classes K",
    marked: chosen,
    lines: [{ points: sorted.map((row) => [row.k, row[bic] ?? null]) }],
  });
  return markup`<h3>${
    byK ? "Choosing the number of classes" : "Splitting and merging classes"
  }</h3><div class="pair">${chart}<div class="scroll"><table><thead><tr>${
    columns.map((name) => markup`<th scope="col" class="n">${CRITERION[name] ?? formatName(name)}</th>`)
  }</tr></thead><tbody>${
    sorted.map((row) =>
      markup`<tr${byK && row.k === chosen ? new Html(' class="chosen"') : null}>${
        columns.map((name) => markup`<td class="n">${formatFigure(row[name], 5)}</td>`)
      }</tr>`
    )
  }</tbody></table></div></div>`;
}

/** The section on iterations and model selection; null when the run has neither. */
export function courseSection(facts: ReportFacts): Html | null {
  const { iterations, keptIteration, converged } = facts.view;
  const drawn = iterations.length > 1 ? charts(facts.view) : [];
  const choice = selection(facts);
  if (drawn.length === 0 && choice === null) return null;
  return markup`<section id="course"><h2>How the classes came about</h2>${
    iterations.length > 1
      ? markup`<p class="how">${formatNoun(iterations.length, "iteration")}, ${
        converged ? "until the labels stood still" : "the most that were allowed"
      }; iteration ${keptIteration}, marked, was kept.</p>`
      : null
  }<div class="charts">${drawn}</div>${lineage(facts)}${choice}</section>`;
}

/** Rows of a table that are written out. */
const TABLE_ROWS = 60;

function tableView(table: Table, classStyles: ReadonlyMap<number, ClassStyle>): Html {
  const names = Object.keys(table.columns);
  const count = names.length > 0 ? table.columns[names[0]].length : 0;
  const numeric = names.filter((name) => table.columns[name].every((value) => typeof value === "number"));
  // Curves: a first column that rises, all others numbers, and more rows than one reads.
  const [first, ...others] = names;
  const rises = numeric.length === names.length && names.length > 1 && count >= 8 &&
    table.columns[first].every((value, i, all) => i === 0 || (value as number) > (all[i - 1] as number));
  const styleOf = (name: string) => classStyles.get(Number(/^class (-?\d+)/.exec(name)?.[1]));
  const lineOf = (name: string): ChartLine => ({
    name,
    style: styleOf(name),
    points: table.columns[first].map((x, i) => [x as number, table.columns[name][i] as number]),
  });
  // Curves of classes share one chart; other figures have scales of their own.
  const together = others.every((name) => styleOf(name) !== undefined);
  const drawn = others.filter((name) => !/^(epoch|step|round|iteration)$/i.test(name));
  const xName = formatName(first);
  const range = /fsc/i.test(table.name) ? { yRange: [-0.1, 1.02] as const } : {};
  const charts = !rises
    ? []
    : together
    ? [lineChart({ title: table.name, xName, lines: others.map(lineOf), ...range })]
    : drawn.slice(0, 6).map((name) => lineChart({ title: table.name, hint: formatName(name), xName, lines: [lineOf(name)], ...range }));
  const legend = charts.length > 0 && together
    ? markup`<p class="legend">${others.map((name) => markup`<span>${classMarker(styleOf(name)!)} ${formatName(name)}</span> `)}</p>`
    : null;
  // What stands beside each class already is here for completeness.
  const isOfClasses = names.some((name) => name === "classId" || name === "class");
  const rows = markup`<div class="scroll"><table><thead><tr>${
    names.map((name) => markup`<th scope="col"${numeric.includes(name) ? new Html(' class="n"') : null}>${formatName(name)}</th>`)
  }</tr></thead><tbody>${
    Array.from({ length: Math.min(count, TABLE_ROWS) }, (_, i) =>
      markup`<tr>${
        names.map((name) => {
          const value = table.columns[name][i];
          return typeof value === "number" ? markup`<td class="n">${formatFigure(value, 4)}</td>` : markup`<td><bdi>${value}</bdi></td>`;
        })
      }</tr>`)
  }</tbody></table></div>${count > TABLE_ROWS ? markup`<p class="how">The first ${TABLE_ROWS} of ${formatCount(count)} rows.</p>` : null}`;
  return markup`${charts.length > 0 ? markup`<div class="charts">${charts}</div>` : null}${legend}<details${
    charts.length > 0 || count > 12 || isOfClasses ? null : new Html(" open")
  }><summary>${table.name}: ${formatNoun(count, "row")}</summary>${rows}</details>`;
}

/** Tables of the class stages; null when there are none. */
export function tablesSection(facts: ReportFacts): Html | null {
  const styles = new Map(facts.classes.map(({ id, style }) => [id, style]));
  const stages = Object.entries(facts.view.classResults).filter(([, result]) => result.tables.length > 0);
  if (stages.length === 0) return null;
  return markup`<section id="tables"><h2>Measured on the classes</h2>${
    stages.map(([stage, result]) =>
      markup`<h3>${stage}</h3><div class="tables">${result.tables.map((table) => markup`<div>${tableView(table, styles)}</div>`)}</div>`
    )
  }</section>`;
}
