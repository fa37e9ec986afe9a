/**
 * Markers, axes and line charts as inline SVG. Colours of text and lines come from the page's style sheet; colours of classes are
 * attributes, since the page's content security policy allows no style attributes.
 * @module
 */
import type { ClassStyle } from "../../kernels/palette.ts";
import { markerCorners, type MarkerShape } from "../../kernels/picture.ts";
import { formatFigure, Html, markup } from "./html.ts";

/** A number with at most `digits` decimals, as short as possible. */
export function short(value: number, digits = 1): string {
  return String(Number(value.toFixed(digits)));
}

/** Path data of a marker's outline at (x, y) with the given radius, in the units of the picture. */
export function markerPath(shape: MarkerShape, x: number, y: number, radius: number, digits = 1): string {
  const s = (value: number) => short(value, digits);
  if (shape === "circle") {
    return `M${s(x - radius)} ${s(y)}a${s(radius)} ${s(radius)} 0 1 0 ${s(2 * radius)} 0a${s(radius)} ${s(radius)} 0 1 0 ${
      s(-2 * radius)
    } 0z`;
  }
  const corners = markerCorners(shape).map(([u, v]) => [x + u * radius, y + v * radius]);
  const points = corners.map(([u, v]) => `${s(u)} ${s(v)}`);
  if (shape === "cross") return `M${points[0]}L${points[1]}M${points[2]}L${points[3]}`;
  return `M${points.join("L")}z`;
}

/** A class's marker as a picture of one line's height. */
export function classMarker(style: ClassStyle): Html {
  const filled = style.shape === "cross" ? markup`fill="none"` : markup`fill="${style.colour}" fill-opacity="0.35"`;
  return markup`<svg class="marker" viewBox="-8 -8 16 16" aria-hidden="true"><path d="${
    markerPath(style.shape, 0, 0, 5)
  }" ${filled} stroke="${style.colour}" stroke-width="2.4" /></svg>`;
}

