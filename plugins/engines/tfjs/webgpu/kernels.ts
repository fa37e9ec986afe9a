/**
 * Kernels of the backend `webgpu`: convolutions take the place of TensorFlow.js's own, which compute each voxel by itself; the rest are
 * operations that would otherwise take several passes over the largest tensors, or transpose them.
 * @module
 */
import type { Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import type { Backend } from "../backend.ts";
import { type Kernels, plainKernels } from "../kernels.ts";
import type { Tf } from "../layout.ts";
import { gatherProgram, weightProgram } from "./convolution.ts";
import { type Program, runProgram } from "./program.ts";
import * as reduce from "./reductions.ts";

/** Name under which the backend is registered. */
export const BACKEND = "webgpu";
/** Kernel name of everything that is no operation of TensorFlow.js. */
const PROGRAM = "TomosieveProgram";

interface ConvolutionCall {
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly backend: WebGPUBackend;
}

/** Registers the programs; `half`: convolutions multiply in 16-bit numbers. */
export function registerKernels(tf: Tf, half: boolean): void {
  const replace = (kernelName: string, kernelFunc: (call: ConvolutionCall) => TensorInfo) => {
    if (tf.getKernel(kernelName, BACKEND)) tf.unregisterKernel(kernelName, BACKEND);
    tf.registerKernel({ kernelName, backendName: BACKEND, kernelFunc: kernelFunc as never });
  };
  const inspect = (input: readonly number[], weight: readonly number[], { strides, pad, dilations = 1 }: ConvolutionCall["attrs"]) => {
    const info = tf.backend_util.computeConv3DInfo(
      input as [number, number, number, number, number],
      weight as [number, number, number, number, number],
      strides as [number, number, number],
      dilations as number,
      pad as "same" | "valid",
    );
    const kernel = info.filterDepth, padding = info.padInfo.front;
    const even = [info.filterHeight, info.filterWidth].every((edge) => edge === kernel) &&
      [info.strideDepth, info.strideHeight, info.strideWidth, info.dilationDepth, info.dilationHeight, info.dilationWidth].every((n) =>
        n === 1
      );
    if (!even || info.padInfo.top !== padding || info.padInfo.left !== padding) {
      throw new Error("this convolution has strides, dilations or an uneven kernel: tomosieve's WebGPU kernels have none of them");
    }
    return {
      ...{ kernel, padding, count: info.batchSize, channels: info.inChannels, columns: info.outChannels },
      input: [info.inDepth, info.inHeight, info.inWidth] as const,
      output: [info.outDepth, info.outHeight, info.outWidth] as const,
    };
  };

  replace(tf.Conv3D, ({ inputs: { x, filter }, attrs, backend }) => {
    const { count, input, output, channels, columns, kernel, padding } = inspect(x.shape, filter.shape, attrs);
    const shape = { count, from: input, to: output, channels, columns, kernel, sign: 1, shift: -padding } as const;
    return named(runProgram(backend, gatherProgram(shape, half), [x, filter]), [count, ...output, columns]);
  });
  replace(tf.Conv3DBackpropInputV2, ({ inputs: { dy, filter }, attrs, backend }) => {
    const { count, input, output, channels, columns, kernel, padding } = inspect(attrs.inputShape as number[], filter.shape, attrs);
    // Read over the gradient's channels, made for the input's: the weights' channel axes change places.
    const turned = turn(backend, filter, kernel ** 3, channels, columns);
    const shape = { count, from: output, to: input, channels: columns, columns: channels, kernel, sign: -1, shift: padding } as const;
    const made = runProgram(backend, gatherProgram(shape, half), [dy, turned]);
    backend.disposeData(turned.dataId);
    return named(made, [count, ...input, channels]);
  });
  replace(tf.Conv3DBackpropFilterV2, ({ inputs: { x, dy }, attrs, backend }) => {
    const filterShape = attrs.filterShape as number[];
    const shape = inspect(x.shape, filterShape, attrs);
    const program = weightProgram(shape, half);
    const parts = runProgram(backend, program, [x, dy]);
    const [count, rows, columns] = program.output;
    if (count === 1) return named(parts, filterShape);
    const sum = runProgram(backend, reduce.sumProgram(count, rows * columns, 1, false), [parts]);
    backend.disposeData(parts.dataId);
    return named(sum, filterShape);
  });
  replace(PROGRAM, ({ inputs, attrs, backend }) => {
    const { program, numbers } = attrs as unknown as { program: Program; numbers: readonly number[] };
    return runProgram(backend, program, Object.values(inputs), numbers);
  });
}

/** `[taps, channels, columns]` to `[taps, columns, channels]`. */
function turn(backend: WebGPUBackend, weight: TensorInfo, taps: number, channels: number, columns: number): TensorInfo {
  const size = taps * channels * columns;
  const program: Program = {
    key: `turn ${[taps, channels, columns]}`,
    output: [size],
    inputs: ["x"],
    groups: size,
    code: `
fn main(index : i32) {
  if (index >= uniforms.size) { return; }
  let tap = index / ${channels * columns};
  let column = (index / ${channels}) % ${columns};
  result[index] = x[(tap * ${channels} + index % ${channels}) * ${columns} + column];
}`,
  };
  return runProgram(backend, program, [weight]);
}

/** The same numbers under another shape. */
function named({ dataId, dtype }: TensorInfo, shape: readonly number[]): TensorInfo {
  return { dataId, dtype, shape: [...shape] };
}

/** Kernels for passes, after {@linkcode registerKernels}. */
export function webgpuKernels(tf: Tf): Kernels {
  const run = (program: Program, inputs: readonly Tensor[]) => runOnEngine(tf, program, inputs);
  /** Reduces rows to parts, and the parts to one. */
  const sums = (inputs: readonly Tensor[]): Tensor =>
    tf.tidy(() => {
      const [rows, columns] = inputs[0].shape;
      const parts = reduce.partsOf(rows);
      const first = run(reduce.sumProgram(rows, columns, parts, inputs.length > 1), inputs);
      return tf.reshape(parts === 1 ? first : run(reduce.sumProgram(parts, columns, 1, false), [first]), [columns]);
    });
  const element = (name: string, expression: string, full: Readonly<Record<string, Tensor>>, channel: Readonly<Record<string, Tensor>>) => {
    const [{ shape, size }] = Object.values(full);
    const program = reduce.elementProgram(name, size, shape.at(-1)!, Object.keys(full), Object.keys(channel), expression);
    return tf.tidy(() => tf.reshape(run(program, [...Object.values(full), ...Object.values(channel)]), shape));
  };
  return {
    ...plainKernels(tf),
    columnSums: (x) => sums([x]),
    productSums: (x, y, centre) => sums([x, y, centre]),
    largest: (x) =>
      tf.tidy(() => {
        const [count, voxels, columns] = x.shape;
        const parts = reduce.partsOf(voxels);
        const found = run(reduce.firstMaximumProgram(count, voxels, columns, parts), [x]);
        const positions = parts === 1
          ? tf.reshape(found, [count, columns])
          : run(reduce.bestPartProgram(count, voxels, columns, parts), [x, found]);
        return { values: run(reduce.pickProgram(count, voxels, columns), [x, positions]), positions };
      }),
    spread: (given, positions, voxels) => run(reduce.spreadProgram(given.shape[0], voxels, given.shape[1]!), [given, positions]),
    normalise: (x, mean, scale, shift) => element("normalise", "(x - mean) * scale + shift", { x }, { mean, scale, shift }),
    normaliseGradient: (gradient, x, { mean, slope, rest, scale }) =>
      element("normalise gradient", "(gradient - (x - mean) * slope - rest) * scale", { gradient, x }, { mean, slope, rest, scale }),
    eluGradient: (gradient, output) =>
      element("elu gradient", "gradient * (min(output, Number(0.0)) + Number(1.0))", { gradient, output }, {}),
  };
}

/** One pass for each of moment, square and parameter. */
export function webgpuNadam(tf: Tf): Backend["nadam"] {
  const update = (
    name: string,
    expression: string,
    inputs: Readonly<Record<string, Tensor>>,
    numbers: Readonly<Record<string, number>>,
  ) => {
    const [{ shape, size }] = Object.values(inputs);
    const program = reduce.elementProgram(name, size, size, Object.keys(inputs), [], expression);
    const named = { ...program, numbers: Object.keys(numbers) };
    return tf.tidy(() => tf.reshape(runOnEngine(tf, named, Object.values(inputs), Object.values(numbers)), shape));
  };
  const mix = "uniforms.keep * old + (1.0 - uniforms.keep)";
  return ({ p, m: old, v, gradient }, { beta1, beta2, epsilon }, { gradientFactor, momentFactor, varianceFactor }) => {
    const m = update("moment", `${mix} * gradient`, { old, gradient }, { keep: beta1 });
    const square = update("square", `${mix} * gradient * gradient`, { old: v, gradient }, { keep: beta2 });
    const direction = "(uniforms.gradientFactor * gradient + uniforms.momentFactor * m)";
    const length = "(sqrt(uniforms.varianceFactor * square) + Number(uniforms.epsilon))";
    const numbers = { gradientFactor, momentFactor, varianceFactor, epsilon };
    return { p: update("nadam", `p - ${direction} / ${length}`, { p, gradient, m, square }, numbers), m, v: square };
  };
}

function runOnEngine(tf: Tf, program: Program, inputs: readonly Tensor[], numbers: readonly number[] = []): Tensor {
  const named = Object.fromEntries(inputs.map((tensor, i) => [program.inputs[i], tensor]));
  return tf.engine().runKernel(PROGRAM, named, { program, numbers } as never) as Tensor;
}
