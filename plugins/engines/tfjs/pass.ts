/**
 * One pass through a network by TensorFlow.js's operations: forward layer by layer, then backward by the chain rule, written out. Its own
 * automatic gradients are not used: they send a maximum's gradient to every maximum and know no batch norm of volumes.
 * @module
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import type { Layer, Loss } from "../network.ts";
import { inputsOf, type NetworkShapes, sizeOf, trainableLayers } from "../shapes.ts";
import type { Kernels } from "./kernels.ts";
import { fromLogical, type Tf, toInner, toLogical } from "./layout.ts";
import { lossOf } from "./loss.ts";

/** Where the statistics come from and whether there is noise: running and none, of the batch and none, of the batch and noise. */
export type Mode = "infer" | "calibrate" | "train";

/** Mean and variance of a batch norm's input over this batch, `[c]`. */
export interface Statistics {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/** What a pass computes with. */
export interface PassMeans {
  readonly tf: Tf;
  readonly kernels: Kernels;
  readonly network: NetworkShapes;
  /** Parameters and running statistics in the inner layout. */
  readonly parameters: ReadonlyMap<string, Tensor>;
}

/** Tensors of one pass. Disposing of it frees all but what was taken out. */
export class Pass implements Disposable {
  /** Of every batch norm met, unless the mode is `infer`. */
  readonly statistics: Map<string, Statistics> = new Map();
  /** By parameter name, after {@linkcode backward}. */
  readonly gradients: Map<string, Tensor> = new Map();
  readonly #means: PassMeans;
  readonly #mode: Mode;
  readonly #trained: ReadonlySet<string>;
  readonly #needsGradient = new Map<string, boolean>();
  readonly #values = new Map<string, Tensor>();
  /** Where each global maximum stands. */
  readonly #positions = new Map<string, Tensor>();
  /** Summed gradients of layers' outputs. */
  readonly #outer = new Map<string, Tensor>();

  constructor(means: PassMeans, mode: Mode, trainable?: readonly string[]) {
    this.#means = means;
    this.#mode = mode;
    this.#trained = trainableLayers(means.network, trainable);
  }

