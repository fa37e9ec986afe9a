/**
 * Sums over rows and maxima over voxels with channels last: neighbouring threads read neighbouring channels.
 * @module
 */
import type { Program } from "./program.ts";

/** Rows that one thread adds up at least. */
const ROWS_A_THREAD = 64;
/** Parts of a first pass at most. */
const MOST_PARTS = 1024;

/** Parts in which `rows` rows are reduced first; 1: in one pass. */
export function partsOf(rows: number): number {
  return rows <= 2 * ROWS_A_THREAD ? 1 : Math.min(MOST_PARTS, Math.ceil(rows / ROWS_A_THREAD));
}

/** Input `x` `[rows, columns]`, and for products `y` likewise and `centre` `[columns]`; output `[parts, columns]`: sums of x, or of x (y - centre). */
export function sumProgram(rows: number, columns: number, parts: number, product: boolean): Program {
  const share = Math.ceil(rows / parts);
  const term = product ? "x[at] * (y[at] - middle)" : "x[at]";
  return {
    key: `sum ${[rows, columns, parts, product]}`,
    output: [parts, columns],
    inputs: product ? ["x", "y", "centre"] : ["x"],
    groups: parts * columns,
    code: `
fn main(index : i32) {
  if (index >= uniforms.size) { return; }
  let column = index % ${columns};
  let begin = index / ${columns} * ${share};
  let end = min(begin + ${share}, ${rows});
  ${product ? "let middle = centre[column];" : ""}
  var sum = 0.0;
  for (var row = begin; row < end; row++) { let at = row * ${columns} + column; sum += ${term}; }
  result[index] = sum;
}`,
  };
}

/** Input `x` `[count, voxels, columns]`; output `[count, parts, columns]` int32: position of the first maximum of each part of the voxels. */
export function firstMaximumProgram(count: number, voxels: number, columns: number, parts: number): Program {
  const share = Math.ceil(voxels / parts);
  return {
    key: `first maximum ${[count, voxels, columns, parts]}`,
    output: [count, parts, columns],
    type: "int32",
    inputs: ["x"],
    groups: count * parts * columns,
    code: `
fn main(index : i32) {
  if (index >= uniforms.size) { return; }
  let column = index % ${columns};
  let begin = (index / ${columns}) % ${parts} * ${share};
  let end = min(begin + ${share}, ${voxels});
  let base = index / ${columns * parts} * ${voxels * columns} + column;
  var best = min(begin, ${voxels - 1});
  var largest = x[base + best * ${columns}];
  for (var voxel = begin + 1; voxel < end; voxel++) {
    let value = x[base + voxel * ${columns}];
    if (value > largest) { largest = value; best = voxel; }
  }
  result[index] = best;
}`,
  };
}

/** Inputs `x` `[count, voxels, columns]` and `found` `[count, parts, columns]`; output `[count, columns]` int32: the best of the parts, the first of equals. */
export function bestPartProgram(count: number, voxels: number, columns: number, parts: number): Program {
  return {
    key: `best part ${[count, voxels, columns, parts]}`,
    output: [count, columns],
    type: "int32",
    inputs: ["x", "found"],
    groups: count * columns,
    code: `
fn main(index : i32) {
  if (index >= uniforms.size) { return; }
  let column = index % ${columns};
  let row = index / ${columns};
  let base = row * ${voxels * columns} + column;
  var best = found[row * ${parts * columns} + column];
  var largest = x[base + best * ${columns}];
  for (var part = 1; part < ${parts}; part++) {
    let voxel = found[(row * ${parts} + part) * ${columns} + column];
    let value = x[base + voxel * ${columns}];
    if (value > largest) { largest = value; best = voxel; }
  }
  result[index] = best;
}`,
  };
}

/** Inputs `x` `[count, voxels, columns]` and `at` `[count, columns]`; output `[count, columns]`: the values there. */
export function pickProgram(count: number, voxels: number, columns: number): Program {
  return {
    key: `pick ${[count, voxels, columns]}`,
    output: [count, columns],
    inputs: ["x", "at"],
    groups: count * columns,
    code: `
fn main(index : i32) {
  if (index >= uniforms.size) { return; }
  result[index] = x[(index / ${columns} * ${voxels} + at[index]) * ${columns} + index % ${columns}];
}`,
  };
}

/** Inputs `given` and `at`, `[count, columns]`; output `[count, voxels, columns]`: zeros but for what is given at each position. */
export function spreadProgram(count: number, voxels: number, columns: number): Program {
  return {
    key: `spread ${[count, voxels, columns]}`,
    output: [count, voxels, columns],
    inputs: ["given", "at"],
    groups: count * voxels * columns,
    code: `
fn main(index : i32) {
  if (index >= uniforms.size) { return; }
  let here = index / ${voxels * columns} * ${columns} + index % ${columns};
  result[index] = select(0.0, given[here], at[here] == index / ${columns} % ${voxels});
}`,
  };
}

/** One number for each of `size`: `expression` of `inputs` at the same place, those in `byChannel` at the place's channel of `columns`. */
export function elementProgram(
  name: string,
  size: number,
  columns: number,
  inputs: readonly string[],
  byChannel: readonly string[],
  expression: string,
): Program {
  const vectors = size % 4 === 0 && (byChannel.length === 0 || columns % 4 === 0);
  const [total, width] = vectors ? [size / 4, columns / 4] : [size, columns];
  const number = vectors ? "vec4<f32>" : "f32";
  return {
    key: `${name} ${[size, columns]}`,
    output: [size],
    inputs: [...inputs, ...byChannel].map((input) => `${input}s`),
    components: [...inputs, ...byChannel].map(() => vectors ? 4 : 1),
    outputComponents: vectors ? 4 : 1,
    groups: total,
    code: `
alias Number = ${number};
fn main(index : i32) {
  if (index >= uniforms.size) { return; }
  ${inputs.map((input) => `let ${input} = ${input}s[index];`).join(" ")}
  ${byChannel.map((input) => `let ${input} = ${input}s[index % ${width}];`).join(" ")}
  result[index] = ${expression};
}`,
  };
}
