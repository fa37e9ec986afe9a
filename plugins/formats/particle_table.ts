/**
 * Tables of particles with names: CSV (comma, semicolon, tab or `|`) and Parquet, as tomosieve writes them and as others do.
 *
 * Origin and unit: columns `x`, `y`, `z` are voxels, 0 at the centre of the first voxel (Angstrom by the option `unit`); `xAngstrom`, `yAngstrom`,
 * `zAngstrom` (also `X [A]`, `x_angstrom`) are Angstrom, index times voxel size; where both stand, their ratio is the voxel size. A CSV file
 * without a line of names holds x, y, z in its first three columns. Angles: `rot`, `tilt`, `psi` as RELION's. `tomogram`, `score` and `class`
 * (or `label`) mean what they say; every other column is carried along. No shifts.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { type CsvTable, formatCsv, parseCsv } from "./csv.ts";
import { axisOf, interleave } from "./number_lines.ts";
import type { ParticleFormat, ParticleReadOptions, WrittenParticles } from "./particle_format.ts";
import type { ParticleSet } from "./particle_set.ts";

/** A table as text, with what to call row i in a message. */
export interface NamedColumns {
  readonly names: readonly string[];
  readonly rows: readonly (readonly string[])[];
  where(row: number): string;
}

/** Column names that mean the same, in lower case without blanks, `_` and brackets. */
const PLACE = ["x", "y", "z"] as const;
const meanings: Readonly<Record<string, readonly string[]>> = {
  tomogram: ["tomogram", "tomo", "tomoname", "tomoid", "runname", "run"],
  score: ["score", "confidence"],
  label: ["class", "label", "classid"],
  rot: ["rot"],
  tilt: ["tilt"],
  psi: ["psi"],
};
for (const axis of PLACE) {
  Object.assign(meanings, {
    [axis]: [axis, `${axis}voxel`, `${axis}voxels`, `${axis}coordinate`, `coordinate${axis}`, `centre${axis}`, `center${axis}`],
    [`${axis}Angstrom`]: [`${axis}angstrom`, `${axis}angst`, `${axis}a`],
  });
}

/** Index of the column of that meaning, or -1. */
function findColumn(names: readonly string[], meaning: string): number {
  const plain = names.map((name) => name.toLowerCase().replaceAll(/[\s_()[\]]/g, ""));
  return meanings[meaning].reduce((found, word) => found >= 0 ? found : plain.indexOf(word), -1);
}

function numbersAt(table: NamedColumns, at: number, path: string): Float64Array {
  return Float64Array.from(table.rows, (row, i) => {
    const value = row[at].trim() === "" ? NaN : Number(row[at]);
    if (Number.isFinite(value)) return value;
    throw new InputError(path, `${table.where(i)}: ${table.names[at]} is ${JSON.stringify(row[at])}: expected a number`);
  });
}

/** Voxel size that two columns of one quantity imply: the ratio of their sums; NaN where there is nothing to tell. */
function ratio(voxels: Float64Array, angstrom: Float64Array): number {
  const sum = (values: Float64Array) => values.reduce((total, value) => total + Math.abs(value), 0);
  const size = sum(angstrom) / sum(voxels);
  return size > 0 && Number.isFinite(size) ? Number(size.toPrecision(6)) : NaN;
}

/**
 * Particles of a table of named columns.
 * @throws {InputError} When a coordinate is missing or no number, or only some of rot, tilt and psi are there.
 */
export function tableToParticles(table: NamedColumns, path: string, format: string, options: ParticleReadOptions = {}): ParticleSet {
  const { names, rows } = table, used = new Set<number>();
  const three = (columns: readonly string[]): Float64Array | null => {
    const at = columns.map((name) => findColumn(names, name));
    if (at.some((column) => column < 0)) return null;
    at.forEach((column) => used.add(column));
    const [x, y, z] = at.map((column) => numbersAt(table, column, path));
    return interleave(x, y, z);
  };
  const voxels = three(PLACE), angstrom = three(PLACE.map((axis) => `${axis}Angstrom`));
  if (!voxels && !angstrom) {
    const missing = PLACE.filter((axis) => findColumn(names, axis) < 0);
    throw new InputError(path, `no column ${missing.map((axis) => `"${axis}"`).join(" or ")}: found ${names.join(", ")}`);
  }
  const angles = ["rot", "tilt", "psi"].filter((name) => findColumn(names, name) >= 0);
  if (angles.length > 0 && angles.length < 3) {
    throw new InputError(
      path,
      `has ${angles.join(" and ")} but not all of rot, tilt, psi: add the others or rename ${angles.join(" and ")}`,
    );
  }
  const text = (meaning: string) => {
    const at = findColumn(names, meaning);
    if (at < 0) return null;
    used.add(at);
    return rows.map((row) => row[at]);
  };
  const euler = angles.length === 3 ? three(["rot", "tilt", "psi"]) : null;
  const scoreAt = findColumn(names, "score");
  // Not every table's score is a number everywhere: an empty field is unknown.
  const score = scoreAt < 0 ? null : Float64Array.from(rows, (row, i) => {
    const value = row[scoreAt].trim() === "" ? NaN : Number(row[scoreAt]);
    if (Number.isNaN(value) && !/^(nan)?$/i.test(row[scoreAt].trim())) {
      throw new InputError(path, `${table.where(i)}: ${names[scoreAt]} is ${JSON.stringify(row[scoreAt])}: expected a number`);
    }
    return value;
  });
  if (scoreAt >= 0) used.add(scoreAt);
  const tomograms = text("tomogram"), labels = text("label");
  const size = voxels && angstrom ? ratio(voxels, angstrom) : NaN;
  const unit = voxels ? options.unit ?? "voxel" : "angstrom";
  return {
    path,
    format,
    count: rows.length,
    positionsXyz: voxels ?? angstrom!,
    unit,
    origin: "first-voxel",
    voxelSizeAngstrom: new Float64Array(rows.length).fill(size),
    tomograms: tomograms ?? new Array(rows.length).fill(""),
    ...(euler ? { eulerZyzDegrees: euler } : {}),
    ...(score ? { score } : {}),
    ...(labels ? { labels } : {}),
    columns: Object.fromEntries(
      names.map((name, at) => [name, at] as const).filter(([, at]) => !used.has(at)).map((
        [name, at],
      ) => [name, rows.map((row) => row[at])]),
    ),
    assumed: [`x, y, z are ${unit === "voxel" ? "voxels from 0" : "Angstrom"}`],
  };
}

