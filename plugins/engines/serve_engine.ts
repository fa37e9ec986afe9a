/**
 * The worker's side of {@linkcode ./worker_engine.ts}: answers requests one at a time.
 * @module
 */
import { RunError } from "../../streams/errors.ts";
import type { Engine, Network } from "./network.ts";
import type { EngineReply, EngineRequest } from "./worker_engine.ts";

/** What an engine inside a worker may use. */
export interface EngineHost {
  /** True once the run is cancelled: stop at the next batch by throwing {@linkcode CancelledError}. */
  cancelled(): boolean;
  warn(code: string, message: string): void;
}

/** The run was cancelled: the other side knows why. */
export class CancelledError extends Error {
  override readonly name = "CancelledError";
}

/** Answers the requests of the page that started this worker. Call it once, at the top of the worker's module. */
export function serveEngine(open: (options: unknown, host: EngineHost) => Promise<Engine>): void {
  const scope = self as unknown as {
    onmessage: (event: MessageEvent<EngineRequest>) => void;
    postMessage(reply: EngineReply, transfer: Transferable[]): void;
  };
  const networks = new Map<number, Network>();
  let count = 0;
  let engine: Engine | null = null;
  let cancelled = new Int32Array(1);
  let last: Promise<void> = Promise.resolve();

  const answer = async ({ method, network: id, args }: EngineRequest): Promise<unknown> => {
    if (method === "open") {
      const [options, flag] = args as [unknown, Int32Array<ArrayBuffer>];
      cancelled = flag;
      engine = await open(options, {
        cancelled: () => Atomics.load(cancelled, 0) !== 0,
        warn: (code, message) => scope.postMessage({ warning: { code, message } }, []),
      });
      return { name: engine.name, device: engine.device, precision: engine.precision };
    }
    if (method === "close") {
      for (const network of networks.values()) await network[Symbol.asyncDispose]();
      networks.clear();
      await engine?.[Symbol.asyncDispose]();
      engine = null;
      return;
    }
    if (Atomics.load(cancelled, 0) !== 0) throw new CancelledError("cancelled");
    if (method === "compile") {
      const [spec, initial] = args as Parameters<Engine["compile"]>;
      networks.set(count, await engine!.compile(spec, initial));
      return count++;
    }
    if (method === "matmul") return await engine!.matmul(...args as Parameters<Engine["matmul"]>);
    const network = networks.get(id!);
    if (!network) throw new RunError("this network was disposed already");
    if (method === "dispose") {
      networks.delete(id!);
      return await network[Symbol.asyncDispose]();
    }
    // The other side names only methods of Network here.
    const call = network[method as "infer"] as (...args: unknown[]) => Promise<unknown>;
    const begin = performance.now();
    const result = await call.apply(network, [...args]);
    return method === "trainStep" ? { ...result as { loss: number }, milliseconds: performance.now() - begin } : result;
  };

  scope.onmessage = ({ data }) => {
    last = last.then(async () => {
      try {
        const result = await answer(data);
        // A state's arrays are copies already, and everything else that comes back was made for the caller.
        scope.postMessage({ id: data.id, result }, buffersIn(result));
      } catch (error) {
        const { name, message } = error instanceof Error ? error : { name: "Error", message: String(error) };
        scope.postMessage({ id: data.id, error: { name, message } }, []);
      }
    });
  };
}

/** Every array buffer in a result, however deep. */
function buffersIn(value: unknown, found: Set<ArrayBuffer> = new Set()): ArrayBuffer[] {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) buffersIn(inner, found);
  }
  return [...found];
}
