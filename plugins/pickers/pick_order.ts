/**
 * The order in which pickers hand out picks.
 * @module
 */

/** Picks come in rows of tiles of this height and width. */
const TILE_VOXELS = 32;

/**
 * Sorts picks so that neighbours get neighbouring ordinals and boxes can be cut many at a time: rows of 32 x 32 voxels along x.
 *
 * @param indices Picks to sort.
 * @param xyz `[n, 3]` of all picks.
 */
export function inTiles(indices: Int32Array, xyz: Float64Array): Int32Array {
  const tile = (i: number, axis: number) => Math.floor(xyz[3 * i + axis] / TILE_VOXELS);
  return indices.toSorted((a, b) =>
    tile(a, 2) - tile(b, 2) || tile(a, 1) - tile(b, 1) || xyz[3 * a] - xyz[3 * b] || xyz[3 * a + 1] - xyz[3 * b + 1] ||
    xyz[3 * a + 2] - xyz[3 * b + 2]
  );
}
