/**
 * MRC files as lazy volumes and as stacks of boxes. Header rules are in `mrc_header.ts`; writing is in `mrc_writer.ts`.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import type { Volume } from "../../streams/contract.ts";
import { headerVoxelSize, type MrcHeader, mrcHeaderBytes, parseMrcHeader } from "./mrc_header.ts";
import { type NonFinite, openForReading, RasterReader, rasterVolume, readBeginning } from "./raster_reader.ts";
import { findNonFinite } from "./raster_voxels.ts";

export { createMrcWriter, type MrcVolumeContent, type MrcWriter, type MrcWriterOptions, writeMrcVolume } from "./mrc_writer.ts";
export { headerVoxelSize, type MrcHeader, mrcHeaderBytes, type MrcMode, type MrcStatistics, parseMrcHeader } from "./mrc_header.ts";

/** A lazily read MRC volume. `voxelSizeAngstrom` is 0 when the header has none. Reads may overlap; each waits its turn. */
export interface MrcVolume extends Volume, AsyncDisposable {
  readonly path: string;
  readonly header: MrcHeader;
  readonly fileBytes: number;
  close(): void;
}

/** A stack of cubic boxes in one MRC file. */
export interface MrcStack extends AsyncDisposable {
  readonly path: string;
  readonly header: MrcHeader;
  readonly count: number;
  readonly boxVoxels: number;
  /** 0 when the header has none. */
  readonly voxelSizeAngstrom: number;
  /** Boxes at `indices`, `[n, b, b, b]`. @throws {RangeError} When an index is not 0..count-1. @throws {InputError} When a voxel is not finite. */
  read(indices: ArrayLike<number>): Promise<Float32Array>;
  close(): void;
}

async function openReader(path: string): Promise<{ reader: RasterReader; header: MrcHeader; fileBytes: number }> {
  const { file, fileBytes } = await openForReading(path);
  try {
    const header = parseMrcHeader(await readBeginning(file, mrcHeaderBytes), fileBytes, path);
    return { reader: new RasterReader(file, path, header), header, fileBytes };
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Reads and checks the header alone.
 * @throws {InputError} When the file is missing, truncated or its header cannot be.
 */
export async function readMrcHeader(path: string): Promise<{ readonly header: MrcHeader; readonly fileBytes: number }> {
  const { reader, header, fileBytes } = await openReader(path);
  reader.close();
  return { header, fileBytes };
}

/** How an MRC file is opened as a volume. */
export interface MrcVolumeOptions {
  /** Takes the place of the header's voxel size, which is then not looked at. */
  readonly voxelSizeAngstrom?: number;
  /** Default `refuse`. */
  readonly nonFinite?: NonFinite;
  /** Which volume of a stack of volumes (space group 401), from 0; left out: all sections as one volume. */
  readonly stackIndex?: number;
}

/**
 * Opens an MRC volume without reading its voxels. Axes are put into z, y, x by MAPC, MAPR, MAPS; integers and halves become float32, complex
 * numbers (mode 4) their amplitudes.
 *
 * @throws {InputError} When the file is missing, truncated or its header cannot be; from a read, when a voxel is NaN or infinite (its x, y, z).
 */
export async function openMrcVolume(path: string, options: MrcVolumeOptions = {}): Promise<MrcVolume> {
  const { reader, header, fileBytes } = await openReader(path);
  let voxelSizeAngstrom: number;
  try {
    voxelSizeAngstrom = options.voxelSizeAngstrom ?? headerVoxelSize(header, path);
  } catch (error) {
    reader.close();
    throw error;
  }
  const each = options.stackIndex === undefined ? header.sections : header.sections / header.volumes;
  return {
    path,
    header,
    fileBytes,
    voxelSizeAngstrom,
    ...rasterVolume(reader, {
      axes: header.axes,
      nonFinite: options.nonFinite ?? "refuse",
      firstSection: each * (options.stackIndex ?? 0),
      sections: each,
    }),
    close: () => reader.close(),
    [Symbol.asyncDispose]: () => Promise.resolve(reader.close()),
  };
}

/**
 * Opens a stack of cubic boxes: sections of b x b, b sections a box. b is MZ for a stack of volumes (space group 401), else the section's side.
 *
 * @param boxVoxels The box size that the user states; it must agree.
 * @throws {InputError} When sections are not square, their number is no multiple of b, or b is not `boxVoxels`.
 */
export async function openMrcStack(path: string, boxVoxels?: number): Promise<MrcStack> {
  const { reader, header } = await openReader(path);
  let voxelSizeAngstrom: number;
  try {
    voxelSizeAngstrom = headerVoxelSize(header, path, true);
    const { columns, rows, sections, axes } = header;
    const shown = `${columns} x ${rows} x ${sections}`;
    if (axes.join() !== "1,2,3") {
      throw new InputError(path, `header fields mapc, mapr, maps are ${axes.join(", ")}: a stack of boxes needs 1, 2, 3`);
    }
    if (columns !== rows) throw new InputError(path, `${shown} voxels are no stack of cubic boxes: sections are not square`);
    if (boxVoxels !== undefined && boxVoxels !== columns) {
      throw new InputError(path, `holds boxes of ${columns} voxels, boxVoxels says ${boxVoxels}: set it to ${columns}`);
    }
    if (sections % columns !== 0) {
      throw new InputError(path, `${shown} voxels are no stack of cubic boxes: ${sections} sections are no multiple of ${columns}`);
    }
  } catch (error) {
    reader.close();
    throw error;
  }
  const b = header.columns;
  const voxelsPerBox = b * b * b;
  const count = header.sections / b;
  return {
    path,
    header,
    count,
    boxVoxels: b,
    voxelSizeAngstrom,
    async read(indices) {
      const out = new Float32Array(indices.length * voxelsPerBox);
      for (let i = 0; i < indices.length; i++) {
        const index = indices[i];
        if (!Number.isInteger(index) || index < 0 || index >= count) throw new RangeError(`${path}: box ${index} of ${count}`);
        // Neighbouring boxes are read at once.
        let run = 1;
        while (i + run < indices.length && indices[i + run] === index + run) run++;
        run = Math.min(run, count - index);
        const voxels = await reader.read([index * b, 0, 0], [run * b, b, b]);
        const bad = findNonFinite(voxels);
        if (bad >= 0) {
          const box = index + Math.floor(bad / voxelsPerBox);
          throw new InputError(
            path,
            `box ${box} (counted from 0), voxel x ${bad % b}, y ${Math.floor(bad / b) % b}, z ${Math.floor(bad / (b * b)) % b} is ${
              voxels[bad]
            }`,
          );
        }
        out.set(voxels, i * voxelsPerBox);
        i += run - 1;
      }
      return out;
    },
    close: () => reader.close(),
    [Symbol.asyncDispose]: () => Promise.resolve(reader.close()),
  };
}
