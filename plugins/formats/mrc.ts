/**
 * MRC files as lazy volumes and as stacks of boxes. Header rules are in `mrc_header.ts`; writing is in `mrc_writer.ts`.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import type { Triple, Volume } from "../../streams/contract.ts";
import { headerVoxelSize, type MrcHeader, mrcHeaderBytes, parseMrcHeader } from "./mrc_header.ts";
import { decodeVoxels, findNonFinite, nonFiniteMessage, toHostOrder } from "./mrc_voxels.ts";

export { createMrcWriter, type MrcVolumeContent, type MrcWriter, type MrcWriterOptions, writeMrcVolume } from "./mrc_writer.ts";
export { headerVoxelSize, type MrcHeader, mrcHeaderBytes, type MrcMode, type MrcStatistics, parseMrcHeader } from "./mrc_header.ts";

/** A lazily read MRC volume. `voxelSizeAngstrom` is 0 when the header has none. Reads may overlap; each waits its turn. */
export interface MrcVolume extends Volume, AsyncDisposable {
  readonly path: string;
  readonly header: MrcHeader;
  readonly fileBytes: number;
  close(): void;
}

/** A stack of cubic boxes in one MRC file. */
export interface MrcStack extends AsyncDisposable {
  readonly path: string;
  readonly header: MrcHeader;
  readonly count: number;
  readonly boxVoxels: number;
  /** 0 when the header has none. */
  readonly voxelSizeAngstrom: number;
  /** Boxes at `indices`, `[n, b, b, b]`. @throws {RangeError} When an index is not 0..count-1. @throws {InputError} When a voxel is not finite. */
  read(indices: ArrayLike<number>): Promise<Float32Array>;
  close(): void;
}

/** Largest piece that is read and converted at once. */
const PIECE_BYTES = 4 << 20;
/** Smaller pieces are read synchronously: a call to a thread would cost more than the read. */
const SYNC_BYTES = 256 << 10;

/** Reads float32 boxes in the file's own axis order. One read at a time: seek and read share the file's position. */
class VoxelReader {
  readonly file: Deno.FsFile;
  readonly path: string;
  readonly header: MrcHeader;
  #queue: Promise<unknown> = Promise.resolve();
  #piece = new Uint8Array(0);
  #open = true;

