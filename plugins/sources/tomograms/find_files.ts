/**
 * From paths with wildcards to a sorted list of tomograms.
 * @module
 */
import { globSync } from "node:fs";
import { basename, isAbsolute, join, resolve, sep } from "node:path";
import { InputError } from "../../../streams/errors.ts";
import { isAddress, splitHdf5Path } from "../../formats/volume_path.ts";

/** A file and the name of its tomogram. */
export interface FoundFile {
  readonly id: string;
  readonly path: string;
}

/**
 * A file's name without folder, without `.gz` or `.bz2` and without its last extension: the id of a tomogram or stack. Of a level in an
 * OME-Zarr folder (`a.zarr/1`) and of a dataset in an HDF5 file (`a.h5:/volume`), the stem of the whole.
 */
export function stemOf(path: string): string {
  const whole = splitHdf5Path(path).file.replace(/[?#].*$/, "").replace(/(\.zarr)[/\\].*$/i, "$1").replace(/[/\\]+$/, "");
  const name = basename(whole).replace(/\.(gz|bz2)$/i, "").replace(/\.ome\.zarr$/i, ".zarr");
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(0, dot) : name;
}

const ZARR_FILES = ["zarr.json", ".zattrs", ".zgroup", ".zarray"];

/** Whether a path is a file, or a folder that holds a Zarr group or array. */
function isVolume(path: string): boolean {
  return isFile(path) || ZARR_FILES.some((name) => isFile(join(path, name)));
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
  if (isAddress(path)) return [path];
  const { file, dataset } = splitHdf5Path(path);
  if (dataset !== null) return isFile(file) ? [path] : [];
  if (exists(path)) return isVolume(path) ? [path] : [];
  const parts = resolve(path).split(sep);
  let folder = isAbsolute(path) ? sep : ".";
  let at = 0;
  while (at < parts.length - 1 && exists(join(folder, parts[at]))) folder = join(folder, parts[at++]);
  const pattern = parts.slice(at).join("/");
  return globSync(pattern, { cwd: folder }).map((found) => join(folder, found)).filter(isVolume);
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
        ? `${path} is a folder, and no Zarr group: write ${join(path, "*.mrc")}`
        : "no file matches: look at its folder, its case and its ending";
      throw new InputError(path, folder);
    }
    for (const file of found.sort()) {
      const { file: onDisk, dataset } = splitHdf5Path(file);
      const real = isAddress(file) ? file : Deno.realPathSync(onDisk) + (dataset ?? "");
      if (files.has(real)) continue;
      const id = stemOf(file);
      const other = byId.get(id);
      if (other !== undefined) {
        throw new InputError(file, `has the same id ${JSON.stringify(id)} as ${other}: rename one of them, or leave one out of paths`);
      }
      byId.set(id, file);
      files.set(real, { id, path: file });
    }
  }
  return [...files.values()].sort((a, b) => a.id < b.id ? -1 : 1);
}
