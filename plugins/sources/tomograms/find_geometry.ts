/**
 * The tilt geometry of a tomogram: from a table, from options, from tilt files beside it.
 * @module
 */
import { dirname, join } from "node:path";
import type { Geometry } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import { parseAln } from "../../formats/aretomo_aln.ts";
import { parseGeometryCsv, type StatedGeometry } from "../../formats/geometry_csv.ts";
import { mdocTilts, parseMdoc } from "../../formats/mdoc.ts";
import { parseRelionTilts, parseRelionTomograms } from "../../formats/relion_tomograms.ts";
import { parseTiltAngles } from "../../formats/tilt_angles.ts";
import { bareTomogramName } from "../../formats/tomogram_name.ts";
import { locateListed } from "../../formats/volume_list.ts";
import { parseWarpTiltSeries } from "../../formats/warp_tilt_series.ts";

/** What the manifest states for every tomogram. */
export interface GeometryOptions {
  readonly tiltRangeDegrees?: readonly [number, number];
  readonly tiltAxis: "x" | "y";
  readonly handedness?: 1 | -1;
  readonly tiltFiles: "auto" | "none";
}

/** Ranges that differ by more at either end are worth a warning. */
const RANGE_TOLERANCE_DEGREES = 3;
/** Folders above a tomogram in which Warp keeps its `.xml`: `warp_tiltseries/reconstruction/deconv/TS_01_10.00Apx.mrc`. */
const WARP_FOLDERS = 3;

/** A geometry and where it came from. */
export interface FoundGeometry {
  readonly geometry: Geometry;
  /** File of the tilt angles, if any. */
  readonly tiltFile?: string;
  readonly warning?: string;
}

async function readText(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.IsADirectory || error instanceof Deno.errors.NotADirectory) {
      return null;
    }
    throw error;
  }
}

/** What files beside a tomogram say, the ones that count most first. */
async function readTiltFiles(path: string, stem: string): Promise<{ stated: StatedGeometry; file?: string }> {
  const folder = dirname(path), beside = (ending: string) => join(folder, stem + ending);
  const angles = (parse: (text: string, path: string) => number[]) => (text: string, at: string): StatedGeometry => ({
    tiltAnglesDegrees: parse(text, at),
  });
  // Sections of an .mdoc are in the order of exposure.
  const mdoc = (text: string, at: string): StatedGeometry => {
    const { tiltAnglesDegrees, ...more } = mdocTilts(parseMdoc(text, at), at);
    return { ...more, tiltAnglesDegrees: tiltAnglesDegrees.toSorted((a, b) => a - b) };
  };
  const warp: string[] = [];
  for (let at = folder, i = 0; i < WARP_FOLDERS; i++, at = dirname(at)) warp.push(join(at, `${bareTomogramName(stem)}.xml`));
  const sources: readonly [readonly string[], (text: string, at: string) => StatedGeometry | null][] = [
    [[beside(".tlt")], angles(parseTiltAngles)],
    [[beside(".aln"), beside(".mrc.aln"), beside(".st.aln")], angles(parseAln)],
    [warp, parseWarpTiltSeries],
    [[beside(".rawtlt")], angles(parseTiltAngles)],
    [[beside(".mdoc"), beside(".mrc.mdoc"), beside(".st.mdoc")], mdoc],
  ];
  let stated: StatedGeometry = {}, file: string | undefined;
  for (const [paths, parse] of sources) {
    for (const at of paths) {
      const text = await readText(at);
      if (text === null) continue;
      const found = parse(text, at);
      if (found === null) continue;
      if (stated.tiltAnglesDegrees === undefined && found.tiltAnglesDegrees !== undefined) file = at;
      stated = { ...found, ...stated };
      break;
    }
  }
  return { stated, ...(file === undefined ? {} : { file }) };
}

/**
 * Reads the geometry table: CSV, or RELION's `tomograms.star` (with the tilt series files that it names). None when no path is given.
 * @throws {InputError} When it is faulty, or a file that it names is not there.
 */
export async function readGeometryTable(path: string | undefined): Promise<Map<string, StatedGeometry>> {
  if (path === undefined) return new Map();
  const text = await readText(path);
  if (text === null) throw new InputError(path, "no such file: source.options.geometry names it");
  if (!/^\s*data_/m.test(text)) return parseGeometryCsv(text, path);
  const table = new Map<string, StatedGeometry>();
  for (const [name, { stated, tiltSeriesFile }] of parseRelionTomograms(text, path)) {
    table.set(name, tiltSeriesFile === undefined ? stated : { ...await readTiltSeries(tiltSeriesFile, path), ...stated });
  }
  return table;
}

async function readTiltSeries(file: string, table: string): Promise<StatedGeometry> {
  const located = locateListed(file, table);
  if (!("path" in located)) {
    throw new InputError(table, `names ${file}, which is not there, neither beside it nor in a folder above it`);
  }
  const text = await readText(located.path);
  if (text === null) throw new InputError(located.path, `no such file: ${table} names it`);
  return parseRelionTilts(text, located.path);
}

/**
 * The geometry of one tomogram: its row of the table counts most, then the options, then files of its stem beside it.
 * @throws {InputError} When a tilt file is faulty.
 */
export async function findGeometry(
  path: string,
  stem: string,
  row: StatedGeometry | undefined,
  options: GeometryOptions,
): Promise<FoundGeometry> {
  const { stated: fromFiles, file } = options.tiltFiles === "auto" ? await readTiltFiles(path, stem) : { stated: {} as StatedGeometry };
  const stated = row?.tiltRangeDegrees ?? rangeOf(row?.tiltAnglesDegrees) ?? options.tiltRangeDegrees;
  const angles = row?.tiltAnglesDegrees ?? fromFiles.tiltAnglesDegrees, fileRange = rangeOf(fromFiles.tiltAnglesDegrees);
  let warning: string | undefined;
  if (fileRange && stated && stated !== "unknown" && fileRange.some((end, i) => Math.abs(end - stated[i]) > RANGE_TOLERANCE_DEGREES)) {
    warning = `${file} says ${fileRange.join(" to ")} degrees, ${
      row?.tiltRangeDegrees ?? row?.tiltAnglesDegrees ? "the geometry table" : "source.options.tiltRangeDegrees"
    } says ${stated.join(" to ")}: the latter was taken`;
  }
  const known = (key: "defocusAngstrom" | "doseElectronsPerSquareAngstrom" | "defocusHandedness"): StatedGeometry => {
    const value = row?.[key] ?? fromFiles[key];
    return value === undefined ? {} : { [key]: value };
  };
  const geometry: Geometry = {
    tiltRangeDegrees: stated ?? fileRange ?? "unknown",
    // Angles of a file that contradict the range are not handed on.
    ...(angles && (row?.tiltAnglesDegrees || !warning) ? { tiltAnglesDegrees: angles } : {}),
    tiltAxis: row?.tiltAxis ?? options.tiltAxis,
    handedness: row?.handedness ?? options.handedness ?? "unknown",
    ...known("defocusAngstrom"),
    ...known("doseElectronsPerSquareAngstrom"),
    ...known("defocusHandedness"),
  };
  return { geometry, ...(file ? { tiltFile: file } : {}), ...(warning ? { warning } : {}) };
}

/** First and last of two or more tilts. */
function rangeOf(angles: readonly number[] | undefined): readonly [number, number] | undefined {
  return angles && angles.length > 1 ? [Math.min(...angles), Math.max(...angles)] : undefined;
}
