/**
 * The inscribed sphere of a box.
 *
 * The centre of a box of N voxels a side is voxel floor(N / 2) on each axis, everywhere in tomosieve: boxes are cut so that the pick lies
 * there, and rotations turn about it. The inscribed sphere has that centre and radius N - 1 - floor(N / 2), the largest that stays inside
 * the box in every direction.
 * @module
 */

/** Width in voxels of the soft edge of {@linkcode softSphere}. */
export const SOFT_EDGE_VOXELS = 3;

/** Voxel index of a box's centre on each axis: floor(N / 2). */
export function boxCentre(boxVoxels: number): number {
  return Math.floor(boxVoxels / 2);
}

/** Radius in voxels of the inscribed sphere about {@linkcode boxCentre}: N - 1 - floor(N / 2). */
export function inscribedRadius(boxVoxels: number): number {
  return boxVoxels - 1 - boxCentre(boxVoxels);
}

/** Cached by box size: masks are read-only. */
const hardSpheres = new Map<number, Uint8Array>();
const softSpheres = new Map<number, Float32Array>();

/** The inscribed sphere as a mask `[b, b, b]`: 1 where the distance to the centre is at most {@linkcode inscribedRadius}. Do not write to it. */
export function inscribedSphere(boxVoxels: number): Uint8Array {
  let mask = hardSpheres.get(boxVoxels);
  if (!mask) {
    const radius = inscribedRadius(boxVoxels);
    mask = Uint8Array.from(radii(boxVoxels), (r) => r <= radius ? 1 : 0);
    hardSpheres.set(boxVoxels, mask);
  }
  return mask;
}

/**
 * The soft inscribed sphere `[b, b, b]`: 1 inside, a raised cosine over the outer {@linkcode SOFT_EDGE_VOXELS} voxels, 0 from
 * {@linkcode inscribedRadius} on. Do not write to it.
 */
export function softSphere(boxVoxels: number): Float32Array {
  let mask = softSpheres.get(boxVoxels);
  if (!mask) {
    const outer = inscribedRadius(boxVoxels), edge = Math.min(SOFT_EDGE_VOXELS, outer / 2);
    mask = Float32Array.from(radii(boxVoxels), (r) => {
      const t = (outer - r) / edge;
      return t <= 0 ? 0 : t >= 1 ? 1 : 0.5 - 0.5 * Math.cos(Math.PI * t);
    });
    softSpheres.set(boxVoxels, mask);
  }
  return mask;
}

/** Distance of each voxel from the centre voxel, `[b, b, b]`. */
function radii(boxVoxels: number): Float64Array {
  const c = boxCentre(boxVoxels), out = new Float64Array(boxVoxels ** 3);
  let i = 0;
  for (let z = -c; z < boxVoxels - c; z++) {
    for (let y = -c; y < boxVoxels - c; y++) {
      for (let x = -c; x < boxVoxels - c; x++) out[i++] = Math.hypot(x, y, z);
    }
  }
  return out;
}
