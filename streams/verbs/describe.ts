/**
 * `describe <plugin>`: what a plugin does and which options it takes.
 * @module
 */
import { resolve } from "node:path";
import type { AnyPlugin } from "../contract.ts";
import { ManifestError } from "../errors.ts";
import { type OptionRow, optionRows } from "../option_table.ts";
import { payloadsOf } from "../plugin_shape.ts";
import { loadPlugin, locatePlugin } from "../registry.ts";

const COLUMNS = 100;

/** Lines of at most `width` letters. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}

function optionText({ name, type, value, unit, description }: OptionRow): string {
  const fallback = value === "" ? "" : value === "required" ? ", required" : `, default ${value}`;
  const head = `  ${name}: ${type}${unit === "" ? "" : ` (${unit})`}${fallback}`;
  return [head, ...wrap(description, COLUMNS - 6).map((line) => `      ${line}`)].join("\n");
}

function partText([name, slot]: [string, NonNullable<AnyPlugin["parts"]>[string]]): string {
  const fallback = slot.default !== undefined ? `, default "${slot.default}"` : slot.optional ? ", optional" : "";
  return [`  ${name}: ${slot.kinds.join(" or ")}${fallback}`, ...wrap(slot.summary, COLUMNS - 6).map((line) => `      ${line}`)].join("\n");
}

/** The text that `describe` prints. */
export function describePlugin(plugin: AnyPlugin): string {
  const { input, output } = payloadsOf(plugin);
  const flow = [input, output].filter((payload) => payload !== undefined).join(" -> ");
  const rows = optionRows(plugin.options);
  const truth = plugin.kind !== "source" ? [] : [
    optionText({
      name: "truth",
      type: "path",
      value: "",
      unit: "",
      description: "CSV with the true labels, for the score and the report only.",
    }),
  ];
  return [
    `${plugin.name} (${plugin.kind}${flow === "" ? "" : `: ${output !== undefined && input === undefined ? "gives " : ""}${flow}`})`,
    ...wrap(plugin.summary, COLUMNS),
    ...(plugin.needs?.engine ? ["Needs an engine."] : []),
    ...(rows.length + truth.length === 0 ? ["Takes no options."] : ["", "options", ...rows.map(optionText), ...truth]),
    ...(plugin.parts === undefined ? [] : ["", "parts", ...Object.entries(plugin.parts).map(partText)]),
  ].join("\n");
}

/**
 * Prints a plugin's kind, options and parts to stdout; `json`: as one object. A file is loaded, because the user names it.
 *
 * @returns Exit code 0.
 * @throws {ManifestError} When there is no such plugin.
 */
export async function describeVerb({ plugin: use, json }: { plugin: string; json: boolean }): Promise<number> {
  // A path as a shell completes it needs no "./": unlike in a manifest, a user has written it here and now.
  const path = /^[^:]+\.[mc]?[jt]s(#[^#]*)?$/.test(use) ? resolve(use) : use;
  const located = locatePlugin(path, resolve("."));
  const outcome = "fault" in located ? located : await loadPlugin(located.address);
  if ("fault" in outcome) {
    const { code, message } = outcome.fault;
    throw new ManifestError([`${code === "unknown-plugin" ? "" : `plugin "${use}": `}${message} [${code}]`]);
  }
  const { plugin, version } = outcome.loaded;
  const { name, kind, summary, parts = {} } = plugin;
  if (json) {
    console.log(
      JSON.stringify({ name, kind, summary, version, ...payloadsOf(plugin), options: optionRows(plugin.options), parts }, null, 2),
    );
  } else console.log(describePlugin(plugin));
  return 0;
}
