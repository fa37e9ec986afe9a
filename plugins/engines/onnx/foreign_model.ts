/**
 * A network that another program has exported to ONNX, applied to tiles of volumes in a worker of its own. Importing this loads no tensor
 * library.
 * @module
 */
import type { Triple } from "../../../streams/contract.ts";
import { InputError, RunError } from "../../../streams/errors.ts";
import type { TileLayout } from "./foreign_layout.ts";

/** What the worker is asked. */
export type ForeignRequest =
  | { readonly id: number; readonly ask: "open"; readonly path: string; readonly threads: number }
  | { readonly id: number; readonly ask: "run"; readonly tile: Float32Array<ArrayBuffer>; readonly tileZyx: Triple };
/** What it answers. */
export type ForeignReply = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string };

/** A network from one volume to one volume of the same size. */
export interface ForeignModel extends AsyncDisposable {
  /** Sizes of a tile that it insists on; null where any will do. A network of sections has depth 1. */
  readonly fixedZyx: readonly (number | null)[];
  /** Applies it to one tile `[z, y, x]`, whose buffer moves. @throws {InputError} When the network fails on it. */
  run(tile: Float32Array<ArrayBuffer>, tileZyx: Triple): Promise<Float32Array>;
}

/**
 * Opens a model.
 *
 * @param path An `.onnx` file: one float32 input, its first output of the same size.
 * @param signal Aborting it ends the worker, within the tile that it works on.
 * @throws {InputError} When the file is no such model; the message says what it takes and what was expected.
 */
export async function openForeignModel(path: string, threads: number, signal: AbortSignal): Promise<ForeignModel> {
  signal.throwIfAborted();
  const worker = new Worker(new URL("./foreign_worker.ts", import.meta.url), { type: "module", name: "onnx model" });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let count = 0, ended: Error | null = null;
  const end = (reason: Error) => {
    if (ended) return;
    ended = reason;
    worker.terminate();
    signal.removeEventListener("abort", onAbort);
    for (const each of waiting.values()) each.reject(reason);
    waiting.clear();
  };
  const onAbort = () => end(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  worker.onmessage = ({ data }: MessageEvent<ForeignReply>) => {
    const asked = waiting.get(data.id);
    waiting.delete(data.id);
    if ("error" in data) asked?.reject(new InputError(path, data.error));
    else asked?.resolve(data.result);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    end(new RunError(`${path}: the worker that runs it broke: ${event.message}`));
  };
  const ask = <T>(request: (id: number) => ForeignRequest, transfer: Transferable[]): Promise<T> => {
    if (ended) return Promise.reject(ended);
    const id = count++, asked = Promise.withResolvers<unknown>();
    waiting.set(id, asked);
    worker.postMessage(request(id), transfer);
    return asked.promise as Promise<T>;
  };
  const close = () => end(new RunError(`${path}: the model was closed`));
  try {
    const opened = await ask<{ layout: TileLayout } | { fault: string }>((id) => ({ id, ask: "open", path, threads }), []);
    if ("fault" in opened) throw new InputError(path, opened.fault);
    return {
      fixedZyx: opened.layout.fixedZyx,
      run: (tile, tileZyx) => ask((id) => ({ id, ask: "run", tile, tileZyx }), [tile.buffer]),
      [Symbol.asyncDispose]: () => Promise.resolve(close()),
    };
  } catch (error) {
    close();
    throw error;
  }
}
