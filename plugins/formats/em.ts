/**
 * EM files of the TOM toolbox (PyTom, Artia, Dynamo; also the motive lists of TOM and STOPGAP): 512 bytes of header, then the voxels.
 *
 * Rules: byte 1 names the machine (6 and 1 little-endian; 0, 2, 3, 5 big-endian), byte 4 the type of the voxels, bytes 5-16 the sizes x
 * (fastest), y, z; then 80 letters of comment, 40 words of parameters and 256 bytes of the user. Parameter 7 (bytes 121-124) is the size of a
 * voxel in nanometre times 1000; programs that write Angstrom there exist, so the size is to be checked. Axes are always x, y, z.
 * @see Nickell et al. 2005, J. Struct. Biol. 149, 227-234 (TOM toolbox, tom_emread)
 * @module
 */
import type { Triple } from "../../streams/contract.ts";
import { InputError, ShapeError } from "../../streams/errors.ts";
import { decodeVoxels, type RasterLayout, rowBytesOf, toHostOrder, type VoxelType } from "./raster_voxels.ts";

/** Bytes of the header. */
export const emHeaderBytes = 512;
const LARGEST_AXIS = 1 << 24;

/** A header in tomosieve's terms. */
export interface EmHeader extends RasterLayout {
  readonly shapeZyx: Triple;
  /** 0 when unset. */
  readonly voxelSizeAngstrom: number;
  readonly comment: string;
  /** The 40 parameters as they stand. */
  readonly parameters: Int32Array;
  /** What is odd but does not prevent reading, one sentence each. */
  readonly anomalies: readonly string[];
}

const TYPES: Readonly<Record<number, VoxelType>> = { 1: "int8", 2: "int16", 4: "int32", 5: "float32", 8: "complex64", 9: "float64" };
const LITTLE_ENDIAN: Readonly<Record<number, boolean>> = { 0: false, 1: true, 2: false, 3: false, 5: false, 6: true };

/**
 * Whether a file begins like an EM file, and ends where that says.
 * @param fileBytes Size of the whole file; `Infinity` when not known: then the beginning alone decides.
 */
export function looksLikeEm(bytes: Uint8Array, fileBytes: number): boolean {
  if (bytes.length < emHeaderBytes || !(bytes[0] in LITTLE_ENDIAN) || !(bytes[3] in TYPES)) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const dims = [4, 8, 12].map((at) => view.getInt32(at, LITTLE_ENDIAN[bytes[0]]));
  if (!dims.every((n) => n > 0 && n <= LARGEST_AXIS)) return false;
  if (fileBytes === Infinity) return true;
  const size = emHeaderBytes + rowBytesOf({ columns: dims[0], voxelType: TYPES[bytes[3]] }) * dims[1] * dims[2];
  return size === fileBytes;
}

/**
 * Reads and checks a header.
 *
 * @param bytes The first 512 bytes of the file, or more.
 * @param fileBytes Size of the whole file; `Infinity` when not known.
 * @throws {InputError} When a field cannot be: its name, the value found and what was expected.
 */
