/**
 * Rotations in three dimensions: unit quaternions, matrices acting on (x, y, z) columns, and RELION's Euler angles.
 * @module
 */
import type { Random } from "../../streams/contract.ts";

/** Row-major 3 x 3 matrix acting on column vectors (x, y, z). */
export type Matrix3 = Float64Array;

const DEGREE = Math.PI / 180;

/** Matrix of the unit quaternion (w, x, y, z). */
export function quaternionToMatrix(w: number, x: number, y: number, z: number): Matrix3 {
  // deno-fmt-ignore
  return Float64Array.of(
    1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
    2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
    2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
  );
}

/**
 * A rotation drawn uniformly from SO(3).
 * @see Shoemake 1992, "Uniform random rotations", Graphics Gems III.
 */
export function randomRotation(random: Random): Matrix3 {
  const u = random.uniform();
  const a = 2 * Math.PI * random.uniform();
  const b = 2 * Math.PI * random.uniform();
  const s = Math.sqrt(1 - u), t = Math.sqrt(u);
  return quaternionToMatrix(s * Math.sin(a), s * Math.cos(a), t * Math.sin(b), t * Math.cos(b));
}

/**
 * RELION's matrix of (rot, tilt, psi), intrinsic ZYZ, degrees.
 *
 * A particle with these angles shows `reference(A^T (p - s))`: A carries the reference's frame into the particle's (FIELD.md, checked
 * against relion_reconstruct).
 */
export function eulerZyzToMatrix(rot: number, tilt: number, psi: number): Matrix3 {
  const ca = Math.cos(rot * DEGREE), sa = Math.sin(rot * DEGREE);
  const cb = Math.cos(tilt * DEGREE), sb = Math.sin(tilt * DEGREE);
  const cg = Math.cos(psi * DEGREE), sg = Math.sin(psi * DEGREE);
  // deno-fmt-ignore
  return Float64Array.of(
    cg * cb * ca - sg * sa, cg * cb * sa + sg * ca, -cg * sb,
    -sg * cb * ca - cg * sa, -sg * cb * sa + cg * ca, sg * sb,
    sb * ca, sb * sa, cb,
  );
}

/** (rot, tilt, psi) in degrees of a matrix as {@linkcode eulerZyzToMatrix} makes it; rot in (-180, 180], tilt in [0, 180]; psi is 0 at the poles. */
export function matrixToEulerZyz(m: Matrix3): [number, number, number] {
  const sb = Math.hypot(m[6], m[7]);
  const tilt = Math.atan2(sb, m[8]);
  if (sb < 1e-9) {
    // Only rot + psi (or rot - psi) is defined: all of it goes to rot.
    const rot = m[8] > 0 ? Math.atan2(m[1], m[0]) : Math.atan2(-m[1], -m[0]);
    return [rot / DEGREE, tilt / DEGREE, 0];
  }
  return [Math.atan2(m[7], m[6]) / DEGREE, tilt / DEGREE, Math.atan2(m[5], -m[2]) / DEGREE];
}

/** The inverse of a rotation. */
export function transpose3(m: Matrix3): Matrix3 {
  return Float64Array.of(m[0], m[3], m[6], m[1], m[4], m[7], m[2], m[5], m[8]);
}

/** a times b. */
export function multiply3(a: Matrix3, b: Matrix3): Matrix3 {
  const out = new Float64Array(9);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) out[3 * i + j] = a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j];
  }
  return out;
}
