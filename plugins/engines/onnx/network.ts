/**
 * A compiled network on ONNX Runtime. Runs inside the engine's worker.
 * @module
 */
import type { InferenceSession, Tensor } from "onnxruntime-node";
import { RunError } from "../../../streams/errors.ts";
import { BatchHalving } from "../halving.ts";
import { nadamStep } from "../nadam.ts";
import type { Feed, Network, NetworkSpec, NetworkState, Optimiser } from "../network.ts";
import type { EngineHost } from "../serve_engine.ts";
import { checkState, inspectNetwork, isTrained, type NetworkShapes, sizeOf } from "../shapes.ts";
import * as models from "./models.ts";
import { INVERSE_COUNT } from "./pass.ts";

/** ONNX Runtime and what its sessions need. */
export interface Runtime {
  readonly ort: typeof import("onnxruntime-node");
  readonly host: EngineHost;
  /** Channels that lie together in volumes, see planes.ts. */
  readonly block: number;
  /** Opens a session for a model. */
  open(model: models.Model): Promise<InferenceSession>;
}

/** Weights live in two sets of arrays: a step reads one and writes the other, which then change places. */
interface Slot {
  current: Tensor;
  spare: Tensor | null;
}

/** One network: its sessions, made when first used, and its weights. */
export class OnnxNetwork implements Network {
  readonly spec: NetworkSpec;
  readonly #runtime: Runtime;
  readonly #shapes: NetworkShapes;
  readonly #slots = new Map<string, Slot>();
  readonly #sessions = new Map<string, { readonly session: InferenceSession; readonly model: models.Model }>();
  readonly #pooled = new Map<string, { mean: Float64Array; meanSquare: Float64Array }>();
  #pooledRows = 0;
  readonly #halving: BatchHalving;
  #step = 0;
  #momentumProduct = 1;

