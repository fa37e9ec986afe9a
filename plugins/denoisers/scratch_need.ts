/**
 * What denoisers write into scratch, for the forecast of a dry run.
 * @module
 */
import type { ScratchNeed, TomogramOutline, Triple } from "../../streams/contract.ts";

/** Bytes of a volume in scratch: float32 and a header. */
export function scratchBytes([nz, ny, nx]: Triple): number {
  return 1024 + 4 * nz * ny * nx;
}

/** The need of a stage that keeps one volume of the tomogram's shape under a name. @param workingBytes What it needs beside while it makes it. */
export function oneMoreVolume(tomogram: TomogramOutline, name: string, workingBytes = 0): ScratchNeed {
  return { keptBytes: scratchBytes(tomogram.shapeZyx), workingBytes, after: withName(tomogram, name) };
}

/** A tomogram with one volume more. */
export function withName(tomogram: TomogramOutline, name: string): TomogramOutline {
  return { ...tomogram, volumes: [...tomogram.volumes, name] };
}
