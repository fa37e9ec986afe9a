/**
 * Writing OME-Zarr 0.5: a pyramid of resolutions, section by section, in chunks that any Zarr 3 reader reads.
 *
 * Level k holds means of 2 x 2 x 2 voxels of level k - 1 (a last odd voxel is left out), so that its voxel i lies at
 * (i + (1 - 2^-k) / 2) x its voxel size: the translation says so. Chunks are compressed by Zstandard, five times as fast as gzip on noise and smaller.
 * @see https://ngff.openmicroscopy.org/0.5/ and https://zarr-specs.readthedocs.io/en/latest/v3/core/
 * @module
 */
import { constants, zstdCompressSync } from "node:zlib";
import { basename } from "node:path";
import type { Triple } from "../../streams/contract.ts";
import { RunError, ShapeError } from "../../streams/errors.ts";
import { RunningStatistics, type Statistics } from "../kernels/running_statistics.ts";
import { temporaryName, writeError } from "./atomic.ts";
import { encodeFloat16, float16Maximum } from "./float16.ts";

/** How an OME-Zarr volume is to look. */
export interface OmeZarrWriterOptions {
  readonly shapeZyx: Triple;
  /** Angstrom; 0 = unset. */
  readonly voxelSizeAngstrom: number;
  readonly voxelType?: "float32" | "float16";
}

/** A streamed OME-Zarr volume; its folder appears on `finish`. Disposing of it unfinished removes what was written. */
export interface OmeZarrWriter extends AsyncDisposable {
  /**
   * Appends whole sections, `[n, ny, nx]`.
   * @throws {ShapeError} When the length is no multiple of ny * nx, or there are more sections than announced.
   * @throws {RangeError} When a value is not finite, or too large for float16.
   */
  writeSlab(sections: Float32Array): Promise<void>;
  /** Writes the metadata and renames. @throws {ShapeError} When sections are missing. */
  finish(): Promise<{ readonly shapeZyx: Triple; readonly statistics: Statistics }>;
  /** Removes what was written. */
  abort(): Promise<void>;
}

const CHUNK_EDGE = 128;
/** Sections of level 0 that are held until their chunks are whole. */
const LAYER_BYTES = 64 << 20;
/** No level is made below the one whose longest edge is this short. */
const SMALLEST_EDGE = 64;

const halve = (n: number) => Math.max(1, n >> 1);

/** Means of 2 x 2 voxels of one section; an axis of length 1 stays. */
function halveSection(section: Float32Array, ny: number, nx: number): Float32Array {
  const my = halve(ny), mx = halve(nx), dy = ny > 1 ? nx : 0, dx = nx > 1 ? 1 : 0;
  const out = new Float32Array(my * mx);
  for (let y = 0; y < my; y++) {
    for (let x = 0, at = (ny > 1 ? 2 * y : y) * nx; x < mx; x++, at += nx > 1 ? 2 : 1) {
      out[y * mx + x] = (section[at] + section[at + dx] + section[at + dy] + section[at + dy + dx]) / 4;
    }
  }
  return out;
}

/** One resolution being written. */
class LevelWriter {
  readonly shape: Triple;
  readonly chunk: Triple;
  readonly #folder: string;
  readonly #half: boolean;
  readonly #next: LevelWriter | null;
  /** Sections from the last whole layer of chunks on. */
  readonly #layer: Float32Array;
  #held = 0;
  #layers = 0;
  #pending: Float32Array | null = null;

  constructor(folder: string, shape: Triple, half: boolean, next: LevelWriter | null) {
    const [nz, ny, nx] = shape;
    const deep = Math.max(1, Math.min(CHUNK_EDGE, Math.floor(LAYER_BYTES / (4 * ny * nx))));
    this.shape = shape;
    this.chunk = [Math.min(nz, deep), Math.min(ny, CHUNK_EDGE), Math.min(nx, CHUNK_EDGE)];
    this.#folder = folder;
    this.#half = half;
    this.#next = next;
    this.#layer = new Float32Array(this.chunk[0] * ny * nx);
  }

