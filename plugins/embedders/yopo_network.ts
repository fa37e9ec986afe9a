/**
 * The network YOPO as data, and its learned state as the core keeps it.
 * @module
 */
import type { State } from "../../streams/contract.ts";
import { ShapeError } from "../../streams/errors.ts";
import type { Layer, Loss, NetworkSpec, NetworkState } from "../engines/network.ts";
import { standaloneModel } from "../engines/onnx/models.ts";
import { binnedEdge } from "../kernels/bin.ts";
import { inspectNetwork } from "../engines/shapes.ts";

/** What decides the shapes of a YOPO network. */
export interface YopoShape {
  /** Edge of the stored boxes in voxels. */
  readonly boxVoxels: number;
  /** Voxels of a prepared box that are averaged along each axis before the network sees it. */
  readonly binning: number;
  /** 1: 64, 80 .. 208 channels and 1024 features, as published. */
  readonly width: number;
  /** Rate of the Gaussian dropout on the input; 0: none. */
  readonly gaussianDropout: number;
  /** Classes of the head; null before any were set. */
  readonly classes: number | null;
  readonly loss: Exclude<Loss["kind"], "meanSquared">;
}

/** Blocks as published. */
export const YOPO_BLOCKS = 10;
/** Features may not be fewer than the components that the clusterer takes from them. */
const FEWEST_FEATURES = 16;

/** Names of the layers that callers ask for. */
export const FEATURES = "features";
/** The softmax's logits. */
export const HEAD = "head";
/** The feed with the boxes. */
export const BOXES = "boxes";
/** The feed with the noise of the dropout. */
export const NOISE = "noise";

const optimiser = { kind: "nadam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
/** Keras's defaults. */
const norm = { op: "batchNorm", momentum: 0.99, epsilon: 1e-3 } as const;

/** Blocks that a box has room for: each takes a voxel from every face and must leave one. */
export function yopoBlocks(boxVoxels: number): number {
  return Math.min(YOPO_BLOCKS, Math.floor((boxVoxels - 1) / 2));
}

/** Channels of block `i` (from 1) at a width: the published number scaled, in whole vectors of eight, which processors work on. */
export function yopoChannels(i: number, width: number): number {
  return Math.max(1, Math.round((48 + 16 * i) * width / 8)) * 8;
}

/** Number of features at a width. */
export function yopoFeatures(width: number): number {
  return Math.max(FEWEST_FEATURES, Math.round(1024 * width));
}

/**
 * YOPO: blocks of valid 3x3x3 convolution, ELU and batch norm; the global maximum of each, joined and normalised; a linear layer whose outputs
 * are the features; a linear layer whose softmax is the classes.
 *
 * @throws {ShapeError} When the box has no room for one block.
 * @see Zeng et al. 2023, PNAS, SI. Differs from the paper: channels and features are scaled by `width` (1: as published), boxes under 21 voxels get fewer blocks.
 */
export function yopoSpec({ boxVoxels: stored, binning, width, gaussianDropout, classes, loss }: YopoShape): NetworkSpec {
  const boxVoxels = binnedEdge(stored, binning);
  const blocks = yopoBlocks(boxVoxels);
  if (blocks < 1) throw new ShapeError(`yopo needs boxes of at least 3 voxels, it is given ${boxVoxels}`);
  const layers: Layer[] = [{ id: BOXES, op: "input", shape: [1, boxVoxels, boxVoxels, boxVoxels] }];
  let from = BOXES;
  if (gaussianDropout > 0) {
    layers.push({ id: "dropout", op: "gaussianDropout", from, noise: NOISE });
    from = "dropout";
  }
  const pools: string[] = [];
  for (let i = 1; i <= blocks; i++) {
    const channels = yopoChannels(i, width);
    layers.push({ id: `conv${i}`, op: "conv3d", from, channels, kernel: 3, padding: "valid" });
    layers.push({ id: `elu${i}`, op: "elu", from: `conv${i}` });
    layers.push({ id: `norm${i}`, from: `elu${i}`, ...norm });
    layers.push({ id: `pool${i}`, op: "globalMaxPool", from: `norm${i}` });
    from = `norm${i}`;
    pools.push(`pool${i}`);
  }
  layers.push({ id: "joined", op: "concat", from: pools });
  layers.push({ id: "norm", from: "joined", ...norm });
  layers.push({ id: FEATURES, op: "dense", from: "norm", units: yopoFeatures(width) });
  if (classes === null) return { layers, outputs: [FEATURES] };
  layers.push({ id: HEAD, op: "dense", from: FEATURES, units: classes });
  return { layers, outputs: [FEATURES, HEAD], loss: { kind: loss, prediction: HEAD }, optimiser };
}

/** The head alone, from stored features to classes. */
export function headSpec(dims: number, classes: number, loss: YopoShape["loss"]): NetworkSpec {
  return {
    layers: [{ id: FEATURES, op: "input", shape: [dims] }, { id: HEAD, op: "dense", from: FEATURES, units: classes }],
    outputs: [HEAD],
    loss: { kind: loss, prediction: HEAD },
    optimiser,
  };
}

/** A network's state as the core keeps it. */
export function saveYopo(shape: YopoShape, state: NetworkState): State {
  return {
    version: 1,
    values: { ...shape, step: state.step, momentumProduct: state.momentumProduct },
    arrays: Object.fromEntries(Object.entries(state.arrays).map(([name, { values }]) => [name, values])),
  };
}

/**
 * The reverse of {@linkcode saveYopo}.
 *
 * @throws {ShapeError} When an array is missing or has another length than the network needs.
 */
export function loadYopo(
  { values, arrays }: State,
): { readonly shape: YopoShape; readonly spec: NetworkSpec; readonly state: NetworkState } {
  const shape: YopoShape = {
    boxVoxels: Number(values.boxVoxels),
    binning: Number(values.binning),
    width: Number(values.width),
    gaussianDropout: Number(values.gaussianDropout),
    classes: values.classes === null ? null : Number(values.classes),
    loss: values.loss as YopoShape["loss"],
  };
  const spec = yopoSpec(shape);
  const shaped: Record<string, NetworkState["arrays"][string]> = {};
  for (const parameter of inspectNetwork(spec).parameters) {
    for (const suffix of ["", ":m", ":v"]) {
      const array = arrays[parameter.name + suffix];
      if (array) shaped[parameter.name + suffix] = { shape: parameter.shape, values: Float32Array.from(array) };
    }
  }
  return { shape, spec, state: { step: Number(values.step), momentumProduct: Number(values.momentumProduct), arrays: shaped } };
}

/**
 * Writes a saved state as a plain ONNX inference model: input `boxes` `[batch, 1, b, b, b]` (prepared and binned), outputs `features` and, when classes
 * were set, `head` (logits).
 *
 * @throws {ShapeError} When the state does not fit its own shape.
 */
export function exportYopo(saved: State): Uint8Array {
  const { spec, state } = loadYopo(saved);
  return standaloneModel(inspectNetwork(spec), state);
}
