/**
 * The gradient of a convolution's kernel.
 * @module
 */
import type { Graph } from "./graph.ts";

/** Sizes of a correlation. */
export interface Correlation {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernel: number;
  /** Of the output's gradient, `[z, y, x]`. */
  readonly shape: readonly number[];
}

/** Below this edge the zeros that shifting adds cost more than the copies that it saves. */
const SMALL_EDGE = 5;

/**
 * G[o, c, k] = sum over rows and voxels p of given[o, p] input[c, p + k], `[out, in, k, k, k]`.
 *
 * `input` `[batch, in, z, y, x]` is larger than `given` `[batch, out, z, y, x]` by kernel - 1 along every axis. Joining the input at all k^3 offsets
 * makes it one matrix product over voxels, and many copies. Unless the volume is small, `given` is shifted along z instead, so that the input is
 * copied k^2 times; a product for each offset along y keeps the copies small. Offsets along x come first: their copies are of short rows, and
 * every later one is of long ones.
 */
export function correlate(graph: Graph, input: string, given: string, size: Correlation): string {
  const { inChannels, outChannels, kernel, shape: [z, y, x] } = size;
  const offsets = Array.from({ length: kernel }, (_, i) => i);
  const join = (parts: string[]) => parts.length === 1 ? parts[0] : graph.node("Concat", parts, { axis: 1 });
  const multiply = (left: string, right: string) =>
    graph.reduce("Sum", graph.ownNode("com.microsoft", "FusedMatMul", [left, right], { transB: 1 }), [0]);
  const alongX = kernel === 1 ? input : join(offsets.map((kx) => graph.slice(input, [4], [kx], [kx + x])));
  const columns = kernel * inChannels;
  if (kernel === 1 || Math.min(z, y, x) < SMALL_EDGE) {
    const starts = offsets.flatMap((kz) => offsets.map((ky) => [kz, ky]));
    const parts = kernel === 1 ? [alongX] : starts.map(([kz, ky]) => graph.slice(alongX, [2, 3], [kz, ky], [kz + z, ky + y]));
    const right = graph.reshape(join(parts), [-1, kernel ** 2 * columns, z * y * x]);
    const product = multiply(graph.reshape(given, [-1, outChannels, z * y * x]), right);
    const apart = graph.node("Transpose", [graph.reshape(product, [outChannels, kernel ** 3, inChannels])], { perm: [0, 2, 1] });
    return graph.reshape(apart, [outChannels, inChannels, kernel, kernel, kernel]);
  }
  const whole = z + kernel - 1;
  // Shifted by k along z, `given` meets plane p + k of the input at plane p.
  const shifted = offsets.map((kz) => graph.node("Pad", [given, graph.integers([0, 0, kz, 0, 0, 0, 0, whole - z - kz, 0, 0])]));
  const left = graph.reshape(join(shifted), [-1, kernel * outChannels, whole * y * x]);
  const products = offsets.map((ky) => {
    const right = graph.reshape(graph.slice(alongX, [3], [ky], [ky + y]), [-1, columns, whole * y * x]);
    return graph.reshape(multiply(left, right), [kernel, outChannels, 1, kernel, inChannels]);
  });
  return graph.node("Transpose", [graph.node("Concat", products, { axis: 2 })], { perm: [1, 4, 0, 2, 3] });
}
