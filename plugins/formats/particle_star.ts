/**
 * Tables of particles inside STAR files: rewritten so that unknown columns, other blocks and the text of unchanged values stay.
 * @module
 */
import { plainNumber } from "./particle_format.ts";
import type { ParticleSet, StarOrigin } from "./particle_set.ts";
import type { StarFile, StarItem, StarLoop } from "./star.ts";

/** Columns to write by name: numbers or text, one value a particle. */
export type StarColumns = ReadonlyMap<string, ArrayLike<number | string>>;

/** The old text where it says the same number, otherwise the number. */
export function keepText(old: string | undefined, value: number): string {
  if (old !== undefined && old.trim() !== "" && Math.abs(Number(old) - value) <= 1e-9 * Math.max(1, Math.abs(value))) return old;
  return plainNumber(value);
}

/** Where the particles of a STAR file stand: the first table that has all of one of these lists of columns. */
export function findParticles(
  file: StarFile,
  coordinates: readonly (readonly string[])[],
): { readonly block: number; readonly item: number; readonly loop: StarLoop } | null {
  for (let block = 0; block < file.blocks.length; block++) {
    const { items } = file.blocks[block];
    for (let item = 0; item < items.length; item++) {
      const loop = items[item];
      if (loop.kind === "loop" && coordinates.some((names) => names.every((name) => loop.columns.includes(name)))) {
        return { block, item, loop };
      }
    }
  }
  return null;
}

/** The table that a set came from. */
export function sourceLoop(star: StarOrigin): StarLoop {
  return star.file.blocks[star.block].items[star.item] as StarLoop;
}

/** The items of the particles' block with another table in its place. */
export function replacedItems(star: StarOrigin, loop: StarLoop): StarItem[] {
  return star.file.blocks[star.block].items.map((item, i) => i === star.item ? loop : item);
}

/**
 * A table of `columns`: those of the source stay in their place, a source's column for which `drop` is true goes, new ones come last.
 * @param extra Columns to add behind, where the source has none of that name.
 */
export function buildLoop(
  count: number,
  columns: StarColumns,
  source: StarLoop | null,
  drop: (name: string) => boolean,
  extra: Readonly<Record<string, readonly string[]>> = {},
): StarLoop {
  const names: string[] = [], cells: ((i: number) => string)[] = [];
  const add = (name: string, cell: (i: number) => string) => {
    if (names.includes(name)) return;
    names.push(name);
    cells.push(cell);
  };
  const text = (name: string, i: number, old?: string) => {
    const value = columns.get(name)![i];
    return typeof value === "string" ? value : keepText(old, value);
  };
  source?.columns.forEach((name, at) => {
    if (columns.has(name)) add(name, (i) => text(name, i, source.rows[i][at]));
    else if (!drop(name)) add(name, (i) => source.rows[i][at]);
  });
  for (const name of columns.keys()) add(name, (i) => text(name, i));
  for (const [name, values] of Object.entries(extra)) add(name, (i) => values[i]);
  return { kind: "loop", columns: names, rows: Array.from({ length: count }, (_, i) => cells.map((cell) => cell(i))) };
}

/** A set's source when it is of this format, otherwise null. */
export function ownStar(set: ParticleSet, formats: readonly string[]): StarOrigin | null {
  return set.star && formats.includes(set.format) ? set.star : null;
}

/** Largest difference of two angles in degrees that counts as none. */
const SAME_DEGREES = 1e-6;

/**
 * Three columns of angles: the source's text where its three angles mean the same rotation (0, -90, 0 is 180, 90, 180), otherwise numbers.
 *
 * @param names The three columns of the source.
 * @param angles `[3n]` in the order of `names`.
 * @param canonical The one triple of the rotation that three angles mean.
 */
export function keepAngles(
  source: StarLoop | null,
  names: readonly string[],
  angles: Float64Array,
  canonical: (a: number, b: number, c: number) => readonly [number, number, number],
): (number | string)[][] {
  const at = names.map((name) => source?.columns.indexOf(name) ?? -1);
  const count = angles.length / 3;
  const out: (number | string)[][] = names.map(() => new Array(count));
  for (let i = 0; i < count; i++) {
    const now = [angles[3 * i], angles[3 * i + 1], angles[3 * i + 2]] as const;
    const old = at.some((column) => column < 0) ? null : at.map((column) => source!.rows[i][column]);
    const before = old && canonical(Number(old[0]), Number(old[1]), Number(old[2]));
    const after = canonical(...now);
    const same = before !== null && before.every((angle, k) => Math.abs((Math.abs(angle - after[k]) + 180) % 360 - 180) < SAME_DEGREES);
    names.forEach((_, k) => out[k][i] = same ? old![k] : now[k]);
  }
  return out;
}
