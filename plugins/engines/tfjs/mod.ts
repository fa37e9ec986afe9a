/**
 * The engine `tfjs`: TensorFlow.js, for graphics processors.
 * @module
 */
import { z } from "zod";
import { definePlugin } from "../../../streams/contract.ts";
import { openWorkerEngine } from "../worker_engine.ts";
import type { TfjsOptions } from "./engine.ts";

/** Runs a network operation by operation on one of TensorFlow.js's backends, in a worker of its own. */
export default definePlugin({
  apiVersion: 1,
  name: "tfjs",
  kind: "engine",
  summary: "TensorFlow.js: graphics processors through WebGPU or CUDA",
  options: z.strictObject({
    backend: z.enum(["webgpu", "cpu"]).default("webgpu").meta({
      description:
        "What computes: `webgpu` any graphics processor with a Vulkan, Metal or Direct3D driver; `cpu` plain JavaScript, to compare with",
    }),
    precision: z.enum(["float32", "float16"]).default("float32").meta({
      description: "For `webgpu`: numbers that convolutions multiply; float16 needs a graphics processor that has it",
    }),
    allowSoftware: z.boolean().default(false).meta({
      description: "For `webgpu`: take even an adapter that is a program on the processor, for tests",
    }),
  }),
  create: (options, context) =>
    openWorkerEngine({
      module: new URL("./worker.ts", import.meta.url),
      options: options satisfies TfjsOptions,
      signal: context.signal,
      warn: (code, message) => context.warn(code, message),
    }),
});
