/**
 * Picks from a table that another program, or a person, has made.
 * @module
 */
import { z } from "zod";
import { definePlugin, type Picks, type PluginContext, type Tomogram } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { csvColumn, type CsvTable, findCsvColumn, parseCsv } from "../formats/csv.ts";
import { namedVolume } from "../denoisers/named_volume.ts";

/** More picks than this share outside the volume: the unit or the file is wrong. */
const MOST_OUTSIDE = 0.5;

const options = z.strictObject({
  path: z.string().min(1).meta({
    description: "CSV file with columns x, y, z, and maybe tomogram, score, rot, tilt, psi; {id} in it stands for the tomogram's id",
    format: "path",
  }),
  unit: z.enum(["voxels", "angstrom"]).default("voxels").meta({
    description:
      "Unit of x, y, z; voxels, of the tomogram as it was given, are zero-based and at voxel centres, Angstrom is that times the voxel size",
  }),
  volume: z.string().default("raw").meta({ description: "Volume that the coordinates belong to" }),
});
type Options = z.infer<typeof options>;

const EULER = ["rot", "tilt", "psi"] as const;
const KNOWN = ["tomogram", "x", "y", "z", "score", ...EULER];

/**
 * Reads picks from a CSV table. Rows of other tomograms are skipped (column `tomogram`: the id, with or without a file's ending); every
 * further column is carried along. Angles are rot, tilt, psi (intrinsic ZYZ, degrees, RELION's). Without a score all picks have score 0.
 * Points outside the volume are dropped and counted.
 */
export default definePlugin({
  apiVersion: 1,
  name: "coordinates",
  kind: "picker",
  summary: "Picks from a CSV table of coordinates",
  input: "tomogram",
  output: "picks",
  options,
  create(given, context) {
    const tables = new Map<string, Promise<CsvTable>>();
    return {
      async apply(tomogram, signal) {
        const path = given.path.replaceAll("{id}", tomogram.id);
        let table = tables.get(path);
        if (!table) tables.set(path, table = readTable(path));
        const read = await table;
        signal.throwIfAborted();
        return toPicks(read, path, tomogram, given, context);
      },
    };
  },
});

async function readTable(path: string): Promise<CsvTable> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new InputError(path, `no such file`, { cause: error });
    throw error;
  }
  return parseCsv(text, path);
}

function toPicks(table: CsvTable, path: string, tomogram: Tomogram, options: Options, context: PluginContext): Picks {
  const { shapeZyx, voxelSizeAngstrom } = namedVolume(tomogram, options.volume, context.stage);
  if (options.unit === "angstrom" && !(voxelSizeAngstrom > 0)) {
    throw new InputError(
      path,
      `holds Angstrom, but the voxel size of tomogram "${tomogram.id}" is unknown: state source.options.voxelSizeAngstrom`,
    );
  }
  // The file is about the tomogram as it was given, which a stage may have resampled.
  const scale = 1 / (options.unit === "angstrom" ? voxelSizeAngstrom : tomogram.sourceFrame?.voxelsEach ?? 1);
  const rows = rowsOf(table, path, tomogram, options);
  const numbers = (name: string) => {
    const column = csvColumn(table, [name], path);
    return rows.map((row) => {
      const value = Number(column[row]);
      if (column[row].trim() === "" || !Number.isFinite(value)) {
        throw new InputError(path, `line ${table.lines[row]}: ${name} is "${column[row]}": expected a number`);
      }
      return value;
    });
  };
  const xyz = ["x", "y", "z"].map((name) => numbers(name).map((value) => value * scale));
  const inside = rows.map((_, i) => i).filter((i) => xyz.every((axis, a) => axis[i] >= -0.5 && axis[i] < shapeZyx[2 - a] - 0.5));
  const outside = rows.length - inside.length;
  if (outside > MOST_OUTSIDE * rows.length) {
    const range = xyz.map((axis, a) => `${"xyz"[a]} ${least(axis)} to ${-least(axis.map((v) => -v))}`).join(", ");
    throw new InputError(
      path,
      `${outside} of ${rows.length} picks lie outside tomogram "${tomogram.id}" of ${shapeZyx[2]} x ${shapeZyx[1]} x ${
        shapeZyx[0]
      } voxels ` +
        `(in voxels: ${range}): set "unit": "${options.unit === "voxels" ? "angstrom" : "voxels"}"? Or do they belong to another binning?`,
    );
  }
  if (outside > 0) context.drop(outside, "pick lies outside the volume");
  const take = (values: readonly number[]) => inside.map((i) => values[i]);
  const angles = EULER.filter((name) => findCsvColumn(table, [name]) >= 0);
  if (angles.length > 0 && angles.length < 3) {
    throw new InputError(
      path,
      `has ${angles.join(" and ")} but not all of rot, tilt, psi: add the others or rename ${angles.join(" and ")}`,
    );
  }
  const euler = angles.map((name) => take(numbers(name)));
  const [x, y, z] = xyz.map(take);
  return {
    tomogram,
    centresXyz: Float64Array.from({ length: 3 * inside.length }, (_, i) => [x, y, z][i % 3][Math.floor(i / 3)]),
    score: findCsvColumn(table, ["score"]) >= 0 ? Float32Array.from(take(numbers("score"))) : new Float32Array(inside.length),
    ...(euler.length === 3
      ? { eulerZyzDegrees: Float64Array.from({ length: 3 * inside.length }, (_, i) => euler[i % 3][Math.floor(i / 3)]) }
      : {}),
    columns: carriedColumns(table, rows, inside),
  };
}

/** Rows of the table that belong to the tomogram. */
function rowsOf(table: CsvTable, path: string, tomogram: Tomogram, options: Options): number[] {
  if (table.header === null) throw new InputError(path, `has no line of names: the first line must name the columns (tomogram, x, y, z)`);
  const all = table.rows.map((_, i) => i), at = findCsvColumn(table, ["tomogram"]);
  if (at < 0) {
    if (options.path.includes("{id}")) return all;
    throw new InputError(
      path,
      `no column "tomogram": add it, or use one file a tomogram and {id} in "path"; found ${table.header.join(", ")}`,
    );
  }
  return all.filter((row) => {
    const name = table.rows[row][at];
    return name === tomogram.id || name.replace(/^.*[/\\]/, "").replace(/(\.[^.]+)(\.gz)?$/, "") === tomogram.id;
  });
}

/** Columns that have no meaning here; numbers where every field is one. */
function carriedColumns(table: CsvTable, rows: readonly number[], inside: readonly number[]): Record<string, (string | number)[]> {
  const columns: Record<string, (string | number)[]> = {};
  table.header!.forEach((name, at) => {
    if (KNOWN.includes(name.trim().toLowerCase())) return;
    const fields = inside.map((i) => table.rows[rows[i]][at]);
    const plain = fields.every((field) => field !== "" && String(Number(field)) === field);
    columns[name] = plain ? fields.map(Number) : fields;
  });
  return columns;
}

function least(values: readonly number[]): number {
  return Number(values.reduce((a, b) => Math.min(a, b), Infinity).toPrecision(4));
}
