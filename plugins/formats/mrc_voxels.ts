/**
 * Stored voxels of an MRC file to float32.
 * @module
 */
import { decodeFloat16 } from "./float16.ts";
import type { MrcHeader } from "./mrc_header.ts";

const HOST_IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Reverses, in place, the bytes of each voxel of a file whose byte order is not this machine's. `bytes` begins at a multiple of 4. */
export function toHostOrder(bytes: Uint8Array, header: MrcHeader): void {
  if (header.littleEndian === HOST_IS_LITTLE) return;
  if (header.bytesPerVoxel === 2) {
    const words = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
    for (let i = 0; i < words.length; i++) words[i] = (words[i] << 8) | (words[i] >>> 8);
  } else if (header.bytesPerVoxel === 4) {
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (let i = 0; i < words.length; i++) {
      const word = words[i];
      words[i] = (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
    }
  }
}

/** Converts `count` voxels in this machine's byte order, from `byteOffset` in `bytes`, to `out` from `start`. */
export function decodeVoxels(
  bytes: Uint8Array,
  byteOffset: number,
  count: number,
  header: MrcHeader,
  out: Float32Array,
  start: number,
): void {
  const { mode, unsignedBytes } = header;
  const at = bytes.byteOffset + byteOffset;
  const buffer = bytes.buffer;
  if (mode === 2) out.set(new Float32Array(buffer, at, count), start);
  else if (mode === 12) decodeFloat16(new Uint16Array(buffer, at, count), out.subarray(start, start + count));
  else if (mode === 1) out.set(new Int16Array(buffer, at, count), start);
  else if (mode === 6) out.set(new Uint16Array(buffer, at, count), start);
  else out.set(unsignedBytes ? new Uint8Array(buffer, at, count) : new Int8Array(buffer, at, count), start);
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
