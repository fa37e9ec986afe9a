/**
 * Principal components of a feature table.
 * @module
 */
import * as simd from "./simd/scatter.wasm";
import { ShapeError } from "../../streams/errors.ts";
import { leadingEigenpairs } from "./eigen.ts";

/** A fitted projection. */
export interface Pca {
  /** Columns of the table. */
  readonly dims: number;
  /** Axes that were kept. */
  readonly components: number;
  /** `[dims]`. */
  readonly mean: Float64Array;
  /** `[components, dims]`, orthonormal, largest variance first; the loading of largest size is positive. */
  readonly axes: Float64Array;
  /** `[components]`, n - 1 in the denominator. */
  readonly variances: Float64Array;
  /** Variance of the whole table, all dims together. */
  readonly totalVariance: number;
}

/** One share of the work: rows `4 panelFrom .. 4 panelTo - 1` of the matrix of products. */
export interface ProductStrip {
  /** First panel of four lines. */
  readonly panelFrom: number;
  /** One past the last panel. */
  readonly panelTo: number;
}

/** Rows that lie in the vector kernel's memory at a time. */
const BLOCK = 128;

/** Which products make the smaller matrix: of columns (covariance) or of rows (Gram). */
function side(rows: number, dims: number): { of: "columns" | "rows"; size: number; panels: number; stride: number } {
  const of = dims <= rows ? "columns" : "rows";
  const size = Math.min(rows, dims);
  return { of, size, panels: Math.ceil(size / 4), stride: Math.ceil(size / 4) * 4 };
}

/** Means of the columns of `values` `[rows, dims]`. */
export function columnMeans(values: Float32Array | Float64Array, dims: number): Float64Array {
  const mean = new Float64Array(dims), rows = values.length / dims;
  for (let row = 0; row < rows; row++) for (let j = 0; j < dims; j++) mean[j] += values[row * dims + j];
  for (let j = 0; j < dims; j++) mean[j] /= rows;
  return mean;
}

/** Divides the products of a table into `count` strips of about equal work; any division gives the same numbers. */
export function planProducts(rows: number, dims: number, count: number): ProductStrip[] {
  const { panels } = side(rows, dims);
  const strips: ProductStrip[] = [];
  let from = 0;
  for (let i = 1; i <= count; i++) {
    // The triangle's area up to panel p grows as p squared.
    const to = i === count ? panels : Math.round(panels * Math.sqrt(i / count));
    if (to > from) strips.push({ panelFrom: from, panelTo: to });
    from = Math.max(from, to);
  }
  return strips;
}

/**
 * Computes one strip of the matrix of products of the centred table: covariance when dims <= rows, else Gram. Float64.
 *
 * `values` [rows, dims] may lie in shared memory. Returns `[4 (panelTo - panelFrom), stride]`, lower triangle.
 */
export function productStrip(values: Float32Array | Float64Array, dims: number, mean: Float64Array, strip: ProductStrip): Float64Array {
  const rows = values.length / dims;
  const { of, size, stride } = side(rows, dims);
  const long = of === "columns" ? rows : dims;
  const width = strip.panelTo * 4;
  const outLength = (strip.panelTo - strip.panelFrom) * 4 * stride;
  const panels = simd.alloc(width * BLOCK * 8) >>> 0, out = simd.alloc(outLength * 8) >>> 0;
  try {
    const memory = new Float64Array(simd.memory.buffer);
    const input = memory.subarray(panels / 8, panels / 8 + width * BLOCK);
    memory.fill(0, out / 8, out / 8 + outLength);
    for (let first = 0; first < long; first += BLOCK) {
      const count = Math.min(BLOCK, long - first);
      for (let column = 0; column < width; column++) {
        const base = (column >> 2) * count * 4 + (column & 3);
        for (let r = 0; r < count; r++) {
          const row = of === "columns" ? first + r : column, j = of === "columns" ? column : first + r;
          input[base + r * 4] = column < size ? values[row * dims + j] - mean[j] : 0;
        }
      }
      simd.addProducts(panels, count, strip.panelFrom, strip.panelTo, stride, out);
    }
    return memory.slice(out / 8, out / 8 + outLength);
  } finally {
    simd.release(panels);
    simd.release(out);
  }
}

/** Puts the strips of {@linkcode planProducts} together and finds the leading components. */
export function pcaFromStrips(
  values: Float32Array | Float64Array,
  dims: number,
  components: number,
  mean: Float64Array,
  strips: readonly Float64Array[],
): Pca {
  const rows = values.length / dims;
  const { of, size, stride } = side(rows, dims);
  const matrix = new Float64Array(size * size);
  let line = 0;
  for (const strip of strips) {
    for (let at = 0; at < strip.length && line < size; at += stride, line++) {
      for (let j = 0; j <= line; j++) matrix[line * size + j] = strip[at + j] / (rows - 1);
    }
  }
  let totalVariance = 0;
  for (let i = 0; i < size; i++) totalVariance += matrix[i * size + i];
  const { values: variances, vectors } = leadingEigenpairs(matrix, size, components);
  for (let c = 0; c < components; c++) variances[c] = Math.max(0, variances[c]);
  const axes = of === "columns" ? vectors : axesFromGram(values, dims, mean, vectors, components);
  return { dims, components, mean, axes, variances, totalVariance };
}

