/**
 * From the path of a manifest to plugins that are loaded and options that are complete.
 * @module
 */
import { basename, dirname, resolve } from "node:path";
import { ManifestError } from "./errors.ts";
import { type LintOptions, type LintResult, lintText, type ManifestPlace } from "./lint.ts";
import { locate, type LocatedText } from "./locate.ts";
import { type LoadedManifest, resolvedManifest } from "./loaded_manifest.ts";
import type { ResolvedManifest } from "./manifest_shape.ts";
import { nearestName } from "./nearest_name.ts";
import { formatProblem } from "./problem.ts";

/** A manifest that was checked, with every message as one line. */
export interface ManifestLint {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly manifest: LoadedManifest | null;
}
/** A manifest that may run. */
export interface LoadedManifestFile {
  readonly manifest: LoadedManifest;
  readonly warnings: readonly string[];
  /** The manifest as it is written into a file in `folder` (default: its run folder). */
  resolved(folder?: string): ResolvedManifest;
}

/** Reads a manifest's text, or says why not. */
async function readManifest(path: string): Promise<string> {
  const fail = (message: string): never => {
    throw new ManifestError([`${path}: ${message} [no-file]`]);
  };
  try {
    if ((await Deno.stat(path)).isDirectory) {
      const names = [...Deno.readDirSync(path)].map((entry) => entry.name).filter((name) => /\.(jsonc?|ya?ml)$/i.test(name)).sort();
      fail(`is a folder, expected a manifest${names.length === 0 ? "" : `: did you mean "${path.replace(/\/+$/, "")}/${names[0]}"?`}`);
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path));
  } catch (error) {
    if (error instanceof ManifestError) throw error;
    if (error instanceof TypeError) return fail("is not UTF-8 text, expected JSON, JSONC or YAML");
    if (!(error instanceof Deno.errors.NotFound)) return fail(`cannot be read: ${error instanceof Error ? error.message : error}`);
    let names: string[] = [];
    try {
      names = [...Deno.readDirSync(dirname(path))].map((entry) => entry.name);
    } catch {
      // The folder does not exist either: nothing to suggest.
    }
    const near = nearestName(basename(path), names);
    return fail(`no such file${near === null ? "" : `: did you mean "${near}"?`}`);
  }
}

function asLines(result: LintResult, text: LocatedText, name: string): ManifestLint {
  return {
    problems: result.problems.map((problem) => formatProblem(problem, name, text)),
    warnings: result.warnings.map((problem) => formatProblem(problem, name, text)),
    manifest: result.manifest,
  };
}

/**
 * Checks the manifest at `path`; messages name it as `path` is written.
 *
 * @throws {ManifestError} When the file cannot be read. Faults of the manifest itself are in the result.
 */
export async function lintManifest(path: string, options: LintOptions = {}): Promise<ManifestLint> {
  const text = locate(await readManifest(path), path);
  return asLines(await lintText(text, { name: path, folder: dirname(resolve(path)) }, options), text, path);
}

function complete({ problems, warnings, manifest }: ManifestLint): LoadedManifestFile {
  if (problems.length > 0) throw new ManifestError(problems);
  if (manifest === null) throw new Error("a manifest without problems is not complete");
  return { manifest, warnings, resolved: (folder = manifest.run.dir) => resolvedManifest(manifest, resolve(folder)) };
}

/**
 * Loads the manifest at `path` for a run: every plugin is loaded, every option complete, every path absolute.
 *
 * @throws {ManifestError} With all faults, one line each. A plugin that is code and was not allowed is one of them.
 */
export async function loadManifest(path: string, options: LintOptions = {}): Promise<LoadedManifestFile> {
  return complete(await lintManifest(path, { ...options, strict: true }));
}

/**
 * Loads a manifest that is already a value: the one in a model bundle, or one made for `infer`. Messages say `name` and no line.
 *
 * @throws {ManifestError} With all faults, one line each.
 */
export async function loadManifestValue(value: unknown, place: ManifestPlace, options: LintOptions = {}): Promise<LoadedManifestFile> {
  const text = locate(JSON.stringify(value), `${place.name}.json`);
  return complete(asLines(await lintText(text, place, { ...options, strict: true }), text, place.name));
}
