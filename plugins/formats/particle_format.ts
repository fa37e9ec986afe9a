/**
 * What a format of particle files is: how it is known, read and written. `particles.ts` lists them all.
 * @module
 */
import type { CentreRule, ParticleOrigin, ParticleSet, ParticleUnit } from "./particle_set.ts";

/** What a user knows better than the file. */
export interface ParticleReadOptions {
  /** Unit of x, y, z in a table whose columns do not say it. */
  readonly unit?: ParticleUnit;
  /** Number of the first voxel, for formats that count from 1; left out: as the format's own program has it. */
  readonly firstVoxel?: 0 | 1;
  /** Rule of the centre, for centred coordinates. */
  readonly centre?: CentreRule;
  /** Size of the voxels that the coordinates count, where the file does not say. */
  readonly voxelSizeAngstrom?: number;
}

/** What a user wants of a written file beyond the particles. */
export interface ParticleWriteOptions {
  readonly firstVoxel?: 0 | 1;
  readonly centre?: CentreRule;
  /** Size of the voxels that coordinates shall count; left out: the tomogram's, otherwise those of the source. */
  readonly voxelSizeAngstrom?: number;
  /** Name of the particle, for formats that hold one. */
  readonly objectName?: string;
  /** A table apart by tabs instead of commas. */
  readonly tab?: boolean;
  /** Edge of boxes, for formats that hold one. */
  readonly boxVoxels?: number;
  /** Size of a tomogram, for formats that hold one. */
  readonly shapeXyz?: readonly [number, number, number];
}

/** The beginning of a file, to know it by. */
export interface FileHead {
  /** Lower-case name without folder. */
  readonly name: string;
  /** The first 256 kB. */
  readonly bytes: Uint8Array;
  /** The same as text; empty for binary files. */
  readonly text: string;
  /** Size of the whole file. */
  readonly fileBytes: number;
}

/** The content of a written file, and what was assumed or left out. */
export interface WrittenParticles {
  readonly content: string | Uint8Array;
  readonly notes: readonly string[];
}

/** A format of particle files. */
export interface ParticleFormat {
  /** What `--from` and `--to` take. */
  readonly id: string;
  /** In words, for tables and messages. */
  readonly title: string;
  /** Endings that mean this format when a file is written, with the dot. */
  readonly extensions: readonly string[];
  /** Frame of the coordinates in the file. */
  readonly frame: { readonly unit: ParticleUnit; readonly origin: ParticleOrigin; readonly centre?: CentreRule };
  /** Whether x, y, z may as well be Angstrom. */
  readonly eitherUnit?: true;
  /** Whether a file holds particles of more than one tomogram. */
  readonly manyTomograms?: true;
  /** Whether the file looks like it: by content; the name decides only where content cannot. */
  detect(head: FileHead): boolean;
  /** @throws {InputError} When the file is not whole or holds no positions in three dimensions. */
  read(bytes: Uint8Array, path: string, options: ParticleReadOptions): ParticleSet | Promise<ParticleSet>;
  /** `set` is in `frame` already. */
  write(set: ParticleSet, options: ParticleWriteOptions): WrittenParticles | Promise<WrittenParticles>;
}

/** Names of columns that a format cannot hold, as a note; none when there are none. */
export function leftOutNote(names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const shown = names.length > 8 ? `${names.slice(0, 8).join(", ")} and ${names.length - 8} more` : names.join(", ");
  return [`left out, the format has no place for them: ${shown}`];
}

/** A number with at most nine significant digits and no exponent where that is possible; `-0` is `0`. */
export function plainNumber(value: number): string {
  const rounded = Number(value.toPrecision(9));
  return String(rounded === 0 ? 0 : rounded);
}

/**
 * Tomogram names as whole numbers from 0 up, for formats that hold numbers only: names that are numbers stay, otherwise they are numbered from 1
 * as they appear, and a note says which is which.
 */
export function numberTomograms(names: readonly string[]): { readonly numbers: Int32Array; readonly notes: readonly string[] } {
  const distinct = [...new Set(names)];
  if (distinct.length === 1 && distinct[0] === "") return { numbers: new Int32Array(names.length).fill(1), notes: [] };
  if (distinct.every((name) => /^\d{1,9}$/.test(name))) return { numbers: Int32Array.from(names, Number), notes: [] };
  const numberOf = new Map(distinct.map((name, i) => [name, i + 1]));
  const listed = distinct.slice(0, 12).map((name, i) => `${i + 1} is ${name === "" ? "(no name)" : name}`).join(", ");
  return {
    numbers: Int32Array.from(names, (name) => numberOf.get(name)!),
    notes: [`tomograms are numbered, the format has no names: ${listed}${distinct.length > 12 ? ", ..." : ""}`],
  };
}
