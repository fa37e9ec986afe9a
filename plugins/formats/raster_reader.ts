/**
 * Random access to the voxels of a raster file (MRC, EM): boxes as float32 in the file's own axis order.
 * @module
 */
import type { Triple, Volume } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { type FileAxes, orderedReader, orderShape } from "./axis_order.ts";
import { decodeVoxels, findNonFinite, nonFiniteMessage, type RasterLayout, rowBytesOf, toHostOrder, voxelBits } from "./raster_voxels.ts";

/** Largest piece that is read and converted at once. */
const PIECE_BYTES = 4 << 20;
/** Smaller pieces are read synchronously: a call to a thread would cost more than the read. */
const SYNC_BYTES = 256 << 10;

/** What to do with a voxel that is NaN or infinite: `refuse` it by an error, or `keep` it. */
export type NonFinite = "refuse" | "keep";

/** Opens a file for reading. @throws {InputError} When it is missing, may not be read, or is no file. */
export async function openForReading(path: string): Promise<{ file: Deno.FsFile; fileBytes: number }> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new InputError(path, "no such file", { cause: error });
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new InputError(path, "permission to read denied by the file system", { cause: error });
    }
    throw error;
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile) throw new InputError(path, "is not a file");
    return { file, fileBytes: stat.size };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** The first `count` bytes of an open file, or fewer where it ends. */
export async function readBeginning(file: Deno.FsFile, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  let done = 0;
  while (done < bytes.length) {
    const got = await file.read(bytes.subarray(done));
    if (got === null) break;
    done += got;
  }
  return bytes.subarray(0, done);
}

/** Reads float32 boxes in the file's own axis order. One read at a time: seek and read share the file's position. */
export class RasterReader {
  readonly file: Deno.FsFile;
  readonly path: string;
  readonly layout: RasterLayout;
  #queue: Promise<unknown> = Promise.resolve();
  #piece = new Uint8Array(0);
  #open = true;

  constructor(file: Deno.FsFile, path: string, layout: RasterLayout) {
    this.file = file;
    this.path = path;
    this.layout = layout;
  }

  /** Closes the file; a second call does nothing. */
  close(): void {
    if (this.#open) this.file.close();
    this.#open = false;
  }

  /** Corner and size are sections, rows, columns; result is `[sections, rows, columns]`. */
  read(corner: Triple, size: Triple): Promise<Float32Array> {
    const work = () => this.#read(corner, size);
    const result = this.#queue.then(work, work);
    this.#queue = result.catch(() => {});
    return result;
  }

  async #read(corner: Triple, size: Triple): Promise<Float32Array> {
    const { rows, columns, voxelType, dataOffset } = this.layout;
    const out = new Float32Array(size[0] * size[1] * size[2]);
    const bits = voxelBits[voxelType], rowBytes = rowBytesOf(this.layout);
    const firstByte = Math.floor(corner[2] * bits / 8), skip = (corner[2] * bits % 8) / bits;
    const lineBytes = Math.ceil((corner[2] + size[2]) * bits / 8) - firstByte;
    // Consecutive lines of the box that lie in one run of the file: over sections too when whole sections are wanted.
    const wholeSections = size[1] === rows && size[2] === columns;
    const runs = wholeSections ? 1 : size[0];
    const lines = wholeSections ? size[0] * rows : size[1];
    const atOnce = size[2] === columns && columns * bits === 8 * rowBytes;
    const linesPerPiece = Math.max(1, Math.floor(PIECE_BYTES / rowBytes));
    for (let run = 0; run < runs; run++) {
      const firstLine = (corner[0] + run) * rows + corner[1];
      for (let line = 0; line < lines; line += linesPerPiece) {
        const count = Math.min(linesPerPiece, lines - line);
        const offset = dataOffset + (firstLine + line) * rowBytes + firstByte;
        const piece = await this.#readPiece(offset, (count - 1) * rowBytes + lineBytes);
        const start = (run * lines + line) * size[2];
        if (atOnce) decodeVoxels(piece, 0, count * columns, voxelType, out, start);
        else {
          for (let i = 0; i < count; i++) decodeVoxels(piece, i * rowBytes, size[2], voxelType, out, start + i * size[2], skip);
        }
      }
    }
    return out;
  }

  /** Native-endian bytes of a piece, valid until the next call. */
  async #readPiece(offset: number, bytes: number): Promise<Uint8Array> {
    if (this.#piece.length < bytes) this.#piece = new Uint8Array(Math.ceil(bytes / 65536) * 65536);
    const piece = this.#piece.subarray(0, bytes);
    const small = bytes <= SYNC_BYTES;
    if (small) this.file.seekSync(offset, Deno.SeekMode.Start);
    else await this.file.seek(offset, Deno.SeekMode.Start);
    for (let done = 0; done < bytes;) {
      const got = small ? this.file.readSync(piece.subarray(done)) : await this.file.read(piece.subarray(done));
      if (got === null) throw new InputError(this.path, `ended at byte ${offset + done} while being read: was it replaced or cut short?`);
      done += got;
    }
    toHostOrder(piece, this.layout);
    return piece;
  }
}

/** Checks that a box lies inside a volume. @throws {RangeError} When it does not. */
export function checkRange(corner: Triple, size: Triple, shape: Triple, path: string): void {
  for (let i = 0; i < 3; i++) {
    if (!(Number.isInteger(corner[i]) && Number.isInteger(size[i]) && corner[i] >= 0 && size[i] > 0 && corner[i] + size[i] <= shape[i])) {
      throw new RangeError(
        `${path}: box at z, y, x = ${corner.join(", ")} of ${size.join(" x ")} lies outside the volume of ${shape.join(" x ")}`,
      );
    }
  }
}

/** Refuses boxes with NaN or infinite voxels. @throws {InputError} With the voxel's x, y, z in the volume. */
export function checkFinite(voxels: Float32Array, corner: Triple, size: Triple, path: string): void {
  const bad = findNonFinite(voxels);
  if (bad < 0) return;
  const z = corner[0] + Math.floor(bad / (size[1] * size[2])),
    y = corner[1] + Math.floor(bad / size[2]) % size[1],
    x = corner[2] + bad % size[2];
  throw new InputError(path, nonFiniteMessage(voxels[bad], x, y, z));
}

/** How a volume is made of a raster file. */
export interface RasterVolumeOptions {
  readonly axes: FileAxes;
  readonly nonFinite: NonFinite;
  /** Sections to be seen, of all: one volume of a stack. */
  readonly firstSection: number;
  readonly sections: number;
}

/** Shape and reading functions of a raster file as a volume in z, y, x. */
export function rasterVolume(reader: RasterReader, options: RasterVolumeOptions): Pick<Volume, "shapeZyx" | "readBox" | "readSlab"> {
  const { axes, nonFinite, firstSection, sections } = options, { columns, rows, voxelType } = reader.layout, { path } = reader;
  const shapeZyx = orderShape([sections, rows, columns], axes);
  const ordered = orderedReader(([s, r, c], size) => reader.read([s + firstSection, r, c], size), axes);
  const check = nonFinite === "refuse" && /^(float|complex)/.test(voxelType);
  const readBox = async (corner: Triple, size: Triple): Promise<Float32Array> => {
    checkRange(corner, size, shapeZyx, path);
    const voxels = await ordered(corner, size);
    if (check) checkFinite(voxels, corner, size, path);
    return voxels;
  };
  return { shapeZyx, readBox, readSlab: (z0, z1) => readBox([z0, 0, 0], [z1 - z0, shapeZyx[1], shapeZyx[2]]) };
}
