/**
 * In which directions density changes about a point: equally in all, or in one alone, as across a membrane.
 * @module
 */
import type { Triple } from "../../streams/contract.ts";
import { blurSections } from "./blur.ts";
import { symmetricEigenvalues3 } from "./symmetric3.ts";

/** A box about a point; everything can be sent to a worker. */
export interface TensorBox {
  /** `shapeZyx` voxels. */
  readonly voxels: Float32Array;
  /** Shape; at least three voxels along each axis. */
  readonly shapeZyx: Triple;
  /** The point x, y, z in voxels of the box. */
  readonly centreXyz: Triple;
}

/**
 * Structure tensors of boxes: products of the gradient's components, weighted by a Gaussian window about each box's point; a pool entry.
 *
 * Gradients are central differences of the volume after a Gaussian blur (mirrored at the box's faces), taken at every second voxel.
 * @param sigmaGradientVoxels Sigma of the blur.
 * @param sigmaWindowVoxels Sigma of the window.
 * @returns `[n, 6]`: xx, yy, zz, xy, xz, yz, in squared density per voxel.
 * @see Foerstner and Guelch 1987; Fernandez and Li 2003, J. Struct. Biol. 144, for tomograms.
 */
export function structureTensors(boxes: readonly TensorBox[], sigmaGradientVoxels: number, sigmaWindowVoxels: number): Float64Array {
  const out = new Float64Array(6 * boxes.length);
  boxes.forEach((box, i) => out.set(structureTensor(box, sigmaGradientVoxels, sigmaWindowVoxels), 6 * i));
  return out;
}

function structureTensor({ voxels, shapeZyx, centreXyz }: TensorBox, sigmaGradient: number, sigmaWindow: number): number[] {
  const [nz, ny, nx] = shapeZyx, area = ny * nx, [cx, cy, cz] = centreXyz;
  const smooth = blurSections(voxels, 0, 0, nz, shapeZyx, sigmaGradient);
  const weight = (at: number, centre: number) => Math.exp(-0.5 * ((at - centre) / sigmaWindow) ** 2);
  let total = 0;
  const sums = [0, 0, 0, 0, 0, 0];
  for (let z = 1; z < nz - 1; z += 2) {
    for (let y = 1; y < ny - 1; y += 2) {
      const across = weight(z, cz) * weight(y, cy);
      for (let x = 1, at = z * area + y * nx + 1; x < nx - 1; x += 2, at += 2) {
        const w = across * weight(x, cx);
        const gx = (smooth[at + 1] - smooth[at - 1]) / 2, gy = (smooth[at + nx] - smooth[at - nx]) / 2;
        const gz = (smooth[at + area] - smooth[at - area]) / 2;
        total += w;
        sums[0] += w * gx * gx;
        sums[1] += w * gy * gy;
        sums[2] += w * gz * gz;
        sums[3] += w * gx * gy;
        sums[4] += w * gx * gz;
        sums[5] += w * gy * gz;
      }
    }
  }
  return sums.map((sum) => sum / total);
}

/**
 * How sheet-like the surroundings of a point are: (a - b) / a of the eigenvalues a >= b >= c of its structure tensor, that of the background
 * taken away first. Near 1 (and above, where noise makes b negative) on a sheet; lower for a ball, a rod or a ball that the missing wedge has
 * drawn out, because there two directions change alike.
 *
 * @param tensor xx, yy, zz, xy, xz, yz.
 * @param background The same of a place without structure.
 * @returns 0 where there is no more structure than in the background.
 */
export function sheetLikeness(tensor: ArrayLike<number>, background: ArrayLike<number>): number {
  const eigenvalues = symmetricEigenvalues3(Array.from(tensor, (value, i) => value - background[i]));
  if (!eigenvalues || !(eigenvalues[0] > 0)) return 0;
  return (eigenvalues[0] - eigenvalues[1]) / eigenvalues[0];
}
