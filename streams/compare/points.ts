/**
 * Finds under which reading, axes, scale and offset two sets of particles are the same points.
 *
 * First every reading of the file with every exchange and mirror of axes is laid on the other set as it is. Where none fits, differences of points
 * vote for an offset, for likely scales and all axes. The plainest of nearly equal explanations wins.
 * @module
 */
import { type ParticleSet, tomogramStem } from "../../plugins/formats/particle_set.ts";
import { neighbourDistance, pairsOf, PointGrid, refineOffset, sharedFraction, voteOffset } from "../../plugins/kernels/point_agreement.ts";
import type { Random, Triple } from "../contract.ts";
import { type AxisChange, axisChanges, changePoints, cost } from "./axes.ts";
import type { Reading } from "./readings.ts";

/** One explanation of how the first file becomes the second. */
export interface Explanation {
  readonly reading: Reading;
  readonly axes: AxisChange;
  readonly scale: number;
  /** Mirrors are about the first voxel, and the offset makes good: sizes were not known or not asked. */
  readonly free: boolean;
  /** Added after all the others, in the frame of the comparison. */
  readonly offset: Triple;
  /** Share of the smaller set that matches. */
  readonly share: number;
  /** Median distance of matched points, after the offset. */
  readonly distance: number;
  readonly score: number;
}

/** What was found. */
export interface PointsFinding {
  /** Farthest that two points of a pair may be apart. */
  readonly tolerance: number;
  /** Share that would match by chance. */
  readonly chance: number;
  readonly asTheyAre: Explanation;
  readonly best: Explanation;
  /** Indices in the first and the second set. */
  readonly pairs: readonly (readonly [number, number])[];
  /** Whether the best explanation explains anything. */
  readonly found: boolean;
  /** Tomograms in both files, and in one only. */
  readonly common: readonly string[];
  readonly missing: readonly string[];
}

/** What to compare. */
export interface PointsRequest {
  readonly readings: readonly Reading[];
  readonly target: ParticleSet;
  /** Size of a tomogram in the frame's unit, or undefined. */
  readonly shapeOf: (tomogram: string) => Triple | undefined;
  readonly tolerance?: number;
  /** Sizes of voxels that either file may have meant, for scales. */
  readonly sizes: readonly number[];
  readonly random: (key: string) => Random;
}

/** Points that stand for a file while explanations are ranked. */
const SAMPLE = 1500, VOTERS = 40, VOTED = 20000;
/** Least share that a set of points must match to be called the same. */
const LEAST = 0.3;
/** Between tomograms, so that points of one never lie near those of another. */
const APART = 1e6;

/** A set's points with each tomogram in a place of its own; points of tomograms that only one file has are left out. */
interface Pooled {
  readonly rows: Int32Array;
  readonly ordinal: Int32Array;
}

function poolOf(set: ParticleSet, ordinalOf: ReadonlyMap<string, number>): Pooled {
  const rows: number[] = [], ordinal: number[] = [];
  set.tomograms.forEach((name, i) => {
    const at = ordinalOf.get(tomogramStem(name));
    if (at === undefined) return;
    rows.push(i);
    ordinal.push(at);
  });
  return { rows: Int32Array.from(rows), ordinal: Int32Array.from(ordinal) };
}

function pointsOf(set: ParticleSet, rows: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: 3 * rows.length }, (_, i) => set.positionsXyz[3 * rows[Math.floor(i / 3)] + i % 3]);
}

function apart(points: Float64Array, ordinal: ArrayLike<number>): Float64Array {
  return points.map((value, i) => i % 3 === 0 ? value + APART * ordinal[i / 3] : value);
}

/** Names that both files have, as stems; one tomogram each is one pair whatever the names. */
function commonTomograms(
  a: ParticleSet,
  b: ParticleSet,
): { ordinals: [Map<string, number>, Map<string, number>]; common: string[]; missing: string[] } {
  const stems = (set: ParticleSet) => [...new Set(set.tomograms.map(tomogramStem))];
  const one = stems(a), two = stems(b);
  if (one.length === 1 && two.length === 1) {
    return { ordinals: [new Map([[one[0], 0]]), new Map([[two[0], 0]])], common: [one[0] || two[0]], missing: [] };
  }
  const common = one.filter((name) => two.includes(name)), map = new Map(common.map((name, i) => [name, i]));
  return { ordinals: [map, map], common, missing: [...one, ...two].filter((name) => !common.includes(name)) };
}

/** Laying one set on another again and again. */
class Laying {
  readonly request: PointsRequest;
  readonly grid: PointGrid;
  readonly target: Float64Array;
  readonly pool: Pooled;
  readonly sample: Int32Array;
  readonly tolerance: number;
  /** Share of the smaller set that one of the sample's share stands for. */
  readonly weight: number;

