/**
 * What an engine does when a batch does not fit into memory: it goes on with smaller ones, and says so.
 * @module
 */
import { RunError } from "../../streams/errors.ts";
import { availableBytes, isOutOfMemory } from "./memory.ts";
import type { Feed } from "./network.ts";
import { CancelledError, type EngineHost } from "./serve_engine.ts";
import { type NetworkShapes, sizeOf } from "./shapes.ts";

/** Rows that inference runs at a time: always as many, so that no row's result depends on how many came with it. */
const INFERENCE_ROWS = 8;
/** Share of the memory at hand that one pass may plan with. */
const MEMORY_SHARE = 0.8;

/** Cuts batches to what fits. One for each network. */
export class BatchHalving {
  readonly #host: EngineHost;
  readonly #shapes: NetworkShapes;
  readonly #trainingBytes: (rows: number) => number;
  #inferenceRows: number;
  #largestTrainingBatch = Infinity;
  /** Largest batch that was trained: its memory is held already. */
  #provenBatch = 1;

  /** `trainingBytes`: about how much memory a training step of so many rows takes beside what is held already; 0: of the machine's, none. */
  constructor(host: EngineHost, shapes: NetworkShapes, trainingBytes: (rows: number) => number, inferenceRows = INFERENCE_ROWS) {
    this.#inferenceRows = inferenceRows;
    this.#host = host;
    this.#shapes = shapes;
    this.#trainingBytes = trainingBytes;
  }

  /**
   * Runs inference on `count` rows, always on equally many at a time.
   *
   * @param run Handles `used` rows from `first` on in a batch of `rows`, of which the rest are zeros.
   * @throws {RunError} When a single row does not fit.
   */
  async infer(count: number, run: (first: number, used: number, rows: number) => Promise<void> | void): Promise<void> {
    let first = 0;
    while (first < count) {
      this.throwIfCancelled();
      const rows = this.#inferenceRows;
      const used = Math.min(rows, count - first);
      try {
        await run(first, used, rows);
        first += used;
      } catch (error) {
        if (!isOutOfMemory(error) || rows === 1) throw this.#explain(error, rows);
        this.#inferenceRows = rows >> 1;
        this.#warn("inference", rows, this.#inferenceRows);
      }
    }
  }

  /**
   * Trains on a batch, or on its halves one after the other, each of which is a step.
   *
   * @returns The mean loss over the rows.
   * @throws {RunError} When a single row does not fit.
   */
  async train(
    inputs: Feed,
    targets: Float32Array,
    count: number,
    step: (inputs: Feed, targets: Float32Array, count: number) => Promise<number> | number,
  ): Promise<number> {
    this.throwIfCancelled();
    if (!this.#fits(count)) this.#halve(count);
    if (count <= this.#largestTrainingBatch) {
      try {
        const loss = await step(inputs, targets, count);
        this.#provenBatch = Math.max(this.#provenBatch, count);
        return loss;
      } catch (error) {
        if (!isOutOfMemory(error) || count === 1) throw this.#explain(error, count);
        this.#halve(count);
      }
    }
    const half = count >> 1;
    const size = targets.length / count;
    let loss = 0;
    for (const [first, rows] of [[0, half], [half, count - half]]) {
      const part: Record<string, Float32Array> = {};
      for (const [name, shape] of this.#shapes.feeds) {
        part[name] = inputs[name].subarray(first * sizeOf(shape), (first + rows) * sizeOf(shape));
      }
      loss += await this.train(part, targets.subarray(first * size, (first + rows) * size), rows, step) * rows / count;
    }
    return loss;
  }

  /** @throws {CancelledError} Once the run is cancelled. */
  throwIfCancelled(): void {
    if (this.#host.cancelled()) throw new CancelledError("cancelled");
  }

  /** Whether memory seems to suffice for a training batch. Asked beforehand, since systems kill a process rather than refuse it memory. */
  #fits(count: number): boolean {
    if (count <= this.#provenBatch || count > this.#largestTrainingBatch) return true;
    return this.#trainingBytes(count) - this.#trainingBytes(this.#provenBatch) < availableBytes() * MEMORY_SHARE;
  }

  #halve(count: number): void {
    this.#largestTrainingBatch = Math.ceil(count / 2);
    this.#warn("training", count, this.#largestTrainingBatch);
  }

  #warn(what: string, from: number, to: number): void {
    const smaller = what === "training" ? " (twice as many, smaller steps)" : "";
    this.#host.warn("batch-halved", `${what} with ${from} boxes at a time does not fit into memory: going on with ${to}${smaller}`);
  }

  #explain(error: unknown, rows: number): unknown {
    if (!isOutOfMemory(error)) return error;
    const need = Math.ceil(this.#trainingBytes(rows) / 2 ** 20);
    return new RunError(
      `memory runs out with ${rows} box at a time (about ${need} MiB): make the boxes smaller, the network narrower, or run on a larger machine`,
    );
  }
}
