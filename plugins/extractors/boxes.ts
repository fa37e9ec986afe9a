/**
 * Cuts a box about each pick.
 * @module
 */
import { z } from "zod";
import { definePlugin, type Picks, type PluginContext, type Subtomograms, type Triple, type Volume } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { namedVolume, tomogramLabel } from "../denoisers/named_volume.ts";
import { boxCentre, normaliseBoxes } from "../kernels/prepare.ts";
import { selectPicks } from "../operators/select_picks.ts";

/** A batch's boxes are read at once when what encloses them is at most this many times their own voxels. */
const SPARSEST_REGION = 8;
/** And not more than this (64 MB). */
const LARGEST_REGION_VOXELS = 16_000_000;

const options = z.strictObject({
  boxVoxels: z.number().int().min(4).max(1024).meta({
    description: "Side of a box; about 1.2 times the particle's diameter",
    unit: "voxels",
  }),
  volume: z.string().default("raw").meta({ description: "Volume to cut from" }),
  batchBoxes: z.number().int().min(1).max(65536).default(64).meta({ description: "Boxes in one batch" }),
});
type Options = z.infer<typeof options>;

/**
 * Cuts boxes at zero mean and unit deviation inside the inscribed sphere. A pick lies at voxel floor(N / 2) of its box, to half a voxel:
 * centres are rounded, never interpolated. Boxes that leave the volume, are constant or hold numbers that are not finite are dropped and
 * counted; the others keep their picks' ordinals.
 */
export default definePlugin({
  apiVersion: 1,
  name: "boxes",
  kind: "extractor",
  summary: "A normalised box about each pick; boxes that leave the volume are dropped and counted",
  input: "picks",
  output: "subtomograms",
  options,
  create(given, context) {
    return { apply: (picks, signal) => extract(picks, given, context, signal) };
  },
});

async function* extract(picks: Picks, options: Options, context: PluginContext, signal: AbortSignal): AsyncGenerator<Subtomograms> {
  const { tomogram } = picks, { boxVoxels: b } = options;
  const volume = namedVolume(tomogram, options.volume, context.stage), { shapeZyx } = volume;
  if (shapeZyx.some((n) => n < b)) {
    throw new InputError(
      tomogramLabel(tomogram),
      `volume "${options.volume}" has ${shapeZyx[2]} x ${shapeZyx[1]} x ${
        shapeZyx[0]
      } voxels (x, y, z), a box ${b} a side: lower "boxVoxels"`,
    );
  }
  const total = picks.score.length, corners = new Int32Array(3 * total), inside: number[] = [];
  for (let i = 0; i < total; i++) {
    for (let axis = 0; axis < 3; axis++) corners[3 * i + axis] = Math.round(picks.centresXyz[3 * i + 2 - axis]) - boxCentre(b);
    if (shapeZyx.every((n, axis) => corners[3 * i + axis] >= 0 && corners[3 * i + axis] + b <= n)) inside.push(i);
  }
  if (inside.length < total) context.drop(total - inside.length, `box of ${b} voxels leaves the volume`);
  for (let start = 0; start < inside.length; start += options.batchBoxes) {
    signal.throwIfAborted();
    const members = inside.slice(start, start + options.batchBoxes);
    const { voxels, unusable } = normaliseBoxes(await cut(volume, corners, members, b), members.length, b);
    if (unusable.length > 0) context.drop(unusable.length, "box is constant or holds numbers that are not finite");
    const usable = members.filter((_, i) => !unusable.includes(i));
    if (usable.length > 0) {
      yield {
        tomogram,
        rows: Int32Array.from({ length: 2 * usable.length }, (_, i) => i % 2 ? usable[i >> 1] : tomogram.ordinal),
        boxVoxels: b,
        voxels: unusable.length > 0 ? withoutBoxes(voxels, unusable, b ** 3) : voxels,
        picks: selectPicks(picks, usable),
      };
    }
    context.progress(Math.min(inside.length, start + members.length), inside.length);
  }
}

/** Reads the boxes at `corners` (z, y, x) of `members`: neighbours together, scattered ones each by itself. */
async function cut(volume: Volume, corners: Int32Array, members: readonly number[], b: number): Promise<Float32Array> {
  const size = b ** 3, out = new Float32Array(members.length * size);
  const low = [0, 1, 2].map((axis) => members.reduce((least, i) => Math.min(least, corners[3 * i + axis]), Infinity));
  const extent = [0, 1, 2].map((axis) => members.reduce((most, i) => Math.max(most, corners[3 * i + axis]), 0) + b - low[axis]);
  const region = extent[0] * extent[1] * extent[2];
  if (region > Math.min(LARGEST_REGION_VOXELS, SPARSEST_REGION * out.length)) {
    for (const [n, i] of members.entries()) {
      out.set(await volume.readBox([corners[3 * i], corners[3 * i + 1], corners[3 * i + 2]], [b, b, b]), n * size);
    }
    return out;
  }
  const voxels = await volume.readBox(low as unknown as Triple, extent as unknown as Triple);
  members.forEach((i, n) => {
    for (let z = 0; z < b; z++) {
      for (let y = 0; y < b; y++) {
        const from = ((corners[3 * i] - low[0] + z) * extent[1] + corners[3 * i + 1] - low[1] + y) * extent[2] + corners[3 * i + 2] -
          low[2];
        out.set(voxels.subarray(from, from + b), n * size + (z * b + y) * b);
      }
    }
  });
  return out;
}

function withoutBoxes(voxels: Float32Array, unusable: Int32Array, size: number): Float32Array {
  const out = new Float32Array(voxels.length - unusable.length * size);
  for (let i = 0, to = 0; i < voxels.length / size; i++) {
    if (!unusable.includes(i)) out.set(voxels.subarray(i * size, (i + 1) * size), to++ * size);
  }
  return out;
}
