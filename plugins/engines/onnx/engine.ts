/**
 * ONNX Runtime as an engine. Runs inside the engine's worker.
 * @module
 */
import type { InferenceSession } from "onnxruntime-node";
import { RunError } from "../../../streams/errors.ts";
import type { Engine, Network, NetworkSpec, NetworkState } from "../network.ts";
import type { EngineHost } from "../serve_engine.ts";
import { type Model, productModel } from "./models.ts";
import { OnnxNetwork, type Runtime } from "./network.ts";

/** What the worker is opened with. */
export interface OnnxOptions {
  readonly threads: number;
}

/**
 * Loads ONNX Runtime and makes an engine of it.
 *
 * @throws {RunError} When its native library does not load on this machine.
 */
export async function openOnnxEngine({ threads }: OnnxOptions, host: EngineHost): Promise<Engine> {
  let ort: Runtime["ort"];
  try {
    ort = await import("onnxruntime-node");
  } catch (error) {
    throw new RunError(`ONNX Runtime does not load here: ${error instanceof Error ? error.message : error}`);
  }
  const settings: InferenceSession.SessionOptions = {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
  };
  const runtime: Runtime = { ort, host, open: (model: Model) => ort.InferenceSession.create(model.bytes, settings) };
  return new OnnxEngine(runtime);
}

class OnnxEngine implements Engine {
  readonly name = "onnx";
  readonly device = "cpu";
  readonly precision = "float32";
  readonly #runtime: Runtime;
  readonly #products = new Map<string, Promise<InferenceSession>>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  // deno-lint-ignore require-await -- a faulty spec must reject, not throw
  async compile(spec: NetworkSpec, initial: NetworkState): Promise<Network> {
    return new OnnxNetwork(this.#runtime, spec, initial);
  }

  async matmul(...[a, b, { m, k, n }, options = {}]: Parameters<Engine["matmul"]>): Promise<Float32Array> {
    const { transposeA = false, transposeB = false } = options;
    const key = `${transposeA} ${transposeB}`;
    let session = this.#products.get(key);
    if (!session) {
      session = this.#runtime.open(productModel(transposeA, transposeB));
      this.#products.set(key, session);
    }
    const { Tensor } = this.#runtime.ort;
    const fetched = await (await session).run({
      a: new Tensor("float32", a, transposeA ? [k, m] : [m, k]),
      b: new Tensor("float32", b, transposeB ? [n, k] : [k, n]),
    });
    return fetched.c.data as Float32Array;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#products.values()) await (await session).release();
    this.#products.clear();
  }
}