/** Columns of a set as a table. */
export function particlesToColumns(set: ParticleSet): Record<string, ArrayLike<string | number>> {
  const columns: Record<string, ArrayLike<string | number>> = {};
  if (set.tomograms.some((name) => name !== "")) columns.tomogram = set.tomograms;
  const xyz = PLACE.map((_, axis) => axisOf(set.positionsXyz, axis));
  if (set.unit === "voxel") PLACE.forEach((axis, k) => columns[axis] = xyz[k]);
  const scaled = set.unit === "angstrom" ? () => 1 : (i: number) => set.voxelSizeAngstrom[i];
  if (set.unit === "angstrom" || (set.count > 0 && set.voxelSizeAngstrom.every((size) => size > 0))) {
    PLACE.forEach((axis, k) => columns[`${axis}Angstrom`] = xyz[k].map((value, i) => value * scaled(i)));
  }
  if (set.score) columns.score = set.score;
  if (set.eulerZyzDegrees) ["rot", "tilt", "psi"].forEach((name, k) => columns[name] = axisOf(set.eulerZyzDegrees!, k));
  if (set.labels) columns.class = set.labels;
  for (const [name, values] of Object.entries(set.columns)) columns[name in columns ? `${name}_` : name] = values;
  return columns;
}

/** A CSV file's table; a file without names gets `x, y, z, column4 ...`. */
function namedCsv(table: CsvTable): NamedColumns {
  const names = table.header ?? (table.rows[0] ?? ["", "", ""]).map((_, at) => PLACE[at] ?? `column${at + 1}`);
  return { names, rows: table.rows, where: (row) => `line ${table.lines[row]}` };
}

/** CSV tables. */
export const csvParticles: ParticleFormat = {
  id: "csv",
  title: "CSV table",
  extensions: [".csv", ".tsv"],
  frame: { unit: "voxel", origin: "first-voxel" },
  eitherUnit: true,
  manyTomograms: true,
  detect({ name, text }) {
    if (/^\s*[{[<]/.test(text) || text.includes("\0")) return false;
    // The last line of the beginning of a large file may be cut.
    const lines = text.split(/\r\n|\n|\r/).slice(0, 21), whole = lines.length > 20 ? lines.slice(0, 20) : lines;
    try {
      const table = namedCsv(parseCsv(whole.join("\n"), name));
      return table.names.length >= 3 && (findColumn(table.names, "x") >= 0 || findColumn(table.names, "xAngstrom") >= 0);
    } catch (error) {
      if (error instanceof InputError) return /\.(csv|tsv)$/.test(name);
      throw error;
    }
  },
  read: (bytes, path, options) => tableToParticles(namedCsv(parseCsv(new TextDecoder().decode(bytes), path)), path, "csv", options),
  write(set, { tab }): WrittenParticles {
    return { content: formatCsv(particlesToColumns(set), tab ? "\t" : ","), notes: [] };
  },
};

/** Parquet tables. */
export const parquetParticles: ParticleFormat = {
  id: "parquet",
  title: "Parquet table",
  extensions: [".parquet"],
  frame: { unit: "voxel", origin: "first-voxel" },
  eitherUnit: true,
  manyTomograms: true,
  detect: ({ bytes }) => bytes.length >= 12 && String.fromCharCode(...bytes.subarray(0, 4)) === "PAR1",
  async read(bytes, path, options) {
    const { decodeParquet } = await import("./parquet.ts");
    let records: Record<string, unknown>[];
    try {
      records = await decodeParquet(bytes);
    } catch (error) {
      throw new InputError(path, `is not a readable Parquet file: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
    const names = Object.keys(records[0] ?? { x: 0, y: 0, z: 0 });
    const cell = (value: unknown) => value === null || value === undefined || Number.isNaN(value) ? "" : String(value);
    const rows = records.map((record) => names.map((name) => cell(record[name])));
    return tableToParticles({ names, rows, where: (row) => `row ${row + 1}` }, path, "parquet", options);
  },
  async write(set) {
    const { encodeParquet } = await import("./parquet.ts");
    const columns = Object.entries(particlesToColumns(set)).map(([name, values]) => {
      const given = Array.from(values);
      const numeric = given.every((value) => typeof value === "number" || (value.trim() !== "" && String(Number(value)) === value));
      return [name, numeric ? Float64Array.from(given, Number) : given.map(String)] as const;
    });
    return { content: encodeParquet(Object.fromEntries(columns)), notes: [] };
  },
};
