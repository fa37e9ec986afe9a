/**
 * TensorFlow.js as an engine. Runs inside the engine's worker.
 * @module
 */
import type { Tensor2D } from "@tensorflow/tfjs-core";
import type { Engine, Network, NetworkSpec, NetworkState } from "../network.ts";
import type { EngineHost } from "../serve_engine.ts";
import type { Backend } from "./backend.ts";
import { TfjsNetwork } from "./network.ts";

/** What the worker is opened with. */
export interface TfjsOptions {
  readonly backend: "tensorflow" | "webgpu" | "cpu";
  /** For `webgpu`: take an adapter that is a program on the processor. */
  readonly allowSoftware: boolean;
  /** For `webgpu`: of the products in convolutions. */
  readonly precision: "float32" | "float16";
  /** For `tensorflow`: folder of a package, or an `npm:` specifier. */
  readonly package: string | null;
  /** For `tensorflow` on the processor. */
  readonly threads: number;
}

/**
 * Starts a backend and makes an engine of it.
 *
 * @throws {RunError} When it cannot start on this machine; the message says why and what to do.
 */
export async function openTfjsEngine(options: TfjsOptions, host: EngineHost): Promise<Engine> {
  return new TfjsEngine(await openBackend(options), host);
}

async function openBackend(options: TfjsOptions): Promise<Backend> {
  switch (options.backend) {
    case "tensorflow":
      return await (await import("./tensorflow.ts")).openTensorflow(options);
    case "webgpu":
      return await (await import("./webgpu/open.ts")).openWebgpu(options);
    case "cpu":
      return await (await import("./cpu.ts")).openCpu();
  }
}

class TfjsEngine implements Engine {
  readonly name = "tfjs";
  readonly device: Engine["device"];
  readonly precision: Engine["precision"];
  readonly #backend: Backend;
  readonly #host: EngineHost;

  constructor(backend: Backend, host: EngineHost) {
    this.device = backend.device;
    this.precision = backend.precision;
    this.#backend = backend;
    this.#host = host;
  }

  // deno-lint-ignore require-await -- a faulty spec must reject, not throw
  async compile(spec: NetworkSpec, initial: NetworkState): Promise<Network> {
    return new TfjsNetwork(this.#backend, this.#host, spec, initial);
  }

  async matmul(...[a, b, { m, k, n }, options = {}]: Parameters<Engine["matmul"]>): Promise<Float32Array> {
    const { transposeA = false, transposeB = false } = options;
    const { tf, guard } = this.#backend;
    return await guard(async () => {
      const product = tf.tidy(() => {
        const left = tf.tensor(a, transposeA ? [k, m] : [m, k], "float32") as Tensor2D;
        const right = tf.tensor(b, transposeB ? [n, k] : [k, n], "float32") as Tensor2D;
        return tf.matMul(left, right, transposeA, transposeB);
      });
      const values = (await product.data() as Float32Array).slice();
      product.dispose();
      return values;
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
