/**
 * Options of the picker `dog`, and what follows from a particle's diameter.
 * @module
 */
import { z } from "zod";

/** Sigma of the narrow Gaussian as a share of the particle's diameter (chosen on simulated crowded tomograms, docs/decisions.md). */
const NARROW_OF_DIAMETER = 0.22;
/** Sigma of the wide Gaussian as a share of the particle's diameter. */
const WIDE_OF_DIAMETER = 0.33;

const positive = () => z.number().positive();

/** Options of the picker `dog`. */
export const dogOptions = z.strictObject({
  volume: z.string().default("raw").meta({ description: "Volume to pick on" }),
  particleDiameterAngstrom: positive().optional().meta({
    description: "Typical particle diameter (of several kinds the largest); gives the sigmas that are not stated",
    unit: "Angstrom",
  }),
  furtherDiametersAngstrom: z.array(positive()).max(8).default([]).meta({
    description:
      "Diameters of further kinds of particles, each looked for at its own scale; a pick's column diameterAngstrom names its scale",
    unit: "Angstrom",
  }),
  sigmaNarrowVoxels: positive().optional().meta({ description: "Sigma of the Gaussian that keeps particles", unit: "voxels" }),
  sigmaWideVoxels: positive().optional().meta({
    description: "Sigma of the Gaussian that is taken away; larger than sigmaNarrowVoxels",
    unit: "voxels",
  }),
  threshold: z.union([
    z.strictObject({ deviations: z.number().meta({ description: "Least score", unit: "standard deviations of the response" }) }),
    z.strictObject({ absolute: z.number().meta({ description: "Least response", unit: "density of the volume" }) }),
    z.strictObject({
      percentile: z.number().min(0).max(100).meta({ description: "Share of all voxels with a lower response", unit: "per cent" }),
    }),
  ]).default({ deviations: 3.5 }).meta({ description: "What a peak must reach: one of deviations, absolute, percentile" }),
  deviation: z.enum(["robust", "standard"]).default("robust").meta({
    description:
      "Deviation of the response: 1.4826 times the median distance from the median, which gold beads do not change, or the usual one",
  }),
  minimumDistanceVoxels: z.number().min(0).default(15).meta({
    description: "Picks nearer than this to a stronger one are left out",
    unit: "voxels",
  }),
  maximumFlatness: z.number().min(0).max(1).default(0.75).meta({
    description: "Peaks that are flatter are left out, after they have kept weaker neighbours away: near 0 for balls and rods, near 1 on " +
      "membranes and 1 on the volume's faces; 1 keeps all",
  }),
  maximumPicks: z.number().int().positive().optional().meta({ description: "Most picks in one tomogram, the strongest first" }),
  subvoxel: z.boolean().default(false).meta({ description: "Refine centres to parts of a voxel by a parabola through each peak" }),
});

/** Options of the picker `dog` with their defaults. */
export type DogOptions = z.infer<typeof dogOptions>;

/** What is wrong with the options beyond each field's own rule. */
export function dogFaults(options: DogOptions): string[] {
  const { particleDiameterAngstrom: diameter, sigmaNarrowVoxels: narrow, sigmaWideVoxels: wide } = options;
  if (diameter === undefined && (narrow === undefined || wide === undefined)) {
    return [`state "particleDiameterAngstrom", or both "sigmaNarrowVoxels" and "sigmaWideVoxels"`];
  }
  if (options.furtherDiametersAngstrom.length > 0 && (diameter === undefined || narrow !== undefined || wide !== undefined)) {
    return [`"furtherDiametersAngstrom" goes with "particleDiameterAngstrom", and without "sigmaNarrowVoxels" and "sigmaWideVoxels"`];
  }
  if (narrow !== undefined && wide !== undefined && narrow >= wide) {
    return [`sigmaNarrowVoxels ${narrow} is not below sigmaWideVoxels ${wide}: particles are bright, the wide Gaussian is the background`];
  }
  return [];
}

/** The sigmas for a voxel size, and how they were found. */
export interface Sigmas {
  /** Voxels. */
  readonly narrow: number;
  /** Voxels. */
  readonly wide: number;
  /** The diameter that they belong to; `null` where both are stated. */
  readonly diameterAngstrom: number | null;
  /** The arithmetic, when something was derived. */
  readonly derivation: string | null;
}

/**
 * The sigmas as stated, or from the particle's diameter: one scale, and one more for each further diameter.
 * @throws {RangeError} When they are not in order, or there is no voxel size to derive them with.
 */
export function sigmasOf(options: DogOptions, voxelSizeAngstrom: number): Sigmas[] {
  const { particleDiameterAngstrom: diameter, sigmaNarrowVoxels, sigmaWideVoxels } = options;
  if (sigmaNarrowVoxels !== undefined && sigmaWideVoxels !== undefined) {
    return [{ narrow: sigmaNarrowVoxels, wide: sigmaWideVoxels, diameterAngstrom: null, derivation: null }];
  }
  if (!(voxelSizeAngstrom > 0)) {
    throw new RangeError(`the voxel size is unknown: state source.options.voxelSizeAngstrom, or sigmaNarrowVoxels and sigmaWideVoxels`);
  }
  const diameters = [...new Set([diameter!, ...options.furtherDiametersAngstrom])];
  return diameters.map((each) => scaleOf(each, options, voxelSizeAngstrom));
}

function scaleOf(diameter: number, { sigmaNarrowVoxels, sigmaWideVoxels }: DogOptions, voxelSizeAngstrom: number): Sigmas {
  const voxels = diameter / voxelSizeAngstrom;
  const narrow = sigmaNarrowVoxels ?? NARROW_OF_DIAMETER * voxels, wide = sigmaWideVoxels ?? WIDE_OF_DIAMETER * voxels;
  if (narrow >= wide) {
    throw new RangeError(
      `sigmas of ${narrow.toFixed(2)} (narrow) and ${wide.toFixed(2)} (wide) voxels: expected narrow below wide: state both sigmas`,
    );
  }
  const share = (stated: number | undefined, part: number, sigma: number, name: string) =>
    stated === undefined ? `${name} ${part} x ${voxels.toFixed(2)} = ${sigma.toFixed(2)} voxels` : `${name} ${sigma} voxels as stated`;
  return {
    narrow,
    wide,
    diameterAngstrom: diameter,
    derivation: `particle diameter ${diameter} A / ${voxelSizeAngstrom} A = ${voxels.toFixed(2)} voxels; sigma ` +
      `${share(sigmaNarrowVoxels, NARROW_OF_DIAMETER, narrow, "narrow")}, ${share(sigmaWideVoxels, WIDE_OF_DIAMETER, wide, "wide")}`,
  };
}
