/**
 * Maps of unlike complexes brought to one size and mass, so that size alone does not sort them.
 * @module
 */
import { basename, join } from "node:path";
import { openMrcVolume, writeMrcVolume } from "../../plugins/formats/mrc.ts";
import { gridTemplateFromMap } from "../../plugins/kernels/density_grid.ts";
import { InputError, ManifestError } from "../errors.ts";

/** A species of a scene that is a map. */
interface MapSpecies {
  readonly map?: string;
  readonly mapThreshold?: number;
  readonly count: number;
}

/**
 * Writes each map into `folder` with its voxel size scaled so that all have one radius of gyration (the geometric mean of theirs), and gives
 * species with densities that make their masses one.
 *
 * @throws {ManifestError} When a species is no map. @throws {InputError} When a map cannot be read, has no voxel size or nothing above its threshold.
 */
export async function equaliseSizes(species: readonly MapSpecies[], folder: string): Promise<Record<string, unknown>[]> {
  const measured = await Promise.all(species.map(async ({ map: path, mapThreshold = 0, count }, i) => {
    if (path === undefined) {
      throw new ManifestError([
        `conditions same-size-* take maps alone: species ${i + 1} is a list of atoms: name the conditions structures-*`,
      ]);
    }
    await using volume = await openMrcVolume(path);
    const { shapeZyx, voxelSizeAngstrom } = volume;
    if (!(voxelSizeAngstrom > 0)) throw new InputError(path, "the header holds no voxel size (0 A): write it into the file");
    const voxels = (await volume.readSlab(0, shapeZyx[0])).map((value) => value >= mapThreshold && value > 0 ? value : 0);
    const gyration = voxelSizeAngstrom * radiusOfGyration(voxels, shapeZyx);
    if (!(gyration > 0)) throw new InputError(path, `nothing above the threshold of ${mapThreshold}: lower --map-threshold`);
    const { diameterVoxels } = gridTemplateFromMap("", voxels, shapeZyx, voxelSizeAngstrom, 0, voxelSizeAngstrom);
    return { path, count, shapeZyx, voxelSizeAngstrom, voxels, gyration, diameter: diameterVoxels * voxelSizeAngstrom / gyration };
  }));
  const mean = (values: number[]) => Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
  const target = mean(measured.map(({ gyration }) => gyration)), usual = mean(measured.map(({ diameter }) => diameter));
  return await Promise.all(measured.map(async ({ path, count, shapeZyx, voxelSizeAngstrom, voxels, gyration, diameter }) => {
    const map = join(folder, basename(path));
    await writeMrcVolume(map, { shapeZyx, voxels, voxelSizeAngstrom: voxelSizeAngstrom * target / gyration });
    // A template's mass goes with the cube of its diameter.
    return { map, count, relativeDensity: (usual / diameter) ** 3 };
  }));
}

/** About the centre of mass, in voxels; 0 for an empty map. */
function radiusOfGyration(voxels: Float32Array, [, ny, nx]: readonly [number, number, number]): number {
  const sums = new Float64Array(7);
  voxels.forEach((value, i) => {
    const place = [i % nx, Math.floor(i / nx) % ny, Math.floor(i / (nx * ny))];
    sums[6] += value;
    place.forEach((c, axis) => {
      sums[axis] += value * c;
      sums[axis + 3] += value * c * c;
    });
  });
  const square = [0, 1, 2].reduce((sum, axis) => sum + sums[axis + 3] / sums[6] - (sums[axis] / sums[6]) ** 2, 0);
  return sums[6] > 0 ? Math.sqrt(Math.max(0, square)) : 0;
}
