/**
 * A compiled network on oneDNN. Runs inside the engine's worker.
 * @module
 */
import { RunError } from "../../../streams/errors.ts";
import { BatchHalving } from "../halving.ts";
import { nadamStep } from "../nadam.ts";
import type { Feed, Network, NetworkSpec, NetworkState } from "../network.ts";
import type { EngineHost } from "../serve_engine.ts";
import { checkState, inspectNetwork, isTrained, type NetworkShapes, sizeOf, trainableLayers } from "../shapes.ts";
import { NadamPrimitives } from "./optimiser.ts";
import { Parameters } from "./parameters.ts";
import type { Mode, Pass } from "./pass.ts";
import type { Arena } from "./program.ts";
import { recordPass } from "./record.ts";
import type { Runtime } from "./runtime.ts";

/** Recorded passes that are kept: inference, calibration, and training with whole and with last batches. */
const KEPT_PASSES = 6;
/** Numbers of the arena a number of the layers' outputs: measured .67 for YOPO, 1.06 for the decoder. */
const HELD_SHARE = 1.1;

/** One network: its parameters, and its passes, recorded when first used. */
export class OnednnNetwork implements Network {
  readonly spec: NetworkSpec;
  readonly #runtime: Runtime;
  readonly #arena: Arena;
  readonly #shapes: NetworkShapes;
  readonly #parameters: Parameters;
  readonly #halving: BatchHalving;
  readonly #passes = new Map<string, Pass>();
  readonly #pooled = new Map<string, { mean: Float64Array; meanSquare: Float64Array }>();
  #pooledRows = 0;
  #optimiser: NadamPrimitives | null = null;
  #step = 0;
  #momentumProduct = 1;

  constructor(runtime: Runtime, arena: Arena, host: EngineHost, spec: NetworkSpec, initial: NetworkState) {
    this.spec = spec;
    this.#runtime = runtime;
    this.#arena = arena;
    this.#shapes = inspectNetwork(spec);
    this.#parameters = new Parameters(this.#shapes);
    this.#halving = new BatchHalving(host, this.#shapes, (rows) => rows * trainingBytesPerRow(this.#shapes));
    this.#setState(initial);
  }

