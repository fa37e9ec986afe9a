/**
 * A second file of each tomogram, denoised or corrected by another program, as a volume beside the raw one.
 * @module
 */
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { definePlugin, type PluginContext, type Tomogram, type Volume } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { headerVoxelSize, type MrcHeader, readMrcHeader } from "../formats/mrc.ts";
import { percentApart, shortNumber, voxelSizeTolerance } from "../formats/voxel_size.ts";
import { OpenFiles, scaledVolume } from "../sources/tomograms/open_files.ts";
import { withVolume } from "./named_volume.ts";

/** Correlation of the middle sections below which the contrast is doubted. */
const LEAST_CORRELATION = -0.05;

const options = z.strictObject({
  name: z.string().min(1).default("corrected").meta({ description: "Name of the volume, for the option `volume` of later stages" }),
  suffix: z.string().optional().meta({ description: "What the file's name has after the tomogram's: _corrected" }),
  folder: z.string().optional().meta({ description: "Folder of the files; left out: the tomogram's own", format: "path" }),
  extension: z.string().regex(/^\.[^/\\]+$/).default(".mrc").meta({ description: "End of the file's name" }),
  contrast: z.enum(["raw", "dark", "bright"]).default("raw").meta({
    description: "How particles look in these files; raw: as in the tomogram's own",
  }),
});
type Options = z.infer<typeof options>;

/**
 * Adds the volume in `<folder>/<tomogram><suffix><extension>`: IsoNet, cryoCARE, Warp, DeepDeWedge. It must have the raw volume's shape and,
 * within 1 %, its voxel size (a header without one is taken to agree). Where the middle sections of both correlate negatively, a warning
 * says that the contrast is probably stated wrongly.
 */
export default definePlugin({
  apiVersion: 1,
  name: "paired-volume",
  kind: "denoiser",
  summary: "A denoised or corrected file of each tomogram as a volume beside the raw one",
  input: "tomogram",
  output: "tomogram",
  options,
  check: ({ suffix, folder }) =>
    !suffix && folder === undefined ? [`state "suffix", "folder" or both: else the paired file would be the tomogram itself`] : [],
  create(given, context) {
    const files = new OpenFiles();
    return {
      apply: (tomogram, signal) => pair(tomogram, given, files, context, signal),
      [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
    };
  },
});

async function pair(
  tomogram: Tomogram,
  options: Options,
  files: OpenFiles,
  context: PluginContext,
  signal: AbortSignal,
): Promise<Tomogram> {
  const own = tomogram.metadata.path;
  if (typeof own !== "string" && options.folder === undefined) {
    throw new InputError(tomogram.id, `comes from no file, so that its own folder is unknown: set "folder"`);
  }
  const stem = typeof own === "string" ? basename(own).replace(/(\.[^.]+)(\.gz)?$/, "") : tomogram.id;
  const path = join(options.folder ?? dirname(own as string), `${stem}${options.suffix ?? ""}${options.extension}`);
  const header = await readHeader(path, tomogram.id);
  const { raw } = tomogram.volumes, size = raw.voxelSizeAngstrom;
  if (header.shapeZyx.join() !== raw.shapeZyx.join()) {
    const shape = ([z, y, x]: readonly number[]) => `${x} x ${y} x ${z}`;
    throw new InputError(
      path,
      `has ${shape(header.shapeZyx)} voxels (x, y, z), tomogram "${tomogram.id}" ${
        shape(raw.shapeZyx)
      }: a paired volume needs the same shape`,
    );
  }
  const found = headerVoxelSize(header, path, true);
  if (found !== 0 && found !== 1 && size > 0 && Math.abs(found / size - 1) > voxelSizeTolerance) {
    throw new InputError(
      path,
      `header voxel size ${shortNumber(found)} A, tomogram "${tomogram.id}" has ${shortNumber(size)} A (${
        percentApart(found, size)
      } apart): ` +
        `is this its own file, and is source.options.voxelSizeAngstrom right?`,
    );
  }
  const dark = options.contrast === "raw" ? tomogram.metadata.contrast === "dark" : options.contrast === "dark";
  const volume = scaledVolume(files.volume(path, raw.shapeZyx, size), dark ? -1 : 1);
  signal.throwIfAborted();
  const correlation = await correlateMiddle(raw, volume);
  if (correlation < LEAST_CORRELATION) {
    context.warn(
      "paired-contrast",
      `${basename(path)} correlates negatively with tomogram "${tomogram.id}" (${correlation.toFixed(2)} in the middle section): ` +
        `particles seem to be ${dark ? "bright" : "dark"} in it; set "contrast": "${dark ? "bright" : "dark"}"`,
    );
  }
  const { mtime, size: bytes } = await Deno.stat(path);
  const origin = `${basename(path)}, particles ${dark ? "dark" : "bright"}`;
  return withVolume(tomogram, options.name, volume, origin, `${path} ${bytes} ${mtime?.getTime() ?? 0} ${dark}`, context.stage);
}

async function readHeader(path: string, id: string): Promise<MrcHeader> {
  try {
    return (await readMrcHeader(path)).header;
  } catch (error) {
    if (error instanceof InputError && error.cause instanceof Deno.errors.NotFound) {
      throw new InputError(
        path,
        `no such file; it was looked for as the paired volume of tomogram "${id}": set "suffix", "folder" or "extension"`,
      );
    }
    throw error;
  }
}

/** Pearson's correlation of the middle sections; 0 when one is constant. */
async function correlateMiddle(a: Volume, b: Volume): Promise<number> {
  const z = a.shapeZyx[0] >> 1;
  const [u, v] = [await a.readSlab(z, z + 1), await b.readSlab(z, z + 1)];
  const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mu, mv] = [mean(u), mean(v)];
  let uv = 0, uu = 0, vv = 0;
  for (let i = 0; i < u.length; i++) {
    uv += (u[i] - mu) * (v[i] - mv);
    uu += (u[i] - mu) ** 2;
    vv += (v[i] - mv) ** 2;
  }
  return uu > 0 && vv > 0 ? uv / Math.sqrt(uu * vv) : 0;
}
