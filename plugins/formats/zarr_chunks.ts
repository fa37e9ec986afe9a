/**
 * Boxes from the chunks of a Zarr array, the last used chunks kept.
 * @module
 */
import type { Array as ZarrArray, Chunk, DataType } from "zarrita";
import type { Triple } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import type { ZarrStore } from "./zarr_store.ts";

/** Chunks fetched at once. */
const AT_ONCE = 6;

type Numbers = ArrayLike<number | bigint>;

interface KeptChunk {
  readonly chunk: Promise<Chunk<DataType>>;
  readonly bytes: number;
}
/** Chunks of all open arrays, in the order of their last use: what is kept does not grow with the number of files. */
const kept = new Map<string, KeptChunk>();
let keptBytes = 0;
let caches = 0;

function forget(key: string): void {
  keptBytes -= kept.get(key)?.bytes ?? 0;
  kept.delete(key);
}

/** Chunks of one array. */
export class ChunkCache {
  /** Decompressed bytes that are kept, of all arrays together. */
  static readonly mostBytes = 128 << 20;
  readonly #array: ZarrArray<DataType, ZarrStore>;
  readonly #chunkZyx: Triple;
  readonly #label: string;
  readonly #name = `${caches++}:`;
  readonly #chunkBytes: number;

  /** @param label Stands in messages. */
  constructor(array: ZarrArray<DataType, ZarrStore>, chunkZyx: Triple, label: string) {
    this.#array = array;
    this.#chunkZyx = chunkZyx;
    this.#label = label;
    const voxelBytes = Number(/\d+$/.exec(array.dtype)?.[0] ?? 32) / 8;
    this.#chunkBytes = voxelBytes * chunkZyx[0] * chunkZyx[1] * chunkZyx[2];
  }

  /** Forgets all chunks of this array. */
  clear(): void {
    for (const key of [...kept.keys()]) if (key.startsWith(this.#name)) forget(key);
  }

  #chunk(at: Triple): Promise<Chunk<DataType>> {
    const key = this.#name + at.join();
    const chunk = kept.get(key)?.chunk ?? this.#load(at);
    forget(key);
    kept.set(key, { chunk, bytes: this.#chunkBytes });
    keptBytes += this.#chunkBytes;
    for (const oldest of kept.keys()) {
      if (keptBytes <= ChunkCache.mostBytes || oldest === key) break;
      forget(oldest);
    }
    chunk.catch(() => forget(key));
    return chunk;
  }

  async #load(at: Triple): Promise<Chunk<DataType>> {
    const before = Array<number>(this.#array.shape.length - 3).fill(0);
    let chunk: Chunk<DataType>;
    try {
      chunk = await this.#array.getChunk([...before, ...at]);
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(
        this.#label,
        `chunk ${at.join(", ")} (z, y, x) cannot be decompressed (${(error as Error).message}): copy it again`,
        {
          cause: error,
        },
      );
    }
    const expected = this.#chunkZyx.reduce((product, n) => product * n, 1), { length } = chunk.data as unknown as Numbers;
    if (length !== expected) {
      throw new InputError(this.#label, `chunk ${at.join(", ")} (z, y, x) holds ${length} voxels, expected ${expected}: copy it again`);
    }
    return chunk;
  }

  /** A box `[sz, sy, sx]` that lies inside the array. */
  async read(corner: Triple, size: Triple): Promise<Float32Array> {
    const out = new Float32Array(size[0] * size[1] * size[2]);
    const first = corner.map((c, i) => Math.floor(c / this.#chunkZyx[i]));
    const last = corner.map((c, i) => Math.floor((c + size[i] - 1) / this.#chunkZyx[i]));
    const wanted: Triple[] = [];
    for (let z = first[0]; z <= last[0]; z++) {
      for (let y = first[1]; y <= last[1]; y++) for (let x = first[2]; x <= last[2]; x++) wanted.push([z, y, x]);
    }
    let next = 0;
    const lane = async () => {
      while (next < wanted.length) {
        const at = wanted[next++];
        this.#copy(await this.#chunk(at), at, corner, size, out);
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, wanted.length) }, lane));
    return out;
  }

  #copy(chunk: Chunk<DataType>, at: Triple, corner: Triple, size: Triple, out: Float32Array): void {
    const data = chunk.data as unknown as Numbers, big = typeof data[0] === "bigint";
    const [sz, sy, sx] = chunk.stride.slice(-3);
    const start = at.map((n, i) => n * this.#chunkZyx[i]);
    const from = start.map((s, i) => Math.max(s, corner[i])),
      to = start.map((s, i) => Math.min(s + this.#chunkZyx[i], corner[i] + size[i]));
    const count = to[2] - from[2];
    for (let z = from[0]; z < to[0]; z++) {
      for (let y = from[1]; y < to[1]; y++) {
        const source = (z - start[0]) * sz + (y - start[1]) * sy + (from[2] - start[2]) * sx;
        const target = ((z - corner[0]) * size[1] + y - corner[1]) * size[2] + from[2] - corner[2];
        if (sx === 1 && !big) out.set((data as Float32Array).subarray(source, source + count), target);
        else for (let i = 0; i < count; i++) out[target + i] = Number(data[source + i * sx]);
      }
    }
  }
}
