/**
 * `plugins`: the built-in plugins.
 * @module
 */
import { kinds } from "../plugin_shape.ts";
import { loadBuiltIns } from "../registry.ts";

/**
 * Prints the built-in plugins by kind to stdout; `json`: as a list of `{name, kind, summary, input, output}`.
 *
 * @returns Exit code 0.
 */
export async function pluginsVerb({ json }: { json: boolean }): Promise<number> {
  const plugins = await loadBuiltIns();
  if (json) {
    console.log(JSON.stringify(plugins.map(({ name, kind, summary, input, output }) => ({ name, kind, summary, input, output })), null, 2));
    return 0;
  }
  const width = Math.max(0, ...plugins.map((plugin) => plugin.name.length));
  const sections = kinds.map((kind) => {
    const lines = plugins.filter((plugin) => plugin.kind === kind).map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
    return lines.length === 0 ? [] : [`${kind}\n${lines.join("\n")}`];
  });
  console.log(sections.flat().join("\n"));
  console.error("Options of one: describe <plugin>");
  return 0;
}
