/**
 * The engine `onnx`: ONNX Runtime on the processor. It comes with npm and needs nothing else.
 * @module
 */
import { z } from "zod";
import { definePlugin } from "../../../streams/contract.ts";
import { openWorkerEngine } from "../worker_engine.ts";
import type { OnnxOptions } from "./engine.ts";

/** Runs forward, backward and optimiser as one ONNX graph in a worker of its own; float32. */
export default definePlugin({
  apiVersion: 1,
  name: "onnx",
  kind: "engine",
  summary: "ONNX Runtime on the processor: training and inference in float32, from npm alone",
  options: z.strictObject({
    threads: z.int().min(1).max(256).optional().meta({
      description: "Threads for the engine's own work; as many as the machine has processors when absent",
    }),
  }),
  create: ({ threads = navigator.hardwareConcurrency }, context) =>
    openWorkerEngine({
      module: new URL("./worker.ts", import.meta.url),
      options: { threads } satisfies OnnxOptions,
      signal: context.signal,
      warn: (code, message) => context.warn(code, message),
    }),
});
