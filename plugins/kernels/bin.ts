/**
 * Binning of boxes.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";

/** Edge of a box after binning: what does not fill a whole bin is left out, evenly at both faces. */
export function binnedEdge(boxVoxels: number, factor: number): number {
  return Math.floor(boxVoxels / factor);
}

/**
 * Averages cubes of `factor` voxels.
 *
 * Shapes: `voxels` `[count, b, b, b]`, left unchanged; returns `[count, c, c, c]` with c = floor(b / factor).
 * @throws {ShapeError} When the lengths do not belong together.
 */
export function binBoxes(voxels: Float32Array, count: number, boxVoxels: number, factor: number): Float32Array {
  if (voxels.length !== count * boxVoxels ** 3) throw new ShapeError(`${voxels.length} voxels are not ${count} boxes of ${boxVoxels}^3`);
  const edge = binnedEdge(boxVoxels, factor), first = (boxVoxels - edge * factor) >> 1, scale = 1 / factor ** 3;
  const out = new Float32Array(count * edge ** 3);
  for (let i = 0, to = 0; i < count; i++) {
    for (let z = 0; z < edge; z++) {
      for (let y = 0; y < edge; y++) {
        for (let x = 0; x < edge; x++) {
          let sum = 0;
          for (let k = 0; k < factor; k++) {
            for (let j = 0; j < factor; j++) {
              const row = ((i * boxVoxels + first + z * factor + k) * boxVoxels + first + y * factor + j) * boxVoxels + first + x * factor;
              for (let l = 0; l < factor; l++) sum += voxels[row + l];
            }
          }
          out[to++] = sum * scale;
        }
      }
    }
  }
  return out;
}
