/**
 * Feature space on paper: principal components beside a map that keeps neighbours together.
 * @module
 */
import type { Random } from "../../../streams/contract.ts";
import { layOutNeighbours } from "../../kernels/layout.ts";
import { fitPca, projectPca } from "../../kernels/pca.ts";
import type { ReportFacts } from "./facts.ts";
import { formatCount, formatShare, type Html, markup } from "./html.ts";
import { markerPath, short } from "./marks.ts";

/** Components that the neighbour map is made from. */
const COMPONENTS = 16;
/** Side of a map in the units of its picture. */
const SIDE = 520;
/** Room for the name of the vertical axis. */
const GUTTER = 20;
/** Points of different classes are drawn by turns, so that the class drawn last does not cover the others. */
const TURNS = 6;

/** Points of feature space on two planes. */
export interface FeatureMaps {
  /** Rows of the particle table, ascending. */
  readonly rows: Int32Array;
  /** `[n, 2]` each; the second is null when there are too few points for neighbours. */
  readonly components: Float64Array;
  readonly neighbours: Float64Array | null;
  /** Shares of the variance that the first two components hold. */
  readonly explained: readonly [number, number];
}

/** Projects at most `limit` particles, drawn at random; null when there are too few to span a plane. */
export function mapFeatures({ view }: ReportFacts, limit: number, random: Random): FeatureMaps | null {
  const { dims, values } = view.features;
  const count = view.particles.count;
  if (count < 3 || dims < 2) return null;
  const rows = count > limit ? random.permutation(count).slice(0, limit).sort() : Int32Array.from({ length: count }, (_, i) => i);
  const table = new Float32Array(rows.length * dims);
  rows.forEach((row, i) => table.set(values.subarray(row * dims, (row + 1) * dims), i * dims));
  const kept = Math.min(COMPONENTS, dims, rows.length - 1);
  if (kept < 2) return null;
  const pca = fitPca(table, dims, kept);
  const projected = projectPca(pca, table);
  const components = new Float64Array(2 * rows.length);
  for (let i = 0; i < rows.length; i++) components.set(projected.subarray(i * kept, i * kept + 2), 2 * i);
  const share = (c: number) => pca.totalVariance > 0 ? pca.variances[c] / pca.totalVariance : 0;
  const neighbours = rows.length < 10 ? null : layOutNeighbours(projected, kept, components, random);
  return { rows, components, neighbours, explained: [share(0), share(1)] };
}

/** Range that holds all points but the farthest two per cent on each side, widened by a margin; those stand at the frame. */
function rangeOf(values: Float64Array, axis: number): [number, number] {
  const sorted = Float64Array.from({ length: values.length / 2 }, (_, i) => values[2 * i + axis]).sort();
  const low = sorted[Math.floor(0.02 * (sorted.length - 1))], high = sorted[Math.ceil(0.98 * (sorted.length - 1))];
  const margin = 0.12 * (high - low) || 1;
  return [low - margin, high + margin];
}

function scatter(
  facts: ReportFacts,
  rows: Int32Array,
  places: Float64Array,
  title: string,
  xName: string,
  yName: string,
  note: string,
): Html {
  const [x0, x1] = rangeOf(places, 0), [y0, y1] = rangeOf(places, 1);
  const clamp = (value: number) => Math.min(SIDE - 4, Math.max(4, value));
  const at = (i: number): [number, number] => [
    clamp(((places[2 * i] - x0) / (x1 - x0)) * SIDE),
    clamp(SIDE - ((places[2 * i + 1] - y0) / (y1 - y0)) * SIDE),
  ];
  const members = new Map<number, number[]>(facts.classes.map(({ id }) => [id, []]));
  rows.forEach((row, i) => members.get(facts.view.particles.classIds[row])!.push(i));
  const gutter = yName === "" ? 0 : GUTTER;
  const radius = rows.length > 1500 ? 2.4 : 3.2;
  const points: Html[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    for (const { id, style } of facts.classes) {
      const own = members.get(id)!.filter((_, i) => i % TURNS === turn);
      if (own.length === 0) continue;
      const path = own.map((i) => markerPath(style.shape, ...at(i), radius)).join("");
      points.push(
        style.shape === "cross"
          ? markup`<path data-c="${id}" d="${path}" fill="none" stroke="${style.colour}" stroke-width="1.6" />`
          : markup`<path class="point" data-c="${id}" d="${path}" fill="${style.colour}" />`,
      );
    }
  }
  const names = facts.classes.map(({ id }) => {
    const own = members.get(id)!.map(at);
    if (own.length === 0) return null;
    const middle = (axis: number) => own.map((point) => point[axis]).sort((a, b) => a - b)[own.length >> 1];
    return markup`<text class="name" data-c="${id}" x="${short(middle(0))}" y="${short(middle(1) + 6)}" text-anchor="middle">${id}</text>`;
  });
  return markup`<figure><figcaption><b>${title}</b> ${note}</figcaption><svg class="map" viewBox="${-gutter} 0 ${SIDE + gutter} ${
    SIDE + 24
  }" role="img" aria-label="${title}"><rect class="frame" x="0.5" y="0.5" width="${SIDE - 1}" height="${
    SIDE -
    1
  }"/>${points}${names}<text class="axis" x="${SIDE / 2}" y="${
    SIDE +
    18
  }" text-anchor="middle">${xName}</text><text class="axis" x="-8" y="${
    SIDE /
    2
  }" text-anchor="middle" transform="rotate(-90 -8 ${SIDE / 2})">${yName}</text></svg></figure>`;
}

/** The section; null without a map. */
export function mapSection(facts: ReportFacts, maps: FeatureMaps | null): Html | null {
  if (maps === null) return null;
  const { rows, components, neighbours, explained } = maps;
  const all = rows.length === facts.view.particles.count ? "all particles" : `${formatCount(rows.length)} particles drawn at random`;
  return markup`<section id="map"><h2>Feature space</h2><p class="how">One point is one particle (${all}), placed by its ${
    formatCount(
      facts.view.features.dims,
    )
  } features; numbers are classes.</p><div class="pair">${
    scatter(
      facts,
      rows,
      components,
      "Principal components",
      `component 1 (${formatShare(explained[0])} of the variance)`,
      `component 2 (${formatShare(explained[1])})`,
      "Distances are true, but two directions show only part of them.",
    )
  }${
    neighbours === null ? null : scatter(
      facts,
      rows,
      neighbours,
      "Neighbour map (UMAP)",
      "",
      "",
      "Near points are alike; gaps and sizes of groups mean nothing.",
    )
  }</div></section>`;
}
