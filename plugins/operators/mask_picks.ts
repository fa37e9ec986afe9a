/**
 * Leaves out picks outside a mask.
 * @module
 */
import { z } from "zod";
import { definePlugin, type Picks, type PluginContext, type Volume } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { namedVolume } from "../denoisers/named_volume.ts";
import { openVolumeFile } from "../formats/volume_file.ts";
import { selectPicks } from "./select_picks.ts";

/** A mask is 0 outside and 1 inside. */
const LEVEL = 0.5;

const options = z.strictObject({
  path: z.string().min(1).meta({
    description: "Volume file (MRC, EM, OME-Zarr) of the tomogram's shape, above 0.5 inside; {id} stands for the tomogram's id",
    format: "path",
  }),
  keep: z.enum(["inside", "outside"]).default("inside").meta({ description: "Which picks stay" }),
  volume: z.string().default("raw").meta({ description: "Volume whose shape the mask must have" }),
});
type Options = z.infer<typeof options>;

/**
 * Keeps picks by the mask's voxel nearest to their centre. The mask is read section by section, and only those that hold picks. Picks outside
 * the volume count as outside the mask.
 */
export default definePlugin({
  apiVersion: 1,
  name: "mask-picks",
  kind: "operator",
  summary: "Leaves out picks outside a mask: carbon, what lies outside the cell",
  input: "picks",
  output: "picks",
  options,
  create(given, context) {
    return { apply: (picks, signal) => keepMasked(picks, given, context, signal) };
  },
});

async function keepMasked(picks: Picks, options: Options, context: PluginContext, signal: AbortSignal): Promise<Picks> {
  const { tomogram, centresXyz } = picks, path = options.path.replaceAll("{id}", tomogram.id);
  const volume = namedVolume(tomogram, options.volume, context.stage);
  await using mask = await openVolumeFile(path);
  checkShape(path, mask, volume);
  const [nz, ny, nx] = volume.shapeZyx, bySection = new Map<number, number[]>();
  for (let i = 0; i < picks.score.length; i++) {
    const z = Math.round(centresXyz[3 * i + 2]), members = bySection.get(z);
    if (members) members.push(i);
    else bySection.set(z, [i]);
  }
  const inside = new Uint8Array(picks.score.length);
  for (const [z, members] of [...bySection].filter(([z]) => z >= 0 && z < nz).sort(([a], [b]) => a - b)) {
    signal.throwIfAborted();
    const section = await mask.readSlab(z, z + 1);
    for (const i of members) {
      const x = Math.round(centresXyz[3 * i]), y = Math.round(centresXyz[3 * i + 1]);
      if (x >= 0 && y >= 0 && x < nx && y < ny && section[y * nx + x] > LEVEL) inside[i] = 1;
    }
  }
  const wanted = options.keep === "inside" ? 1 : 0;
  const kept = Array.from(inside.keys()).filter((i) => inside[i] === wanted);
  context.drop(inside.length - kept.length, `pick ${options.keep === "inside" ? "outside" : "inside"} the mask`);
  return selectPicks(picks, kept);
}

function checkShape(path: string, mask: Volume, volume: Volume): void {
  if (mask.shapeZyx.join() === volume.shapeZyx.join()) return;
  const shape = ([z, y, x]: readonly number[]) => `${x} x ${y} x ${z}`;
  throw new InputError(
    path,
    `the mask has ${shape(mask.shapeZyx)} voxels, the tomogram ${shape(volume.shapeZyx)}: resample the mask to the tomogram's voxels`,
  );
}
