/**
 * From a fit to what users see: averages centred on their mass, Euler angles and shifts.
 * @module
 */
import { centreOfMass, volumeToBox } from "../../kernels/alignment/average.ts";
import { matrixToEulerZyz } from "../../kernels/rotation.ts";
import { movePoses } from "./centring.ts";
import { type Fit, labelsOf } from "./fit.ts";
import type { Session } from "./session.ts";

/** Averages and poses as a {@linkcode Refinement} has them. */
export interface Outcome {
  readonly averages: Float32Array;
  readonly eulerZyzDegrees: Float64Array;
  readonly shiftsXyz: Float64Array;
}

/**
 * Averages at the session's highest frequency, each moved so that its mass lies at the box's centre; poses are of each box's own class.
 * A reference may drift from the centre while classes are sought; the centre of mass gives shifts a meaning of their own.
 */
export async function describeClasses(session: Session, fit: Fit, posterior: Float32Array, boxVoxels: number): Promise<Outcome> {
  const { members } = fit, k = fit.volumes.length, n = members.length, size = boxVoxels ** 3, kMax = session.kMax;
  const labels = labelsOf(posterior, k), poses = fit.poses.slice();
  const solve = () => session.solvePoses(members, posterior, poses, k, kMax, false);
  const first = (await solve()).map((volume) => centreOfMass(volumeToBox(volume, kMax, boxVoxels), boxVoxels));
  movePoses(poses, first);
  const averages = new Float32Array(k * size);
  (await solve()).forEach((volume, j) => averages.set(volumeToBox(volume, kMax, boxVoxels), j * size));
  const eulerZyzDegrees = new Float64Array(3 * n), shiftsXyz = new Float64Array(3 * n);
  for (let i = 0; i < n; i++) {
    const at = 12 * (i * k + labels[i]);
    eulerZyzDegrees.set(matrixToEulerZyz(Float64Array.from(poses.subarray(at, at + 9))), 3 * i);
    shiftsXyz.set(poses.subarray(at + 9, at + 12), 3 * i);
  }
  return { averages, eulerZyzDegrees, shiftsXyz };
}
