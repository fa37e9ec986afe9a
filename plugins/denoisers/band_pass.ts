/**
 * A Fourier low-pass, high-pass or band-pass of a volume as a new volume.
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginContext, type Tomogram } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { shortNumber } from "../formats/voxel_size.ts";
import { bandGains } from "../kernels/radial_gains.ts";
import { filterRadially, radialWorkingBytes } from "./filter_radially.ts";
import { namedVolume, tomogramLabel, volumeKey, withVolume } from "./named_volume.ts";
import { oneMoreVolume } from "./scratch_need.ts";

const options = z.strictObject({
  volume: z.string().default("raw").meta({ description: "Volume to filter" }),
  name: z.string().min(1).default("filtered").meta({ description: "Name of the new volume" }),
  lowPassAngstrom: z.number().positive().optional().meta({
    description: "Details smaller than this go: half gain there; left out: none go",
    unit: "Angstrom",
  }),
  highPassAngstrom: z.number().positive().optional().meta({
    description: "Waves longer than this, and the mean, go: half gain there; left out: none go",
    unit: "Angstrom",
  }),
  edgeFraction: z.number().nonnegative().max(1).default(0.05).meta({
    description: "Width of the edges of the pass band as a share of Nyquist's frequency, a raised cosine; 0 rings",
  }),
});
type Options = z.infer<typeof options>;

/**
 * Multiplies the Fourier transform of the whole volume by a pass band with raised-cosine edges; faces are continued by mirror images. Works in
 * parts through working volumes: memory does not grow with the volume. Within 1e-5 of the largest result of a float64 transform.
 */
export default definePlugin({
  apiVersion: 1,
  name: "band-pass",
  kind: "denoiser",
  summary: "A Fourier low-pass, high-pass or band-pass of a volume as a new volume",
  input: "tomogram",
  output: "tomogram",
  options,
  check: ({ lowPassAngstrom: low, highPassAngstrom: high }) =>
    low === undefined && high === undefined
      ? [`state "lowPassAngstrom", "highPassAngstrom" or both`]
      : low !== undefined && high !== undefined && low >= high
      ? [`lowPassAngstrom ${low} keeps what is larger, highPassAngstrom ${high} what is smaller: the first must be less than the second`]
      : [],
  scratchNeed: ({ name }, tomogram) => oneMoreVolume(tomogram, name, radialWorkingBytes(tomogram.shapeZyx)),
  create: (given, context) => ({ apply: (tomogram, signal) => filter(tomogram, given, context, signal) }),
});

async function filter(tomogram: Tomogram, given: Options, context: PluginContext, signal: AbortSignal): Promise<Tomogram> {
  const volume = namedVolume(tomogram, given.volume, context.stage), { voxelSizeAngstrom: size } = volume;
  const { lowPassAngstrom: low, highPassAngstrom: high } = given;
  if (!(size > 0)) {
    throw new InputError(
      tomogramLabel(tomogram),
      "the voxel size is unknown, so Angstrom mean nothing: state source.options.voxelSizeAngstrom",
    );
  }
  if (low !== undefined && low < 2 * size) {
    throw new InputError(
      tomogramLabel(tomogram),
      `lowPassAngstrom ${low} is finer than two voxels of ${shortNumber(size)} A: nothing would go; state ${shortNumber(2 * size)} or more`,
    );
  }
  const band = [high === undefined ? "" : `below ${high} A`, low === undefined ? "" : `above ${low} A`].filter((part) => part !== "");
  const origin = `band-pass of ${given.volume}: waves ${band.join(" and ")} stay, edges ${given.edgeFraction} of Nyquist's frequency`;
  const key = `${origin}: ${volumeKey(tomogram, given.volume)}`;
  const gains = bandGains({
    lowEdge: high === undefined ? 0 : size / high,
    highEdge: low === undefined ? Infinity : size / low,
    edgeWidth: given.edgeFraction / 2,
  });
  const filtered = await filterRadially(volume, gains, key, context, signal);
  return withVolume(tomogram, given.name, filtered, origin, key, context.stage);
}
