/**
 * Angles and columns that TOM's motive lists, STOPGAP and PyTom share: phi, psi, theta.
 *
 * The reference turned by phi about z, then by theta about x, then by psi about z (fixed axes, counter-clockwise, degrees) lies on the
 * particle: A = Rz(psi) Rx(theta) Rz(phi). PyTom calls them Z1, Z2 and X. Sources: the CryoET Data Portal's and copick's readers, cryoCAT.
 * @module
 */
import { eulerZxzToMatrix, eulerZyzToMatrix, matrixToEulerZxz, matrixToEulerZyz } from "../kernels/rotation.ts";

/** rot, tilt, psi of RELION for phi, psi, theta. */
export function motlToZyz(phi: number, psi: number, theta: number): [number, number, number] {
  return matrixToEulerZyz(eulerZxzToMatrix(psi, theta, phi));
}

/** phi, psi, theta for RELION's rot, tilt, psi. */
export function zyzToMotl(rot: number, tilt: number, psi: number): [number, number, number] {
  const [a, b, c] = matrixToEulerZxz(eulerZyzToMatrix(rot, tilt, psi));
  return [c, a, b];
}

/** `[3n]` rot, tilt, psi of three columns. */
export function motlColumnsToZyz(phi: ArrayLike<number>, psi: ArrayLike<number>, theta: ArrayLike<number>): Float64Array {
  const out = new Float64Array(3 * phi.length);
  for (let i = 0; i < phi.length; i++) out.set(motlToZyz(phi[i], psi[i], theta[i]), 3 * i);
  return out;
}

/** `[3n]` phi, psi, theta of `[3n]` rot, tilt, psi. */
export function zyzToMotlColumns(eulerZyzDegrees: Float64Array): Float64Array {
  const out = new Float64Array(eulerZyzDegrees.length);
  for (let i = 0; i < out.length; i += 3) out.set(zyzToMotl(eulerZyzDegrees[i], eulerZyzDegrees[i + 1], eulerZyzDegrees[i + 2]), i);
  return out;
}
