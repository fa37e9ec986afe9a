/**
 * Convolutions of volumes as tiled matrix products that gather one side on the way: no array of patches is ever made.
 * @module
 */
import type { Program } from "./program.ts";
import { stage, STAGE_PASSES, STAGE_ROWS, STAGE_TERMS, TERM_PASSES, threadsAcross, TILE_DEPTH, TILE_ROWS, tileCode } from "./tile.ts";

/** A volume's edges `[z, y, x]`. */
type Edges = readonly [number, number, number];

/** A sum over shifted voxels. */
export interface GatherShape {
  readonly count: number;
  /** Edges of what is read and of what is made. */
  readonly from: Edges;
  readonly to: Edges;
  readonly channels: number;
  readonly columns: number;
  readonly kernel: number;
  /** Tap d of an axis reads voxel `o + sign * d + shift` for the voxel o that is made; outside lie zeros. */
  readonly sign: 1 | -1;
  readonly shift: number;
}

/** Widest grid that is read without a look at its edges: every tap of every voxel lies inside. */
function staysInside({ from, to, kernel, sign, shift }: GatherShape): boolean {
  const [lowest, highest] = sign === 1 ? [shift, shift + kernel - 1] : [shift - kernel + 1, shift];
  return lowest >= 0 && to.every((edge, axis) => edge - 1 + highest < from[axis]);
}

/**
 * Inputs `a` `[n, z, y, x, channels]`, `b` `[kernel^3 * channels, columns]`; output `[1, n * z * y * x, columns]`.
 *
 * The forward pass has sign 1 and shift minus the padding before; the gradient of the input is the same sum over the output's gradient with
 * sign -1, shift the padding, and weights whose channel axes are exchanged.
 */
export function gatherProgram(shape: GatherShape, half: boolean): Program {
  const { count, from, to, channels, columns, kernel, sign, shift } = shape;
  const vectors = columns % 4 === 0, width = vectors ? columns / 4 : columns;
  const inside = staysInside(shape);
  const rows = count * to[0] * to[1] * to[2];
  const passes = [...Array(STAGE_PASSES).keys()];
  const depth = kernel ** 3 * channels;
  const step = sign === 1 ? "" : "-";
  const place = (i: number) => `
  let row${i} = firstRow + thread / ${TILE_DEPTH} + ${i * STAGE_ROWS};
  let x${i} = row${i} % ${to[2]}; let y${i} = (row${i} / ${to[2]}) % ${to[1]}; let z${i} = (row${i} / ${to[1] * to[2]}) % ${to[0]};
  let base${i} = (((row${i} / ${to[0] * to[1] * to[2]} * ${from[0]} + z${i}) * ${from[1]} + y${i}) * ${from[2]} + x${i}) * ${channels};`;
  const within = (i: number) => inside ? "" : ["z", "y", "x"].map((axis, a) => ` && u32(${axis}${i} + d${axis}) < ${from[a]}u`).join("");
  return {
    key: `gather ${[from, to, channels, columns, kernel, sign, shift, half]}`,
    output: [1, rows, columns],
    inputs: ["a", "b"],
    components: [1, vectors ? 4 : 1],
    outputComponents: vectors ? 4 : 1,
    groups: [Math.ceil(rows / TILE_ROWS), Math.ceil(columns / 4 / threadsAcross(columns)), 1],
    code: tileCode({
      columns,
      vectors,
      half,
      declarations: "",
      rows: "uniforms.outShape.y",
      before: `let depthBegin = 0; let depthEnd = ${depth}; let l = thread % ${TILE_DEPTH};${passes.map(place).join("")}`,
      stageLeft: `{
      let term = depth + l;
      let tap = term / ${channels};
      let dz = ${step}(tap / ${kernel * kernel}) + ${shift};
      let dy = ${step}((tap / ${kernel}) % ${kernel}) + ${shift};
      let dx = ${step}(tap % ${kernel}) + ${shift};
      let offset = ((dz * ${from[1]} + dy) * ${from[2]} + dx) * ${channels} + term - tap * ${channels};
      let live = term < depthEnd;
      ${
        passes.map((i) => `
      var value${i} = 0.0;
      if (live && row${i} < rows${within(i)}) { value${i} = a[base${i} + offset]; }
      ${stage(`thread / ${TILE_DEPTH} + ${i * STAGE_ROWS}`, `value${i}`)}`).join("")
      }
    }`,
      rightRow: `(depth + l) * ${width}`,
      resultRow: `row * ${width}`,
    }),
  };
}

