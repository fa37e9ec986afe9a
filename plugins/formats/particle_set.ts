/**
 * Particles of any file in one neutral form, and the arithmetic between its frames: voxels or Angstrom, from the first voxel or from the
 * tomogram's centre.
 *
 * Rules: an index is 0 at the centre of the first voxel; Angstrom are index times voxel size. The centre of a tomogram of n voxels is index
 * n / 2 (`half`: RELION's programs, copick, ArtiaX), n / 2 - 1 (`half-minus-one`: the picker of RELION 5's Python part) or floor(n / 2)
 * (`floor`: EMAN2). Angles are RELION's rot, tilt, psi: their matrix carries the reference's frame into the tomogram's. A shift is the part of
 * the position that a file states apart; it is contained in the position.
 * @module
 */
import type { Triple } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import type { StarFile } from "./star.ts";
import { shortNumber } from "./voxel_size.ts";

/** Where index 0 of a centred coordinate lies. */
export type CentreRule = "half" | "half-minus-one" | "floor";
/** Where coordinates begin. */
export type ParticleOrigin = "first-voxel" | "centre";
/** What coordinates count. */
export type ParticleUnit = "voxel" | "angstrom";

/** The table of a STAR file that the particles came from, kept whole so that writing loses nothing. */
export interface StarOrigin {
  readonly file: StarFile;
  /** Which block, and which item of it, holds the particles. */
  readonly block: number;
  readonly item: number;
}

/** Particles as read. Every array has one entry (or three) a particle. */
export interface ParticleSet {
  /** For messages. */
  readonly path: string;
  /** Id of the format, as in `particle_formats.ts`. */
  readonly format: string;
  readonly count: number;
  /** `[3n]` x, y, z in `unit` from `origin`. */
  readonly positionsXyz: Float64Array;
  readonly unit: ParticleUnit;
  readonly origin: ParticleOrigin;
  /** For `origin: "centre"`. */
  readonly centre?: CentreRule;
  /** `[3n]` the part of the position that the file states as a shift, in `unit`. */
  readonly shiftsXyz?: Float64Array;
  /** `[n]` size of the voxels that the coordinates count, in Angstrom; NaN where the file does not say. */
  readonly voxelSizeAngstrom: Float64Array;
  /** `[n]` name of each particle's tomogram; empty where the file does not say. */
  readonly tomograms: readonly string[];
  /** `[3n]` rot, tilt, psi in degrees. */
  readonly eulerZyzDegrees?: Float64Array;
  /** `[n]`, higher is better. */
  readonly score?: Float64Array;
  /** `[n]` class numbers or names. */
  readonly labels?: readonly string[];
  /** Every other column, as text, in the order of the file. */
  readonly columns: Readonly<Record<string, readonly string[]>>;
  readonly star?: StarOrigin;
  /** What the file does not say and was taken to hold, one sentence each. */
  readonly assumed: readonly string[];
}

/** What is known of a tomogram from outside the particle file. */
export interface TomogramFrame {
  readonly shapeXyz?: Triple;
  readonly voxelSizeAngstrom?: number;
}
/** What is known of the tomogram of that name. */
export type FrameOf = (tomogram: string) => TomogramFrame;

/** The frame that coordinates are wanted in. */
export interface WantedFrame {
  readonly unit: ParticleUnit;
  readonly origin: ParticleOrigin;
  /** Rule of the wanted centre. */
  readonly centre?: CentreRule;
  /** Size of the wanted voxels; left out: the tomogram's, otherwise the file's own. */
  readonly voxelSizeAngstrom?: number;
}

/** Coordinates in another frame. */
export interface Reframed {
  readonly positionsXyz: Float64Array;
  readonly shiftsXyz?: Float64Array;
  /** `[n]` size of the voxels that the result counts; NaN where nobody knows. */
  readonly voxelSizeAngstrom: Float64Array;
  /** What was assumed, each sentence once. */
  readonly assumed: readonly string[];
}

/** Index of the centre along an axis of n voxels. */
export function centreIndex(n: number, rule: CentreRule): number {
  return rule === "floor" ? Math.floor(n / 2) : rule === "half" ? n / 2 : n / 2 - 1;
}

/** Name of the rule in words. */
export function centreWords(rule: CentreRule): string {
  return rule === "half" ? "dims / 2" : rule === "floor" ? "floor(dims / 2)" : "dims / 2 - 1";
}

function named(tomogram: string): string {
  return tomogram === "" ? "the tomogram" : `tomogram "${tomogram}"`;
}

/** How one tomogram's coordinates go from frame to frame: wanted = scale x position + offset. */
interface Step {
  readonly scale: number;
  readonly offset: Triple;
  readonly voxelSizeAngstrom: number;
}

/** Corner-based Angstrom of the centre. @throws {InputError} When size or voxel size of the tomogram is unknown. */
function centreAngstrom(path: string, what: string, tomogram: string, frame: TomogramFrame, rule: CentreRule): Triple {
  const { shapeXyz, voxelSizeAngstrom } = frame;
  if (!shapeXyz || !voxelSizeAngstrom) {
    const missing = [shapeXyz ? "" : "its size", voxelSizeAngstrom ? "" : "its voxel size"].filter((word) => word !== "").join(" and ");
    throw new InputError(
      path,
      `${what} from the centre of ${named(tomogram)}, but ${missing} ${missing.includes(" and ") ? "are" : "is"} not known: ` +
        `give --tomogram FILE (the volume, or RELION's tomograms.star), or --dims X,Y,Z and --voxel-size ANGSTROM`,
    );
  }
  return shapeXyz.map((n) => centreIndex(n, rule) * voxelSizeAngstrom) as unknown as Triple;
}

