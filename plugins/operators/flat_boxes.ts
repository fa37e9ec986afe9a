/**
 * Finds picks on membranes by the shape of what surrounds them.
 * @module
 */
import { z } from "zod";
import { definePlugin, type Picks, type PluginContext, type Triple, type Volume } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { namedVolume, tomogramLabel } from "../denoisers/named_volume.ts";
import { sheetLikeness, structureTensors, type TensorBox } from "../kernels/structure_tensor.ts";
import { selectPicks, withColumn } from "./select_picks.ts";

/** Sigma of the gradient's blur as a share of the particle's diameter (chosen on simulated seeds 0 to 9, docs/decisions.md). */
const GRADIENT_OF_DIAMETER = 1 / 8;
/** Sigma of the window as a share of the particle's diameter. */
const WINDOW_OF_DIAMETER = 1 / 3;
/** Random places whose median tensor is the background's. */
const BACKGROUND_PLACES = 192;
/** Boxes that one worker takes at once. */
const BATCH = 64;

const module = new URL("../kernels/structure_tensor.ts", import.meta.url).href;

const options = z.strictObject({
  particleDiameterAngstrom: z.number().positive().meta({ description: "Typical particle diameter", unit: "Angstrom" }),
  mostFlatness: z.number().default(1.1).meta({
    description: "Picks above it are flat: near 1 on membranes, lower for balls and rods",
  }),
  action: z.enum(["drop", "flag"]).default("drop").meta({
    description: "What is done with flat picks: left out, or kept. Every pick gets its flatness in a column in both cases",
  }),
  volume: z.string().default("raw").meta({ description: "Volume to look at" }),
});
type Options = z.infer<typeof options>;

/**
 * Measures how flat the surroundings of each pick are (`sheetLikeness`), and leaves out flat picks. The background is the median of the
 * structure tensors at random places of the tomogram, so that noise and the missing wedge do not count as shape.
 */
export default definePlugin({
  apiVersion: 1,
  name: "flat-boxes",
  kind: "operator",
  summary: "Measures how flat the surroundings of picks are; leaves out those on membranes",
  input: "picks",
  output: "picks",
  options,
  create(given, context) {
    return { apply: (picks, signal) => sortOut(picks, given, context, signal) };
  },
});

async function sortOut(picks: Picks, options: Options, context: PluginContext, signal: AbortSignal): Promise<Picks> {
  const { tomogram, centresXyz } = picks, volume = namedVolume(tomogram, options.volume, context.stage);
  if (!(volume.voxelSizeAngstrom > 0)) {
    throw new InputError(tomogramLabel(tomogram), `the voxel size is unknown: state source.options.voxelSizeAngstrom`);
  }
  const diameter = options.particleDiameterAngstrom / volume.voxelSizeAngstrom, count = picks.score.length;
  const random = context.random("background", tomogram.ordinal);
  const places = Float64Array.from(
    { length: 3 * BACKGROUND_PLACES },
    (_, i) => random.uniform() * (volume.shapeZyx[2 - i % 3] - 1),
  );
  let done = 0;
  const progress = (more: number) => context.progress(done += more, BACKGROUND_PLACES + count);
  const around = (xyz: Float64Array) => tensorsAt(volume, xyz, diameter, context, signal, progress);
  const background = medians(await around(places)), tensors = await around(centresXyz);
  const flatness = Array.from(picks.score, (_, i) => sheetLikeness(tensors.subarray(6 * i, 6 * i + 6), background));
  const measured = withColumn(picks, "flatness", flatness.map((value) => Number(value.toFixed(3))));
  const kept = Array.from(picks.score, (_, i) => i).filter((i) => !(flatness[i] > options.mostFlatness));
  if (options.action === "flag") {
    context.note(
      "flat-boxes",
      `tomogram "${tomogram.id}": ${count - kept.length} of ${count} picks are flatter than ${options.mostFlatness} and stay, as asked`,
    );
    return measured;
  }
  context.drop(count - kept.length, `surroundings flatter than ${options.mostFlatness}`);
  return selectPicks(measured, kept);
}

/** Structure tensors about points, `[n, 6]`; a box that would leave the volume is cut at its faces. */
async function tensorsAt(
  volume: Volume,
  xyz: Float64Array,
  diameter: number,
  context: PluginContext,
  signal: AbortSignal,
  progress: (more: number) => void,
): Promise<Float64Array> {
  const gradient = diameter * GRADIENT_OF_DIAMETER, window = diameter * WINDOW_OF_DIAMETER;
  const half = Math.ceil(2.5 * window + 2 * gradient), count = xyz.length / 3, out = new Float64Array(6 * count);
  const boxAt = async (i: number): Promise<TensorBox> => {
    const corner = [0, 0, 0], size = [0, 0, 0];
    volume.shapeZyx.forEach((n, axis) => {
      const at = Math.min(n - 1, Math.max(0, Math.round(xyz[3 * i + 2 - axis])));
      corner[axis] = Math.max(0, at - half);
      size[axis] = Math.min(n, at + half + 1) - corner[axis];
    });
    const shapeZyx = size as unknown as Triple;
    const centreXyz: Triple = [xyz[3 * i] - corner[2], xyz[3 * i + 1] - corner[1], xyz[3 * i + 2] - corner[0]];
    return { voxels: await volume.readBox(corner as unknown as Triple, shapeZyx), shapeZyx, centreXyz };
  };
  const batches = Array.from({ length: Math.ceil(count / BATCH) }, (_, b) => b);
  const lane = async () => {
    for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
      signal.throwIfAborted();
      const from = batch * BATCH, to = Math.min(count, from + BATCH), boxes: TensorBox[] = [];
      for (let i = from; i < to; i++) boxes.push(await boxAt(i));
      const part = await context.pool.run<Float64Array>(module, structureTensors.name, [boxes, gradient, window], { signal });
      out.set(part, 6 * from);
      progress(to - from);
    }
  };
  await Promise.all(Array.from({ length: context.pool.size + 1 }, lane));
  return out;
}

/** Median of each of the six components. */
function medians(tensors: Float64Array): number[] {
  return [0, 1, 2, 3, 4, 5].map((component) => {
    const sorted = tensors.filter((_, i) => i % 6 === component).sort();
    return sorted[sorted.length >> 1];
  });
}
