/**
 * The two families of labelled stacks that settings are chosen on and reported on: never the same structures, never the same seeds.
 * @module
 */
import { beadTemplate } from "../../kernels/density.ts";
import { analyticModel } from "../../kernels/density_models.ts";
import { makeStack, type SimulatedStack } from "./stack.ts";

/** Structures to choose settings with; use seeds 0 to 9. */
export const CHOOSING_MODELS = ["ring-of-seven", "barrel", "tripod", "l-shape", "crossed-rods", "cap"] as const;
/** Structures to report with; use seeds 100 to 109. */
export const REPORTING_MODELS = ["tetrahedron", "helix", "clamp", "dumbbell", "octahedron", "mushroom"] as const;

/** Options of {@linkcode makeSet}. */
export interface SetOptions {
  /** Boxes in all. Default 1000. */
  readonly count?: number | readonly number[];
  /** Default 24, with particles of 20 voxels. */
  readonly boxVoxels?: number;
  /** Default 0.1. */
  readonly snr?: number;
  /** Default [-60, 60]. */
  readonly tiltRangeDegrees?: readonly [number, number];
  /** Default 1. */
  readonly pickErrorVoxels?: number;
  /** 0 to 9 for choosing, 100 to 109 for reporting. */
  readonly seed: number;
  /** How many of the set's models, from the first. Default: all six. */
  readonly classes?: number;
  /** Default: five sixths of the box. */
  readonly diameterVoxels?: number;
}

/** A labelled stack of one of the two families. */
export function makeSet(set: "choosing" | "reporting", options: SetOptions): SimulatedStack {
  const { count = 1000, boxVoxels = 24, snr = 0.1, tiltRangeDegrees = [-60, 60], pickErrorVoxels = 1, seed } = options;
  const names = (set === "choosing" ? CHOOSING_MODELS : REPORTING_MODELS).slice(0, options.classes ?? 6);
  const diameter = options.diameterVoxels ?? boxVoxels * 5 / 6;
  const templates = names.map((name) => beadTemplate(analyticModel(name), diameter));
  return makeStack({ templates, count, boxVoxels, snr, tiltRangeDegrees, pickErrorVoxels, seed });
}
