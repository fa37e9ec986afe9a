/**
 * AreTomo's `.aln`: a line a tilt with SEC, ROT, GMAG, TX, TY, SMEAN, SFIT, SCALE, BASE, TILT; lines with # before them, dark frames among them, and
 * local alignments after them. The tilt axis of its reconstructions is y.
 * @module
 */
import { InputError } from "../../streams/errors.ts";

/** Numbers of a line; the last is the tilt. */
const COLUMNS = 10;

/** Tilt angles in degrees, ascending. @throws {InputError} With the line that is none, or when there is no tilt. */
export function parseAln(text: string, path: string): number[] {
  const angles: number[] = [];
  for (const [i, line] of text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/).entries()) {
    if (/^\s*#\s*local alignment/i.test(line)) break;
    if (line.trim() === "" || line.trimStart().startsWith("#")) continue;
    const fields = line.trim().split(/\s+/).map(Number), angle = fields[COLUMNS - 1];
    if (fields.length !== COLUMNS || !(Math.abs(angle) <= 90)) {
      throw new InputError(
        path,
        `line ${i + 1} is ${JSON.stringify(line.trim().slice(0, 60))}, expected ${COLUMNS} numbers, the last a tilt angle`,
      );
    }
    angles.push(angle);
  }
  if (angles.length === 0) throw new InputError(path, "holds no tilt: is this AreTomo's alignment?");
  return angles.sort((a, b) => a - b);
}
