/**
 * Brings tomograms to one voxel size.
 * @module
 */
import { z } from "zod";
import {
  definePlugin,
  type PluginContext,
  type ScratchNeed,
  type Tomogram,
  type TomogramOutline,
  type Triple,
  type Volume,
} from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import {
  type AxisResampling,
  chooseStep,
  planResampling,
  resampleSections,
  resampleStrip,
  type Step,
} from "../kernels/fourier_resample.ts";
import { shortNumber } from "../formats/voxel_size.ts";
import { inOrder } from "./in_order.ts";
import { tomogramLabel, volumeKey } from "./named_volume.ts";
import { scratchBytes } from "./scratch_need.ts";

/** Voxels that one call resamples. */
const STRIP_VOXELS = 4_000_000;

const module = new URL("../kernels/fourier_resample.ts", import.meta.url).href;

const options = z.strictObject({
  voxelSizeAngstrom: z.number().positive().meta({
    description: "Voxel size to bring every tomogram to; met to 0.02 % as a rule, to 0.6 % always",
    unit: "Angstrom",
  }),
});

/**
 * Cuts (or extends) the Fourier transform of every volume of a tomogram: nothing below the new Nyquist frequency changes. Voxel 0 stays
 * where it is: voxel i of the result lies at i times the new voxel size.
 *
 * The new size is a simple fraction of the old one, the same on all axes, so that voxels stay cubes and coordinates map exactly; it is noted,
 * and stands in the tomogram's metadata (`rescaledOldVoxels` old voxels are `rescaledNewVoxels` new ones) and in its `sourceFrame`, by which
 * what is found is written in voxels of the tomogram as it was given. Works in strips through a
 * working volume: memory does not grow with the volume.
 */
export default definePlugin({
  apiVersion: 1,
  name: "rescale",
  kind: "denoiser",
  summary: "Brings every tomogram to one voxel size by Fourier cropping",
  input: "tomogram",
  output: "tomogram",
  options,
  scratchNeed: ({ voxelSizeAngstrom }, tomogram) => needOf(voxelSizeAngstrom, tomogram),
  create(given, context) {
    return { apply: (tomogram, signal) => rescale(tomogram, given.voxelSizeAngstrom, context, signal) };
  },
});

/** Where the size cannot be met, the run itself says so. */
function needOf(wanted: number, tomogram: TomogramOutline): ScratchNeed {
  const { shapeZyx, voxelSizeAngstrom: old, volumes } = tomogram, none = { keptBytes: 0, workingBytes: 0, after: tomogram };
  if (!(old > 0)) return none;
  try {
    const step = chooseStep(wanted / old), after = shapeZyx.map((n) => planResampling(n, step).newLength) as unknown as Triple;
    if (step.old === step.fresh) return none;
    return {
      keptBytes: volumes.length * scratchBytes(after),
      workingBytes: scratchBytes([shapeZyx[1], after[0], after[2]]),
      after: { ...tomogram, shapeZyx: after, voxelSizeAngstrom: (old * step.old) / step.fresh },
    };
  } catch (error) {
    if (error instanceof RangeError) return none;
    throw error;
  }
}

