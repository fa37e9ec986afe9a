/**
 * Programs of our own in WGSL, run by TensorFlow.js's WebGPU backend beside its own.
 * @module
 */
import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";

/** Threads of a workgroup. */
export const GROUP = 256;
/** A comment in a program that needs 16-bit numbers: the line that turns them on must come before everything else. */
export const NEEDS_F16 = "// uses f16";

/** One program for one set of shapes. */
export interface Program {
  /** Everything that `code` depends on. */
  readonly key: string;
  readonly output: readonly number[];
  readonly type?: "float32" | "int32";
  /** Names of the inputs in `code`, each a flat array of numbers, or of vectors of 4 when `components` says 4. */
  readonly inputs: readonly string[];
  readonly components?: readonly (1 | 4)[];
  readonly outputComponents?: 1 | 4;
  /** Workgroups along x, y, z; a number alone: threads, one for each index that `main(index : i32)` is called with. */
  readonly groups: readonly [number, number, number] | number;
  /** Names of numbers that come with each call, `uniforms.NAME` in `code`. */
  readonly numbers?: readonly string[];
  /** Reads some of `uniforms`, or the layout that is made from it lacks them: `uniforms.size` is the number of outputs (or vectors of them). */
  readonly code: string;
}

/** Runs a program; what comes back belongs to the caller. */
export function runProgram(
  backend: WebGPUBackend,
  program: Program,
  inputs: readonly TensorInfo[],
  numbers: readonly number[] = [],
): TensorInfo {
  const { groups, output } = program;
  const flat = typeof groups === "number";
  // Groups along x alone are spread over more axes by the backend when there are very many.
  const layout = flat ? { x: output.map((_, axis) => axis) } : { x: [1], y: [2], z: [0] };
  const runnable = {
    variableNames: [...program.inputs],
    variableComponents: program.inputs.map((_, i) => program.components?.[i] ?? 1),
    outputComponent: program.outputComponents ?? 1,
    outputShape: [...output],
    size: flat,
    ...(program.numbers ? { uniforms: program.numbers.map((name) => `${name} : f32,`).join(" ") } : {}),
    workgroupSize: [GROUP, 1, 1] as [number, number, number],
    dispatchLayout: layout,
    dispatch: (flat ? [Math.ceil(groups / GROUP), 1, 1] : [...groups]) as [number, number, number],
    shaderKey: `tomosieve ${program.key}`,
    getUserCode: () => program.code,
  };
  const flattened = inputs.map((input) => ({ ...input, dataId: input.dataId, dtype: input.dtype, shape: [sizeOf(input.shape)] }));
  return backend.runWebGPUProgram(
    runnable,
    flattened,
    program.type ?? "float32",
    numbers.map((value) => ({ type: "float32", data: [value] })),
  );
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, axis) => product * axis, 1);
}
