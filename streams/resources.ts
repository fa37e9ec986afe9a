/**
 * Looks whether the files that a manifest names are there. Opens nothing.
 * @module
 */
import { accessSync, constants, globSync } from "node:fs";
import { basename, dirname, relative } from "node:path";
import { isAddress, splitHdf5Path } from "../plugins/formats/volume_path.ts";
import { nearestName } from "./nearest_name.ts";

/** Whether a path holds wildcards and so names several files. */
export function isGlob(path: string): boolean {
  return /[*?[\]{}]/.test(path);
}

function statOf(path: string): Deno.FileInfo | null {
  try {
    return Deno.statSync(path);
  } catch {
    return null;
  }
}

/**
 * Says why an input path, absolute, cannot be read, or `null` when it can. A path with wildcards must match something; addresses are not
 * looked at, and of a dataset in an HDF5 file only the file is.
 *
 * @param folder The manifest's folder: the message shows the path as seen from there.
 */
export function inputFault(path: string, folder: string): string | null {
  if (isAddress(path)) return null;
  const { file: onDisk, dataset } = splitHdf5Path(path);
  if (dataset !== null) return inputFault(onDisk, folder);
  const inside = relative(folder, path);
  const shown = inside.startsWith("..") ? path : inside;
  const file = statOf(path);
  if (file !== null) {
    try {
      accessSync(path, constants.R_OK);
      return null;
    } catch {
      return `"${shown}" cannot be read: it is there, but its permissions forbid it`;
    }
  }
  const home = inside.startsWith("~") ? ": ~ is not expanded, write the whole path" : "";
  if (isGlob(shown)) return globSync(shown, { cwd: folder }).length > 0 ? null : `no file matches "${shown}"${home}`;
  const parent = dirname(path);
  if (statOf(parent) === null) return `no such file "${shown}"${home || `: there is no folder ${parent}`}`;
  const near = nearestName(basename(path), [...Deno.readDirSync(parent)].map((entry) => entry.name));
  return `no such file "${shown}"${near === null ? "" : `: did you mean "${near}"?`}`;
}

/** Says why no folder can be made at `path`, absolute, or `null` when it can. Makes nothing. */
export function outputFolderFault(path: string): string | null {
  let at = path;
  while (statOf(at) === null && dirname(at) !== at) at = dirname(at);
  const found = statOf(at);
  if (found !== null && !found.isDirectory) return `${at} is a file, expected a folder`;
  try {
    accessSync(at, constants.W_OK);
    return null;
  } catch {
    return `${at} cannot be written to: choose another folder`;
  }
}
