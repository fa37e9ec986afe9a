/**
 * A second file of each tomogram, denoised or corrected by another program, as a volume beside the raw one.
 * @module
 */
import { basename } from "node:path";
import { z } from "zod";
import { definePlugin, type PluginContext, type Tomogram, type Volume } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { turnedVolume } from "../formats/turned_volume.ts";
import { describeVolumeFile, type VolumeDescription, voxelSizeOf } from "../formats/volume_file.ts";
import { percentApart, shortNumber, voxelSizeTolerance } from "../formats/voxel_size.ts";
import { type FrameChange, frameChangeWords } from "../kernels/permute_geometry.ts";
import { OpenFiles, scaledVolume } from "../sources/tomograms/open_files.ts";
import { storedVolume } from "../sources/tomograms/stored_volume.ts";
import { withVolume } from "./named_volume.ts";
import { withName } from "./scratch_need.ts";
import { findPair } from "./paired_volume/find_pair.ts";
import { frameChanges, type OrientationScore, scoreOrientations } from "./paired_volume/orientation.ts";

/** Correlation of the middle sections below which the contrast is doubted. */
const LEAST_CORRELATION = -0.05;
/** By how much another orientation must correlate better to be told of, and to be an error. */
const DOUBTFUL = 0.1, WRONG = 0.25;

const axisWord = /^\s*-?[xyz]\s*,\s*-?[xyz]\s*,\s*-?[xyz]\s*$/;

const options = z.strictObject({
  name: z.string().min(1).default("corrected").meta({ description: "Name of the volume, for the option `volume` of later stages" }),
  suffix: z.string().optional().meta({ description: "What the file's name has after the tomogram's: _corrected" }),
  folder: z.string().optional().meta({ description: "Folder of the files; left out: the tomogram's own", format: "path" }),
  extension: z.string().regex(/^\.[^/\\]+$/).default(".mrc").meta({ description: "End of the file's name" }),
  file: z.string().regex(/^[^/\\]+$/).optional().meta({
    description: "The file's whole name instead of suffix and extension: {id} stands for the tomogram's, * for what is not known",
  }),
  list: z.string().optional().meta({
    description: "STAR file of IsoNet or RELION, prediction JSON of cryoCARE, or JSON, that says which file belongs to which tomogram",
    format: "path",
  }),
  column: z.string().optional().meta({
    description: "Column of the STAR list that names the files; left out: the first known one with a value",
  }),
  contrast: z.enum(["raw", "dark", "bright"]).default("raw").meta({
    description: "How particles look in these files; raw: as in the tomogram's own",
  }),
  axes: z.string().regex(axisWord).optional().meta({
    description: "Which axes of the file are the tomogram's x, y, z, with - where they run backwards: x, z, y; left out: its own",
  }),
  orientation: z.enum(["check", "trust"]).default("check").meta({
    description: "check compares both volumes in every orientation, and stops where another one fits much better",
  }),
});
type Options = z.infer<typeof options>;

function faults({ suffix, folder, file, list, axes }: Options): string[] {
  const found: string[] = [];
  if (list !== undefined && [suffix, folder, file].some((given) => given !== undefined)) {
    found.push(`"list" says where the files are: leave out "suffix", "folder" and "file"`);
  }
  if (file !== undefined && suffix !== undefined) found.push(`"file" is the whole name: leave out "suffix"`);
  if (!suffix && folder === undefined && list === undefined && file === undefined) {
    found.push(`state "suffix", "folder" or both, "file" or "list": else the paired file would be the tomogram itself`);
  }
  if (axes !== undefined && new Set(axes.match(/[xyz]/g)).size < 3) found.push(`axes "${axes}": expected x, y and z, each once`);
  return found;
}

/**
 * Adds the second volume of each tomogram: `<folder>/<tomogram><suffix><extension>`, or the name in `file`, or what a list says. So it takes
 * the results of IsoNet, cryoCARE, Warp, DeepDeWedge and RELION. The file must have the raw volume's shape and, within 1 %, its voxel size (a
 * header without one is taken to agree).
 *
 * Both volumes are compared, coarsely, in all 48 orientations that give the same shape: where another than the file's own correlates much
 * better, an error says which; where it is a little better, a warning does. Where the middle sections correlate negatively, a warning says
 * that the contrast is probably stated wrongly.
 */
