/**
 * The energy of fine detail as a new volume: for pickers, where defocus and coloured noise have taken the particles' own contrast.
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginContext, type Tomogram } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { gaussianReach } from "../kernels/blur.ts";
import { localEnergy } from "../kernels/local_energy.ts";
import { filterSlabs } from "./filter_slabs.ts";
import { namedVolume, tomogramLabel, volumeKey, withVolume } from "./named_volume.ts";
import { oneMoreVolume } from "./scratch_need.ts";

/** Sigma of the narrower Gaussian as a share of the particle's diameter (chosen on simulated seeds 0 to 9, docs/decisions.md). */
const SIGMA_OF_DIAMETER = 1 / 16;

const module = new URL("../kernels/local_energy.ts", import.meta.url).href;

const options = z.strictObject({
  particleDiameterAngstrom: z.number().positive().meta({
    description: "Typical particle diameter; detail between a sixteenth and an eighth of it (sigmas) counts",
    unit: "Angstrom",
  }),
  volume: z.string().default("raw").meta({ description: "Volume to filter" }),
  name: z.string().min(1).default("energy").meta({ description: "Name of the new volume" }),
});
type Options = z.infer<typeof options>;

/**
 * Adds |G(D/16) - G(D/8)| of a volume, D the particle's diameter. A particle is bright in it as a patch of much detail, even where its mean
 * density does not differ from its surroundings: at a defocus of several micrometres the contrast transfer takes the coarse contrast that
 * `dog` looks for, and coloured noise is strongest there. Contrast does not matter. In slabs: memory does not grow with the number of sections.
 */
export default definePlugin({
  apiVersion: 1,
  name: "local-energy",
  kind: "denoiser",
  summary: "Energy of fine detail as a new volume: lets dog find particles at strong defocus and in coloured noise",
  input: "tomogram",
  output: "tomogram",
  options,
  scratchNeed: ({ name }, tomogram) => oneMoreVolume(tomogram, name),
  create(given, context) {
    return { apply: (tomogram, signal) => filter(tomogram, given, context, signal) };
  },
});

async function filter(tomogram: Tomogram, options: Options, context: PluginContext, signal: AbortSignal): Promise<Tomogram> {
  const volume = namedVolume(tomogram, options.volume, context.stage), { voxelSizeAngstrom } = volume;
  if (!(voxelSizeAngstrom > 0)) {
    throw new InputError(tomogramLabel(tomogram), `the voxel size is unknown: state source.options.voxelSizeAngstrom`);
  }
  const sigma = SIGMA_OF_DIAMETER * options.particleDiameterAngstrom / voxelSizeAngstrom;
  const shown = Number(sigma.toFixed(3)), origin = `detail of ${options.volume} between sigma ${shown} and ${2 * shown} voxels, magnitude`;
  const key = `${origin}: ${volumeKey(tomogram, options.volume)}`;
  const band = { module, exportName: localEnergy.name, parameter: sigma, reach: gaussianReach(2 * sigma) };
  return withVolume(tomogram, options.name, await filterSlabs(volume, band, key, context, signal), origin, key, context.stage);
}
