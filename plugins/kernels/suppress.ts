/**
 * Non-maximum suppression of points by a grid hash.
 * @module
 */

/**
 * Keeps the strongest points that lie at least a distance apart: a point goes when a stronger kept one is nearer. O(n) after sorting.
 *
 * @param xyz `[n, 3]`.
 * @param strength `[n]`.
 * @param distance Least distance between kept points; 0 keeps all.
 * @param maximum Most points to keep.
 * @returns Indices of kept points, strongest first; equal ones in z, y, x order, so that the result does not depend on the input's order.
 */
export function suppress(xyz: ArrayLike<number>, strength: ArrayLike<number>, distance: number, maximum = Infinity): Int32Array {
  const n = strength.length;
  const order = Int32Array.from({ length: n }, (_, i) => i).sort((a, b) =>
    strength[b] - strength[a] || xyz[3 * a + 2] - xyz[3 * b + 2] || xyz[3 * a + 1] - xyz[3 * b + 1] || xyz[3 * a] - xyz[3 * b]
  );
  if (distance <= 0) return order.slice(0, Math.min(n, maximum));
  const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < 3 * n; i++) {
    low[i % 3] = Math.min(low[i % 3], xyz[i]);
    high[i % 3] = Math.max(high[i % 3], xyz[i]);
  }
  // A point's cell and its 26 neighbours hold every point that is nearer than one cell's side.
  const cells = low.map((l, axis) => Math.floor((high[axis] - l) / distance) + 3);
  const head = new Map<number, number>(), next = new Int32Array(n).fill(-1), kept: number[] = [];
  const square = distance * distance;
  for (const i of order) {
    if (kept.length >= maximum) break;
    const x = xyz[3 * i], y = xyz[3 * i + 1], z = xyz[3 * i + 2];
    const cx = Math.floor((x - low[0]) / distance) + 1,
      cy = Math.floor((y - low[1]) / distance) + 1,
      cz = Math.floor((z - low[2]) / distance) + 1;
    const near = () => {
      for (let k = cz - 1; k <= cz + 1; k++) {
        for (let j = cy - 1; j <= cy + 1; j++) {
          for (let c = (k * cells[1] + j) * cells[0] + cx - 1, end = c + 2; c <= end; c++) {
            for (let p = head.get(c) ?? -1; p >= 0; p = next[p]) {
              if ((xyz[3 * p] - x) ** 2 + (xyz[3 * p + 1] - y) ** 2 + (xyz[3 * p + 2] - z) ** 2 < square) return true;
            }
          }
        }
      }
      return false;
    };
    if (near()) continue;
    const cell = (cz * cells[1] + cy) * cells[0] + cx;
    next[i] = head.get(cell) ?? -1;
    head.set(cell, i);
    kept.push(i);
  }
  return Int32Array.from(kept);
}
