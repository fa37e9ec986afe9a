/**
 * Checks a manifest, all of it: every fault is found in one go, in the order syntax, shape, plugins, options, stage types, check(),
 * resources.
 * @module
 */
import { availableParallelism } from "node:os";
import { basename, resolve } from "node:path";
import type { z } from "zod";
import { issueTexts, quote } from "./issue_text.ts";
import { checkDecoys, checkFlow, checkNames } from "./lint_flow.ts";
import { checkOptionsOf, checkPartsOf, checkPluginOf, type PluginChecks } from "./lint_plugins.ts";
import type { LocatedText } from "./locate.ts";
import type { LoadedManifest } from "./loaded_manifest.ts";
import {
  entryDepth,
  entryLabel,
  finishEntry,
  finishLearner,
  isRecord,
  type JsonRecord,
  type ManifestEntry,
  readEntries,
} from "./manifest_entry.ts";
import { manifestShape } from "./manifest_shape.ts";
import { formattedValues } from "./option_schema.ts";
import { Findings, type Problem, sortProblems } from "./problem.ts";
import type { BuiltIns } from "./registry.ts";
import { inputFault, outputFolderFault } from "./resources.ts";
import { runPermissionFault } from "./run_permission.ts";
import { applySettings } from "./settings.ts";
import { VERSION } from "./version.ts";

/** What the command line adds to a manifest. */
export interface LintOptions {
  /** Plugins that are code and may be loaded: as the manifest writes them, or their absolute paths. */
  readonly allowPlugins?: readonly string[];
  /** Programs that options of `format: "program"` may name. */
  readonly allowCommands?: readonly string[];
  /** What the command line says instead of the manifest; `runDir` is relative to the current folder, `settings` are `PATH=VALUE`. */
  readonly overrides?: { readonly seed?: number; readonly runDir?: string; readonly settings?: readonly string[] };
  /** Whether what could not be checked is a fault, as for `run`, or a warning, as for `lint`. */
  readonly strict?: boolean;
  /** The built-in plugins, where tests bring their own. */
  readonly builtIns?: BuiltIns;
}

/** What lint found. */
export interface LintResult {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** Complete when there is no problem and every plugin was loaded. */
  readonly manifest: LoadedManifest | null;
}

/** The names of a manifest. */
export interface ManifestPlace {
  /** As messages show it. */
  readonly name: string;
  /** Absolute folder that relative paths start from. */
  readonly folder: string;
}

/** Checks the manifest in `text`. */
export async function lintText(text: LocatedText, place: ManifestPlace, options: LintOptions = {}): Promise<LintResult> {
  const findings = new Findings(options.strict ?? false);
  const result = (manifest: LoadedManifest | null): LintResult => ({
    problems: sortProblems(findings.problems, text),
    warnings: sortProblems(findings.warnings, text),
    manifest,
  });
  for (const fault of text.faults) findings.fault({ phase: "syntax", path: [], stage: null, ...fault });
  if (text.value === undefined || text.faults.some((fault) => fault.code === "syntax")) return result(null);
  for (const message of isRecord(text.value) ? applySettings(text.value, options.overrides?.settings ?? []) : []) {
    findings.fault({ phase: "shape", code: "bad-setting", path: [], stage: null, message });
  }
  const shape = checkShape(text.value, findings);
  if (!isRecord(text.value)) return result(null);
  const root = text.value;

  const entries = readEntries(root);
  checkNames(entries, findings);
  const { engine, source, stages, learn, classes, sinks } = entries;
  const outer = [engine, source, ...stages, learn, ...classes, ...sinks].filter((entry) => entry !== null);
  const truth = source === null ? null : takeTruth(source, place.folder, findings);
  const checks: PluginChecks = {
    findings,
    folder: place.folder,
    allowPlugins: options.allowPlugins ?? [],
    builtIns: options.builtIns,
    usedAllowances: new Set(),
  };
  await Promise.all(outer.map((entry) => checkPluginOf(entry, checks)));
  outer.forEach((entry) => checkOptionsOf(entry, checks));
  const parts = learn === null ? {} : await checkPartsOf(learn, isRecord(root.learn) ? root.learn.parts : undefined, checks);
  const all = [...outer, ...Object.values(parts).filter((part) => part !== null)];
  await checkFlow(entries, findings, options.builtIns);
  checkDecoys(entries, root, findings);
  all.forEach((entry) => callCheck(entry, findings));
  all.forEach((entry) => checkResources(entry, place.folder, options, findings));
  if (truth !== null) checkInput(truth, ["source", "options", "truth"], source as ManifestEntry, place.folder, findings);
  const dir = checkRunFolder(root, place, options, findings);
  checkAllowances(checks, findings);
  checkVersions(root, all, findings);

  const complete = findings.problems.length === 0 && all.every((entry) => entry.options !== undefined);
  if (!complete || shape === null || source === null) return result(null);
  const { threads, ...run } = shape.run;
  return result({
    ...place,
    seed: options.overrides?.seed ?? shape.seed,
    engine: finishEntry(engine),
    needsEngine: all.some((entry) => entry.loaded?.plugin.needs?.engine === true),
    source: finishEntry(source),
    truth,
    stages: stages.map((entry, index) => {
      const { capacity, onError, decoy, timeoutSeconds } = shape.stages[index];
      return { ...finishEntry(entry), capacity, onError, decoy, timeoutSeconds };
    }),
    learn: learn === null ? null : finishLearner(learn, parts),
    classes: classes.map(finishEntry),
    sinks: sinks.map(finishEntry),
    run: { ...run, threads: threads ?? availableParallelism(), dir },
  });
}

