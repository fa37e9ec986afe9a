/**
 * Stored voxels of raster files (MRC, EM) to float32.
 * @module
 */
import { decodeFloat16 } from "./float16.ts";

/** How one voxel is stored. `uint4`: two in a byte, the first in the low four bits. `complex64`: two float32, of which the amplitude is taken. */
export type VoxelType = "uint4" | "int8" | "uint8" | "int16" | "uint16" | "int32" | "float16" | "float32" | "float64" | "complex64";

/** Bits of one voxel. */
export const voxelBits: Readonly<Record<VoxelType, number>> = {
  uint4: 4,
  int8: 8,
  uint8: 8,
  int16: 16,
  uint16: 16,
  int32: 32,
  float16: 16,
  float32: 32,
  float64: 64,
  complex64: 64,
};

/** Where the voxels of a file stand: rows of `columns` voxels, padded to whole bytes, one after the other from `dataOffset`. */
export interface RasterLayout {
  /** Length of the file's axes: columns (fastest), rows, sections. */
  readonly columns: number;
  readonly rows: number;
  readonly sections: number;
  readonly voxelType: VoxelType;
  readonly littleEndian: boolean;
  /** First byte of the voxels. */
  readonly dataOffset: number;
}

/** Bytes of one row. */
export function rowBytesOf({ columns, voxelType }: Pick<RasterLayout, "columns" | "voxelType">): number {
  return Math.ceil(columns * voxelBits[voxelType] / 8);
}

const HOST_IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function swapWord(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

/** Reverses, in place, the bytes of each number of a file whose byte order is not this machine's. `bytes` begins at a multiple of 8. */
export function toHostOrder(bytes: Uint8Array, { littleEndian, voxelType }: RasterLayout): void {
  if (littleEndian === HOST_IS_LITTLE) return;
  const wordBits = voxelType === "complex64" ? 32 : voxelBits[voxelType];
  if (wordBits === 16) {
    const words = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
    for (let i = 0; i < words.length; i++) words[i] = (words[i] << 8) | (words[i] >>> 8);
  } else if (wordBits >= 32) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
    for (let i = 0; i < words.length; i++) words[i] = swapWord(words[i]);
    if (wordBits === 64) {
      for (let i = 0; i + 1 < words.length; i += 2) [words[i], words[i + 1]] = [words[i + 1], words[i]];
    }
  }
}

/**
 * Converts `count` voxels in this machine's byte order, from `byteOffset` in `bytes`, to `out` from `start`.
 *
 * @param skip Voxels of the first byte to pass over: 0, or 1 for `uint4`.
 */
export function decodeVoxels(
  bytes: Uint8Array,
  byteOffset: number,
  count: number,
  voxelType: VoxelType,
  out: Float32Array,
  start: number,
  skip = 0,
): void {
  const at = bytes.byteOffset + byteOffset;
  const buffer = bytes.buffer;
  switch (voxelType) {
    case "float32":
      return out.set(new Float32Array(buffer, at, count), start);
    case "float16":
      return void decodeFloat16(new Uint16Array(buffer, at, count), out.subarray(start, start + count));
    case "int16":
      return out.set(new Int16Array(buffer, at, count), start);
    case "uint16":
      return out.set(new Uint16Array(buffer, at, count), start);
    case "int8":
      return out.set(new Int8Array(buffer, at, count), start);
    case "uint8":
      return out.set(new Uint8Array(buffer, at, count), start);
    case "int32":
      return out.set(new Int32Array(buffer, at, count), start);
    case "float64":
      return out.set(new Float64Array(buffer, at, count), start);
    case "uint4":
      for (let i = 0; i < count; i++) {
        const nibble = i + skip;
        out[start + i] = (bytes[byteOffset + (nibble >> 1)] >> (4 * (nibble & 1))) & 15;
      }
      return;
    case "complex64": {
      const parts = new Float32Array(buffer, at, 2 * count);
      for (let i = 0; i < count; i++) out[start + i] = Math.hypot(parts[2 * i], parts[2 * i + 1]);
    }
  }
}

/** Index of the first NaN or infinity, or -1. */
export function findNonFinite(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * 0;
  return sum === 0 ? -1 : values.findIndex((value) => !Number.isFinite(value));
}

/** Words for a voxel that is not finite. */
export function nonFiniteMessage(value: number, x: number, y: number, z: number): string {
  return `voxel x ${x}, y ${y}, z ${z} is ${value}: replace NaN and infinite voxels, for example by the mean`;
}
