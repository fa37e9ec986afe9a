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
    backend: z.enum(["tensorflow", "webgpu", "cpu"]).default("webgpu").meta({
      description:
        "What computes: `webgpu` any graphics processor with a Vulkan, Metal or Direct3D driver; `cpu` plain JavaScript, to compare with",
    }),
    precision: z.enum(["float32", "float16"]).default("float32").meta({
      description: "For `webgpu`: numbers that convolutions multiply; float16 needs a graphics processor that has it",
    }),
    package: z.string().nullable().default(null).meta({
      description: "For `tensorflow`: folder of an installed tfjs-node or tfjs-node-gpu, or npm:@tensorflow/tfjs-node-gpu@4.22.0, " +
        "which is downloaded where it is missing; null looks into tomosieve's own node_modules",
    }),
    threads: z.int().min(1).max(256).optional().meta({
      description: "For `tensorflow` on the processor: threads; as many as the machine has processors when absent",
    }),
    allowSoftware: z.boolean().default(false).meta({
      description: "For `webgpu`: take even an adapter that is a program on the processor, for tests",
    }),
  }),
  check: ({ package: chosen }) =>
    chosen?.startsWith("npm:") && !/^npm:@tensorflow\/tfjs-node(-gpu)?@\d+\.\d+\.\d+$/.test(chosen)
      ? [
        `package is "${chosen}", expected npm:@tensorflow/tfjs-node-gpu or npm:@tensorflow/tfjs-node with an exact version, such as @4.22.0`,
      ]
      : [],
  create: ({ threads = navigator.hardwareConcurrency, ...options }, context) =>
    openWorkerEngine({
      module: new URL("./worker.ts", import.meta.url),
      options: { ...options, threads } satisfies TfjsOptions,
      signal: context.signal,
      warn: (code, message) => context.warn(code, message),
    }),
});
