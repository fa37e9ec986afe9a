/**
 * ONNX Runtime as an engine. Runs inside the engine's worker.
 * @module
 */
import type { InferenceSession } from "onnxruntime-node";
import { RunError } from "../../../streams/errors.ts";
import type { Engine, Network, NetworkSpec, NetworkState } from "../network.ts";
import type { EngineHost } from "../serve_engine.ts";
import { selfTest } from "../self_test.ts";
import { Graph } from "./graph.ts";
import { type Model, productModel } from "./models.ts";
import { OnnxNetwork, type Runtime } from "./network.ts";

/** Largest block of channels that ONNX Runtime uses on any processor. */
const LARGEST_BLOCK = 16;

/** What the worker is opened with. */
export interface OnnxOptions {
  readonly threads: number;
  /** Keep volumes as the ONNX standard has them even where ONNX Runtime's own layout works. */
  readonly standardLayout?: boolean;
}

/**
 * Loads ONNX Runtime and makes an engine of it.
 *
 * @throws {RunError} When its native library does not load on this machine.
 */
export async function openOnnxEngine({ threads, standardLayout }: OnnxOptions, host: EngineHost): Promise<Engine> {
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
    // Waiting threads sleep: the pool needs the processors too, and on a busy machine spinning makes a step twice as long.
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  };
  const open = (model: Pick<Model, "bytes">) => ort.InferenceSession.create(model.bytes, settings);
  const engine = (block: number) => new OnnxEngine({ ort, host, block, open });
  const block = standardLayout ? 1 : await findBlock(ort, open);
  if (block > 1) {
    // ONNX Runtime's own operators are no part of a standard: they are used only where they give the right numbers.
    const fault = await selfTest(engine(block)).catch((error) => String(error));
    if (fault === null) return engine(block);
    host.warn("slow-layout", `ONNX Runtime's blocked convolutions are not used here: ${fault}`);
  }
  return engine(1);
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

/**
 * Finds how many channels ONNX Runtime keeps together on this processor, by letting it reorder a tensor whose values say where they were;
 * 1 when it does not have the operator.
 */
async function findBlock(ort: Runtime["ort"], open: (model: Pick<Model, "bytes">) => Promise<InferenceSession>): Promise<number> {
  const graph = new Graph();
  graph.input("x", [1, LARGEST_BLOCK, 1, 2]);
  graph.nodes("ReorderInput", ["x"], {}, ["y"], "com.microsoft.nchwc");
  graph.output("y", [1, LARGEST_BLOCK, 1, 2]);
  try {
    const session = await open({ bytes: graph.encode() });
    const x = new ort.Tensor("float32", Float32Array.from({ length: 2 * LARGEST_BLOCK }, (_, i) => i), [1, LARGEST_BLOCK, 1, 2]);
    const y = (await session.run({ x })).y.data as Float32Array;
    await session.release();
    // The first channel's second voxel comes after one block of first voxels.
    const block = y.indexOf(1);
    return block === 8 || block === 16 ? block : 1;
  } catch {
    return 1;
  }
}
