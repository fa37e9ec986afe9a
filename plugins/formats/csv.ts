/**
 * Delimited text: comma, semicolon, tab or `|`; quoted fields (RFC 4180), byte-order mark, with or without a line of names.
 * @module
 */
import { InputError } from "../../streams/errors.ts";

/** A table of text. Every row has as many fields as there are columns. */
export interface CsvTable {
  /** Names from the first line, or `null` when the file has none. */
  readonly header: readonly string[] | null;
  readonly rows: readonly (readonly string[])[];
  /** Line of the file (from 1) on which each row begins, for messages. */
  readonly lines: readonly number[];
  readonly delimiter: string;
}

/** How to read; what is left out is found out. */
export interface CsvOptions {
  readonly delimiter?: "," | ";" | "\t" | "|";
  /** Whether the first line holds names. Left out: it does when none of its fields is a number. */
  readonly header?: boolean;
}

const DELIMITERS = [",", ";", "\t", "|"] as const;

/** The delimiter that is most frequent outside quotes in the first line that is neither empty nor a comment. */
function findDelimiter(text: string): string {
  const line = /^(?!\s*(?:#|$)).*$/m.exec(text)?.[0].replaceAll(/"[^"]*"/g, "") ?? "";
  let best: string = ",", most = 0;
  for (const delimiter of DELIMITERS) {
    const count = line.split(delimiter).length - 1;
    if (count > most) [best, most] = [delimiter, count];
  }
  return best;
}

function isNumber(field: string): boolean {
  return field.trim() !== "" && (Number.isFinite(Number(field)) || /^[+-]?(nan|inf(inity)?)$/i.test(field.trim()));
}

/**
 * Reads delimited text. Blank lines and lines that begin with `#` are skipped; unquoted fields are trimmed.
 *
 * @param path Stands in messages.
 * @throws {InputError} When a quote is not closed or a row has another number of fields than the first.
 */
export function parseCsv(text: string, path: string, options: CsvOptions = {}): CsvTable {
  const source = text.replace(/^\ufeff/, "");
  const delimiter = options.delimiter ?? findDelimiter(source);
  const rows: string[][] = [];
  const lines: number[] = [];
  for (let i = 0, line = 1; i < source.length; line++) {
    const start = line;
    if (source[i] === "#") {
      i = nextLine(source, i);
      continue;
    }
    const fields: string[] = [];
    let quoted: boolean;
    for (;;) {
      const field = readField(source, i, delimiter);
      if (field.end < 0) throw new InputError(path, `line ${line}: a quote is never closed`);
      line += field.breaks;
      fields.push(field.value);
      i = field.end;
      quoted = field.quoted;
      if (source[i] !== delimiter) break;
      i++;
    }
    if (i < source.length && source[i] !== "\n" && source[i] !== "\r") {
      throw new InputError(path, `line ${line}: unexpected ${JSON.stringify(source[i])} after a closing quote`);
    }
    i = nextLine(source, i);
    if (fields.length === 1 && fields[0] === "" && !quoted) continue;
    if (rows.length > 0 && fields.length !== rows[0].length) {
      throw new InputError(path, `line ${start}: ${fields.length} fields, the first row has ${rows[0].length}`);
    }
    rows.push(fields);
    lines.push(start);
  }
  const named = options.header ?? (rows.length > 0 && rows[0].some((field) => field !== "") && !rows[0].some(isNumber));
  const header = named && rows.length > 0 ? rows[0] : null;
  return { header, rows: header ? rows.slice(1) : rows, lines: header ? lines.slice(1) : lines, delimiter };
}

/** Where the line after the one at `from` begins. */
function nextLine(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    if (text[i] === "\n") return i + 1;
    if (text[i] === "\r") return text[i + 1] === "\n" ? i + 2 : i + 1;
  }
  return text.length;
}

/** One field from `from`; `end` is where its delimiter or line end stands, -1 for an open quote. */
function readField(text: string, from: number, delimiter: string): { value: string; end: number; breaks: number; quoted: boolean } {
  let start = from;
  while (text[start] === " ") start++;
  if (text[start] === '"') {
    let value = "", breaks = 0;
    for (let i = start + 1; i < text.length; i++) {
      if (text[i] === '"') {
        if (text[i + 1] !== '"') {
          let end = i + 1;
          while (text[end] === " ") end++;
          return { value, end, breaks, quoted: true };
        }
        value += '"';
        i++;
      } else {
        if (text[i] === "\n") breaks++;
        value += text[i];
      }
    }
    return { value, end: -1, breaks, quoted: true };
  }
  let end = from;
  while (end < text.length && text[end] !== delimiter && text[end] !== "\n" && text[end] !== "\r") end++;
  return { value: text.slice(from, end).trim(), end, breaks: 0, quoted: false };
}

/**
 * A column by any of its names (case does not matter), with the name found.
 * @throws {InputError} When the table has none of them.
 */
export function csvColumn(table: CsvTable, names: readonly string[], path: string): string[] {
  const at = findCsvColumn(table, names);
  if (at < 0) {
    throw new InputError(
      path,
      `no column ${names.map((name) => JSON.stringify(name)).join(" or ")}: found ${table.header?.join(", ") ?? "no line of names"}`,
    );
  }
  return table.rows.map((row) => row[at]);
}

/** Index of a column by any of its names (case does not matter), or -1. */
export function findCsvColumn(table: CsvTable, names: readonly string[]): number {
  const wanted = names.map((name) => name.toLowerCase());
  return table.header?.findIndex((name) => wanted.includes(name.trim().toLowerCase())) ?? -1;
}

function formatField(value: string | number, delimiter: string): string {
  if (typeof value === "number") return Number.isNaN(value) ? "" : String(value);
  return /["\r\n]/.test(value) || value.includes(delimiter) || value.trim() !== value || value.startsWith("#") || value === ""
    ? `"${value.replaceAll('"', '""')}"`
    : value;
}

/** Writes named columns of equal length as CSV with a line of names; NaN becomes an empty field. Lines end in `\n`. */
export function formatCsv(columns: Readonly<Record<string, ArrayLike<string | number>>>, delimiter: "," | ";" | "\t" | "|" = ","): string {
  const names = Object.keys(columns);
  const count = names.length > 0 ? columns[names[0]].length : 0;
  const parts = [names.map((name) => formatField(name, delimiter)).join(delimiter)];
  for (let i = 0; i < count; i++) {
    // A lone empty field must not look like a blank line.
    parts.push(names.map((name) => formatField(columns[name][i], delimiter)).join(delimiter) || '""');
  }
  return parts.join("\n") + "\n";
}