async function rescale(tomogram: Tomogram, wanted: number, context: PluginContext, signal: AbortSignal): Promise<Tomogram> {
  const { raw } = tomogram.volumes, old = raw.voxelSizeAngstrom;
  if (!(old > 0)) {
    throw new InputError(
      tomogramLabel(tomogram),
      `the voxel size is unknown, so it cannot be rescaled: state source.options.voxelSizeAngstrom`,
    );
  }
  let step: Step, plans: AxisResampling[];
  try {
    step = chooseStep(wanted / old);
    plans = raw.shapeZyx.map((n) => planResampling(n, step));
  } catch (error) {
    throw new InputError(
      tomogramLabel(tomogram),
      `cannot go from ${shortNumber(old)} A to ${shortNumber(wanted)} A a voxel: ${(error as Error).message}`,
    );
  }
  if (step.old === step.fresh) {
    context.note("rescale", `tomogram "${tomogram.id}" keeps its ${shortNumber(old)} A a voxel (${shortNumber(wanted)} A wanted)`);
    return tomogram;
  }
  const size = (old * step.old) / step.fresh, shape = plans.map(({ newLength }) => newLength) as unknown as Triple;
  context.note(
    "rescale",
    `tomogram "${tomogram.id}": ${shortNumber(old)} A x ${step.old} / ${step.fresh} = ${shortNumber(size)} A a voxel ` +
      `(${shortNumber(wanted)} A wanted); ${raw.shapeZyx.join(" x ")} voxels become ${shape.join(" x ")} (z, y, x)`,
  );
  const volumes: Record<string, Volume> = {};
  for (const [name, volume] of Object.entries(tomogram.volumes)) {
    const key = `rescale ${step.old}/${step.fresh} ${volumeKey(tomogram, name)}`;
    volumes[name] = await resampleVolume(volume, plans, shape, size, key, context, signal);
  }
  return {
    ...tomogram,
    volumes,
    sourceFrame: {
      shapeZyx: tomogram.sourceFrame?.shapeZyx ?? raw.shapeZyx,
      voxelSizeAngstrom: tomogram.sourceFrame?.voxelSizeAngstrom ?? old,
      voxelsEach: (tomogram.sourceFrame?.voxelsEach ?? 1) * step.old / step.fresh,
    },
    metadata: { ...tomogram.metadata, rescaledFromAngstrom: old, rescaledOldVoxels: step.old, rescaledNewVoxels: step.fresh },
  };
}

function resampleVolume(
  volume: Volume,
  [planZ, planY, planX]: readonly AxisResampling[],
  shape: Triple,
  size: number,
  key: string,
  context: PluginContext,
  signal: AbortSignal,
): Promise<Volume> {
  const [nz, ny, nx] = volume.shapeZyx, [newZ, newY, newX] = shape;
  const ahead = context.pool.size + 1;
  return context.scratch.volume(key, shape, size, async (writeSlab, working) => {
    const rowsEach = Math.max(1, Math.floor(STRIP_VOXELS / (nz * nx))), strips = Math.ceil(ny / rowsEach);
    const sectionsEach = Math.max(1, Math.floor(STRIP_VOXELS / (ny * newX))), slabs = Math.ceil(newZ / sectionsEach);
    let done = 0;
    const run = (name: string, voxels: Float32Array, ...rest: unknown[]) =>
      context.pool.run<Float32Array>(module, name, [voxels, ...rest], { transfer: [voxels.buffer], signal });
    const take = async (results: AsyncIterable<Float32Array>, write: (voxels: Float32Array) => Promise<void>) => {
      for await (const voxels of results) {
        await write(voxels);
        context.progress(++done, strips + slabs);
      }
    };
    // First z and x, kept with y as the slowest axis; then y, read across it.
    const turned = await working([ny, newZ, newX], (write) =>
      take(
        inOrder(strips, ahead, async (index) => {
          signal.throwIfAborted();
          const from = index * rowsEach, rows = Math.min(rowsEach, ny - from);
          return await run(resampleStrip.name, await volume.readBox([0, from, 0], [nz, rows, nx]), rows, planZ, planX);
        }),
        write,
      ));
    await take(
      inOrder(slabs, ahead, async (index) => {
        signal.throwIfAborted();
        const from = index * sectionsEach, sections = Math.min(sectionsEach, newZ - from);
        return await run(resampleSections.name, await turned.readBox([0, from, 0], [ny, sections, newX]), sections, newX, planY);
      }),
      (voxels) => {
        if (voxels.length % (newY * newX) !== 0) throw new RangeError(`${voxels.length} voxels are no whole sections of ${newY} x ${newX}`);
        return writeSlab(voxels);
      },
    );
  });
}
