/**
 * The stack of boxes that a scene describes.
 * @module
 */
import { makeStack, type SimulatedStack } from "./stack.ts";
import type { PreparedScene } from "./tomogram.ts";

/** Simulates the stack of a scene; labels are indices of its species. */
export function stackOf(prepared: PreparedScene, signal?: AbortSignal): SimulatedStack {
  const { scene, species } = prepared;
  const { boxVoxels, pickErrorVoxels } = scene.stack!;
  return makeStack({
    templates: species.map((kind) => kind.template),
    densities: species.map((kind) => kind.relativeDensity),
    count: species.map((kind) => kind.count),
    boxVoxels,
    snr: scene.snr ?? Infinity,
    tiltRangeDegrees: scene.tiltRangeDegrees,
    pickErrorVoxels,
    seed: scene.seed,
    voxelSizeAngstrom: scene.voxelSizeAngstrom,
    ctf: scene.ctf,
    noisePowerExponent: scene.noisePowerExponent,
    signal,
  });
}
