/**
 * Clusters by k-means: k-means++ seeds, then Lloyd's iterations.
 * @module
 */
import type { Random } from "../../streams/contract.ts";
import { ShapeError } from "../../streams/errors.ts";

/** Outcome of {@linkcode kmeans}. */
export interface KMeansFit {
  /** `[k, dims]`. */
  readonly centres: Float64Array;
  /** `[rows]`, 0..k-1. */
  readonly labels: Int32Array;
  /** Weighted sum of squared distances to the nearest centre. */
  readonly inertia: number;
  /** Rounds of the kept start. */
  readonly iterations: number;
}

/** How {@linkcode kmeans} works. */
export interface KMeansOptions {
  /** Independent starts, of which the one with the least inertia is kept. Default 1. */
  readonly restarts?: number;
  /** Default 50. */
  readonly maxIterations?: number;
  /** `[rows]`, not negative: a row counts this many times. Default 1 each. */
  readonly weights?: ArrayLike<number>;
}

/**
 * Picks `k` rows as seeds: each next one with probability proportional to weight times squared distance to the nearest seed, the best of
 * 2 + ln k candidates each time.
 *
 * `values` is `[rows, dims]` row-major. When fewer than k rows differ, seeds repeat.
 * @returns `[k]` row numbers.
 * @see Arthur and Vassilvitskii 2007, "k-means++: the advantages of careful seeding".
 */
export function seedCentres(
  values: Float32Array | Float64Array,
  dims: number,
  k: number,
  random: Random,
  weights?: ArrayLike<number>,
): Int32Array {
  const rows = values.length / dims;
  const seeds = new Int32Array(k);
  const nearest = new Float64Array(rows).fill(Infinity);
  const trial = new Float64Array(rows), best = new Float64Array(rows);
  const draw = (mass: (row: number) => number) => {
    let total = 0;
    for (let row = 0; row < rows; row++) total += mass(row);
    if (!(total > 0)) return random.integer(rows);
    let left = random.uniform() * total;
    let last = 0;
    for (let row = 0; row < rows; row++) {
      const share = mass(row);
      if (share <= 0) continue;
      last = row;
      left -= share;
      if (left < 0) break;
    }
    return last;
  };
  const weight = (row: number) => weights ? weights[row] : 1;
  const candidates = 2 + Math.floor(Math.log(k));
  for (let c = 0; c < k; c++) {
    let least = Infinity;
    for (let attempt = 0; attempt < (c === 0 ? 1 : candidates); attempt++) {
      const row = draw(c === 0 ? weight : (r) => weight(r) * nearest[r]);
      let inertia = 0;
      for (let other = 0; other < rows; other++) {
        let distance = 0;
        for (let j = 0; j < dims; j++) distance += (values[other * dims + j] - values[row * dims + j]) ** 2;
        trial[other] = Math.min(nearest[other], distance);
        inertia += weight(other) * trial[other];
      }
      if (inertia < least) {
        least = inertia;
        seeds[c] = row;
        best.set(trial);
      }
    }
    nearest.set(best);
  }
  return seeds;
}

/**
 * Partitions rows into `k` clusters.
 *
 * `values` is `[rows, dims]` row-major. Float64 sums; ties go to the lower cluster; a cluster that loses every row takes the row that lies
 * farthest from its centre. Cost: O(rows k dims) an iteration.
 * @throws {ShapeError} When there are fewer rows than clusters, or `weights` does not match.
 * @see Lloyd 1982; Arthur and Vassilvitskii 2007.
 */
export function kmeans(
  values: Float32Array | Float64Array,
  dims: number,
  k: number,
  random: Random,
  options: KMeansOptions = {},
): KMeansFit {
  const rows = values.length / dims;
  if (rows < k) throw new ShapeError(`${rows} rows cannot make ${k} clusters: ask for at most ${rows}`);
  if (options.weights && options.weights.length !== rows) throw new ShapeError(`${options.weights.length} weights for ${rows} rows`);
  let kept: KMeansFit | null = null;
  for (let start = 0; start < (options.restarts ?? 1); start++) {
    const fit = lloyd(values, dims, seedCentres(values, dims, k, random, options.weights), options);
    if (!kept || fit.inertia < kept.inertia) kept = fit;
  }
  return kept!;
}

function lloyd(values: Float32Array | Float64Array, dims: number, seeds: Int32Array, options: KMeansOptions): KMeansFit {
  const rows = values.length / dims, k = seeds.length;
  const centres = new Float64Array(k * dims);
  for (let c = 0; c < k; c++) for (let j = 0; j < dims; j++) centres[c * dims + j] = values[seeds[c] * dims + j];
  const labels = new Int32Array(rows).fill(-1);
  const distances = new Float64Array(rows);
  const sums = new Float64Array(k * dims), mass = new Float64Array(k);
  const weight = (row: number) => options.weights ? options.weights[row] : 1;
  let iterations = 0, inertia = 0;
  for (;;) {
    let changed = false;
    inertia = 0;
    for (let row = 0; row < rows; row++) {
      let least = Infinity, winner = 0;
      const at = row * dims;
      for (let c = 0; c < k; c++) {
        let distance = 0;
        const centre = c * dims;
        for (let j = 0; j < dims; j++) {
          const delta = values[at + j] - centres[centre + j];
          distance += delta * delta;
        }
        if (distance < least) {
          least = distance;
          winner = c;
        }
      }
      if (labels[row] !== winner) changed = true;
      labels[row] = winner;
      distances[row] = least;
      inertia += weight(row) * least;
    }
    if (!changed || iterations >= (options.maxIterations ?? 50)) return { centres, labels, inertia, iterations };
    iterations++;
    sums.fill(0);
    mass.fill(0);
    for (let row = 0; row < rows; row++) {
      const c = labels[row], w = weight(row);
      mass[c] += w;
      for (let j = 0; j < dims; j++) sums[c * dims + j] += w * values[row * dims + j];
    }
    for (let c = 0; c < k; c++) {
      if (mass[c] > 0) {
        for (let j = 0; j < dims; j++) centres[c * dims + j] = sums[c * dims + j] / mass[c];
        continue;
      }
      let farthest = 0;
      for (let row = 1; row < rows; row++) if (weight(row) * distances[row] > weight(farthest) * distances[farthest]) farthest = row;
      distances[farthest] = 0;
      for (let j = 0; j < dims; j++) centres[c * dims + j] = values[farthest * dims + j];
    }
  }
}
