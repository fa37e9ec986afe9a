/**
 * The part of lint that looks at plugins one by one: which they are, whether they may be loaded, and their options.
 * @module
 */
import { absolutePath } from "../plugins/formats/volume_path.ts";
import type { Kind } from "./contract.ts";
import { issueTexts, quote } from "./issue_text.ts";
import { isRecord, type JsonRecord, makeEntry, type ManifestEntry, readEntry } from "./manifest_entry.ts";
import { suggestName } from "./nearest_name.ts";
import { mapFormatted } from "./option_schema.ts";
import { stageKinds } from "./plugin_shape.ts";
import type { Findings } from "./problem.ts";
import { allowanceNames, type BuiltIns, isForeign, loadPlugin, locatePlugin } from "./registry.ts";

/** What the checks of one plugin need. */
export interface PluginChecks {
  readonly findings: Findings;
  /** Where relative paths start. */
  readonly folder: string;
  readonly allowPlugins: readonly string[];
  readonly builtIns?: BuiltIns;
  /** The `--allow-plugin` values that named something. */
  readonly usedAllowances: Set<string>;
}

const messageOf = (error: unknown) => error instanceof Error ? error.message : String(error);

const withArticle = (kind: Kind) => `${/^[aeiou]/.test(kind) ? "an" : "a"} ${kind}`;

const partOfLearner = '"learn.parts"';
const homes: Partial<Record<Kind, string>> = {
  source: '"source"',
  learner: '"learn"',
  embedder: partOfLearner,
  clusterer: partOfLearner,
  matcher: partOfLearner,
  scorer: partOfLearner,
  refiner: partOfLearner,
  decoder: '"classes"',
  aligner: '"classes"',
  sink: '"sinks"',
  engine: '"engine"',
};

/** Loads an entry's plugin into `entry.loaded`, if it may be loaded and may stand where it stands. */
export async function checkPluginOf(entry: ManifestEntry, checks: PluginChecks): Promise<void> {
  const { findings, folder, builtIns } = checks;
  const at = { phase: "plugins", path: [...entry.path, "use"], stage: entry.label } as const;
  const located = locatePlugin(entry.use, folder, builtIns);
  if ("fault" in located) return findings.fault({ ...at, ...located.fault });
  const { address } = located;
  if (address.kind === "file") entry.file = address.path;
  if (isForeign(entry.use)) {
    const names = allowanceNames(entry.use, address);
    const given = checks.allowPlugins.filter((allowed) => names.includes(allowed));
    given.forEach((allowed) => checks.usedAllowances.add(allowed));
    if (given.length === 0) {
      const message =
        `not checked, because a plugin is code that can do all that tomosieve may do: if you trust it, add --allow-plugin=${entry.use}`;
      return findings.unchecked({ ...at, code: "plugin-not-allowed", message });
    }
  }
  const outcome = await loadPlugin(address, builtIns);
  if ("fault" in outcome) return findings.fault({ ...at, ...outcome.fault });
  const { kind } = outcome.loaded.plugin as { kind: Kind };
  if (!entry.kinds.includes(kind)) {
    const home = homes[kind] ?? (stageKinds.includes(kind) ? '"stages"' : null);
    const remedy = home === null || (home === partOfLearner && entry.path.length === 3)
      ? ""
      : `: ${withArticle(kind)} belongs into ${home}`;
    const expected = new Intl.ListFormat("en", { type: "disjunction" }).format(entry.kinds.map(withArticle));
    return findings.fault({ ...at, code: "wrong-kind", message: `is ${withArticle(kind)}, expected ${expected}${remedy}` });
  }
  entry.loaded = outcome.loaded;
}

