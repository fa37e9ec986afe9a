/**
 * One expectation-maximisation sweep of a full-covariance Gaussian mixture, float64, two rows a vector.
 *
 * The table lies in blocks of ROWS rows, each block column by column ([dims4][ROWS], dims4 = dims rounded up to 4, padding 0). A class is
 * its mean [dims4], the inverse of its covariance's Cholesky factor packed in groups of four rows ([group][column 0..4*group+3][4]), and
 * the constant of its log density. The layout is written by ../mixture.ts.
 */

/** Rows of one block. */
const ROWS: usize = 128;
/** Bytes of one column of a block. */
const COLUMN: usize = ROWS << 3;
/** Below this a responsibility counts as nothing: 1e-16 of a row is under the rounding of the sums it would enter. */
const NEGLIGIBLE: f64 = 1e-16;
/** ln of NEGLIGIBLE. */
const FAR: f64 = -36.85;

/** Rows of one block, for the host. */
export function blockRows(): i32 {
  return <i32>ROWS;
}

/** Lends `bytes` bytes, 16-byte aligned. */
export function alloc(bytes: usize): usize {
  return heap.alloc(bytes);
}

/** Takes back what `alloc` lent. */
export function release(pointer: usize): void {
  heap.free(pointer);
}

let scratch: usize = 0;
let scratchBytes: usize = 0;

function workspace(bytes: usize): usize {
  if (bytes > scratchBytes) {
    if (scratch) heap.free(scratch);
    scratch = heap.alloc(bytes);
    scratchBytes = bytes;
  }
  return scratch;
}

/** out[row] = constant - |A (x - mean)|^2 / 2 for all rows of one block; `y` holds dims4 columns of working space. */
// @ts-ignore: decorator
@inline
function density(block: usize, dims4: usize, mean: usize, factor: usize, constant: f64, y: usize, out: usize): void {
  for (let j: usize = 0; j < dims4; j++) {
    const centre = f64x2.splat(load<f64>(mean + (j << 3)));
    const from = block + j * COLUMN, to = y + j * COLUMN;
    for (let r: usize = 0; r < COLUMN; r += 32) {
      v128.store(to + r, f64x2.sub(v128.load(from + r), centre));
      v128.store(to + r, f64x2.sub(v128.load(from + r, 16), centre), 16);
    }
  }
  const groups = dims4 >> 2;
  const half = f64x2.splat(-0.5), start = f64x2.splat(constant);
  for (let r: usize = 0; r < COLUMN; r += 32) {
    let q0 = f64x2.splat(0), q1 = f64x2.splat(0);
    let a = factor;
    for (let g: usize = 0; g < groups; g++) {
      let s00 = f64x2.splat(0), s01 = f64x2.splat(0), s10 = f64x2.splat(0), s11 = f64x2.splat(0);
      let s20 = f64x2.splat(0), s21 = f64x2.splat(0), s30 = f64x2.splat(0), s31 = f64x2.splat(0);
      let from = y + r;
      const end = a + (((g + 1) << 2) << 5);
      while (a < end) {
        const y0 = v128.load(from), y1 = v128.load(from, 16);
        const c0 = v128.load64_splat(a), c1 = v128.load64_splat(a, 8), c2 = v128.load64_splat(a, 16), c3 = v128.load64_splat(a, 24);
        s00 = f64x2.add(s00, f64x2.mul(c0, y0));
        s01 = f64x2.add(s01, f64x2.mul(c0, y1));
        s10 = f64x2.add(s10, f64x2.mul(c1, y0));
        s11 = f64x2.add(s11, f64x2.mul(c1, y1));
        s20 = f64x2.add(s20, f64x2.mul(c2, y0));
        s21 = f64x2.add(s21, f64x2.mul(c2, y1));
        s30 = f64x2.add(s30, f64x2.mul(c3, y0));
        s31 = f64x2.add(s31, f64x2.mul(c3, y1));
        from += COLUMN;
        a += 32;
      }
      q0 = f64x2.add(q0, f64x2.add(f64x2.add(f64x2.mul(s00, s00), f64x2.mul(s10, s10)), f64x2.add(f64x2.mul(s20, s20), f64x2.mul(s30, s30))));
      q1 = f64x2.add(q1, f64x2.add(f64x2.add(f64x2.mul(s01, s01), f64x2.mul(s11, s11)), f64x2.add(f64x2.mul(s21, s21), f64x2.mul(s31, s31))));
    }
    v128.store(out + r, f64x2.add(start, f64x2.mul(half, q0)));
    v128.store(out + r, f64x2.add(start, f64x2.mul(half, q1)), 16);
  }
}