/** Round values that divide a range into three to six parts. */
export function chooseTicks(low: number, high: number): number[] {
  const span = high - low;
  if (!(span > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(span / 3));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => span / each <= 5) ?? span;
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * span; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

/** One line of a chart; null leaves a gap. */
export interface ChartLine {
  readonly points: readonly (readonly [number, number | null])[];
  readonly name?: string;
  readonly style?: ClassStyle;
}

/** What a chart shows. */
export interface Chart {
  readonly title: string;
  /** What the vertical axis means and which way is better. */
  readonly hint?: string;
  readonly xName: string;
  readonly lines: readonly ChartLine[];
  /** Horizontal position to mark: the kept iteration, the chosen K. */
  readonly marked?: number;
  readonly yRange?: readonly [number, number];
  /** Whole numbers only on the vertical axis. */
  readonly whole?: boolean;
  /** Writes a value of the vertical axis. */
  readonly format?: (value: number) => string;
}

const WIDTH = 320, HEIGHT = 190, LEFT = 50, RIGHT = 12, TOP = 12, BOTTOM = 34;

/** Draws a small line chart with its title; nothing when no point has a value. */
export function lineChart(chart: Chart): Html | null {
  const all = chart.lines.flatMap((line) => line.points);
  const known = all.filter((point): point is [number, number] => point[1] !== null && Number.isFinite(point[1]));
  if (known.length === 0) return null;
  const xs = all.map(([x]) => x), ys = known.map(([, y]) => y);
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  let [y0, y1] = chart.yRange ?? [Math.min(...ys), Math.max(...ys)];
  if (y1 === y0) [y0, y1] = [y0 - (Math.abs(y0) * 0.1 || 1), y1 + (Math.abs(y1) * 0.1 || 1)];
  if (!chart.yRange) [y0, y1] = [y0 - 0.06 * (y1 - y0), y1 + 0.06 * (y1 - y0)];
  const px = (x: number) => LEFT + (x1 > x0 ? (x - x0) / (x1 - x0) : 0.5) * (WIDTH - LEFT - RIGHT);
  const py = (y: number) => HEIGHT - BOTTOM - ((y - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
  const format = chart.format ?? ((value: number) => formatFigure(value, 6));
  const brief = chart.format ?? ((value: number) => formatFigure(value));
  const whole = (ticks: number[]) => ticks.filter(Number.isInteger);
  const yTicks = chart.whole ? whole(chooseTicks(y0, y1)) : chooseTicks(y0, y1);
  const xTicks = xs.every(Number.isInteger) ? whole(chooseTicks(x0, x1)) : chooseTicks(x0, x1);
  const marked = chart.marked !== undefined && chart.marked >= x0 && chart.marked <= x1 ? chart.marked : null;
  const value = marked === null ? null : known.find(([x]) => x === marked)?.[1] ?? null;
  const label = value === null || marked === null ? null : placeValue(known, marked, px(marked), py(value), brief(value).length);
  return markup`<figure class="chart"><figcaption><b>${chart.title}</b>${
    chart.hint ? markup` <span>${chart.hint}</span>` : null
  }</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${chart.title} against ${chart.xName}">${
    yTicks.map((y) =>
      markup`<path class="grid" d="M${LEFT} ${short(py(y))}H${WIDTH - RIGHT}" /><text class="tick" x="${LEFT - 6}" y="${
        short(py(y) + 3.5)
      }" text-anchor="end">${format(y)}</text>`
    )
  }${
    xTicks.map((x) =>
      markup`<text class="tick" x="${short(px(x))}" y="${HEIGHT - BOTTOM + 15}" text-anchor="middle">${formatFigure(x)}</text>`
    )
  }<text class="axis" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 3}" text-anchor="middle">${chart.xName}</text>${
    marked === null ? null : markup`<path class="kept" d="M${short(px(marked))} ${TOP}V${HEIGHT - BOTTOM}" />`
  }${chart.lines.map((line) => drawLine(line, px, py))}${
    marked === null || value === null || label === null
      ? null
      : markup`<circle class="keptdot" cx="${short(px(marked))}" cy="${short(py(value))}" r="4" /><text class="value" x="${
        short(label.x)
      }" y="${short(label.y)}" text-anchor="${label.anchor}">${brief(value)}</text>`
  }</svg></figure>`;
}

/** Where the marked point's value stands clear of its line: right of the point where there is room, on the side that the line leaves free. */
function placeValue(known: readonly (readonly [number, number])[], marked: number, x: number, y: number, characters: number) {
  const at = known.findIndex(([each]) => each === marked);
  const right = x + 7 + 8.2 * characters < WIDTH;
  const before = known[at - 1]?.[1] ?? known[at][1], after = known[at + 1]?.[1] ?? known[at][1];
  // A line that leaves upwards crosses what stands above it; one that came downwards crosses what stands above on the left.
  const wanted = right ? after > known[at][1] : before > known[at][1];
  const below = wanted ? y + 20 < HEIGHT - BOTTOM : y - 20 < 0;
  return { x: right ? x + 7 : WIDTH - 1, y: below ? y + 17 : y - 9, anchor: right ? "start" : "end" };
}

function drawLine(line: ChartLine, px: (x: number) => number, py: (y: number) => number): Html {
  let path = "", dots = "", open = false;
  for (const [x, y] of line.points) {
    if (y === null || !Number.isFinite(y)) {
      open = false;
      continue;
    }
    path += `${open ? "L" : "M"}${short(px(x))} ${short(py(y))}`;
    dots += line.style ? markerPath(line.style.shape, px(x), py(y), 2.6) : markerPath("circle", px(x), py(y), 2.2);
    open = true;
  }
  // Many points need no dots.
  const dotted = line.points.length <= 40;
  if (!line.style) {
    return markup`<path class="line" d="${path}" />${dotted ? markup`<path class="dots" d="${dots}" />` : null}`;
  }
  return markup`<g class="ofclass"><path d="${path}" fill="none" stroke="${line.style.colour}" stroke-width="1.6"/>${
    dotted ? markup`<path d="${dots}" fill="${line.style.colour}" stroke="${line.style.colour}" />` : null
  }</g>`;
}

/** Bytes of a PNG as an address that needs no file. */
export function pngAddress(png: Uint8Array): string {
  return `data:image/png;base64,${png.toBase64()}`;
}

/** Puts pieces of HTML one after the other. */
export function joinHtml(parts: readonly (Html | null)[]): Html {
  return new Html(parts.map((part) => part?.text ?? "").join(""));
}
