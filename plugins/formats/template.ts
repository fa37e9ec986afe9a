/**
 * One particle's density from what a user has of it: an analytic model, a map or a structure.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { beadTemplate, mirrorBeads, type Template } from "../kernels/density.ts";
import { gridTemplateFromAtoms, gridTemplateFromMap, mirrorGrid } from "../kernels/density_grid.ts";
import { analyticModel } from "../kernels/density_models.ts";
import { openVolumeFile } from "./volume_file.ts";
import { readAtoms } from "./structure.ts";
import { resolveVoxelSize } from "./voxel_size.ts";

/** Where a template comes from; exactly one of `model`, `map` and `atoms` is there. */
export interface TemplateSource {
  /** An analytic model's name; needs `diameterAngstrom`. */
  readonly model?: string;
  /** Path of a map, bright. */
  readonly map?: string;
  /** Path of a structure: PDB or mmCIF. */
  readonly atoms?: string;
  /** Diameter of the sphere that holds the particle; a map's and a structure's is their own where it is not stated. */
  readonly diameterAngstrom?: number;
  /** Voxel size of `map`, where its header has none. */
  readonly mapVoxelSizeAngstrom?: number;
  /** Densities of `map` below it become 0. Default 0. */
  readonly mapThreshold?: number;
  /** Resolution to which `atoms` are blurred. Default two voxels. */
  readonly resolutionAngstrom?: number;
  /** Whether the mirror image is taken. */
  readonly mirrored: boolean;
}

/**
 * Reads a template for volumes of a voxel size. Its centre is the centre of mass.
 *
 * @param name For messages.
 * @param voxelSizeOption The option that states a map's voxel size, for messages.
 * @throws {InputError} When a file cannot be read, or a map has no density above its threshold.
 */
export async function readTemplate(
  name: string,
  source: TemplateSource,
  voxelSizeAngstrom: number,
  voxelSizeOption: string,
): Promise<Template> {
  if (source.model !== undefined) {
    const template = beadTemplate(analyticModel(source.model), source.diameterAngstrom! / voxelSizeAngstrom);
    return source.mirrored ? mirrorBeads(template) : template;
  }
  const template = source.map === undefined
    ? await fromAtoms(name, source.atoms!, source.resolutionAngstrom ?? 2 * voxelSizeAngstrom, voxelSizeAngstrom)
    : await fromMap(name, source.map, source, voxelSizeAngstrom, voxelSizeOption);
  const sized = source.diameterAngstrom === undefined
    ? template
    : { ...template, diameterVoxels: source.diameterAngstrom / voxelSizeAngstrom };
  return source.mirrored ? mirrorGrid(sized) : sized;
}

async function fromAtoms(name: string, path: string, resolutionAngstrom: number, voxelSizeAngstrom: number) {
  const { positionsXyz, weights } = await readAtoms(path);
  return gridTemplateFromAtoms(name, positionsXyz, weights, resolutionAngstrom, voxelSizeAngstrom);
}

async function fromMap(name: string, path: string, source: TemplateSource, voxelSizeAngstrom: number, voxelSizeOption: string) {
  await using map = await openVolumeFile(path);
  const { voxelSizeAngstrom: size } = resolveVoxelSize(
    path,
    map.voxelSizeAngstrom,
    source.mapVoxelSizeAngstrom,
    "error",
    voxelSizeOption,
  );
  const voxels = await map.readSlab(0, map.shapeZyx[0]);
  try {
    return gridTemplateFromMap(name, voxels, map.shapeZyx, size, source.mapThreshold ?? 0, voxelSizeAngstrom);
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(path, `${error.message}: lower "mapThreshold"`, { cause: error });
    throw error;
  }
}
