/**
 * oneDNN as an engine. Runs inside the engine's worker.
 * @module
 */
import type { Engine, Network, NetworkSpec, NetworkState } from "../network.ts";
import type { EngineHost } from "../serve_engine.ts";
import { openLibrary } from "./library.ts";
import { ARGUMENT, TYPE } from "./makers.ts";
import { OnednnNetwork } from "./network.ts";
import { Arena } from "./program.ts";
import { addressOf, packArguments, Runtime } from "./runtime.ts";
import { made } from "./status.ts";

/** What the worker is opened with. */
export interface OnednnOptions {
  readonly threads: number;
  /** Path of the shared library; the usual names when absent. */
  readonly library?: string;
}

/**
 * Loads oneDNN and makes an engine of it.
 *
 * @throws {RunError} When the library does not load on this machine, or is not one that the engine can use.
 */
// deno-lint-ignore require-await -- what goes wrong must reject, not throw
export async function openOnednnEngine({ threads, library }: OnednnOptions, host: EngineHost): Promise<Engine> {
  return new OnednnEngine(new Runtime(openLibrary(library), threads), host);
}

class OnednnEngine implements Engine {
  readonly name = "onednn";
  readonly device = "cpu";
  readonly precision = "float32";
  readonly #runtime: Runtime;
  readonly #host: EngineHost;
  readonly #arena = new Arena();

  constructor(runtime: Runtime, host: EngineHost) {
    this.#runtime = runtime;
    this.#host = host;
  }

  // deno-lint-ignore require-await -- as above
  async compile(spec: NetworkSpec, initial: NetworkState): Promise<Network> {
    return new OnednnNetwork(this.#runtime, this.#arena, this.#host, spec, initial);
  }

  // deno-lint-ignore require-await -- as above
  async matmul(...[a, b, { m, k, n }, options = {}]: Parameters<Engine["matmul"]>): Promise<Float32Array> {
    const { makers, library: { symbols } } = this.#runtime;
    const { transposeA = false, transposeB = false } = options;
    const product = new Float32Array(m * n);
    const left = makers.describe([m, k], TYPE.float32, transposeA ? [1, m] : [k, 1]);
    const right = makers.describe([k, n], TYPE.float32, transposeB ? [1, k] : [n, 1]);
    const result = makers.describe([m, n], TYPE.float32, [n, 1]);
    const descriptor = makers.matmul(left, right, result);
    const primitive = made("primitive", (out) => symbols.dnnl_primitive_create(out, descriptor));
    const memories = [[left, a], [right, b], [result, product]] as const;
    const bound = memories.map(([layout, array]) => this.#runtime.memory(layout, addressOf(array)));
    try {
      this.#runtime.execute(
        primitive,
        packArguments([[ARGUMENT.source, bound[0]], [ARGUMENT.weights, bound[1]], [ARGUMENT.destination, bound[2]]]),
      );
      this.#runtime.wait();
    } finally {
      bound.forEach((memory) => symbols.dnnl_memory_destroy(memory));
      symbols.dnnl_primitive_destroy(primitive);
      symbols.dnnl_primitive_desc_destroy(descriptor);
    }
    return product;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#runtime.close();
    return Promise.resolve();
  }
}
