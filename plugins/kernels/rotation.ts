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

/**
 * Matrix of the intrinsic angles z, x, z in degrees, Rz(a) Rx(b) Rz(c): it turns by c about z, then by b about x, then by a about z, all
 * fixed axes, counter-clockwise. SciPy: `Rotation.from_euler("ZXZ", [a, b, c])` or `from_euler("zxz", [c, b, a])`.
 */
export function eulerZxzToMatrix(a: number, b: number, c: number): Matrix3 {
  const ca = Math.cos(a * DEGREE), sa = Math.sin(a * DEGREE);
  const cb = Math.cos(b * DEGREE), sb = Math.sin(b * DEGREE);
  const cc = Math.cos(c * DEGREE), sc = Math.sin(c * DEGREE);
  // deno-fmt-ignore
  return Float64Array.of(
    ca * cc - sa * cb * sc, -ca * sc - sa * cb * cc, sa * sb,
    sa * cc + ca * cb * sc, -sa * sc + ca * cb * cc, -ca * sb,
    sb * sc, sb * cc, cb,
  );
}

/** (a, b, c) in degrees of a matrix as {@linkcode eulerZxzToMatrix} makes it; a and c in (-180, 180], b in [0, 180]; c is 0 at the poles. */
export function matrixToEulerZxz(m: Matrix3): [number, number, number] {
  const sb = Math.hypot(m[6], m[7]);
  const b = Math.atan2(sb, m[8]);
  if (sb < 1e-9) return [Math.atan2(m[3], m[0]) / DEGREE, b / DEGREE, 0];
  return [Math.atan2(m[2], -m[5]) / DEGREE, b / DEGREE, Math.atan2(m[6], m[7]) / DEGREE];
}

/** How far from a rotation a matrix is: the largest difference of m times its transpose from 1; a mirror counts as 2. */
export function rotationFault(m: Matrix3): number {
  const product = multiply3(m, transpose3(m));
  const largest = product.reduce((most, value, i) => Math.max(most, Math.abs(value - (i % 4 === 0 ? 1 : 0))), 0);
  const determinant = m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6]);
  return Math.max(largest, Math.abs(determinant - 1));
}