function stepOf(
  set: ParticleSet,
  wanted: WantedFrame,
  tomogram: string,
  own: number,
  frame: TomogramFrame,
  say: (text: string) => void,
): Step {
  const fromCentre = set.origin === "centre", toCentre = wanted.origin === "centre";
  let size = own;
  if (set.unit === "voxel" && !(size > 0) && frame.voxelSizeAngstrom) {
    size = frame.voxelSizeAngstrom;
    say(`the coordinates count voxels of the tomogram (${shortNumber(size)} A): the file states no voxel size`);
  }
  const inCentre = fromCentre ? centreAngstrom(set.path, "its coordinates count", tomogram, frame, set.centre ?? "half") : [0, 0, 0];
  const outCentre = toCentre ? centreAngstrom(set.path, "coordinates are wanted", tomogram, frame, wanted.centre ?? "half") : [0, 0, 0];
  if (fromCentre) say(`coordinates are read as counted from the tomogram's centre, index ${centreWords(set.centre ?? "half")}`);
  if (toCentre) say(`coordinates are written as counted from the tomogram's centre, index ${centreWords(wanted.centre ?? "half")}`);
  // Voxels of the result, and Angstrom of one unit of the source and of the result.
  const target = wanted.voxelSizeAngstrom ?? frame.voxelSizeAngstrom ?? (set.unit === "angstrom" && !(own > 0) ? NaN : size);
  const fromUnit = set.unit === "angstrom" ? 1 : size, toUnit = wanted.unit === "angstrom" ? 1 : target;
  if (set.unit === "voxel" && wanted.unit === "voxel" && !fromCentre && !toCentre) {
    if (wanted.voxelSizeAngstrom === undefined && !(size > 0)) return { scale: 1, offset: [0, 0, 0], voxelSizeAngstrom: NaN };
    if (size === target) return { scale: 1, offset: [0, 0, 0], voxelSizeAngstrom: size };
  }
  if (!(fromUnit > 0) || !(toUnit > 0)) {
    const need = set.unit === "voxel" && !(size > 0)
      ? "its coordinates count voxels whose size is not known"
      : `its coordinates are Angstrom, and the voxel size of ${named(tomogram)} is not known`;
    throw new InputError(set.path, `${need}: give --voxel-size ANGSTROM or --tomogram FILE`);
  }
  if (set.unit === "voxel" && wanted.unit === "voxel" && Math.abs(size / target - 1) > 1e-9) {
    say(`coordinates are scaled from voxels of ${shortNumber(size)} A to voxels of ${shortNumber(target)} A`);
  }
  return {
    scale: fromUnit / toUnit,
    offset: [0, 1, 2].map((axis) => (inCentre[axis] - outCentre[axis]) / toUnit) as unknown as Triple,
    voxelSizeAngstrom: target,
  };
}

/**
 * Coordinates of a set in another frame. What does not change stays exactly as it was.
 *
 * @param frameOf What is known of each tomogram; asked once a tomogram and voxel size.
 * @throws {InputError} When the conversion needs a size that nobody knows; the message says which and how to give it.
 */
export function reframe(set: ParticleSet, wanted: WantedFrame, frameOf: FrameOf): Reframed {
  const positionsXyz = new Float64Array(3 * set.count);
  const shiftsXyz = set.shiftsXyz && new Float64Array(3 * set.count);
  const voxelSizeAngstrom = new Float64Array(set.count);
  const assumed = new Set<string>();
  const steps = new Map<string, Step>();
  for (let i = 0; i < set.count; i++) {
    const own = set.voxelSizeAngstrom[i], tomogram = set.tomograms[i];
    const key = `${own} ${tomogram}`;
    let step = steps.get(key);
    if (!step) steps.set(key, step = stepOf(set, wanted, tomogram, own, frameOf(tomogram), (text) => assumed.add(text)));
    voxelSizeAngstrom[i] = step.voxelSizeAngstrom;
    for (let axis = 0; axis < 3; axis++) {
      positionsXyz[3 * i + axis] = step.scale * set.positionsXyz[3 * i + axis] + step.offset[axis];
      if (shiftsXyz) shiftsXyz[3 * i + axis] = step.scale * set.shiftsXyz![3 * i + axis];
    }
  }
  return { positionsXyz, ...(shiftsXyz ? { shiftsXyz } : {}), voxelSizeAngstrom, assumed: [...assumed] };
}

/** The same set in another frame, as {@linkcode reframe} has it. */
export function inFrame(set: ParticleSet, wanted: WantedFrame, frameOf: FrameOf): ParticleSet {
  const { positionsXyz, shiftsXyz, voxelSizeAngstrom, assumed } = reframe(set, wanted, frameOf);
  return {
    ...set,
    positionsXyz,
    ...(shiftsXyz ? { shiftsXyz } : {}),
    voxelSizeAngstrom,
    unit: wanted.unit,
    origin: wanted.origin,
    centre: wanted.centre ?? "half",
    assumed: [...new Set([...set.assumed, ...assumed])],
  };
}

/** Name of a file or tomogram without folder and endings that the field's programs add: `a/TS_01.mrc` and `TS_01.tomostar` are `TS_01`. */
export function tomogramStem(name: string): string {
  return name.replace(/^.*[/\\]/, "").replace(/\.(gz|bz2)$/i, "").replace(
    /\.(tomostar|mrc|mrcs|rec|map|st|ali|em|hdf|h5|zarr|star|xml)$/i,
    "",
  );
}
