/**
 * Paths of volumes: files, folders, addresses on the web, datasets in HDF5 files.
 * @module
 */
import { resolve } from "node:path";

/** Whether a path is an address rather than a file's name. */
export function isAddress(path: string): boolean {
  return /^https?:\/\//i.test(path);
}

/** `path` from the root of the file system, as seen from `folder`; an address stays as it is. */
export function absolutePath(folder: string, path: string): string {
  return isAddress(path) ? path : resolve(folder, path);
}

/** `a.h5` and `/volume` of `a.h5:/volume`; any other path stays whole. */
export function splitHdf5Path(path: string): { readonly file: string; readonly dataset: string | null } {
  const parts = /^(.+\.(?:h5|hdf5?|ims))(?::(\/.*))?$/i.exec(path);
  return parts ? { file: parts[1], dataset: parts[2] ?? null } : { file: path, dataset: null };
}
