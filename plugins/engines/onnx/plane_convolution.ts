/**
 * A 3D convolution as a sum of 2D convolutions over neighbouring planes.
 * @module
 */
import type { Graph } from "./graph.ts";
import type { Planes } from "./planes.ts";

/** What is convolved with what. */
export interface PlaneConvolution {
  /** Of the input, `[c, z, y, x]`. */
  readonly shape: readonly number[];
  /** The input is `[batch, c, z, y, x]` still, not planes. */
  readonly raw: boolean;
  readonly outChannels: number;
  readonly kernel: number;
  /** Zeros around the volume, along every axis. */
  readonly padding: number;
}

/**
 * Convolves planes with `weight` `[out, in, k, k, k]` and adds `bias` `[out]` when given. Returns planes.
 *
 * With channels in blocks each offset along z is one 2D convolution that adds to the last. Where there is no such operator (block 1), or too
 * few input channels to fill a block, the planes at all offsets are stacked as channels of one 2D convolution.
 */
export function convolvePlanes(planes: Planes, input: string, weight: string, bias: string | null, how: PlaneConvolution): string {
  const { graph, block } = planes;
  const [channels] = how.shape;
  const stacks = block === 1 || (how.raw && stacksRaw(planes, channels, how.kernel));
  const paddedBias = bias === null ? "" : planes.padVector(bias, how.outChannels);
  const attributes = { kernel_shape: [how.kernel, how.kernel], pads: Array(4).fill(how.padding) };
  if (stacks) {
    const stacked = stack(planes, input, how);
    const kernels = block === 1 ? plainKernels(graph, weight, how) : stackedKernels(planes, weight, how);
    const inputs = paddedBias ? [stacked, kernels, paddedBias] : [stacked, kernels];
    if (block === 1) return graph.node("Conv", inputs, attributes);
    return graph.ownNode("com.microsoft.nchwc", "Conv", inputs, attributes);
  }
  const whole = how.raw ? planes.from(input, how.shape) : input;
  const kernels = blockedKernels(planes, weight, how);
  let sum = "";
  for (let offset = 0; offset < how.kernel; offset++) {
    const shifted = planes.shift(whole, how.shape, offset - how.padding, outPlanes(how));
    const inputs = sum ? [shifted, kernels[offset], "", sum] : [shifted, kernels[offset], paddedBias];
    sum = graph.ownNode("com.microsoft.nchwc", "Conv", inputs, attributes);
  }
  return sum;
}

/** Whether a raw volume has so few channels that its planes at all offsets do not fill one block. */
export function stacksRaw({ block }: Planes, channels: number, kernel: number): boolean {
  return block > 1 && channels * kernel < block;
}

function outPlanes({ shape, kernel, padding }: PlaneConvolution): number {
  return shape[1] + 2 * padding - kernel + 1;
}

/** `[batch z', k c, y, x]`: the planes at each offset, side by side as channels. */
function stack(planes: Planes, input: string, how: PlaneConvolution): string {
  const { graph } = planes;
  const [c, z, y, x] = how.shape;
  // Few raw channels stay unpadded: a layout of its own that only this convolution sees.
  let whole = input;
  if (how.raw) {
    whole = c === 1
      ? graph.reshape(input, [-1, c, y, x])
      : graph.reshape(graph.node("Transpose", [input], { perm: [0, 2, 1, 3, 4] }), [-1, c, y, x]);
  }
  const rows = graph.reshape(whole, [-1, z, c * y * x]);
  const shifts: string[] = [];
  for (let offset = 0; offset < how.kernel; offset++) {
    const first = offset - how.padding;
    const after = first + outPlanes(how) - z;
    const shifted = first >= 0 && after <= 0
      ? graph.slice(rows, [1], [first], [first + outPlanes(how)])
      : graph.node("Pad", [rows, graph.integers([0, -first, 0, 0, after, 0])]);
    shifts.push(graph.reshape(shifted, [-1, c, y, x]));
  }
  return shifts.length === 1 ? shifts[0] : graph.node("Concat", shifts, { axis: 1 });
}

/** `[out, in, k, k, k]` -> `[out, k in, k, k]`. */
function plainKernels(graph: Graph, weight: string, { shape, outChannels, kernel }: PlaneConvolution): string {
  const turned = graph.node("Transpose", [weight], { perm: [0, 2, 1, 3, 4] });
  return graph.reshape(turned, [outChannels, kernel * shape[0], kernel, kernel]);
}

/** The same for blocks of output channels only: stored as `[out / block, k in, k, k, block]`. */
function stackedKernels(planes: Planes, weight: string, { shape, outChannels, kernel }: PlaneConvolution): string {
  const { graph, block } = planes;
  const padded = planes.padded(outChannels);
  const blocks = graph.reshape(padOutputs(planes, weight, outChannels), [padded / block, block, shape[0], kernel, kernel * kernel]);
  const turned = graph.node("Transpose", [blocks], { perm: [0, 3, 2, 4, 1] });
  return graph.reshape(turned, [padded, kernel * shape[0], kernel, kernel]);
}

/** One kernel an offset along z, stored as `[out / block, in / block, k, k, in block, out block]`. */
function blockedKernels(planes: Planes, weight: string, { shape, outChannels, kernel }: PlaneConvolution): string[] {
  const { graph, block } = planes;
  const outs = planes.padded(outChannels);
  const ins = planes.padded(shape[0]);
  let whole = padOutputs(planes, weight, outChannels);
  if (ins > shape[0]) whole = graph.node("Pad", [whole, graph.integers([0, 0, 0, 0, 0, 0, ins - shape[0], 0, 0, 0])]);
  const blocks = graph.reshape(whole, [outs / block, block, ins / block, block, kernel, kernel * kernel]);
  const turned = graph.node("Transpose", [blocks], { perm: [4, 0, 2, 5, 3, 1] });
  const apart = kernel === 1 ? [turned] : graph.nodes("Split", [turned, graph.integers(Array(kernel).fill(1))], { axis: 0 }, kernel);
  return apart.map((part) => graph.reshape(part, [outs, ins, kernel, kernel]));
}

function padOutputs(planes: Planes, weight: string, outChannels: number): string {
  const more = planes.padded(outChannels) - outChannels;
  return more === 0 ? weight : planes.graph.node("Pad", [weight, planes.graph.integers([0, 0, 0, 0, 0, more, 0, 0, 0, 0])]);
}

/** `[out, in, k, k, k]` -> `[in, out, k, k, k]`, mirrored along z, y and x: the kernel of the gradient of the input. */
export function mirrorKernel(graph: Graph, weight: string, inChannels: number, outChannels: number, kernel: number): string {
  const volume = kernel ** 3;
  const swapped = graph.node("Transpose", [graph.reshape(weight, [outChannels, inChannels, volume])], { perm: [1, 0, 2] });
  const backwards = graph.integers(Array.from({ length: volume }, (_, i) => volume - 1 - i));
  const mirrored = graph.node("Gather", [swapped, backwards], { axis: 2 });
  return graph.reshape(mirrored, [inChannels, outChannels, kernel, kernel, kernel]);
}
