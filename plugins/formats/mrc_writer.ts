/**
 * Writing MRC volumes and stacks of boxes, section by section, with true header statistics.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";
import type { Triple } from "../../streams/contract.ts";
import { RunningStatistics } from "../kernels/running_statistics.ts";
import { openAtomicFile } from "./atomic.ts";
import { decodeFloat16, encodeFloat16, float16Maximum } from "./float16.ts";
import { encodeMrcHeader, mrcHeaderBytes, type MrcStatistics } from "./mrc_header.ts";

/** How a streamed MRC file is to look. */
export interface MrcWriterOptions {
  readonly ny: number;
  readonly nx: number;
  /** Angstrom; 0 = unset. */
  readonly voxelSizeAngstrom: number;
  /** 2 = float32 (default), 12 = float16. */
  readonly mode?: 2 | 12;
  /** Makes a stack of volumes of this many sections each (`.mrcs`, space group 401). */
  readonly volumeSections?: number;
  /** `false` leaves the sync to the operating system. */
  readonly sync?: boolean;
}

/** A streamed MRC file; the final name appears on `finish`. Disposing of it unfinished removes what was written. */
export interface MrcWriter extends AsyncDisposable {
  /**
   * Appends whole sections, `[n, ny, nx]`.
   * @throws {ShapeError} When the length is no multiple of ny * nx.
   * @throws {RangeError} When a value is not finite, or too large for mode 12.
   */
  writeSlab(sections: Float32Array): Promise<void>;
  /** Writes the header, syncs and renames. @throws {ShapeError} When nothing was written, or no whole number of volumes. */
  finish(): Promise<{ readonly shapeZyx: Triple; readonly statistics: MrcStatistics }>;
  /** Removes the temporary file. */
  abort(): Promise<void>;
}

/**
 * Opens a streamed MRC file: `writeSlab` any number of times, then `finish`. Missing parent folders are made.
 * @throws {RunError} When the folder cannot be written.
 */
export async function createMrcWriter(path: string, options: MrcWriterOptions): Promise<MrcWriter> {
  const { ny, nx, voxelSizeAngstrom, mode = 2, volumeSections } = options;
  const file = await openAtomicFile(path);
  const statistics = new RunningStatistics();
  let sections = 0;
  await file.write(new Uint8Array(mrcHeaderBytes));
  return {
    async writeSlab(slab) {
      if (slab.length % (ny * nx) !== 0) {
        throw new ShapeError(`${path}: ${slab.length} voxels are no whole number of sections of ${ny} x ${nx}`);
      }
      const half = mode === 12 ? encodeFloat16(slab) : null;
      const bad = statistics.add(half ? decodeFloat16(half) : slab).firstNonFinite;
      if (bad >= 0) {
        const where = `x ${bad % nx}, y ${Math.floor(bad / nx) % ny}, z ${sections + Math.floor(bad / (nx * ny))}`;
        const why = Number.isFinite(slab[bad]) ? `does not fit mode 12 (largest ${float16Maximum}): use mode 2` : "is not a finite number";
        throw new RangeError(`${path}: voxel ${where} is ${slab[bad]}, which ${why}`);
      }
      const stored = half ?? slab;
      await file.write(new Uint8Array(stored.buffer as ArrayBuffer, stored.byteOffset, stored.byteLength));
      sections += slab.length / (ny * nx);
    },
    async finish() {
      if (sections === 0 || volumeSections !== undefined && sections % volumeSections !== 0) {
        throw new ShapeError(
          `${path}: ${sections} sections were written, expected ${volumeSections ? `a multiple of ${volumeSections}` : "some"}`,
        );
      }
      const shapeZyx: Triple = [sections, ny, nx];
      const found = statistics.result();
      await file.writeAt(0, encodeMrcHeader({ shapeZyx, mode, voxelSizeAngstrom, statistics: found, volumeSections }));
      await file.commit({ sync: options.sync });
      return { shapeZyx, statistics: found };
    },
    abort: () => file.abort(),
    [Symbol.asyncDispose]: () => file.abort(),
  };
}

/** A whole volume in memory. */
export interface MrcVolumeContent {
  readonly shapeZyx: Triple;
  /** `[nz, ny, nx]`. */
  readonly voxels: Float32Array;
  /** Angstrom; 0 = unset. */
  readonly voxelSizeAngstrom: number;
  /** 2 = float32 (default), 12 = float16. */
  readonly mode?: 2 | 12;
  /** Sections of one volume when this is a stack of volumes. */
  readonly volumeSections?: number;
  /** `false` leaves the sync to the operating system. */
  readonly sync?: boolean;
}

/**
 * Writes a whole volume.
 * @throws {ShapeError} When `voxels` does not hold `shapeZyx`.
 * @throws {RangeError} When a voxel is not finite.
 * @throws {RunError} When the file cannot be written.
 */
export async function writeMrcVolume(path: string, content: MrcVolumeContent): Promise<void> {
  const { shapeZyx: [nz, ny, nx], voxels, ...options } = content;
  if (voxels.length !== nz * ny * nx) throw new ShapeError(`${path}: ${voxels.length} voxels for a volume of ${nz} x ${ny} x ${nx}`);
  await using writer = await createMrcWriter(path, { ny, nx, ...options });
  await writer.writeSlab(voxels);
  await writer.finish();
}
