/**
 * The boxes of a run on disk: `subtomograms/<tomogram>.mrcs`, one MRC stack (mode 12, float16) a tomogram, read at random.
 *
 * Training, the final labelling and inference all read boxes from here, so that rounding to float16 is the same for all of them.
 * @module
 */
import { basename } from "node:path";
import { createMrcWriter, type MrcStack, type MrcWriter, openMrcStack } from "../plugins/formats/mrc.ts";
import type { BoxStore, Geometry, Subtomograms } from "./contract.ts";
import { ShapeError } from "./errors.ts";

/** Open stack files at once. */
const OPEN_STACKS = 32;

/** File of a tomogram's boxes in a run folder; ids are file stems, but a stem may hold anything that a path may not. */
export function stackPath(runDir: string, ordinal: number, id: string): string {
  const safe = basename(id).replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 80) || "tomogram";
  return `${runDir}/subtomograms/${String(ordinal).padStart(4, "0")}_${safe}.mrcs`;
}

/** Writes the boxes of one tomogram; the file takes its name on `finish`. */
export class StackWriter implements AsyncDisposable {
  readonly #path: string;
  #writer: MrcWriter | null = null;
  #box = 0;
  #count = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Boxes written so far. */
  get count(): number {
    return this.#count;
  }
  /** Their edge; 0 before the first. */
  get boxVoxels(): number {
    return this.#box;
  }

  /** @throws {ShapeError} When a batch has another box size than the one before. */
  async add(batch: Subtomograms, voxelSizeAngstrom: number): Promise<void> {
    const b = batch.boxVoxels;
    if (this.#box !== 0 && b !== this.#box) {
      throw new ShapeError(`boxes of ${b} voxels after boxes of ${this.#box}: a run needs one box size`);
    }
    if (batch.rows.length === 0) return;
    if (batch.voxels.length !== batch.rows.length / 2 * b ** 3) {
      throw new ShapeError(`${batch.voxels.length} voxels for ${batch.rows.length / 2} boxes of ${b}^3: a box is missing or cut`);
    }
    this.#box = b;
    this.#writer ??= await createMrcWriter(this.#path, { ny: b, nx: b, voxelSizeAngstrom, mode: 12, volumeSections: b });
    await this.#writer.writeSlab(batch.voxels);
    this.#count += batch.rows.length / 2;
  }

  /** Syncs and renames; nothing was added: no file. */
  async finish(): Promise<void> {
    await this.#writer?.finish();
    this.#writer = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer?.abort();
  }
}

/** One tomogram's share of a store. */
export interface StorePart {
  readonly path: string;
  readonly geometry: Geometry;
  /** `[n, 2]`, in the order of the file. */
  readonly rows: Int32Array;
}

/** Opens the stacks of a run as one list of boxes in row order. */
export class DiskBoxStore implements BoxStore, AsyncDisposable {
  readonly count: number;
  readonly boxVoxels: number;
  readonly voxelSizeAngstrom: number;
  readonly rows: Int32Array;
  readonly #parts: readonly StorePart[];
  /** Index of each part's first box, and the end. */
  readonly #starts: Int32Array;
  #open = new Map<number, Promise<MrcStack>>();
  #last: Promise<void> = Promise.resolve();

  constructor(parts: readonly StorePart[], boxVoxels: number, voxelSizeAngstrom: number) {
    this.#parts = parts;
    this.#starts = new Int32Array(parts.length + 1);
    for (let p = 0; p < parts.length; p++) this.#starts[p + 1] = this.#starts[p] + parts[p].rows.length / 2;
    this.count = this.#starts[parts.length];
    this.boxVoxels = boxVoxels;
    this.voxelSizeAngstrom = voxelSizeAngstrom;
    this.rows = new Int32Array(2 * this.count);
    for (let p = 0; p < parts.length; p++) this.rows.set(parts[p].rows, 2 * this.#starts[p]);
  }

  geometryOf(index: number): Geometry {
    return this.#parts[this.#partOf(index)].geometry;
  }

  /** Reads wait their turn: a stack must not be closed for another while it is read. */
  read(indices: ArrayLike<number>): Promise<Float32Array> {
    const result = this.#last.then(() => this.#readNow(indices));
    this.#last = result.then(() => {}, () => {});
    return result;
  }

  async #readNow(indices: ArrayLike<number>): Promise<Float32Array> {
    const size = this.boxVoxels ** 3;
    const out = new Float32Array(indices.length * size);
    const byPart = new Map<number, { at: number[]; box: number[] }>();
    for (let i = 0; i < indices.length; i++) {
      const part = this.#partOf(indices[i]);
      let list = byPart.get(part);
      if (!list) byPart.set(part, list = { at: [], box: [] });
      list.at.push(i);
      list.box.push(indices[i] - this.#starts[part]);
    }
    for (const [part, { at, box }] of byPart) {
      const voxels = await (await this.#stack(part)).read(box);
      for (let i = 0; i < at.length; i++) out.set(voxels.subarray(i * size, (i + 1) * size), at[i] * size);
    }
    return out;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stack of this.#open.values()) await stack.then((open) => open.close(), () => {});
    this.#open.clear();
  }

  #partOf(index: number): number {
    if (!(index >= 0 && index < this.count)) throw new RangeError(`box ${index} of a store of ${this.count}`);
    let low = 0, high = this.#parts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle] <= index) low = middle;
      else high = middle;
    }
    return low;
  }

  #stack(part: number): Promise<MrcStack> {
    const held = this.#open.get(part);
    if (held) return held;
    if (this.#open.size >= OPEN_STACKS) {
      const [oldest, stack] = this.#open.entries().next().value!;
      this.#open.delete(oldest);
      stack.then((open) => open.close(), () => {});
    }
    const opened = openMrcStack(this.#parts[part].path, this.boxVoxels);
    this.#open.set(part, opened);
    return opened;
  }
}
