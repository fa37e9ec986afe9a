/**
 * Tilt geometry of many tomograms as CSV: a column `tomogram` and any of `tiltMinDegrees`, `tiltMaxDegrees`, `tiltAnglesDegrees` (all of them, with
 * blanks or semicolons between), `tiltAxis`, `handedness`, `defocusAngstrom`, `defocusHandedness`, `doseElectronsPerSquareAngstrom`. Empty fields say
 * nothing.
 * @module
 */
import type { Geometry } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { findCsvColumn, parseCsv } from "./csv.ts";

/** What a file states of one tomogram; the rest is unstated. */
export type StatedGeometry = { -readonly [key in keyof Geometry]?: Geometry[key] };

const COLUMNS = {
  tomogram: ["tomogram", "id", "tomo", "name"],
  tiltMin: ["tiltMinDegrees", "tiltMin", "tilt_min"],
  tiltMax: ["tiltMaxDegrees", "tiltMax", "tilt_max"],
  angles: ["tiltAnglesDegrees", "tiltAngles", "tilt_angles"],
  axis: ["tiltAxis", "axis", "tilt_axis"],
  handedness: ["handedness", "hand"],
  defocus: ["defocusAngstrom", "defocus"],
  defocusHand: ["defocusHandedness", "rlnTomoHand"],
  dose: ["doseElectronsPerSquareAngstrom", "dose"],
} as const;

/** Checks that -90 <= first < last <= 90. @returns What is wrong, or `null`. */
export function tiltRangeFault(first: number, last: number): string | null {
  return first >= -90 && last <= 90 && first < last ? null : `tilt range ${first} to ${last} degrees, expected -90 <= first < last <= 90`;
}

/**
 * Reads a geometry table: tomogram id to what the table states of it.
 * @throws {InputError} With the line: no name of a tomogram, the same one twice, or a value that cannot be.
 */
export function parseGeometryCsv(text: string, path: string): Map<string, StatedGeometry> {
  const table = parseCsv(text, path, { header: true });
  const at = Object.fromEntries(Object.entries(COLUMNS).map(([key, names]) => [key, findCsvColumn(table, names)])) as Record<
    keyof typeof COLUMNS,
    number
  >;
  const known = Object.values(COLUMNS).map((names) => names[0]).join(", ");
  if (at.tomogram < 0) {
    throw new InputError(path, `no column "tomogram": found ${table.header?.join(", ") ?? "an empty file"}; known columns are ${known}`);
  }
  const unknown = table.header!.filter((_, i) => !Object.values(at).includes(i));
  if (unknown.length > 0) {
    throw new InputError(
      path,
      `unknown column ${unknown.map((name) => JSON.stringify(name)).join(", ")}: known columns are ${known}`,
    );
  }
  if (at.tiltMin < 0 !== at.tiltMax < 0) throw new InputError(path, `tiltMinDegrees and tiltMaxDegrees must stand together`);
  const out = new Map<string, StatedGeometry>();
  table.rows.forEach((row, i) => {
    const fail = (message: string): never => {
      throw new InputError(path, `line ${table.lines[i]}: ${message}`);
    };
    const field = (key: keyof typeof COLUMNS) => at[key] < 0 ? "" : row[at[key]];
    const number = (key: keyof typeof COLUMNS): number | null => {
      const value = field(key);
      if (value === "") return null;
      return Number.isFinite(Number(value)) ? Number(value) : fail(`${COLUMNS[key][0]} is ${JSON.stringify(value)}, expected a number`);
    };
    const id = field("tomogram");
    if (id === "") fail("the tomogram has no name");
    if (out.has(id)) fail(`${JSON.stringify(id)} stands twice`);
    const geometry: StatedGeometry = {};
    const [first, last] = [number("tiltMin"), number("tiltMax")];
    if (first !== null && last !== null) {
      const fault = tiltRangeFault(first, last);
      if (fault) fail(fault);
      geometry.tiltRangeDegrees = [first, last];
    } else if (first !== null || last !== null) fail("one end of the tilt range is empty");
    const angles = field("angles").split(/[\s;]+/).filter((word) => word !== "");
    if (angles.length > 0) {
      geometry.tiltAnglesDegrees = angles.map((word) =>
        Math.abs(Number(word)) <= 90
          ? Number(word)
          : fail(`tiltAnglesDegrees holds ${JSON.stringify(word)}, expected degrees from -90 to 90`)
      );
    }
    const axis = field("axis").toLowerCase();
    if (axis === "x" || axis === "y") geometry.tiltAxis = axis;
    else if (axis !== "") fail(`tiltAxis is ${JSON.stringify(axis)}, expected x or y`);
    const hand = (key: "handedness" | "defocusHand") => {
      const value = number(key);
      return value === 1 || value === -1 || value === null ? value : fail(`${COLUMNS[key][0]} is ${value}, expected 1 or -1`);
    };
    const handedness = hand("handedness"), defocusHandedness = hand("defocusHand");
    if (handedness !== null) geometry.handedness = handedness;
    if (defocusHandedness !== null) geometry.defocusHandedness = defocusHandedness;
    const defocus = number("defocus");
    if (defocus !== null) geometry.defocusAngstrom = defocus;
    const dose = number("dose");
    if (dose !== null) geometry.doseElectronsPerSquareAngstrom = dose;
    out.set(id, geometry);
  });
  return out;
}
