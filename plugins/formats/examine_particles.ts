/**
 * A particle file looked at: how many, where, in which frame, and what is odd.
 * @module
 */
import { centreWords, type ParticleSet } from "./particle_set.ts";

/** Smallest and largest of finite numbers. */
export interface Extent {
  readonly min: number;
  readonly max: number;
}

/** What was found. */
export interface ParticleExamination {
  readonly set: ParticleSet;
  /** Particles of each tomogram, in the order of the file. */
  readonly tomograms: Readonly<Record<string, number>>;
  readonly extentXyz: readonly [Extent, Extent, Extent] | null;
  /** Sizes of the voxels that coordinates count, each once; empty where the file does not say. */
  readonly voxelSizesAngstrom: readonly number[];
  readonly score: Extent | null;
  /** Particles of each class; `null` when there are none or more than 64. */
  readonly classes: Readonly<Record<string, number>> | null;
  /** `voxels from the first voxel`. */
  readonly frame: string;
  /** What is odd or was assumed, one sentence each. */
  readonly anomalies: readonly string[];
}

function extentOf(values: ArrayLike<number>, first: number, step: number): Extent {
  let min = Infinity, max = -Infinity;
  for (let i = first; i < values.length; i += step) {
    if (values[i] < min) min = values[i];
    if (values[i] > max) max = values[i];
  }
  return { min, max };
}

function countOf(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** Particles at the same place (to a thousandth of the unit) of the same tomogram as an earlier one. */
function countDuplicates({ count, positionsXyz, tomograms }: ParticleSet): number {
  const seen = new Set<string>();
  for (let i = 0; i < count; i++) {
    seen.add(`${tomograms[i]} ${[0, 1, 2].map((axis) => Math.round(1000 * positionsXyz[3 * i + axis])).join(" ")}`);
  }
  return count - seen.size;
}

/** Looks at a set of particles. */
export function examineParticles(set: ParticleSet): ParticleExamination {
  const { count, positionsXyz, unit, origin, centre } = set, anomalies: string[] = [...set.assumed];
  if (count === 0) anomalies.push("holds no particle");
  const wild = positionsXyz.filter((value) => !Number.isFinite(value)).length;
  if (wild > 0) anomalies.push(`${wild} coordinates are no finite numbers`);
  const extentXyz = count === 0
    ? null
    : [0, 1, 2].map((axis) => extentOf(positionsXyz, axis, 3)) as unknown as readonly [Extent, Extent, Extent];
  if (origin === "first-voxel" && extentXyz?.some(({ min }) => min < -0.5)) {
    anomalies.push("some coordinates are below 0 although they count from the first voxel: centred coordinates, or another tomogram's?");
  }
  const duplicates = countDuplicates(set);
  if (duplicates > 0) anomalies.push(`${duplicates} particles stand at the place of an earlier one`);
  const flat = extentXyz?.findIndex(({ min, max }) => min === max) ?? -1;
  if (flat >= 0 && count > 2) anomalies.push(`all particles have the same ${"xyz"[flat]}: picked in two dimensions?`);
  const classes = set.labels ? countOf(set.labels) : null;
  return {
    set,
    tomograms: countOf(set.tomograms),
    extentXyz,
    voxelSizesAngstrom: [...new Set([...set.voxelSizeAngstrom].filter((size) => size > 0))],
    score: set.score && count > 0 ? extentOf(set.score, 0, 1) : null,
    classes: classes && Object.keys(classes).length <= 64 ? classes : null,
    frame: `${unit === "voxel" ? "voxels" : "Angstrom"} from ${
      origin === "first-voxel" ? "the first voxel" : `the centre of the tomogram${centre ? `, ${centreWords(centre)}` : ""}`
    }`,
    anomalies,
  };
}
