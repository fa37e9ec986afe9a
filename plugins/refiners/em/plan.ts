/**
 * The schedule of a refinement. Chosen on the sets for choosing (plugins/sources/simulated/sets.ts).
 * @module
 */
import type { Stage } from "./anneal.ts";
import type { SearchPlan } from "./split_merge.ts";

/** Highest frequency kept of boxes of a side: enough for averages, never at the edge of the spectrum. */
export function storedFrequency(boxVoxels: number): number {
  return Math.max(3, Math.min(10, Math.floor(boxVoxels / 2) - 2));
}

/** What a user may change. */
export interface SearchOptions {
  readonly maximumRounds: number;
  readonly maximumClasses: number;
  readonly leastMembers: number;
  readonly leastGainShare: number;
  readonly leastGainErrors: number;
}

/** Rotations of the grids: about 23 degrees apart. */
const ROTATIONS = 1152;

/** The schedule for boxes of a side. */
export function searchPlan(boxVoxels: number, options: SearchOptions): SearchPlan {
  const highest = storedFrequency(boxVoxels);
  const stage = (kMax: number, entropy: number, fixed: boolean, iterations: number, shift: number): Stage => ({
    kMax: Math.min(kMax, highest),
    rotations: ROTATIONS,
    entropy,
    fixed,
    iterations,
    shift,
  });
  const base = { search: { kMax: Math.min(5, highest), rotations: ROTATIONS }, kMax: Math.min(7, highest), rounds: 3 };
  return {
    fit: {
      ...base,
      stages: [
        stage(4, 0.8, true, 2, 1 / 27),
        stage(5, 0.65, true, 2, 1 / 40),
        stage(5, 0.5, true, 2, 1 / 40),
        stage(5, 0.5, false, 2, 1 / 40),
        stage(5, 0.35, false, 2, 1 / 40),
      ],
    },
    split: {
      ...base,
      stages: [
        stage(4, 0.8, true, 1, 1 / 40),
        stage(5, 0.65, true, 2, 1 / 40),
        stage(5, 0.5, true, 2, 1 / 40),
        stage(5, 0.5, false, 3, 1 / 40),
        stage(5, 0.35, false, 3, 1 / 40),
      ],
    },
    threshold: { errors: options.leastGainErrors, share: options.leastGainShare },
    maximumRounds: options.maximumRounds,
    maximumClasses: options.maximumClasses,
    leastMembers: options.leastMembers,
    merge: true,
  };
}
