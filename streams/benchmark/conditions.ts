/**
 * What the benchmark measures on: sets of simulated boxes and tomograms whose truth is known, from easy to hopeless, as scenes.
 * @module
 */
import { CHOOSING_MODELS, REPORTING_MODELS } from "../../plugins/sources/simulated/sets.ts";

/** Structures and seeds to choose anything with, and those to report with, never the same. */
export type SetName = "choosing" | "reporting";

/** How boxes of a condition come about. */
export type Way =
  /** A stack of boxes, each about its particle. */
  | "stack"
  /** Tomograms, boxes cut at the true places but for the picking error: the neighbours are in the boxes. */
  | "coordinates"
  /** Tomograms through the picker. */
  | "picker";

/** One kind of set. */
export interface Condition {
  /** Selects it on the command line. */
  readonly name: string;
  /** What is special about it, for the table. */
  readonly summary: string;
  readonly way: Way;
  readonly snr: number;
  /** Tilts from minus to plus this. */
  readonly tiltDegrees: number;
  /** Farthest of a box's centre from its particle's along each axis; unused by `picker`. */
  readonly errorVoxels: number;
  /** Boxes of each class in a thousand. */
  readonly shares: readonly number[];
  /** Boxes in a thousand that hold nothing but noise, a class of their own. */
  readonly junk: number;
  /** Share of the volume that the particles' spheres fill. */
  readonly crowding: number;
  /** Contrast transfer and noise that falls with frequency. */
  readonly optics: boolean;
  /** Maps are brought to one radius of gyration and one mass first. */
  readonly sameSize?: boolean;
}

const EVEN = [200, 200, 200, 200, 200];
const plain = { way: "stack", snr: 0.1, tiltDegrees: 60, errorVoxels: 1, shares: EVEN, junk: 0, crowding: 0, optics: false } as const;

/** SNR and tilt ranges of the grid, of analytic models and of structures from files alike. */
const GRID = [60, 40].flatMap((tiltDegrees) => [0.5, 0.1, 0.05, 0.03, 0.02].map((snr) => ({ snr, tiltDegrees })));

/** Every condition, in the order of the tables. Classes are told apart by shape only: one mass, one radial profile. */
export const CONDITIONS: readonly Condition[] = [
  ...GRID.map((point) => ({
    ...plain,
    ...point,
    name: `snr${point.snr}-tilt${point.tiltDegrees}`,
    summary: `SNR ${point.snr}, tilt +-${point.tiltDegrees}, picks +-1`,
  })),
  ...[0.1, 0.05].map((snr) => ({
    ...plain,
    name: `snr${snr}-errors3`,
    summary: `SNR ${snr}, picks +-3`,
    snr,
    errorVoxels: 3,
  })),
  { ...plain, name: "unequal", summary: "SNR 0.1, class sizes 10 : 1", shares: [400, 280, 180, 100, 40] },
  { ...plain, name: "junk", summary: "SNR 0.1, every fifth box holds noise alone", shares: EVEN.map((part) => part * 0.8), junk: 200 },
  { ...plain, name: "optics", summary: "SNR 0.1, CTF at 3 micrometres and coloured noise", optics: true },
  { ...plain, name: "crowded", summary: "SNR 0.1, neighbours that touch (25 % of the volume)", way: "coordinates", crowding: 0.25 },
  { ...plain, name: "tomograms", summary: "SNR 0.1, whole tomograms through `dog`", way: "picker", crowding: 0.1 },
  { ...plain, name: "noise", summary: "noise alone: right is one class", snr: 0, shares: [1000] },
];

/** The grid again, for structures that the user names (Table 1 of the paper, when they are its five), and for maps brought to one size. */
export const STRUCTURE_CONDITIONS: readonly Condition[] = [false, true].flatMap((sameSize) =>
  GRID.map((point) => ({
    ...plain,
    ...point,
    name: `${sameSize ? "same-size" : "structures"}-snr${point.snr}-tilt${point.tiltDegrees}`,
    summary: `structures from files${
      sameSize ? ", brought to one size and mass" : ""
    }, SNR ${point.snr}, tilt +-${point.tiltDegrees}, picks +-1`,
    shares: [],
    sameSize,
  }))
);

