/**
 * The part of lint that looks at plugins together: what flows from one stage to the next, and names that must differ.
 * @module
 */
import type { AnyPlugin, Payload } from "./contract.ts";
import { isRecord, type JsonRecord, type ManifestEntries, type ManifestEntry } from "./manifest_entry.ts";
import { payloadsOf, stageKinds } from "./plugin_shape.ts";
import type { Findings } from "./problem.ts";
import { type BuiltIns, loadBuiltIns } from "./registry.ts";

const plural: Readonly<Record<Payload, string>> = { tomogram: "tomograms", picks: "picks", subtomograms: "subtomograms" };

/** Built-in stages that turn one payload into another, for the remedy of a message. */
async function bridges(from: Payload, to: Payload, builtIns?: BuiltIns): Promise<string> {
  let plugins: AnyPlugin[];
  try {
    plugins = await loadBuiltIns(builtIns);
  } catch {
    return "";
  }
  const ids = plugins.filter((plugin) => {
    const { input, output } = payloadsOf(plugin);
    return stageKinds.includes(plugin.kind) && input === from && output === to;
  }).map((plugin) => `"${plugin.name}"`);
  return ids.length === 0 ? "" : `: put ${ids.join(" or ")} between them`;
}

/** Follows what flows from the source through the stages to the learner. */
export async function checkFlow(entries: ManifestEntries, findings: Findings, builtIns?: BuiltIns): Promise<void> {
  const { source, stages, learn, classes, sinks } = entries;
  // `undefined` when a plugin could not be loaded: what comes after it cannot be judged.
  let flowing = source?.loaded === undefined ? undefined : payloadsOf(source.loaded.plugin).output;
  let before = source;
  for (const stage of stages) {
    const { input, output } = stage.loaded === undefined ? {} : payloadsOf(stage.loaded.plugin);
    if (flowing !== undefined && input !== undefined && flowing !== input) {
      const remedy = await bridges(flowing, input, builtIns);
      const message = `takes ${plural[input]}, but ${before?.label} gives ${plural[flowing]}${remedy}`;
      findings.fault({ phase: "stage types", code: "stage-type", path: [...stage.path, "use"], stage: stage.label, message });
    }
    flowing = output;
    before = stage;
  }
  if (learn !== null && flowing !== undefined && flowing !== "subtomograms") {
    const remedy = await bridges(flowing, "subtomograms", builtIns);
    const message = `learns from subtomograms, but ${before?.label} gives ${plural[flowing]}${remedy}`;
    findings.fault({ phase: "stage types", code: "stage-type", path: learn.path, stage: learn.label, message });
  }
  if (learn === null && classes.length > 0) {
    const message = 'there are no classes without "learn": add "learn", or remove "classes"';
    findings.fault({ phase: "stage types", code: "no-classes", path: ["classes"], stage: null, message });
  }
  if (learn === null && flowing === "tomogram") {
    const message = `nothing would be kept, because ${before?.label} gives tomograms and no stage picks particles in them`;
    findings.warn({ phase: "stage types", code: "nothing-kept", path: before?.path ?? [], stage: null, message });
  }
  if (sinks.length === 0 && learn !== null) {
    const message = 'no sink: the run folder will hold the model and the ledger only; add "report" to "sinks" for something to look at';
    findings.warn({ phase: "stage types", code: "no-sinks", path: [], stage: null, message });
  }
}

function checkUnique(entries: readonly ManifestEntry[], nameOf: (entry: ManifestEntry) => string | null, findings: Findings): void {
  const first = new Map<string, ManifestEntry>();
  for (const entry of entries) {
    const name = nameOf(entry);
    if (name === null) continue;
    const other = first.get(name);
    if (other === undefined) {
      first.set(name, entry);
      continue;
    }
    const message = `${other.label} has the same name: give this one another "name"`;
    findings.fault({ phase: "shape", code: "duplicate-name", path: entry.path, stage: entry.label, message });
  }
}

/** Names of stages that are given must differ; what is made of classes and what is written is always told apart by name. */
export function checkNames(entries: ManifestEntries, findings: Findings): void {
  checkUnique(entries.stages, (entry) => entry.name, findings);
  for (const section of [entries.classes, entries.sinks]) checkUnique(section, (entry) => entry.name ?? entry.use, findings);
}

/** Only what picks in a tomogram can pick in its decoy. */
export function checkDecoys(entries: ManifestEntries, root: JsonRecord, findings: Findings): void {
  for (const { path, label, loaded } of entries.stages) {
    const written = Array.isArray(root.stages) ? root.stages[path[1] as number] : undefined;
    if (!isRecord(written) || written.decoy !== true || loaded === undefined) continue;
    const { input, output } = payloadsOf(loaded.plugin);
    if (input === "tomogram" && output === "picks") continue;
    const message = `"decoy" belongs to a stage that picks particles in tomograms, this one turns ${plural[input ?? "tomogram"]} into ${
      plural[output ?? "tomogram"]
    }: remove it`;
    findings.fault({ phase: "stage types", code: "decoy", path: [...path, "decoy"], stage: label, message });
  }
}
