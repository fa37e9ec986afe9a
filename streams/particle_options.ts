/**
 * What the command line says about particle files and tomograms, as `convert` and `compare` take it.
 * @module
 */
import { type AngleMend, isMend, type Mend, mendParticles, onlyTomogram } from "../plugins/formats/mend_particles.ts";
import {
  type CentreRule,
  type FrameOf,
  inFrame,
  type ParticleOrigin,
  type ParticleSet,
  type ParticleUnit,
  tomogramStem,
} from "../plugins/formats/particle_set.ts";
import { formatIds, particleFormat, readParticles } from "../plugins/formats/particles.ts";
import { type Frames, readFrames } from "../plugins/formats/tomogram_frames.ts";
import type { Triple } from "./contract.ts";
import { ManifestError } from "./errors.ts";
import { nearestName } from "./nearest_name.ts";

/** How a file is to be read. */
export interface ReadingWords {
  readonly from?: string;
  readonly tomogram: readonly string[];
  readonly voxelSize?: number;
  /** X,Y,Z. */
  readonly dims?: string;
  readonly unit?: string;
  readonly origin?: string;
  readonly centre?: string;
  readonly firstVoxel?: string;
  readonly only?: string;
}

/** What is to be mended. */
export interface MendingWords {
  readonly scale?: number;
  readonly shift?: string;
  readonly swapAxes?: string;
  readonly mirror?: string;
  readonly angles?: string;
}

function choice<T extends string>(option: string, given: string | undefined, allowed: readonly T[]): T | undefined {
  if (given === undefined) return undefined;
  if ((allowed as readonly string[]).includes(given)) return given as T;
  const near = nearestName(given, allowed);
  throw new ManifestError([`${option} is "${given}": expected ${allowed.join(", ")}${near === null ? "" : `; did you mean "${near}"?`}`]);
}

/** Three numbers apart by commas. */
export function threeNumbers(option: string, given: string | undefined, above = -Infinity): Triple | undefined {
  if (given === undefined) return undefined;
  const numbers = given.split(/[,x]/).map((part) => part.trim() === "" ? NaN : Number(part));
  if (numbers.length !== 3 || !numbers.every((value) => Number.isFinite(value) && value > above)) {
    throw new ManifestError([`${option} is "${given}": expected three numbers x,y,z${above > -Infinity ? ` above ${above}` : ""}`]);
  }
  return numbers as unknown as Triple;
}

/** A format's id. */
export function formatWord(option: string, given: string | undefined): string | undefined {
  if (given === undefined || particleFormat(given)) return given;
  const near = nearestName(given, formatIds().split(", "));
  throw new ManifestError([`${option} is "${given}": formats are ${formatIds()}${near === null ? "" : `; did you mean "${near}"?`}`]);
}

/** Rule of a centre. */
export function centreWord(option: string, given: string | undefined): CentreRule | undefined {
  return choice(option, given, ["half", "half-minus-one", "floor"] as const);
}

/** Unit of coordinates. */
export function unitWord(option: string, given: string | undefined): ParticleUnit | undefined {
  return choice(option, given, ["voxel", "angstrom"] as const);
}

/** Number of the first voxel. */
export function firstVoxelWord(option: string, given: string | undefined): 0 | 1 | undefined {
  const word = choice(option, given, ["0", "1"] as const);
  return word === undefined ? undefined : word === "1" ? 1 : 0;
}

/** Reads tomograms, as far as they were given. */
export async function framesOf(words: ReadingWords): Promise<Frames> {
  const shape = threeNumbers("--dims", words.dims, 0);
  return await readFrames({
    files: words.tomogram,
    ...(words.voxelSize === undefined ? {} : { voxelSizeAngstrom: words.voxelSize }),
    ...(shape ? { shapeXyz: shape } : {}),
  });
}

