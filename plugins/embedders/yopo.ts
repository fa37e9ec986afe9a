/**
 * `yopo`: the paper's network, from boxes to features.
 * @module
 */
import { z } from "zod";
import { definePlugin, type Embedder, type Features, type PluginContext, type State } from "../../streams/contract.ts";
import { RunError, ShapeError } from "../../streams/errors.ts";
import type { Engine, Network, NetworkState } from "../engines/network.ts";
import { binBoxes, binnedEdge } from "../kernels/bin.ts";
import { initialiseNetwork } from "../kernels/initialise.ts";
import type { PreparedBoxes } from "../kernels/prepare.ts";
import * as yopo from "./yopo_network.ts";

const options = z.strictObject({
  width: z.number().min(0.03125).max(2).default(0.125).meta({
    description: "Scales channels and features: 1 is the published 64..208 channels and 1024 features; cost grows with its square",
  }),
  loss: z.enum(["cross-entropy", "categorical-hinge"]).default("cross-entropy").meta({
    description: "Loss on the softmax head; the reference code uses categorical-hinge",
  }),
  gaussianDropout: z.number().min(0).max(0.9).default(0).meta({
    description: "Rate of the multiplicative Gaussian noise on the input while training; 0.5 as published, which hurts noisy data",
  }),
  lowPassVoxels: z.number().min(0).max(8).default(1).meta({
    description: "Sigma of the Gaussian low-pass that prepares every box; 0 for none",
    unit: "voxels",
  }),
  binning: z.int().min(1).max(4).default(1).meta({
    description: "Prepared boxes are binned by this for the network, as far as 12 voxels stay: 2 costs some tenth to thirtieth of 1",
    unit: "voxels",
  }),
  headEpochs: z.int().min(0).max(1000).default(10).meta({
    description: "Passes over the stored features that fit a new head when the number of classes changes",
  }),
  headLearningRate: z.number().positive().max(1).default(1e-3).meta({
    description: "Learning rate of that fit; 0.0001 in the reference code",
  }),
  headMinimumSteps: z.int().min(0).max(100000).default(200).meta({
    description: "Steps that the fit takes at least, in more epochs when there are few boxes; 0 in the reference code",
  }),
});

/** Options with defaults filled in. */
export type YopoOptions = z.infer<typeof options>;

/** A box is not binned to fewer voxels than this. */
const SMALLEST_BINNED = 12;
/** Boxes prepared in one call to the pool, and embedded in one call to the engine. */
const CHUNK = 32;
/** Boxes whose batch-norm statistics are taken together. */
const CALIBRATION_CHUNK = 32;
/** Rows of one step when a head is fitted. */
const HEAD_BATCH = 64;
const PREPARE_MODULE = new URL("../kernels/prepare.ts", import.meta.url).href;

/** An embedder whose network is made when the first boxes say how large they are. */
class YopoEmbedder implements Embedder {
  readonly trainable = true;
  readonly queuesTraining = true;
  readonly dims: number;
  readonly prepare: { readonly lowPassVoxels: number };
  readonly #options: YopoOptions;
  readonly #context: PluginContext;
  readonly #engine: Engine;
  #shape: yopo.YopoShape | null = null;
  #network: Promise<Network> | null = null;

  constructor(chosen: YopoOptions, context: PluginContext, engine: Engine) {
    this.#options = chosen;
    this.#context = context;
    this.#engine = engine;
    this.dims = yopo.yopoFeatures(chosen.width);
    this.prepare = { lowPassVoxels: chosen.lowPassVoxels };
  }