export default definePlugin({
  apiVersion: 1,
  name: "paired-volume",
  kind: "denoiser",
  summary: "A denoised or corrected file of each tomogram as a volume beside the raw one",
  input: "tomogram",
  output: "tomogram",
  options,
  check: faults,
  scratchNeed: ({ name }, tomogram) => ({ keptBytes: 0, workingBytes: 0, after: withName(tomogram, name) }),
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
  const path = await findPair(tomogram, options);
  const description = await describe(path, tomogram.id);
  const { raw } = tomogram.volumes, size = raw.voxelSizeAngstrom;
  checkVoxelSize(description, tomogram, size);
  const modified = await Deno.stat(path).then(({ mtime }) => mtime?.getTime() ?? 0, () => 0);
  const stored = await storedVolume({ description, voxelSizeAngstrom: size, modified }, files, context);
  const change = options.axes === undefined ? frameChanges[0] : parseAxes(options.axes);
  const turned = options.axes === undefined ? stored : turnedVolume(stored, change);
  const dark = options.contrast === "raw" ? tomogram.metadata.contrast === "dark" : options.contrast === "dark";
  const volume = scaledVolume(turned, dark ? -1 : 1);
  const shape = ([z, y, x]: readonly number[]) => `${x} x ${y} x ${z}`;
  const fits = volume.shapeZyx.join() === raw.shapeZyx.join();
  const scores = fits && options.orientation === "trust" ? [] : await scoreOrientations(raw, volume, signal);
  if (!fits) {
    const best = bestOf(scores);
    throw new InputError(
      path,
      `has ${shape(volume.shapeZyx)} voxels (x, y, z), tomogram "${tomogram.id}" ${
        shape(raw.shapeZyx)
      }: a paired volume needs the same shape${
        best && Math.abs(best.correlation) > DOUBTFUL ? `; its axes seem to be exchanged: ${remedy(best, change)}` : ""
      }`,
    );
  }
  judgeOrientation(scores, change, path, tomogram, context);
  signal.throwIfAborted();
  const correlation = await correlateMiddle(raw, volume);
  if (correlation < LEAST_CORRELATION) {
    context.warn(
      "paired-contrast",
      `${basename(path)} correlates negatively with tomogram "${tomogram.id}" (${correlation.toFixed(2)} in the middle section): ` +
        `particles seem to be ${dark ? "bright" : "dark"} in it; set "contrast": "${dark ? "bright" : "dark"}"`,
    );
  }
  const axes = options.axes === undefined ? "" : `, axes ${options.axes}`;
  const origin = `${basename(path)}, particles ${dark ? "dark" : "bright"}${axes}`;
  const source = `${description.locator} ${description.fileBytes} ${modified} ${dark}${axes}`;
  return withVolume(tomogram, options.name, volume, origin, source, context.stage);
}

/** `x, -z, y`: which axis of the file the new x, y, z run along. */
function parseAxes(words: string): FrameChange {
  const given = words.split(",").map((word) => word.trim());
  return {
    axesXyz: given.map((word) => "xyz".indexOf(word.at(-1)!)) as unknown as FrameChange["axesXyz"],
    flippedXyz: given.map((word) => word.startsWith("-")) as unknown as FrameChange["flippedXyz"],
  };
}

function bestOf(scores: readonly OrientationScore[]): OrientationScore | null {
  return scores.reduce<OrientationScore | null>(
    (best, score) => best && Math.abs(best.correlation) >= Math.abs(score.correlation) ? best : score,
    null,
  );
}

/** What to set, on top of the axes that are set already. */
function remedy({ change, correlation }: OrientationScore, set: FrameChange): string {
  const axesXyz = change.axesXyz.map((axis) => set.axesXyz[axis]) as unknown as FrameChange["axesXyz"];
  const flippedXyz = change.axesXyz.map((axis, i) => change.flippedXyz[i] !== set.flippedXyz[axis]) as unknown as FrameChange["flippedXyz"];
  return `set "axes": "${frameChangeWords({ axesXyz, flippedXyz })}" (correlation ${correlation.toFixed(2)}), or make the file again`;
}

function judgeOrientation(
  scores: readonly OrientationScore[],
  set: FrameChange,
  path: string,
  tomogram: Tomogram,
  context: PluginContext,
): void {
  const best = bestOf(scores), own = scores[0];
  if (!best || best === own) return;
  const gain = Math.abs(best.correlation) - Math.abs(own.correlation);
  if (gain < DOUBTFUL) return;
  const message = `does not lie as tomogram "${tomogram.id}" does: as it is, both correlate by ${own.correlation.toFixed(2)}; ${
    remedy(best, set)
  }`;
  if (gain >= WRONG) throw new InputError(path, `${message}, or set "orientation": "trust" if this is right`);
  context.warn("paired-orientation", `${basename(path)} perhaps ${message}`);
}

async function describe(path: string, id: string): Promise<VolumeDescription> {
  try {
    return await describeVolumeFile(path);
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

function checkVoxelSize(description: VolumeDescription, { id }: Tomogram, size: number): void {
  const found = voxelSizeOf(description);
  if (found === 0 || found === 1 || !(size > 0) || Math.abs(found / size - 1) <= voxelSizeTolerance) return;
  throw new InputError(
    description.path,
    `header voxel size ${shortNumber(found)} A, tomogram "${id}" has ${shortNumber(size)} A (${percentApart(found, size)} apart): ` +
      `is this its own file, and is source.options.voxelSizeAngstrom right?`,
  );
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