/** Adds the weighted scatter of `count` (even, padded with weight 0) gathered rows to `scatter` [dims4][dims4], lower triangle. */
// @ts-ignore: decorator
@inline
function addScatter(y: usize, weighted: usize, dims4: usize, bytes: usize, scatter: usize): void {
  for (let i: usize = 0; i < dims4; i += 4) {
    for (let j: usize = 0; j < i + 4; j += 2) {
      let a = weighted + i * COLUMN, b = y + j * COLUMN;
      let s00 = f64x2.splat(0), s01 = f64x2.splat(0), s10 = f64x2.splat(0), s11 = f64x2.splat(0);
      let s20 = f64x2.splat(0), s21 = f64x2.splat(0), s30 = f64x2.splat(0), s31 = f64x2.splat(0);
      const end = a + bytes;
      while (a < end) {
        const b0 = v128.load(b), b1 = v128.load(b, COLUMN);
        const a0 = v128.load(a), a1 = v128.load(a, COLUMN), a2 = v128.load(a, 2 * COLUMN), a3 = v128.load(a, 3 * COLUMN);
        s00 = f64x2.add(s00, f64x2.mul(a0, b0));
        s01 = f64x2.add(s01, f64x2.mul(a0, b1));
        s10 = f64x2.add(s10, f64x2.mul(a1, b0));
        s11 = f64x2.add(s11, f64x2.mul(a1, b1));
        s20 = f64x2.add(s20, f64x2.mul(a2, b0));
        s21 = f64x2.add(s21, f64x2.mul(a2, b1));
        s30 = f64x2.add(s30, f64x2.mul(a3, b0));
        s31 = f64x2.add(s31, f64x2.mul(a3, b1));
        a += 16;
        b += 16;
      }
      const stride = dims4 << 3;
      let to = scatter + i * stride + (j << 3);
      addPair(to, s00, s01);
      to += stride;
      addPair(to, s10, s11);
      to += stride;
      addPair(to, s20, s21);
      to += stride;
      addPair(to, s30, s31);
    }
  }
}

// @ts-ignore: decorator
@inline
function addPair(to: usize, left: v128, right: v128): void {
  v128.store(to, f64x2.add(v128.load(to), f64x2.add(v128.shuffle<f64>(left, right, 0, 2), v128.shuffle<f64>(left, right, 1, 3))));
}

/**
 * Expectation over `rows` rows of `table`, and the sums from which the maximisation follows.
 *
 * `constants` [k], `means` [k][dims4], `factors` [k][packed]. Writes `weights` [k] (sum of responsibilities), `shifts` [k][dims4] (sum of
 * r (x - mean)) and `scatters` [k][dims4][dims4] (sum of r (x - mean)(x - mean)^T, lower triangle) when `accumulate`, always adding to
 * what is there; `labels` [rows] int32 and `logLikelihoods` [rows] when not 0. Returns the sum of the rows' log densities.
 */