  constructor(runtime: Runtime, spec: NetworkSpec, initial: NetworkState) {
    this.spec = spec;
    this.#runtime = runtime;
    this.#shapes = inspectNetwork(spec);
    const bytes = models.bytesPerRow(this.#shapes, true);
    this.#halving = new BatchHalving(runtime.host, this.#shapes, (rows) => rows * bytes);
    this.#setState(initial);
  }

  async infer(inputs: Feed, count: number, outputs: readonly string[]): Promise<Record<string, Float32Array>> {
    const { block } = this.#runtime;
    const graphOutputs = outputs.filter((id) => !this.#shapes.feeds.has(id));
    const results: Record<string, Float32Array> = {};
    for (const id of outputs) results[id] = this.#shapes.feeds.has(id) ? inputs[id] : this.#empty(id, count);
    const { session, model } = await this.#session(
      `infer ${graphOutputs.join()}`,
      () => models.inferenceModel(this.#shapes, graphOutputs, block),
    );
    await this.#halving.infer(count, async (first, used, rows) => {
      const feeds = { ...this.#parameters(model), ...this.#rows(model, inputs, first, used, rows) };
      const fetched = await session.run(feeds, graphOutputs);
      for (const id of graphOutputs) {
        const size = sizeOf(this.#shapes.shapes.get(id)!);
        results[id].set((fetched[id].data as Float32Array).subarray(0, used * size), first * size);
      }
    });
    return results;
  }

  async trainStep(
    inputs: Feed,
    targets: Float32Array,
    count: number,
    learningRate: number,
    trainable?: readonly string[],
  ): Promise<{ readonly loss: number }> {
    const optimiser = this.spec.optimiser;
    if (!optimiser) throw new RunError("the network has no optimiser: it cannot be trained");
    const loss = await this.#halving.train(
      inputs,
      targets,
      count,
      (...batch) => this.#trainBatch(...batch, learningRate, optimiser, trainable),
    );
    return { loss };
  }

  async #trainBatch(
    inputs: Feed,
    targets: Float32Array,
    count: number,
    learningRate: number,
    optimiser: Optimiser,
    trainable?: readonly string[],
  ): Promise<number> {
    const { session, model } = await this.#session(
      `train ${trainable ? [...trainable].sort().join() : "*"}`,
      () => models.trainingModel(this.#shapes, optimiser, this.#runtime.block, trainable),
    );
    const scalars = nadamStep(optimiser, this.#step + 1, this.#momentumProduct, learningRate);
    const feeds: Record<string, Tensor> = {
      ...this.#parameters(model),
      ...this.#rows(model, inputs, 0, count, count),
      [models.TARGETS]: this.#targets(targets, count),
      [INVERSE_COUNT]: this.#scalar(1 / count),
    };
    const values = [scalars.gradientFactor, scalars.momentFactor, scalars.varianceFactor];
    models.NADAM_SCALARS.forEach((name, i) => feeds[name] = this.#scalar(values[i]));
    const loss = this.#scalar(0);
    const fetches: Record<string, Tensor> = { [models.LOSS]: loss };
    const replaced = model.outputs.filter((name) => name.endsWith(models.NEXT)).map((name) => name.slice(0, -models.NEXT.length));
    for (const name of replaced) fetches[name + models.NEXT] = this.#spare(name);
    await session.run(feeds, fetches);
    for (const name of replaced) {
      const slot = this.#slots.get(name)!;
      [slot.current, slot.spare] = [slot.spare!, slot.current];
    }
    this.#step++;
    this.#momentumProduct = scalars.momentumProduct;
    return (loss.data as Float32Array)[0];
  }

  async gradients(inputs: Feed, targets: Float32Array, count: number) {
    const { session, model } = await this.#session("gradients", () => models.gradientModel(this.#shapes, this.#runtime.block));
    const fetched = await session.run({
      ...this.#parameters(model),
      ...this.#rows(model, inputs, 0, count, count),
      [models.TARGETS]: this.#targets(targets, count),
      [INVERSE_COUNT]: this.#scalar(1 / count),
    });
    const gradients: Record<string, Float32Array> = {};
    for (const name of model.outputs) {
      if (name.endsWith(models.GRADIENT)) gradients[name.slice(0, -models.GRADIENT.length)] = fetched[name].data as Float32Array;
    }
    return { loss: (fetched[models.LOSS].data as Float32Array)[0], gradients };
  }

  async calibrate(inputs: Feed, count: number, first: boolean): Promise<void> {
    this.#halving.throwIfCancelled();
    const { session, model } = await this.#session("calibrate", () => models.calibrationModel(this.#shapes, this.#runtime.block));
    if (model.outputs.length === 0) return;
    const fetched = await session.run({ ...this.#parameters(model), ...this.#rows(model, inputs, 0, count, count) });
    if (first) {
      this.#pooled.clear();
      this.#pooledRows = 0;
    }
    this.#pooledRows += count;
    for (const { id, op } of this.#shapes.layers.values()) {
      if (op !== "batchNorm") continue;
      const mean = fetched[`${id}.mean${models.NEXT}`].data as Float32Array;
      const meanSquare = fetched[`${id}${models.MEAN_SQUARE}`].data as Float32Array;
      const pooled = this.#pooled.get(id) ?? { mean: new Float64Array(mean.length), meanSquare: new Float64Array(mean.length) };
      this.#pooled.set(id, pooled);
      const runningMean = this.#slots.get(`${id}.mean`)!.current.data as Float32Array;
      const runningVariance = this.#slots.get(`${id}.variance`)!.current.data as Float32Array;
      for (let c = 0; c < mean.length; c++) {
        pooled.mean[c] += mean[c] * count;
        pooled.meanSquare[c] += meanSquare[c] * count;
        runningMean[c] = pooled.mean[c] / this.#pooledRows;
        runningVariance[c] = Math.max(0, pooled.meanSquare[c] / this.#pooledRows - (pooled.mean[c] / this.#pooledRows) ** 2);
      }
    }
  }

  state(): Promise<NetworkState> {
    const arrays: Record<string, { shape: readonly number[]; values: Float32Array }> = {};
    for (const [name, { current }] of this.#slots) {
      arrays[name] = { shape: current.dims, values: (current.data as Float32Array).slice() };
    }
    return Promise.resolve({ step: this.#step, momentumProduct: this.#momentumProduct, arrays });
  }

  // deno-lint-ignore require-await -- a faulty state must reject, not throw
  async setState(state: NetworkState): Promise<void> {
    this.#setState(state);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { session } of this.#sessions.values()) await session.release();
    this.#sessions.clear();
    this.#slots.clear();
  }

  #setState(state: NetworkState): void {
    checkState(this.#shapes, state);
    for (const parameter of this.#shapes.parameters) {
      for (const suffix of isTrained(parameter) ? ["", ":m", ":v"] : [""]) {
        const name = parameter.name + suffix;
        const values = state.arrays[name]?.values.slice() ?? new Float32Array(sizeOf(parameter.shape));
        this.#slots.set(name, { current: this.#tensor(values, parameter.shape), spare: null });
      }
    }
    this.#step = state.step;
    this.#momentumProduct = state.momentumProduct;
  }

  async #session(key: string, build: () => models.Model) {
    let known = this.#sessions.get(key);
    if (!known) {
      const model = build();
      known = { session: await this.#runtime.open(model), model: { ...model, bytes: new Uint8Array() } };
      this.#sessions.set(key, known);
    }
    return known;
  }

  /** Feeds for every parameter that a model reads. */
  #parameters(model: models.Model): Record<string, Tensor> {
    const feeds: Record<string, Tensor> = {};
    for (const name of model.inputs) {
      const slot = this.#slots.get(name);
      if (slot) feeds[name] = slot.current;
    }
    return feeds;
  }

  /** Feeds for `rows` rows from `first` on, of which `used` are there and the rest are zeros. */
  #rows(model: models.Model, inputs: Feed, first: number, used: number, rows: number): Record<string, Tensor> {
    const feeds: Record<string, Tensor> = {};
    for (const [name, shape] of this.#shapes.feeds) {
      if (!model.inputs.includes(name)) continue;
      const size = sizeOf(shape);
      let values = inputs[name].subarray(first * size, (first + used) * size);
      if (used < rows) {
        const padded = new Float32Array(rows * size);
        padded.set(values);
        values = padded;
      }
      feeds[name] = this.#tensor(values, [rows, ...shape]);
    }
    return feeds;
  }

  #targets(targets: Float32Array, count: number): Tensor {
    return this.#tensor(targets, [count, ...this.#shapes.shapes.get(this.spec.loss!.prediction)!]);
  }

  #spare(name: string): Tensor {
    const slot = this.#slots.get(name)!;
    slot.spare ??= this.#tensor(new Float32Array(sizeOf(slot.current.dims)), slot.current.dims);
    return slot.spare;
  }

  #empty(id: string, count: number): Float32Array {
    return new Float32Array(count * sizeOf(this.#shapes.shapes.get(id)!));
  }

  #tensor(values: Float32Array, shape: readonly number[]): Tensor {
    return new this.#runtime.ort.Tensor("float32", values, shape);
  }

  #scalar(value: number): Tensor {
    return this.#tensor(Float32Array.of(value), []);
  }
}
