import assert from "node:assert/strict";
import { atomicNumber } from "../../../plugins/formats/atoms.ts";
import { parseMmcifAtoms } from "../../../plugins/formats/mmcif.ts";
import { parsePdbAtoms } from "../../../plugins/formats/pdb.ts";
import { readAtoms } from "../../../plugins/formats/structure.ts";
import { InputError } from "../../../streams/errors.ts";

/** One ATOM or HETATM record in the columns of PDB format 3.3. */
function record(kind: string, name: string, residue: string, xyz: readonly number[], occupancy: string, element: string): string {
  const place = xyz.map((v) => v.toFixed(3).padStart(8)).join("");
  return `${kind.padEnd(6)}    1 ${name.padEnd(4)} ${residue.padStart(3)} A   1    ${place}${occupancy.padStart(6)}  0.00          ${
    element.padStart(2)
  }`;
}

const PDB = [
  "HEADER    TEST",
  record("ATOM", " CA ", "ALA", [1.5, -2.25, 30], "1.00", "C"),
  record("ATOM", " N  ", "ALA", [0, 0, 0], "", ""),
  record("ATOM", " SG ", "CYS", [4, 5, 6], "0.40", "S"),
  record("HETATM", "ZN  ", " ZN", [7, 8, 9], "1.00", ""),
  record("HETATM", " O  ", "HOH", [9, 9, 9], "1.00", "O"),
  record("ATOM", " CB ", "ALA", [9, 9, 9], "0.00", "C"),
  "ENDMDL",
  record("ATOM", " CA ", "ALA", [100, 100, 100], "1.00", "C"),
  "END",
].join("\n");

const faultOf = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
    return error.message;
  }
  return assert.fail("no error");
};

Deno.test("`parsePdbAtoms()` reads the first model's atoms, without water, weighted by element and occupancy", () => {
  const atoms = parsePdbAtoms(PDB, "test.pdb");
  assert.equal(atoms.count, 4);
  assert.deepEqual([...atoms.positionsXyz], [1.5, -2.25, 30, 0, 0, 0, 4, 5, 6, 7, 8, 9]);
  assert.deepEqual([...atoms.weights], [6, 7, 16 * 0.4, 30]);
  assert.deepEqual(parsePdbAtoms(PDB.replaceAll("\n", "\r\n"), "test.pdb"), atoms);
});

Deno.test("`parsePdbAtoms()` says line and columns of what is no number, and that there are no atoms", () => {
  assert.match(
    faultOf(() => parsePdbAtoms(PDB.replace("  -2.250", "  ******"), "a.pdb")),
    /^a\.pdb: line 2: y in columns 39-46 is "\*{6}", expected a number$/,
  );
  assert.match(faultOf(() => parsePdbAtoms("HEADER\nEND", "a.pdb")), /no atoms found/);
});

const CIF = `data_TEST
# a comment with _atom_site.nothing in it
_struct.title 'it''s a "test"'
_struct.text
;
loop_
_atom_site.Cartn_x
;
loop_
_atom_site.group_PDB
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_comp_id
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.occupancy
_atom_site.pdbx_PDB_model_num
ATOM C "C5'" DA 1.5 -2.25 30 1.00 1
ATOM N 'N A' ALA 0 0 0 ? 1
HETATM ZN ZN ZN 7 8 9 0.50 1
HETATM O O HOH 9 9 9 1.00 1
ATOM C CA ALA 100 100 100 1.00 2
#
loop_
_other.a
_other.b
1 2
`;

Deno.test("`parseMmcifAtoms()` reads the first model's atoms past quotes, comments and text fields", () => {
  const atoms = parseMmcifAtoms(CIF, "test.cif");
  assert.deepEqual([...atoms.positionsXyz], [1.5, -2.25, 30, 0, 0, 0, 7, 8, 9]);
  assert.deepEqual([...atoms.weights], [6, 7, 15]);
});

Deno.test("`parseMmcifAtoms()` reads a table of one row, written as pairs", () => {
  const one = "data_x\n_atom_site.type_symbol FE\n_atom_site.Cartn_x 1\n_atom_site.Cartn_y 2\n_atom_site.Cartn_z 3\n_cell.length_a 10\n";
  const atoms = parseMmcifAtoms(one, "one.cif");
  assert.deepEqual([...atoms.positionsXyz], [1, 2, 3]);
  assert.deepEqual([...atoms.weights], [26]);
  assert.deepEqual(parseMmcifAtoms(one.replace("_cell.length_a 10\n", ""), "one.cif"), atoms);
});

Deno.test("`parseMmcifAtoms()` says where a table is cut short, lacks a coordinate or holds no number", () => {
  assert.match(
    faultOf(() => parseMmcifAtoms(CIF.replace("9 9 9 1.00 1\n", "9 9\n").split("ATOM C CA")[0], "a.cif")),
    /^a\.cif: line \d+: a row of _atom_site has 6 of 9 values/,
  );
  assert.match(
    faultOf(() => parseMmcifAtoms(CIF.replace("-2.25", "?"), "a.cif")),
    /line 19: _atom_site\.Cartn_y is "\?", expected a number/,
  );
  assert.match(faultOf(() => parseMmcifAtoms(CIF.replaceAll("Cartn_z", "fract_z"), "a.cif")), /has no Cartn_z/);
  assert.match(faultOf(() => parseMmcifAtoms("data_x\n_cell.length_a 10\n", "a.cif")), /no table _atom_site/);
  assert.match(faultOf(() => parseMmcifAtoms("data_x\n_a.b\n;text\n", "a.cif")), /line 3: the text that begins here with ";" never ends/);
});

Deno.test("`readAtoms()` goes by the file's name, gzipped or not, and refuses others", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const gzipped = await new Response(new Blob([CIF]).stream().pipeThrough(new CompressionStream("gzip"))).bytes();
    await Deno.writeFile(`${folder}/a.cif.gz`, gzipped);
    await Deno.writeTextFile(`${folder}/b.ent`, PDB);
    await Deno.writeFile(`${folder}/cut.cif.gz`, gzipped.subarray(0, 60));
    assert.equal((await readAtoms(`${folder}/a.cif.gz`)).count, 3);
    assert.equal((await readAtoms(`${folder}/b.ent`)).count, 4);
    await assert.rejects(readAtoms(`${folder}/cut.cif.gz`), /broken or cut short/);
    await assert.rejects(readAtoms(`${folder}/c.pdb`), /no such file/);
    await assert.rejects(readAtoms(`${folder}/c.xyz`), /expected \.pdb, \.ent, \.cif or \.mmcif/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("`atomicNumber()` knows symbols in any case, deuterium, and takes the unknown for carbon", () => {
  assert.deepEqual(["h", "D", "Fe", "ZN", "U", "X"].map(atomicNumber), [1, 1, 26, 30, 92, 6]);
});
