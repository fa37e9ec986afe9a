/**
 * Tilt-angle lists: `.rawtlt` and `.tlt` (IMOD, AreTomo), one angle in degrees a line; further columns are ignored.
 * @module
 */
import { InputError } from "../../streams/errors.ts";

/**
 * Reads tilt angles in degrees, in the file's order.
 *
 * @param path Stands in messages.
 * @throws {InputError} When a line has no number, an angle is beyond +-90 degrees, or the file is empty.
 */
export function parseTiltAngles(text: string, path: string): number[] {
  const angles: number[] = [];
  text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/).forEach((line, i) => {
    const field = line.replace(/#.*/, "").trim().split(/[\s,]+/)[0];
    if (field === "") return;
    const angle = Number(field);
    if (!(Math.abs(angle) <= 90)) {
      throw new InputError(
        path,
        `line ${i + 1} is ${JSON.stringify(line.trim().slice(0, 40))}, expected a tilt angle from -90 to 90 degrees`,
      );
    }
    angles.push(angle);
  });
  if (angles.length === 0) throw new InputError(path, "holds no tilt angle, expected one a line");
  return angles;
}

/** Writes tilt angles as `.rawtlt`, one a line, two decimals. */
export function formatTiltAngles(angles: readonly number[]): string {
  return angles.map((angle) => `${angle.toFixed(2)}\n`).join("");
}
