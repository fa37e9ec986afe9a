/**
 * Lines of numbers apart by blanks, as tables without names hold them: comments after `#`, `%` or `;`, commas allowed between numbers.
 * @module
 */
import { InputError } from "../../streams/errors.ts";

/** Rows of fields and the line of the file (from 1) on which each stands. */
export interface NumberLines {
  readonly rows: readonly (readonly string[])[];
  readonly lines: readonly number[];
}

/** Splits text into the fields of its lines; blank lines and comments are skipped. */
export function splitNumberLines(text: string): NumberLines {
  const rows: string[][] = [], lines: number[] = [];
  text.replace(/^\ufeff/, "").split(/\r\n|\n|\r/).forEach((line, i) => {
    const plain = line.replace(/[#%;].*$/, "").trim();
    if (plain === "") return;
    rows.push(plain.split(/[\s,]+/).filter((field) => field !== ""));
    lines.push(i + 1);
  });
  return { rows, lines };
}

/** A field as a number; Matlab's complex numbers (`0+1.2e-06i`) count by their real part. NaN when it is none. */
export function fieldNumber(field: string): number {
  const real = /^([+-]?[\d.]+(?:e[+-]?\d+)?)[+-][\d.]+(?:e[+-]?\d+)?[ij]$/i.exec(field)?.[1] ?? field;
  return real === "" ? NaN : /^[+-]?nan$/i.test(real) ? NaN : Number(real);
}

/**
 * A column (from 0) as finite numbers.
 * @param name Stands in messages.
 * @throws {InputError} With the line when a field is missing or no finite number.
 */
export function numberColumn({ rows, lines }: NumberLines, column: number, name: string, path: string): Float64Array {
  return Float64Array.from(rows, (row, i) => {
    const value = column < row.length ? fieldNumber(row[column]) : NaN;
    if (Number.isFinite(value)) return value;
    const found = column < row.length ? JSON.stringify(row[column].slice(0, 40)) : `missing (${row.length} columns)`;
    throw new InputError(path, `line ${lines[i]}: ${name} (column ${column + 1}) is ${found}, expected a number`);
  });
}

/** Whether every one of the first lines is made of numbers alone, with at least `least` of them. */
export function looksNumeric(text: string, least: number): boolean {
  // The last line of a part of a file may be cut.
  const { rows } = splitNumberLines(text.slice(0, 65536));
  const whole = rows.length > 1 ? rows.slice(0, Math.min(50, rows.length - 1)) : rows;
  return whole.length > 0 &&
    whole.every((row) => row.length >= least && row.every((field) => /^[+-]?nan$/i.test(field) || Number.isFinite(fieldNumber(field))));
}

/** Three columns interleaved as x, y, z. */
export function interleave(x: ArrayLike<number>, y: ArrayLike<number>, z: ArrayLike<number>): Float64Array {
  const out = new Float64Array(3 * x.length);
  for (let i = 0; i < x.length; i++) {
    out[3 * i] = x[i];
    out[3 * i + 1] = y[i];
    out[3 * i + 2] = z[i];
  }
  return out;
}

/** One of the three interleaved columns. */
export function axisOf(xyz: ArrayLike<number>, axis: number): Float64Array {
  return Float64Array.from({ length: xyz.length / 3 }, (_, i) => xyz[3 * i + axis]);
}
