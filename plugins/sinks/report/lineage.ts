/**
 * Lineage: how large each class was in each iteration, and which classes it came from.
 * @module
 */
import type { RunView } from "../../../streams/contract.ts";
import { type ClassStyle, styleClasses } from "../../kernels/palette.ts";
import { iterationNumber, type ReportFacts } from "./facts.ts";
import { formatCount, formatNoun, type Html, markup } from "./html.ts";
import { joinHtml, short } from "./marks.ts";

/** Sizes of classes by iteration, from figures named `classSizes`: text of `name:count` pairs. */
function classSizes(iterations: RunView["iterations"]): Map<number, number>[] | null {
  const rows = iterations.map((row) =>
    new Map(
      [...(typeof row.classSizes === "string" ? row.classSizes : "").matchAll(/(-?\d+):(\d+)/g)].map((
        [, id, count],
      ) => [Number(id), Number(count)]),
    )
  );
  return rows.some((row) => row.size > 0) ? rows : null;
}

/** A bar an iteration, divided by class: names that last through refits show as bands of one colour. */
export function lineage(facts: ReportFacts): Html | null {
  const rows = classSizes(facts.view.iterations);
  if (rows === null) return null;
  const ids = [...new Set(rows.flatMap((row) => [...row.keys()]))].sort((a, b) => a - b);
  const own = new Map(facts.classes.map(({ id, style }) => [id, style]));
  const spare = styleClasses(ids);
  const style = (id: number): ClassStyle => own.get(id) ?? spare.get(id)!;
  const height = 22, gap = 6, width = 900, left = 40;
  const bars = rows.map((row, i) => {
    const total = [...row.values()].reduce((a, b) => a + b, 0) || 1;
    let at = left;
    const parts = ids.filter((id) => row.has(id)).map((id) => {
      const w = (row.get(id)! / total) * (width - left);
      const x = at;
      at += w;
      return markup`<g data-c="${id}"><title>class ${id}: ${formatNoun(row.get(id)!, "particle")}</title><rect x="${short(x)}" y="${
        i *
        (height + gap)
      }" width="${short(Math.max(0.5, w - 1.5))}" height="${height}" fill="${style(id).colour}"/>${
        w > 26 ? markup`<text x="${short(x + w / 2)}" y="${i * (height + gap) + 15}" text-anchor="middle" fill="#fff">${id}</text>` : null
      }</g>`;
    });
    const index = iterationNumber(facts.view.iterations[i], i);
    return markup`<text class="tick" x="${left - 8}" y="${i * (height + gap) + 15}" text-anchor="end">${index}</text>${parts}`;
  });
  return markup`<figure class="lineage"><figcaption><b>Class sizes by iteration</b> <span>a class keeps its name and colour while most of its members stay together</span></figcaption><svg viewBox="0 0 ${width} ${
    rows.length * (height + gap)
  }" role="img" aria-label="Class sizes by iteration">${joinHtml(bars)}</svg>${changes(facts.view.iterations)}</figure>`;
}

/** What split, merged, began or ended from one iteration to the next, from figures named `classFlows`: `before>after:count`. */
function changes(iterations: RunView["iterations"]): Html | null {
  const told = iterations.flatMap((row, i) => {
    const flows = [...(typeof row.classFlows === "string" ? row.classFlows : "").matchAll(/(-?\d+)>(-?\d+):(\d+)/g)]
      .map(([, from, to, boxes]) => ({ from: Number(from), to: Number(to), boxes: Number(boxes) }));
    const went = [...new Set(flows.map(({ from }) => from))].map((from) => {
      const parts = flows.filter((flow) => flow.from === from).sort((a, b) => b.boxes - a.boxes);
      return parts.every(({ to }) => to === from)
        ? `${from} took from others`
        : `${from} → ${parts.map(({ to, boxes }) => `${to} (${formatCount(boxes)})`).join(", ")}`;
    });
    return went.length > 0 ? [markup`<tr><td class="n">${iterationNumber(row, i)}</td><td>${went.join("; ")}</td></tr>`] : [];
  });
  return told.length === 0
    ? null
    : markup`<details><summary>What split and merged, with numbers of particles</summary><div class="scroll"><table><thead><tr><th scope="col" class="n">iteration</th><th scope="col">class before → classes after</th></tr></thead><tbody>${told}</tbody></table></div></details>`;
}
