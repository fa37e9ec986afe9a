/**
 * From a scene to templates and noise: the part of a simulation that reads files.
 * @module
 */
import { InputError } from "../../../streams/errors.ts";
import { readTemplate } from "../../formats/template.ts";
import type { Imaging } from "./imaging.ts";
import { type Scene, speciesName } from "./scene.ts";
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
  const templates = await Promise.all(
    scene.species.map((species) => readTemplate(speciesName(species), species, scene.voxelSizeAngstrom, "species[].mapVoxelSizeAngstrom")),
  );
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
