/**
 * Any volume file written anew as MRC, EM or OME-Zarr, streamed.
 * @module
 */
import type { Triple } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import type { Statistics } from "../kernels/running_statistics.ts";
import { isStraight } from "./axis_order.ts";
import { createEmWriter } from "./em_writer.ts";
import { createMrcWriter } from "./mrc_writer.ts";
import { createOmeZarrWriter } from "./ome_zarr_writer.ts";
import { describeVolumeFile, streamedShape, streamVolumeFile, type VolumeDescription, voxelSizeOf } from "./volume_file.ts";

/** What a volume can be written as: MRC mode 2 or 12, EM float32, OME-Zarr 0.5 of float32 or float16. */
export interface CopyOptions {
  /** Voxel size to write, in Angstrom; left out: the source's. Of a multiscale source it also chooses the level. */
  readonly voxelSizeAngstrom?: number;
  /** Default false: float32. */
  readonly half?: boolean;
  readonly signal?: AbortSignal;
  /** Told sections done and all. */
  readonly progress?: (done: number, total: number) => void;
}

/** What was written. */
export interface CopiedVolume {
  readonly format: "MRC" | "EM" | "OME-Zarr";
  readonly shapeZyx: Triple;
  readonly voxelSizeAngstrom: number;
  readonly statistics: Statistics;
  readonly source: VolumeDescription;
}

/** What the name of an output asks for, or `null` when it is none of a volume. */
export function volumeTarget(path: string): CopiedVolume["format"] | null {
  if (/\.zarr\/?$/i.test(path)) return "OME-Zarr";
  if (/\.em$/i.test(path)) return "EM";
  return /\.(mrc|mrcs|map|rec|ccp4)$/i.test(path) ? "MRC" : null;
}

/**
 * Writes a volume file anew. Axes are put into x, y, z; a stack of volumes stays one in MRC and is refused elsewhere. Memory does not grow
 * with the volume; the target appears whole or not at all.
 * @throws {InputError} When the source cannot be read, or holds what the target cannot.
 * @throws {RunError} When the target cannot be written.
 */
export async function copyVolume(source: string, target: string, options: CopyOptions = {}): Promise<CopiedVolume> {
  const format = volumeTarget(target);
  if (format === null) throw new InputError(target, "is no name of a volume: end it in .mrc, .map, .rec, .em or .zarr");
  const description = await describeVolumeFile(source, { wantedVoxelSizeAngstrom: options.voxelSizeAngstrom });
  if (description.isTransform) throw new InputError(source, "holds a Fourier transform (complex numbers), which is not written");
  const { volumes, shapeZyx } = description;
  if (format === "EM" && options.half) {
    throw new InputError(target, "EM files hold no half-precision numbers: leave --half out, or write MRC");
  }
  if (volumes > 1 && (format !== "MRC" || !isStraight(description.axes))) {
    throw new InputError(source, `is a stack of ${volumes} volumes: write one at a time`);
  }
  const { raster } = description;
  if (raster && raster.compression !== "none" && !isStraight(description.axes)) {
    throw new InputError(source, `is compressed (${raster.compression}) and its axes are exchanged: decompress it first`);
  }
  const voxelSizeAngstrom = options.voxelSizeAngstrom ?? voxelSizeOf(description);
  const [nz, ny, nx] = volumes > 1 ? streamedShape(description) : shapeZyx;
  await using writer = format === "MRC"
    ? await createMrcWriter(target, {
      ny,
      nx,
      voxelSizeAngstrom,
      mode: options.half ? 12 : 2,
      ...(volumes > 1 ? { volumeSections: shapeZyx[0] } : {}),
    })
    : format === "EM"
    ? await createEmWriter(target, [nz, ny, nx], voxelSizeAngstrom)
    : await createOmeZarrWriter(target, { shapeZyx: [nz, ny, nx], voxelSizeAngstrom, voxelType: options.half ? "float16" : "float32" });
  let done = 0;
  for await (const piece of streamVolumeFile(description)) {
    options.signal?.throwIfAborted();
    await writer.writeSlab(piece);
    options.progress?.(done += piece.length / (ny * nx), nz);
  }
  const { shapeZyx: written, statistics } = await writer.finish();
  return { format, shapeZyx: written, voxelSizeAngstrom, statistics, source: description };
}
