/**
 * A flat map of feature space in which neighbours stay neighbours, for pictures only: no label and no figure is computed from it.
 * @module
 */
import type { Random } from "../../streams/contract.ts";
import { ShapeError } from "../../streams/errors.ts";

/** What the layout can be told. */
export interface LayoutOptions {
  /** Neighbours of each point that are to stay near. */
  readonly neighbours?: number;
  /** Passes over the edges. */
  readonly epochs?: number;
}

/** Shape of the curve 1 / (1 + a d^2b) for a least distance of 0.1 and a spread of 1 (least squares, as McInnes et al. do). */
const CURVE_A = 1.5769434601962196;
const CURVE_B = 0.8950608779914887;
/** Points pushed away for each point pulled near. */
const NEGATIVES = 5;
/** Largest step of one coordinate before the learning rate. */
const LARGEST_STEP = 4;

interface Neighbours {
  /** `[n, k]`, nearest first, without the point itself. */
  readonly index: Int32Array;
  readonly distance: Float64Array;
}

/** Exact nearest neighbours: O(n^2 d), 0.3 s for 4000 points of 16. */
function findNeighbours(values: ArrayLike<number>, n: number, dims: number, k: number): Neighbours {
  const index = new Int32Array(n * k).fill(-1);
  const distance = new Float64Array(n * k).fill(Infinity);
  const insert = (point: number, other: number, d: number) => {
    let at = point * k + k - 1;
    if (d >= distance[at]) return;
    for (; at > point * k && distance[at - 1] > d; at--) {
      distance[at] = distance[at - 1];
      index[at] = index[at - 1];
    }
    distance[at] = d;
    index[at] = other;
  };
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      let sum = 0;
      for (let c = 0; c < dims; c++) sum += (values[i * dims + c] - values[j * dims + c]) ** 2;
      insert(i, j, sum);
      insert(j, i, sum);
    }
  }
  for (let e = 0; e < distance.length; e++) distance[e] = Math.sqrt(distance[e]);
  return { index, distance };
}

/** Membership strengths: 1 for the nearest neighbour, decaying so that they sum to log2(k) for every point. */
function strengths({ distance }: Neighbours, n: number, k: number): Float64Array {
  const result = new Float64Array(n * k);
  const target = Math.log2(k);
  for (let i = 0; i < n; i++) {
    const own = distance.subarray(i * k, (i + 1) * k);
    const nearest = own[0];
    let low = 0, high = Infinity, width = 1;
    for (let step = 0; step < 64; step++) {
      let sum = 0;
      for (const d of own) sum += Math.exp(-Math.max(0, d - nearest) / width);
      if (Math.abs(sum - target) < 1e-5) break;
      if (sum > target) high = width;
      else low = width;
      width = high === Infinity ? width * 2 : (low + high) / 2;
    }
    for (let e = 0; e < k; e++) result[i * k + e] = Math.exp(-Math.max(0, own[e] - nearest) / width);
  }
  return result;
}

/** Joins the two directions of each edge: p + q - p q. */
function symmetrise(neighbours: Neighbours, weights: Float64Array, n: number, k: number) {
  const pairs = new Map<number, number>();
  for (let i = 0; i < n; i++) {
    for (let e = i * k; e < (i + 1) * k; e++) {
      const j = neighbours.index[e];
      const key = i < j ? i * n + j : j * n + i;
      const other = pairs.get(key);
      pairs.set(key, other === undefined ? weights[e] : other + weights[e] - other * weights[e]);
    }
  }
  const from: number[] = [], to: number[] = [], weight: number[] = [];
  for (const [key, w] of pairs) {
    from.push(Math.floor(key / n));
    to.push(key % n);
    weight.push(w);
  }
  return { from, to, weight };
}

/**
 * Lays points of many dimensions out on a plane by attraction along nearest-neighbour edges and repulsion from random points (UMAP).
 *
 * Shapes: `values` [n, dims], `start` [n, 2] (first two principal components; scaled inside to at most 10). Float64; the same input and
 * random numbers give the same map. Cost: O(n^2 dims + epochs n neighbours); about 3 s for 4000 points. Distances between far groups
 * and sizes of groups mean nothing.
 * @returns `[n, 2]`.
 * @throws {ShapeError} When the arrays do not fit `n` points.
 * @see McInnes, Healy and Melville 2018, arXiv:1802.03426. Differs from the paper: starts from principal components, exact neighbours.
 */
export function layOutNeighbours(
  values: ArrayLike<number>,
  dims: number,
  start: ArrayLike<number>,
  random: Random,
  options: LayoutOptions = {},
): Float64Array {
  const n = start.length / 2;
  if (!Number.isInteger(n) || values.length !== n * dims) {
    throw new ShapeError(
      `${values.length} values of ${dims} dimensions beside ${start.length} starting coordinates: n rows of each are needed`,
    );
  }
  const extent = Math.max(1e-12, Array.from(start).reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  const place = Float64Array.from(start, (value) => (10 * value) / extent + 1e-3 * random.normal());
  const k = Math.min(options.neighbours ?? 15, n - 1);
  if (k < 2) return place;
  const epochs = options.epochs ?? 250;
  const neighbours = findNeighbours(values, n, dims, k);
  const { from, to, weight } = symmetrise(neighbours, strengths(neighbours, n, k), n, k);
  const strongest = weight.reduce((most, w) => Math.max(most, w), 0);
  // An edge is pulled every `period` epochs: the strongest one in each.
  const period = weight.map((w) => strongest / w);
  const due = period.slice();
  const clip = (step: number) => Math.min(LARGEST_STEP, Math.max(-LARGEST_STEP, step));
  for (let epoch = 0; epoch < epochs; epoch++) {
    const rate = 1 - epoch / epochs;
    for (let e = 0; e < from.length; e++) {
      if (due[e] > epoch + 1) continue;
      due[e] += period[e];
      const i = 2 * from[e], j = 2 * to[e];
      const dx = place[i] - place[j], dy = place[i + 1] - place[j + 1];
      const squared = dx * dx + dy * dy;
      if (squared > 0) {
        const pull = (-2 * CURVE_A * CURVE_B * squared ** (CURVE_B - 1)) / (1 + CURVE_A * squared ** CURVE_B);
        const stepX = rate * clip(pull * dx), stepY = rate * clip(pull * dy);
        place[i] += stepX;
        place[i + 1] += stepY;
        place[j] -= stepX;
        place[j + 1] -= stepY;
      }
      for (let s = 0; s < NEGATIVES; s++) {
        // Both ends of the edge take turns, since an edge stands here once and not once in each direction.
        const own = s % 2 === 0 ? i : j;
        const other = 2 * random.integer(n);
        if (other === own) continue;
        const ax = place[own] - place[other], ay = place[own + 1] - place[other + 1];
        const apart = ax * ax + ay * ay;
        const push = (2 * CURVE_B) / ((0.001 + apart) * (1 + CURVE_A * apart ** CURVE_B));
        place[own] += rate * (apart > 0 ? clip(push * ax) : LARGEST_STEP);
        place[own + 1] += rate * (apart > 0 ? clip(push * ay) : LARGEST_STEP);
      }
    }
  }
  return place;
}