/** Axes in feature space from eigenvectors in row space: X^T u, made orthonormal in order, signs fixed. */
function axesFromGram(values: Float32Array | Float64Array, dims: number, mean: Float64Array, vectors: Float64Array, components: number) {
  const rows = values.length / dims;
  const axes = new Float64Array(components * dims);
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < components; c++) {
      const factor = vectors[c * rows + row];
      for (let j = 0; j < dims; j++) axes[c * dims + j] += factor * (values[row * dims + j] - mean[j]);
    }
  }
  for (let c = 0; c < components; c++) {
    const axis = axes.subarray(c * dims, (c + 1) * dims);
    let before = Math.sqrt(axis.reduce((sum, value) => sum + value * value, 0));
    for (let attempt = 0;; attempt++) {
      for (let pass = 0; pass < 2; pass++) {
        for (let other = 0; other < c; other++) {
          let part = 0;
          for (let j = 0; j < dims; j++) part += axes[other * dims + j] * axis[j];
          for (let j = 0; j < dims; j++) axis[j] -= part * axes[other * dims + j];
        }
      }
      const norm = Math.sqrt(axis.reduce((sum, value) => sum + value * value, 0));
      if (norm > 1e-10 * before && norm > 0) {
        for (let j = 0; j < dims; j++) axis[j] /= norm;
        break;
      }
      // A direction without variance: any unit vector that is orthogonal to the others will do.
      axis.fill(0);
      axis[attempt] = before = 1;
    }
    let largest = 0;
    for (let j = 1; j < dims; j++) if (Math.abs(axis[j]) > Math.abs(axis[largest]) + 1e-12) largest = j;
    if (axis[largest] < 0) { for (let j = 0; j < dims; j++) axis[j] = -axis[j]; }
  }
  return axes;
}

/**
 * Fits `components` principal components to `values` `[rows, dims]` row-major.
 *
 * Works on the covariance or on the Gram matrix, whichever is smaller. Deterministic. Cost: O(rows dims min(rows, dims)); for a table of
 * thousands of columns run the strips in a pool and call {@linkcode pcaFromStrips}.
 * @throws {ShapeError} When there are fewer than 2 rows, or `components` is not in 1..min(rows, dims).
 * @see Pearson 1901. Signs: the loading of largest size is positive.
 */
export function fitPca(values: Float32Array | Float64Array, dims: number, components: number): Pca {
  checkPca(values, dims, components);
  const mean = columnMeans(values, dims);
  const strips = planProducts(values.length / dims, dims, 1).map((strip) => productStrip(values, dims, mean, strip));
  return pcaFromStrips(values, dims, components, mean, strips);
}

/**
 * Says why a table cannot give `components` components.
 * @throws {ShapeError} See {@linkcode fitPca}.
 */
export function checkPca(values: Float32Array | Float64Array, dims: number, components: number): void {
  const rows = values.length / dims;
  if (!Number.isInteger(rows) || rows < 2) throw new ShapeError(`${values.length} values are not at least 2 rows of ${dims}`);
  if (!(components >= 1 && components <= Math.min(rows, dims))) {
    throw new ShapeError(`${components} components of a ${rows} x ${dims} table: ask for 1..${Math.min(rows, dims)}`);
  }
}

/**
 * Coordinates of `values` `[rows, dims]` on the axes: `[rows, components]` float64. A row's result does not depend on the others.
 * @throws {ShapeError} When `values` does not hold whole rows of `pca.dims`.
 */
export function projectPca(pca: Pca, values: Float32Array | Float64Array): Float64Array {
  const { dims, components, mean, axes } = pca;
  const rows = values.length / dims;
  if (!Number.isInteger(rows)) throw new ShapeError(`${values.length} values are not whole rows of ${dims} features`);
  const out = new Float64Array(rows * components);
  const centred = new Float64Array(dims);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < dims; j++) centred[j] = values[row * dims + j] - mean[j];
    for (let c = 0; c < components; c++) {
      const axis = c * dims;
      let s0 = 0, s1 = 0, s2 = 0, s3 = 0, j = 0;
      for (; j + 3 < dims; j += 4) {
        s0 += centred[j] * axes[axis + j];
        s1 += centred[j + 1] * axes[axis + j + 1];
        s2 += centred[j + 2] * axes[axis + j + 2];
        s3 += centred[j + 3] * axes[axis + j + 3];
      }
      for (; j < dims; j++) s0 += centred[j] * axes[axis + j];
      out[row * components + c] = s0 + s1 + (s2 + s3);
    }
  }
  return out;
}
