/**
 * An engine that lives in a Worker, seen from outside: native calls block an event loop, so they get one of their own.
 * @module
 */
import type { Engine, Feed, Network, NetworkSpec, NetworkState } from "./network.ts";
import { checkFeed, checkState, checkTargets, inspectNetwork, trainableLayers } from "./shapes.ts";
import { RunError, ShapeError } from "../../streams/errors.ts";

/** What main asks of the worker. `args` are structured-cloned; arrays in `transfer` move. */
export interface EngineRequest {
  readonly id: number;
  readonly method: string;
  /** Which compiled network, for methods of a network. */
  readonly network?: number;
  readonly args: readonly unknown[];
}

/** What the worker answers; `warning` answers nothing but tells something. */
export type EngineReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly name: string; readonly message: string } }
  | { readonly warning: { readonly code: string; readonly message: string } };

/** How to start an engine's worker. */
export interface WorkerEngineOptions {
  /** The worker's module: it calls `serveEngine`. */
  readonly module: URL;
  /** Handed to the worker's `open`; must survive structured cloning. */
  readonly options: unknown;
  /** Aborting it ends the work within one batch; every later call is refused. */
  readonly signal: AbortSignal;
  /** Hears what the engine has to say, such as that a batch was halved. */
  warn(code: string, message: string): void;
}

/** What `open` answers. */
export interface EngineFacts {
  readonly name: string;
  readonly device: Engine["device"];
  readonly precision: Engine["precision"];
}

/**
 * Starts an engine in its own worker. Arrays that are handed in move to the worker.
 *
 * @throws {RunError} When the engine cannot start on this machine; the message says why.
 */
export async function openWorkerEngine({ module, options, signal, warn }: WorkerEngineOptions): Promise<Engine> {
  signal.throwIfAborted();
  const line = new Line(module, signal, warn);
  try {
    const facts = await line.ask<EngineFacts>("open", undefined, [options, line.cancelled]);
    return new WorkerEngine(facts, line);
  } catch (error) {
    await line.end();
    throw error;
  }
}

/** Requests out, replies in. */
class Line {
  readonly cancelled = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker: Worker;
  readonly #signal: AbortSignal;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #count = 0;
  #broken: Error | null = null;
  readonly #cancel = () => Atomics.store(this.cancelled, 0, 1);

