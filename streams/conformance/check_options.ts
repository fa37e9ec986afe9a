/**
 * The part of the suite that needs no instance: options, check, expand, parts.
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import type { AnyPlugin } from "../contract.ts";
import { issueTexts } from "../issue_text.ts";
import { optionRows } from "../option_table.ts";

const messageOf = (error: unknown) => error instanceof Error ? error.message : String(error);

/** Whether two values are the same, where a key that is `undefined` counts as absent. */
function same(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(a)), JSON.parse(JSON.stringify(b)));
}

/** Checks the options of a plugin and gives the complete ones, `null` when they cannot be had. */
export function checkOptions(
  plugin: AnyPlugin,
  written: Readonly<Record<string, unknown>>,
  problems: string[],
): Readonly<Record<string, unknown>> | null {
  for (const row of optionRows(plugin.options)) {
    if (row.description.trim() === "") problems.push(`option "${row.name}" has no description: add .meta({ description: "..." })`);
  }
  const parsed = plugin.options.safeParse(written);
  if (!parsed.success) {
    const wording = { noun: "option", owner: `"${plugin.name}"` } as const;
    const texts = issueTexts(parsed.error.issues, written, plugin.options, wording).map((text) => text.message);
    problems.push(...texts.map((text) => `${text}; give it in the sample's options`));
    return null;
  }
  const again = plugin.options.safeParse(parsed.data);
  if (!again.success || !same(again.data, parsed.data)) {
    problems.push("options that were parsed do not parse to themselves: the resolved manifest would not rerun");
  }
  let options: Readonly<Record<string, unknown>> = parsed.data;
  if (plugin.expand !== undefined) {
    try {
      options = plugin.expand(structuredClone(parsed.data));
      if (!same(plugin.expand(structuredClone(options)), options)) problems.push("expand(expand(x)) differs from expand(x)");
      const back = plugin.options.safeParse(options);
      if (!back.success || !same(back.data, options)) problems.push("expanded options do not parse to themselves");
    } catch (error) {
      problems.push(`expand() fails: ${messageOf(error)}`);
      return null;
    }
  }
  checkCheck(plugin, options, problems);
  checkPartDefaults(plugin, options, problems);
  return options;
}

function checkCheck(plugin: AnyPlugin, options: Readonly<Record<string, unknown>>, problems: string[]): void {
  if (plugin.check === undefined) return;
  try {
    const given = structuredClone(options);
    const first = plugin.check(given);
    if (!Array.isArray(first) || first.some((message) => typeof message !== "string")) {
      problems.push("check() gives something else than a list of messages");
      return;
    }
    if (!isDeepStrictEqual(given, options)) problems.push("check() changes the options");
    if (!isDeepStrictEqual(plugin.check(given), first)) problems.push("check() called twice gives different answers");
    problems.push(...first.map((message) => `check() says: ${message}; give options in the sample that it takes`));
  } catch (error) {
    problems.push(`check() fails: ${messageOf(error)}`);
  }
}

function checkPartDefaults(plugin: AnyPlugin, options: Readonly<Record<string, unknown>>, problems: string[]): void {
  if (plugin.partDefaults === undefined) return;
  try {
    const slots = plugin.parts ?? {};
    for (const [name, part] of Object.entries(plugin.partDefaults(options) as Record<string, { use: string } | null>)) {
      if (!Object.hasOwn(slots, name)) problems.push(`partDefaults() names the part "${name}", which is not among its parts`);
      else if (part === null && !slots[name].optional) problems.push(`partDefaults() leaves out the part "${name}", which is not optional`);
    }
  } catch (error) {
    problems.push(`partDefaults() fails: ${messageOf(error)}`);
  }
}
