/**
 * Median filters of volumes over cubes, mirrored at the faces (SciPy's `reflect`, its default).
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";
import type { Triple } from "../../streams/contract.ts";
import { mirrorIndex } from "./brick.ts";

/**
 * Filters whole sections of a volume; a pool entry. The median of an odd number of voxels is one of them, so the result is exact.
 *
 * @param sections `[n, ny, nx]`: the sections to return with `reach` more on both sides, cut at the volume's ends.
 * @param first The section of the volume that `sections` begins with.
 * @param from First section to return. @param to Section after the last.
 * @param shapeZyx The volume's shape.
 * @param reach Voxels on each side of the middle: 1 is a cube of 27.
 * @returns `[to - from, ny, nx]`.
 * @throws {ShapeError} When a section that the filter needs is missing.
 */
export function medianSections(
  sections: Float32Array,
  first: number,
  from: number,
  to: number,
  shapeZyx: Triple,
  reach: number,
): Float32Array {
  const [nz, ny, nx] = shapeZyx, area = ny * nx, held = sections.length / area;
  const needed = [Math.max(0, from - reach), Math.min(nz, to + reach)];
  if (first > needed[0] || first + held < needed[1]) {
    throw new ShapeError(`sections ${first} to ${first + held} given, ${needed[0]} to ${needed[1]} needed for a reach of ${reach}`);
  }
  const side = 2 * reach + 1, plane = side * side, cube = new Float32Array(side * plane), middle = (cube.length - 1) / 2;
  const out = new Float32Array((to - from) * area);
  // What the cube holds, column by column: a step along x replaces the oldest column, since order does not matter.
  const columns = new Float32Array(side * plane), rows = new Int32Array(plane);
  for (let z = from, at = 0; z < to; z++) {
    for (let y = 0; y < ny; y++) {
      for (let i = 0; i < plane; i++) {
        const atZ = mirrorIndex(z + Math.floor(i / side) - reach, nz) - first, atY = mirrorIndex(y + i % side - reach, ny);
        rows[i] = atZ * area + atY * nx;
      }
      const take = (x: number) => {
        const column = x >= 0 && x < nx ? x : mirrorIndex(x, nx), to = ((x + side) % side) * plane;
        for (let i = 0; i < plane; i++) columns[to + i] = sections[rows[i] + column];
      };
      for (let x = -reach; x < reach; x++) take(x);
      for (let x = 0; x < nx; x++, at++) {
        take(x + reach);
        cube.set(columns);
        out[at] = selectRank(cube, middle);
      }
    }
  }
  return out;
}

/** The value at `rank` (from 0) of `values` in ascending order; changes their order. Hoare's selection. */
function selectRank(values: Float32Array, rank: number): number {
  let low = 0, high = values.length - 1;
  while (low < high) {
    const pivot = values[rank];
    let i = low, j = high;
    do {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i <= j) {
        const value = values[i];
        values[i++] = values[j];
        values[j--] = value;
      }
    } while (i <= j);
    if (j < rank) low = i;
    if (i > rank) high = j;
  }
  return values[rank];
}
