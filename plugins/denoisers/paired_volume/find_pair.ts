/**
 * Which file belongs to a tomogram: by its name in a folder, or by a list.
 * @module
 */
import { globSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Tomogram } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import { findListed, locateListed, parseVolumeList } from "../../formats/volume_list.ts";
import { stemOf } from "../../sources/tomograms/find_files.ts";

/** Where to look. */
export interface PairPlace {
  readonly suffix?: string;
  readonly folder?: string;
  readonly extension: string;
  /** File name with `{id}` and `*`. */
  readonly file?: string;
  /** STAR or JSON list. */
  readonly list?: string;
  readonly column?: string;
}

/** The path of a tomogram's second file, which may not be there. @throws {InputError} When the name or the list does not say. */
export async function findPair({ id, metadata }: Tomogram, place: PairPlace): Promise<string> {
  if (place.list !== undefined) return await findInList(id, place.list, place.column);
  const own = metadata.path;
  if (typeof own !== "string" && place.folder === undefined) {
    throw new InputError(id, `comes from no file, so that its own folder is unknown: set "folder"`);
  }
  const folder = place.folder ?? dirname(own as string), stem = typeof own === "string" ? stemOf(own) : id;
  if (place.file === undefined) return join(folder, `${stem}${place.suffix ?? ""}${place.extension}`);
  const name = place.file.replaceAll("{id}", stem);
  if (!name.includes("*")) return join(folder, name);
  // Characters of the tomogram's name are none of a pattern's.
  const pattern = place.file.replaceAll("{id}", stem.replace(/[[\]{}()?!*@+\\]/g, "\\$&"));
  const found = globSync(pattern, { cwd: folder }).filter((each) => join(folder, each) !== own).sort();
  if (found.length === 1) return join(folder, found[0]);
  throw new InputError(
    join(folder, name),
    found.length === 0
      ? `no file matches; it was looked for as the paired volume of tomogram "${id}": set "file" or "folder"`
      : `${found.length} files match: ${found.slice(0, 4).map((each) => basename(each)).join(", ")}; make "file" name one of them`,
  );
}

async function findInList(id: string, list: string, column: string | undefined): Promise<string> {
  let text: string;
  try {
    text = await Deno.readTextFile(list);
  } catch (cause) {
    throw new InputError(list, 'cannot be read: "list" names it', { cause });
  }
  const listed = parseVolumeList(text, list, column), found = findListed(listed, id, list);
  if (found === null) {
    const names = listed.slice(0, 4).map(({ names }) => names[0]).join(", ");
    throw new InputError(list, `names no tomogram "${id}", only ${names}${listed.length > 4 ? ", ..." : ""}`);
  }
  if (found.file === null) throw new InputError(list, `has no file for tomogram "${id}" yet: was it processed?`);
  const located = locateListed(found.file, list);
  if ("path" in located) return located.path;
  throw new InputError(
    list,
    `names ${found.file} for tomogram "${id}", which is not there, neither beside the list nor in a folder above it`,
  );
}
