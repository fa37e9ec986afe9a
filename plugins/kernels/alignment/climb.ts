/**
 * Best pose of each box in each class by a local search over continuous rotations and shifts; runs in a worker.
 * @module
 */
import * as simd from "../simd/align.wasm";
import { type BoxSet, inverseDeviations, wedgeCount, writeRow } from "./box_set.ts";
import { doubles, floats, put, reserve } from "./memory.ts";
import { paddedSide } from "./volume.ts";

/** Boxes with a pose in each class, to be improved. */
export interface ClimbStep {
  readonly set: BoxSet;
  readonly members: Int32Array;
  readonly kMax: number;
  readonly volumes: readonly Float32Array[];
  /** `[kMax + 1]`. */
  readonly noise: Float64Array;
  /** `[n, classes, 12]` rotation and shift. */
  readonly poses: Float32Array;
  /** `[n, classes]` log-likelihood so far: classes far below a box's best are not climbed, their value stays. */
  readonly likelihood: Float64Array;
  /** `[n]` 1: counts towards the residual. */
  readonly judges: Uint8Array;
  /** First turn tried, radians; it halves every round. */
  readonly angle: number;
  readonly rounds: number;
  /** Longest step of the shift, voxels. */
  readonly reachVoxels: number;
}

/** Outcome of a climb. */
export interface ClimbOutcome {
  /** `[n, classes, 12]`. */
  readonly poses: Float32Array;
  /** `[n, classes]` log-likelihood against an empty reference. */
  readonly likelihood: Float64Array;
  /** `[coefficients]` squared residual minus the boxes' own power, over noise variance, summed over judges in their most likely class. */
  readonly residual: Float64Array;
}

/** A class is left alone when it is behind a box's best by more than this share of the best, and this many nats: no climb makes that up. */
const BEHIND_SHARE = 0.4, BEHIND_NATS = 20;

/** Climbs from every pose that has a chance. Cost: about 8 rounds x (20 coefficients + 10) ns a box and class. */
export function climbPoses(step: ClimbStep): ClimbOutcome {
  const { set, members, kMax } = step;
  const { order } = set, C = order.upTo[kMax], stored = order.count;
  const K = step.volumes.length, n = members.length, side = paddedSide(kMax), G = wedgeCount(set);
  const scale = inverseDeviations(order, C, step.noise);
  const ks = put("ks", order.ksXyz.subarray(0, 3 * C));
  const amplitudes = reserve("amplitudes", 4 * G * C);
  for (let g = 0; g < G; g++) floats(amplitudes + 4 * g * C, C).set(scale.map((s, c) => s * set.wedges[g * stored + c]));
  const grids = reserve("grids", 8 * K * side ** 3);
  step.volumes.forEach((volume, k) => floats(grids + 8 * k * side ** 3, volume.length).set(volume));
  const row = reserve("row", 8 * C), cross = reserve("cross", 8 * C), pose = reserve("pose", 48);
  const total = reserve("residual", 8 * C);
  doubles(total, C).fill(0);
  const poses = step.poses.slice(), likelihood = step.likelihood.slice();
  for (let j = 0; j < n; j++) {
    const i = members[j];
    writeRow(set, i, scale, row, true);
    const top = Math.max(...step.likelihood.subarray(j * K, (j + 1) * K));
    for (let k = 0; k < K; k++) {
      if (step.likelihood[j * K + k] < top - BEHIND_SHARE * Math.max(top, 0) - BEHIND_NATS) continue;
      const at = 12 * (j * K + k);
      floats(pose, 12).set(poses.subarray(at, at + 12));
      likelihood[j * K + k] = simd.climb(
        grids + 8 * k * side ** 3,
        side,
        pose,
        ks,
        C,
        amplitudes + 4 * set.groups[i] * C,
        row,
        cross,
        set.boxVoxels,
        step.angle,
        step.rounds,
        step.reachVoxels,
      );
      poses.set(floats(pose, 12), at);
    }
    if (!step.judges[j]) continue;
    let best = 0;
    for (let k = 1; k < K; k++) if (likelihood[j * K + k] > likelihood[j * K + best]) best = k;
    floats(pose, 12).set(poses.subarray(12 * (j * K + best), 12 * (j * K + best + 1)));
    const amplitude = amplitudes + 4 * set.groups[i] * C;
    simd.residual(grids + 8 * best * side ** 3, side, pose, ks, C, amplitude, row, cross, set.boxVoxels, total);
  }
  return { poses, likelihood, residual: doubles(total, C).slice() };
}
