/**
 * A plugin context for tests: numbers by key, a pool that runs in process, and whatever the plugin says, kept.
 * @module
 */
import onnx from "../../../plugins/engines/onnx/mod.ts";
import type { Engine } from "../../../plugins/engines/network.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import type { PluginContext } from "../../../streams/contract.ts";

/** A context, and the codes of the notes and warnings it heard. */
export interface TestContext extends PluginContext {
  readonly said: string[];
}

/** Makes a context with a seed of 7. */
export function createContext(changes: Partial<PluginContext> = {}): TestContext {
  const said: string[] = [];
  return {
    said,
    stage: "test",
    signal: new AbortController().signal,
    random: (...key) => createRandom(7, "test", ...key),
    pool: { size: 1, run: async (module, name, args) => (await import(module))[name](...args) },
    scratch: { volume: () => Promise.reject(new Error("no scratch in this test")) },
    progress() {},
    drop() {},
    warn: (code, message) => said.push(`${code}: ${message}`),
    note: (code, message) => said.push(`${code}: ${message}`),
    ...changes,
  };
}

/** Opens the engine `onnx` as the core does. */
export async function openOnnx(changes: Partial<PluginContext> = {}): Promise<Engine> {
  return await onnx.create({ threads: 2 }, createContext(changes), {});
}
