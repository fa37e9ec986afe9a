/**
 * Where a volume holds detail of one size, whatever its sign.
 * @module
 */
import type { Triple } from "../../streams/contract.ts";
import { blurSections } from "./blur.ts";

/**
 * Magnitude of the band between two Gaussian blurs, |G(s) - G(2 s)|, of whole sections; a pool entry. Arguments as
 * {@linkcode blurSections} takes them, with what the wider Gaussian reaches beyond the sections to return.
 *
 * @returns `[to - from, ny, nx]`, >= 0.
 */
export function localEnergy(
  sections: Float32Array,
  first: number,
  from: number,
  to: number,
  shapeZyx: Triple,
  sigmaVoxels: number,
): Float32Array {
  const fine = blurSections(sections, first, from, to, shapeZyx, sigmaVoxels);
  const coarse = blurSections(sections, first, from, to, shapeZyx, 2 * sigmaVoxels);
  for (let i = 0; i < fine.length; i++) fine[i] = Math.abs(fine[i] - coarse[i]);
  return fine;
}
