/**
 * The body that all convolutions share: a product of two matrices in tiles, each staged in the workgroup's memory.
 *
 * A workgroup makes {@linkcode TILE_ROWS} rows by `4 * across` columns of the product, 16 terms of the sums at a time; a thread makes `across / 2`
 * rows by 4 columns, in registers. Where the numbers come from is the caller's part.
 * @module
 */
import { GROUP, NEEDS_F16 } from "./program.ts";

/** Rows of the product that a workgroup makes. */
export const TILE_ROWS = 128;
/** Terms of the sums that are staged at a time. */
export const TILE_DEPTH = 16;
/** Distance of the staged terms of one row, in numbers: one more than the rows, so that threads write to different banks. */
const STRIDE = TILE_ROWS + 1;

/** Threads along the columns: no more than the columns need. */
export function threadsAcross(columns: number): 4 | 8 | 16 {
  return columns > 32 ? 16 : columns > 16 ? 8 : 4;
}

/** What differs between products, as WGSL. */
export interface TileParts {
  /** Columns of the product. */
  readonly columns: number;
  /** Whether columns come in whole vectors of four: the right side and the result are then arrays of vectors. */
  readonly vectors: boolean;
  /** Functions and workgroup variables. */
  readonly declarations: string;
  /** Statements that define `depthBegin`, `depthEnd` and whatever a thread keeps over the loop. */
  readonly before: string;
  /** Statements that fill `left[l * STRIDE + row]` for the terms `depth + l`. */
  readonly stageLeft: string;
  /** Statements after the tiles are staged, before they are used. */
  readonly between?: string;
  /** Expression: where row `depth + l` of the right side begins, in vectors or numbers. */
  readonly rightRow: string;
  /** Expression: where the result's row `row` begins, in vectors or numbers; and how many rows there are. */
  readonly resultRow: string;
  readonly rows: string;
  /** Stage and multiply in 16-bit numbers; sums over tiles stay in 32 bit. */
  readonly half: boolean;
}

/** Statement that stages `value` as term `l` of a row. */
export function stage(row: string, value: string): string {
  return `left[l * ${STRIDE} + ${row}] = Staged(${value});`;
}

/** The program's code. Its inputs are called `a` (read by `stageLeft`) and `b` (the right side, `[depth, columns]`). */
export function tileCode(parts: TileParts): string {
  const across = threadsAcross(parts.columns), perThread = across / 2;
  const staged = parts.half ? "f16" : "f32";
  const own = [...Array(perThread).keys()];
  const lastVector = Math.ceil(parts.columns / 4);
  const rightValue = parts.vectors
    ? `b[${parts.rightRow} + column]`
    : `vec4<f32>(${
      [0, 1, 2, 3].map((c) => `select(0.0, b[min(${parts.rightRow} + 4 * column + ${c}, rightLast)], 4 * column + ${c} < ${parts.columns})`)
        .join(", ")
    })`;
  const store = (i: number) =>
    parts.vectors
      ? `result[${parts.resultRow} + firstColumn + across] = sum${i};`
      : [0, 1, 2, 3].map((c) =>
        `if (4 * (firstColumn + across) + ${c} < ${parts.columns}) { result[${parts.resultRow} + 4 * (firstColumn + across) + ${c}] = sum${i}[${c}]; }`
      ).join("\n");
  return `
${parts.half ? NEEDS_F16 : ""}
alias Staged = ${staged};
var<workgroup> left : array<${staged}, ${TILE_DEPTH * STRIDE}>;
var<workgroup> right : array<vec4<${staged}>, ${TILE_DEPTH * across}>;
${parts.declarations}
fn main() {
  let thread = i32(localIndex);
  let across = thread % ${across};
  let firstOwn = (thread / ${across}) * ${perThread};
  let firstRow = i32(workgroupId.x) * ${TILE_ROWS};
  let firstColumn = i32(workgroupId.y) * ${across};
  let rows = ${parts.rows};
  ${parts.vectors ? "" : "let rightLast = i32(arrayLength(&b)) - 1;"}
  ${own.map((i) => `var sum${i} = vec4<f32>(0.0);`).join(" ")}
  ${parts.before}
  for (var depth = depthBegin; depth < depthEnd; depth += ${TILE_DEPTH}) {
    ${parts.stageLeft}
    if (thread < ${TILE_DEPTH * across}) {
      let l = thread / ${across};
      let column = firstColumn + thread % ${across};
      var value = vec4<f32>(0.0);
      if (depth + l < depthEnd && column < ${lastVector}) { value = ${rightValue}; }
      right[thread] = vec4<Staged>(value);
    }
    workgroupBarrier();
    ${parts.between ?? ""}
    ${parts.half ? own.map((i) => `var part${i} = vec4<f16>(0.0h);`).join(" ") : ""}
    for (var l = 0; l < ${TILE_DEPTH}; l++) {
      let vector = right[l * ${across} + across];
      let at = l * ${STRIDE} + firstOwn;
      ${own.map((i) => `${parts.half ? "part" : "sum"}${i} += left[at + ${i}] * vector;`).join("\n      ")}
    }
    ${parts.half ? own.map((i) => `sum${i} += vec4<f32>(part${i});`).join(" ") : ""}
    workgroupBarrier();
  }
  if (firstColumn + across >= ${lastVector}) { return; }
  ${own.map((i) => `{ let row = firstRow + firstOwn + ${i}; if (row < rows) { ${store(i)} } }`).join("\n  ")}
}`;
}

/** Passes in which a workgroup stages the left side when each thread keeps to one term: rows of a pass, and how many. */
export const STAGE_ROWS = GROUP / TILE_DEPTH, STAGE_PASSES = TILE_ROWS / STAGE_ROWS;
/** The same when each thread keeps to one row: terms of a pass, and how many. */
export const STAGE_TERMS = GROUP / TILE_ROWS, TERM_PASSES = TILE_DEPTH / STAGE_TERMS;
