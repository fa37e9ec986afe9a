/**
 * Convolution layers as graph nodes.
 * @module
 */
import type { Graph } from "./graph.ts";
import { ALL_BUT_CHANNELS, type Emitter, type Pass } from "./pass.ts";

/**
 * A 3D convolution.
 *
 * With y = scale a + shift as input and valid padding, conv(y, W) + b = conv(a, W scale) + (b + sum W shift): the batch norm before it costs
 * nothing. Backward, with G the correlation of a and the output's gradient d: dW = scale G + shift sum(d); the gradient of y is d convolved
 * with the flipped W; its sum is sum W sum(d), and its sum with a is sum W G, so that the batch norm needs no pass to find them either.
 */
export const emitConvolution: Emitter<"conv3d"> = (pass, layer) => {
  const { graph } = pass;
  const { id, from, kernel, padding } = layer;
  const input = pass.value(from);
  const inChannels = input.shape[0];
  const folds = padding === "valid" && input.affine !== undefined;
  const tensor = folds ? input.base : pass.dense(from);
  const weight = `${id}.weight`;
  let [usedWeight, usedBias] = [weight, `${id}.bias`];
  if (folds) {
    const { scale, shift } = input.affine!;
    usedWeight = graph.node("Mul", [weight, pass.perChannel(scale)]);
    const shifted = graph.node("Mul", [weight, pass.perChannel(shift)]);
    usedBias = graph.node("Add", [usedBias, graph.node("ReduceSum", [shifted, graph.integers([1, 2, 3, 4])], { keepdims: 0 })]);
  }
  const before = padding === "same" ? (kernel - 1) / 2 : 0;
  const kernelShape = [kernel, kernel, kernel];
  const base = graph.node("Conv", [tensor, usedWeight, usedBias], { kernel_shape: kernelShape, pads: Array(6).fill(before) });
  const value = { base, shape: pass.network.shapes.get(id)! };

  return {
    value,
    backward(contributions) {
      const given = pass.sum(contributions, value);
      const total = graph.node("ReduceSum", [given, graph.integers(ALL_BUT_CHANNELS)], { keepdims: 0 });
      const size = { inChannels, outChannels: layer.channels, kernel, shape: value.shape.slice(1) };
      let correlation = "";
      if (pass.trains(id)) {
        const padded = before
          ? graph.node("Pad", [tensor, graph.integers([0, 0, before, before, before, 0, 0, before, before, before])])
          : tensor;
        correlation = correlate(graph, padded, given, size);
        pass.gradients.set(`${id}.weight`, folds ? unfold(pass, correlation, total, input.affine!) : correlation);
        pass.gradients.set(`${id}.bias`, total);
      }
      if (!pass.needsGradient(from)) return;
      const pads = Array(6).fill(kernel - 1 - before);
      pass.contribute(from, {
        dense(scale, shift) {
          const flipped = flip(graph, weight, size);
          const scaled = scale ? graph.node("Mul", [flipped, graph.node("Reshape", [scale, graph.integers([-1, 1, 1, 1, 1])])]) : flipped;
          return graph.node("Conv", shift ? [given, scaled, shift] : [given, scaled], { kernel_shape: kernelShape, pads });
        },
        sums: folds && correlation
          ? {
            total: sumOverOutputs(graph, graph.node("Mul", [weight, graph.node("Reshape", [total, graph.integers([-1, 1, 1, 1, 1])])])),
            withBase: sumOverOutputs(graph, graph.node("Mul", [weight, correlation])),
          }
          : undefined,
      });
    },
  };
};

/** Gradient of the weights from the correlation with the base: scale G + shift sum(d). */
function unfold(pass: Pass, correlation: string, total: string, affine: { readonly scale: string; readonly shift: string }): string {
  const { graph } = pass;
  const outer = graph.node("Mul", [graph.node("Reshape", [total, graph.integers([-1, 1, 1, 1, 1])]), pass.perChannel(affine.shift)]);
  return graph.node("Add", [graph.node("Mul", [correlation, pass.perChannel(affine.scale)]), outer]);
}

/** `[out, in, k, k, k]` -> `[in]`. */
function sumOverOutputs(graph: Graph, tensor: string): string {
  return graph.node("ReduceSum", [tensor, graph.integers([0, 2, 3, 4])], { keepdims: 0 });
}

interface Size {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernel: number;
  /** Of the output, `[z, y, x]`. */
  readonly shape: readonly number[];
}

/** `[out, in, k, k, k]` -> `[in, out, k, k, k]`, mirrored along z, y and x. */
function flip(graph: Graph, weight: string, { inChannels, outChannels, kernel }: Size): string {
  const volume = kernel ** 3;
  const flat = graph.node("Reshape", [weight, graph.integers([outChannels, inChannels, volume])]);
  const swapped = graph.node("Transpose", [flat], { perm: [1, 0, 2] });
  const backwards = graph.integers(Array.from({ length: volume }, (_, i) => volume - 1 - i));
  const mirrored = graph.node("Gather", [swapped, backwards], { axis: 2 });
  return graph.node("Reshape", [mirrored, graph.integers([inChannels, outChannels, kernel, kernel, kernel])]);
}

/** G[o, c, k] = sum over rows and voxels p of given[o, p] input[c, p + k]; `[out, in, k, k, k]`. One matrix product an offset, channels last. */
function correlate(graph: Graph, input: string, given: string, { inChannels, outChannels, kernel, shape }: Size): string {
  const channelsLast = { perm: [0, 2, 3, 4, 1] };
  const last = graph.node("Transpose", [input], channelsLast);
  const right = graph.node("Reshape", [graph.node("Transpose", [given], channelsLast), graph.integers([-1, outChannels])]);
  const products: string[] = [];
  for (let offset = 0; offset < kernel ** 3; offset++) {
    const start = [Math.floor(offset / kernel ** 2), Math.floor(offset / kernel) % kernel, offset % kernel];
    const ends = start.map((at, axis) => at + shape[axis]);
    const slice = graph.node("Slice", [last, graph.integers(start), graph.integers(ends), graph.integers([1, 2, 3])]);
    const left = graph.node("Reshape", [slice, graph.integers([-1, inChannels])]);
    const product = graph.node("Gemm", [right, left], { transA: 1 });
    products.push(graph.node("Reshape", [product, graph.integers([outChannels, inChannels, 1])]));
  }
  const joined = graph.nodes("Concat", products, { axis: 2 }, 1)[0];
  return graph.node("Reshape", [joined, graph.integers([outChannels, inChannels, kernel, kernel, kernel])]);
}