  async add(section: Float32Array): Promise<void> {
    const [nz, ny, nx] = this.shape;
    this.#layer.set(section, this.#held * ny * nx);
    this.#held++;
    if (this.#held === this.chunk[0] || this.#layers * this.chunk[0] + this.#held === nz) await this.#flush();
    if (this.#next === null) return;
    const small = halveSection(section, ny, nx);
    if (nz === 1) return await this.#next.add(small);
    if (this.#pending === null) this.#pending = small;
    else {
      for (let i = 0; i < small.length; i++) small[i] = (small[i] + this.#pending[i]) / 2;
      this.#pending = null;
      await this.#next.add(small);
    }
  }

  async #flush(): Promise<void> {
    const [, ny, nx] = this.shape, [cz, cy, cx] = this.chunk;
    const voxels = new Float32Array(cz * cy * cx);
    for (let y = 0; y * cy < ny; y++) {
      const folder = `${this.#folder}/c/${this.#layers}/${y}`;
      await Deno.mkdir(folder, { recursive: true });
      for (let x = 0; x * cx < nx; x++) {
        voxels.fill(0);
        const rows = Math.min(cy, ny - y * cy), columns = Math.min(cx, nx - x * cx);
        for (let z = 0; z < this.#held; z++) {
          for (let row = 0; row < rows; row++) {
            const at = (z * ny + y * cy + row) * nx + x * cx;
            voxels.set(this.#layer.subarray(at, at + columns), (z * cy + row) * cx);
          }
        }
        const stored = this.#half ? encodeFloat16(voxels) : voxels;
        const bytes = new Uint8Array(stored.buffer as ArrayBuffer, stored.byteOffset, stored.byteLength);
        await Deno.writeFile(`${folder}/${x}`, zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }));
      }
    }
    this.#held = 0;
    this.#layers++;
  }

  async finish(): Promise<void> {
    const metadata = {
      zarr_format: 3,
      node_type: "array",
      shape: this.shape,
      data_type: this.#half ? "float16" : "float32",
      chunk_grid: { name: "regular", configuration: { chunk_shape: this.chunk } },
      chunk_key_encoding: { name: "default", configuration: { separator: "/" } },
      fill_value: 0,
      codecs: [{ name: "bytes", configuration: { endian: "little" } }, { name: "zstd", configuration: { level: 1, checksum: false } }],
      attributes: {},
      dimension_names: ["z", "y", "x"],
    };
    await Deno.writeTextFile(`${this.#folder}/zarr.json`, JSON.stringify(metadata, null, 2));
    await this.#next?.finish();
  }
}

/** Shapes of the levels, the finest first. */
function levelShapes(shape: Triple): Triple[] {
  const shapes = [shape];
  while (Math.max(...shapes[shapes.length - 1]) > SMALLEST_EDGE) {
    shapes.push(shapes[shapes.length - 1].map(halve) as unknown as Triple);
  }
  return shapes;
}

function groupMetadata(name: string, levels: number, voxelSizeAngstrom: number): unknown {
  const unit = voxelSizeAngstrom > 0 ? { unit: "angstrom" } : {}, size = voxelSizeAngstrom > 0 ? voxelSizeAngstrom : 1;
  const datasets = Array.from({ length: levels }, (_, k) => {
    const scale = size * 2 ** k, shift = size * (2 ** k - 1) / 2;
    return {
      path: String(k),
      coordinateTransformations: [
        { type: "scale", scale: [scale, scale, scale] },
        ...(k > 0 ? [{ type: "translation", translation: [shift, shift, shift] }] : []),
      ],
    };
  });
  const axes = ["z", "y", "x"].map((axis) => ({ name: axis, type: "space", ...unit }));
  return {
    zarr_format: 3,
    node_type: "group",
    attributes: { ome: { version: "0.5", multiscales: [{ name, axes, datasets, type: "mean" }] } },
  };
}

/**
 * Opens a streamed OME-Zarr volume: `writeSlab` until all sections are there, then `finish`. Missing parent folders are made. Memory: about
 * 85 MB for large sections, whatever their number.
 * @throws {RunError} When something stands at `path`, or the folder cannot be written.
 */
export async function createOmeZarrWriter(path: string, options: OmeZarrWriterOptions): Promise<OmeZarrWriter> {
  const { shapeZyx, voxelSizeAngstrom, voxelType = "float32" } = options, [nz, ny, nx] = shapeZyx, half = voxelType === "float16";
  const target = path.replace(/\/+$/, ""), temporary = temporaryName(target);
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw writeError(target, error);
    }
  };
  const there = await Deno.stat(target).then(() => true, () => false);
  if (there) throw new RunError(`${target}: cannot be written: a file or folder of that name exists; remove it, or choose another name`);
  await guard(() => Deno.mkdir(temporary, { recursive: true }));
  const shapes = levelShapes(shapeZyx);
  const first = shapes.reduceRight<LevelWriter | null>((next, shape, k) => new LevelWriter(`${temporary}/${k}`, shape, half, next), null)!;
  const statistics = new RunningStatistics();
  let sections = 0, open = true;
  const abort = async () => {
    if (!open) return;
    open = false;
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
  };
  return {
    async writeSlab(slab) {
      const area = ny * nx;
      if (slab.length % area !== 0) {
        throw new ShapeError(`${target}: ${slab.length} voxels are no whole number of sections of ${ny} x ${nx}`);
      }
      if (sections + slab.length / area > nz) throw new ShapeError(`${target}: more than the ${nz} sections that were announced`);
      const bad = half ? slab.findIndex((value) => !(Math.abs(value) <= float16Maximum)) : statistics.add(slab).firstNonFinite;
      if (bad >= 0) {
        const where = `x ${bad % nx}, y ${Math.floor(bad / nx) % ny}, z ${sections + Math.floor(bad / area)}`;
        const why = Number.isFinite(slab[bad]) ? `does not fit float16 (largest ${float16Maximum})` : "is not a finite number";
        throw new RangeError(`${target}: voxel ${where} is ${slab[bad]}, which ${why}`);
      }
      if (half) statistics.add(Float32Array.from(new Float16Array(slab)));
      await guard(async () => {
        for (let at = 0; at < slab.length; at += area) await first.add(slab.subarray(at, at + area));
      });
      sections += slab.length / area;
    },
    async finish() {
      if (sections !== nz) throw new ShapeError(`${target}: ${sections} sections were written, ${nz} were announced`);
      await guard(async () => {
        await first.finish();
        const name = basename(target).replace(/(\.ome)?\.zarr$/i, "");
        await Deno.writeTextFile(`${temporary}/zarr.json`, JSON.stringify(groupMetadata(name, shapes.length, voxelSizeAngstrom), null, 2));
        await Deno.rename(temporary, target);
      });
      open = false;
      return { shapeZyx, statistics: statistics.result() };
    },
    abort,
    [Symbol.asyncDispose]: abort,
  };
}
