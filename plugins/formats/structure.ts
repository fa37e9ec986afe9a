/**
 * Structures as files: PDB or mmCIF, told apart by name, gzipped or not.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import type { Atoms } from "./atoms.ts";
import { parseMmcifAtoms } from "./mmcif.ts";
import { parsePdbAtoms } from "./pdb.ts";

/**
 * Reads the atoms of the first model in a PDB (`.pdb`, `.ent`) or mmCIF (`.cif`, `.mmcif`) file, gzipped or not. Water is left out. The file's own
 * asymmetric unit is read: symmetry mates are not made, so give the file of the biological assembly.
 *
 * @throws {InputError} When the file is missing, of another kind, or faulty; the message has the line.
 */
export async function readAtoms(path: string): Promise<Atoms> {
  const name = path.toLowerCase().replace(/\.gz$/, "");
  const parse = /\.(pdb|ent)\d*$/.test(name) ? parsePdbAtoms : /\.(cif|mmcif)$/.test(name) ? parseMmcifAtoms : null;
  if (!parse) throw new InputError(path, `not a name of a structure: expected .pdb, .ent, .cif or .mmcif, also with .gz`);
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new InputError(path, "no such file", { cause: error });
    throw new InputError(path, `cannot be read: ${error instanceof Error ? error.message : error}`, { cause: error });
  }
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).bytes();
    } catch (error) {
      throw new InputError(path, "the gzip data are broken or cut short: fetch the file again", { cause: error });
    }
  }
  return parse(new TextDecoder().decode(bytes), path);
}
