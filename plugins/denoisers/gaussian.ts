/**
 * A Gaussian low-pass of a volume as a new volume.
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginContext, type Tomogram } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { blurSections, gaussianReach } from "../kernels/blur.ts";
import { filterSlabs } from "./filter_slabs.ts";
import { namedVolume, tomogramLabel, volumeKey, withVolume } from "./named_volume.ts";
import { oneMoreVolume } from "./scratch_need.ts";

const module = new URL("../kernels/blur.ts", import.meta.url).href;

const options = z.strictObject({
  volume: z.string().default("raw").meta({ description: "Volume to filter" }),
  name: z.string().min(1).default("gaussian").meta({ description: "Name of the new volume" }),
  sigmaVoxels: z.number().positive().optional().meta({ description: "Sigma; this or sigmaAngstrom", unit: "voxels" }),
  sigmaAngstrom: z.number().positive().optional().meta({ description: "Sigma; this or sigmaVoxels", unit: "Angstrom" }),
});
type Options = z.infer<typeof options>;

function faults({ sigmaVoxels, sigmaAngstrom }: Options): string[] {
  return (sigmaVoxels === undefined) === (sigmaAngstrom === undefined) ? [`state one of "sigmaVoxels" and "sigmaAngstrom"`] : [];
}

/** Blurs by a separable Gaussian cut at four sigma, mirrored at the faces (SciPy's default), in slabs: memory does not grow with the number of sections. */
export default definePlugin({
  apiVersion: 1,
  name: "gaussian",
  kind: "denoiser",
  summary: "A Gaussian low-pass of a volume as a new volume",
  input: "tomogram",
  output: "tomogram",
  options,
  check: faults,
  scratchNeed: ({ name }, tomogram) => oneMoreVolume(tomogram, name),
  create(given, context) {
    return { apply: (tomogram, signal) => blur(tomogram, given, context, signal) };
  },
});

async function blur(tomogram: Tomogram, options: Options, context: PluginContext, signal: AbortSignal): Promise<Tomogram> {
  const volume = namedVolume(tomogram, options.volume, context.stage), { voxelSizeAngstrom } = volume;
  if (options.sigmaVoxels === undefined && !(voxelSizeAngstrom > 0)) {
    throw new InputError(tomogramLabel(tomogram), `the voxel size is unknown: state "sigmaVoxels" instead of "sigmaAngstrom"`);
  }
  const sigma = options.sigmaVoxels ?? options.sigmaAngstrom! / voxelSizeAngstrom;
  const origin = `gaussian of ${options.volume}, sigma ${sigma} voxels`, key = `${origin}: ${volumeKey(tomogram, options.volume)}`;
  const filter = { module, exportName: blurSections.name, parameter: sigma, reach: gaussianReach(sigma) };
  const blurred = await filterSlabs(volume, filter, key, context, signal);
  return withVolume(tomogram, options.name, blurred, origin, key, context.stage);
}
