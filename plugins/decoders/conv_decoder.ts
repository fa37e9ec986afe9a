/**
 * `conv-decoder`: what a class looks like to the features that made it.
 * @module
 */
import { z } from "zod";
import { type ClassInput, type ClassResult, type ClassVolume, definePlugin, type PluginContext } from "../../streams/contract.ts";
import { RunError } from "../../streams/errors.ts";
import type { Engine, Layer, Network, NetworkSpec } from "../engines/network.ts";
import { initialiseNetwork } from "../kernels/initialise.ts";
import type { PreparedBoxes } from "../kernels/prepare.ts";

const options = z.strictObject({
  steps: z.int().min(1).max(1_000_000).default(150).meta({ description: "Training steps" }),
  batch: z.int().min(1).max(1024).default(16).meta({ description: "Boxes of one step" }),
  channels: z.int().min(1).max(256).default(8).meta({
    description: "Channels of the fine volumes; the coarse one has four times as many",
  }),
  learningRate: z.number().positive().max(1).default(2e-3).meta({ description: "Nadam's learning rate; it falls to nothing as a cosine" }),
  lowPassVoxels: z.number().min(0).max(8).default(1).meta({
    description: "Sigma of the Gaussian low-pass on the boxes that are learnt; 0 for none",
    unit: "voxels",
  }),
  members: z.int().min(0).max(100).default(3).meta({ description: "Members nearest to a class's centre that are decoded too" }),
});

/** Options with defaults filled in. */
export type ConvDecoderOptions = z.infer<typeof options>;

/** Rows of the table of training losses. */
const LOSS_ROWS = 20;
/** Members of a class whose decoded boxes are compared with the true ones. */
const COMPARED_MEMBERS = 32;
const FEATURES = "features";
const VOLUME = "volume";
const PREPARE_MODULE = new URL("../kernels/prepare.ts", import.meta.url).href;

/**
 * The decoder as data: a dense layer makes a coarse volume, which is doubled and convolved twice; a last convolution gives the box.
 *
 * With b the box edge the coarse volume has ceil((b + 2) / 4) voxels an edge. The finest convolutions are unpadded, so that the box has no
 * margin of zeros in it; the last one's kernel, 1 to 4, takes off what is too much.
 */