  constructor(module: URL, signal: AbortSignal, warn: WorkerEngineOptions["warn"]) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#cancel);
    this.#worker = new Worker(module, { type: "module", name: "engine" });
    this.#worker.onmessage = ({ data }: MessageEvent<EngineReply>) => {
      if ("warning" in data) return warn(data.warning.code, data.warning.message);
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ("result" in data) waiting?.resolve(data.result);
      else waiting?.reject(this.#signal.aborted ? this.#signal.reason : revive(data.error));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new RunError(`the engine's worker broke: ${event.message}`));
    };
  }

  async ask<T>(method: string, network: number | undefined, args: readonly unknown[], transfer: Transferable[] = []): Promise<T> {
    this.#signal.throwIfAborted();
    if (this.#broken) throw this.#broken;
    const id = this.#count++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#worker.postMessage({ id, method, network, args } satisfies EngineRequest, transfer);
    return await waiting.promise as T;
  }

  /**
   * Refuses what is queued, lets the native call that runs come to its end, has the worker free what it holds, and ends it. A process that exits
   * while its libraries still compute in another thread crashes.
   */
  async end(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const working = this.#broken === null;
    this.#signal.removeEventListener("abort", this.#cancel);
    this.#cancel();
    this.#fail(this.#signal.aborted ? this.#signal.reason : new RunError("the engine was closed"));
    if (working) {
      const id = this.#count++;
      this.#worker.onmessage = ({ data }: MessageEvent<EngineReply>) => "id" in data && data.id === id && resolve();
      this.#worker.onerror = (event) => (event.preventDefault(), resolve());
      this.#worker.postMessage({ id, method: "close", network: undefined, args: [] } satisfies EngineRequest);
      await promise;
    }
    this.#worker.terminate();
  }

  #fail(error: Error): void {
    this.#broken ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}

function revive({ name, message }: { readonly name: string; readonly message: string }): Error {
  if (name === "ShapeError") return new ShapeError(message);
  if (name === "RunError") return new RunError(message);
  const error = new Error(message);
  error.name = name;
  return error;
}

class WorkerEngine implements Engine {
  readonly name: string;
  readonly device: Engine["device"];
  readonly precision: Engine["precision"];
  readonly #line: Line;

  constructor({ name, device, precision }: EngineFacts, line: Line) {
    this.name = name;
    this.device = device;
    this.precision = precision;
    this.#line = line;
  }

  async compile(spec: NetworkSpec, initial: NetworkState): Promise<Network> {
    checkState(inspectNetwork(spec), initial);
    const id = await this.#line.ask<number>("compile", undefined, [spec, initial]);
    return new WorkerNetwork(spec, id, this.#line);
  }

  matmul(...[a, b, size, options = {}]: Parameters<Engine["matmul"]>): Promise<Float32Array> {
    const { m, k, n } = size;
    if (a.length !== m * k || b.length !== k * n) {
      return Promise.reject(
        new ShapeError(`a matrix product of [${m}, ${k}] by [${k}, ${n}] was given ${a.length} and ${b.length} numbers`),
      );
    }
    return this.#line.ask("matmul", undefined, [a, b, size, options]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#line.end();
  }
}

class WorkerNetwork implements Network {
  readonly spec: NetworkSpec;
  readonly #shapes;
  readonly #id: number;
  readonly #line: Line;

  constructor(spec: NetworkSpec, id: number, line: Line) {
    this.spec = spec;
    this.#shapes = inspectNetwork(spec);
    this.#id = id;
    this.#line = line;
  }

  // deno-lint-ignore require-await -- a faulty feed must reject, not throw
  async infer(inputs: Feed, count: number, outputs: readonly string[]): Promise<Record<string, Float32Array>> {
    checkFeed(this.#shapes, inputs, count, false);
    return this.#line.ask("infer", this.#id, [inputs, count, outputs], buffersOf(inputs));
  }

  // deno-lint-ignore require-await -- as above
  async trainStep(inputs: Feed, targets: Float32Array, count: number, learningRate: number, trainable?: readonly string[]) {
    checkFeed(this.#shapes, inputs, count, true);
    checkTargets(this.#shapes, targets, count);
    trainableLayers(this.#shapes, trainable);
    const args = [inputs, targets, count, learningRate, trainable];
    return this.#line.ask<{ loss: number; milliseconds: number }>("trainStep", this.#id, args, buffersOf(inputs));
  }

  // deno-lint-ignore require-await -- as above
  async gradients(inputs: Feed, targets: Float32Array, count: number) {
    checkFeed(this.#shapes, inputs, count, true);
    checkTargets(this.#shapes, targets, count);
    return this.#line.ask<{ loss: number; gradients: Record<string, Float32Array> }>("gradients", this.#id, [inputs, targets, count]);
  }

  // deno-lint-ignore require-await -- as above
  async calibrate(inputs: Feed, count: number, first: boolean): Promise<void> {
    checkFeed(this.#shapes, inputs, count, false);
    return this.#line.ask("calibrate", this.#id, [inputs, count, first], buffersOf(inputs));
  }

  state(): Promise<NetworkState> {
    return this.#line.ask("state", this.#id, []);
  }

  // deno-lint-ignore require-await -- as above
  async setState(state: NetworkState): Promise<void> {
    checkState(this.#shapes, state);
    return this.#line.ask("setState", this.#id, [state]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#line.ask<void>("dispose", this.#id, []).catch(() => {
      // The engine is closed or cancelled: its worker frees everything.
    });
  }
}

/** The buffers of a feed that can move: whole ones, each once. A view of a part of a buffer is copied instead. */
function buffersOf(inputs: Feed): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { buffer, byteLength } of Object.values(inputs)) {
    if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffers.add(buffer);
  }
  return [...buffers];
}
