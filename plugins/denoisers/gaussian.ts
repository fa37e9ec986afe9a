/**
 * A Gaussian low-pass of a volume as a new volume.
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginContext, type Tomogram } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { blurSections, gaussianReach } from "../kernels/blur.ts";
import { inOrder } from "./in_order.ts";
import { namedVolume, tomogramLabel, volumeKey, withVolume } from "./named_volume.ts";

/** Voxels that one call blurs. */
const SLAB_VOXELS = 4_000_000;

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
  create(given, context) {
    return { apply: (tomogram, signal) => blur(tomogram, given, context, signal) };
  },
});

async function blur(tomogram: Tomogram, options: Options, context: PluginContext, signal: AbortSignal): Promise<Tomogram> {
  const volume = namedVolume(tomogram, options.volume, context.stage), { shapeZyx, voxelSizeAngstrom } = volume;
  if (options.sigmaVoxels === undefined && !(voxelSizeAngstrom > 0)) {
    throw new InputError(tomogramLabel(tomogram), `the voxel size is unknown: state "sigmaVoxels" instead of "sigmaAngstrom"`);
  }
  const sigma = options.sigmaVoxels ?? options.sigmaAngstrom! / voxelSizeAngstrom, reach = gaussianReach(sigma);
  const origin = `gaussian of ${options.volume}, sigma ${sigma} voxels`;
  const [nz, ny, nx] = shapeZyx, step = Math.max(1, Math.floor(SLAB_VOXELS / (ny * nx))), slabs = Math.ceil(nz / step);
  const key = `${origin}: ${volumeKey(tomogram, options.volume)}`;
  const blurred = await context.scratch.volume(key, shapeZyx, voxelSizeAngstrom, async (writeSlab) => {
    const slab = async (index: number) => {
      signal.throwIfAborted();
      const from = index * step, to = Math.min(nz, from + step), first = Math.max(0, from - reach);
      const sections = await volume.readSlab(first, Math.min(nz, to + reach));
      return await context.pool.run<Float32Array>(module, blurSections.name, [sections, first, from, to, shapeZyx, sigma], {
        transfer: [sections.buffer],
        signal,
      });
    };
    let done = 0;
    for await (const sections of inOrder(slabs, context.pool.size + 1, slab)) {
      await writeSlab(sections);
      context.progress(++done, slabs);
    }
  });
  return withVolume(tomogram, options.name, blurred, origin, key, context.stage);
}
