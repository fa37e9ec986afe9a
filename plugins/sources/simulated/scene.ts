/**
 * What a scene file may say.
 * @module
 */
import { z } from "zod";
import type { OptionsSchema } from "../../../streams/contract.ts";
import { MODEL_NAMES } from "../../kernels/density_models.ts";
import type { ContrastTransfer } from "../../kernels/contrast_transfer.ts";

const angstrom = (description: string) => z.number().positive().meta({ description, unit: "Angstrom" });
const count = (description: string) => z.int().min(0).max(1_000_000).meta({ description });

const tiltRange = z.tuple([z.number().min(-90).max(90), z.number().min(-90).max(90)])
  .meta({ description: "First and last tilt about y; [-90, 90]: no missing wedge", unit: "degrees" });

const speciesSchema = z.strictObject({
  name: z.string().min(1).max(100).optional().meta({
    description: "Label in the truth. Default: the model's name, or the file's without ending",
  }),
  model: z.enum(MODEL_NAMES as [string, ...string[]]).optional().meta({ description: "An analytic model" }),
  map: z.string().min(1).optional().meta({ description: "An MRC map of one particle, bright", format: "path" }),
  atoms: z.string().min(1).optional().meta({
    description: "Coordinates of one particle: .pdb, .ent or .cif, also with .gz",
    format: "path",
  }),
  diameterAngstrom: angstrom(
    "Diameter of the sphere that holds the particle. Needed for a model; a map's and a structure's size is its own and this only keeps others away",
  ).optional(),
  count: count("Particles in each tomogram, or boxes in the stack"),
  mapVoxelSizeAngstrom: angstrom("Voxel size of `map`. Default: its header's").optional(),
  mapThreshold: z.number().optional().meta({ description: "Densities of `map` below this become 0. Default: 0" }),
  resolutionAngstrom: angstrom("Resolution to which `atoms` are blurred. Default: two voxels").optional(),
  mirrored: z.boolean().default(false).meta({ description: "Takes the mirror image" }),
  relativeDensity: z.number().positive().default(1).meta({ description: "Factor on the particle's density" }),
});

const membraneSchema = z.strictObject({
  thicknessAngstrom: angstrom("Distance between the two leaflets").default(40),
  radiusAngstrom: angstrom("Radius of the sphere that the sheet is a part of").default(4000),
  relativeDensity: z.number().positive().default(1).meta({
    description: "Peak density of a leaflet, in units of a particle's mean density times 3",
  }),
});

const goldSchema = z.strictObject({
  count: count("Gold beads in each tomogram"),
  diameterAngstrom: angstrom("Diameter of a bead").default(100),
  relativeDensity: z.number().positive().default(8).meta({
    description: "Density of a bead, in units of a particle's mean density times 3",
  }),
});

const ctfSchema = z.strictObject({
  defocusAngstrom: z.number().meta({ description: "Underfocus, positive", unit: "Angstrom" }),
  voltageKilovolts: z.number().positive().default(300).meta({ description: "Acceleration voltage", unit: "kV" }),
  sphericalAberrationMillimetres: z.number().min(0).default(2.7).meta({ description: "Spherical aberration", unit: "mm" }),
  amplitudeContrast: z.number().min(0).max(1).default(0.07).meta({ description: "Share of the amplitude contrast" }),
  phaseFlipped: z.boolean().default(true).meta({ description: "Whether the reconstruction has corrected the signs" }),
});

const pairedSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9-]+$/).meta({ description: "The second volume's file is <id>_<name>.mrc" }),
  snr: z.number().positive().nullable().default(null).meta({ description: "SNR of the second volume, wedge apart; null: no noise" }),
  missingWedge: z.boolean().default(false).meta({ description: "Whether it has the missing wedge" }),
});

const tomogramSchema = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/).meta({ description: "Name of the file without .mrc" }),
  shapeXyzVoxels: z.tuple([z.int().min(8).max(8192), z.int().min(8).max(8192), z.int().min(8).max(8192)])
    .meta({ description: "Size along x, y and z (z is the beam)", unit: "voxels" }),
  counts: z.record(z.string(), z.int().min(0)).optional().meta({
    description: "Particles of a species, by name, where they differ from `species[].count`",
  }),
});

const stackSchema = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/).default("stack").meta({ description: "Name of the file without .mrcs" }),
  boxVoxels: z.int().min(8).max(512).meta({ description: "Side of a box", unit: "voxels" }),
  pickErrorVoxels: z.number().min(0).default(1).meta({
    description: "Largest distance of a centre from the box's along each axis",
    unit: "voxels",
  }),
});

