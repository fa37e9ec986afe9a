/**
 * A compiled network on TensorFlow.js. Runs inside the engine's worker.
 * @module
 */
import type { Tensor } from "@tensorflow/tfjs-core";
import { RunError } from "../../../streams/errors.ts";
import { BatchHalving } from "../halving.ts";
import { type NadamStep, nadamStep } from "../nadam.ts";
import type { Feed, Network, NetworkSpec, NetworkState, Optimiser } from "../network.ts";
import type { EngineHost } from "../serve_engine.ts";
import { checkState, inspectNetwork, isTrained, type NetworkShapes, sizeOf } from "../shapes.ts";
import type { Backend } from "./backend.ts";
import { parameterIn, parameterOut, toLogical } from "./layout.ts";
import { Pass, type PassMeans } from "./pass.ts";

/** One network: its weights as tensors. */
export class TfjsNetwork implements Network {
  readonly spec: NetworkSpec;
  readonly #backend: Backend;
  readonly #shapes: NetworkShapes;
  readonly #means: PassMeans;
  /** Parameters, moments and running statistics by name, in the inner layout. */
  readonly #tensors = new Map<string, Tensor>();
  readonly #pooled = new Map<string, { readonly mean: Float64Array; readonly meanSquare: Float64Array }>();
  #pooledRows = 0;
  #step = 0;
  #momentumProduct = 1;
  readonly #halving: BatchHalving;
  /** Bytes of the largest tensor of one row. */
  readonly #largestRowBytes: number;

  constructor(backend: Backend, host: EngineHost, spec: NetworkSpec, initial: NetworkState) {
    this.spec = spec;
    this.#backend = backend;
    this.#shapes = inspectNetwork(spec);
    this.#means = { tf: backend.tf, kernels: backend.kernels, network: this.#shapes, parameters: this.#tensors };
    const sizes = [...this.#shapes.shapes.values()].map((shape) => sizeOf(shape) * Float32Array.BYTES_PER_ELEMENT);
    this.#largestRowBytes = Math.max(...sizes);
    // On the processor a step holds every layer's value and the gradients on their way; other devices tell what they hold when it is too much.
    const rowBytes = backend.device === "gpu" ? 0 : 2 * sizes.reduce((sum, bytes) => sum + bytes, 0);
    this.#halving = new BatchHalving(host, this.#shapes, (rows) => rows * rowBytes, backend.inferenceRows);
    this.#setState(initial);
  }

  async infer(inputs: Feed, count: number, outputs: readonly string[]): Promise<Record<string, Float32Array>> {
    const computed = outputs.filter((id) => !this.#shapes.feeds.has(id));
    const results: Record<string, Float32Array> = {};
    for (const id of outputs) {
      results[id] = this.#shapes.feeds.has(id) ? inputs[id] : new Float32Array(count * sizeOf(this.#shapes.shapes.get(id)!));
    }
    await this.#halving.infer(count, (first, used, rows) =>
      this.#work(rows, async () => {
        using pass = new Pass(this.#means, "infer");
        pass.forward(computed, this.#rows(inputs, first, used, rows, false), rows);
        for (const id of computed) {
          const logical = toLogical(this.#backend.tf, pass.value(id));
          const values = await logical.data() as Float32Array;
          if (logical !== pass.value(id)) logical.dispose();
          const size = values.length / rows;
          results[id].set(values.subarray(0, used * size), first * size);
        }
      }));
    return results;
  }

  async trainStep(
    inputs: Feed,
    targets: Float32Array,
    count: number,
    learningRate: number,
    trainable?: readonly string[],
  ): Promise<{ readonly loss: number }> {
    const { optimiser } = this.spec;
    if (!optimiser) throw new RunError("the network has no optimiser: it cannot be trained");
    const loss = await this.#halving.train(inputs, targets, count, async (inputs, targets, count) => {
      const scalars = nadamStep(optimiser, this.#step + 1, this.#momentumProduct, learningRate);
      const next = new Map<string, Tensor>();
      try {
        const value = await this.#work(count, async () => {
          using pass = new Pass(this.#means, "train", trainable);
          const loss = this.#differentiate(pass, inputs, targets, count);
          this.#update(pass, optimiser, scalars, next, trainable);
          const [value] = await loss.data();
          loss.dispose();
          return value;
        });
        // Only now is it known that the device has done all of it.
        for (const [name, tensor] of next) this.#replace(name, tensor);
        next.clear();
        this.#step++;
        this.#momentumProduct = scalars.momentumProduct;
        return value;
      } finally {
        for (const tensor of next.values()) tensor.dispose();
      }
    });
    return { loss };
  }

  async gradients(inputs: Feed, targets: Float32Array, count: number) {
    return await this.#work(count, async () => {
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
    this.#halving.throwIfCancelled();
    const norms = [...this.#shapes.layers.values()].filter(({ op }) => op === "batchNorm");
    if (norms.length === 0) return;
    if (first) {
      this.#pooled.clear();
      this.#pooledRows = 0;
    }
    this.#pooledRows += count;
    await this.#work(count, async () => {
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

  /** Does the work of `rows` rows on the device. */
  async #work<T>(rows: number, work: () => Promise<T>): Promise<T> {
    const needed = rows * this.#largestRowBytes, { largestTensorBytes, guard } = this.#backend;
    if (needed > largestTensorBytes) {
      const [has, wants] = [largestTensorBytes, needed].map((bytes) => `${Math.floor(bytes / 2 ** 20)} MiB`);
      throw new RunError(`out of memory: ${rows} boxes need a tensor of ${wants}, this device allows ${has}`);
    }
    return await guard(work);
  }

  /** Forward and backward; the gradients are the pass's. */
  #differentiate(pass: Pass, inputs: Feed, targets: Float32Array, count: number): Tensor {
    const loss = this.spec.loss!;
    pass.forward([loss.prediction], this.#rows(inputs, 0, count, count, true), count);
    return pass.backward(loss, targets, count);
  }

  /** What the optimiser makes of the parameters, and the running statistics of the layers that are trained, into `next`. */
  #update(pass: Pass, optimiser: Optimiser, scalars: NadamStep, next: Map<string, Tensor>, trainable?: readonly string[]): void {
    const { tf, nadam } = this.#backend;
    for (const [name, gradient] of pass.gradients) {
      const [p, m, v] = ["", ":m", ":v"].map((suffix) => this.#tensors.get(name + suffix)!);
      const made = nadam({ p, m, v, gradient }, optimiser, scalars);
      next.set(name, made.p).set(`${name}:m`, made.m).set(`${name}:v`, made.v);
    }
    for (const layer of this.#shapes.layers.values()) {
      const statistics = pass.statistics.get(layer.id);
      if (layer.op !== "batchNorm" || !statistics || (trainable && !trainable.includes(layer.id))) continue;
      for (const role of ["mean", "variance"] as const) {
        const running = this.#tensors.get(`${layer.id}.${role}`)!;
        const mixed = tf.tidy(() => tf.add(tf.mul(running, layer.momentum), tf.mul(statistics[role], 1 - layer.momentum)));
        next.set(`${layer.id}.${role}`, mixed);
      }
    }
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
}

function namesOf(parameter: NetworkShapes["parameters"][number]): string[] {
  return (isTrained(parameter) ? ["", ":m", ":v"] : [""]).map((suffix) => parameter.name + suffix);
}
