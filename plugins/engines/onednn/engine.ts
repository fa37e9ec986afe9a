/**
 * oneDNN as an engine. Runs inside the engine's worker.
 * @module
 */
import type { Engine, Network, NetworkSpec, NetworkState } from "../network.ts";
import type { EngineHost } from "../serve_engine.ts";
import { openLibrary } from "./library.ts";
import { ARGUMENT, type Pointer, TYPE } from "./makers.ts";
import { OnednnNetwork } from "./network.ts";
import { Arena } from "./program.ts";
import { addressOf, packArguments, Runtime } from "./runtime.ts";
import { made } from "./status.ts";

/** What the worker is opened with. */
export interface OnednnOptions {
  readonly threads: number;
  /** Path of the shared library; the usual names when absent. */
  readonly library?: string;
  /** Keep volumes in the layout that the library prefers on processors with AVX-512, for tests on others. */
  readonly channelsLast?: boolean;
}

/**
 * Loads oneDNN and makes an engine of it.
 *
 * @throws {RunError} When the library does not load on this machine, or is not one that the engine can use.
 */
// deno-lint-ignore require-await -- what goes wrong must reject, not throw
export async function openOnednnEngine({ threads, library, channelsLast }: OnednnOptions, host: EngineHost): Promise<Engine> {
  return new OnednnEngine(new Runtime(openLibrary(library), threads, channelsLast), host);
}

/** Sizes of products whose primitives are kept. */
const KEPT_PRODUCTS = 64;

/** A matrix product of one size. */
interface Product {
  readonly primitive: Pointer;
  readonly descriptor: Pointer;
  /** Of both factors and the product. */
  readonly layouts: readonly Pointer[];
}

class OnednnEngine implements Engine {
  readonly name = "onednn";
  readonly device = "cpu";
  readonly precision = "float32";
  readonly #runtime: Runtime;
  readonly #host: EngineHost;
  readonly #arena = new Arena();
  readonly #products = new Map<string, Product>();

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
    const { transposeA = false, transposeB = false } = options;
    const product = new Float32Array(m * n);
    const { primitive, layouts } = this.#product(m, k, n, transposeA, transposeB);
    const { symbols } = this.#runtime.library;
    const bound = [a, b, product].map((array, i) => this.#runtime.memory(layouts[i], addressOf(array)));
    try {
      const roles = [ARGUMENT.source, ARGUMENT.weights, ARGUMENT.destination];
      this.#runtime.execute(primitive, packArguments(bound.map((memory, i) => [roles[i], memory])));
      this.#runtime.wait();
    } finally {
      bound.forEach((memory) => symbols.dnnl_memory_destroy(memory));
    }
    return product;
  }

  /** The primitive for products of one size; the same sizes come again and again. */
  #product(m: number, k: number, n: number, transposeA: boolean, transposeB: boolean): Product {
    const key = [m, k, n, transposeA, transposeB].join();
    let product = this.#products.get(key);
    if (!product) {
      if (this.#products.size >= KEPT_PRODUCTS) this.#forget();
      const { makers, library: { symbols } } = this.#runtime;
      const layouts = [
        makers.describe([m, k], TYPE.float32, transposeA ? [1, m] : [k, 1]),
        makers.describe([k, n], TYPE.float32, transposeB ? [1, k] : [n, 1]),
        makers.describe([m, n], TYPE.float32, [n, 1]),
      ];
      const descriptor = makers.matmul(layouts[0], layouts[1], layouts[2]);
      product = { layouts, descriptor, primitive: made("primitive", (out) => symbols.dnnl_primitive_create(out, descriptor)) };
      this.#products.set(key, product);
    }
    return product;
  }

  #forget(): void {
    const { symbols } = this.#runtime.library;
    for (const { primitive, descriptor } of this.#products.values()) {
      symbols.dnnl_primitive_destroy(primitive);
      symbols.dnnl_primitive_desc_destroy(descriptor);
    }
    this.#products.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#forget();
    this.#runtime.close();
    return Promise.resolve();
  }
}
