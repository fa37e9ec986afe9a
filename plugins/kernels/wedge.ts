/**
 * The missing wedge: which Fourier coefficients a single-axis tilt series measures.
 * @module
 */
import type { Geometry } from "../../streams/contract.ts";

/** Where the zero frequency lies: at voxel floor(N / 2) (`centred`, RELION's N^3 layout) or at voxel 0 (`fft`). */
export type WedgeLayout = "centred" | "fft";

/**
 * The tilt range in degrees, by which a wedge is drawn.
 * @returns `null` when unknown.
 */
export function tiltRangeOf(geometry: Geometry): readonly [number, number] | null {
  if (geometry.tiltRangeDegrees !== "unknown") return geometry.tiltRangeDegrees;
  const angles = geometry.tiltAnglesDegrees;
  return angles && angles.length > 0 ? [Math.min(...angles), Math.max(...angles)] : null;
}

/**
 * Mask of the Fourier coefficients between the first and the last tilt: 1 measured, 0 missing.
 *
 * A projection at tilt t about the axis y is the central slice through y and the direction (cos t, 0, sin t), so for a range of +-t the
 * measured ones are |kz| <= |kx| tan t; handedness -1 mirrors an uneven range. Coefficients on the axis are measured. The mask equals its
 * inversion, so that a real volume stays real.
 *
 * Shapes: result [N, N, N], kz slowest. Units: degrees; `edgeVoxels` in Fourier voxels. Cost: O(N^3).
 * @param edgeVoxels Width of a linear ramp centred on the wedge's faces; 0 (default) is a hard edge.
 * @throws {RangeError} When the tilt range is unknown or not -90 <= first < last <= 90.
 */
export function wedgeMask(boxVoxels: number, geometry: Geometry, layout: WedgeLayout, edgeVoxels = 0): Float32Array {
  const range = tiltRangeOf(geometry);
  if (!range) throw new RangeError("the tilt range is unknown: a missing-wedge mask cannot be made");
  const [first, last] = geometry.handedness === -1 ? [-range[1], -range[0]] : range;
  if (!(first >= -90 && last <= 90 && first < last)) {
    throw new RangeError(`tilt range ${first} to ${last} degrees: expected -90 <= first < last <= 90`);
  }
  const n = boxVoxels;
  const half = n >> 1;
  const measured = sectorWeight(first, last, edgeVoxels);
  // The wedge does not change along the tilt axis: one plane of (kz, the axis across).
  const plane = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const kz = layout === "centred" ? i - half : i < n - half ? i : i - n;
      const k = layout === "centred" ? j - half : j < n - half ? j : j - n;
      // The highest frequency of an even N stands for both signs.
      const signsZ = n % 2 === 0 && kz === -half ? [1, -1] : [1];
      const signs = n % 2 === 0 && k === -half ? [1, -1] : [1];
      let sum = 0;
      for (const a of signsZ) for (const b of signs) sum += measured(a * kz, b * k);
      plane[i * n + j] = sum / (signsZ.length * signs.length);
    }
  }
  const mask = new Float32Array(n * n * n);
  for (let z = 0, at = 0; z < n; z++) {
    for (let y = 0; y < n; y++) {
      for (let x = 0; x < n; x++) mask[at++] = plane[z * n + (geometry.tiltAxis === "y" ? x : y)];
    }
  }
  return mask;
}

/** Weight of (kz, kx): 1 inside the double sector between two tilts, with a ramp across its faces. */
function sectorWeight(first: number, last: number, edge: number): (kz: number, kx: number) => number {
  if (last - first >= 180) return () => 1;
  const radian = Math.PI / 180;
  const [ca, sa, cb, sb] = [Math.cos(first * radian), Math.sin(first * radian), Math.cos(last * radian), Math.sin(last * radian)];
  return (kz, kx) => {
    if (kx === 0 && kz === 0) return 1;
    // Distances from the two faces: of equal sign inside the double sector, of unlike sign outside.
    const a = kz * ca - kx * sa, b = kx * sb - kz * cb;
    const distance = Math.max(Math.min(a, b), Math.min(-a, -b));
    // A coefficient on a face is measured; sines of round angles miss it by rounding.
    if (edge === 0) return distance >= -1e-9 * Math.hypot(kx, kz) ? 1 : 0;
    return Math.min(1, Math.max(0, 0.5 + distance / edge));
  };
}
