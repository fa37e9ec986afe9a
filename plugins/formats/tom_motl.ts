/**
 * Motive lists of TOM, AV3, Artiatomi and novaSTA: an EM file of 20 numbers a particle.
 *
 * Rows, from 1: 1 correlation, 4 particle, 5 tomogram, 8-10 x, y, z, 11-13 shift, 17 phi, 18 psi, 19 theta, 20 class; the others are carried as
 * `motl_2` and so on. Origin and unit: voxels, counted from 1 as in Matlab (copick and ArtiaX agree). Sign of shifts: position = x + shift.
 * Angles as in `motl_angles.ts`. EM: a header of 512 bytes (machine, type of data, three sizes as int32), then the numbers, the 20 of one
 * particle together; written as float32, little-endian.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { motlColumnsToZyz, zyzToMotlColumns } from "./motl_angles.ts";
import { interleave } from "./number_lines.ts";
import {
  type FileHead,
  leftOutNote,
  numberTomograms,
  type ParticleFormat,
  type ParticleWriteOptions,
  type WrittenParticles,
} from "./particle_format.ts";
import type { ParticleSet } from "./particle_set.ts";

const HEADER = 512, ROWS = 20;
/** Machines whose numbers are little-endian: VAX's successor and PC. */
const LITTLE_ENDIAN = new Set([1, 6]);
/** Bytes a number, by the header's code of the type of data. */
const TYPES: Readonly<Record<number, { bytes: number; get: (view: DataView, at: number, little: boolean) => number }>> = {
  2: { bytes: 2, get: (view, at, little) => view.getInt16(at, little) },
  4: { bytes: 4, get: (view, at, little) => view.getInt32(at, little) },
  5: { bytes: 4, get: (view, at, little) => view.getFloat32(at, little) },
  9: { bytes: 8, get: (view, at, little) => view.getFloat64(at, little) },
};
/** Rows (from 0) that the neutral form holds. */
const UNDERSTOOD = new Set([0, 4, 7, 8, 9, 10, 11, 12, 16, 17, 18, 19]);

/** Sizes of an EM file that holds a list, or null. */
function listShape(bytes: Uint8Array, fileBytes: number): { count: number; type: number; little: boolean } | null {
  if (bytes.length < HEADER) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = LITTLE_ENDIAN.has(bytes[0]), type = bytes[3];
  const [rows, count, depth] = [4, 8, 12].map((at) => view.getInt32(at, little));
  if (rows !== ROWS || !TYPES[type] || depth > 1 || depth < 0 || count < 0) return null;
  return HEADER + rows * count * TYPES[type].bytes <= fileBytes ? { count, type, little } : null;
}

function read(bytes: Uint8Array, path: string, firstVoxel: number | undefined): ParticleSet {
  const shape = listShape(bytes, bytes.length);
  if (!shape) {
    throw new InputError(path, `is not a motive list: an EM file of ${ROWS} numbers a particle, complete to its end, was expected`);
  }
  const { count, type, little } = shape, { bytes: width, get } = TYPES[type], first = firstVoxel ?? 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const row = (at: number) =>
    Float64Array.from({ length: count }, (_, i) => {
      const value = get(view, HEADER + (i * ROWS + at) * width, little);
      if (!Number.isFinite(value)) throw new InputError(path, `particle ${i + 1}: row ${at + 1} is ${value}, expected a finite number`);
      return value;
    });
  const shiftsXyz = interleave(row(10), row(11), row(12));
  const base = interleave(row(7), row(8), row(9));
  const columns: Record<string, string[]> = {};
  for (let at = 0; at < ROWS; at++) if (!UNDERSTOOD.has(at)) columns[`motl_${at + 1}`] = Array.from(row(at), String);
  return {
    path,
    format: "tom-motl",
    count,
    positionsXyz: base.map((value, i) => value + shiftsXyz[i] - first),
    unit: "voxel",
    origin: "first-voxel",
    shiftsXyz,
    voxelSizeAngstrom: new Float64Array(count).fill(NaN),
    tomograms: Array.from(row(4), String),
    eulerZyzDegrees: motlColumnsToZyz(row(16), row(17), row(18)),
    score: row(0),
    labels: Array.from(row(19), String),
    columns,
    assumed: [
      `coordinates count voxels from ${first}${
        firstVoxel === undefined ? " (Matlab's way; --first-voxel 0 where they were counted from 0)" : ""
      }`,
    ],
  };
}

function write(set: ParticleSet, { firstVoxel = 1 }: ParticleWriteOptions): WrittenParticles {
  const { numbers, notes } = numberTomograms(set.tomograms);
  const shifts = set.shiftsXyz ?? new Float64Array(3 * set.count);
  const angles = set.eulerZyzDegrees ? zyzToMotlColumns(set.eulerZyzDegrees) : new Float64Array(3 * set.count);
  const numeric = set.labels?.every((label) => Number.isFinite(Number(label)) && label.trim() !== "");
  const bytes = new Uint8Array(HEADER + 4 * ROWS * set.count), view = new DataView(bytes.buffer);
  bytes[0] = 6;
  bytes[3] = 5;
  [ROWS, set.count, 1].forEach((size, k) => view.setInt32(4 + 4 * k, size, true));
  for (let i = 0; i < set.count; i++) {
    const put = (at: number, value: number) => view.setFloat32(HEADER + 4 * (i * ROWS + at), Number.isFinite(value) ? value : 0, true);
    for (let at = 0; at < ROWS; at++) put(at, Number(set.columns[`motl_${at + 1}`]?.[i] ?? 0));
    put(0, set.score?.[i] ?? 0);
    if (!set.columns.motl_4) put(3, i + 1);
    put(4, numbers[i]);
    for (let axis = 0; axis < 3; axis++) {
      put(7 + axis, set.positionsXyz[3 * i + axis] - shifts[3 * i + axis] + firstVoxel);
      put(10 + axis, shifts[3 * i + axis]);
      put(16 + axis, angles[3 * i + axis]);
    }
    put(19, numeric ? Number(set.labels![i]) : 1);
  }
  const rest = Object.keys(set.columns).filter((name) => !name.startsWith("motl_"));
  if (set.labels && !numeric) rest.push("class names");
  return { content: bytes, notes: [...notes, ...leftOutNote(rest)] };
}

/** TOM's motive lists. */
export const tomMotl: ParticleFormat = {
  id: "tom-motl",
  title: "TOM / AV3 motive list",
  extensions: [".em"],
  frame: { unit: "voxel", origin: "first-voxel" },
  manyTomograms: true,
  detect: ({ bytes, fileBytes }: FileHead) => listShape(bytes, fileBytes) !== null,
  read: (bytes, path, { firstVoxel }) => read(bytes, path, firstVoxel),
  write,
};