  constructor(request: PointsRequest, pool: Pooled, targetPool: Pooled, tolerance: number) {
    this.request = request;
    this.pool = pool;
    this.tolerance = tolerance;
    this.target = apart(pointsOf(request.target, targetPool.rows), targetPool.ordinal);
    this.grid = new PointGrid(this.target, tolerance);
    this.sample = request.random("sample").permutation(pool.rows.length).slice(0, SAMPLE).sort();
    this.weight = pool.rows.length / Math.max(1, Math.min(pool.rows.length, targetPool.rows.length));
  }

  /** Points of the first file under an explanation without offset, `which` of them, or null when a mirror lacks a size. */
  points(reading: Reading, axes: AxisChange, scale: number, which: ArrayLike<number>, free: boolean): Float64Array | null {
    const { set } = reading, rows = Array.from(which, (k) => this.pool.rows[k]);
    const shapes = rows.map((row) => this.request.shapeOf(set.tomograms[row]));
    if (!free && axes.mirror.some(Boolean) && shapes.some((shape) => shape === undefined)) return null;
    // While an offset is looked for, mirrors are about the first voxel and the offset makes good.
    const far = (point: number, axis: number) => free ? 0 : shapes[point]![axis] - 1;
    return apart(changePoints(pointsOf(set, rows), axes, scale, far), Array.from(which, (k) => this.pool.ordinal[k]));
  }

  all(): Int32Array {
    return Int32Array.from(this.pool.rows, (_, k) => k);
  }

  explain(reading: Reading, axes: AxisChange, scale: number, points: Float64Array, start: Triple, free: boolean): Explanation {
    const { offset, share, distance } = refineOffset(points, this.grid, start);
    const whole = Math.min(1, share * this.weight), far = Number.isFinite(distance) ? distance : this.tolerance;
    const moved = Math.hypot(...offset.map((value, axis) => value - start[axis]));
    const penalty = reading.words.length + cost(axes) + (scale === 1 ? 0 : 1) + (start.some((value) => value !== 0) ? 1 : 0);
    // An offset that is left beside a reading speaks against it: the reading without one is better.
    const fit = 1 - 0.3 * Math.min(1, (far + 0.5 * moved) / this.tolerance);
    return { reading, axes, scale, free, offset, share: whole, distance: far, score: whole * fit - 0.01 * penalty };
  }
}

/** Every reading and every change of axes, laid on as they are. */
function direct(laying: Laying, readings: readonly Reading[]): Explanation[] {
  const found: Explanation[] = [];
  const lay = (changes: readonly AxisChange[]) => {
    for (const axes of changes) {
      for (const reading of readings) {
        const points = laying.points(reading, axes, 1, laying.sample, false);
        if (points) found.push(laying.explain(reading, axes, 1, points, [0, 0, 0], false));
      }
    }
  };
  lay(axisChanges.slice(0, 1));
  const good = found.some(({ share, distance }) => share > 0.9 && distance < 0.2 * laying.tolerance);
  if (!good) lay(axisChanges.slice(1));
  return found;
}

const NICE = [1, 2, 3, 4, 5, 6, 8, 10, 12, 16].flatMap((factor) => [factor, 1 / factor]);

/** Scales to try: those of binning, of voxel sizes, and the ratio of how densely the points lie, at a nice number where one is near. */
function scalesOf(laying: Laying, points: Float64Array, sizes: readonly number[]): number[] {
  const ratio = neighbourDistance(laying.target) / neighbourDistance(points), spread = spreadOf(laying.target) / spreadOf(points);
  const known = [...sizes.flatMap((size) => [size, 1 / size]), ...sizes.flatMap((one) => sizes.map((two) => one / two))].filter((size) =>
    size > 0 && Number.isFinite(size)
  );
  const likely = [...known, ...NICE];
  const near = (value: number) => likely.find((scale) => Math.abs(scale / value - 1) < 0.04) ?? value;
  const all = [1, near(spread), near(ratio), spread, ...known, ...NICE].filter((scale) => scale > 0 && Number.isFinite(scale));
  return all.filter((scale, i) => all.findIndex((other) => Math.abs(other / scale - 1) < 1e-3) === i);
}

/** How far points spread: the median distance from their median. */
function spreadOf(points: Float64Array): number {
  const axis = (k: number) => Float64Array.from({ length: points.length / 3 }, (_, i) => points[3 * i + k] % APART).sort();
  const ranges = [0, 1, 2].map((k) => {
    const sorted = axis(k), at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))];
    return at(0.75) - at(0.25);
  });
  return Math.hypot(...ranges);
}

