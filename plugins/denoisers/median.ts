/**
 * A median filter of a volume as a new volume.
 * @module
 */
import { z } from "zod";
import { definePlugin } from "../../streams/contract.ts";
import { medianSections } from "../kernels/median.ts";
import { filterSlabs } from "./filter_slabs.ts";
import { namedVolume, volumeKey, withVolume } from "./named_volume.ts";
import { oneMoreVolume } from "./scratch_need.ts";

const module = new URL("../kernels/median.ts", import.meta.url).href;

const options = z.strictObject({
  volume: z.string().default("raw").meta({ description: "Volume to filter" }),
  name: z.string().min(1).default("median").meta({ description: "Name of the new volume" }),
  sizeVoxels: z.union([z.literal(3), z.literal(5)]).default(3).meta({ description: "Side of the cube", unit: "voxels" }),
});

/** Each voxel becomes the median of the cube about it, mirrored at the faces; in slabs: memory does not grow with the number of sections. */
export default definePlugin({
  apiVersion: 1,
  name: "median",
  kind: "denoiser",
  summary: "A median filter of a volume as a new volume: takes out single wild voxels, keeps edges",
  input: "tomogram",
  output: "tomogram",
  options,
  scratchNeed: ({ name }, tomogram) => oneMoreVolume(tomogram, name),
  create: (given, context) => ({
    async apply(tomogram, signal) {
      const volume = namedVolume(tomogram, given.volume, context.stage), reach = (given.sizeVoxels - 1) / 2;
      const origin = `median of ${given.volume} over ${given.sizeVoxels}^3 voxels`, key = `${origin}: ${volumeKey(tomogram, given.volume)}`;
      const filter = { module, exportName: medianSections.name, parameter: reach, reach };
      const filtered = await filterSlabs(volume, filter, key, context, signal);
      return withVolume(tomogram, given.name, filtered, origin, key, context.stage);
    },
  }),
});
