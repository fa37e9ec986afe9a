/**
 * Atoms of a PDB file.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { AtomCollector, atomicNumber, type Atoms, isElement, isWater } from "./atoms.ts";

/**
 * Reads the ATOM and HETATM records of the first model. Columns as in the PDB format 3.3: residue 18-20, x 31-38, y 39-46, z 47-54, occupancy
 * 55-60 (blank: 1), element 77-78 (blank: from the atom's name in 13-16).
 *
 * @param path Stands in messages.
 * @throws {InputError} When a coordinate is no number or no atom is left; the message has the line.
 * @see wwPDB, "Protein Data Bank contents guide", version 3.30.
 */
export function parsePdbAtoms(text: string, path: string): Atoms {
  const atoms = new AtomCollector();
  let line = 0;
  for (const record of text.split(/\r\n|\n|\r/)) {
    line++;
    if (record.startsWith("ENDMDL")) break;
    if (!record.startsWith("ATOM  ") && !record.startsWith("HETATM")) continue;
    if (isWater(record.slice(17, 20))) continue;
    const number = (from: number, to: number, what: string) => {
      const field = record.slice(from, to).trim();
      const value = Number(field);
      if (field === "" || !Number.isFinite(value)) {
        throw new InputError(path, `line ${line}: ${what} in columns ${from + 1}-${to} is "${field}", expected a number`);
      }
      return value;
    };
    const occupancy = record.slice(54, 60).trim() === "" ? 1 : number(54, 60, "the occupancy");
    atoms.add(number(30, 38, "x"), number(38, 46, "y"), number(46, 54, "z"), occupancy * atomicNumber(elementOf(record)));
  }
  return atoms.finish(path, "ATOM or HETATM records");
}

function elementOf(record: string): string {
  const stated = record.slice(76, 78).trim();
  if (isElement(stated)) return stated;
  // A one-letter element stands in column 14, a two-letter one in 13-14; a name of four letters begins in 13 and is hydrogen's or carbon's.
  const name = record.slice(12, 16);
  if (name[0] === " " || /\d/.test(name[0])) return name[1];
  const two = name.slice(0, 2);
  return record.startsWith("HETATM") && isElement(two) && name.trim().length <= 2 ? two : name[0];
}
