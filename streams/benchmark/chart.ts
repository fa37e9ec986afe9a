/**
 * The benchmark as one picture: agreement of every method on every condition.
 * @module
 */
import { type Row, summarise } from "./table.ts";

const LEFT = 230, WIDTH = 520, ROW = 26, TOP = 34;
const COLOURS = ["#8c8c8c", "#b08d57", "#9467bd", "#4c9f70", "#d1495b", "#2e6fba", "#111111", "#e58606", "#17a2a2", "#7a5195"];
const MARKS = ["circle", "square", "diamond"] as const;

function mark(kind: typeof MARKS[number], x: number, y: number, colour: string, title: string): string {
  const shape = kind === "circle"
    ? `<circle cx="${x}" cy="${y}" r="5"`
    : kind === "square"
    ? `<rect x="${x - 4.5}" y="${y - 4.5}" width="9" height="9"`
    : `<path d="M${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}L${x - 6} ${y}Z"`;
  return `${shape} fill="${colour}" fill-opacity=".85"><title>${title}</title></${
    kind === "diamond" ? "path" : kind === "square" ? "rect" : kind
  }>`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** An SVG of the adjusted Rand index, a line a condition, a mark a method, a bar for the deviation over seeds. */
export function drawOverview(rows: readonly Row[]): string {
  const methods = [...new Set(rows.map(({ method }) => method))];
  const groups = [
    ...Map.groupBy(rows, ({ set, condition, boxes, boxVoxels }) => JSON.stringify([set, condition, boxes, boxVoxels])).values(),
  ];
  const height = TOP + groups.length * ROW + 30 + 20 * Math.ceil(methods.length / 4);
  const place = (ari: number) => Math.round(10 * (LEFT + Math.max(0, Math.min(1, ari)) * WIDTH)) / 10;
  const parts: string[] = [];
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
    parts.push(`<path d="M${place(tick)} ${TOP - 8}V${TOP + groups.length * ROW}" stroke="#ddd"/>`);
    parts.push(`<text x="${place(tick)}" y="${TOP - 14}" text-anchor="middle">${tick}</text>`);
  }
  groups.forEach((group, g) => {
    const y = TOP + (g + 0.5) * ROW;
    parts.push(`<text x="${LEFT - 14}" y="${y + 4}" text-anchor="end">${escape(group[0].condition)}</text>`);
    for (const row of group) {
      const m = methods.indexOf(row.method), colour = COLOURS[m % COLOURS.length];
      const { mean, deviation } = summarise(row.cells.map(({ ari }) => ari));
      if (mean === null) continue;
      if (deviation) parts.push(`<path d="M${place(mean - deviation)} ${y}H${place(mean + deviation)}" stroke="${colour}"/>`);
      parts.push(mark(MARKS[m % MARKS.length], place(mean), y, colour, escape(`${row.method}: ${mean.toFixed(3)}`)));
    }
  });
  methods.forEach((method, m) => {
    const x = 20 + m % 4 * 190, y = TOP + groups.length * ROW + 26 + 20 * Math.floor(m / 4);
    parts.push(
      mark(MARKS[m % MARKS.length], x, y - 4, COLOURS[m % COLOURS.length], escape(method)),
      `<text x="${x + 12}" y="${y}">${escape(method)}</text>`,
    );
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LEFT + WIDTH + 30} ${height}" font-family="sans-serif" font-size="13">` +
    `<rect width="100%" height="100%" fill="#fff"/><title>Adjusted Rand index by condition and method</title>${parts.join("")}</svg>\n`;
}
