/**
 * SerialEM's `.mdoc`: `key = value` lines, bracketed titles `[T = ...]` and sections `[ZValue = n]`.
 * @see https://bio3d.colorado.edu/SerialEM/hlp/html/about_formats.htm
 * @module
 */
import { InputError } from "../../streams/errors.ts";

/** One `[name = value]` section with its entries. */
export interface MdocSection {
  readonly name: string;
  readonly value: string;
  readonly entries: Readonly<Record<string, string>>;
}
/** A whole file. */
export interface Mdoc {
  readonly entries: Readonly<Record<string, string>>;
  /** Texts of `[T = ...]`. */
  readonly titles: readonly string[];
  readonly sections: readonly MdocSection[];
}

/**
 * Reads `.mdoc` text.
 * @throws {InputError} With the line that is neither an entry nor a section.
 */
export function parseMdoc(text: string, path: string): Mdoc {
  const top: Record<string, string> = {};
  const titles: string[] = [];
  const sections: { name: string; value: string; entries: Record<string, string> }[] = [];
  let entries = top;
  text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/).forEach((raw, i) => {
    const line = raw.trim();
    if (line === "") return;
    const bracket = /^\[\s*([^=\]]+?)\s*=\s*(.*?)\s*\]$/.exec(line);
    const entry = bracket ? null : /^([^=[]+?)\s*=\s*(.*)$/.exec(line);
    if (bracket && bracket[1] === "T") titles.push(bracket[2]);
    else if (bracket) {
      sections.push({ name: bracket[1], value: bracket[2], entries: {} });
      entries = sections[sections.length - 1].entries;
    } else if (entry) Object.defineProperty(entries, entry[1], { value: entry[2], enumerable: true, configurable: true, writable: true });
    else throw new InputError(path, `line ${i + 1} is ${JSON.stringify(line.slice(0, 60))}, expected "key = value" or "[ZValue = n]"`);
  });
  return { entries: top, titles, sections };
}

/** What an `.mdoc` says of a tilt series. */
export interface MdocTilts {
  /** Degrees, in the order of the sections. */
  readonly tiltAnglesDegrees: readonly number[];
  /** Sum over the tilts of ExposureDose, when every tilt states one above 0. Electrons per square Angstrom. */
  readonly doseElectronsPerSquareAngstrom?: number;
  /** Mean underfocus by TargetDefocus, when every tilt states it. SerialEM counts underfocus in negative micrometres. */
  readonly defocusAngstrom?: number;
}

/**
 * Tilt angles, dose and target defocus of the `[ZValue]` (or `[FrameSet]`) sections.
 * @throws {InputError} When a section has no tilt angle, or there is none.
 */
export function mdocTilts(mdoc: Mdoc, path: string): MdocTilts {
  const tilts = mdoc.sections.filter((section) => section.name === "ZValue" || section.name === "FrameSet");
  if (tilts.length === 0) throw new InputError(path, "holds no [ZValue = n] section, so no tilt angle");
  const angles = tilts.map(({ name, value, entries }) => {
    const text = entries.TiltAngle ?? "";
    const angle = text.trim() === "" ? NaN : Number(text);
    if (!(Math.abs(angle) <= 90)) {
      throw new InputError(path, `[${name} = ${value}] has TiltAngle = ${JSON.stringify(text)}, expected -90 to 90 degrees`);
    }
    return angle;
  });
  const numbers = (key: string) => tilts.map(({ entries }) => Number(entries[key] ?? NaN));
  const doses = numbers("ExposureDose"), defocus = numbers("TargetDefocus");
  const mean = -1e4 * defocus.reduce((sum, value) => sum + value, 0) / defocus.length;
  return {
    tiltAnglesDegrees: angles,
    ...(doses.every((dose) => dose > 0 && Number.isFinite(dose))
      ? { doseElectronsPerSquareAngstrom: doses.reduce((sum, dose) => sum + dose, 0) }
      : {}),
    ...(Number.isFinite(mean) && mean > 0 ? { defocusAngstrom: mean } : {}),
  };
}
