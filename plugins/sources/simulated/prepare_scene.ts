/**
 * From a scene to templates and noise: the part of a simulation that reads files.
 * @module
 */
import { InputError } from "../../../streams/errors.ts";
import { openMrcVolume } from "../../formats/mrc.ts";
import { readAtoms } from "../../formats/structure.ts";
import { resolveVoxelSize } from "../../formats/voxel_size.ts";
import { beadTemplate, mirrorBeads, type Template } from "../../kernels/density.ts";
import { gridTemplateFromAtoms, gridTemplateFromMap, mirrorGrid } from "../../kernels/density_grid.ts";
import { analyticModel } from "../../kernels/density_models.ts";
import type { Imaging } from "./imaging.ts";
import { type Scene, type Species, speciesName } from "./scene.ts";
import { signalVariance } from "./stack.ts";
import { loadedSpecies, type PreparedScene } from "./tomogram.ts";

/** Orientations over which the signal's variance is averaged for each species. */
const ORIENTATIONS = 24;

/**
 * Makes the templates of a scene and measures the signal that its SNR refers to. Paths in the scene must be absolute.
 *
 * @throws {InputError} When a map or a structure cannot be read, or a particle does not fit the box of the SNR.
 */
export async function prepareScene(scene: Scene): Promise<PreparedScene> {
  const templates = await Promise.all(scene.species.map((species) => templateOf(species, scene.voxelSizeAngstrom)));
  const species = loadedSpecies(scene, templates);
  const imaging: Imaging = {
    voxelSizeAngstrom: scene.voxelSizeAngstrom,
    tiltRangeDegrees: scene.tiltRangeDegrees,
    ctf: scene.ctf,
    noisePowerExponent: scene.noisePowerExponent,
  };
  const largest = Math.max(...templates.map((template) => template.diameterVoxels));
  const snrBoxVoxels = scene.snrBoxVoxels ?? scene.stack?.boxVoxels ?? 2 * Math.ceil(0.6 * largest);
  scene.species.forEach(({ map, atoms }, i) => {
    if (templates[i].diameterVoxels <= snrBoxVoxels) return;
    const size = `${templates[i].diameterVoxels.toFixed(1)} voxels across`;
    const where = map ?? atoms ?? `species[${i}]`;
    throw new InputError(
      where,
      `"${species[i].name}" is ${size} and does not fit the box of ${snrBoxVoxels}: enlarge the box or the voxel size`,
    );
  });
  const counts = species.map((kind) =>
    scene.tomograms ? scene.tomograms.reduce((sum, t) => sum + (t.counts?.[kind.name] ?? kind.count), 0) : kind.count
  );
  const total = counts.reduce((a, b) => a + b, 0);
  let variance = 0;
  species.forEach((kind, i) => {
    if (counts[i] === 0) return;
    const own = signalVariance(kind.template, imaging, snrBoxVoxels, ORIENTATIONS, scene.seed) * kind.relativeDensity ** 2;
    variance += own * counts[i] / total;
  });
  return { scene, species, imaging, signalVariance: variance, snrBoxVoxels };
}

async function templateOf(species: Species, voxelSizeAngstrom: number): Promise<Template> {
  const name = speciesName(species);
  if (species.model !== undefined) {
    const template = beadTemplate(analyticModel(species.model), species.diameterAngstrom! / voxelSizeAngstrom);
    return species.mirrored ? mirrorBeads(template) : template;
  }
  const template = species.map === undefined
    ? await fromAtoms(name, species.atoms!, species.resolutionAngstrom ?? 2 * voxelSizeAngstrom, voxelSizeAngstrom)
    : await fromMap(name, species.map, species, voxelSizeAngstrom);
  const sized = species.diameterAngstrom === undefined
    ? template
    : { ...template, diameterVoxels: species.diameterAngstrom / voxelSizeAngstrom };
  return species.mirrored ? mirrorGrid(sized) : sized;
}

async function fromAtoms(name: string, path: string, resolutionAngstrom: number, voxelSizeAngstrom: number) {
  const { positionsXyz, weights } = await readAtoms(path);
  return gridTemplateFromAtoms(name, positionsXyz, weights, resolutionAngstrom, voxelSizeAngstrom);
}

async function fromMap(name: string, path: string, species: Species, voxelSizeAngstrom: number) {
  await using map = await openMrcVolume(path);
  const { voxelSizeAngstrom: size } = resolveVoxelSize(
    path,
    map.voxelSizeAngstrom,
    species.mapVoxelSizeAngstrom,
    "error",
    "species[].mapVoxelSizeAngstrom",
  );
  const voxels = await map.readSlab(0, map.shapeZyx[0]);
  try {
    return gridTemplateFromMap(name, voxels, map.shapeZyx, size, species.mapThreshold ?? 0, voxelSizeAngstrom);
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(path, `${error.message}: lower "mapThreshold"`, { cause: error });
    throw error;
  }
}
