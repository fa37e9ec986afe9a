/**
 * Cutting a volume into bricks whose filtering needs a margin, so that memory depends on the brick and not on the volume.
 * @module
 */
import type { Triple } from "../../streams/contract.ts";

/** A part of a volume and what must be read to filter it. */
export interface Brick {
  /** First voxel of the part itself. */
  readonly cornerZyx: Triple;
  /** The part's size; the parts of all bricks tile the volume. */
  readonly sizeZyx: Triple;
  /** First voxel to read. */
  readonly readCornerZyx: Triple;
  /** The part with its margin, cut at the volume's faces. */
  readonly readSizeZyx: Triple;
}

/** Index of voxel `i` in a line of `n` voxels mirrored about its ends (d c b a | a b c d | d c b a), SciPy's `reflect`. */
export function mirrorIndex(i: number, n: number): number {
  const j = ((i % (2 * n)) + 2 * n) % (2 * n);
  return j < n ? j : 2 * n - 1 - j;
}

/**
 * Cuts a volume into equal bricks, few voxels of which are read twice.
 *
 * @param reach Voxels that a filter needs beyond a brick on every side.
 * @param mostVoxels What one brick may read; (4 reach + 1)^3 if that is more, for in smaller bricks the margins would be all the work.
 * @returns Bricks in z, y, x order.
 */
export function planBricks(shapeZyx: Triple, reach: number, mostVoxels: number): Brick[] {
  const room = Math.max(mostVoxels, (4 * reach + 1) ** 3);
  let best: { cost: number; cuts: Triple } | null = null;
  const read = (n: number, cuts: number) => Math.min(n, Math.ceil(n / cuts) + (cuts === 1 ? 0 : cuts === 2 ? 1 : 2) * reach);
  for (let x = 1; x <= shapeZyx[2]; x++) {
    for (let z = 1; z <= shapeZyx[0]; z++) {
      const each = read(shapeZyx[2], x) * read(shapeZyx[0], z);
      let y = 1;
      while (y < shapeZyx[1] && each * read(shapeZyx[1], y) > room) y++;
      if (each * read(shapeZyx[1], y) > room) continue;
      const cost = x * y * z * each * read(shapeZyx[1], y);
      if (!best || cost < best.cost) best = { cost, cuts: [z, y, x] };
    }
    // Rows are cheapest to read whole: cut them only when nothing else fits.
    if (best) break;
  }
  const { cuts } = best!;
  const bricks: Brick[] = [];
  const parts = shapeZyx.map((n, axis) => cutEvenly(n, cuts[axis], reach));
  for (const z of parts[0]) {
    for (const y of parts[1]) {
      for (const x of parts[2]) {
        bricks.push({
          cornerZyx: [z.corner, y.corner, x.corner],
          sizeZyx: [z.size, y.size, x.size],
          readCornerZyx: [z.readCorner, y.readCorner, x.readCorner],
          readSizeZyx: [z.readSize, y.readSize, x.readSize],
        });
      }
    }
  }
  return bricks;
}

function cutEvenly(n: number, cuts: number, reach: number) {
  return Array.from({ length: cuts }, (_, i) => {
    const corner = Math.floor((i * n) / cuts), end = Math.floor(((i + 1) * n) / cuts);
    const readCorner = Math.max(0, corner - reach), readEnd = Math.min(n, end + reach);
    return { corner, size: end - corner, readCorner, readSize: readEnd - readCorner };
  }).filter(({ size }) => size > 0);
}
