/**
 * STAR files as RELION, Warp, STOPGAP and IMOD-side tools write them: read and written without loss of blocks, columns, order, values and
 * comments. Layout (spaces, which quotes) is not kept.
 *
 * Rules: `data_NAME` opens a block; `_key value` is a pair; `loop_` with `_column` lines opens a table whose values follow row by row. Values
 * with blanks, empty ones and those that look like syntax stand in single or double quotes, or between lines that begin with `;`. `#` begins
 * a comment where a value could begin. RELION numbers columns in comments (`#1`): these are made anew.
 * @see Hall 1991, J. Chem. Inf. Comput. Sci. 31, 326-333.
 * @module
 */
import { InputError } from "../../streams/errors.ts";

/** One `_key value`. Keys are without the underscore. */
export interface StarPair {
  readonly kind: "pair";
  readonly key: string;
  readonly value: string;
  readonly comment?: string;
}
/** A table. Column names are without the underscore; every row has as many values as there are columns. */
export interface StarLoop {
  readonly kind: "loop";
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}
/** A comment on its own line, without `#`. */
export interface StarComment {
  readonly kind: "comment";
  readonly text: string;
}
/** What a block holds, in order. */
export type StarItem = StarPair | StarLoop | StarComment;
/** `data_NAME`; the name may be empty. */
export interface StarBlock {
  readonly name: string;
  readonly items: readonly StarItem[];
}
/** A whole file; comments before the first block are in `preamble`. */
export interface StarFile {
  readonly preamble: readonly StarComment[];
  readonly blocks: readonly StarBlock[];
}

