/**
 * Room in WebAssembly memory for the work on boxes of one size, and the filters that belong to that size.
 *
 * A box is filtered in its cosine transform (DCT-II: the box continues mirrored at its faces, SciPy's `reflect`), as six small matrix
 * products; coefficient k of an axis of N voxels has frequency k / (2 N) cycles per voxel.
 * @module
 */
import * as simd from "./simd/boxes.wasm";
import { softSphere } from "./sphere.ts";

/** Pointers into the module's memory; each is one box `[n, n, row]` of float32 unless said otherwise. */
export interface BoxWorkspace {
  /** Voxels a side. */
  readonly n: number;
  /** Floats a row: n rounded up to 4. */
  readonly row: number;
  /** Where a dense box `[n, n, n]` goes in and comes out. */
  readonly dense: number;
  /** The box at work. */
  readonly box: number;
  /** Room for a second box. */
  readonly work: number;
  /** The orthonormal DCT-II matrix `[n, row]`, one frequency a row. */
  readonly cosines: number;
  /** Its transpose `[n, row]`. */
  readonly transposed: number;
  /** The soft inscribed sphere, dense `[n, n, n]`. */
  readonly sphere: number;
}

/** A gain on frequencies (cycles per voxel) `[n, n, row]` in the module's memory. */
export type Gain = number;

const workspaces = new Map<number, BoxWorkspace>();
const gains = new Map<string, Gain>();

/** Reserves room for `count` floats. */
export function reserve(count: number): number {
  return simd.alloc(count * 4);
}

/** A view of `count` floats at `pointer`; good until the memory grows. */
export function view(pointer: number, count: number): Float32Array<ArrayBuffer> {
  return new Float32Array(simd.memory.buffer as ArrayBuffer, pointer, count);
}

/** The room for boxes of `n` voxels a side; one a size and realm. */
export function openBoxWorkspace(n: number): BoxWorkspace {
  let workspace = workspaces.get(n);
  if (!workspace) {
    const row = (n + 3) & ~3, size = n * n * row;
    workspace = {
      n,
      row,
      dense: reserve(n ** 3),
      box: reserve(size),
      work: reserve(size),
      cosines: reserve(n * row),
      transposed: reserve(n * row),
      sphere: reserve(n ** 3),
    };
    const cosines = view(workspace.cosines, n * row).fill(0), transposed = view(workspace.transposed, n * row).fill(0);
    for (let k = 0; k < n; k++) {
      const scale = Math.sqrt((k === 0 ? 1 : 2) / n);
      for (let i = 0; i < n; i++) {
        const value = scale * Math.cos((Math.PI * k * (2 * i + 1)) / (2 * n));
        cosines[k * row + i] = value;
        transposed[i * row + k] = value;
      }
    }
    view(workspace.sphere, n ** 3).set(softSphere(n));
    workspaces.set(n, workspace);
  }
  return workspace;
}

/**
 * The gain `f(kx, ky, kz)`, cached under `name` for each box size.
 *
 * @param name Says all that the gain depends on besides the size.
 */
export function openGain(workspace: BoxWorkspace, name: string, f: (kx: number, ky: number, kz: number) => number): Gain {
  const { n, row } = workspace, key = `${n} ${name}`;
  let gain = gains.get(key);
  if (gain === undefined) {
    gain = reserve(n * n * row);
    const values = view(gain, n * n * row).fill(0);
    for (let z = 0; z < n; z++) {
      for (let y = 0; y < n; y++) {
        for (let x = 0; x < n; x++) values[(z * n + y) * row + x] = f(x / (2 * n), y / (2 * n), z / (2 * n));
      }
    }
    gains.set(key, gain);
  }
  return gain;
}

/** Puts box `index` of `voxels` into `workspace.box`. */
export function loadBox(workspace: BoxWorkspace, voxels: Float32Array, index: number): void {
  const { n, row, dense, box } = workspace, size = n ** 3;
  view(dense, size).set(voxels.subarray(index * size, (index + 1) * size));
  simd.spread(dense, box, n, row);
}

/** Takes `workspace.box` out as box `index` of `voxels`. */
export function storeBox(workspace: BoxWorkspace, voxels: Float32Array, index: number): void {
  const { n, row, dense, box } = workspace, size = n ** 3;
  simd.gather(box, dense, n, row);
  voxels.set(view(dense, size), index * size);
}

/** Multiplies the cosine transform of `workspace.box` by a gain. */
export function applyGain(workspace: BoxWorkspace, gain: Gain): void {
  simd.filterBox(workspace.box, workspace.work, workspace.cosines, workspace.transposed, gain, workspace.n, workspace.row);
}

/**
 * Masks `workspace.box` with the soft sphere at zero mean and unit deviation inside it and writes it as box `index` of `voxels`.
 * @returns Whether the box was usable; if not, it is written as zeros.
 */
export function storePrepared(workspace: BoxWorkspace, voxels: Float32Array, index: number): boolean {
  const { n, row, dense, box, sphere } = workspace, size = n ** 3;
  simd.gather(box, dense, n, row);
  const usable = simd.standardise(dense, sphere, sphere, dense, size) === 1;
  voxels.set(view(dense, size), index * size);
  return usable;
}
