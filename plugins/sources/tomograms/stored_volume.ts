/**
 * A described file as a volume that can be read in any order: opened where that works, unpacked into scratch where it does not.
 * @module
 */
import type { PluginContext, Volume } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import { orderedVolume } from "../../formats/axis_order.ts";
import { streamedAxes, streamedShape, streamVolumeFile, type VolumeDescription } from "../../formats/volume_file.ts";
import type { OpenFiles } from "./open_files.ts";

/** Which volume of which file. */
export interface StoredVolume {
  readonly description: VolumeDescription;
  /** Of a stack of volumes; left out: the file is one volume. */
  readonly stackIndex?: number;
  /** When the file was changed, milliseconds: what was unpacked before is used again only while it holds. */
  readonly modified: number;
  readonly voxelSizeAngstrom: number;
}

/** Opens it. A file that can be read only in order is unpacked once, for all volumes of a stack. @throws {InputError} When it is damaged. */
export async function storedVolume(stored: StoredVolume, files: OpenFiles, context: PluginContext): Promise<Volume> {
  const { description, stackIndex, modified, voxelSizeAngstrom } = stored;
  const { path, locator, fileBytes, volumes } = description, shape = streamedShape(description);
  if (!description.readInOrderOnly) return files.volume(locator, description.shapeZyx, voxelSizeAngstrom, stackIndex);
  const whole = await context.scratch.volume(`unpack ${locator} ${fileBytes} ${modified}`, shape, voxelSizeAngstrom, async (writeSlab) => {
    let done = 0;
    for await (const sections of streamVolumeFile(description)) {
      context.signal.throwIfAborted();
      await writeSlab(sections);
      context.progress(done += sections.length / (shape[1] * shape[2]), shape[0]);
    }
  });
  if (stackIndex === undefined) return orderedVolume(whole, streamedAxes(description));
  const each = shape[0] / volumes, first = each * stackIndex;
  if (!Number.isInteger(each)) throw new InputError(path, `${shape[0]} sections are no multiple of ${volumes} volumes`);
  return orderedVolume({
    shapeZyx: [each, shape[1], shape[2]],
    voxelSizeAngstrom,
    readBox: ([z, y, x], size) => whole.readBox([z + first, y, x], size),
    readSlab: (z0, z1) => whole.readSlab(z0 + first, z1 + first),
  }, streamedAxes(description));
}