/** Completes an entry's options into `entry.options`: defaults, what follows from other options, absolute paths. */
export function checkOptionsOf(entry: ManifestEntry, checks: PluginChecks): void {
  const { findings, folder } = checks;
  const plugin = entry.loaded?.plugin;
  if (plugin === undefined) return;
  const at = { phase: "options", path: [...entry.path, "options"], stage: entry.label } as const;
  let parsed: ReturnType<typeof plugin.options.safeParse>;
  try {
    parsed = plugin.options.safeParse(entry.rawOptions);
  } catch (error) {
    return findings.fault({ ...at, code: "bad-plugin", message: `its option schema failed: ${messageOf(error)}` });
  }
  if (!parsed.success) {
    for (const found of issueTexts(parsed.error.issues, entry.rawOptions, plugin.options, { noun: "option", owner: `"${plugin.name}"` })) {
      findings.fault({ ...at, code: found.code, path: [...at.path, ...found.path], message: found.message, onKey: found.onKey });
    }
    return;
  }
  try {
    const expanded = plugin.expand?.(parsed.data) ?? parsed.data;
    entry.options = mapFormatted(plugin.options, expanded, "path", ({ value }) => absolutePath(folder, value)) as Record<string, unknown>;
  } catch (error) {
    findings.fault({ ...at, code: "bad-plugin", message: `its expand() failed: ${messageOf(error)}` });
  }
}

/**
 * Finds and checks the parts of a learner: as the manifest has them, as its options imply, as its plugin says. Where the manifest names the
 * plugin that the learner's options imply, it need only state the options that are to differ.
 *
 * @returns A part each, `null` where an optional one is left out.
 */
export async function checkPartsOf(
  learn: ManifestEntry,
  rawParts: unknown,
  checks: PluginChecks,
): Promise<Record<string, ManifestEntry | null>> {
  const { findings } = checks;
  const plugin = learn.loaded?.plugin;
  if (plugin === undefined) return {};
  const written: JsonRecord = isRecord(rawParts) ? rawParts : {};
  const slots = plugin.parts ?? {};
  const path = (name: string) => [...learn.path, "parts", name];
  for (const name of Object.keys(written)) {
    if (Object.hasOwn(slots, name)) continue;
    const message = `unknown part "${name}": ${suggestName(name, Object.keys(slots), `"${plugin.name}" takes`)}`;
    findings.fault({ phase: "plugins", code: "unknown-part", path: path(name), stage: learn.label, message, onKey: true });
  }
  let implied: Readonly<Record<string, { readonly use: string; readonly options?: JsonRecord } | null>> = {};
  try {
    if (learn.options !== undefined) implied = plugin.partDefaults?.(learn.options) ?? {};
  } catch (error) {
    const message = `its partDefaults() failed: ${messageOf(error)}`;
    findings.fault({ phase: "plugins", code: "bad-plugin", path: learn.path, stage: learn.label, message });
  }
  const parts: Record<string, ManifestEntry | null> = {};
  for (const [name, slot] of Object.entries(slots)) {
    const missing = (code: string, message: string) =>
      findings.fault({ phase: "plugins", code, path: path(name), stage: learn.label, message });
    if (Object.hasOwn(written, name) && written[name] !== null) {
      const entry = readEntry(written[name], path(name), slot.kinds);
      if (entry !== null) parts[name] = implied[name]?.use === entry.use ? withDefaults(entry, implied[name].options) : entry;
      else if (isRecord(written[name])) continue; // The shape check has said so.
      else missing("bad-part", `part "${name}" is ${quote(written[name])}, expected { "use": ... }`);
    } else if (written[name] === null) {
      if (slot.optional) parts[name] = null;
      else missing("missing-part", `part "${name}" cannot be left out: ${slot.summary}`);
    } else if (Object.hasOwn(implied, name)) {
      const entry = implied[name];
      parts[name] = entry === null ? null : makeEntry(path(name), slot.kinds, entry.use, entry.options);
    } else if (slot.default !== undefined) {
      parts[name] = makeEntry(path(name), slot.kinds, slot.default);
    } else if (slot.optional) {
      parts[name] = null;
    } else {
      missing("missing-part", `part "${name}" is missing (${slot.kinds.join(" or ")}): ${slot.summary}`);
    }
  }
  for (const entry of Object.values(parts)) {
    if (entry === null) continue;
    await checkPluginOf(entry, checks);
    checkOptionsOf(entry, checks);
  }
  return parts;
}

function withDefaults(entry: ManifestEntry, options: JsonRecord = {}): ManifestEntry {
  return { ...entry, rawOptions: { ...options, ...entry.rawOptions } };
}