  /** Runs the layers that `ids` depend on. `inputs` are numbers in the logical layout, `[count, ...shape]` each. */
  forward(ids: readonly string[], inputs: Readonly<Record<string, Float32Array>>, count: number): void {
    const { tf, network } = this.#means;
    const order = [...network.layers.values()];
    const wanted = new Set(ids);
    for (const layer of order.toReversed()) if (wanted.has(layer.id)) inputsOf(layer).forEach((id) => wanted.add(id));
    for (const layer of order) {
      if (!wanted.has(layer.id)) continue;
      this.#values.set(layer.id, tf.tidy(() => this.#forward(layer, inputs, count)));
      if (this.#mode === "infer") this.#freeUnused(layer, ids, wanted);
    }
  }

  /** What layer `id` gave, in the inner layout. It belongs to the pass. */
  value(id: string): Tensor {
    return this.#values.get(id)!;
  }

  /**
   * Gradients of the loss by every trained parameter, from the last layer to the first. What is no longer needed is freed on the way.
   *
   * @returns The loss, a scalar that belongs to the caller.
   */
  backward(loss: Loss, targets: Float32Array, count: number): Tensor {
    const { tf, network } = this.#means;
    const shape = network.shapes.get(loss.prediction)!;
    const [value, gradient] = tf.tidy(() => {
      const found = lossOf(tf, loss.kind, this.value(loss.prediction), fromLogical(tf, targets, count, shape));
      return [found.loss, found.gradient];
    });
    this.#outer.set(loss.prediction, gradient);
    for (const layer of [...network.layers.values()].toReversed()) {
      const given = this.#outer.get(layer.id);
      if (given && this.needsGradient(layer.id)) this.#step(layer, given);
      this.#outer.delete(layer.id);
      given?.dispose();
      // Every reader of this layer has been done.
      this.#values.get(layer.id)?.dispose();
      this.#values.delete(layer.id);
    }
    return value;
  }

  /** Whether anything trained lies at or before layer `id`. */
  needsGradient(id: string): boolean {
    let needs = this.#needsGradient.get(id);
    if (needs === undefined) {
      needs = this.#trained.has(id) || inputsOf(this.#means.network.layers.get(id)!).some((input) => this.needsGradient(input));
      this.#needsGradient.set(id, needs);
    }
    return needs;
  }

  [Symbol.dispose](): void {
    for (const held of [this.#values, this.#positions, this.#outer, this.gradients]) {
      for (const tensor of held.values()) tensor.dispose();
      held.clear();
    }
    for (const { mean, variance } of this.statistics.values()) {
      mean.dispose();
      variance.dispose();
    }
    this.statistics.clear();
  }

  /** At inference a value is freed when its last reader has run. */
  #freeUnused(done: Layer, kept: readonly string[], wanted: ReadonlySet<string>): void {
    for (const id of inputsOf(done)) {
      const readers = [...this.#means.network.layers.values()].filter((layer) => wanted.has(layer.id) && inputsOf(layer).includes(id));
      if (kept.includes(id) || readers.some((layer) => !this.#values.has(layer.id))) continue;
      this.#values.get(id)?.dispose();
    }
  }

  #parameter(name: string): Tensor {
    return this.#means.parameters.get(name)!;
  }

  #forward(layer: Layer, inputs: Readonly<Record<string, Float32Array>>, count: number): Tensor {
    const { tf, kernels, network } = this.#means;
    switch (layer.op) {
      case "input":
        return fromLogical(tf, inputs[layer.id], count, layer.shape);
      case "gaussianDropout": {
        const input = this.value(layer.from);
        if (this.#mode !== "train") return tf.clone(input);
        return tf.mul(input, fromLogical(tf, inputs[layer.noise], count, network.shapes.get(layer.id)!));
      }
      case "conv3d": {
        const products = kernels.convolve(this.value(layer.from), this.#parameter(`${layer.id}.weight`), layer.padding);
        return tf.add(products, this.#parameter(`${layer.id}.bias`));
      }
      case "elu":
        return tf.elu(this.value(layer.from));
      case "sigmoid":
        return tf.sigmoid(this.value(layer.from));
      case "batchNorm":
        return this.#normalise(layer);
      case "globalMaxPool": {
        const { values, positions } = kernels.largest(rows(tf, this.value(layer.from), true));
        this.#positions.get(layer.id)?.dispose();
        this.#positions.set(layer.id, tf.keep(positions));
        return values;
      }
      case "concat": {
        const parts = layer.from.map((id) => this.value(id));
        return parts.length === 1 ? tf.clone(parts[0]) : tf.concat(parts, parts[0].rank - 1);
      }
      case "dense":
        return tf.add(tf.matMul(this.value(layer.from), this.#parameter(`${layer.id}.weight`)), this.#parameter(`${layer.id}.bias`));
      case "upsample3d":
        return [1, 2, 3].reduce((tensor, axis) => stretch(tf, tensor, axis, layer.factor), this.value(layer.from));
      case "reshape":
        return toInner(tf, tf.reshape(toLogical(tf, this.value(layer.from)), [count, ...layer.shape]));
    }
  }

  #normalise(layer: Extract<Layer, { readonly op: "batchNorm" }>): Tensor {
    const { tf, kernels } = this.#means;
    const input = this.value(layer.from);
    const { mean, variance } = this.#mode === "infer"
      ? { mean: this.#parameter(`${layer.id}.mean`), variance: this.#parameter(`${layer.id}.variance`) }
      : this.#measure(layer.id, input);
    const scale = tf.mul(this.#parameter(`${layer.id}.gamma`), tf.rsqrt(tf.add(variance, layer.epsilon)));
    return kernels.normalise(input, mean, scale, this.#parameter(`${layer.id}.beta`));
  }

  /** Two passes: the variance of what is already centred loses no digits. */
  #measure(id: string, input: Tensor): Statistics {
    const { tf, kernels } = this.#means;
    const table = rows(tf, input);
    const each = 1 / table.shape[0];
    const mean = tf.mul(kernels.columnSums(table), each);
    // The sum of x (x - mean) is that of (x - mean)^2, since deviations sum to zero; centred twice it is so in float32 too.
    const centred = tf.sub(table, mean);
    const variance = tf.mul(kernels.productSums(centred, table, mean), each);
    const kept = { mean: tf.keep(mean), variance: tf.keep(variance) };
    this.statistics.set(id, kept);
    return kept;
  }

  /** Backward through one layer: parameters' gradients are kept, inputs' added to what other readers gave. */
  #step(layer: Layer, given: Tensor): void {
    const { tf } = this.#means;
    const wanted = inputsOf(layer).map((id) => this.needsGradient(id));
    const parts = tf.tidy(() => this.#backward(layer, given, wanted).map((part) => part ?? tf.scalar(0)));
    inputsOf(layer).forEach((id, i) => {
      const before = this.#outer.get(id);
      if (!wanted[i]) return parts[i].dispose();
      if (!before) return this.#outer.set(id, parts[i]);
      this.#outer.set(id, tf.add(before, parts[i]));
      before.dispose();
      parts[i].dispose();
    });
  }

  #keep(name: string, gradient: () => Tensor): void {
    const { tf } = this.#means;
    if (this.#trained.has(name.split(".")[0])) this.gradients.set(name, tf.keep(gradient()));
  }

  /** Gradients of the layer's inputs, where they are wanted. */
  #backward(layer: Layer, given: Tensor, [wanted]: readonly boolean[]): (Tensor | null)[] {
    const { tf, kernels } = this.#means;
    const id = layer.id;
    switch (layer.op) {
      case "input":
      case "gaussianDropout":
        return inputsOf(layer).map(() => null); // Noise is only ever on an input, which has no parameters behind it.
      case "elu":
        return [kernels.eluGradient(given, this.value(id))];
      case "sigmoid": {
        const out = this.value(id);
        return [tf.mul(given, tf.mul(out, tf.sub(1, out)))];
      }
      case "reshape":
        return [toInner(tf, tf.reshape(toLogical(tf, given), toLogical(tf, this.value(layer.from)).shape))];
      case "batchNorm":
        return [this.#denormalise(layer, given)];
      case "conv3d": {
        const x = this.value(layer.from), weight = this.#parameter(`${id}.weight`);
        this.#keep(`${id}.bias`, () => kernels.columnSums(rows(tf, given)));
        this.#keep(`${id}.weight`, () => kernels.weightGradient(x, given, weight.shape, layer.padding));
        return [wanted ? kernels.inputGradient(given, weight, x.shape, layer.padding) : null];
      }
      case "globalMaxPool": {
        const { shape } = this.value(layer.from);
        const spread = kernels.spread(given, this.#positions.get(id)!, sizeOf(shape.slice(1, -1)));
        return [tf.reshape(spread, shape)];
      }
      case "concat": {
        const sizes = layer.from.map((from) => this.value(from).shape.at(-1)!);
        return sizes.length === 1 ? [tf.clone(given)] : tf.split(given, sizes, given.rank - 1);
      }
      case "dense": {
        const x = this.value(layer.from);
        this.#keep(`${id}.bias`, () => kernels.columnSums(given));
        this.#keep(`${id}.weight`, () => tf.matMul(x, given, true, false));
        return [wanted ? tf.matMul(given, this.#parameter(`${id}.weight`), false, true) : null];
      }
      case "upsample3d":
        return [[1, 2, 3].reduce((tensor, axis) => squeezeSum(tf, tensor, axis, layer.factor), given)];
    }
  }

  #denormalise(layer: Extract<Layer, { readonly op: "batchNorm" }>, given: Tensor): Tensor {
    const { tf, kernels } = this.#means;
    const input = this.value(layer.from);
    const { mean, variance } = this.statistics.get(layer.id)!;
    const each = 1 / rows(tf, input).shape[0];
    const inverse = tf.rsqrt(tf.add(variance, layer.epsilon));
    const total = kernels.columnSums(rows(tf, given));
    const along = tf.mul(kernels.productSums(rows(tf, given), rows(tf, input), mean), inverse);
    this.#keep(`${layer.id}.beta`, () => tf.clone(total));
    this.#keep(`${layer.id}.gamma`, () => tf.clone(along));
    // gamma / deviation * (g - total / m - normal * along / m), with all that goes by channel gathered in vectors.
    const scale = tf.mul(this.#parameter(`${layer.id}.gamma`), inverse);
    const slope = tf.mul(tf.mul(inverse, along), each);
    return kernels.normaliseGradient(given, input, { mean, slope, rest: tf.mul(total, each), scale });
  }
}

/** A value with all but channels in one axis, `[m, c]`; `perRow`: `[n, v, c]`. */
function rows(tf: Tf, tensor: Tensor, perRow = false): Tensor {
  const channels = tensor.shape.at(-1)!;
  return tf.reshape(tensor, perRow ? [tensor.shape[0], -1, channels] : [-1, channels]);
}

/** Repeats each voxel along `axis`. */
function stretch(tf: Tf, tensor: Tensor, axis: number, factor: number): Tensor {
  const { before, length, after } = around(tensor.shape, axis);
  const tiled = tf.tile(tf.reshape(tensor, [before, length, 1, after]), [1, 1, factor, 1]);
  return tf.reshape(tiled, tensor.shape.map((size, i) => i === axis ? size * factor : size));
}

/** Adds up each run of `factor` voxels along `axis`. */
function squeezeSum(tf: Tf, tensor: Tensor, axis: number, factor: number): Tensor {
  const { before, length, after } = around(tensor.shape, axis);
  const summed = tf.sum(tf.reshape(tensor, [before, length / factor, factor, after]), 2);
  return tf.reshape(summed, tensor.shape.map((size, i) => i === axis ? size / factor : size));
}

function around(shape: readonly number[], axis: number): { before: number; length: number; after: number } {
  return { before: sizeOf(shape.slice(0, axis)), length: shape[axis], after: sizeOf(shape.slice(axis + 1)) };
}