/** A gradient by the weights: sums over voxels. */
export interface WeightShape {
  readonly count: number;
  /** Edges of the input and of the output's gradient. */
  readonly input: Edges;
  readonly output: Edges;
  readonly channels: number;
  readonly columns: number;
  readonly kernel: number;
  /** Zeros before the first voxel of an axis. */
  readonly padding: number;
}

/** Workgroups that keep a large graphics processor busy, and the fewest voxels that one of them is worth. */
const BUSY = 1024, FEWEST_VOXELS = 512;

/** Parts that the voxels are summed in, each by workgroups of its own. */
export function weightParts({ count, output, channels, columns, kernel }: WeightShape): number {
  const voxels = count * output[0] * output[1] * output[2];
  const groups = Math.ceil(kernel ** 3 * channels / TILE_ROWS) * Math.ceil(columns / 4 / threadsAcross(columns));
  return Math.max(1, Math.min(64, Math.floor(BUSY / groups), Math.floor(voxels / FEWEST_VOXELS)));
}

/**
 * Inputs `a` `[n, z, y, x, channels]` and `b`, the output's gradient, `[n, z', y', x', columns]`; output `[parts, kernel^3 * channels, columns]`, whose
 * sum over parts is the gradient.
 */
export function weightProgram(shape: WeightShape, half: boolean): Program {
  const { count, input, output, channels, columns, kernel, padding } = shape;
  const vectors = columns % 4 === 0, width = vectors ? columns / 4 : columns;
  const parts = weightParts(shape), rows = kernel ** 3 * channels;
  const inside = padding === 0;
  const volume = output[0] * output[1] * output[2];
  const passes = [...Array(TERM_PASSES).keys()];
  const within = inside ? "" : ["z", "y", "x"].map((axis, a) => ` && u32(place.${axis} + d${axis}) < ${input[a]}u`).join("");
  // The 16 voxels of a step are the same for all rows: one thread each finds where they lie.
  const locate = (depth: string) => `
    if (thread < ${TILE_DEPTH}) {
      let voxel = ${depth} + thread;
      let x = voxel % ${output[2]}; let y = (voxel / ${output[2]}) % ${output[1]}; let z = (voxel / ${output[1] * output[2]}) % ${
    output[0]
  };
      let base = (((voxel / ${volume} * ${input[0]} + z) * ${input[1]} + y) * ${input[2]} + x) * ${channels};
      places[thread] = vec4<i32>(x, y, z, select(-1, base, voxel < depthEnd));
    }`;
  return {
    key: `weight ${[count, input, output, channels, columns, kernel, padding, half]}`,
    output: [parts, rows, columns],
    inputs: ["a", "b"],
    components: [1, vectors ? 4 : 1],
    outputComponents: vectors ? 4 : 1,
    groups: [Math.ceil(rows / TILE_ROWS), Math.ceil(columns / 4 / threadsAcross(columns)), parts],
    code: tileCode({
      columns,
      vectors,
      half,
      declarations: `var<workgroup> places : array<vec4<i32>, ${TILE_DEPTH}>;`,
      rows: "uniforms.outShape.y",
      before: `
  let share = (${count * volume} + ${parts} - 1) / ${parts};
  let depthBegin = i32(workgroupId.z) * share;
  let depthEnd = min(depthBegin + share, ${count * volume});
  let own = thread % ${TILE_ROWS};
  let term = firstRow + own;
  let tap = term / ${channels};
  let dz = tap / ${kernel * kernel} - ${padding};
  let dy = (tap / ${kernel}) % ${kernel} - ${padding};
  let dx = tap % ${kernel} - ${padding};
  let offset = ((dz * ${input[1]} + dy) * ${input[2]} + dx) * ${channels} + term - tap * ${channels};
  ${locate("depthBegin")}
  workgroupBarrier();`,
      stageLeft: passes.map((i) =>
        `{
      let l = thread / ${TILE_ROWS} + ${i * STAGE_TERMS};
      let place = places[l];
      var value = 0.0;
      if (place.w >= 0 && term < rows${within}) { value = a[place.w + offset]; }
      ${stage("own", "value")}
    }`
      ).join("\n    "),
      between: locate(`depth + ${TILE_DEPTH}`),
      rightRow: `(depth + l) * ${width}`,
      resultRow: `(i32(workgroupId.z) * rows + row) * ${width}`,
    }),
  };
}
