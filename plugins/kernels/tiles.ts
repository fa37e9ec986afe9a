/**
 * Cutting a long axis into equal tiles whose kept parts overlap and are blended: the weights of all tiles add up to 1 everywhere.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";
import type { Triple } from "../../streams/contract.ts";
import { mirrorIndex } from "./brick.ts";

/** One tile of an axis. */
export interface Tile {
  /** Its first sample, which may lie before the axis; what lies outside is mirrored. */
  readonly from: number;
  /** First sample that it contributes to. */
  readonly keptFrom: number;
  /** Weight of each sample from `keptFrom` on; those beyond the axis are left out. */
  readonly weights: Float32Array;
}

/**
 * Cuts an axis.
 *
 * @param tile Samples of a tile. @param margin Samples that are thrown away at both ends of each.
 * @param blend Samples over which one tile fades into the next.
 * @throws {RangeError} When tile - 2 margin is less than twice blend, or than 1.
 */
export function planTiles(length: number, tile: number, margin: number, blend: number): Tile[] {
  const kept = tile - 2 * margin;
  if (kept < 1 || kept < 2 * blend) {
    throw new RangeError(
      `tiles of ${tile} without ${margin} at both ends keep ${kept}: expected at least twice the ${blend} that are blended`,
    );
  }
  const stride = kept - blend, count = Math.max(1, Math.ceil((length - blend) / stride));
  return Array.from({ length: count }, (_, t) => {
    const keptFrom = t * stride;
    const weights = Float32Array.from({ length: Math.min(kept, length - keptFrom) }, (_, i) => {
      if (t > 0 && i < blend) return (i + 0.5) / blend;
      // The same numbers as the next tile's, so that both add up to exactly 1.
      if (t < count - 1 && i >= stride) return 1 - Math.fround((i - stride + 0.5) / blend);
      return 1;
    });
    return { from: keptFrom - margin, keptFrom, weights };
  });
}

/** The part `[from, to)` of an axis that a tile reads, mirrored samples included. */
export function readRange({ from }: Tile, tile: number, length: number): readonly [number, number] {
  let low = length, high = 0;
  for (let i = from; i < from + tile; i++) {
    const at = mirrorIndex(i, length);
    if (at < low) low = at;
    if (at >= high) high = at + 1;
  }
  return [low, high];
}

/**
 * Cuts a tile `[tz, ty, tx]` out of a box that holds all it reads, mirrored at the volume's faces.
 *
 * @param box `[.., .., ..]` of `boxShapeZyx` voxels, whose first voxel is `cornerZyx` of the volume.
 */
export function cutTile(
  box: Float32Array,
  cornerZyx: Triple,
  boxShapeZyx: Triple,
  fromZyx: Triple,
  tileZyx: Triple,
  shapeZyx: Triple,
): Float32Array {
  const [, by, bx] = boxShapeZyx, [tz, ty, tx] = tileZyx;
  const place = (axis: number, i: number) => mirrorIndex(fromZyx[axis] + i, shapeZyx[axis]) - cornerZyx[axis];
  const columns = Int32Array.from({ length: tx }, (_, x) => place(2, x));
  const out = new Float32Array(tz * ty * tx);
  for (let z = 0, at = 0; z < tz; z++) {
    for (let y = 0; y < ty; y++) {
      const row = (place(0, z) * by + place(1, y)) * bx;
      for (let x = 0; x < tx; x++, at++) out[at] = box[row + columns[x]];
    }
  }
  return out;
}

/**
 * Adds a processed tile, weighted, to the sections of a layer.
 *
 * @param layer `[n, ny, nx]`, its first section is `firstSection` of the volume.
 * @throws {ShapeError} When the tile has another size.
 */
export function addTile(
  layer: Float32Array,
  firstSection: number,
  shapeZyx: Triple,
  processed: Float32Array,
  tilesZyx: readonly [Tile, Tile, Tile],
  tileZyx: Triple,
  marginZyx: Triple,
): void {
  const [, ny, nx] = shapeZyx, [tz, ty, tx] = tileZyx, [az, ay, ax] = tilesZyx;
  if (processed.length !== tz * ty * tx) throw new ShapeError(`${processed.length} voxels came back for a tile of ${tz} x ${ty} x ${tx}`);
  for (let z = 0; z < az.weights.length; z++) {
    for (let y = 0; y < ay.weights.length; y++) {
      const weight = az.weights[z] * ay.weights[y];
      const to = ((az.keptFrom + z - firstSection) * ny + ay.keptFrom + y) * nx + ax.keptFrom;
      const from = ((z + marginZyx[0]) * ty + y + marginZyx[1]) * tx + marginZyx[2];
      for (let x = 0; x < ax.weights.length; x++) layer[to + x] += weight * ax.weights[x] * processed[from + x];
    }
  }
}
