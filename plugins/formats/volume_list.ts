/**
 * Lists that say which file belongs to which tomogram: STAR tables of IsoNet and RELION, JSON of cryoCARE, plain JSON.
 *
 * | list | tomogram | file |
 * |---|---|---|
 * | IsoNet, RELION 5 `.star` | `rlnTomoName`, `rlnMicrographName`, `rlnTomoReconstructedTomogram` ... | the first of `rlnCorrectedTomoName`, `rlnDenoisedTomoName`, `rlnTomoReconstructedTomogramDenoised`, `rlnDeconvTomoName` that has a value |
 * | cryoCARE's prediction `.json` | the names in `even` | the file of that name in the folder `output`, or `output` itself for one tomogram |
 * | other `.json` | keys of an object, or `tomogram`, `id`, `name` of a list's objects | its values, or `path`, `file` of them |
 * @module
 */
import { basename, dirname, extname, isAbsolute, join } from "node:path";
import { InputError } from "../../streams/errors.ts";
import { tomogramStem } from "./particle_set.ts";
import { columnOf, loopOf, parseStar } from "./star.ts";
import { bareTomogramName } from "./tomogram_name.ts";

/** One tomogram's file, as a list has it. */
export interface ListedVolume {
  /** Names by which the list knows the tomogram. */
  readonly names: readonly string[];
  /** Path as it is written; null where the list has none for this tomogram. */
  readonly file: string | null;
}

const NAME_COLUMNS = ["rlnTomoName", "rlnMicrographName", "rlnTomoReconstructedTomogram", "rlnTomoReconstructedTomogramHalf1"];
const FILE_COLUMNS = ["rlnCorrectedTomoName", "rlnDenoisedTomoName", "rlnTomoReconstructedTomogramDenoised", "rlnDeconvTomoName"];

/**
 * Reads a list.
 * @param column STAR column that holds the files; left out: the first known one that has a value.
 * @throws {InputError} When it is neither, or has no column or key that names files.
 */
export function parseVolumeList(text: string, path: string, column?: string): ListedVolume[] {
  return /^\s*[[{]/.test(text) ? parseJsonList(text, path) : parseStarList(text, path, column?.replace(/^_/, ""));
}

function parseStarList(text: string, path: string, column: string | undefined): ListedVolume[] {
  const wanted = column === undefined ? FILE_COLUMNS : [column];
  const loops = parseStar(text, path).blocks.map(loopOf);
  const loop = loops.find(({ columns }) =>
    wanted.some((name) => columns.includes(name)) && NAME_COLUMNS.some((name) => columns.includes(name))
  );
  if (!loop) {
    throw new InputError(
      path,
      `no table with ${wanted.join(" or ")} and ${NAME_COLUMNS.join(" or ")}: it has ${
        loops.flatMap(({ columns }) => columns).join(", ") || "no column"
      }; set "column"`,
    );
  }
  const names = NAME_COLUMNS.flatMap((name) => [columnOf(loop, name) ?? []]).filter((values) => values.length > 0);
  const files = wanted.flatMap((name) => [columnOf(loop, name) ?? []]).filter((values) => values.length > 0);
  return loop.rows.map((_, i) => ({
    names: names.map((values) => values[i]),
    file: files.map((values) => values[i]).find((value) => !/^(none)?$/i.test(value.trim())) ?? null,
  }));
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

function parseJsonList(text: string, path: string): ListedVolume[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InputError(path, `is no JSON: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  if (isRecord(value) && "even" in value && typeof value.output === "string") {
    const even = (Array.isArray(value.even) ? value.even : [value.even]).map(String), { output } = value;
    const single = even.length === 1 && /^\.(mrc|rec|map|em)$/i.test(extname(output));
    return even.map((name) => ({ names: [name], file: single ? output : join(output, basename(name)) }));
  }
  const textOf = (entry: Record<string, unknown>, keys: readonly string[]) =>
    keys.map((key) => entry[key]).find((each) => typeof each === "string");
  const listed = isRecord(value)
    ? Object.entries(value).map(([name, file]) => ({ names: [name], file: typeof file === "string" ? file : null }))
    : Array.isArray(value)
    ? value.filter(isRecord).map((entry) => ({
      names: [textOf(entry, ["tomogram", "id", "name"])].filter((name) => name !== undefined) as string[],
      file: (textOf(entry, ["path", "file", "volume"]) ?? null) as string | null,
    }))
    : [];
  if (listed.length === 0 || listed.every(({ file }) => file === null)) {
    throw new InputError(
      path,
      'names no files: expected {"tomo_01": "a.mrc", ...}, [{"tomogram": ..., "path": ...}] or the keys even and output of cryoCARE',
    );
  }
  return listed;
}

/**
 * The entry of a tomogram: by its exact name, else by the name without what programs add.
 * @throws {InputError} When several fit.
 */
export function findListed(list: readonly ListedVolume[], id: string, path: string): ListedVolume | null {
  for (const same of [tomogramStem, bareTomogramName]) {
    const found = list.filter(({ names }) => names.some((name) => same(name) === same(id)));
    if (found.length === 1) return found[0];
    if (found.length > 1) {
      throw new InputError(
        path,
        `${found.length} rows fit tomogram "${id}": ${found.map(({ names }) => names[0]).join(", ")}`,
      );
    }
  }
  return null;
}

/**
 * Where a listed file is: paths in lists are relative to the project's folder, which is the list's own or one above it.
 * @returns The path, or where it was looked for.
 */
export function locateListed(file: string, listPath: string): { readonly path: string } | { readonly tried: readonly string[] } {
  if (isAbsolute(file)) return { path: file };
  const tried: string[] = [];
  for (let folder = dirname(listPath);; folder = dirname(folder)) {
    const path = join(folder, file);
    try {
      Deno.statSync(path);
      return { path };
    } catch {
      tried.push(path);
    }
    if (dirname(folder) === folder) return { tried };
  }
}
