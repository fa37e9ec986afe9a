/**
 * Symmetric 3 x 3 matrices.
 * @module
 */

/**
 * Eigenvalues, the largest first.
 *
 * @param matrix xx, yy, zz, xy, xz, yz.
 * @returns `null` when the matrix is a multiple of the identity or holds numbers that are not finite.
 * @see Smith 1961, "Eigenvalues of a symmetric 3 x 3 matrix", Communications of the ACM 4.
 */
export function symmetricEigenvalues3(matrix: ArrayLike<number>): [number, number, number] | null {
  const xx = matrix[0], yy = matrix[1], zz = matrix[2], xy = matrix[3], xz = matrix[4], yz = matrix[5];
  const mean = (xx + yy + zz) / 3;
  const spread = Math.sqrt(((xx - mean) ** 2 + (yy - mean) ** 2 + (zz - mean) ** 2 + 2 * (xy * xy + xz * xz + yz * yz)) / 6);
  if (!(spread > 0) || !Number.isFinite(spread)) return null;
  const a = (xx - mean) / spread, b = (yy - mean) / spread, c = (zz - mean) / spread;
  const d = xy / spread, e = xz / spread, f = yz / spread;
  const half = (a * (b * c - f * f) - d * (d * c - f * e) + e * (d * f - b * e)) / 2;
  const angle = Math.acos(Math.max(-1, Math.min(1, half))) / 3;
  const least = mean + 2 * spread * Math.cos(angle + (2 * Math.PI) / 3), most = mean + 2 * spread * Math.cos(angle);
  return [most, 3 * mean - most - least, least];
}