/** Scale by least squares over pairs. */
function fitScale(points: Float64Array, laying: Laying, offset: Triple, scale: number): number {
  const pairs = pairsOf(points, laying.grid, offset);
  if (pairs.length < 10) return scale;
  let above = 0, below = 0;
  for (let axis = 0; axis < 3; axis++) {
    const from = pairs.map(([i]) => points[3 * i + axis] % APART), to = pairs.map(([, j]) => laying.target[3 * j + axis] % APART);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const a = mean(from), b = mean(to);
    from.forEach((value, p) => {
      above += (value - a) * (to[p] - b);
      below += (value - a) ** 2;
    });
  }
  const fitted = scale * above / below;
  if (!(fitted > 0)) return scale;
  return Math.abs(fitted / scale - 1) < 2e-3 ? scale : fitted;
}

/** Offsets by votes, for likely scales with axes as they are, then for all axes. */
function voted(laying: Laying, reading: Reading, sizes: readonly number[], random: (key: string) => Random): Explanation[] {
  const whole = laying.all(), plain = laying.points(reading, axisChanges[0], 1, whole, true)!;
  const scales = scalesOf(laying, plain, sizes), found: Explanation[] = [];
  const seen = laying.target.length / 3 > VOTED
    ? Float64Array.from(
      [...random("voted").permutation(laying.target.length / 3).subarray(0, VOTED)].flatMap((j) =>
        [0, 1, 2].map((axis) => laying.target[3 * j + axis])
      ),
    )
    : laying.target;
  const attempt = (axes: AxisChange, scale: number) => {
    const points = laying.points(reading, axes, scale, whole, true)!;
    const start = voteOffset(points, seen, laying.tolerance, random(`votes ${axes.words.join()} ${scale}`), VOTERS);
    const first = laying.explain(reading, axes, scale, points, start, true), better = fitScale(points, laying, first.offset, scale);
    if (better === scale) return found.push(first);
    const again = laying.points(reading, axes, better, whole, true)!;
    found.push(first, laying.explain(reading, axes, better, again, first.offset, true));
  };
  const enough = () => found.some(({ share }) => share > 0.6);
  for (const scale of scales) if (!enough()) attempt(axisChanges[0], scale);
  // Missing and additional points move the ratio of the spreads by some per cent.
  const spread = spreadOf(laying.target) / spreadOf(plain);
  for (let step = 1; step <= 8; step++) {
    for (const sign of [1, -1]) if (!enough() && spread > 0) attempt(axisChanges[0], spread * (1 + 0.01 * step * sign));
  }
  for (const axes of axisChanges.slice(1)) if (!enough()) attempt(axes, 1);
  for (const scale of scales.slice(1, 6)) for (const axes of axisChanges.slice(1)) if (!enough()) attempt(axes, scale);
  return found;
}

/** Distance that two points of a pair may be apart: a few voxels, but well below the distance of neighbours. */
function defaultTolerance(points: Float64Array): number {
  const near = neighbourDistance(points);
  return Number.isFinite(near) ? Math.max(0.5, Math.min(4, 0.3 * near)) : 4;
}

/**
 * Compares two sets of particles.
 *
 * @returns What was found; null when the files have no tomogram in common or one of them is empty.
 */
export function comparePoints(request: PointsRequest): PointsFinding | null {
  const first = request.readings[0], { ordinals, common, missing } = commonTomograms(first.set, request.target);
  const pool = poolOf(first.set, ordinals[0]), targetPool = poolOf(request.target, ordinals[1]);
  if (pool.rows.length === 0 || targetPool.rows.length === 0) return null;
  const tolerance = request.tolerance ?? defaultTolerance(apart(pointsOf(request.target, targetPool.rows), targetPool.ordinal));
  const laying = new Laying(request, pool, targetPool, tolerance);
  const explanations = direct(laying, request.readings), asTheyAre = explanations[0];
  const better = (list: readonly Explanation[]) => list.reduce((best, other) => other.score > best.score + 1e-9 ? other : best);
  let best = better(explanations);
  const sample = laying.points(first, axisChanges[0], 1, laying.sample, false)!;
  const displaced = [[7, 5, -6], [-5, 8, 7], [9, -7, 5]].map((by) =>
    sharedFraction(laying.grid, sample.map((value, i) => value + by[i % 3] * tolerance)) * laying.weight
  );
  const chance = Math.min(1, displaced.reduce((sum, value) => sum + value, 0) / displaced.length);
  const enough = (explanation: Explanation) => explanation.share >= Math.max(LEAST, 3 * chance);
  if (!enough(best) && pool.rows.length >= 3) best = better([best, ...voted(laying, first, request.sizes, request.random)]);
  const points = laying.points(best.reading, best.axes, best.scale, laying.all(), best.free)!;
  const pairs = pairsOf(points, laying.grid, best.offset).map(([i, j]) => [pool.rows[i], targetPool.rows[j]] as const);
  const full = { ...best, share: Math.min(1, pairs.length / Math.min(pool.rows.length, targetPool.rows.length)) };
  return { tolerance, chance, asTheyAre: best === asTheyAre ? full : asTheyAre, best: full, pairs, found: enough(best), common, missing };
}
