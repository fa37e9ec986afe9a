/**
 * A compiled network on TensorFlow.js. Runs inside the engine's worker.
 * @module
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { RunError } from "../../../streams/errors.ts";
import { nadamStep } from "../nadam.ts";
import type { Feed, Network, NetworkSpec, NetworkState } from "../network.ts";
import { CancelledError, type EngineHost } from "../serve_engine.ts";
import { checkState, inspectNetwork, isTrained, type NetworkShapes, sizeOf } from "../shapes.ts";
import type { Backend } from "./backend.ts";
import { parameterIn, parameterOut, toLogical } from "./layout.ts";
import { Pass, type PassMeans } from "./pass.ts";

/** One network: its weights as tensors. */
export class TfjsNetwork implements Network {
  readonly spec: NetworkSpec;
  readonly #backend: Backend;
  readonly #host: EngineHost;
  readonly #shapes: NetworkShapes;
  readonly #means: PassMeans;
  /** Parameters, moments and running statistics by name, in the inner layout. */
  readonly #tensors = new Map<string, Tensor>();
  readonly #pooled = new Map<string, { readonly mean: Float64Array; readonly meanSquare: Float64Array }>();
  #pooledRows = 0;
  #step = 0;
  #momentumProduct = 1;
  readonly #largestBatch: number;
  #halved = false;

