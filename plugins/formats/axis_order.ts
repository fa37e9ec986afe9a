/**
 * Axes of a file (sections, rows, columns) put into z, y, x.
 * @module
 */
import type { Geometry, Triple, Volume } from "../../streams/contract.ts";
import { permuteGeometry } from "../kernels/permute_geometry.ts";

/** What columns, rows and sections of a file are: 1 = x, 2 = y, 3 = z (MAPC, MAPR, MAPS of an MRC header). */
export type FileAxes = Triple;

/** Whether columns, rows, sections are x, y, z. */
export function isStraight(axes: FileAxes): boolean {
  return axes.join() === "1,2,3";
}

/** Axis of the file (0 sections, 1 rows, 2 columns) that is z, y, x. */
function fileAxisOf(axes: FileAxes): Triple {
  return [3, 2, 1].map((axis) => 2 - axes.indexOf(axis)) as unknown as Triple;
}

/** Shape `[z, y, x]` of a file whose shape is `[sections, rows, columns]`. */
export function orderShape(stored: Triple, axes: FileAxes): Triple {
  return fileAxisOf(axes).map((axis) => stored[axis]) as unknown as Triple;
}

/** Copies `[s0, s1, s2]` so that output axis i is input axis order[i]. */
function permute(input: Float32Array, size: Triple, order: Triple): Float32Array {
  const strides = [size[1] * size[2], size[2], 1];
  const [n0, n1, n2] = order.map((axis) => size[axis]);
  const [s0, s1, s2] = order.map((axis) => strides[axis]);
  const out = new Float32Array(input.length);
  for (let i = 0, at = 0; i < n0; i++) {
    for (let j = 0; j < n1; j++) {
      for (let k = 0, from = i * s0 + j * s1; k < n2; k++, from += s2) out[at++] = input[from];
    }
  }
  return out;
}

/** Reads boxes in z, y, x from a reader of boxes in sections, rows, columns. */
export function orderedReader(read: Volume["readBox"], axes: FileAxes): Volume["readBox"] {
  if (isStraight(axes)) return read;
  const fileAxis = fileAxisOf(axes);
  const toFile = (zyx: Triple): Triple => {
    const out: [number, number, number] = [0, 0, 0];
    fileAxis.forEach((axis, i) => out[axis] = zyx[i]);
    return out;
  };
  return async (corner, size) => {
    const fileSize = toFile(size);
    return permute(await read(toFile(corner), fileSize), fileSize, fileAxis);
  };
}

/** A volume whose own axes are sections, rows, columns, as one in z, y, x. */
export function orderedVolume(stored: Volume, axes: FileAxes): Volume {
  if (isStraight(axes)) return stored;
  const shapeZyx = orderShape(stored.shapeZyx, axes), readBox = orderedReader(stored.readBox, axes);
  return {
    shapeZyx,
    voxelSizeAngstrom: stored.voxelSizeAngstrom,
    readBox,
    readSlab: (z0, z1) => readBox([z0, 0, 0], [z1 - z0, shapeZyx[1], shapeZyx[2]]),
  };
}

/**
 * A geometry that was stated for the stored axes (columns x, rows y, sections z), as most programs take them, for the axes that the header
 * names. Where sections are not z, columns and rows cannot have been what was meant: the geometry is that of the header's own x, y, z.
 */
export function orderGeometry(geometry: Geometry, axes: FileAxes): Geometry {
  if (isStraight(axes) || axes[2] !== 3) return geometry;
  return permuteGeometry(geometry, { axesXyz: [axes.indexOf(1), axes.indexOf(2), 2], flippedXyz: [false, false, false] });
}

/** `x, z, y` of 1, 3, 2. */
export function axisLetters(axes: FileAxes): string {
  return axes.map((axis) => "xyz"[axis - 1]).join(", ");
}