export function sweep(
  table: usize, rows: i32, dims: i32, k: i32, constants: usize, means: usize, factors: usize, accumulate: bool,
  weights: usize, shifts: usize, scatters: usize, labels: usize, logLikelihoods: usize,
): f64 {
  const dims4: usize = (<usize>dims + 3) & ~3;
  const groups = dims4 >> 2;
  const factorBytes = (groups * (groups + 1) >> 1) << 7;
  const columns = dims4 * COLUMN;
  const classes = <usize>k;
  const y = workspace(2 * columns + (classes + 1) * COLUMN);
  const weighted = y + columns;
  const logs = weighted + columns;
  const kept = logs + classes * COLUMN;
  let total: f64 = 0;
  for (let first = 0; first < rows; first += <i32>ROWS) {
    const block = table + (<usize>first / ROWS) * columns;
    const valid = <usize>min(<i32>ROWS, rows - first);
    for (let c: usize = 0; c < classes; c++) {
      density(block, dims4, means + c * (dims4 << 3), factors + c * factorBytes, load<f64>(constants + (c << 3)), y, logs + c * COLUMN);
    }
    for (let r: usize = 0; r < valid; r++) {
      const column = logs + (r << 3);
      let best = load<f64>(column);
      let winner = 0;
      for (let c: usize = 1; c < classes; c++) {
        const value = load<f64>(column + c * COLUMN);
        if (value > best) {
          best = value;
          winner = <i32>c;
        }
      }
      let sum: f64 = 0;
      for (let c: usize = 0; c < classes; c++) {
        const delta = load<f64>(column + c * COLUMN) - best;
        const value = delta < FAR ? 0 : Math.exp(delta);
        store<f64>(column + c * COLUMN, value);
        sum += value;
      }
      const logDensity = best + Math.log(sum);
      total += logDensity;
      if (labels) store<i32>(labels + ((<usize>first + r) << 2), winner);
      if (logLikelihoods) store<f64>(logLikelihoods + ((<usize>first + r) << 3), logDensity);
      if (accumulate) {
        const inverse = 1 / sum;
        for (let c: usize = 0; c < classes; c++) store<f64>(column + c * COLUMN, load<f64>(column + c * COLUMN) * inverse);
      }
    }
    if (!accumulate) continue;
    for (let c: usize = 0; c < classes; c++) {
      const responsibilities = logs + c * COLUMN;
      let count: usize = 0;
      let weight: f64 = 0;
      for (let r: usize = 0; r < valid; r++) {
        const value = load<f64>(responsibilities + (r << 3));
        if (value > NEGLIGIBLE) {
          weight += value;
          store<f64>(responsibilities + (count << 3), value);
          store<u32>(kept + (count << 2), <u32>(r << 3));
          count++;
        }
      }
      if (count == 0) continue;
      store<f64>(weights + (c << 3), load<f64>(weights + (c << 3)) + weight);
      const padded = (count + 1) & ~1;
      if (padded > count) {
        store<f64>(responsibilities + (count << 3), 0);
        store<u32>(kept + (count << 2), load<u32>(kept));
      }
      const bytes = padded << 3;
      for (let j: usize = 0; j < dims4; j++) {
        const from = block + j * COLUMN, to = y + j * COLUMN, toWeighted = weighted + j * COLUMN;
        const centre = f64x2.splat(load<f64>(means + ((c * dims4 + j) << 3)));
        let shift = f64x2.splat(0);
        for (let r: usize = 0; r < bytes; r += 16) {
          const index = kept + (r >> 1);
          const pair = v128.load64_lane(from + load<u32>(index, 4), v128.load64_zero(from + load<u32>(index)), 1);
          const value = f64x2.sub(pair, centre);
          const product = f64x2.mul(value, v128.load(responsibilities + r));
          v128.store(to + r, value);
          v128.store(toWeighted + r, product);
          shift = f64x2.add(shift, product);
        }
        const target = shifts + ((c * dims4 + j) << 3);
        store<f64>(target, load<f64>(target) + f64x2.extract_lane(shift, 0) + f64x2.extract_lane(shift, 1));
      }
      addScatter(y, weighted, dims4, bytes, scatters + c * dims4 * (dims4 << 3));
    }
  }
  return total;
}