/** Reads a file as the words have it: unit, origin and tomogram of the words overrule the file. */
export async function readAsSaid(path: string, words: ReadingWords): Promise<ParticleSet> {
  const unit = unitWord("--unit", words.unit),
    centre = centreWord("--centre", words.centre),
    firstVoxel = firstVoxelWord("--first-voxel", words.firstVoxel);
  const origin = choice<ParticleOrigin>("--origin", words.origin, ["first-voxel", "centre"]);
  const from = formatWord("--from", words.from);
  const set = await readParticles(path, {
    ...(from === undefined ? {} : { from }),
    ...(unit ? { unit } : {}),
    ...(centre ? { centre } : {}),
    ...(firstVoxel === undefined ? {} : { firstVoxel }),
    ...(words.voxelSize === undefined ? {} : { voxelSizeAngstrom: words.voxelSize }),
  });
  const said: ParticleSet = {
    ...set,
    ...(unit ? { unit } : {}),
    ...(origin ? { origin } : {}),
    ...(centre ? { centre } : {}),
    assumed: [
      ...set.assumed,
      ...(unit && unit !== set.unit ? [`coordinates are taken for ${unit === "voxel" ? "voxels" : "Angstrom"}, as said`] : []),
      ...(origin && origin !== set.origin
        ? [`coordinates are taken to count from the ${origin === "centre" ? "centre" : "first voxel"}, as said`]
        : []),
    ],
  };
  if (words.only === undefined) return said;
  const names = [...new Set(said.tomograms)], wanted = names.find((name) => name === words.only || tomogramStem(name) === words.only);
  if (wanted === undefined) {
    throw new ManifestError([
      `--only is "${words.only}": ${path} holds ${names.slice(0, 8).map((name) => name || "(no name)").join(", ")}${
        names.length > 8 ? ", ..." : ""
      }`,
    ]);
  }
  return onlyTomogram(said, wanted);
}

const AXES = "xyz";

/** `yz` exchanges two axes; `zyx` says which old axis becomes x, y, z. */
function axesOf(given: string | undefined): Mend["axes"] {
  if (given === undefined) return undefined;
  const letters = [...given.toLowerCase().replaceAll(/[,\s]/g, "")];
  const numbers = letters.map((letter) => AXES.indexOf(letter));
  const distinct = new Set(numbers).size === numbers.length && !numbers.includes(-1);
  if (distinct && numbers.length === 3) return numbers as unknown as Mend["axes"];
  if (distinct && numbers.length === 2) {
    return [0, 1, 2].map((axis) => axis === numbers[0] ? numbers[1] : axis === numbers[1] ? numbers[0] : axis) as unknown as Mend["axes"];
  }
  throw new ManifestError([`--swap-axes is "${given}": expected two axes (yz) or which old axis becomes x, y and z (zyx)`]);
}

/** What to mend. */
export function mendOf(words: MendingWords): Mend {
  const axes = axesOf(words.swapAxes), shift = threeNumbers("--shift", words.shift);
  const mirrored = words.mirror?.toLowerCase();
  if (mirrored !== undefined && !/^[xyz]+$/.test(mirrored)) {
    throw new ManifestError([`--mirror is "${words.mirror}": expected axes such as z or xy`]);
  }
  const angles = words.angles?.split(",").map((word) => choice<AngleMend>("--angles", word.trim(), ["invert", "reverse", "zxz"])!);
  return {
    ...(words.scale === undefined ? {} : { scale: words.scale }),
    ...(axes ? { axes } : {}),
    ...(mirrored === undefined ? {} : { mirror: [mirrored.includes("x"), mirrored.includes("y"), mirrored.includes("z")] }),
    ...(shift ? { shiftXyz: shift } : {}),
    ...(angles ? { angles } : {}),
  };
}

/** A mended set in voxels from the first one; an unmended one as it is. */
export function applyMend(set: ParticleSet, mend: Mend, frameOf: FrameOf): ParticleSet {
  if (!isMend(mend)) return set;
  const placed = inFrame(set, { unit: "voxel", origin: "first-voxel" }, frameOf);
  return mendParticles(placed, mend, (tomogram) => frameOf(tomogram).shapeXyz);
}
