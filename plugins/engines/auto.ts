/**
 * The engine `auto`: the fastest one that works here.
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginContext } from "../../streams/contract.ts";
import { RunError } from "../../streams/errors.ts";
import type { Engine } from "./network.ts";
import { selfTest } from "./self_test.ts";

const options = z.strictObject({
  threads: z.int().min(1).max(256).optional().meta({
    description: "Threads for the engine's own work; as many as the machine has processors when absent",
  }),
});

/** Options with defaults filled in. */
export type AutoOptions = z.infer<typeof options>;

/** An engine that `auto` may take. */
export interface Candidate {
  readonly name: string;
  open(options: AutoOptions, context: PluginContext): Promise<Engine>;
}

/** Fastest first. */
const candidates: readonly Candidate[] = [
  { name: "onnx", open: async (chosen, context) => await (await import("./onnx/mod.ts")).default.create(chosen, context, {}) },
];

/**
 * Opens the first candidate that starts and passes the self-test, and notes which and why not those before it.
 *
 * @throws {RunError} When none does; the message has every reason.
 */
export async function openFirst(list: readonly Candidate[], chosen: AutoOptions, context: PluginContext): Promise<Engine> {
  const refused: string[] = [];
  for (const { name, open } of list) {
    let engine: Engine | null = null;
    try {
      engine = await open(chosen, context);
      const fault = await selfTest(engine);
      if (fault === null) {
        const why = refused.length ? `; not ${refused.join("; not ")}` : "";
        context.note("engine", `engine ${name} on the ${engine.device}, ${engine.precision}: self-test passed${why}`);
        return engine;
      }
      refused.push(`${name}: ${fault}`);
    } catch (error) {
      context.signal.throwIfAborted();
      refused.push(`${name}: ${error instanceof Error ? error.message : error}`);
    }
    await engine?.[Symbol.asyncDispose]();
  }
  throw new RunError(`no engine works on this machine: ${refused.join("; ")}`);
}

/** The plugin. */
export default definePlugin({
  apiVersion: 1,
  name: "auto",
  kind: "engine",
  summary: "the fastest engine that starts and passes a numerical self-test on this machine",
  options,
  create: (chosen, context) => openFirst(candidates, chosen, context),
});
