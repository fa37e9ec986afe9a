/**
 * Dynamo tables (.tbl): one line a particle, columns of numbers without names.
 *
 * Columns, from 1: 1 tag, 4-6 shift, 7-9 tdrot, tilt, narot, 10 correlation, 20 tomogram, 22 class, 24-26 x, y, z, 36 Angstrom a voxel.
 * Origin and unit: voxels of the catalogue's tomogram; 0 at the first voxel's centre, as dynamo2m, copick and ArtiaX take it (`firstVoxel: 1`
 * for tables whose points were counted Matlab's way). Sign of shifts: position = x + dx. Angles: ZXZ, degrees, clockwise: the template turned
 * by tdrot about z, by tilt about its new x, by narot about its new z lies on the particle, so A = Rz(-tdrot) Rx(-tilt) Rz(-narot). Dynamo's
 * wiki ("Euler angles convention"), eulerangles and cryoCAT agree; ArtiaX reads the inverse.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { eulerZxzToMatrix, eulerZyzToMatrix, matrixToEulerZxz, matrixToEulerZyz } from "../kernels/rotation.ts";
import { fieldNumber, interleave, looksNumeric, numberColumn, splitNumberLines } from "./number_lines.ts";
import { leftOutNote, numberTomograms, type ParticleFormat, plainNumber } from "./particle_format.ts";
import type { ParticleSet } from "./particle_set.ts";

/** Names of the first 41 columns as Dynamo calls them; they carry what has no place in the neutral form. */
const NAMES = (
  "tag aligned averaged dx dy dz tdrot tilt narot cc cc2 cpu ftype ymintilt ymaxtilt xmintilt xmaxtilt fs1 fs2 tomo reg class annotation x y z " +
  "dshift daxis dnarot dcc otag npar column33 ref sref apix def column38 column39 column40 eig1"
).split(" ");
const UNDERSTOOD = new Set(["dx", "dy", "dz", "tdrot", "tilt", "narot", "cc", "tomo", "class", "x", "y", "z", "apix"]);
/** Width of a table that is made anew. */
const WIDTH = 40;

function columnName(at: number): string {
  return `dynamo_${NAMES[at] ?? `column${at + 1}`}`;
}

function wrap(degrees: number): number {
  return degrees - 360 * Math.ceil((degrees - 180) / 360);
}

/** rot, tilt, psi of tdrot, tilt, narot. */
export function dynamoToZyz(tdrot: number, tilt: number, narot: number): [number, number, number] {
  return matrixToEulerZyz(eulerZxzToMatrix(-tdrot, -tilt, -narot));
}

/** tdrot, tilt (0 to 180), narot of rot, tilt, psi. */
export function zyzToDynamo(rot: number, tilt: number, psi: number): [number, number, number] {
  const [a, b, c] = matrixToEulerZxz(eulerZyzToMatrix(rot, tilt, psi));
  // Rz(a) Rx(b) Rz(c) = Rz(a + 180) Rx(-b) Rz(c + 180), and the table's angles are the negative ones.
  return b < 1e-9 ? [wrap(-a), 0, wrap(-c)] : [wrap(-a - 180), b, wrap(-c - 180)];
}

