/**
 * Agreement with the truth: figures, and which true species went into which class.
 * @module
 */
import { type Agreement, matchClasses, measureAgreement, tabulateConfusion } from "../../kernels/agreement.ts";
import type { ReportFacts } from "./facts.ts";
import { formatCount, formatShare, type Html, markup } from "./html.ts";
import { classMarker } from "./marks.ts";

/** A false pick's class: a number cannot be a label of the truth. */
const FALSE_PICK = -1;

/** Order that puts matched pairs on the diagonal, the largest species first. */
function orderTable(table: ReturnType<typeof tabulateConfusion>): { rows: number[]; columns: number[] } {
  const width = table.givenLabels.length;
  const size = (row: number) => table.counts.subarray(row * width, (row + 1) * width).reduce((a, b) => a + b, 0);
  const rows = table.trueLabels.map((_, i) => i).sort((a, b) =>
    Number(table.trueLabels[a] === FALSE_PICK) - Number(table.trueLabels[b] === FALSE_PICK) || size(b) - size(a) || a - b
  );
  const matched = matchClasses(table);
  const place = (column: number) => matched[column] < 0 ? Infinity : rows.indexOf(matched[column]);
  const columns = table.givenLabels.map((_, i) => i).sort((a, b) => (place(a) === place(b) ? a - b : place(a) - place(b)));
  return { rows, columns };
}

function scoreTable(facts: ReportFacts, matched: Agreement | null, all: Agreement | null): Html {
  const { metrics, metricsWithFalsePicks } = facts.view.truth!;
  const rows: [string, string, number | null, number | null][] = [
    ["Adjusted Rand index", "pairs of particles sorted alike; 0 by chance", metrics.ari, metricsWithFalsePicks.ari],
    ["Homogeneity", "each class holds one species", metrics.homogeneity, metricsWithFalsePicks.homogeneity],
    ["Completeness", "each species lies in one class", metrics.completeness, metricsWithFalsePicks.completeness],
    ["V-measure", "harmonic mean of the two", metrics.vMeasure, metricsWithFalsePicks.vMeasure],
    ["Accuracy", "particles in their species’ class", matched?.accuracy ?? null, all?.accuracy ?? null],
  ];
  const both = metrics.precision !== null;
  return markup`<table class="scores"><thead><tr><th scope="col">1 is perfect</th><th scope="col" class="n">${
    both ? "matched picks" : "all boxes"
  }</th>${both ? markup`<th scope="col" class="n">with false picks</th>` : null}</tr></thead><tbody>${
    rows.map((
      [name, hint, a, b],
    ) =>
      markup`<tr><th scope="row">${name} <small>${hint}</small></th><td class="n">${figure(a)}</td>${
        both ? markup`<td class="n">${figure(b)}</td>` : null
      }</tr>`
    )
  }</tbody>${
    both
      ? markup`<tbody><tr><th scope="row">Recall <small>true particles that were picked</small></th><td class="n">${
        figure(metrics.recall)
      }</td><td></td></tr><tr><th scope="row">Precision <small>picks that are true particles</small></th><td class="n">${
        figure(metrics.precision)
      }</td><td></td></tr></tbody>`
      : null
  }</table>`;
}

function figure(value: number | null): string {
  return value === null ? "–" : value.toFixed(3).replace("-", "−");
}

function confusion(facts: ReportFacts, table: ReturnType<typeof tabulateConfusion>): Html {
  const width = table.givenLabels.length;
  const { rows, columns } = orderTable(table);
  const classes = new Map(facts.classes.map((each) => [each.id, each]));
  const body = rows.map((row) => {
    const own = table.counts.subarray(row * width, (row + 1) * width);
    const total = own.reduce((a, b) => a + b, 0);
    const label = table.trueLabels[row];
    return markup`<tr><th scope="row">${label === FALSE_PICK ? markup`<i>false picks</i>` : markup`<bdi>${label}</bdi>`}</th>${
      columns.map((column) =>
        markup`<td class="h${Math.ceil((9 * own[column]) / total)}" data-c="${table.givenLabels[column]}" title="${
          formatShare(own[column] / total)
        }">${own[column] > 0 ? formatCount(own[column]) : markup`<span class="zero">·</span>`}</td>`
      )
    }<td class="n total">${formatCount(total)}</td></tr>`;
  });
  return markup`<div class="scroll"><table class="confusion"><thead><tr><th scope="col">true \\ class</th>${
    columns.map((column) => {
      const id = table.givenLabels[column] as number;
      return markup`<th scope="col" data-c="${id}">${classMarker(classes.get(id)!.style)}<br>${id}</th>`;
    })
  }<th scope="col" class="n">all</th></tr></thead><tbody>${body}</tbody></table></div>`;
}

/** The section; null without truth. */
export function truthSection(facts: ReportFacts): Html | null {
  const { truth, particles } = facts.view;
  if (truth === null || particles.count === 0) return null;
  const hits: number[] = [];
  truth.labels.forEach((label, row) => {
    if (label !== null) hits.push(row);
  });
  const tabulate = (rows: readonly number[]) =>
    tabulateConfusion(rows.map((row) => truth.labels[row] ?? FALSE_PICK), rows.map((row) => particles.classIds[row]));
  const everything = tabulate(truth.labels.map((_, row) => row));
  const judged = truth.metrics.ari !== null;
  return markup`<section id="truth"><h2>Agreement with the truth</h2><p class="how">The truth was read after the run, for this section alone: nothing was learnt from it.${
    judged ? null : " Fewer than half of the true particles were picked, so the classes cannot be judged by them."
  }</p><div class="pair">${
    scoreTable(
      facts,
      judged ? measureAgreement(tabulate(hits)) : null,
      judged ? measureAgreement(everything) : null,
    )
  }<figure><figcaption>Particles of each true species (rows) by class (columns); shade: share of the row</figcaption>${
    confusion(
      facts,
      everything,
    )
  }</figure></div></section>`;
}
