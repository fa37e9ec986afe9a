/**
 * Options of the picker `template-matching`.
 * @module
 */
import { z } from "zod";
import { MODEL_NAMES } from "../kernels/density_models.ts";

const angstrom = (description: string) => z.number().positive().meta({ description, unit: "Angstrom" });

/** Options of the picker `template-matching`. */
export const templateOptions = z.strictObject({
  volume: z.string().default("raw").meta({ description: "Volume to pick on" }),
  map: z.string().min(1).optional().meta({
    description: "Template: a map of one particle, bright; its centre of mass is what is found",
    format: "path",
  }),
  atoms: z.string().min(1).optional().meta({ description: "Template: a structure, .pdb, .ent or .cif, also with .gz", format: "path" }),
  model: z.enum(MODEL_NAMES as [string, ...string[]]).optional().meta({ description: "Template: an analytic model of the simulator" }),
  diameterAngstrom: angstrom("Diameter of the sphere that holds the particle. Needed for a model; a map's and a structure's is their own")
    .optional(),
  mapVoxelSizeAngstrom: angstrom("Voxel size of `map`. Default: its header's").optional(),
  mapThreshold: z.number().optional().meta({ description: "Densities of `map` below this become 0. Default: 0" }),
  resolutionAngstrom: angstrom("Resolution to which `atoms` are blurred. Default: two voxels").optional(),
  mirrored: z.boolean().default(false).meta({ description: "Looks for the mirror image: a tomogram of the wrong hand" }),
  angularStepDegrees: z.number().min(2).max(90).default(15).meta({
    description: "Mean angle between neighbouring orientations; halving it takes eight times as long",
    unit: "degrees",
  }),
  symmetryFold: z.int().min(1).max(60).default(1).meta({
    description: "Fold of the template's symmetry about its z axis: that many times fewer orientations are tried",
  }),
  maskRadiusAngstrom: angstrom("Radius of the sphere that is compared. Default: the template's own").optional(),
  threshold: z.union([
    z.strictObject({
      falsePicks: z.number().positive().meta({ description: "Picks in a tomogram that normally distributed scores would give by chance" }),
    }),
    z.strictObject({ score: z.number().min(-1).max(1).meta({ description: "Least score: a correlation coefficient" }) }),
  ]).default({ falsePicks: 1 }).meta({ description: "What a peak must reach: one of falsePicks, score" }),
  minimumDistanceVoxels: z.number().min(0).optional().meta({
    description: "Picks nearer than this to a stronger one are left out. Default: three quarters of the template's diameter",
    unit: "voxels",
  }),
  maximumPicks: z.int().positive().optional().meta({ description: "Most picks in one tomogram, the strongest first" }),
  tileVoxels: z.int().min(16).max(256).default(128).meta({
    description: "Side of the part that a worker holds: 128 takes some 150 MB",
    unit: "voxels",
  }),
});

/** Options of the picker `template-matching` with their defaults. */
export type TemplateOptions = z.infer<typeof templateOptions>;

/** What is wrong with the options beyond each field's own rule. */
export function templateFaults(options: TemplateOptions): string[] {
  const { map, atoms, model, diameterAngstrom } = options, stated = [map, atoms, model].filter((each) => each !== undefined).length;
  if (stated !== 1) return [`state one of "map", "atoms" and "model"`];
  return model !== undefined && diameterAngstrom === undefined ? [`a model has no size of its own: state "diameterAngstrom"`] : [];
}