/** Maps and atomic structures of the user. */
export interface Structures {
  /** Absolute paths of `.mrc`, `.map`, `.pdb`, `.ent`, `.cif` (also `.gz`). */
  readonly paths: readonly string[];
  readonly voxelSizeAngstrom: number;
  /** Densities of a map below this become 0. */
  readonly mapThreshold?: number;
}

/** How large a set is made. */
export interface SetSize {
  readonly boxes: number;
  readonly boxVoxels: number;
}

/** Voxel size of the analytic sets; only the contrast transfer sees it. */
export const VOXEL_SIZE_ANGSTROM = 10;
/** Diameter of an analytic particle in its box. */
const DIAMETER_SHARE = 5 / 6;
/** Sections of a tomogram, in boxes. */
const THICKNESS_BOXES = 4;
/** Tomograms of a set. */
const TOMOGRAMS = 2;
/** A stack has no variance of noise without a signal: noise alone is a signal too weak to matter. */
const NO_SIGNAL = 1e-9;

/** Diameter of the analytic particles in voxels. */
export function diameterVoxels(boxVoxels: number): number {
  return boxVoxels * DIAMETER_SHARE;
}

/** The scene of a condition, as `simulate` reads it. Its noise, poses and places follow from the seed. */
export function sceneOf(
  condition: Condition,
  set: SetName,
  seed: number,
  { boxes, boxVoxels }: SetSize,
  structures?: Structures,
): Record<string, unknown> {
  const voxelSizeAngstrom = structures?.voxelSizeAngstrom ?? VOXEL_SIZE_ANGSTROM;
  const diameterAngstrom = diameterVoxels(boxVoxels) * voxelSizeAngstrom;
  const models = set === "choosing" ? CHOOSING_MODELS : REPORTING_MODELS;
  const kinds: Record<string, unknown>[] = structures
    ? structures.paths.map((path) => structureSpecies(path, structures))
    : condition.shares.map((_, i) => ({ model: models[i], diameterAngstrom }));
  const shares = structures ? kinds.map(() => 1000 / kinds.length) : condition.shares;
  const tomograms = condition.way === "stack" ? 1 : TOMOGRAMS;
  const species = kinds.map((kind, i) => ({ ...kind, count: Math.round(shares[i] * boxes / 1000 / tomograms) }));
  if (condition.junk > 0) {
    // The SNR of a stack refers to the mean signal of its boxes, which those without a particle lower.
    species.push(
      {
        name: "junk",
        model: models[models.length - 1],
        diameterAngstrom,
        relativeDensity: 1e-6,
        count: Math.round(condition.junk * boxes / 1000),
      } as typeof species[number],
    );
  }
  const scene: Record<string, unknown> = {
    seed,
    voxelSizeAngstrom,
    tiltRangeDegrees: [-condition.tiltDegrees, condition.tiltDegrees],
    snr: (condition.snr || NO_SIGNAL) * (1 - condition.junk / 1000),
    contrast: "bright",
    species,
  };
  if (condition.optics) {
    scene.ctf = { defocusAngstrom: 30_000 };
    scene.noisePowerExponent = 1;
  }
  if (condition.way === "stack") return { ...scene, stack: { boxVoxels, pickErrorVoxels: condition.errorVoxels } };
  return {
    ...scene,
    snrBoxVoxels: boxVoxels,
    edgeMarginAngstrom: (boxVoxels / 2 + condition.errorVoxels + 1) * voxelSizeAngstrom,
    tomograms: Array.from({ length: TOMOGRAMS }, (_, i) => ({
      id: `tomo_${i + 1}`,
      shapeXyzVoxels: tomogramShape(boxes / TOMOGRAMS, boxVoxels, condition.crowding),
    })),
  };
}

function structureSpecies(path: string, { mapThreshold }: Structures): Record<string, unknown> {
  return /\.(mrc|map)$/i.test(path) ? { map: path, ...(mapThreshold === undefined ? {} : { mapThreshold }) } : { atoms: path };
}

/** A slab in which `count` spheres fill the wanted share of the space that their centres and rims may take. */
function tomogramShape(count: number, boxVoxels: number, crowding: number): [number, number, number] {
  const diameter = diameterVoxels(boxVoxels), nz = THICKNESS_BOXES * boxVoxels;
  const lost = boxVoxels + 4 - diameter;
  const area = count * Math.PI / 6 * diameter ** 3 / crowding / (nz - lost);
  const side = 2 * Math.ceil((Math.sqrt(area) + lost) / 2);
  return [side, side, nz];
}
