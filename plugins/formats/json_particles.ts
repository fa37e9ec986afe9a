/**
 * Pieces that the JSON formats of particles share: numbers, places and matrices looked at with care.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { type Matrix3, matrixToEulerZyz, rotationFault } from "../kernels/rotation.ts";

/** A value that may be anything. */
export type Json = unknown;

/** Parses JSON text. @throws {InputError} With the parser's words. */
export function parseJson(text: string, path: string, line?: number): Json {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(
      path,
      `${line === undefined ? "" : `line ${line}: `}is not JSON: ${error instanceof Error ? error.message : error}`,
      { cause: error },
    );
  }
}

/** A field of an object, or undefined. */
export function fieldOf(value: Json, name: string): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, Json>)[name] : undefined;
}

/** A finite number. @throws {InputError} Naming `where`. */
export function numberOf(value: Json, where: string, path: string): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw new InputError(path, `${where} is ${JSON.stringify(value)?.slice(0, 60) ?? "missing"}, expected a number`);
}

/** x, y, z of an object. */
export function placeOf(value: Json, where: string, path: string): [number, number, number] {
  const of = (axis: string) => numberOf(fieldOf(value, axis), `${where}.${axis}`, path);
  return [of("x"), of("y"), of("z")];
}

/** How far from orthogonal a matrix of a file may be. */
const MOST_FAULT = 1e-2;

/** rot, tilt, psi of the upper left 3 x 3 numbers of rows. @throws {InputError} When they are no rotation. */
export function rotationOf(rows: Json, where: string, path: string): [number, number, number] {
  const row = (i: number) => Array.isArray(rows) ? rows[i] : undefined;
  const cell = (i: number, j: number) => numberOf(Array.isArray(row(i)) ? (row(i) as Json[])[j] : undefined, `${where}[${i}][${j}]`, path);
  const m: Matrix3 = Float64Array.from({ length: 9 }, (_, k) => cell(Math.floor(k / 3), k % 3));
  const fault = rotationFault(m);
  if (!(fault <= MOST_FAULT)) {
    throw new InputError(
      path,
      `${where} is no rotation: it is ${fault.toPrecision(3)} away from one (a mirror, a scale, or other numbers?)`,
    );
  }
  return matrixToEulerZyz(m);
}

/** Rows of a 3 x 3 matrix, with numbers that were meant to be 0 or 1 made so. */
export function matrixRows(m: Matrix3): number[][] {
  const clean = (value: number) => Math.abs(value - Math.round(value)) < 1e-15 ? Math.round(value) + 0 : value;
  return [0, 1, 2].map((i) => [0, 1, 2].map((j) => clean(m[3 * i + j])));
}
