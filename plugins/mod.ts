/**
 * The built-in plugins: one id, one lazy import. Nothing is loaded until a manifest names it.
 * @module
 */
import type { AnyPlugin } from "../streams/contract.ts";

/** Loads each built-in plugin by its id. */
export const builtIns: Readonly<Record<string, () => Promise<{ default: AnyPlugin }>>> = {};
