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

/**
 * Averages boxes down to a smaller edge, whatever the ratio: a new voxel is the mean over the cube that it covers, voxels that it cuts
 * counting by their part inside.
 *
 * Shapes: `voxels` `[count, b, b, b]`, left unchanged; returns `[count, edge, edge, edge]`; a box of `edge` or less is given back as it is,
 * in the middle of zeros.
 * @throws {ShapeError} When the lengths do not belong together.
 */
export function shrinkBoxes(voxels: Float32Array, count: number, boxVoxels: number, edge: number): Float32Array {
  if (voxels.length !== count * boxVoxels ** 3) throw new ShapeError(`${voxels.length} voxels are not ${count} boxes of ${boxVoxels}^3`);
  const ratio = Math.max(1, boxVoxels / edge), margin = Math.max(0, edge - boxVoxels) >> 1;
  // For each new voxel the old ones that it covers along one axis, and how much of each.
  const cover = Array.from({ length: edge }, (_, i) => {
    const from = (i - margin) * ratio, to = from + ratio, parts: [number, number][] = [];
    for (let v = Math.max(0, Math.floor(from)); v < Math.min(boxVoxels, to); v++) {
      const share = (Math.min(to, v + 1) - Math.max(from, v)) / ratio;
      if (share > 1e-9) parts.push([v, share]);
    }
    return parts;
  });
  let source: Float32Array = voxels;
  // One axis after the other, x first: [outer, b, inner] to [outer, edge, inner].
  for (let axis = 0; axis < 3; axis++) {
    const inner = edge ** axis, outer = count * boxVoxels ** (2 - axis);
    const target = new Float32Array(outer * edge * inner);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < edge; i++) {
        const to = (o * edge + i) * inner;
        for (const [v, share] of cover[i]) {
          const from = (o * boxVoxels + v) * inner;
          for (let j = 0; j < inner; j++) target[to + j] += share * source[from + j];
        }
      }
    }
    source = target;
  }
  return source;
}
