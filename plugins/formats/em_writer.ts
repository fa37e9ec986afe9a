/**
 * Writing EM volumes section by section.
 * @module
 */
import type { Triple } from "../../streams/contract.ts";
import { ShapeError } from "../../streams/errors.ts";
import { RunningStatistics, type Statistics } from "../kernels/running_statistics.ts";
import { openAtomicFile } from "./atomic.ts";
import { encodeEmHeader } from "./em.ts";

/** A streamed EM file; the final name appears on `finish`. Disposing of it unfinished removes what was written. */
export interface EmWriter extends AsyncDisposable {
  /**
   * Appends whole sections, `[n, ny, nx]`.
   * @throws {ShapeError} When the length is no multiple of ny * nx.
   * @throws {RangeError} When a value is not finite.
   */
  writeSlab(sections: Float32Array): Promise<void>;
  /** Syncs and renames. @throws {ShapeError} When sections are missing or too many. */
  finish(): Promise<{ readonly shapeZyx: Triple; readonly statistics: Statistics }>;
}

/** Opens a streamed little-endian float32 EM file. @throws {RunError} When the folder cannot be written. */
export async function createEmWriter(path: string, shapeZyx: Triple, voxelSizeAngstrom: number): Promise<EmWriter> {
  const [nz, ny, nx] = shapeZyx, file = await openAtomicFile(path), statistics = new RunningStatistics();
  let sections = 0;
  await file.write(encodeEmHeader(shapeZyx, voxelSizeAngstrom));
  return {
    async writeSlab(slab) {
      if (slab.length % (ny * nx) !== 0) {
        throw new ShapeError(`${path}: ${slab.length} voxels are no whole number of sections of ${ny} x ${nx}`);
      }
      const bad = statistics.add(slab).firstNonFinite;
      if (bad >= 0) {
        const z = sections + Math.floor(bad / (nx * ny));
        throw new RangeError(`${path}: voxel x ${bad % nx}, y ${Math.floor(bad / nx) % ny}, z ${z} is ${slab[bad]}, no finite number`);
      }
      await file.write(new Uint8Array(slab.buffer as ArrayBuffer, slab.byteOffset, slab.byteLength));
      sections += slab.length / (ny * nx);
    },
    async finish() {
      if (sections !== nz) throw new ShapeError(`${path}: ${sections} sections were written, ${nz} were announced`);
      await file.commit();
      return { shapeZyx, statistics: statistics.result() };
    },
    [Symbol.asyncDispose]: () => file.abort(),
  };
}
