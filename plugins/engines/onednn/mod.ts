/**
 * The engine `onednn`: the oneDNN library of the system, called through foreign functions.
 * @module
 */
import { z } from "zod";
import { definePlugin } from "../../../streams/contract.ts";
import { openWorkerEngine } from "../worker_engine.ts";
import type { OnednnOptions } from "./engine.ts";

/** Runs networks as oneDNN primitives in a worker of its own; float32. */
export default definePlugin({
  apiVersion: 1,
  name: "onednn",
  kind: "engine",
  summary: "the oneDNN library (libdnnl 2.6 or 3) on the processor: training and inference in float32, where it is installed",
  options: z.strictObject({
    threads: z.int().min(1).max(256).optional().meta({
      description: "Threads for the engine's own work; as many as the machine has processors when absent",
    }),
    library: z.string().min(1).optional().meta({
      description: "Path of the shared library, such as /opt/lib/libdnnl.so.3; the system's loader looks for its usual names when absent",
    }),
  }),
  create: ({ threads = navigator.hardwareConcurrency, library }, context) =>
    openWorkerEngine({
      module: new URL("./worker.ts", import.meta.url),
      options: { threads, library } satisfies OnednnOptions,
      signal: context.signal,
      warn: (code, message) => context.warn(code, message),
    }),
});
