import onnx from "../../../plugins/engines/onnx/mod.ts";
import type { Engine } from "../../../plugins/engines/network.ts";
import type { PluginContext } from "../../../streams/contract.ts";
import { parityTests } from "./parity.ts";

/** Opens the plugin as the core does. */
export async function openOnnx(context: Partial<PluginContext> = {}): Promise<Engine> {
  return await onnx.create({ threads: 2 }, { signal: new AbortController().signal, warn() {}, ...context } as PluginContext, {});
}

parityTests("onnx", openOnnx);