  constructor(backend: Backend, host: EngineHost, spec: NetworkSpec, initial: NetworkState) {
    this.spec = spec;
    this.#backend = backend;
    this.#host = host;
    this.#shapes = inspectNetwork(spec);
    this.#means = { tf: backend.tf, kernels: backend.kernels, network: this.#shapes, parameters: this.#tensors };
    const largest = Math.max(...[...this.#shapes.shapes.values()].map(sizeOf)) * Float32Array.BYTES_PER_ELEMENT;
    this.#largestBatch = Math.floor(backend.largestTensorBytes / largest);
    if (this.#largestBatch < 1) {
      throw new RunError(
        `one box of this network takes a tensor of ${Math.ceil(largest / 2 ** 20)} MiB, this device allows ` +
          `${Math.floor(backend.largestTensorBytes / 2 ** 20)} MiB: make the boxes smaller, the network narrower, or use engine "onnx"`,
      );
    }
    this.#setState(initial);
  }

  async infer(inputs: Feed, count: number, outputs: readonly string[]): Promise<Record<string, Float32Array>> {
    const computed = outputs.filter((id) => !this.#shapes.feeds.has(id));
    const results: Record<string, Float32Array> = {};
    for (const id of outputs) {
      results[id] = this.#shapes.feeds.has(id) ? inputs[id] : new Float32Array(count * sizeOf(this.#shapes.shapes.get(id)!));
    }
    // Always as many rows, so that no row's result depends on how many came with it.
    const rows = Math.min(this.#backend.inferenceRows, this.#largestBatch);
    for (let first = 0; first < count; first += rows) {
      this.#listen();
      const used = Math.min(rows, count - first);
      await this.#backend.guard(async () => {
        using pass = new Pass(this.#means, "infer");
        pass.forward(computed, this.#rows(inputs, first, used, rows, false), rows);
        for (const id of computed) {
          const logical = toLogical(this.#backend.tf, pass.value(id));
          const values = await logical.data() as Float32Array;
          if (logical !== pass.value(id)) logical.dispose();
          const size = values.length / rows;
          results[id].set(values.subarray(0, used * size), first * size);
        }
      });
    }
    return results;
  }

  async trainStep(
    inputs: Feed,
    targets: Float32Array,
    count: number,
    learningRate: number,
    trainable?: readonly string[],
  ): Promise<{ readonly loss: number }> {
    this.#listen();
    if (!this.spec.optimiser) throw new RunError("the network has no optimiser: it cannot be trained");
    if (count > this.#largestBatch) {
      this.#sayHalved(count);
      return await this.#trainHalves(inputs, targets, count, learningRate, trainable);
    }
    return await this.#backend.guard(async () => {
      using pass = new Pass(this.#means, "train", trainable);
      const loss = this.#differentiate(pass, inputs, targets, count);
      this.#update(pass, learningRate, trainable);
      const [value] = await loss.data();
      loss.dispose();
      return { loss: value };
    });
  }

  async gradients(inputs: Feed, targets: Float32Array, count: number) {
    return await this.#backend.guard(async () => {
      using pass = new Pass(this.#means, "train");
      const loss = this.#differentiate(pass, inputs, targets, count);
      const gradients: Record<string, Float32Array> = {};
      for (const [name, gradient] of pass.gradients) gradients[name] = await parameterOut(this.#backend.tf, gradient);
      const [value] = await loss.data();
      loss.dispose();
      return { loss: value, gradients };
    });
  }

  async calibrate(inputs: Feed, count: number, first: boolean): Promise<void> {
    this.#listen();
    const norms = [...this.#shapes.layers.values()].filter(({ op }) => op === "batchNorm");
    if (norms.length === 0) return;
    if (first) {
      this.#pooled.clear();
      this.#pooledRows = 0;
    }
    this.#pooledRows += count;
    await this.#backend.guard(async () => {
      using pass = new Pass(this.#means, "calibrate");
      pass.forward(norms.map(({ id }) => id), this.#rows(inputs, 0, count, count, false), count);
      for (const { id } of norms) {
        const statistics = pass.statistics.get(id)!;
        const mean = await statistics.mean.data(), variance = await statistics.variance.data();
        const pooled = this.#pooled.get(id) ?? { mean: new Float64Array(mean.length), meanSquare: new Float64Array(mean.length) };
        this.#pooled.set(id, pooled);
        const [runningMean, runningVariance] = [new Float32Array(mean.length), new Float32Array(mean.length)];
        for (let c = 0; c < mean.length; c++) {
          pooled.mean[c] += mean[c] * count;
          pooled.meanSquare[c] += (variance[c] + mean[c] ** 2) * count;
          runningMean[c] = pooled.mean[c] / this.#pooledRows;
          runningVariance[c] = Math.max(0, pooled.meanSquare[c] / this.#pooledRows - (pooled.mean[c] / this.#pooledRows) ** 2);
        }
        this.#replace(`${id}.mean`, this.#backend.tf.tensor(runningMean));
        this.#replace(`${id}.variance`, this.#backend.tf.tensor(runningVariance));
      }
    });
  }

  async state(): Promise<NetworkState> {
    const arrays: Record<string, { shape: readonly number[]; values: Float32Array }> = {};
    await this.#backend.guard(async () => {
      for (const parameter of this.#shapes.parameters) {
        for (const name of namesOf(parameter)) {
          arrays[name] = { shape: parameter.shape, values: await parameterOut(this.#backend.tf, this.#tensors.get(name)!) };
        }
      }
    });
    return { step: this.#step, momentumProduct: this.#momentumProduct, arrays };
  }

  // deno-lint-ignore require-await -- a faulty state must reject, not throw
  async setState(state: NetworkState): Promise<void> {
    this.#setState(state);
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const tensor of this.#tensors.values()) tensor.dispose();
    this.#tensors.clear();
    return Promise.resolve();
  }

  #setState(state: NetworkState): void {
    checkState(this.#shapes, state);
    for (const parameter of this.#shapes.parameters) {
      for (const name of namesOf(parameter)) {
        const values = state.arrays[name]?.values.slice() ?? new Float32Array(sizeOf(parameter.shape));
        this.#replace(name, parameterIn(this.#backend.tf, values, parameter.shape));
      }
    }
    this.#step = state.step;
    this.#momentumProduct = state.momentumProduct;
  }

  #replace(name: string, tensor: Tensor): void {
    this.#tensors.get(name)?.dispose();
    this.#tensors.set(name, tensor);
  }

  #listen(): void {
    if (this.#host.cancelled()) throw new CancelledError("cancelled");
  }

  /** Forward and backward; the gradients are the pass's. */
  #differentiate(pass: Pass, inputs: Feed, targets: Float32Array, count: number): Tensor {
    const loss = this.spec.loss!;
    pass.forward([loss.prediction], this.#rows(inputs, 0, count, count, true), count);
    return pass.backward(loss, targets, count);
  }

  /** The optimiser's step and the running statistics of the layers that are trained. */
  #update(pass: Pass, learningRate: number, trainable?: readonly string[]): void {
    const { tf, nadam } = this.#backend;
    const optimiser = this.spec.optimiser!;
    const scalars = nadamStep(optimiser, this.#step + 1, this.#momentumProduct, learningRate);
    for (const [name, gradient] of pass.gradients) {
      const [p, m, v] = ["", ":m", ":v"].map((suffix) => this.#tensors.get(name + suffix)!);
      const next = nadam({ p, m, v, gradient }, optimiser, scalars);
      this.#replace(name, next.p);
      this.#replace(`${name}:m`, next.m);
      this.#replace(`${name}:v`, next.v);
    }
    for (const layer of this.#shapes.layers.values()) {
      const statistics = pass.statistics.get(layer.id);
      if (layer.op !== "batchNorm" || !statistics || (trainable && !trainable.includes(layer.id))) continue;
      for (const role of ["mean", "variance"] as const) {
        const name = `${layer.id}.${role}`;
        const running = tf.tidy(() =>
          tf.add(tf.mul(this.#tensors.get(name)!, layer.momentum), tf.mul(statistics[role], 1 - layer.momentum))
        );
        this.#replace(name, running);
      }
    }
    this.#step++;
    this.#momentumProduct = scalars.momentumProduct;
  }

  /** Feeds for `rows` rows from `first` on, of which `used` are there and the rest are zeros. */
  #rows(inputs: Feed, first: number, used: number, rows: number, training: boolean): Record<string, Float32Array> {
    const feeds: Record<string, Float32Array> = {};
    for (const [name, shape] of this.#shapes.feeds) {
      if (!training && this.#shapes.noises.has(name)) continue;
      const size = sizeOf(shape);
      // A copy: some backends keep what they are given, and noise or boxes may be asked for twice.
      const values = new Float32Array(rows * size);
      values.set(inputs[name].subarray(first * size, (first + used) * size));
      feeds[name] = values;
    }
    return feeds;
  }

  #sayHalved(count: number): void {
    if (this.#halved) return;
    this.#halved = true;
    this.#host.warn(
      "batch-halved",
      `training with ${count} boxes at a time needs a tensor larger than this device allows: going on with ${this.#largestBatch} at most ` +
        "(more, smaller steps)",
    );
  }

  async #trainHalves(...[inputs, targets, count, learningRate, trainable]: Parameters<Network["trainStep"]>): Promise<{ loss: number }> {
    const half = count >> 1;
    let loss = 0;
    for (const [first, rows] of [[0, half], [half, count - half]]) {
      const part = this.#rows(inputs, first, rows, rows, true);
      const size = targets.length / count;
      const step = await this.trainStep(part, targets.subarray(first * size, (first + rows) * size), rows, learningRate, trainable);
      loss += step.loss * rows / count;
    }
    return { loss };
  }
}

function namesOf(parameter: NetworkShapes["parameters"][number]): string[] {
  return (isTrained(parameter) ? ["", ":m", ":v"] : [""]).map((suffix) => parameter.name + suffix);
}