function checkShape(value: unknown, findings: Findings): z.infer<typeof manifestShape> | null {
  const parsed = manifestShape.safeParse(value);
  if (parsed.success) return parsed.data;
  // An entry as a whole is named by its place in the manifest, what is inside it by its place in the entry.
  const known = (path: Problem["path"]) => path.length > entryDepth(path) ? entryDepth(path) : 0;
  const wording = { noun: "key", owner: "it", known } as const;
  for (const found of issueTexts(parsed.error.issues, value, manifestShape, wording)) {
    const depth = known(found.path);
    const at = found.path.slice(0, depth);
    const entry = at.reduce<unknown>((inside, key) => (inside as JsonRecord | undefined)?.[key], value);
    const stage = depth === 0 ? null : entryLabel(at, isRecord(entry) ? entry.use : undefined, isRecord(entry) ? entry.name : undefined);
    findings.fault({ phase: "shape", code: found.code, path: found.path, stage, message: found.message, onKey: found.onKey });
  }
  return null;
}

/** Takes the truth, which no plugin may see, out of the source's options. */
function takeTruth(source: ManifestEntry, folder: string, findings: Findings): string | null {
  if (!Object.hasOwn(source.rawOptions, "truth")) return null;
  const { truth, ...rest } = source.rawOptions;
  (source as { rawOptions: JsonRecord }).rawOptions = rest;
  if (typeof truth === "string" && truth !== "") return resolve(folder, truth);
  const message = `option "truth" is ${quote(truth)}, expected the path of a CSV with the true labels`;
  findings.fault({ phase: "options", code: "bad-option", path: ["source", "options", "truth"], stage: source.label, message });
  return null;
}

function callCheck(entry: ManifestEntry, findings: Findings): void {
  if (entry.loaded === undefined || entry.options === undefined) return;
  const at = { phase: "check", path: entry.path, stage: entry.label } as const;
  try {
    for (const message of entry.loaded.plugin.check?.(entry.options) ?? []) findings.fault({ ...at, code: "check", message });
  } catch (error) {
    const message = `its check() failed: ${error instanceof Error ? error.message : error}`;
    findings.fault({ ...at, code: "bad-plugin", message });
  }
}

function checkInput(path: string, at: Problem["path"], entry: ManifestEntry, folder: string, findings: Findings): void {
  const message = inputFault(path, folder);
  if (message !== null) findings.fault({ phase: "resources", code: "no-file", path: at, stage: entry.label, message });
}

function checkResources(entry: ManifestEntry, folder: string, options: LintOptions, findings: Findings): void {
  if (entry.loaded === undefined || entry.options === undefined) return;
  const schema = entry.loaded.plugin.options;
  for (const { path, value, written } of formattedValues(schema, entry.options, "path")) {
    if (!written) checkInput(value, [...entry.path, "options", ...path], entry, folder, findings);
  }
  for (const { path, value } of formattedValues(schema, entry.options, "program")) {
    const at = { phase: "resources", path: [...entry.path, "options", ...path], stage: entry.label } as const;
    if (!options.allowCommands?.includes(value)) {
      const message = `runs the program "${value}": if you trust it, add --allow-command=${value}`;
      findings.unchecked({ ...at, code: "command-not-allowed", message });
      continue;
    }
    const message = runPermissionFault(value);
    if (message !== null) findings.unchecked({ ...at, code: "no-run-permission", message });
  }
}

function checkRunFolder(root: JsonRecord, place: ManifestPlace, options: LintOptions, findings: Findings): string {
  const written = isRecord(root.run) && typeof root.run.dir === "string" ? root.run.dir : null;
  const given = options.overrides?.runDir;
  const fallback = `runs/${basename(place.name).replace(/\.[^.]*$/, "") || "run"}`;
  const dir = given === undefined ? resolve(place.folder, written ?? fallback) : resolve(given);
  const message = outputFolderFault(dir);
  if (message !== null) {
    const where = given === undefined ? `run.dir "${written ?? fallback}"` : `--run-dir "${given}"`;
    findings.fault({ phase: "resources", code: "run-dir", path: ["run", "dir"], stage: null, message: `${where}: ${message}` });
  }
  return dir;
}

function checkAllowances(checks: PluginChecks, findings: Findings): void {
  for (const allowed of checks.allowPlugins) {
    if (checks.usedAllowances.has(allowed)) continue;
    const message = `--allow-plugin=${allowed} allows nothing here: write the plugin as the manifest does, or its absolute path`;
    findings.warn({ phase: "plugins", code: "unused-allow-plugin", path: [], stage: null, message });
  }
}

function checkVersions(root: JsonRecord, entries: readonly ManifestEntry[], findings: Findings): void {
  if (!isRecord(root.resolved)) return;
  const at = { phase: "plugins", code: "version-changed" } as const;
  const { tomosieve, plugins } = root.resolved;
  if (typeof tomosieve === "string" && tomosieve !== VERSION) {
    const message = `was resolved by tomosieve ${tomosieve}, this is ${VERSION}: results may differ`;
    findings.warn({ ...at, path: ["resolved", "tomosieve"], stage: null, message });
  }
  for (const { use, label, path, loaded } of entries) {
    const recorded = isRecord(plugins) ? plugins[use] : undefined;
    if (recorded === undefined || loaded === undefined || loaded.version === recorded) continue;
    const message = `is not the plugin that made this manifest (${quote(recorded)}, now ${loaded.version}): results may differ`;
    findings.warn({ ...at, path: [...path, "use"], stage: label, message });
  }
}