  async infer(inputs: Feed, count: number, outputs: readonly string[]): Promise<Record<string, Float32Array>> {
    const computed = outputs.filter((id) => !this.#shapes.feeds.has(id));
    const results: Record<string, Float32Array> = {};
    for (const id of outputs) {
      results[id] = this.#shapes.feeds.has(id) ? inputs[id] : new Float32Array(count * sizeOf(this.#shapes.shapes.get(id)!));
    }
    if (computed.length === 0) return results;
    await this.#halving.infer(count, (first, used, rows) => {
      const pass = this.#pass("infer", rows, computed, new Set());
      this.#run(pass, inputs, first, used);
      for (const id of computed) {
        const size = sizeOf(this.#shapes.shapes.get(id)!);
        results[id].set(pass.results.get(id)!.subarray(0, used * size), first * size);
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
    const { optimiser } = this.spec;
    if (!optimiser) throw new RunError("the network has no optimiser: it cannot be trained");
    const layers = trainableLayers(this.#shapes, trainable);
    this.#optimiser ??= new NadamPrimitives(this.#runtime, this.#parameters, optimiser);
    const update = this.#optimiser;
    const loss = await this.#halving.train(inputs, targets, count, (part, partTargets, rows) => {
      const pass = this.#pass("train", rows, [], layers);
      pass.targets!.set(partTargets);
      this.#run(pass, part, 0, rows);
      const scalars = nadamStep(optimiser, this.#step + 1, this.#momentumProduct, learningRate);
      update.step(layers, scalars);
      this.#step++;
      this.#momentumProduct = scalars.momentumProduct;
      this.#moveStatistics(pass, layers);
      return pass.loss;
    });
    return { loss };
  }

  // deno-lint-ignore require-await -- what goes wrong must reject, not throw
  async gradients(inputs: Feed, targets: Float32Array, count: number) {
    const pass = this.#pass("train", count, [], trainableLayers(this.#shapes, undefined));
    pass.targets!.set(targets);
    this.#run(pass, inputs, 0, count);
    const gradients: Record<string, Float32Array> = {};
    for (const parameter of this.#shapes.parameters) {
      if (isTrained(parameter)) gradients[parameter.name] = this.#parameters.view(parameter.name, "gradients").slice();
    }
    return { loss: pass.loss, gradients };
  }

  // deno-lint-ignore require-await -- as above
  async calibrate(inputs: Feed, count: number, first: boolean): Promise<void> {
    this.#halving.throwIfCancelled();
    const pass = this.#pass("calibrate", count, [], new Set());
    if (pass.statistics.length === 0) return;
    this.#run(pass, inputs, 0, count);
    if (first) {
      this.#pooled.clear();
      this.#pooledRows = 0;
    }
    this.#pooledRows += count;
    for (const { layer, mean, variance } of pass.statistics) {
      const pooled = this.#pooled.get(layer) ?? { mean: new Float64Array(mean.length), meanSquare: new Float64Array(mean.length) };
      this.#pooled.set(layer, pooled);
      const [runningMean, runningVariance] = [this.#parameters.view(`${layer}.mean`), this.#parameters.view(`${layer}.variance`)];
      for (let c = 0; c < mean.length; c++) {
        pooled.mean[c] += mean[c] * count;
        pooled.meanSquare[c] += (variance[c] + mean[c] ** 2) * count;
        runningMean[c] = pooled.mean[c] / this.#pooledRows;
        runningVariance[c] = Math.max(0, pooled.meanSquare[c] / this.#pooledRows - (pooled.mean[c] / this.#pooledRows) ** 2);
      }
    }
    this.#parameters.version++;
  }

  state(): Promise<NetworkState> {
    return Promise.resolve({ step: this.#step, momentumProduct: this.#momentumProduct, arrays: this.#parameters.arrays() });
  }

  // deno-lint-ignore require-await -- as above
  async setState(state: NetworkState): Promise<void> {
    this.#setState(state);
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const pass of this.#passes.values()) pass.program.dispose();
    this.#passes.clear();
    this.#optimiser?.dispose();
    this.#optimiser = null;
    return Promise.resolve();
  }

  #setState(state: NetworkState): void {
    checkState(this.#shapes, state);
    this.#parameters.set(state);
    this.#step = state.step;
    this.#momentumProduct = state.momentumProduct;
  }

  #pass(mode: Mode, count: number, outputs: readonly string[], trainable: ReadonlySet<string>): Pass {
    const key = [mode, count, outputs.join(), [...trainable].sort().join()].join(" ");
    let pass = this.#passes.get(key);
    this.#passes.delete(key);
    pass ??= recordPass({
      runtime: this.#runtime,
      network: this.#shapes,
      parameters: this.#parameters,
      ...{ mode, count, outputs, trainable },
    });
    // The one used last stands last.
    this.#passes.set(key, pass);
    if (this.#passes.size > KEPT_PASSES) {
      const [[oldest, unused]] = this.#passes;
      this.#passes.delete(oldest);
      unused.program.dispose();
    }
    return pass;
  }

  /** Fills in `used` rows from `first` on, zeros after them, and runs. */
  #run(pass: Pass, inputs: Feed, first: number, used: number): void {
    for (const [name, array] of pass.feeds) {
      const size = array.length / pass.count;
      array.set(inputs[name].subarray(first * size, (first + used) * size));
      array.fill(0, used * size);
    }
    pass.program.run(this.#arena, this.#parameters.version);
  }

  #moveStatistics(pass: Pass, layers: ReadonlySet<string>): void {
    for (const { layer, mean, variance } of pass.statistics) {
      const spec = this.#shapes.layers.get(layer)!;
      if (spec.op !== "batchNorm" || !layers.has(layer)) continue;
      const [runningMean, runningVariance] = [this.#parameters.view(`${layer}.mean`), this.#parameters.view(`${layer}.variance`)];
      for (let c = 0; c < mean.length; c++) {
        runningMean[c] = runningMean[c] * spec.momentum + mean[c] * (1 - spec.momentum);
        runningVariance[c] = runningVariance[c] * spec.momentum + variance[c] * (1 - spec.momentum);
      }
    }
  }
}

/** About how many bytes of the arena a row of a training batch takes. */
export function trainingBytesPerRow({ shapes }: NetworkShapes): number {
  let numbers = 0;
  for (const shape of shapes.values()) numbers += sizeOf(shape);
  return 4 * numbers * HELD_SHARE;
}