const schema = z.strictObject({
  $schema: z.string().optional().meta({ description: "For editors" }),
  version: z.literal(1).default(1).meta({ description: "Version of this format" }),
  seed: z.int().default(1).meta({ description: "The same seed gives the same files" }),
  voxelSizeAngstrom: angstrom("Voxel size"),
  tiltRangeDegrees: tiltRange.default([-60, 60]),
  snr: z.number().positive().nullable().meta({
    description:
      "Variance of a lone particle's signal over a box, after the wedge, by that of the noise after the same wedge; null: no noise",
  }),
  snrBoxVoxels: z.int().min(8).max(512).optional().meta({
    description: "Box of the SNR. Default: the stack's box, or 1.2 times the largest diameter, rounded up to an even number",
    unit: "voxels",
  }),
  contrast: z.enum(["dark", "bright"]).default("dark").meta({ description: "Contrast of particles in the files" }),
  species: z.array(speciesSchema).min(1).meta({ description: "Kinds of particles" }),
  minimumGapAngstrom: z.number().min(0).default(0).meta({
    description: "Free space between the spheres of two particles",
    unit: "Angstrom",
  }),
  edgeMarginAngstrom: z.number().min(0).optional().meta({
    description: "Least distance of a particle's centre from the faces. Default: its radius",
    unit: "Angstrom",
  }),
  membranes: z.array(membraneSchema).default([]).meta({ description: "Membrane sheets, each at a random place and angle" }),
  goldBeads: goldSchema.optional().meta({ description: "Fiducial beads" }),
  ctf: ctfSchema.optional().meta({ description: "Contrast transfer of one defocus. Default: none" }),
  noisePowerExponent: z.number().min(0).max(4).default(0).meta({
    description: "The noise's power falls with frequency to this power; 0: white",
  }),
  pairedVolumes: z.array(pairedSchema).default([]).meta({ description: "Further volumes of each tomogram, as a denoiser would give them" }),
  tomograms: z.array(tomogramSchema).min(1).optional().meta({ description: "Tomograms to simulate" }),
  stack: stackSchema.optional().meta({ description: "A stack of boxes to simulate instead of tomograms" }),
});

/** One kind of particle of a scene; exactly one of `model`, `map` and `atoms` is there. */
export interface Species {
  /** Label in the truth; see {@linkcode speciesName}. */
  readonly name?: string;
  /** An analytic model's name. */
  readonly model?: string;
  /** Path of an MRC map. */
  readonly map?: string;
  /** Path of a structure. */
  readonly atoms?: string;
  /** Diameter of the sphere that holds the particle. */
  readonly diameterAngstrom?: number;
  /** Particles in each tomogram, or boxes in the stack. */
  readonly count: number;
  /** Voxel size of `map`, where its header has none. */
  readonly mapVoxelSizeAngstrom?: number;
  /** Densities of `map` below it become 0. */
  readonly mapThreshold?: number;
  /** Resolution to which `atoms` are blurred. */
  readonly resolutionAngstrom?: number;
  /** Whether the mirror image is taken. */
  readonly mirrored: boolean;
  /** Factor on the density. */
  readonly relativeDensity: number;
}

/** One tomogram of a scene. */
export interface SceneTomogram {
  /** Name of the file without `.mrc`. */
  readonly id: string;
  /** Size along x, y, z. */
  readonly shapeXyzVoxels: readonly [number, number, number];
  /** Particles of a species, by name, where they differ from the species' own count. */
  readonly counts?: Readonly<Record<string, number>>;
}

/** A scene with defaults filled in; the schema's descriptions say what each value means. */
export interface Scene {
  /** The same seed gives the same volumes. */
  readonly seed: number;
  /** Voxel size. */
  readonly voxelSizeAngstrom: number;
  /** First and last tilt about y. */
  readonly tiltRangeDegrees: readonly [number, number];
  /** Signal-to-noise ratio; `null`: no noise. */
  readonly snr: number | null;
  /** Box that the SNR refers to. */
  readonly snrBoxVoxels?: number;
  /** Contrast of the particles in files. */
  readonly contrast: "dark" | "bright";
  /** Kinds of particles. */
  readonly species: readonly Species[];
  /** Free space between two particles. */
  readonly minimumGapAngstrom: number;
  /** Least distance of a centre from the faces. */
  readonly edgeMarginAngstrom?: number;
  /** Membrane sheets. */
  readonly membranes: readonly {
    readonly thicknessAngstrom: number;
    readonly radiusAngstrom: number;
    readonly relativeDensity: number;
  }[];
  /** Gold beads of each tomogram. */
  readonly goldBeads?: { readonly count: number; readonly diameterAngstrom: number; readonly relativeDensity: number };
  /** Contrast transfer. */
  readonly ctf?: ContrastTransfer;
  /** Slope of the noise's power; 0: white. */
  readonly noisePowerExponent: number;
  /** Further volumes of each tomogram. */
  readonly pairedVolumes: readonly { readonly name: string; readonly snr: number | null; readonly missingWedge: boolean }[];
  /** Tomograms, or `undefined` for a stack. */
  readonly tomograms?: readonly SceneTomogram[];
  /** A stack of boxes, or `undefined` for tomograms. */
  readonly stack?: { readonly id: string; readonly boxVoxels: number; readonly pickErrorVoxels: number };
}

/** The schema of a scene file. */
export const sceneSchema: OptionsSchema = schema;

