/**
 * Finds gold beads and leaves out the picks on them.
 * @module
 */
import { z } from "zod";
import { definePlugin, type Picks, type PluginContext } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { namedVolume, tomogramLabel } from "../denoisers/named_volume.ts";
import { MAXIMUM_FIELDS } from "../kernels/difference_of_gaussians.ts";
import { robustMoments } from "../kernels/response_statistics.ts";
import { suppress } from "../kernels/suppress.ts";
import { respond } from "../pickers/dog_response.ts";
import { selectPicks, withColumn } from "./select_picks.ts";

/** Sigmas of the two Gaussians as shares of a bead's diameter: a ball of that size responds most. */
const NARROW_OF_DIAMETER = 0.22, WIDE_OF_DIAMETER = 0.33;
/** Without a stated threshold a bead is at least this strong, in robust deviations of the response ... */
const LEAST_STRENGTH = 8;
/** ... this many times stronger than the strongest peak that is no bead ... */
const LEAST_GAP = 1.2;
/** ... and this many times stronger than is usual at the picks. */
const LEAST_OF_USUAL = 1.5;

const options = z.strictObject({
  beadDiameterAngstrom: z.number().positive().default(100).meta({ description: "Diameter of a bead", unit: "Angstrom" }),
  distanceAngstrom: z.number().positive().optional().meta({
    description: "Picks whose centre lies nearer to a bead's are on it. Default: a bead's diameter",
    unit: "Angstrom",
  }),
  leastDeviations: z.number().positive().optional().meta({
    description: "Least response of a bead. Default: the gap between beads and all else in the tomogram; no gap, no beads",
    unit: "robust standard deviations of the response",
  }),
  action: z.enum(["drop", "flag"]).default("drop").meta({
    description: "What is done with picks on beads: left out, or kept and marked by 1 in the column onGoldBead",
  }),
  volume: z.string().default("raw").meta({ description: "Volume to find beads in" }),
});
type Options = z.infer<typeof options>;

/**
 * Finds beads as peaks of a difference of Gaussians of their own size that stand far out of all other peaks, and leaves out the picks near
 * them. How many beads were found, and by which threshold, is noted for each tomogram. Beads are dense: bright, as particles are.
 */
export default definePlugin({
  apiVersion: 1,
  name: "gold-beads",
  kind: "operator",
  summary: "Finds gold beads and leaves out the picks on them",
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
  const diameter = options.beadDiameterAngstrom / volume.voxelSizeAngstrom;
  const response = await respond(volume, { narrow: NARROW_OF_DIAMETER * diameter, wide: WIDE_OF_DIAMETER * diameter }, context, signal);
  const { centre, deviation } = robustMoments(response.histogram);
  const xyz: number[] = [], strength: number[] = [];
  const least = Math.min(options.leastDeviations ?? Infinity, LEAST_STRENGTH / 2);
  for (const part of response.maxima) {
    for (let i = 0; i < part.length; i += MAXIMUM_FIELDS) {
      const score = (part[i + 3] - centre) / deviation;
      if (!(score >= least)) continue;
      xyz.push(part[i], part[i + 1], part[i + 2]);
      strength.push(score);
    }
  }
  const order = suppress(xyz, strength, diameter), ordered = Array.from(order, (i) => strength[i]);
  const distance = (options.distanceAngstrom ?? options.beadDiameterAngstrom) / volume.voxelSizeAngstrom;
  // The strongest peak at each pick, by its rank.
  const nearest = Array.from(
    picks.score,
    (_, p) =>
      order.findIndex((i) => [0, 1, 2].reduce((sum, axis) => sum + (xyz[3 * i + axis] - centresXyz[3 * p + axis]) ** 2, 0) < distance ** 2),
  );
  const usual = nearest.filter((rank) => rank >= 0).map((rank) => ordered[rank]).sort((a, b) => a - b);
  const beads = options.leastDeviations === undefined
    ? countOutstanding(ordered, usual[usual.length >> 1] ?? 0)
    : ordered.filter((score) => score >= options.leastDeviations!).length;
  const onBead = nearest.map((rank) => rank >= 0 && rank < beads);
  const kept = Array.from(onBead.keys()).filter((i) => !onBead[i]), on = onBead.length - kept.length;
  const found = beads === 0
    ? "no gold bead found"
    : `${beads} gold ${beads === 1 ? "bead" : "beads"} found, response ${ordered[beads - 1].toFixed(1)} deviations and more`;
  const next = ordered.length > beads ? ` (strongest other peak ${ordered[beads].toFixed(1)})` : "";
  context.note("gold-beads", `tomogram "${tomogram.id}": ${found}${next}; ${on} of ${onBead.length} picks lie on them`);
  if (options.action === "flag") return withColumn(picks, "onGoldBead", onBead.map(Number));
  context.drop(on, "pick on a gold bead");
  return selectPicks(picks, kept);
}

/**
 * How many of the strongest peaks stand out as a group of their own.
 * @param strength Descending.
 * @param usual Strength that is usual at the picks.
 */
function countOutstanding(strength: readonly number[], usual: number): number {
  for (let n = strength.length; n > 0; n--) {
    const weakest = strength[n - 1];
    if (weakest >= LEAST_STRENGTH && weakest >= LEAST_OF_USUAL * usual && weakest >= LEAST_GAP * (strength[n] ?? 0)) return n;
  }
  return 0;
}
