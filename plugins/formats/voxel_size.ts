/**
 * Which voxel size holds when a file's header and the manifest both speak.
 * @module
 */
import { InputError } from "../../streams/errors.ts";

/** What to do when header and manifest disagree by more than 1 %. */
export type VoxelSizeMismatch = "error" | "manifest" | "header";

/** Sizes that differ by less than this share are the same. */
export const voxelSizeTolerance = 0.01;

/** `13.48` of 13.479999: at most five digits. */
export function shortNumber(value: number): string {
  return String(Number(value.toPrecision(5)));
}

/** How far `found` is from `expected`, as a whole per cent where that says enough. */
export function percentApart(found: number, expected: number): string {
  const percent = 100 * Math.abs(found / expected - 1);
  return `${percent >= 10 ? percent.toFixed(0) : percent.toPrecision(2)} %`;
}

/**
 * Decides the voxel size of a file in Angstrom.
 *
 * A header of 0, or of exactly 1 beside a stated size, is unset. Within 1 % the stated size holds. Units: Angstrom.
 * @param option Name of the option that states a size, for the message.
 * @returns The size and, where something was assumed, one sentence that says so.
 * @throws {InputError} When neither states a size, or when they disagree and `onMismatch` is `error`; the message shows the arithmetic.
 */
export function resolveVoxelSize(
  path: string,
  header: number,
  stated: number | undefined,
  onMismatch: VoxelSizeMismatch = "error",
  option = "source.options.voxelSizeAngstrom",
): { readonly voxelSizeAngstrom: number; readonly note?: string } {
  if (stated === undefined) {
    if (header > 0) {
      return header === 1
        ? { voxelSizeAngstrom: 1, note: `header voxel size is exactly 1 A, which often means that it was never set: state ${option} if so` }
        : { voxelSizeAngstrom: header };
    }
    throw new InputError(path, `the header holds no voxel size (0 A): set ${option}`);
  }
  if (header === 0 || header === 1) {
    return { voxelSizeAngstrom: stated, note: `header voxel size is ${header} A (unset): ${shortNumber(stated)} A as stated` };
  }
  if (Math.abs(header / stated - 1) <= voxelSizeTolerance) return { voxelSizeAngstrom: stated };
  const arithmetic = `header voxel size ${shortNumber(header)} A, manifest says ${shortNumber(stated)} A (${
    percentApart(header, stated)
  } apart)`;
  if (onMismatch === "manifest") return { voxelSizeAngstrom: stated, note: `${arithmetic}: the manifest's was taken` };
  if (onMismatch === "header") return { voxelSizeAngstrom: header, note: `${arithmetic}: the header's was taken` };
  throw new InputError(path, `${arithmetic}: remove ${option} or set "onVoxelSizeMismatch": "manifest"`);
}
