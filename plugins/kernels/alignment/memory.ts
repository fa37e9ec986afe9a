/**
 * Named blocks in the memory of the alignment kernel, kept and grown between calls.
 * @module
 */
import * as simd from "../simd/align.wasm";

const blocks = new Map<string, { address: number; bytes: number }>();

/** Address of the block `name` with room for `bytes`; its content is not kept when it grows. */
export function reserve(name: string, bytes: number): number {
  let block = blocks.get(name);
  if (!block || block.bytes < bytes) {
    if (block) simd.release(block.address);
    block = { address: simd.alloc(bytes), bytes };
    blocks.set(name, block);
  }
  return block.address;
}

/** Copies `values` into the block `name`. */
export function put(name: string, values: Float32Array): number {
  const address = reserve(name, values.byteLength);
  floats(address, values.length).set(values);
  return address;
}

/** A block of `length` zeros. */
export function zeros(name: string, length: number): number {
  const address = reserve(name, 4 * length);
  floats(address, length).fill(0);
  return address;
}

/** View of float32 numbers; stale once any block grows. */
export function floats(address: number, length: number): Float32Array {
  return new Float32Array(simd.memory.buffer, address, length);
}

/** View of float64 numbers; stale once any block grows. */
export function doubles(address: number, length: number): Float64Array {
  return new Float64Array(simd.memory.buffer, address, length);
}

/** View of int32 numbers; stale once any block grows. */
export function integers(address: number, length: number): Int32Array {
  return new Int32Array(simd.memory.buffer, address, length);
}