  async embed(voxels: Float32Array, count: number): Promise<Float32Array> {
    const features = new Float32Array(count * this.dims);
    if (count === 0) return features;
    const network = await this.#open(voxels, count);
    await this.#eachPrepared(voxels, count, CHUNK, async (prepared, rows, first) => {
      const given = await network.infer({ [yopo.BOXES]: prepared }, rows, [yopo.FEATURES]);
      features.set(given[yopo.FEATURES], first * this.dims);
    });
    return features;
  }

  async calibrate(voxels: Float32Array, count: number, first: boolean): Promise<void> {
    if (count === 0) return;
    const network = await this.#open(voxels, count);
    await this.#eachPrepared(voxels, count, CALIBRATION_CHUNK, async (prepared, rows, at) => {
      await network.calibrate({ [yopo.BOXES]: prepared }, rows, first && at === 0);
    });
  }

  async setClasses(k: number, features: Features, targets: Float32Array, key: number): Promise<void> {
    const shape = this.#shape;
    const network = await this.#network;
    if (!shape || !network) throw new RunError("yopo: embed the boxes before classes are set: the network takes its size from them");
    const count = features.values.length / this.dims;
    if (features.dims !== this.dims || targets.length !== count * k) {
      throw new ShapeError(`yopo: ${features.values.length} features of ${features.dims} and ${targets.length} targets for ${k} classes`);
    }
    const { arrays, step, momentumProduct } = await network.state();
    const head = await this.#fitHead(k, features.values, targets, key, step);
    const body = Object.fromEntries(Object.entries(arrays).filter(([name]) => !name.startsWith(`${yopo.HEAD}.`)));
    await this.#replace({ ...shape, classes: k }, { step, momentumProduct, arrays: { ...body, ...head } });
  }

  async trainBatch(voxels: Float32Array, targets: Float32Array, count: number, learningRate: number, key: number) {
    const network = await this.#open(voxels, count);
    if (this.#shape!.classes === null) throw new RunError("yopo: set the classes before training: the network has no head yet");
    const boxes = this.#bin(voxels, count);
    const inputs: Record<string, Float32Array> = { [yopo.BOXES]: boxes };
    if (this.#options.gaussianDropout > 0) inputs[yopo.NOISE] = this.#noise(boxes.length, key);
    return await network.trainStep(inputs, targets, count, learningRate);
  }

  async save(): Promise<State> {
    const network = await this.#network;
    if (!this.#shape || !network) throw new RunError("yopo: nothing to save: no boxes were seen yet");
    return yopo.saveYopo(this.#shape, await network.state());
  }

  async load(saved: State): Promise<void> {
    const { shape, state } = yopo.loadYopo(saved);
    if (yopo.yopoFeatures(shape.width) !== this.dims || shape.width !== this.#options.width) {
      throw new ShapeError(
        `yopo: the saved network has width ${shape.width}, the options say ${this.#options.width}: use the width it has`,
      );
    }
    await this.#replace({ ...shape, ...this.#chosen() }, state);
  }

  async portable(): Promise<Record<string, Uint8Array>> {
    return { "network.onnx": yopo.exportYopo(await this.save()) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#network)?.[Symbol.asyncDispose]();
    this.#network = null;
  }

  /** The network, made on the first call; refuses boxes of another size afterwards. */
  #open(voxels: Float32Array, count: number): Promise<Network> {
    const boxVoxels = Math.round(Math.cbrt(voxels.length / count));
    if (boxVoxels ** 3 * count !== voxels.length) throw new ShapeError(`yopo: ${voxels.length} voxels are not ${count} cubic boxes`);
    if (this.#shape && this.#shape.boxVoxels !== boxVoxels) {
      throw new ShapeError(
        `yopo: the network was made for boxes of ${this.#shape.boxVoxels}^3, it is given ${boxVoxels}^3: use one box size in a run`,
      );
    }
    if (!this.#network) {
      const binning = binnedEdge(boxVoxels, this.#options.binning) >= SMALLEST_BINNED ? this.#options.binning : 1;
      this.#shape = { boxVoxels, binning, classes: null, ...this.#chosen() };
      const edge = binnedEdge(boxVoxels, binning), blocks = yopo.yopoBlocks(edge);
      if (blocks < yopo.YOPO_BLOCKS) {
        this.#context.note(
          "fewer-blocks",
          `boxes of ${edge}^3${
            binning > 1 ? ` (${boxVoxels}^3 binned by ${binning})` : ""
          } have room for ${blocks} of yopo's ${yopo.YOPO_BLOCKS} blocks`,
        );
      }
      const spec = yopo.yopoSpec(this.#shape);
      this.#network = this.#engine.compile(spec, initialiseNetwork(spec, this.#context.random("weights").integer(2 ** 31)));
    }
    return this.#network;
  }

  /** Prepared boxes as the network takes them; always a copy, since the engine keeps what it is given. */
  #bin(prepared: Float32Array, count: number): Float32Array {
    return binBoxes(prepared, count, this.#shape!.boxVoxels, this.#shape!.binning);
  }

  #chosen() {
    const { width, gaussianDropout, loss } = this.#options;
    const kind = loss === "cross-entropy" ? "softmaxCrossEntropy" as const : "softmaxCategoricalHinge" as const;
    return { width, gaussianDropout, loss: kind };
  }

  async #replace(shape: yopo.YopoShape, state: NetworkState): Promise<void> {
    const old = await this.#network;
    this.#network = this.#engine.compile(yopo.yopoSpec(shape), state);
    this.#shape = shape;
    await this.#network;
    await old?.[Symbol.asyncDispose]();
  }

  /** Prepares chunk i + 1 in the pool while `use` works on chunk i. */
  async #eachPrepared(
    voxels: Float32Array,
    count: number,
    chunk: number,
    use: (prepared: Float32Array, rows: number, first: number) => Promise<void>,
  ): Promise<void> {
    const { boxVoxels } = this.#shape!;
    const size = boxVoxels ** 3;
    const prepareChunk = (first: number): Promise<PreparedBoxes> => {
      const rows = Math.min(chunk, count - first);
      const part = voxels.slice(first * size, (first + rows) * size);
      return this.#context.pool.run<PreparedBoxes>(PREPARE_MODULE, "prepareBoxes", [part, rows, boxVoxels, this.prepare], {
        transfer: [part.buffer],
        signal: this.#context.signal,
      });
    };
    let next: Promise<PreparedBoxes> | null = prepareChunk(0);
    for (let first = 0; first < count; first += chunk) {
      const { voxels: prepared } = await next!;
      next = first + chunk < count ? prepareChunk(first + chunk) : null;
      // When `use` fails, the chunk under preparation must not fail unheard.
      next?.catch(() => {});
      const rows = Math.min(chunk, count - first);
      await use(this.#bin(prepared, rows), rows, first);
    }
  }

  /** Fits a new head to stored features; its moments come back scaled so that the whole network's step count corrects them rightly. */
  async #fitHead(k: number, values: Float32Array, targets: Float32Array, key: number, step: number): Promise<NetworkState["arrays"]> {
    const { headEpochs, headMinimumSteps, headLearningRate } = this.#options;
    const spec = yopo.headSpec(this.dims, k, this.#chosen().loss);
    await using head = await this.#engine.compile(spec, initialiseNetwork(spec, this.#context.random("head", key).integer(2 ** 31)));
    const count = targets.length / k;
    const random = this.#context.random("head order", key);
    const epochs = Math.max(headEpochs, Math.ceil(headMinimumSteps / Math.ceil(count / HEAD_BATCH)));
    for (let epoch = 0; epoch < epochs; epoch++) {
      const order = random.permutation(count);
      for (let first = 0; first < count; first += HEAD_BATCH) {
        const rows = order.subarray(first, first + HEAD_BATCH);
        const inputs = gather(values, this.dims, rows);
        await head.trainStep({ [yopo.FEATURES]: inputs }, gather(targets, k, rows), rows.length, headLearningRate);
      }
    }
    const fitted = await head.state();
    const { beta1, beta2 } = spec.optimiser!;
    return Object.fromEntries(
      Object.entries(fitted.arrays).map(([name, { shape, values }]) => {
        const beta = name.endsWith(":m") ? beta1 : name.endsWith(":v") ? beta2 : null;
        const factor = beta === null || fitted.step === 0 ? 1 : (1 - beta ** step) / (1 - beta ** fitted.step);
        return [name, { shape, values: values.map((value) => value * factor) }];
      }),
    );
  }

  /** Noise of mean 1 and variance rate / (1 - rate), as Keras's Gaussian dropout. */
  #noise(length: number, key: number): Float32Array {
    const { gaussianDropout: rate } = this.#options;
    const deviation = Math.sqrt(rate / (1 - rate));
    const { normal } = this.#context.random("noise", key);
    const noise = new Float32Array(length);
    for (let i = 0; i < length; i++) noise[i] = 1 + deviation * normal();
    return noise;
  }
}

/** Rows of a matrix `[n, width]`. */
function gather(values: Float32Array, width: number, rows: Int32Array): Float32Array {
  const gathered = new Float32Array(rows.length * width);
  rows.forEach((row, i) => gathered.set(values.subarray(row * width, (row + 1) * width), i * width));
  return gathered;
}

/** The plugin. */
export default definePlugin({
  apiVersion: 1,
  name: "yopo",
  kind: "embedder",
  summary: "the paper's convolutional network, trained on the labels of the clustering",
  options,
  needs: { engine: true },
  create(chosen, context) {
    if (!context.engine) throw new RunError(`${context.stage}: yopo needs an engine: name one under "engine" in the manifest`);
    return new YopoEmbedder(chosen, context, context.engine);
  },
});
