/**
 * Deconvolution of the contrast transfer of a volume as a new volume.
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginContext, type Tomogram } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { shortNumber } from "../formats/voxel_size.ts";
import { deconvolutionGains } from "../kernels/radial_gains.ts";
import { filterRadially, radialWorkingBytes } from "./filter_radially.ts";
import { namedVolume, tomogramLabel, volumeKey, withVolume } from "./named_volume.ts";
import { oneMoreVolume } from "./scratch_need.ts";

const options = z.strictObject({
  volume: z.string().default("raw").meta({ description: "Volume to deconvolve" }),
  name: z.string().min(1).default("deconvolved").meta({ description: "Name of the new volume" }),
  defocusAngstrom: z.number().positive().optional().meta({
    description: "Underfocus at the middle; left out: the tomogram's own, from its geometry",
    unit: "Angstrom",
  }),
  voltageKilovolts: z.number().positive().default(300).meta({ description: "Acceleration voltage", unit: "kV" }),
  sphericalAberrationMillimetres: z.number().nonnegative().default(2.7).meta({ description: "Cs of the objective lens", unit: "mm" }),
  amplitudeContrast: z.number().min(0).max(1).default(0.07).meta({ description: "Share of amplitude contrast" }),
  phaseShiftDegrees: z.number().min(0).max(180).default(0).meta({ description: "Phase shift of a phase plate", unit: "degree" }),
  phaseFlipped: z.boolean().default(false).meta({ description: "The reconstruction has corrected the signs already" }),
  strength: z.number().nonnegative().default(1).meta({
    description: "Assumed signal-to-noise ratio near zero frequency as a power of 1000: 1 is 1000, .67 is 100",
  }),
  snrFalloff: z.number().nonnegative().default(1).meta({ description: "How fast the signal-to-noise ratio falls; 1 to 1.2 is usual" }),
  highPassFraction: z.number().min(0).max(1).default(0.02).meta({
    description: "Share of Nyquist's frequency up to which coarse contrast is led in; 0 leads none in",
  }),
});
type Options = z.infer<typeof options>;

/**
 * Multiplies the Fourier transform of the whole volume by a Wiener-like filter made from the contrast transfer of one defocus: the filter of
 * Warp, tom_deconv and IsoNet. It makes tomograms readable for eye and picker; it corrects neither the tilts' own defocus nor the missing
 * wedge. The mean becomes 0. Works in parts through working volumes: memory does not grow with the volume.
 *
 * Differs from tom_deconv: faces are continued by mirror images and do not touch each other.
 * @see Tegunov and Cramer 2019, Nature Methods 16, 1146.
 */
export default definePlugin({
  apiVersion: 1,
  name: "deconvolution",
  kind: "denoiser",
  summary: "Wiener-like deconvolution of the contrast transfer (as Warp, tom_deconv and IsoNet have it) as a new volume",
  input: "tomogram",
  output: "tomogram",
  options,
  scratchNeed: ({ name }, tomogram) => oneMoreVolume(tomogram, name, radialWorkingBytes(tomogram.shapeZyx)),
  create: (given, context) => ({ apply: (tomogram, signal) => deconvolve(tomogram, given, context, signal) }),
});

async function deconvolve(tomogram: Tomogram, given: Options, context: PluginContext, signal: AbortSignal): Promise<Tomogram> {
  const volume = namedVolume(tomogram, given.volume, context.stage), { voxelSizeAngstrom: size } = volume;
  if (!(size > 0)) {
    throw new InputError(tomogramLabel(tomogram), "the voxel size is unknown, so frequencies are: state source.options.voxelSizeAngstrom");
  }
  const defocusAngstrom = given.defocusAngstrom ?? tomogram.geometry.defocusAngstrom;
  if (defocusAngstrom === undefined) {
    throw new InputError(
      tomogramLabel(tomogram),
      `its defocus is unknown: state "defocusAngstrom", or a geometry file that has it (source.options.geometry)`,
    );
  }
  const { voltageKilovolts, sphericalAberrationMillimetres, amplitudeContrast, phaseShiftDegrees, phaseFlipped } = given;
  const { strength, snrFalloff, highPassFraction } = given;
  const ctf = { defocusAngstrom, voltageKilovolts, sphericalAberrationMillimetres, amplitudeContrast, phaseShiftDegrees, phaseFlipped };
  const wiener = { voxelSizeAngstrom: size, strength, snrFalloff, highPassFraction };
  const origin = `deconvolution of ${given.volume}, underfocus ${shortNumber(defocusAngstrom)} A, strength ${strength}`;
  const key = `deconvolution ${JSON.stringify([ctf, wiener])}: ${volumeKey(tomogram, given.volume)}`;
  const filtered = await filterRadially(volume, deconvolutionGains(ctf, wiener), key, context, signal);
  return withVolume(tomogram, given.name, filtered, origin, key, context.stage);
}
