/**
 * The ways in which a particle file may have been misread: each a set of particles, the words for it, and the options of `convert` that mend it.
 * @module
 */
import { type CentreRule, centreWords, type FrameOf, inFrame, type ParticleSet } from "../../plugins/formats/particle_set.ts";
import { InputError } from "../errors.ts";

/** What coordinates count in a comparison. */
export type ComparedUnit = "voxel" | "angstrom";

/** One way to read a file. */
export interface Reading {
  /** Empty for the file as it is. */
  readonly words: readonly string[];
  /** Options of `convert`. */
  readonly options: readonly string[];
  /** In the frame of the comparison. */
  readonly set: ParticleSet;
}

/** A set in the frame of the comparison, or null with the reason. */
export function place(
  set: ParticleSet,
  unit: ComparedUnit,
  frameOf: FrameOf,
): { readonly set: ParticleSet | null; readonly reason: string } {
  try {
    return { set: inFrame(set, { unit, origin: "first-voxel" }, frameOf), reason: "" };
  } catch (error) {
    if (error instanceof InputError) return { set: null, reason: error.message };
    throw error;
  }
}

/** Formats whose first voxel may be 0 or 1, and which their reader takes. */
const FIRST_VOXEL: Readonly<Record<string, 0 | 1>> = { dynamo: 0, stopgap: 1, "tom-motl": 1 };

/** A change of the set itself, in words and options. */
interface Change {
  readonly words: string | null;
  readonly options: readonly string[];
  apply(set: ParticleSet): ParticleSet;
}
const asItIs: Change = { words: null, options: [], apply: (set) => set };

function unitChanges(set: ParticleSet): Change[] {
  const other = set.unit === "voxel" ? "angstrom" : "voxel";
  const words = other === "angstrom" ? "its numbers are Angstrom, not voxels" : "its numbers are voxels, not Angstrom";
  return [asItIs, { words, options: ["--unit", other], apply: (given) => ({ ...given, unit: other }) }];
}

function originChanges(set: ParticleSet): Change[] {
  const rules: CentreRule[] = ["half", "half-minus-one", "floor"];
  const own = set.centre ?? "half";
  if (set.origin === "centre") {
    const others = rules.filter((rule) => rule !== own).map((centre): Change => ({
      words: `its centre is index ${centreWords(centre)}, not ${centreWords(own)}`,
      options: ["--centre", centre],
      apply: (given) => ({ ...given, centre }),
    }));
    const corner: Change = {
      words: "its coordinates count from the first voxel, not from the centre",
      options: ["--origin", "first-voxel"],
      apply: (given) => ({ ...given, origin: "first-voxel" }),
    };
    return [asItIs, ...others, corner];
  }
  return [
    asItIs,
    ...rules.map((centre): Change => ({
      words: `its coordinates count from the centre (index ${centreWords(centre)}), not from the first voxel`,
      options: ["--origin", "centre", ...(centre === "half" ? [] : ["--centre", centre])],
      apply: (given) => ({ ...given, origin: "centre", centre }),
    })),
  ];
}

function firstVoxelChanges(set: ParticleSet, said: 0 | 1 | undefined): Change[] {
  const own = said ?? FIRST_VOXEL[set.format];
  if (FIRST_VOXEL[set.format] === undefined) return [asItIs];
  const other = own === 0 ? 1 : 0;
  const change: Change = {
    words: `its voxels are counted from ${other}, not from ${own}`,
    options: ["--first-voxel", String(other)],
    apply: (given) => ({ ...given, positionsXyz: given.positionsXyz.map((value) => value + own! - other) }),
  };
  return [asItIs, change];
}

/**
 * All ways to read a set that can be placed in the frame, the set as it is first, fewer changes before more.
 *
 * @param firstVoxel What the user said of it.
 */
export function readingsOf(set: ParticleSet, unit: ComparedUnit, frameOf: FrameOf, firstVoxel?: 0 | 1): Reading[] {
  const readings: Reading[] = [];
  for (const units of unitChanges(set)) {
    for (const origins of originChanges(set)) {
      for (const firsts of firstVoxelChanges(set, firstVoxel)) {
        const changes = [units, origins, firsts];
        const placed = place(changes.reduce((given, change) => change.apply(given), set), unit, frameOf).set;
        if (!placed) continue;
        readings.push({
          words: changes.flatMap(({ words }) => words ?? []),
          options: changes.flatMap(({ options }) => options),
          set: placed,
        });
      }
    }
  }
  return readings.sort((a, b) => a.words.length - b.words.length);
}
