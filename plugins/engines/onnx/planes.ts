/**
 * How volumes lie in memory inside a graph: plane by plane, channels in blocks.
 *
 * A volume `[batch, c, z, y, x]` is kept as `[batch, z, c / block, y, x, block]`, channels padded with zeros to a multiple of `block`, which is
 * the width of the processor's vectors (8 or 16 floats) or 1. To ONNX Runtime it is a batch of planes `[batch z, c, y, x]`: its fastest
 * convolution works on 2D images in just this layout, and a 3D convolution is a sum of them over neighbouring planes. With block 1 only
 * operators of the ONNX standard are used.
 * @module
 */
import { sizeOf } from "../shapes.ts";
import type { Graph } from "./graph.ts";

/** Makes nodes that change layout; `shape` is always that of the volume, `[c, z, y, x]`. */
export class Planes {
  readonly graph: Graph;
  readonly block: number;

  constructor(graph: Graph, block: number) {
    this.graph = graph;
    this.block = block;
  }

  /** Number of channels with padding. */
  padded(channels: number): number {
    return Math.ceil(channels / this.block) * this.block;
  }

  /** `[batch, c, z, y, x]` -> planes. */
  from(tensor: string, shape: readonly number[]): string {
    const { graph, block } = this;
    const [c, z, y, x] = shape;
    const padded = this.padded(c);
    const whole = padded === c ? tensor : graph.node("Pad", [tensor, graph.integers([0, 0, 0, 0, 0, 0, padded - c, 0, 0, 0])]);
    const blocks = graph.reshape(whole, [-1, padded / block, block, z, y * x]);
    return this.canonical(graph.node("Transpose", [blocks], { perm: [0, 3, 1, 4, 2] }), shape);
  }

  /** Planes -> `[batch, c, z, y, x]`. */
  toVolume(tensor: string, shape: readonly number[]): string {
    const { graph, block } = this;
    const [c, z, y, x] = shape;
    const padded = this.padded(c);
    if (block === 1) return graph.node("Transpose", [graph.reshape(tensor, [-1, z, c, y, x])], { perm: [0, 2, 1, 3, 4] });
    const blocks = padded / block;
    let byBlock = tensor;
    if (blocks > 1) byBlock = graph.node("Transpose", [graph.reshape(tensor, [-1, z, blocks, y * x * block])], { perm: [0, 2, 1, 3] });
    const image = graph.reshape(byBlock, [-1, padded, z * y, x]);
    return graph.reshape(graph.ownNode("com.microsoft.nchwc", "ReorderOutput", [image], { channels: c }), [-1, c, z, y, x]);
  }

  /** Any view of planes as `[batch z, c, y, x]`. */
  canonical(tensor: string, [c, , y, x]: readonly number[]): string {
    return this.graph.reshape(tensor, [-1, this.padded(c), y, x]);
  }

  /** Planes as `[batch, z, c y x]`. */
  byPlane(tensor: string, [c, z, y, x]: readonly number[]): string {
    return this.graph.reshape(tensor, [-1, z, this.padded(c) * y * x]);
  }

  /** `count` planes from `first` on (which may be negative), zeros where there are none; the result is canonical for that count. */
  shift(tensor: string, shape: readonly number[], first: number, count: number): string {
    const { graph } = this;
    const z = shape[1];
    if (first === 0 && count === z) return tensor;
    const rows = this.byPlane(tensor, shape);
    const after = first + count - z;
    const shifted = first >= 0 && after <= 0
      ? graph.slice(rows, [1], [first], [first + count])
      : graph.node("Pad", [rows, graph.integers([0, -first, 0, 0, after, 0])]);
    return this.canonical(shifted, shape);
  }

  /** A vector `[c]` with zeros for the padding. */
  padVector(vector: string, channels: number): string {
    const more = this.padded(channels) - channels;
    return more === 0 ? vector : this.graph.node("Pad", [vector, this.graph.integers([0, more])]);
  }

  /** A vector or rows of them `[.., c padded]` without the padding; `axis` is that of the channels. */
  crop(tensor: string, channels: number, axis: number): string {
    return this.padded(channels) === channels ? tensor : this.graph.slice(tensor, [axis], [0], [channels]);
  }

  /** A vector `[c]` repeated over one plane, which broadcasts along planes. */
  tile(vector: string, [c, , y, x]: readonly number[]): string {
    const { graph, block } = this;
    const padded = this.padVector(vector, c);
    const ones = graph.ones([y * x, 1]);
    const plane = graph.node("Mul", [graph.reshape(padded, [-1, 1, block]), ones]);
    return graph.reshape(plane, [this.padded(c), y, x]);
  }

  /** Sum or mean over everything but channels, `[c]`. */
  overVoxels(how: "Sum" | "Mean", tensor: string, shape: readonly number[]): string {
    const { graph, block } = this;
    const [c, , y, x] = shape;
    const planes = graph.reduce(how, graph.reshape(tensor, [-1, this.padded(c) * y * x]), [0]);
    const blocks = graph.reduce(how, graph.reshape(planes, [-1, y * x, block]), [1]);
    return this.crop(graph.reshape(blocks, [-1]), c, 0);
  }

  /**
   * Maximum of each channel: `[batch, c]`. With `where` also the flat position of the first one in a row's planes, `[batch, c]` int64:
   * plane by plane, then voxel by voxel, as the volume is read.
   */
  largest(tensor: string, shape: readonly number[], where: boolean): { readonly values: string; readonly indices: string } {
    const { graph, block } = this;
    const [c, z, y, x] = shape;
    const padded = this.padded(c);
    const blocks = padded / block;
    const voxels = y * x;
    const perPlane = graph.reshape(graph.reduce("Max", graph.reshape(tensor, [-1, voxels, block]), [1]), [-1, z, padded]);
    const values = this.crop(graph.reduce("Max", perPlane, [1]), c, 1);
    if (!where) return { values, indices: "" };
    const plane = graph.node("ArgMax", [perPlane], { axis: 1, keepdims: 1 });
    const zeros = graph.integers(Array(voxels * block).fill(0), [voxels, block]);
    const everywhere = graph.node("Add", [graph.reshape(plane, [-1, 1, blocks, 1, block]), zeros]);
    const volume = graph.reshape(tensor, [-1, z, blocks, voxels, block]);
    const chosen = graph.node("GatherElements", [volume, everywhere], { axis: 1 });
    const voxel = graph.reshape(graph.node("ArgMax", [chosen], { axis: 3, keepdims: 1 }), [-1, padded]);
    const starts = Array.from({ length: padded }, (_, i) => Math.floor(i / block) * voxels * block + i % block);
    const planeStart = graph.node("Mul", [graph.reshape(plane, [-1, padded]), graph.integers([padded * voxels])]);
    const inPlane = graph.node("Add", [graph.node("Mul", [voxel, graph.integers([block])]), graph.integers(starts)]);
    return { values, indices: this.crop(graph.node("Add", [planeStart, inPlane]), c, 1) };
  }

  /** Adds `values` `[batch, c]` to a row's planes at the flat positions `indices` `[batch, c]`. */
  scatter(tensor: string, shape: readonly number[], indices: string, values: string): string {
    const { graph } = this;
    const row = this.padded(shape[0]) * sizeOf(shape.slice(1));
    const flat = graph.reshape(tensor, [-1, row]);
    return this.canonical(graph.node("ScatterElements", [flat, indices, values], { axis: 1, reduction: "add" }), shape);
  }
}
