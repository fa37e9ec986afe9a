/**
 * A volume seen along other axes: exchanged and mirrored, read lazily.
 * @module
 */
import type { Triple, Volume } from "../../streams/contract.ts";
import type { FrameChange } from "../kernels/permute_geometry.ts";

/** Shape `[z, y, x]` after a change of frame. */
export function turnedShape(shapeZyx: Triple, { axesXyz }: FrameChange): Triple {
  return [2, 1, 0].map((axis) => shapeZyx[2 - axesXyz[axis]]) as unknown as Triple;
}

/** Copies a box `[z, y, x]` of the old frame into the new one. */
export function turnBox(box: Float32Array, sizeZyx: Triple, { axesXyz, flippedXyz }: FrameChange): Float32Array {
  const steps = [1, sizeZyx[2], sizeZyx[2] * sizeZyx[1]], lengths = axesXyz.map((axis) => sizeZyx[2 - axis]);
  const [sx, sy, sz] = axesXyz.map((axis, i) => flippedXyz[i] ? -steps[axis] : steps[axis]);
  const first = axesXyz.reduce<number>((sum, axis, i) => sum + (flippedXyz[i] ? (lengths[i] - 1) * steps[axis] : 0), 0);
  const out = new Float32Array(box.length), [nx, ny, nz] = lengths;
  for (let z = 0, at = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0, from = first + z * sz + y * sy; x < nx; x++, from += sx) out[at++] = box[from];
    }
  }
  return out;
}

/** A volume after a change of frame. */
export function turnedVolume(volume: Volume, change: FrameChange): Volume {
  const { axesXyz, flippedXyz } = change, shapeZyx = turnedShape(volume.shapeZyx, change);
  const readBox: Volume["readBox"] = async (corner, size) => {
    const oldCorner: [number, number, number] = [0, 0, 0], oldSize: [number, number, number] = [0, 0, 0];
    for (let axis = 0; axis < 3; axis++) {
      const from = corner[2 - axis], length = size[2 - axis], to = 2 - axesXyz[axis];
      oldCorner[to] = flippedXyz[axis] ? shapeZyx[2 - axis] - from - length : from;
      oldSize[to] = length;
    }
    return turnBox(await volume.readBox(oldCorner, oldSize), oldSize, change);
  };
  return {
    shapeZyx,
    voxelSizeAngstrom: volume.voxelSizeAngstrom,
    readBox,
    readSlab: (z0, z1) => readBox([z0, 0, 0], [z1 - z0, shapeZyx[1], shapeZyx[2]]),
  };
}
