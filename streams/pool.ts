/**
 * The one worker pool of a run: `run(module, export, args)` calls a function elsewhere, first come, first served.
 * @module
 */
import type { Pool } from "./contract.ts";

interface Job {
  readonly id: number;
  readonly message: { id: number; module: string; exportName: string; args: readonly unknown[] };
  readonly transfer: ArrayBufferLike[];
  readonly settle: { resolve(value: unknown): void; reject(error: unknown): void };
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: { name: string; message: string; stack?: string };
}

/** Starts workers when they are first needed, at most `size`, and keeps them until it is disposed of. */
export class WorkerPool implements Pool, Disposable {
  readonly size: number;
  #workers: Worker[] = [];
  #idle: Worker[] = [];
  #queue: Job[] = [];
  #running = new Map<Worker, Job>();
  #next = 0;
  #closed = false;

  constructor(size: number) {
    if (!Number.isInteger(size) || size < 1) throw new RangeError(`a pool of ${size} workers: expected an integer of at least 1`);
    this.size = size;
  }

  /** @throws The function's own error, with its name and message; the signal's reason when it aborts (the call's result is then ignored). */
  run<T>(
    module: string,
    exportName: string,
    args: readonly unknown[],
    options: { transfer?: ArrayBufferLike[]; signal?: AbortSignal } = {},
  ): Promise<T> {
    const { signal, transfer = [] } = options;
    if (this.#closed) return Promise.reject(new Error("the worker pool is closed"));
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise<T>((resolve, reject) => {
      const id = this.#next++;
      const stop = () => {
        this.#queue = this.#queue.filter((job) => job.id !== id);
        reject(signal!.reason);
      };
      const settle = {
        resolve: (value: unknown) => {
          signal?.removeEventListener("abort", stop);
          resolve(value as T);
        },
        reject: (error: unknown) => {
          signal?.removeEventListener("abort", stop);
          reject(error);
        },
      };
      signal?.addEventListener("abort", stop, { once: true });
      this.#queue.push({ id, message: { id, module, exportName, args }, transfer, settle });
      this.#dispatch();
    });
  }

  /** Ends every worker; calls still out are rejected. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const worker of this.#workers) worker.terminate();
    const gone = new DOMException("the worker pool was closed", "AbortError");
    for (const job of [...this.#running.values(), ...this.#queue]) job.settle.reject(gone);
    this.#workers = [];
    this.#idle = [];
    this.#queue = [];
    this.#running.clear();
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const worker = this.#idle.pop() ?? (this.#workers.length < this.size ? this.#start() : undefined);
      if (!worker) return;
      const job = this.#queue.shift()!;
      this.#running.set(worker, job);
      try {
        worker.postMessage(job.message, job.transfer as Transferable[]);
      } catch (error) {
        // Not cloneable, or already detached: the caller's fault, the worker is fine.
        this.#running.delete(worker);
        this.#idle.push(worker);
        job.settle.reject(error);
      }
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL("./pool_worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      const job = this.#running.get(worker);
      this.#running.delete(worker);
      this.#idle.push(worker);
      if (job) data.error ? job.settle.reject(revive(data.error)) : job.settle.resolve(data.result);
      this.#dispatch();
    };
    worker.onerror = (event) => {
      // The worker itself died (out of memory, a fault at import): it is replaced by the next job that needs one.
      event.preventDefault();
      const job = this.#running.get(worker);
      this.#running.delete(worker);
      this.#workers = this.#workers.filter((other) => other !== worker);
      job?.settle.reject(new Error(`a worker ended while it ran ${job.message.exportName}: ${event.message}`));
      worker.terminate();
      this.#dispatch();
    };
    this.#workers.push(worker);
    return worker;
  }
}

function revive({ name, message, stack }: { name: string; message: string; stack?: string }): Error {
  const error = name === "RangeError" ? new RangeError(message) : name === "TypeError" ? new TypeError(message) : new Error(message);
  if (error.name !== name) Object.defineProperty(error, "name", { value: name });
  if (stack) error.stack = stack;
  return error;
}
