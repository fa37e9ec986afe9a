/**
 * Convolution layers as graph nodes.
 * @module
 */
import type { Graph } from "./graph.ts";
import { correlate } from "./kernel_gradient.ts";
import type { Affine, Emitted, LayerOf, Pass, Value } from "./pass.ts";
import { convolvePlanes, mirrorKernel, stacksRaw } from "./plane_convolution.ts";

/**
 * A 3D convolution.
 *
 * With y = scale a + shift as input and no padding, conv(y, W) + b = conv(a, W scale) + (b + sum W shift): the batch norm before it costs
 * nothing. Backward, with G the correlation of a and the output's gradient d: dW = scale G + shift sum(d); the gradient of y is d convolved
 * with the mirrored W; its sum is sum W sum(d), and its sum with a is sum W G, so that the batch norm needs no pass to find them either.
 */
export function emitConvolution(pass: Pass, layer: LayerOf<"conv3d">): Emitted {
  const { graph, planes } = pass;
  const { id, from, kernel } = layer;
  const input = pass.value(from);
  const padding = layer.padding === "same" ? (kernel - 1) / 2 : 0;
  const folds = padding === 0 ? input.affine : undefined;
  const tensor = folds ? input.tensor : pass.tensor(from);
  const weight = `${id}.weight`;
  let [usedWeight, usedBias] = [weight, `${id}.bias`];
  if (folds) {
    usedWeight = graph.node("Mul", [weight, asInputs(graph, folds.scale)]);
    const shifted = graph.reduce("Sum", graph.node("Mul", [weight, asInputs(graph, folds.shift)]), [1, 2, 3, 4]);
    usedBias = graph.node("Add", [usedBias, shifted]);
  }
  const raw = input.raw === true;
  const shape = pass.network.shapes.get(id)!;
  const forward = { shape: input.shape, raw, outChannels: layer.channels, kernel, padding };
  const value: Value = { tensor: convolvePlanes(planes, tensor, usedWeight, usedBias, forward), shape };

  return {
    value,
    backward(contributions) {
      const given = pass.sum(contributions, value);
      let volume = "";
      const givenVolume = () => volume ||= planes.toVolume(given, shape);
      const total = planes.overVoxels("Sum", given, shape);
      let correlation = "";
      if (pass.trains(id)) {
        const size = { inChannels: input.shape[0], outChannels: layer.channels, kernel, shape: shape.slice(1) };
        const inputVolume = raw ? tensor : planes.toVolume(tensor, input.shape);
        correlation = correlate(graph, padded(graph, inputVolume, padding), givenVolume(), size);
        pass.gradients.set(weight, folds ? unfold(graph, correlation, total, folds) : correlation);
        pass.gradients.set(`${id}.bias`, total);
      }
      if (!pass.needsGradient(from)) return;
      pass.contribute(from, {
        dense(scale, shift) {
          const mirrored = mirrorKernel(graph, weight, input.shape[0], layer.channels, kernel);
          const scaled = scale ? graph.node("Mul", [mirrored, asOutputs(graph, scale)]) : mirrored;
          // Few channels are better convolved as they are than in a block that is mostly padding.
          const few = stacksRaw(planes, layer.channels, kernel);
          const back = { shape, raw: few, outChannels: input.shape[0], kernel, padding: kernel - 1 - padding };
          return convolvePlanes(planes, few ? givenVolume() : given, scaled, shift ?? null, back);
        },
        sums: folds && correlation
          ? {
            total: overOutputs(graph, graph.node("Mul", [weight, asOutputs(graph, total)])),
            withBase: overOutputs(graph, graph.node("Mul", [weight, correlation])),
          }
          : undefined,
      });
    },
  };
}

/** Gradient of the weights from the correlation with the base: scale G + shift sum(d). */
function unfold(graph: Graph, correlation: string, total: string, { scale, shift }: Affine): string {
  const outer = graph.node("Mul", [asOutputs(graph, total), asInputs(graph, shift)]);
  return graph.node("Add", [graph.node("Mul", [correlation, asInputs(graph, scale)]), outer]);
}

function padded(graph: Graph, tensor: string, by: number): string {
  return by === 0 ? tensor : graph.node("Pad", [tensor, graph.integers([0, 0, by, by, by, 0, 0, by, by, by])]);
}

/** A vector over the input channels of a kernel `[out, in, k, k, k]`. */
function asInputs(graph: Graph, vector: string): string {
  return graph.reshape(vector, [-1, 1, 1, 1]);
}

/** A vector over the output channels of a kernel. */
function asOutputs(graph: Graph, vector: string): string {
  return graph.reshape(vector, [-1, 1, 1, 1, 1]);
}

/** `[out, in, k, k, k]` -> `[in]`. */
function overOutputs(graph: Graph, tensor: string): string {
  return graph.reduce("Sum", tensor, [0, 2, 3, 4]);
}
