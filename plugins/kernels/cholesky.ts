/**
 * Small symmetric positive definite matrices.
 * @module
 */

/**
 * Lower Cholesky factor of a symmetric positive definite matrix `[n, n]`, or null when a pivot is not positive.
 */
export function cholesky(matrix: ArrayLike<number>, n: number): Float64Array | null {
  const factor = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * n + j];
      for (let m = 0; m < j; m++) sum -= factor[i * n + m] * factor[j * n + m];
      if (i === j) {
        if (!(sum > 0)) return null;
        factor[i * n + i] = Math.sqrt(sum);
      } else factor[i * n + j] = sum / factor[j * n + j];
    }
  }
  return factor;
}

/** Inverse of a lower triangular matrix `[n, n]`. */
export function invertLower(factor: Float64Array, n: number): Float64Array {
  const inverse = new Float64Array(n * n);
  for (let j = 0; j < n; j++) {
    inverse[j * n + j] = 1 / factor[j * n + j];
    for (let i = j + 1; i < n; i++) {
      let sum = 0;
      for (let m = j; m < i; m++) sum += factor[i * n + m] * inverse[m * n + j];
      inverse[i * n + j] = -sum / factor[i * n + i];
    }
  }
  return inverse;
}

/** Inverse `[n, n]` of a symmetric positive definite matrix from the inverse of its Cholesky factor. */
export function inverseFromFactor(inverse: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let m = i; m < n; m++) sum += inverse[m * n + i] * inverse[m * n + j];
      out[i * n + j] = out[j * n + i] = sum;
    }
  }
  return out;
}
