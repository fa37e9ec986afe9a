/**
 * `schema`: the JSON Schema of a manifest.
 * @module
 */
import { schemaText } from "../schema.ts";

/**
 * Prints the JSON Schema (draft 7) of a manifest with every built-in plugin's options to stdout.
 *
 * @returns Exit code 0.
 */
export async function schemaVerb(): Promise<number> {
  console.log((await schemaText()).trimEnd());
  return 0;
}
