/**
 * From paths with wildcards to a sorted list of tomograms.
 * @module
 */
import { globSync } from "node:fs";
import { basename, isAbsolute, join, resolve, sep } from "node:path";
import { InputError } from "../../../streams/errors.ts";

/** A file and the name of its tomogram. */
export interface FoundFile {
  readonly id: string;
  readonly path: string;
  readonly gzipped: boolean;
}

/** A file's name without folder, without `.gz` and without its last extension: the id of a tomogram or stack. */
export function stemOf(path: string): string {
  const name = basename(path).replace(/\.gz$/i, "");
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(0, dot) : name;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Files that a path names: itself, or what its wildcards match. Folders whose names hold wildcard characters are taken as they stand. */
function expand(path: string): string[] {
  if (exists(path)) return isFile(path) ? [path] : [];
  const parts = resolve(path).split(sep);
  let folder = isAbsolute(path) ? sep : ".";
  let at = 0;
  while (at < parts.length - 1 && exists(join(folder, parts[at]))) folder = join(folder, parts[at++]);
  const pattern = parts.slice(at).join("/");
  return globSync(pattern, { cwd: folder }).map((found) => join(folder, found)).filter(isFile);
}

/**
 * Lists the files that `paths` name, each once, sorted by id (by code unit, so that the order is the same everywhere).
 * @throws {InputError} When a path matches no file, or two files have the same id.
 */
export function findFiles(paths: readonly string[]): FoundFile[] {
  const files = new Map<string, FoundFile>();
  const byId = new Map<string, string>();
  for (const path of paths) {
    const found = expand(path);
    if (found.length === 0) {
      const folder = exists(path)
        ? `${path} is a folder: write ${join(path, "*.mrc")}`
        : "no file matches: look at its folder, its case and its ending";
      throw new InputError(path, folder);
    }
    for (const file of found.sort()) {
      const real = Deno.realPathSync(file);
      if (files.has(real)) continue;
      const id = stemOf(file);
      const other = byId.get(id);
      if (other !== undefined) {
        throw new InputError(file, `has the same id ${JSON.stringify(id)} as ${other}: rename one of them, or leave one out of paths`);
      }
      byId.set(id, file);
      files.set(real, { id, path: file, gzipped: /\.gz$/i.test(file) });
    }
  }
  return [...files.values()].sort((a, b) => a.id < b.id ? -1 : 1);
}