export function parseEmHeader(bytes: Uint8Array, fileBytes: number, path: string): EmHeader {
  if (bytes.length < emHeaderBytes) {
    throw new InputError(path, `truncated: the file has ${bytes.length} bytes, an EM header alone takes ${emHeaderBytes}`);
  }
  const machine = bytes[0], type = bytes[3];
  if (!(machine in LITTLE_ENDIAN)) {
    throw new InputError(path, `not an EM file: its machine (byte 1) is ${machine}, expected 6 (PC), 1 (VAX) or 0, 2, 3, 5 (big-endian)`);
  }
  if (!(type in TYPES)) {
    throw new InputError(
      path,
      `header field type (byte 4) is ${type}${
        type === 10 ? " (complex double)" : ""
      }, expected 1, 2, 4, 5, 8 or 9: write the file anew as float`,
    );
  }
  const littleEndian = LITTLE_ENDIAN[machine], voxelType = TYPES[type];
  const view = new DataView(bytes.buffer, bytes.byteOffset, emHeaderBytes);
  const [columns, rows, sections] = [0, 1, 2].map((i) => {
    const n = view.getInt32(4 + 4 * i, littleEndian);
    if (n > 0 && n <= LARGEST_AXIS) return n;
    throw new InputError(path, `header field n${"xyz"[i]} (bytes ${4 * i + 5}-${4 * i + 8}) is ${n}, expected 1 to ${LARGEST_AXIS}`);
  });
  const end = emHeaderBytes + rowBytesOf({ columns, voxelType }) * rows * sections;
  if (end > fileBytes) {
    throw new InputError(
      path,
      `truncated: ${columns} x ${rows} x ${sections} voxels of EM type ${type} need ${end} bytes, the file has ${fileBytes}: copy it again`,
    );
  }
  const anomalies = Number.isFinite(fileBytes) && end < fileBytes ? [`${fileBytes - end} bytes follow the voxels`] : [];
  const parameters = Int32Array.from({ length: 40 }, (_, i) => view.getInt32(96 + 4 * i, littleEndian));
  const voxelSizeAngstrom = parameters[6] > 0 ? parameters[6] / 100 : 0;
  if (parameters[6] < 0) anomalies.push(`header parameter 7 (bytes 121-124), the voxel size, is ${parameters[6]}: taken as unset`);
  return {
    columns,
    rows,
    sections,
    voxelType,
    littleEndian,
    dataOffset: emHeaderBytes,
    shapeZyx: [sections, rows, columns],
    voxelSizeAngstrom,
    comment: String.fromCharCode(...bytes.subarray(16, 96)).replace(/[^\x20-\x7e]+/g, " ").trim(),
    parameters,
    anomalies,
  };
}

/**
 * Reads a whole EM file that is in memory: for small arrays such as motive lists.
 * @returns The header, and the values `[z, y, x]` as float32.
 * @throws {InputError} When the header cannot be, or the file is truncated.
 */
export function parseEm(bytes: Uint8Array, path: string): { readonly header: EmHeader; readonly values: Float32Array } {
  const header = parseEmHeader(bytes, bytes.length, path);
  // A copy of their own, at a multiple of 8, whose order may be changed.
  const voxels = new Uint8Array(bytes.subarray(emHeaderBytes));
  toHostOrder(voxels, header);
  const values = new Float32Array(header.columns * header.rows * header.sections);
  decodeVoxels(voxels, 0, values.length, header.voxelType, values, 0);
  return { header, values };
}

/** What goes into a new EM file. */
export interface EmContent {
  readonly shapeZyx: Triple;
  /** `[z, y, x]`. */
  readonly values: Float32Array;
  /** 0 or absent: unset. */
  readonly voxelSizeAngstrom?: number;
}

/** Encodes the header of a little-endian float32 EM file. */
export function encodeEmHeader([nz, ny, nx]: Triple, voxelSizeAngstrom = 0): Uint8Array {
  const bytes = new Uint8Array(emHeaderBytes);
  const view = new DataView(bytes.buffer);
  bytes[0] = 6;
  bytes[3] = 5;
  [nx, ny, nz].forEach((n, i) => view.setInt32(4 + 4 * i, n, true));
  view.setInt32(120, Math.round(100 * voxelSizeAngstrom), true);
  return bytes;
}

/** Encodes a whole little-endian float32 EM file. @throws {ShapeError} When `values` does not hold `shapeZyx`. */
export function encodeEm({ shapeZyx, values, voxelSizeAngstrom = 0 }: EmContent): Uint8Array {
  const [nz, ny, nx] = shapeZyx;
  if (values.length !== nz * ny * nx) throw new ShapeError(`${values.length} values for an EM file of ${nz} x ${ny} x ${nx}`);
  const bytes = new Uint8Array(emHeaderBytes + 4 * values.length);
  bytes.set(encodeEmHeader(shapeZyx, voxelSizeAngstrom));
  const view = new DataView(bytes.buffer, emHeaderBytes);
  for (let i = 0; i < values.length; i++) view.setFloat32(4 * i, values[i], true);
  return bytes;
}
