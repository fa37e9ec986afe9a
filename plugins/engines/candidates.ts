/**
 * The engines that `auto` may take, fastest first.
 * @module
 */
import type { AnyPlugin, EngineFinding, PluginContext } from "../../streams/contract.ts";
import type { Engine } from "./network.ts";
import { onednnLibraries } from "./onednn/presence.ts";
import { graphicsDrivers, tensorflowPackage } from "./tfjs/presence.ts";

/** One way of computing: a plugin of kind engine and the options that choose it. */
export interface Candidate {
  readonly engine: string;
  readonly options: EngineFinding["options"];
  /**
   * What its library is here, found without loading it: a verdict is remembered only as long as this text stays the same. Absent where
   * the version of tomosieve says all.
   */
  mark?(): string | Promise<string>;
  /** Not faster than the engines on the processor everywhere: it is taken only when it is. */
  readonly contested?: true;
  open(threads: number | undefined, context: PluginContext): Promise<Engine>;
}

/** A built-in engine. `load` is its lazy import; `threads` says whether it has that option. */
function builtIn(
  engine: string,
  load: () => Promise<{ readonly default: AnyPlugin }>,
  options: Candidate["options"] = {},
  more: Pick<Candidate, "mark" | "contested"> = {},
): Candidate {
  return {
    engine,
    options,
    ...more,
    async open(threads, context) {
      const { default: plugin } = await load();
      const known = threads !== undefined && "threads" in plugin.options.shape ? { threads } : {};
      return await plugin.create(plugin.options.parse({ ...known, ...options }), context, {}) as Engine;
    },
  };
}

/** Fastest first. A new engine is one entry here and one line in plugins/mod.ts. */
export const candidates: readonly Candidate[] = [
  builtIn("tfjs", () => import("./tfjs/mod.ts"), { backend: "tensorflow" }, { mark: tensorflowPackage, contested: true }),
  builtIn("tfjs", () => import("./tfjs/mod.ts"), { backend: "webgpu" }, { mark: graphicsDrivers, contested: true }),
  builtIn("onednn", () => import("./onednn/mod.ts"), {}, { mark: onednnLibraries }),
  builtIn("onnx", () => import("./onnx/mod.ts")),
];

/** `onnx`, `tfjs webgpu`: how people tell candidates apart. */
export function titleOf({ engine, options }: Pick<Candidate, "engine" | "options">): string {
  return [engine, ...Object.values(options)].join(" ");
}
