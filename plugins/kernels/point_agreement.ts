/**
 * How two sets of points that should be one lie to each other: the share that matches, and the offset that makes them match.
 * @module
 */
import type { Random } from "../../streams/contract.ts";

/** Points `[3n]` in cells of a grid, to find what is near. Units: any, one for all. */
export class PointGrid {
  readonly points: ArrayLike<number>;
  readonly cell: number;
  readonly #cells = new Map<number, number[]>();

  /** @param cell Edge of a cell: the largest distance that will be asked for. */
  constructor(points: ArrayLike<number>, cell: number) {
    this.points = points;
    this.cell = cell;
    for (let j = 0; 3 * j < points.length; j++) {
      const key = cellKey(Math.floor(points[3 * j] / cell), Math.floor(points[3 * j + 1] / cell), Math.floor(points[3 * j + 2] / cell));
      const there = this.#cells.get(key);
      if (there) there.push(j);
      else this.#cells.set(key, [j]);
    }
  }

  /** Index of the nearest point within `limit` (at most the cell's edge), or -1. */
  nearest(x: number, y: number, z: number, limit = this.cell, not = -1): number {
    const cx = Math.floor(x / this.cell), cy = Math.floor(y / this.cell), cz = Math.floor(z / this.cell);
    let best = limit * limit, found = -1;
    for (let dz = -1; dz <= 1; dz++) {
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          for (const j of this.#cells.get(cellKey(cx + dx, cy + dy, cz + dz)) ?? []) {
            const d = (this.points[3 * j] - x) ** 2 + (this.points[3 * j + 1] - y) ** 2 + (this.points[3 * j + 2] - z) ** 2;
            if (d <= best && j !== not) {
              best = d;
              found = j;
            }
          }
        }
      }
    }
    return found;
  }
}

/** One number a cell. Cells 131072 apart share it: what is found there is looked at by its distance. */
function cellKey(x: number, y: number, z: number): number {
  return ((x & 131071) * 131072 + (y & 131071)) * 131072 + (z & 131071);
}

/** The middle of numbers; NaN for none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return NaN;
  const sorted = values.toSorted((a, b) => a - b), middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median distance from a point to its nearest neighbour in the set; Infinity for fewer than two points. */
export function neighbourDistance(points: ArrayLike<number>, most = 400): number {
  const count = points.length / 3;
  if (count < 2) return Infinity;
  const step = Math.max(1, Math.floor(count / most)), distances: number[] = [];
  for (let i = 0; i < count; i += step) {
    let best = Infinity;
    for (let j = 0; j < count; j++) {
      if (j !== i) {
        best = Math.min(
          best,
          (points[3 * i] - points[3 * j]) ** 2 + (points[3 * i + 1] - points[3 * j + 1]) ** 2 +
            (points[3 * i + 2] - points[3 * j + 2]) ** 2,
        );
      }
    }
    distances.push(Math.sqrt(best));
  }
  return median(distances);
}

/** Share of `points` that have a point of the grid within `limit`. */
export function sharedFraction(grid: PointGrid, points: ArrayLike<number>, limit = grid.cell): number {
  const count = points.length / 3;
  let hits = 0;
  for (let i = 0; i < count; i++) if (grid.nearest(points[3 * i], points[3 * i + 1], points[3 * i + 2], limit) >= 0) hits++;
  return count === 0 ? 0 : hits / count;
}

/**
 * The offset t with which most of `from` + t falls on points of `to`: every difference of two points votes for a cell, the cell with most votes
 * wins, and the median of the differences near it is the offset.
 *
 * Cost: `most` x m votes. Robust to missing and additional points: wrong pairs spread, right ones fall together.
 * @param cell Edge of the cells of votes: the precision that is looked for.
 * @param most Points of `from` that vote, drawn by `random`.
 */
export function voteOffset(
  from: ArrayLike<number>,
  to: ArrayLike<number>,
  cell: number,
  random: Random,
  most = 40,
): [number, number, number] {
  const n = from.length / 3, m = to.length / 3;
  const voters = [...random.permutation(n).subarray(0, most)];
  const votes = new Map<number, number>();
  let best = 0, winner: [number, number, number] = [0, 0, 0];
  for (const i of voters) {
    for (let j = 0; j < m; j++) {
      const d = [0, 1, 2].map((axis) => Math.round((to[3 * j + axis] - from[3 * i + axis]) / cell));
      const key = cellKey(d[0], d[1], d[2]), count = (votes.get(key) ?? 0) + 1;
      votes.set(key, count);
      if (count > best) {
        best = count;
        winner = [d[0] * cell, d[1] * cell, d[2] * cell];
      }
    }
  }
  return winner;
}

/**
 * Moves an offset to the median of the differences of matched points, three times.
 * @returns The offset, the share of `from` matched within `limit` with it, and the median distance left.
 */
export function refineOffset(
  from: ArrayLike<number>,
  grid: PointGrid,
  start: readonly number[],
  limit = grid.cell,
): { readonly offset: [number, number, number]; readonly share: number; readonly distance: number } {
  let offset: [number, number, number] = [start[0], start[1], start[2]];
  let share = 0, distance = Infinity;
  for (let round = 0; round < 3; round++) {
    const pairs = pairsOf(from, grid, offset, limit);
    share = from.length === 0 ? 0 : pairs.length / (from.length / 3);
    if (pairs.length === 0) break;
    const differences = [0, 1, 2].map((axis) => pairs.map(([i, j]) => grid.points[3 * j + axis] - from[3 * i + axis]));
    if (pairs.length >= 3) offset = differences.map(median) as [number, number, number];
    distance = median(pairs.map((_, p) => Math.hypot(...differences.map((values, axis) => values[p] - offset[axis]))));
  }
  return { offset, share, distance };
}

/** Pairs (index in `from`, index in the grid) of points that lie together after the offset. */
export function pairsOf(from: ArrayLike<number>, grid: PointGrid, offset: readonly number[], limit = grid.cell): [number, number][] {
  const pairs: [number, number][] = [];
  for (let i = 0; 3 * i < from.length; i++) {
    const j = grid.nearest(from[3 * i] + offset[0], from[3 * i + 1] + offset[1], from[3 * i + 2] + offset[2], limit);
    if (j >= 0) pairs.push([i, j]);
  }
  return pairs;
}