/** Values of one line; a comment ends it. Throws on an open quote. */
function splitLine(line: string, lineNumber: number, path: string): { values: string[]; comment?: string } {
  if (!/["'#]/.test(line)) {
    const trimmed = line.trim();
    return { values: trimmed === "" ? [] : trimmed.split(/\s+/) };
  }
  const values: string[] = [];
  for (let i = 0; i < line.length;) {
    const c = line[i];
    if (/\s/.test(c)) i++;
    else if (c === "#") return { values, comment: line.slice(i + 1).trim() };
    else if (c === '"' || c === "'") {
      // A quote closes only before a blank or the end: 'it's' is one value.
      let end = i + 1;
      while (end < line.length && !(line[end] === c && (end + 1 === line.length || /\s/.test(line[end + 1])))) end++;
      if (end >= line.length) throw new InputError(path, `line ${lineNumber}: the quote ${c} at column ${i + 1} is never closed`);
      values.push(line.slice(i + 1, end));
      i = end + 1;
    } else {
      let end = i + 1;
      while (end < line.length && !/\s/.test(line[end])) end++;
      values.push(line.slice(i, end));
      i = end;
    }
  }
  return { values };
}

/** A loop being read: values until rows are full. */
interface OpenLoop {
  readonly line: number;
  readonly columns: string[];
  readonly rows: string[][];
  /** Values of rows that are not full yet, and the line where they began. */
  pending: string[];
  pendingLine: number;
}

class StarReader {
  readonly path: string;
  readonly preamble: StarComment[] = [];
  readonly blocks: { name: string; items: StarItem[] }[] = [];
  #loop: OpenLoop | null = null;
  /** A key whose value is still to come, on a later line. */
  #key: { name: string; line: number } | null = null;

  constructor(path: string) {
    this.path = path;
  }

  fail(line: number, message: string): never {
    throw new InputError(this.path, `line ${line}: ${message}`);
  }

  items(line: number): StarItem[] {
    return this.blocks.at(-1)?.items ?? this.fail(line, "something stands before the first data_ block: is this a STAR file?");
  }

  closeLoop(): void {
    const loop = this.#loop;
    this.#loop = null;
    if (!loop) return;
    if (loop.columns.length === 0) this.fail(loop.line, "loop_ without columns");
    if (loop.pending.length > 0) {
      this.fail(loop.pendingLine, `the loop ends with ${loop.pending.length} of the ${loop.columns.length} values of a row`);
    }
    this.items(loop.line).push({ kind: "loop", columns: loop.columns, rows: loop.rows });
  }

  comment(text: string): void {
    // A comment inside a loop is kept before it.
    const items = this.blocks.at(-1)?.items;
    if (items) items.push({ kind: "comment", text });
    else this.preamble.push({ kind: "comment", text });
  }

  /** A value that stood between lines beginning with `;`. */
  text(value: string, line: number): void {
    if (this.#key) {
      this.items(line).push({ kind: "pair", key: this.#key.name, value });
      this.#key = null;
    } else if (this.#loop) this.#add([value], line);
    else this.fail(line, "a text value without a key");
  }

  line(text: string, line: number): void {
    const { values, comment } = splitLine(text, line, this.path);
    if (values.length === 0) {
      if (comment !== undefined) this.comment(comment);
      return;
    }
    const quoted = /^\s*["']/.test(text);
    const first = values[0];
    const key = this.#key;
    if (key) {
      if (values.length > 1) this.fail(line, `_${key.name} has ${values.length} values, expected one`);
      this.items(line).push({ kind: "pair", key: key.name, value: first });
      this.#key = null;
    } else if (!quoted && /^data_/i.test(first) && !(this.#loop && values.length > 1)) {
      // In a loop, a name such as data_set1/a.mrc may begin a row.
      this.closeLoop();
      if (values.length > 1) this.fail(line, `unexpected ${JSON.stringify(values[1])} after ${first}`);
      this.blocks.push({ name: first.slice(5), items: [] });
      if (comment !== undefined) this.comment(comment);
    } else if (!quoted && /^loop_$/i.test(first)) {
      this.closeLoop();
      this.items(line);
      this.#loop = { line, columns: [], rows: [], pending: [], pendingLine: line };
      for (const column of values.slice(1)) {
        if (!column.startsWith("_")) this.fail(line, `unexpected ${JSON.stringify(column)} after loop_`);
        this.#loop.columns.push(column.slice(1));
      }
    } else if (!quoted && first.startsWith("_") && first.length > 1) this.#readKey(values, comment, line);
    else if (this.#loop) {
      this.#add(values, line);
      if (comment !== undefined) this.comment(comment);
    } else this.fail(line, `unexpected ${JSON.stringify(first.slice(0, 40))}: expected data_, loop_ or a _key`);
  }

  #readKey(values: string[], comment: string | undefined, line: number): void {
    const loop = this.#loop;
    if (loop && loop.rows.length === 0 && loop.pending.length === 0 && values.length === 1) {
      const name = values[0].slice(1);
      if (loop.columns.includes(name)) this.fail(line, `column _${name} stands twice`);
      loop.columns.push(name);
      if (comment !== undefined && !/^\d+$/.test(comment)) this.comment(comment);
      return;
    }
    this.closeLoop();
    if (values.length > 2) this.fail(line, `${values[0]} has ${values.length - 1} values, expected one: quote a value that has blanks`);
    const items = this.items(line);
    if (values.length === 1) this.#key = { name: values[0].slice(1), line };
    else items.push({ kind: "pair", key: values[0].slice(1), value: values[1], ...(comment === undefined ? {} : { comment }) });
  }

  #add(values: string[], line: number): void {
    const loop = this.#loop!;
    const n = loop.columns.length;
    if (n === 0) this.fail(line, "values after loop_ without columns");
    if (loop.pending.length === 0) {
      if (values.length === n) {
        loop.rows.push(values);
        return;
      }
      loop.pendingLine = line;
    }
    for (const value of values) loop.pending.push(value);
    if (loop.pending.length < n) return;
    // Rows may span lines, but must end at the end of a line: otherwise one value too few would shift all the others.
    if (loop.pending.length % n !== 0) this.fail(loop.pendingLine, `${values.length} values, the loop has ${n} columns`);
    for (let i = 0; i < loop.pending.length; i += n) loop.rows.push(loop.pending.slice(i, i + n));
    loop.pending = [];
  }

  finish(line: number): StarFile {
    if (this.#key) this.fail(this.#key.line, `_${this.#key.name} has no value`);
    this.closeLoop();
    if (this.blocks.length === 0) this.fail(line, "no data_ block: is this a STAR file?");
    return { preamble: this.preamble, blocks: this.blocks };
  }
}

/**
 * Reads STAR text.
 *
 * @param path Stands in messages.
 * @throws {InputError} With the line, what was found and what was expected.
 */
export function parseStar(text: string, path: string): StarFile {
  const reader = new StarReader(path);
  const lines = text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/);
  for (let i = 0; i < lines.length; i++) {
    if (!lines[i].startsWith(";")) {
      reader.line(lines[i], i + 1);
      continue;
    }
    const start = i;
    const value = [lines[i].slice(1)];
    for (i++; i < lines.length && !lines[i].startsWith(";"); i++) value.push(lines[i]);
    if (i >= lines.length) reader.fail(start + 1, "the text that begins with ; is never closed");
    if (lines[i].slice(1).trim() !== "") reader.fail(i + 1, "unexpected text after the closing ;");
    reader.text(value.join("\n"), start + 1);
  }
  return reader.finish(lines.length);
}

/** A value as it must stand in a file: quoted when empty, when it has blanks or when it looks like syntax. */
function quote(value: string): string {
  if (value !== "" && !/\s/.test(value) && !/^["'#_;$[\]]/.test(value) && !/^(data_|save_|loop_$|stop_$|global_$)/i.test(value)) {
    return value;
  }
  if (value.includes("\n") || value.includes("\r")) return `\n;${value}\n;`;
  if (!/"(\s|$)/.test(value)) return `"${value}"`;
  if (!/'(\s|$)/.test(value)) return `'${value}'`;
  return `\n;${value}\n;`;
}

/** Comments after their own line break, so that `#` never joins a text value. */
function formatItem(item: StarItem): string {
  if (item.kind === "comment") return `# ${item.text}\n`;
  if (item.kind === "pair") {
    const value = quote(item.value);
    const comment = item.comment === undefined ? "" : ` # ${item.comment}`;
    return value.startsWith("\n") ? `_${item.key}${value}\n` : `_${item.key.padEnd(32)} ${value}${comment}\n`;
  }
  const cells = item.rows.map((row) => row.map(quote));
  const widths = item.columns.map((_, j) => cells.reduce((width, row) => Math.max(width, row[j].length), 0));
  const parts = ["loop_\n", ...item.columns.map((column, j) => `_${column} #${j + 1}\n`)];
  for (const row of cells) {
    let line = "";
    row.forEach((cell, j) => line += cell.startsWith("\n") ? `${cell}\n` : `${cell.padStart(widths[j])}${j + 1 < row.length ? " " : ""}`);
    parts.push(line.endsWith("\n") ? line : `${line}\n`);
  }
  // RELION ends a loop at a blank line: a comment right below would be taken for a row.
  parts.push("\n");
  return parts.join("");
}

/** Writes STAR text as RELION reads it: columns numbered, values in aligned columns, blocks apart. */
export function formatStar(file: StarFile): string {
  const parts = file.preamble.map(formatItem);
  for (const block of file.blocks) {
    parts.push(`\ndata_${block.name}\n\n`);
    for (const item of block.items) parts.push(formatItem(item));
    parts.push("\n");
  }
  return parts.join("");
}

/** Block of that name (case as written), or undefined. */
export function findBlock(file: StarFile, name: string): StarBlock | undefined {
  return file.blocks.find((block) => block.name === name);
}

/** First loop of a block; a block of pairs is a loop of one row, as RELION has it. */
export function loopOf(block: StarBlock): StarLoop {
  const loop = block.items.find((item) => item.kind === "loop");
  if (loop) return loop;
  const pairs = block.items.filter((item) => item.kind === "pair");
  return { kind: "loop", columns: pairs.map((pair) => pair.key), rows: pairs.length > 0 ? [pairs.map((pair) => pair.value)] : [] };
}

/** A column's values as text. @returns `undefined` when the loop has no such column. */
export function columnOf(loop: StarLoop, name: string): string[] | undefined {
  const at = loop.columns.indexOf(name);
  return at < 0 ? undefined : loop.rows.map((row) => row[at]);
}

/**
 * A column's values as numbers.
 * @throws {InputError} When the column is missing or a value is no number (row counted from 1).
 */
export function numbersOf(loop: StarLoop, name: string, path: string): Float64Array {
  const values = columnOf(loop, name);
  if (!values) throw new InputError(path, `no column _${name}: found ${loop.columns.map((column) => `_${column}`).join(", ") || "none"}`);
  return Float64Array.from(values, (value, i) => {
    const number = value.trim() === "" ? NaN : Number(value);
    if (Number.isNaN(number) && !/^[+-]?nan$/i.test(value)) {
      throw new InputError(path, `_${name} in row ${i + 1} is ${JSON.stringify(value)}, expected a number`);
    }
    return number;
  });
}

/** Makes a loop of named columns of equal length; numbers are written with at most `digits` significant digits. */
export function makeLoop(columns: Readonly<Record<string, ArrayLike<string | number>>>, digits = 7): StarLoop {
  const names = Object.keys(columns);
  const count = names.length > 0 ? columns[names[0]].length : 0;
  const text = (value: string | number) => typeof value === "string" ? value : String(Number(value.toPrecision(digits)));
  const rows = Array.from({ length: count }, (_, i) => names.map((name) => text(columns[name][i])));
  return { kind: "loop", columns: names, rows };
}
