/**
 * The tilt geometry of a tomogram: from a table, from options, from tilt files beside it.
 * @module
 */
import { dirname, join } from "node:path";
import type { Geometry } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import { parseGeometryCsv, type StatedGeometry } from "../../formats/geometry_csv.ts";
import { mdocTilts, parseMdoc } from "../../formats/mdoc.ts";
import { parseTiltAngles } from "../../formats/tilt_angles.ts";

/** What the manifest states for every tomogram. */
export interface GeometryOptions {
  readonly tiltRangeDegrees?: readonly [number, number];
  readonly tiltAxis: "x" | "y";
  readonly handedness?: 1 | -1;
  readonly tiltFiles: "auto" | "none";
}

/** Ranges that differ by more at either end are worth a warning. */
const RANGE_TOLERANCE_DEGREES = 3;

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
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.IsADirectory) return null;
    throw error;
  }
}

/** The refined `.tlt` first, then `.rawtlt`, then SerialEM's `.mdoc`, which knows dose and defocus too. */
async function readTiltFiles(path: string, stem: string): Promise<{ stated: StatedGeometry; file?: string }> {
  const folder = dirname(path);
  const stated: StatedGeometry = {};
  let file: string | undefined;
  for (const ending of [".tlt", ".rawtlt"]) {
    if (file) break;
    const beside = join(folder, stem + ending);
    const text = await readText(beside);
    if (text === null) continue;
    stated.tiltAnglesDegrees = parseTiltAngles(text, beside);
    file = beside;
  }
  for (const ending of [".mdoc", ".mrc.mdoc", ".st.mdoc"]) {
    const beside = join(folder, stem + ending);
    const text = await readText(beside);
    if (text === null) continue;
    const { tiltAnglesDegrees, ...more } = mdocTilts(parseMdoc(text, beside), beside);
    Object.assign(stated, more);
    if (!file) {
      // Sections are in the order of exposure.
      stated.tiltAnglesDegrees = [...tiltAnglesDegrees].sort((a, b) => a - b);
      file = beside;
    }
    break;
  }
  return { stated, file };
}

/** Reads the geometry table, or none. @throws {InputError} When it is faulty. */
export async function readGeometryTable(path: string | undefined): Promise<Map<string, StatedGeometry>> {
  if (path === undefined) return new Map();
  const text = await readText(path);
  if (text === null) throw new InputError(path, "no such file: source.options.geometry names it");
  return parseGeometryCsv(text, path);
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
  const angles = fromFiles.tiltAnglesDegrees;
  const fileRange = angles && angles.length > 1 ? [Math.min(...angles), Math.max(...angles)] as const : undefined;
  const stated = row?.tiltRangeDegrees ?? options.tiltRangeDegrees;
  const range = stated ?? fileRange;
  let warning: string | undefined;
  if (fileRange && stated && stated !== "unknown" && fileRange.some((end, i) => Math.abs(end - stated[i]) > RANGE_TOLERANCE_DEGREES)) {
    warning =
      `${file} says ${fileRange.join(" to ")} degrees, ${
        row?.tiltRangeDegrees ? "the geometry table" : "source.options.tiltRangeDegrees"
      } says ` +
      `${stated.join(" to ")}: the latter was taken`;
  }
  const geometry: Geometry = {
    tiltRangeDegrees: range ?? "unknown",
    // Angles that contradict the range are not handed on.
    ...(angles && !warning ? { tiltAnglesDegrees: angles } : {}),
    tiltAxis: row?.tiltAxis ?? options.tiltAxis,
    handedness: row?.handedness ?? options.handedness ?? "unknown",
    ...pick("defocusAngstrom", row, fromFiles),
    ...pick("doseElectronsPerSquareAngstrom", row, fromFiles),
  };
  return { geometry, ...(file ? { tiltFile: file } : {}), ...(warning ? { warning } : {}) };
}

function pick(
  key: "defocusAngstrom" | "doseElectronsPerSquareAngstrom",
  row: StatedGeometry | undefined,
  files: StatedGeometry,
): StatedGeometry {
  const value = row?.[key] ?? files[key];
  return value === undefined ? {} : { [key]: value };
}