function read(bytes: Uint8Array, path: string, firstVoxel: number | undefined): ParticleSet {
  const table = splitNumberLines(new TextDecoder().decode(bytes));
  const { rows, lines } = table;
  const short = rows.findIndex((row) => row.length < 26);
  if (short >= 0) {
    throw new InputError(path, `line ${lines[short]}: ${rows[short].length} columns, a Dynamo table has x, y, z in columns 24 to 26`);
  }
  const column = (at: number) => numberColumn(table, at, NAMES[at], path);
  const shiftsXyz = interleave(column(3), column(4), column(5));
  const first = firstVoxel ?? 0;
  const base = interleave(column(23), column(24), column(25));
  const angles = [column(6), column(7), column(8)];
  const eulerZyzDegrees = new Float64Array(3 * rows.length);
  rows.forEach((_, i) => eulerZyzDegrees.set(dynamoToZyz(angles[0][i], angles[1][i], angles[2][i]), 3 * i));
  const width = rows.reduce((least, row) => Math.min(least, row.length), Infinity);
  const columns: Record<string, string[]> = {};
  for (let at = 0; at < width && rows.length > 0; at++) {
    if (!UNDERSTOOD.has(NAMES[at])) columns[columnName(at)] = rows.map((row) => row[at]);
  }
  const size = rows.map((row) => row.length > 35 ? fieldNumber(row[35]) : NaN);
  return {
    path,
    format: "dynamo",
    count: rows.length,
    positionsXyz: base.map((value, i) => value + shiftsXyz[i] - first),
    unit: "voxel",
    origin: "first-voxel",
    shiftsXyz,
    voxelSizeAngstrom: Float64Array.from(size, (value) => value > 0 ? value : NaN),
    tomograms: rows.map((row) => String(fieldNumber(row[19]))),
    eulerZyzDegrees,
    score: column(9),
    labels: rows.map((row) => String(fieldNumber(row[21]))),
    columns,
    assumed: [
      `coordinates count voxels from ${first}${firstVoxel === undefined ? " (--first-voxel 1 where they were counted Matlab's way)" : ""}`,
    ],
  };
}

/** One line a particle; columns that a Dynamo table brought stay as they were. */
function format(set: ParticleSet, firstVoxel: number): { content: string; notes: readonly string[] } {
  const { numbers, notes } = numberTomograms(set.tomograms);
  const named = new Map(Object.keys(set.columns).filter((name) => name.startsWith("dynamo_")).map((name) => [name, set.columns[name]]));
  const last = (name: string) => Number(/^dynamo_column(\d+)$/.exec(name)?.[1] ?? NAMES.indexOf(name.slice(7)) + 1);
  const sized = set.voxelSizeAngstrom.some((size) => size > 0);
  const width = named.size === 0 ? WIDTH : Math.max(26, sized ? 36 : 0, ...[...named.keys()].map(last));
  const labels = set.labels?.every((label) => /^-?\d+$/.test(label)) ? set.labels : undefined;
  const shifts = set.shiftsXyz ?? new Float64Array(3 * set.count);
  const rows = Array.from({ length: set.count }, (_, i) => {
    const row = Array.from({ length: width }, (_, at) => named.get(columnName(at))?.[i] ?? "0");
    const put = (at: number, value: number) => row[at] = plainNumber(value);
    if (!named.has("dynamo_tag")) put(0, i + 1);
    if (!named.has("dynamo_aligned")) put(1, 1);
    for (let axis = 0; axis < 3; axis++) {
      put(3 + axis, shifts[3 * i + axis]);
      put(23 + axis, set.positionsXyz[3 * i + axis] - shifts[3 * i + axis] + firstVoxel);
    }
    const e = set.eulerZyzDegrees;
    if (e) zyzToDynamo(e[3 * i], e[3 * i + 1], e[3 * i + 2]).forEach((angle, k) => put(6 + k, angle));
    if (set.score) put(9, Number.isFinite(set.score[i]) ? set.score[i] : 0);
    put(19, numbers[i]);
    if (labels) row[21] = labels[i];
    if (set.voxelSizeAngstrom[i] > 0) put(35, set.voxelSizeAngstrom[i]);
    return row.join(" ");
  });
  const rest = Object.keys(set.columns).filter((name) => !name.startsWith("dynamo_"));
  if (set.labels && !labels) rest.push("class names");
  return { content: rows.join("\n") + (rows.length > 0 ? "\n" : ""), notes: [...notes, ...leftOutNote(rest)] };
}

/** Dynamo's tables. */
export const dynamoTable: ParticleFormat = {
  id: "dynamo",
  title: "Dynamo table",
  extensions: [".tbl"],
  frame: { unit: "voxel", origin: "first-voxel" },
  manyTomograms: true,
  detect: ({ name, text }) => /\.tbl$/.test(name) ? looksNumeric(text, 1) : looksNumeric(text, 35),
  read: (bytes, path, { firstVoxel }) => read(bytes, path, firstVoxel),
  write: (set, { firstVoxel }) => format(set, firstVoxel ?? 0),
};
