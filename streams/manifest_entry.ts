/**
 * The plugins that a manifest names, found even where the rest of it is faulty, so that every fault is reported in one go.
 * @module
 */
import type { Kind } from "./contract.ts";
import type { ValuePath } from "./locate.ts";
import type { LoadedEntry, LoadedLearner } from "./loaded_manifest.ts";
import { stageKinds } from "./plugin_shape.ts";
import type { LoadedPlugin } from "./registry.ts";

/** A record of JSON. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** Whether a value is a record `{ ... }`. */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A plugin of the manifest while it is checked; later steps fill in what they find. */
export interface ManifestEntry {
  /** Where it stands: `["stages", 1]`. For a default that the manifest does not write, where it would stand. */
  readonly path: ValuePath;
  /** `stages[1] "dog"`. */
  readonly label: string;
  /** Roles that may stand here. */
  readonly kinds: readonly Kind[];
  readonly use: string;
  /** As the manifest has it. */
  readonly name: string | null;
  readonly rawOptions: JsonRecord;
  loaded?: LoadedPlugin;
  /** Absolute path of a file plugin. */
  file?: string;
  /** Complete options with absolute paths. */
  options?: Record<string, unknown>;
}

/** The plugins of a manifest, without the parts of its learner. */
export interface ManifestEntries {
  readonly engine: ManifestEntry;
  readonly source: ManifestEntry | null;
  readonly stages: readonly ManifestEntry[];
  readonly learn: ManifestEntry | null;
  readonly classes: readonly ManifestEntry[];
  readonly sinks: readonly ManifestEntry[];
}

/** How many keys of a path name the entry that it lies in: 2 for `stages[1].options.x`, 0 when it lies in none. */
export function entryDepth(path: ValuePath): number {
  const [section, second] = path;
  if (section === "learn") return second === "parts" && path.length > 2 ? 3 : 1;
  if (section === "source" || section === "engine") return 1;
  return (section === "stages" || section === "classes" || section === "sinks") && path.length > 1 ? 2 : 0;
}

/** The first words of an entry's messages: `stages[1] "dog"`. */
export function entryLabel(path: ValuePath, use: unknown, name?: unknown): string {
  const place = path.map((key, index) => typeof key === "number" ? `[${key}]` : index === 0 ? key : `.${key}`).join("");
  const shown = typeof name === "string" ? name : use;
  return typeof shown === "string" ? `${place} "${shown}"` : place;
}

/** An entry that the manifest need not write out. */
export function makeEntry(path: ValuePath, kinds: readonly Kind[], use: string, rawOptions: JsonRecord = {}): ManifestEntry {
  return { path, label: entryLabel(path, use), kinds, use, name: null, rawOptions };
}

/** Reads one entry; `null` when it is not one, which the shape check has said. */
export function readEntry(value: unknown, path: ValuePath, kinds: readonly Kind[]): ManifestEntry | null {
  if (!isRecord(value) || typeof value.use !== "string" || value.use === "") return null;
  const name = typeof value.name === "string" ? value.name : null;
  const rawOptions = isRecord(value.options) ? value.options : {};
  return { path, label: entryLabel(path, value.use, name), kinds, use: value.use, name, rawOptions };
}

/** Finds the plugins of a manifest's value. */
export function readEntries(root: JsonRecord): ManifestEntries {
  const list = (section: string, kinds: readonly Kind[]) => {
    const items = root[section];
    if (!Array.isArray(items)) return [];
    return items.map((item, index) => readEntry(item, [section, index], kinds)).filter((entry) => entry !== null);
  };
  return {
    engine: readEntry(root.engine, ["engine"], ["engine"]) ?? makeEntry(["engine"], ["engine"], "auto"),
    source: readEntry(root.source, ["source"], ["source"]),
    stages: list("stages", stageKinds),
    learn: readEntry(root.learn, ["learn"], ["learner"]),
    classes: list("classes", ["decoder", "aligner"]),
    sinks: list("sinks", ["sink"]),
  };
}

/** An entry whose plugin and options are complete. */
export function finishEntry(entry: ManifestEntry): LoadedEntry {
  if (entry.loaded === undefined || entry.options === undefined) throw new Error(`${entry.label} is not complete`);
  return {
    use: entry.use,
    label: entry.label,
    name: entry.name ?? entry.loaded.plugin.name,
    named: entry.name !== null,
    plugin: entry.loaded.plugin,
    options: entry.options,
    version: entry.loaded.version,
    file: entry.file ?? null,
  };
}

/** A learner whose parts are complete. */
export function finishLearner(entry: ManifestEntry, parts: Readonly<Record<string, ManifestEntry | null>>): LoadedLearner {
  const finished = Object.entries(parts).map(([name, part]) => [name, part === null ? null : finishEntry(part)] as const);
  return { ...finishEntry(entry), parts: Object.fromEntries(finished) };
}