export function decoderSpec(dims: number, boxVoxels: number, channels: number): NetworkSpec {
  const edge = Math.ceil((boxVoxels + 2) / 4);
  const coarse = [4 * channels, edge, edge, edge];
  const layers: Layer[] = [
    { id: FEATURES, op: "input", shape: [dims] },
    { id: "dense", op: "dense", from: FEATURES, units: 4 * channels * edge ** 3 },
    { id: "elu0", op: "elu", from: "dense" },
    { id: "coarse", op: "reshape", from: "elu0", shape: coarse },
    { id: "up1", op: "upsample3d", from: "coarse", factor: 2 },
    { id: "conv1", op: "conv3d", from: "up1", channels, kernel: 3, padding: "same" },
    { id: "elu1", op: "elu", from: "conv1" },
    { id: "up2", op: "upsample3d", from: "elu1", factor: 2 },
    { id: "conv2", op: "conv3d", from: "up2", channels, kernel: 3, padding: "valid" },
    { id: "elu2", op: "elu", from: "conv2" },
    { id: VOLUME, op: "conv3d", from: "elu2", channels: 1, kernel: 4 * edge - boxVoxels - 1, padding: "valid" },
  ];
  return {
    layers,
    outputs: [VOLUME],
    loss: { kind: "meanSquared", prediction: VOLUME },
    optimiser: { kind: "nadam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  };
}

/** One run of the decoder over finished classes. */
class Decoding {
  readonly #options: ConvDecoderOptions;
  readonly #context: PluginContext;
  readonly #engine: Engine;
  readonly #input: ClassInput;
  readonly #scaled: Float32Array;

  constructor(chosen: ConvDecoderOptions, context: PluginContext, engine: Engine, input: ClassInput) {
    this.#options = chosen;
    this.#context = context;
    this.#engine = engine;
    this.#input = input;
    this.#scaled = standardise(input.features.values, input.features.dims);
  }

  async run(): Promise<ClassResult> {
    const { boxes, features, classes } = this.#input;
    if (boxes.count === 0) throw new RunError(`${this.#context.stage}: there are no boxes to decode`);
    const spec = decoderSpec(features.dims, boxes.boxVoxels, this.#options.channels);
    const initial = initialiseNetwork(spec, this.#context.random("weights").integer(2 ** 31));
    await using network = await this.#engine.compile(spec, initial);
    const training = await this.#train(network);
    const volumes: ClassVolume[] = [];
    const figures: Record<string, number[]> = { class: [], members: [], memberCorrelation: [], centreCorrelation: [] };
    for (const classId of classes) {
      const described = await this.#describe(network, classId);
      volumes.push(...described.volumes);
      Object.entries(described.figures).forEach(([name, value]) => figures[name].push(value));
    }
    return { volumes, tables: [{ name: "decoder training", columns: training }, { name: "decoded classes", columns: figures }] };
  }

  /** Trains on batches in random order; the next batch is read and prepared while the engine works on this one. */
  async #train(network: Network): Promise<Record<string, number[]>> {
    const { steps, batch, learningRate } = this.#options;
    const { count } = this.#input.boxes;
    const rows: Record<string, number[]> = { step: [], epoch: [], loss: [] };
    const each = Math.max(1, Math.ceil(steps / LOSS_ROWS));
    const random = this.#context.random("order");
    const order: number[] = [];
    const draw = () => {
      while (order.length < batch) order.push(...random.permutation(count));
      return order.splice(0, batch);
    };
    let [sum, summed] = [0, 0];
    let next = this.#batch(draw());
    for (let step = 1; step <= steps; step++) {
      this.#input.signal.throwIfAborted();
      const { inputs, targets } = await next;
      if (step < steps) {
        next = this.#batch(draw());
        // When the step fails, the batch under preparation must not fail unheard.
        next.catch(() => {});
      }
      const rate = learningRate * 0.5 * (1 + Math.cos(Math.PI * (step - 1) / steps));
      const { loss } = await network.trainStep({ [FEATURES]: inputs }, targets, batch, rate);
      sum += loss;
      summed++;
      if (step % each === 0 || step === steps) {
        rows.step.push(step);
        rows.epoch.push(Number((step * batch / count).toFixed(2)));
        rows.loss.push(sum / summed);
        [sum, summed] = [0, 0];
        this.#context.progress(step, steps);
      }
    }
    return rows;
  }

  async #batch(indices: readonly number[]): Promise<{ inputs: Float32Array; targets: Float32Array }> {
    const { dims } = this.#input.features;
    const inputs = new Float32Array(indices.length * dims);
    indices.forEach((index, i) => inputs.set(this.#scaled.subarray(index * dims, (index + 1) * dims), i * dims));
    return { inputs, targets: await this.#prepared(indices) };
  }

  /** Boxes as they are learnt. */
  async #prepared(indices: readonly number[]): Promise<Float32Array> {
    const { boxes, signal } = this.#input;
    const voxels = await boxes.read(indices);
    const { lowPassVoxels } = this.#options;
    const { voxels: prepared } = await this.#context.pool.run<PreparedBoxes>(
      PREPARE_MODULE,
      "prepareBoxes",
      [voxels, indices.length, boxes.boxVoxels, { lowPassVoxels }],
      { transfer: [voxels.buffer], signal },
    );
    return prepared;
  }

  async #describe(network: Network, classId: number) {
    const { boxes, features: { dims }, classIds } = this.#input;
    const members: number[] = [];
    classIds.forEach((id, i) => id === classId && members.push(i));
    const centre = new Float32Array(dims);
    for (const member of members) {
      for (let d = 0; d < dims; d++) centre[d] += this.#scaled[member * dims + d] / members.length;
    }
    const distance = (row: number) => {
      let square = 0;
      for (let d = 0; d < dims; d++) square += (this.#scaled[row * dims + d] - centre[d]) ** 2;
      return square;
    };
    const nearest = members.map((row) => ({ row, far: distance(row) })).sort((a, b) => a.far - b.far || a.row - b.row).map(({ row }) =>
      row
    );
    const compared = nearest.slice(0, Math.max(COMPARED_MEMBERS, this.#options.members));

    const inputs = new Float32Array((1 + compared.length) * dims);
    inputs.set(centre);
    compared.forEach((row, i) => inputs.set(this.#scaled.subarray(row * dims, (row + 1) * dims), (i + 1) * dims));
    const decoded = (await network.infer({ [FEATURES]: inputs }, 1 + compared.length, [VOLUME]))[VOLUME];
    const size = boxes.boxVoxels ** 3;
    const volumeAt = (i: number) => decoded.slice(i * size, (i + 1) * size);

    const truth = await this.#prepared(compared);
    const mean = new Float32Array(size);
    let memberCorrelation = 0;
    for (let i = 0; i < compared.length; i++) {
      const box = truth.subarray(i * size, (i + 1) * size);
      for (let v = 0; v < size; v++) mean[v] += box[v] / compared.length;
      memberCorrelation += correlate(volumeAt(i + 1), box) / compared.length;
    }
    const volume = (name: string, i: number): ClassVolume => ({
      classId,
      name,
      shapeZyx: [boxes.boxVoxels, boxes.boxVoxels, boxes.boxVoxels],
      voxelSizeAngstrom: boxes.voxelSizeAngstrom,
      voxels: volumeAt(i),
    });
    const shown = Math.min(this.#options.members, nearest.length);
    return {
      volumes: [volume("decoded centre", 0), ...Array.from({ length: shown }, (_, i) => volume(`decoded member ${i + 1}`, i + 1))],
      figures: { class: classId, members: members.length, memberCorrelation, centreCorrelation: correlate(volumeAt(0), mean) },
    };
  }
}

/** Zero mean and unit deviation for every column of `[n, dims]`; a constant column becomes zeros. */
function standardise(values: Float32Array, dims: number): Float32Array {
  const count = values.length / dims;
  const scaled = new Float32Array(values.length);
  for (let d = 0; d < dims; d++) {
    let [mean, square] = [0, 0];
    for (let i = d; i < values.length; i += dims) mean += values[i] / count;
    for (let i = d; i < values.length; i += dims) square += (values[i] - mean) ** 2 / count;
    const factor = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let i = d; i < values.length; i += dims) scaled[i] = (values[i] - mean) * factor;
  }
  return scaled;
}

/** Pearson's correlation; 0 when either is constant. */
function correlate(a: Float32Array, b: Float32Array): number {
  let [meanA, meanB] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    meanA += a[i] / a.length;
    meanB += b[i] / b.length;
  }
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i] - meanA) * (b[i] - meanB);
    aa += (a[i] - meanA) ** 2;
    bb += (b[i] - meanB) ** 2;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : 0;
}

/** The plugin. */
export default definePlugin({
  apiVersion: 1,
  name: "conv-decoder",
  kind: "decoder",
  summary: "learns boxes from their features and shows each class's centre and its nearest members",
  options,
  needs: { engine: true },
  create(chosen, context) {
    const { engine } = context;
    if (!engine) throw new RunError(`${context.stage}: conv-decoder needs an engine: name one under "engine" in the manifest`);
    return { describe: (input) => new Decoding(chosen, context, engine, input).run() };
  },
});