/**
 * Fills in the defaults of a scene.
 *
 * @throws {z.ZodError} When a value is of another kind than the schema says; {@linkcode checkScene} looks at what lies between values.
 */
export function parseScene(value: unknown): Scene {
  return schema.parse(value);
}

/** A fault that the schema cannot see. */
export interface SceneFault {
  /** Keys and indices that lead to the value. */
  readonly path: readonly (string | number)[];
  /** What was found, what was expected, what to do. */
  readonly message: string;
}

/** Label of a species in the truth. */
export function speciesName(species: Species): string {
  return species.name ?? species.model ??
    (species.map ?? species.atoms ?? "").replace(/^.*[\\/]/, "").replace(/\.gz$/i, "").replace(/\.[^.]*$/, "");
}

/** Finds what is wrong between the values of a scene that the schema accepts. Pure: opens no file. */
export function checkScene(scene: Scene): SceneFault[] {
  const faults: SceneFault[] = [];
  const fault = (path: SceneFault["path"], message: string) => faults.push({ path, message });
  if ((scene.tomograms === undefined) === (scene.stack === undefined)) {
    fault(
      [],
      scene.stack
        ? `"tomograms" and "stack" both stand here: keep one, and write two scenes for both`
        : `neither "tomograms" nor "stack": add one of them`,
    );
  }
  const [first, last] = scene.tiltRangeDegrees;
  if (first >= last) fault(["tiltRangeDegrees"], `the range runs from ${first} to ${last}: the first tilt must be the smaller one`);
  const names = new Map<string, number>();
  scene.species.forEach((species, i) => {
    const given = (["model", "map", "atoms"] as const).filter((key) => species[key] !== undefined);
    if (given.length !== 1) {
      fault(
        ["species", i],
        `${given.length === 0 ? "no density" : `${given.join(" and ")} together`}: state one of "model", "map", "atoms"`,
      );
    }
    if (species.model !== undefined && species.diameterAngstrom === undefined) {
      fault(["species", i], `"${species.model}" has no "diameterAngstrom": a model has no size of its own, for instance 240`);
    }
    for (const [key, owner] of [["mapVoxelSizeAngstrom", "map"], ["mapThreshold", "map"], ["resolutionAngstrom", "atoms"]] as const) {
      if (species[key] !== undefined && species[owner] === undefined) {
        fault(["species", i, key], `"${key}" belongs to "${owner}", which is not given`);
      }
    }
    const name = speciesName(species), other = names.get(name);
    if (other !== undefined) fault(["species", i], `two species are named "${name}" (species[${other}] too): give each its own "name"`);
    names.set(name, i);
  });
  const ids = new Set<string>();
  scene.tomograms?.forEach((tomogram, t) => {
    if (ids.has(tomogram.id)) fault(["tomograms", t, "id"], `two tomograms are named "${tomogram.id}"`);
    ids.add(tomogram.id);
    for (const name of Object.keys(tomogram.counts ?? {})) {
      if (!names.has(name)) {
        fault(["tomograms", t, "counts", name], `no species is named "${name}": there are ${[...names.keys()].join(", ")}`);
      }
    }
    scene.species.forEach((species, i) => {
      if (species.diameterAngstrom === undefined || (tomogram.counts?.[speciesName(species)] ?? species.count) === 0) return;
      const margin = Math.max(scene.edgeMarginAngstrom ?? 0, species.diameterAngstrom / 2);
      const smallest = Math.min(...tomogram.shapeXyzVoxels) * scene.voxelSizeAngstrom;
      if (2 * margin > smallest) {
        fault(
          ["tomograms", t, "shapeXyzVoxels"],
          `species[${i}] "${speciesName(species)}" needs ${2 * margin} A, the tomogram is ${smallest} A thick`,
        );
      }
    });
  });
  const pairs = new Set<string>();
  scene.pairedVolumes.forEach((pair, i) => {
    if (pairs.has(pair.name)) fault(["pairedVolumes", i, "name"], `two paired volumes are named "${pair.name}"`);
    pairs.add(pair.name);
  });
  if (scene.stack) {
    if (scene.pairedVolumes.length > 0) fault(["pairedVolumes"], "a stack has no paired volumes");
    if (scene.membranes.length > 0) fault(["membranes"], "a stack has no membranes");
    if (scene.goldBeads) fault(["goldBeads"], "a stack has no gold beads");
    scene.species.forEach((species, i) => {
      const diameter = (species.diameterAngstrom ?? 0) / scene.voxelSizeAngstrom;
      if (diameter > scene.stack!.boxVoxels) {
        fault(["species", i, "diameterAngstrom"], `${diameter.toFixed(1)} voxels across do not fit a box of ${scene.stack!.boxVoxels}`);
      }
    });
  }
  if (
    scene.species.every((species) => species.count === 0) && !scene.tomograms?.some((t) => Object.values(t.counts ?? {}).some((c) => c > 0))
  ) {
    fault(["species"], "every count is 0: nothing to simulate");
  }
  return faults;
}
