/**
 * `autoencoder`: features from which a small network can draw the box again.
 *
 * The baseline of the paper: Zeng, Leung, Zeev-Ben-Mordehai and Xu 2018, "A convolutional autoencoder approach for mining features in cellular
 * electron cryo-tomograms and weakly supervised coarse segmentation", J. Struct. Biol. 202. Differs from it: two unpadded convolutions instead
 * of two with pooling, ELU, boxes averaged down first, no k-means (the clusterer is a part of its own).
 * @module
 */
import { z } from "zod";
import { definePlugin, type Embedder, type PluginContext, type State } from "../../streams/contract.ts";
import { RunError, ShapeError } from "../../streams/errors.ts";
import type { Engine, Layer, Network, NetworkSpec, NetworkState } from "../engines/network.ts";
import { inspectNetwork } from "../engines/shapes.ts";
import { shrinkBoxes } from "../kernels/bin.ts";
import { initialiseNetwork } from "../kernels/initialise.ts";
import { prepareSmall } from "./voxels.ts";

const options = z.strictObject({
  features: z.int().min(2).max(1024).default(32).meta({ description: "Width of the bottleneck: the number of features" }),
  channels: z.int().min(1).max(128).default(8).meta({ description: "Channels of its convolutions; the published one has 32" }),
  edgeVoxels: z.int().min(8).max(64).default(12).meta({
    description: "Boxes are averaged down to this edge before the network sees them",
    unit: "voxels",
  }),
  lowPassVoxels: z.number().min(0).max(8).default(1).meta({
    description: "Sigma of the Gaussian low-pass that prepares every box; 0 for none",
    unit: "voxels",
  }),
});
type Options = z.infer<typeof options>;

const BOXES = "boxes", FEATURES = "features", DRAWN = "drawn";
/** Boxes embedded in one call to the engine. */
const CHUNK = 64;

/**
 * The network as data: two unpadded convolutions, a dense bottleneck, a dense coarse volume that is doubled and convolved twice.
 *
 * With e the edge the coarse volume has ceil((e + 2) / 4) voxels an edge; the last kernel, 1 to 4, takes off what is too much.
 */
export function autoencoderSpec({ features, channels, edgeVoxels: e }: Pick<Options, "features" | "channels" | "edgeVoxels">): NetworkSpec {
  const inner = e - 4, coarse = Math.ceil((e + 2) / 4);
  const layers: Layer[] = [
    { id: BOXES, op: "input", shape: [1, e, e, e] },
    { id: "conv1", op: "conv3d", from: BOXES, channels, kernel: 3, padding: "valid" },
    { id: "elu1", op: "elu", from: "conv1" },
    { id: "conv2", op: "conv3d", from: "elu1", channels, kernel: 3, padding: "valid" },
    { id: "elu2", op: "elu", from: "conv2" },
    { id: "flat", op: "reshape", from: "elu2", shape: [channels * inner ** 3] },
    { id: FEATURES, op: "dense", from: "flat", units: features },
    { id: "dense", op: "dense", from: FEATURES, units: channels * coarse ** 3 },
    { id: "elu3", op: "elu", from: "dense" },
    { id: "coarse", op: "reshape", from: "elu3", shape: [channels, coarse, coarse, coarse] },
    { id: "up1", op: "upsample3d", from: "coarse", factor: 2 },
    { id: "conv3", op: "conv3d", from: "up1", channels, kernel: 3, padding: "same" },
    { id: "elu4", op: "elu", from: "conv3" },
    { id: "up2", op: "upsample3d", from: "elu4", factor: 2 },
    { id: "conv4", op: "conv3d", from: "up2", channels, kernel: 3, padding: "valid" },
    { id: "elu5", op: "elu", from: "conv4" },
    { id: DRAWN, op: "conv3d", from: "elu5", channels: 1, kernel: 4 * coarse - e - 1, padding: "valid" },
  ];
  return {
    layers,
    outputs: [FEATURES],
    loss: { kind: "meanSquared", prediction: DRAWN },
    optimiser: { kind: "nadam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  };
}

class Autoencoder implements Embedder {
  readonly trainable = true;
  readonly dims: number;
  readonly prepare: { readonly lowPassVoxels: number };
  #network: Promise<Network> | null = null;

  constructor(readonly options: Options, readonly context: PluginContext, readonly engine: Engine) {
    this.dims = options.features;
    this.prepare = { lowPassVoxels: options.lowPassVoxels };
  }

  async embed(voxels: Float32Array, count: number): Promise<Float32Array> {
    const out = new Float32Array(count * this.dims);
    const boxes = await prepareSmall(voxels, count, this.options, this.context), size = this.options.edgeVoxels ** 3;
    const network = await this.#open();
    for (let first = 0; first < count; first += CHUNK) {
      const rows = Math.min(CHUNK, count - first);
      const found = await network.infer({ [BOXES]: boxes.slice(first * size, (first + rows) * size) }, rows, [FEATURES]);
      out.set(found[FEATURES], first * this.dims);
    }
    return out;
  }

  /** Labels are no concern of it: it learns to draw the boxes again. */
  async trainBatch(voxels: Float32Array, _targets: Float32Array, count: number, learningRate: number): Promise<{ readonly loss: number }> {
    const boxes = shrinkBoxes(voxels, count, Math.round(Math.cbrt(voxels.length / count)), this.options.edgeVoxels);
    return await (await this.#open()).trainStep({ [BOXES]: boxes }, boxes.slice(), count, learningRate);
  }

  setClasses(): Promise<void> {
    return Promise.resolve();
  }

  calibrate(): Promise<void> {
    return Promise.resolve();
  }

  async save(): Promise<State> {
    const { step, momentumProduct, arrays } = await (await this.#open()).state();
    const { features, channels, edgeVoxels } = this.options;
    return {
      version: 1,
      values: { features, channels, edgeVoxels, step, momentumProduct },
      arrays: Object.fromEntries(Object.entries(arrays).map(([name, { values }]) => [name, values])),
    };
  }

  async load({ values, arrays }: State): Promise<void> {
    for (const name of ["features", "channels", "edgeVoxels"] as const) {
      if (values[name] === this.options[name]) continue;
      throw new ShapeError(
        `${this.context.stage}: the saved network has ${name} ${values[name]}, the options say ${this.options[name]}: use what it has`,
      );
    }
    const shaped: Record<string, NetworkState["arrays"][string]> = {};
    for (const { name, shape } of inspectNetwork(autoencoderSpec(this.options)).parameters) {
      for (const suffix of ["", ":m", ":v"]) {
        const array = arrays[name + suffix];
        if (array) shaped[name + suffix] = { shape, values: Float32Array.from(array) };
      }
    }
    const state = { step: Number(values.step), momentumProduct: Number(values.momentumProduct), arrays: shaped };
    await (await this.#open()).setState(state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#network)?.[Symbol.asyncDispose]();
    this.#network = null;
  }

  #open(): Promise<Network> {
    if (!this.#network) {
      const spec = autoencoderSpec(this.options);
      this.#network = this.engine.compile(spec, initialiseNetwork(spec, this.context.random("weights").integer(2 ** 31)));
    }
    return this.#network;
  }
}

/** The plugin. */
export default definePlugin({
  apiVersion: 1,
  name: "autoencoder",
  kind: "embedder",
  summary: "a convolutional autoencoder's bottleneck: the paper's baseline",
  options,
  needs: { engine: true },
  create(chosen, context) {
    if (!context.engine) throw new RunError(`${context.stage}: the autoencoder needs an engine: name one under "engine" in the manifest`);
    return new Autoencoder(chosen, context, context.engine);
  },
});