  constructor(file: Deno.FsFile, path: string, header: MrcHeader) {
    this.file = file;
    this.path = path;
    this.header = header;
  }

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
    const { rows, columns, bytesPerVoxel } = this.header;
    const out = new Float32Array(size[0] * size[1] * size[2]);
    const rowBytes = columns * bytesPerVoxel;
    // Consecutive lines of the box that lie in one run of the file: over sections too when whole sections are wanted.
    const wholeSections = size[1] === rows && size[2] === columns;
    const runs = wholeSections ? 1 : size[0];
    const lines = wholeSections ? size[0] * rows : size[1];
    const linesPerPiece = Math.max(1, Math.floor(PIECE_BYTES / rowBytes));
    for (let run = 0; run < runs; run++) {
      const firstLine = (corner[0] + run) * rows + corner[1];
      for (let line = 0; line < lines; line += linesPerPiece) {
        const count = Math.min(linesPerPiece, lines - line);
        const bytes = (count - 1) * rowBytes + size[2] * bytesPerVoxel;
        const offset = this.header.dataOffset + (firstLine + line) * rowBytes + corner[2] * bytesPerVoxel;
        const piece = await this.#readPiece(offset, bytes);
        const start = (run * lines + line) * size[2];
        if (size[2] === columns) decodeVoxels(piece, 0, count * columns, this.header, out, start);
        else {
          for (let i = 0; i < count; i++) decodeVoxels(piece, i * rowBytes, size[2], this.header, out, start + i * size[2]);
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
    toHostOrder(piece, this.header);
    return piece;
  }
}

async function openReader(path: string): Promise<{ reader: VoxelReader; fileBytes: number }> {
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
    const bytes = new Uint8Array(mrcHeaderBytes);
    let done = 0;
    while (done < bytes.length) {
      const got = await file.read(bytes.subarray(done));
      if (got === null) break;
      done += got;
    }
    const header = parseMrcHeader(bytes.subarray(0, done), stat.size, path);
    return { reader: new VoxelReader(file, path, header), fileBytes: stat.size };
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * Reads and checks the header alone.
 * @throws {InputError} When the file is missing, truncated or its header cannot be.
 */
export async function readMrcHeader(path: string): Promise<{ readonly header: MrcHeader; readonly fileBytes: number }> {
  const { reader, fileBytes } = await openReader(path);
  reader.close();
  return { header: reader.header, fileBytes };
}

function checkRange(corner: Triple, size: Triple, shape: Triple, path: string): void {
  for (let i = 0; i < 3; i++) {
    if (!(Number.isInteger(corner[i]) && Number.isInteger(size[i]) && corner[i] >= 0 && size[i] > 0 && corner[i] + size[i] <= shape[i])) {
      throw new RangeError(
        `${path}: box at z, y, x = ${corner.join(", ")} of ${size.join(" x ")} lies outside the volume of ${shape.join(" x ")}`,
      );
    }
  }
}

/** Copies `[s0, s1, s2]` so that output axis i is input axis order[i]. */
function permute(input: Float32Array, size: Triple, order: Triple): Float32Array {
  const strides = [size[1] * size[2], size[2], 1];
  const [n0, n1, n2] = order.map((axis) => size[axis]);
  const [s0, s1, s2] = order.map((axis) => strides[axis]);
  const out = new Float32Array(input.length);
  for (let i = 0, at = 0; i < n0; i++) {
    for (let j = 0; j < n1; j++) {
      for (let k = 0, from = i * s0 + j * s1; k < n2; k++, from += s2) out[at++] = input[from];
    }
  }
  return out;
}

/**
 * Opens an MRC volume without reading its voxels. Axes are put into z, y, x by MAPC, MAPR, MAPS; integers and halves become float32.
 *
 * @param options `voxelSizeAngstrom` takes the place of the header's, which is then not looked at.
 * @throws {InputError} When the file is missing, truncated or its header cannot be; from a read, when a voxel is NaN or infinite (its x, y, z).
 */
export async function openMrcVolume(path: string, options: { readonly voxelSizeAngstrom?: number } = {}): Promise<MrcVolume> {
  const { reader, fileBytes } = await openReader(path);
  const { header } = reader;
  let voxelSizeAngstrom: number;
  try {
    voxelSizeAngstrom = options.voxelSizeAngstrom ?? headerVoxelSize(header, path);
  } catch (error) {
    reader.close();
    throw error;
  }
  // File axis (0 sections, 1 rows, 2 columns) that is z, y, x.
  const fileAxis = [3, 2, 1].map((axis) => 2 - header.axes.indexOf(axis)) as unknown as Triple;
  const straight = fileAxis.join() === "0,1,2";
  const toFile = (zyx: Triple): Triple => {
    const out: [number, number, number] = [0, 0, 0];
    fileAxis.forEach((axis, i) => out[axis] = zyx[i]);
    return out;
  };
  const { shapeZyx } = header;
  const readBox = async (corner: Triple, size: Triple): Promise<Float32Array> => {
    checkRange(corner, size, shapeZyx, path);
    const fileSize = toFile(size);
    const raw = await reader.read(toFile(corner), fileSize);
    const voxels = straight ? raw : permute(raw, fileSize, fileAxis);
    const bad = header.bytesPerVoxel === 1 ? -1 : findNonFinite(voxels);
    if (bad >= 0) {
      const z = corner[0] + Math.floor(bad / (size[1] * size[2])),
        y = corner[1] + Math.floor(bad / size[2]) % size[1],
        x = corner[2] + bad % size[2];
      throw new InputError(
        path,
        nonFiniteMessage(voxels[bad], x, y, z),
      );
    }
    return voxels;
  };
  return {
    path,
    header,
    fileBytes,
    shapeZyx,
    voxelSizeAngstrom,
    readBox,
    readSlab: (z0, z1) => readBox([z0, 0, 0], [z1 - z0, shapeZyx[1], shapeZyx[2]]),
    close: () => reader.close(),
    [Symbol.asyncDispose]: () => Promise.resolve(reader.close()),
  };
}

/**
 * Opens a stack of cubic boxes: sections of b x b, b sections a box. b is MZ for a stack of volumes (space group 401), else the section's side.
 *
 * @param boxVoxels The box size that the user states; it must agree.
 * @throws {InputError} When sections are not square, their number is no multiple of b, or b is not `boxVoxels`.
 */
export async function openMrcStack(path: string, boxVoxels?: number): Promise<MrcStack> {
  const { reader } = await openReader(path);
  const { header } = reader;
  let voxelSizeAngstrom: number;
  try {
    voxelSizeAngstrom = headerVoxelSize(header, path, true);
    const { columns, rows, sections, axes } = header;
    const shown = `${columns} x ${rows} x ${sections}`;
    if (axes.join() !== "1,2,3") {
      throw new InputError(path, `header fields mapc, mapr, maps are ${axes.join(", ")}: a stack of boxes needs 1, 2, 3`);
    }
    if (columns !== rows) throw new InputError(path, `${shown} voxels are no stack of cubic boxes: sections are not square`);
    if (boxVoxels !== undefined && boxVoxels !== columns) {
      throw new InputError(path, `holds boxes of ${columns} voxels, boxVoxels says ${boxVoxels}: set it to ${columns}`);
    }
    if (sections % columns !== 0) {
      throw new InputError(path, `${shown} voxels are no stack of cubic boxes: ${sections} sections are no multiple of ${columns}`);
    }
  } catch (error) {
    reader.close();
    throw error;
  }
  const b = header.columns;
  const voxelsPerBox = b * b * b;
  const count = header.sections / b;
  return {
    path,
    header,
    count,
    boxVoxels: b,
    voxelSizeAngstrom,
    async read(indices) {
      const out = new Float32Array(indices.length * voxelsPerBox);
      for (let i = 0; i < indices.length; i++) {
        const index = indices[i];
        if (!Number.isInteger(index) || index < 0 || index >= count) throw new RangeError(`${path}: box ${index} of ${count}`);
        // Neighbouring boxes are read at once.
        let run = 1;
        while (i + run < indices.length && indices[i + run] === index + run) run++;
        run = Math.min(run, count - index);
        const voxels = await reader.read([index * b, 0, 0], [run * b, b, b]);
        const bad = header.bytesPerVoxel === 1 ? -1 : findNonFinite(voxels);
        if (bad >= 0) {
          const box = index + Math.floor(bad / voxelsPerBox);
          throw new InputError(
            path,
            `box ${box} (counted from 0), voxel x ${bad % b}, y ${Math.floor(bad / b) % b}, z ${Math.floor(bad / (b * b)) % b} is ${
              voxels[bad]
            }`,
          );
        }
        out.set(voxels, i * voxelsPerBox);
        i += run - 1;
      }
      return out;
    },
    close: () => reader.close(),
    [Symbol.asyncDispose]: () => Promise.resolve(reader.close()),
  };
}
