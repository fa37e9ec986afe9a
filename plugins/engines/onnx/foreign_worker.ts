/**
 * The worker in which a network of another program runs. See foreign_model.ts.
 * @module
 */
import type { InferenceSession } from "onnxruntime-node";
import { type DeclaredInput, inputShape, layoutOf, type TileLayout } from "./foreign_layout.ts";
import type { ForeignReply, ForeignRequest } from "./foreign_model.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<ForeignRequest>) => void;
  postMessage(reply: ForeignReply, transfer: Transferable[]): void;
};
let session: InferenceSession | null = null;
let layout: TileLayout | null = null;

async function open(path: string, threads: number): Promise<{ layout: TileLayout } | { fault: string }> {
  const ort = await import("onnxruntime-node");
  try {
    session = await ort.InferenceSession.create(path, {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
      extra: { session: { intra_op: { allow_spinning: "0" } } },
    });
  } catch (error) {
    return { fault: `is no ONNX model that ONNX Runtime can load: ${error instanceof Error ? error.message : error}` };
  }
  const inputs = session.inputMetadata.map((input) => ({
    name: input.name,
    type: input.isTensor ? input.type : "no tensor",
    shape: input.isTensor ? input.shape : [],
  })) as DeclaredInput[];
  if (inputs.length !== 1) {
    return { fault: `takes ${inputs.length} inputs (${inputs.map(({ name }) => name).join(", ")}), expected one: the volume` };
  }
  const found = layoutOf(inputs[0]);
  if (typeof found === "string") return { fault: found };
  layout = found;
  return { layout };
}

async function run(tile: Float32Array<ArrayBuffer>, tileZyx: readonly [number, number, number]): Promise<Float32Array<ArrayBuffer>> {
  const { Tensor } = await import("onnxruntime-node");
  const input = new Tensor("float32", tile, inputShape(layout!, tileZyx));
  const results = await session!.run({ [session!.inputNames[0]]: input }, [session!.outputNames[0]]);
  const output = results[session!.outputNames[0]];
  if (output.type !== "float32") throw new Error(`its output "${session!.outputNames[0]}" is ${output.type}, expected float32`);
  const values = output.data as Float32Array;
  if (values.length !== tile.length) {
    throw new Error(
      `its output "${session!.outputNames[0]}" is [${output.dims.join(", ")}] for a tile of ${tileZyx.join(" x ")}: expected the same size`,
    );
  }
  return Float32Array.from(values);
}

scope.onmessage = async ({ data }) => {
  try {
    if (data.ask === "open") scope.postMessage({ id: data.id, result: await open(data.path, data.threads) }, []);
    else {
      const values = await run(data.tile, data.tileZyx);
      scope.postMessage({ id: data.id, result: values }, [values.buffer]);
    }
  } catch (error) {
    scope.postMessage({ id: data.id, error: error instanceof Error ? error.message : String(error) }, []);
  }
};
