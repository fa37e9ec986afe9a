/**
 * Small networks that between them use every layer in every role, with seeded weights and batches.
 * @module
 */
import { inspectNetwork, sizeOf } from "../../../plugins/engines/shapes.ts";
import type { Feed, Layer, NetworkSpec, NetworkState } from "../../../plugins/engines/network.ts";
import { initialiseNetwork } from "../../../plugins/kernels/initialise.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";

/** Epsilon above rounding error: at 1e-8 a parameter whose gradient is 0 but for rounding (a bias before a batch norm) would walk at random. */
const optimiser = { kind: "nadam", beta1: 0.9, beta2: 0.999, epsilon: 1e-5 } as const;
const norm = { op: "batchNorm", momentum: 0.9, epsilon: 1e-3 } as const;

/** Four blocks of YOPO at box 11, with noise. */
export function smallYopo(loss: "softmaxCrossEntropy" | "softmaxCategoricalHinge"): NetworkSpec {
  const layers: Layer[] = [
    { id: "x", op: "input", shape: [1, 11, 11, 11] },
    { id: "noisy", op: "gaussianDropout", from: "x", noise: "noise" },
  ];
  let from = "noisy";
  [4, 6, 3, 5].forEach((channels, i) => {
    layers.push({ id: `conv${i}`, op: "conv3d", from, channels, kernel: 3, padding: "valid" });
    layers.push({ id: `elu${i}`, op: "elu", from: `conv${i}` });
    layers.push({ id: `norm${i}`, from: `elu${i}`, ...norm });
    layers.push({ id: `pool${i}`, op: "globalMaxPool", from: `norm${i}` });
    from = `norm${i}`;
  });
  layers.push({ id: "joined", op: "concat", from: ["pool0", "pool1", "pool2", "pool3"] });
  layers.push({ id: "norm", from: "joined", ...norm });
  layers.push({ id: "features", op: "dense", from: "norm", units: 7 });
  layers.push({ id: "head", op: "dense", from: "features", units: 3 });
  return { layers, outputs: ["features", "head"], loss: { kind: loss, prediction: "head" }, optimiser };
}

/** A decoder: vector to volume. */
export const smallDecoder: NetworkSpec = {
  layers: [
    { id: "features", op: "input", shape: [5] },
    { id: "dense", op: "dense", from: "features", units: 2 * 3 * 3 * 3 },
    { id: "elu0", op: "elu", from: "dense" },
    { id: "seed", op: "reshape", from: "elu0", shape: [2, 3, 3, 3] },
    { id: "up", op: "upsample3d", from: "seed", factor: 2 },
    { id: "conv1", op: "conv3d", from: "up", channels: 3, kernel: 3, padding: "same" },
    { id: "norm1", from: "conv1", ...norm },
    { id: "elu1", op: "elu", from: "norm1" },
    { id: "conv2", op: "conv3d", from: "elu1", channels: 1, kernel: 5, padding: "same" },
    { id: "box", op: "sigmoid", from: "conv2" },
  ],
  outputs: ["box"],
  loss: { kind: "meanSquared", prediction: "box" },
  optimiser,
};

/** Batch norms read in every way at once: by a valid and a padded convolution, a maximum, an activation and a join of volumes. */
export const tangle: NetworkSpec = {
  layers: [
    { id: "x", op: "input", shape: [2, 6, 5, 7] },
    { id: "conv0", op: "conv3d", from: "x", channels: 3, kernel: 3, padding: "same" },
    { id: "norm0", from: "conv0", ...norm },
    { id: "conv1", op: "conv3d", from: "norm0", channels: 2, kernel: 3, padding: "same" },
    { id: "elu1", op: "elu", from: "norm0" },
    { id: "both", op: "concat", from: ["conv1", "norm0", "elu1"] },
    { id: "norm1", from: "both", ...norm },
    { id: "conv2", op: "conv3d", from: "norm1", channels: 3, kernel: 2, padding: "valid" },
    { id: "conv3", op: "conv3d", from: "norm1", channels: 3, kernel: 1, padding: "valid" },
    { id: "pool0", op: "globalMaxPool", from: "norm0" },
    { id: "pool1", op: "globalMaxPool", from: "norm1" },
    { id: "pool2", op: "globalMaxPool", from: "conv2" },
    { id: "pool3", op: "globalMaxPool", from: "conv3" },
    { id: "joined", op: "concat", from: ["pool0", "pool1", "pool2", "pool3"] },
    { id: "head", op: "dense", from: "joined", units: 4 },
  ],
  outputs: ["head", "norm1"],
  loss: { kind: "softmaxCrossEntropy", prediction: "head" },
  optimiser,
};

/** A state with nothing at a special value: gammas of both signs, biases and statistics off zero and one. */
export function unevenState(spec: NetworkSpec, seed: number): NetworkState {
  const state = initialiseNetwork(spec, seed);
  const { uniform, normal } = createRandom(seed, "uneven");
  for (const [name, { values }] of Object.entries(state.arrays)) {
    if (/bias$|beta$|mean$/.test(name)) values.forEach((_, i) => values[i] = 0.3 * normal());
    if (/gamma$/.test(name)) values.forEach((_, i) => values[i] = (i % 3 === 1 ? -1 : 1) * (0.5 + uniform()));
    if (/variance$/.test(name)) values.forEach((_, i) => values[i] = 0.5 + uniform());
  }
  return state;
}

/** A training batch: standard normal inputs, noise of mean 1, soft targets that sum to 1 (or volumes in 0..1). */
export function sampleBatch(spec: NetworkSpec, count: number, seed: number): { inputs: Feed; targets: Float32Array } {
  const network = inspectNetwork(spec);
  const { normal, uniform } = createRandom(seed, "batch");
  const inputs: Record<string, Float32Array> = {};
  for (const [name, shape] of network.feeds) {
    const isNoise = network.noises.has(name);
    inputs[name] = Float32Array.from({ length: count * sizeOf(shape) }, () => isNoise ? 1 + 0.5 * normal() : normal());
  }
  const shape = network.shapes.get(spec.loss!.prediction)!;
  const targets = Float32Array.from({ length: count * sizeOf(shape) }, uniform);
  if (spec.loss!.kind !== "meanSquared") {
    const [units] = shape;
    for (let row = 0; row < count; row++) {
      const part = targets.subarray(row * units, (row + 1) * units);
      part[Math.floor(uniform() * units)] += 4;
      const sum = part.reduce((a, b) => a + b);
      part.forEach((value, i) => part[i] = value / sum);
    }
  }
  return { inputs, targets };
}

/** A copy that an engine may take. */
export function copyFeed(inputs: Feed): Feed {
  return Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, values.slice()]));
}
