/**
 * Labelled stacks that benchmarks measure on. Settings are chosen on `makeSet("choosing", { seed: 0..9 })` and reported on
 * `makeSet("reporting", { seed: 100..109 })` (plugins/sources/simulated/sets.ts) and on the real complexes here.
 */
import { prepareScene } from "../../plugins/sources/simulated/prepare_scene.ts";
import { parseScene } from "../../plugins/sources/simulated/scene.ts";
import { stackOf } from "../../plugins/sources/simulated/scene_stack.ts";
import type { SimulatedStack } from "../../plugins/sources/simulated/stack.ts";

export { CHOOSING_MODELS, makeSet, REPORTING_MODELS, type SetOptions } from "../../plugins/sources/simulated/sets.ts";

/** Maps at 10 A of five complexes, beside the repository where the project is developed (../shared/data/README.md has their source). */
const MAPS = new URL("../../../shared/data/structures/", import.meta.url);
const COMPLEXES = ["1f4a", "2uv8", "4v94", "6pxm", "7n4y"];

/** How a stack of real complexes is made. */
export interface ComplexOptions {
  /** Boxes of each complex. Default 200. */
  readonly count?: number;
  /** Default 32, which at 14 A holds the largest complex. */
  readonly boxVoxels?: number;
  readonly voxelSizeAngstrom?: number;
  readonly snr?: number;
  readonly tiltRangeDegrees?: readonly [number, number];
  readonly pickErrorVoxels?: number;
  /** 100 to 109: these are for reporting only. */
  readonly seed: number;
}

/** A labelled stack of five real complexes of unlike sizes; `null` where their maps are absent. */
export async function makeComplexSet(options: ComplexOptions): Promise<SimulatedStack | null> {
  const { count = 200, boxVoxels = 32, voxelSizeAngstrom = 14, snr = 0.1, tiltRangeDegrees = [-60, 60], pickErrorVoxels = 1, seed } =
    options;
  const maps = COMPLEXES.map((id) => new URL(`${id}.mrc`, MAPS).pathname);
  for (const map of maps) {
    try {
      await Deno.stat(map);
    } catch {
      console.error(`skipped: ${map} is not here`);
      return null;
    }
  }
  const species = maps.map((map) => ({ map, mapThreshold: 1, count }));
  const stack = { boxVoxels, pickErrorVoxels };
  return stackOf(await prepareScene(parseScene({ seed, voxelSizeAngstrom, snr, tiltRangeDegrees, species, stack })));
}
