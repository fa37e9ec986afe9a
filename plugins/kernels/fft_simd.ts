/**
 * Fourier transforms of float32 arrays by the passes in `simd/fft.as.ts`; `fft.ts` is what others use.
 *
 * Arrays are copied into the module's own memory and back; larger ones go through in pieces, so that it stays small.
 * @module
 */
import type { Triple } from "../../streams/contract.ts";
import { type Plan, planOf } from "./fft_plan.ts";
import * as wasm from "./simd/fft.wasm";

/** Most bytes of an array that are copied at once. */
const PIECE_BYTES = 1 << 25;
/** Lines of a block in `simd/fft.as.ts`, times the bytes of a complex number. */
const BLOCK_BYTES = 8 * 8;

/** Where a plan's tables and working memory lie. */
interface Tables {
  readonly factors: number;
  readonly count: number;
  readonly roots: number;
  readonly a: number;
  readonly b: number;
}

const roots = new Map<number, Float32Array>();

/** Whether lines of that length go through here. */
export function hasPasses(plan: Plan): boolean {
  return plan.chirp === undefined;
}

/** Transforms in place all lines of `n` points, `stride` complex numbers apart, of `data` `[outer, n, stride]`. */
export function transformAxis32(data: Float32Array, n: number, outer: number, stride: number, inverse: boolean): void {
  const line = 8 * n * stride;
  if (line <= PIECE_BYTES) {
    const blocks = Math.max(1, Math.floor(PIECE_BYTES / line));
    for (let first = 0; first < outer; first += blocks) {
      const count = Math.min(blocks, outer - first);
      const piece = data.subarray(first * line / 4, (first + count) * line / 4);
      const at = upload(piece);
      transformAt(at, n, count, stride, inverse);
      piece.set(view(at, piece.length));
    }
    return;
  }
  const columns = Math.max(8, Math.floor(PIECE_BYTES / (8 * n)));
  for (let block = 0; block < outer; block++) {
    for (let first = 0; first < stride; first += columns) {
      const width = Math.min(columns, stride - first);
      wasm.reset();
      const at = reserve(8 * n * width);
      const piece = view(at, 2 * n * width);
      const row = (i: number) => 2 * ((block * n + i) * stride + first);
      for (let i = 0; i < n; i++) piece.set(data.subarray(row(i), row(i) + 2 * width), 2 * i * width);
      transformAt(at, n, 1, width, inverse);
      const result = view(at, 2 * n * width);
      for (let i = 0; i < n; i++) data.set(result.subarray(2 * i * width, 2 * (i + 1) * width), row(i));
    }
  }
}

/** Transforms a volume in place along all axes; `false` when it is too large for one piece. */
export function transformVolume32(data: Float32Array, [nz, ny, nx]: Triple, inverse: boolean): boolean {
  if (data.byteLength > PIECE_BYTES) return false;
  const at = upload(data);
  transformAt(at, nx, nz * ny, 1, inverse);
  transformAt(at, ny, nz, nx, inverse);
  transformAt(at, nz, 1, ny * nx, inverse);
  data.set(view(at, data.length));
  return true;
}

/** The half spectrum of a real volume; `null` when it is too large for one piece. */
export function realVolume32(real: Float32Array, [nz, ny, nx]: Triple): Float32Array | null {
  const half = (nx >> 1) + 1, length = 2 * nz * ny * half;
  if (4 * length > PIECE_BYTES) return null;
  const input = upload(real);
  const output = reserve(4 * length);
  const { factors, count, roots, a, b } = tablesOf(nx);
  wasm.realRows(input, output, nz * ny, nx, factors, count, roots, a, b);
  transformAt(output, ny, nz, half, false);
  transformAt(output, nz, 1, ny * half, false);
  return view(output, length).slice();
}

/** The real volume of a half spectrum; `null` when it is too large for one piece. */
export function realVolumeBack32(spectrum: Float32Array, [nz, ny, nx]: Triple): Float32Array | null {
  const half = (nx >> 1) + 1;
  if (spectrum.byteLength > PIECE_BYTES) return null;
  const input = upload(spectrum);
  const output = reserve(4 * nz * ny * nx);
  transformAt(input, nz, 1, ny * half, true);
  transformAt(input, ny, nz, half, true);
  const { factors, count, roots, a, b } = tablesOf(nx);
  wasm.realRowsBack(input, output, nz * ny, nx, factors, count, roots, a, b);
  return view(output, nz * ny * nx).slice();
}

function transformAt(at: number, n: number, outer: number, stride: number, inverse: boolean): void {
  if (n === 1) return;
  const { factors, count, roots, a, b } = tablesOf(n);
  wasm.axis(at, outer, n, stride, inverse ? 1 : 0, inverse ? 1 / n : 1, factors, count, roots, a, b);
}

function tablesOf(n: number): Tables {
  const plan = planOf(n);
  let table = roots.get(n);
  if (!table) roots.set(n, table = Float32Array.from(plan.twiddles));
  const factors = reserve(4 * plan.factors.length + 4);
  const w = reserve(8 * n), a = reserve(n * BLOCK_BYTES), b = reserve(n * BLOCK_BYTES);
  new Uint32Array(wasm.memory.buffer, factors, plan.factors.length).set(plan.factors);
  view(w, 2 * n).set(table);
  return { factors, count: plan.factors.length, roots: w, a, b };
}

/** Copies an array into the module's memory, which it has for itself. */
function upload(data: Float32Array): number {
  wasm.reset();
  const at = reserve(data.byteLength);
  view(at, data.length).set(data);
  return at;
}

function reserve(bytes: number): number {
  const at = wasm.alloc(bytes);
  if (at === 0) throw new RangeError(`no memory for a Fourier transform: ${bytes} bytes were asked for`);
  return at;
}

function view(at: number, length: number): Float32Array {
  return new Float32Array(wasm.memory.buffer, at, length);
}
