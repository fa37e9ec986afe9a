/**
 * Atoms of an mmCIF file.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { AtomCollector, atomicNumber, type Atoms, isWater } from "./atoms.ts";

interface Token {
  readonly text: string;
  /** A quoted value is never a keyword or a name. */
  readonly quoted: boolean;
  readonly line: number;
}

/** The words of a CIF file: comments dropped, quotes and text fields undone. */
function* tokens(text: string, path: string): Generator<Token> {
  const lines = text.split(/\r\n|\n|\r/);
  // A quote ends only before white space.
  const word = /\s*(?:#.*|'((?:[^']|'(?=\S))*)'(?=\s|$)|"((?:[^"]|"(?=\S))*)"(?=\s|$)|(\S+))/y;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i];
    if (line.startsWith(";")) {
      const start = i;
      const parts = [line.slice(1)];
      while (++i < lines.length && !lines[i].startsWith(";")) parts.push(lines[i]);
      if (i === lines.length) {
        throw new InputError(path, `line ${start + 1}: the text that begins here with ";" never ends: the file is cut short`);
      }
      yield { text: parts.join("\n"), quoted: true, line: start + 1 };
      continue;
    }
    word.lastIndex = 0;
    for (let match = word.exec(line); match; match = word.exec(line)) {
      const quoted = match[1] ?? match[2];
      if (quoted !== undefined) yield { text: quoted, quoted: true, line: i + 1 };
      else if (match[3] !== undefined) yield { text: match[3], quoted: false, line: i + 1 };
    }
  }
}

const PREFIX = "_atom_site.";
const isName = (token: Token) => !token.quoted && token.text.startsWith("_");
const isKeyword = (token: Token) => !token.quoted && /^(data_|loop_|save_|global_|stop_)/i.test(token.text);

/**
 * Reads the first model of the `_atom_site` table: `Cartn_x|y|z`, `type_symbol`, `occupancy` (1 when absent, `?` or `.`), `label_comp_id`,
 * `pdbx_PDB_model_num`.
 *
 * @param path Stands in messages.
 * @throws {InputError} When the table or one of its coordinates is missing or no number, or a row is cut short; the message has the line.
 * @see Hall, Allen and Brown 1991, the CIF syntax; wwPDB's PDBx/mmCIF dictionary.
 */
export function parseMmcifAtoms(text: string, path: string): Atoms {
  const atoms = new AtomCollector();
  let columns: string[] = [];
  let row: Token[] = [];
  let state: "outside" | "names" | "rows" | "pair" = "outside";
  let model: string | undefined;
  let found = false;
  const finishRow = () => {
    const value = (name: string) => {
      const at = columns.indexOf(name);
      return at < 0 ? undefined : row[at].text;
    };
    const number = (name: string, otherwise?: number) => {
      const field = value(name);
      if (otherwise !== undefined && (field === undefined || field === "?" || field === ".")) return otherwise;
      const parsed = Number(field?.replace(/\(\d+\)$/, ""));
      if (field === undefined || field === "" || !Number.isFinite(parsed)) {
        const fault = field === undefined ? `the table ${PREFIX.slice(0, -1)} has no ${name}` : `${PREFIX}${name} is "${field}"`;
        throw new InputError(path, `line ${row[0].line}: ${fault}, expected a number`);
      }
      return parsed;
    };
    const residue = value("label_comp_id") ?? value("auth_comp_id") ?? "";
    const thisModel = value("pdbx_PDB_model_num") ?? "1";
    model ??= thisModel;
    if (thisModel === model && !isWater(residue)) {
      atoms.add(
        number("Cartn_x"),
        number("Cartn_y"),
        number("Cartn_z"),
        number("occupancy", 1) * atomicNumber(value("type_symbol") ?? "C"),
      );
    }
    row = [];
  };
  const endOfRows = (line: number) => {
    if (state === "rows" && row.length > 0) {
      throw new InputError(
        path,
        `line ${line}: a row of ${PREFIX.slice(0, -1)} has ${row.length} of ${columns.length} values: the file is cut short`,
      );
    }
  };
  let last = 0;
  for (const token of tokens(text, path)) {
    last = token.line;
    if (isKeyword(token)) {
      endOfRows(token.line);
      if (state === "pair" && columns.length > 0 && row.length === columns.length) finishRow();
      columns = [];
      state = /^loop_/i.test(token.text) ? "names" : "outside";
    } else if (isName(token)) {
      endOfRows(token.line);
      const ours = token.text.toLowerCase().startsWith(PREFIX);
      if (state === "names" && (ours || columns.length === 0)) {
        if (ours) columns.push(token.text.slice(PREFIX.length));
      } else {
        // A table of a single row is written as pairs of name and value.
        if (state === "rows") columns = [];
        state = ours ? "pair" : "outside";
        if (ours) columns.push(token.text.slice(PREFIX.length));
        else if (columns.length > 0 && row.length === columns.length) {
          finishRow();
          columns = [];
        }
      }
    } else if (columns.length > 0 && state !== "outside") {
      found = true;
      if (state === "names") state = "rows";
      row.push(token);
      if (state === "rows" && row.length === columns.length) finishRow();
    }
  }
  endOfRows(last);
  if (state === "pair" && columns.length > 0 && row.length === columns.length) finishRow();
  if (!found) throw new InputError(path, `no table ${PREFIX.slice(0, -1)}: expected an mmCIF file with coordinates`);
  return atoms.finish(path, `rows of ${PREFIX.slice(0, -1)}`);
}
