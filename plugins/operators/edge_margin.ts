/**
 * Leaves out picks near the faces of the volume.
 * @module
 */
import { z } from "zod";
import { definePlugin, type Picks, type PluginContext } from "../../streams/contract.ts";
import { namedVolume } from "../denoisers/named_volume.ts";
import { selectPicks } from "./select_picks.ts";

const margin = () => z.number().min(0);

const options = z.strictObject({
  marginVoxels: margin().meta({ description: "Least distance of a pick's centre from every face", unit: "voxels" }),
  marginZVoxels: margin().optional().meta({
    description: "The same from the two faces along the beam, where the specimen ends. Default: marginVoxels",
    unit: "voxels",
  }),
  volume: z.string().default("raw").meta({ description: "Volume whose faces count" }),
});
type Options = z.infer<typeof options>;

/** Keeps picks whose centre lies at least a margin inside the volume; the first and last voxel are at distance 0 from the faces. */
export default definePlugin({
  apiVersion: 1,
  name: "edge-margin",
  kind: "operator",
  summary: "Leaves out picks near the faces of the tomogram",
  input: "picks",
  output: "picks",
  options,
  create(given, context) {
    // deno-lint-ignore require-await -- a fault must reject, not throw
    return { apply: async (picks) => keepInside(picks, given, context) };
  },
});

function keepInside(picks: Picks, { marginVoxels, marginZVoxels = marginVoxels, volume }: Options, context: PluginContext): Picks {
  const { shapeZyx } = namedVolume(picks.tomogram, volume, context.stage), margins = [marginVoxels, marginVoxels, marginZVoxels];
  const inside = (i: number) =>
    margins.every((least, axis) => {
      const at = picks.centresXyz[3 * i + axis];
      return at >= least && at <= shapeZyx[2 - axis] - 1 - least;
    });
  const kept = Array.from(picks.score, (_, i) => i).filter(inside);
  const least = marginZVoxels === marginVoxels ? `${marginVoxels}` : `${marginVoxels} (along z ${marginZVoxels})`;
  context.drop(picks.score.length - kept.length, `pick nearer than ${least} voxels to a face`);
  return selectPicks(picks, kept);
}
