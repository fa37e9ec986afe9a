/**
 * The folder of a run: one process at a time, never two runs mixed.
 * @module
 */
import { hostname } from "node:os";
import { writeError } from "../plugins/formats/atomic.ts";
import { exists, removeIfThere } from "./bundle.ts";
import { completedManifest } from "./completed_manifest.ts";
import { InputError, ManifestError, RunError } from "./errors.ts";
import type { LoadedManifestFile } from "./manifest.ts";
import type { ResolvedManifest } from "./manifest_shape.ts";

/** Keys of the manifest that may differ on resume: they do not change what the boxes and labels are. */
const HARMLESS = [/^classes/, /^sinks/, /^run\.(threads|dir|timeoutSeconds)$/, /^stages\[\d+\]\.(capacity|timeoutSeconds)$/, /^resolved/];

/** A run folder that this process holds. */
export interface RunFolder extends Disposable {
  readonly dir: string;
  /** Harmless differences to the manifest of the interrupted run. */
  readonly changes: readonly string[];
}

/**
 * Takes the run folder of a manifest for this process and writes `manifest.json`. An option that the saved manifest does not know, because
 * it came later, counts as its default.
 *
 * @throws {ManifestError} When the folder holds something and `resume` is false, when there is nothing to resume, or when the manifest has
 * changed in what it computes.
 * @throws {RunError} When another process holds the folder or it cannot be written.
 */
export function openRunFolder(file: Pick<LoadedManifestFile, "manifest" | "resolved">, resume: boolean): RunFolder {
  const { dir } = file.manifest.run, resolved = file.resolved();
  const manifestPath = `${dir}/manifest.json`;
  let entries: string[] = [];
  try {
    entries = [...Deno.readDirSync(dir)].map((entry) => entry.name).filter((name) => name !== "run.lock");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw refused(dir, error);
  }
  if (entries.length > 0 && !resume) {
    throw new ManifestError([
      `${dir}: the run folder is not empty (${entries.slice(0, 3).join(", ")}${
        entries.length > 3 ? ", ..." : ""
      }): use --resume to go on with it, or another run.dir`,
    ]);
  }
  let lock: Deno.FsFile, held = false;
  try {
    Deno.mkdirSync(dir, { recursive: true });
    lock = Deno.openSync(`${dir}/run.lock`, { read: true, write: true, create: true });
  } catch (error) {
    throw refused(dir, error);
  }
  try {
    if (!lock.tryLockSync(true)) {
      throw new RunError(
        `${dir}: another process works in this folder (${
          Deno.readTextFileSync(`${dir}/run.lock`).trim()
        }): wait for it, or use another run.dir`,
      );
    }
    held = true;
    lock.truncateSync();
    lock.writeSync(new TextEncoder().encode(`${hostname()} pid ${Deno.pid}\n`));
    let changes: string[] = [];
    if (exists(manifestPath)) {
      const saved = completedManifest(readManifest(manifestPath), file.manifest);
      const all = differences(saved, JSON.parse(JSON.stringify(resolved)));
      const grave = all.filter(({ path }) => !HARMLESS.some((pattern) => pattern.test(path)));
      if (grave.length > 0) {
        throw new ManifestError([
          `${dir}: the manifest has changed since this run was started, so it cannot go on; undo the changes or use another run.dir:`,
          ...grave.map(({ path, before, after }) => `  ${path}: was ${before}, is ${after}`),
        ]);
      }
      changes = all.map(({ path, before, after }) => `${path}: was ${before}, is ${after}`);
    } else if (resume && entries.length > 0) {
      throw new ManifestError([`${dir}: has no manifest.json, so it is not the folder of a run: use another run.dir`]);
    }
    removeLeftovers(dir);
    writeManifest(manifestPath, resolved);
    return { dir, changes, [Symbol.dispose]: () => unlock(dir, lock) };
  } catch (error) {
    if (held) unlock(dir, lock);
    else lock.close();
    throw writeError(dir, error);
  }
}

function unlock(dir: string, lock: Deno.FsFile): void {
  lock.close();
  try {
    Deno.removeSync(`${dir}/run.lock`);
  } catch { /* gone already, or the disk: nothing depends on it */ }
}

function readManifest(path: string): unknown {
  try {
    return JSON.parse(Deno.readTextFileSync(path));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? "is not JSON" : `cannot be read (${cause instanceof Error ? cause.message : cause})`;
    throw new InputError(path, `${why}: the run folder is damaged; use another run.dir`, { cause });
  }
}

function writeManifest(path: string, resolved: ResolvedManifest): void {
  const temporary = `${path}.tmp`;
  try {
    Deno.writeTextFileSync(temporary, JSON.stringify(resolved, null, 2) + "\n");
    Deno.renameSync(temporary, path);
  } catch (error) {
    removeIfThere(temporary);
    throw writeError(path, error);
  }
}

/** Removes what a killed process left under temporary names. */
function removeLeftovers(folder: string): void {
  for (const { name, isDirectory } of [...Deno.readDirSync(folder)]) {
    const path = `${folder}/${name}`;
    if (/\.(tmp|old)(-|$)/.test(name)) removeIfThere(path);
    else if (isDirectory) removeLeftovers(path);
  }
}

function refused(dir: string, error: unknown): Error {
  return new RunError(
    `${dir}: the run folder cannot be used (${
      error instanceof Error ? error.message : error
    }): choose a folder that you may write to with run.dir or --run-dir`,
    { cause: error },
  );
}

interface Difference {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

/** Leaves that differ between two JSON values, by path. */
export function differences(before: unknown, after: unknown, path = ""): Difference[] {
  if (before !== null && after !== null && typeof before === "object" && typeof after === "object") {
    const a = before as Record<string, unknown>, b = after as Record<string, unknown>;
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    return keys.flatMap((key) => differences(a[key], b[key], Array.isArray(after) ? `${path}[${key}]` : path ? `${path}.${key}` : key));
  }
  const show = (value: unknown) => value === undefined ? "absent" : JSON.stringify(value);
  return Object.is(before, after) ? [] : [{ path, before: show(before), after: show(after) }];
}
