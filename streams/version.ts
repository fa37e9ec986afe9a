/**
 * This tomosieve's version.
 * @module
 */
import configuration from "../deno.json" with { type: "json" };

/** The version in deno.json, `0.1.0`. */
export const VERSION: string = configuration.version;
