/**
 * tomosieve's public API: what a plugin author imports. Importing it loads no engine, no file and no worker.
 *
 * ```ts
 * import { definePlugin, z } from "tomosieve";
 * ```
 * @module
 */
export * from "./streams/contract.ts";
export * from "./streams/errors.ts";
export { checkPlugin, pluginProblems, type PluginSample } from "./streams/check_plugin.ts";
export { z } from "zod";
