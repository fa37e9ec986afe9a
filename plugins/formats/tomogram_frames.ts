/**
 * Sizes and voxel sizes of tomograms, for conversions that need them: from volumes, from RELION's tomograms.star, or as stated.
 *
 * Rules: a volume's own header gives its size in voxels and its voxel size; RELION's `tomograms.star` gives `rlnTomoSizeX/Y/Z` in unbinned voxels
 * of `rlnTomoTiltSeriesPixelSize`, or of `rlnMicrographOriginalPixelSize` / `rlnMicrographPixelSize`. A stated voxel size that is more than 1 % off
 * a header's is an error.
 * @module
 */
import type { Triple } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { type FrameOf, type TomogramFrame, tomogramStem } from "./particle_set.ts";
import { columnOf, loopOf, numbersOf, parseStar, type StarLoop } from "./star.ts";
import { describeVolumeFile, voxelSizeOf } from "./volume_file.ts";
import { resolveVoxelSize, shortNumber } from "./voxel_size.ts";

/** What a user says of the tomograms. */
export interface FrameSources {
  /** Volumes, and tables of tomograms in STAR form. */
  readonly files: readonly string[];
  readonly voxelSizeAngstrom?: number;
  /** Size of every tomogram in voxels of `voxelSizeAngstrom`. */
  readonly shapeXyz?: Triple;
}

/** What is known of tomograms, and what was assumed to know it. */
export interface Frames {
  readonly frameOf: FrameOf;
  readonly assumed: readonly string[];
  /** Paths of volumes by their stem. */
  readonly volumes: ReadonlyMap<string, string>;
}

const SIZES = ["rlnTomoSizeX", "rlnTomoSizeY", "rlnTomoSizeZ"];
const PIXELS = ["rlnTomoTiltSeriesPixelSize", "rlnMicrographOriginalPixelSize", "rlnMicrographPixelSize"];

/** Frames in a table of tomograms, by name; null when the text holds no such table. */
export function readTomogramTable(text: string, path: string): Map<string, TomogramFrame> | null {
  const tables = parseStar(text, path).blocks.map(loopOf);
  const table = tables.find(({ columns }) => columns.includes("rlnTomoName") && SIZES.every((name) => columns.includes(name)));
  if (!table) return null;
  const names = columnOf(table, "rlnTomoName")!, sizes = SIZES.map((name) => numbersOf(table, name, path));
  const pixels = pixelsOf(table, tables, path);
  return new Map(names.map((name, i) => {
    const shape = sizes.map((size) => size[i]) as unknown as Triple;
    if (shape.some((n) => !(n > 0))) {
      throw new InputError(path, `the size of tomogram "${name}" is ${shape.join(" x ")}, expected voxels above 0`);
    }
    return [name, { shapeXyz: shape, ...(pixels && pixels[i] > 0 ? { voxelSizeAngstrom: pixels[i] } : {}) }];
  }));
}

function pixelsOf(table: StarLoop, tables: readonly StarLoop[], path: string): Float64Array | null {
  const name = PIXELS.find((each) => table.columns.includes(each));
  if (name) return numbersOf(table, name, path);
  const optics = tables.find(({ columns }) => columns.includes("rlnTomoTiltSeriesPixelSize") && columns.includes("rlnOpticsGroupName"));
  const groups = columnOf(table, "rlnOpticsGroupName");
  if (!optics || !groups) return null;
  const sizes = numbersOf(optics, "rlnTomoTiltSeriesPixelSize", path), own = columnOf(optics, "rlnOpticsGroupName")!;
  return Float64Array.from(groups, (group) => sizes[own.indexOf(group)] ?? NaN);
}

/** Size and voxel size in the header of a volume. */
async function volumeFrame(path: string, stated: number | undefined): Promise<{ frame: TomogramFrame; note?: string }> {
  const description = await describeVolumeFile(path, { wantedVoxelSizeAngstrom: stated });
  const [z, y, x] = description.shapeZyx;
  const own = voxelSizeOf(description);
  if (own === 0 && stated === undefined) return { frame: { shapeXyz: [x, y, z] } };
  const { voxelSizeAngstrom, note } = resolveVoxelSize(path, own, stated, "error", "--voxel-size");
  return { frame: { shapeXyz: [x, y, z], voxelSizeAngstrom }, ...(note ? { note: `${path}: ${note}` } : {}) };
}

/**
 * Reads what is known of tomograms.
 *
 * One volume alone stands for every tomogram; of several, each stands for the tomograms of its name (without folder and ending).
 * @throws {InputError} When a file cannot be read, or a stated voxel size contradicts it.
 */
export async function readFrames(sources: FrameSources): Promise<Frames> {
  const { voxelSizeAngstrom, shapeXyz } = sources;
  const stated: TomogramFrame = { ...(shapeXyz ? { shapeXyz } : {}), ...(voxelSizeAngstrom === undefined ? {} : { voxelSizeAngstrom }) };
  const frames = new Map<string, TomogramFrame>(), volumes = new Map<string, string>(), assumed: string[] = [];
  for (const path of sources.files) {
    if (/\.star$/i.test(path)) {
      const table = readTomogramTable(await readText(path), path);
      if (!table) throw new InputError(path, "has no table of tomograms: _rlnTomoName and _rlnTomoSizeX, Y and Z were expected");
      for (const [name, frame] of table) frames.set(tomogramStem(name), frame);
      continue;
    }
    const { frame, note } = await volumeFrame(path, voxelSizeAngstrom);
    if (note) assumed.push(note);
    frames.set(tomogramStem(path), frame);
    volumes.set(tomogramStem(path), path);
    const size = frame.voxelSizeAngstrom === undefined ? "voxel size not stated" : `${shortNumber(frame.voxelSizeAngstrom)} A`;
    assumed.push(`${path} is ${frame.shapeXyz!.join(" x ")} voxels, ${size}`);
  }
  const alone = frames.size === 1 ? [...frames.values()][0] : undefined;
  return { frameOf: (tomogram) => frames.get(tomogramStem(tomogram)) ?? alone ?? stated, assumed, volumes };
}

async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new InputError(path, "no such file", { cause: error });
    throw error;
  }
}
