/**
 * Boxes and wedge volumes as RELION reads them: one mode-2 MRC file each.
 * @module
 */
import type { BoxStore, Geometry } from "../../../streams/contract.ts";
import { writeMrcVolume } from "../../formats/mrc.ts";
import { boxCentre } from "../../kernels/prepare.ts";
import { tiltRangeOf, wedgeMask } from "../../kernels/wedge.ts";

/** Voxels read at once: 256 boxes of 32. */
const BATCH_VOXELS = 256 * 32 ** 3;
/** RELION's default background lies outside a sphere of 75 % of the box. */
const BACKGROUND_RADIUS = 0.375;

/** Voxels outside the background sphere. */
function backgroundOf(boxVoxels: number): Int32Array {
  const centre = boxCentre(boxVoxels), limit = (BACKGROUND_RADIUS * boxVoxels) ** 2;
  const indices: number[] = [];
  for (let z = 0, i = 0; z < boxVoxels; z++) {
    for (let y = 0; y < boxVoxels; y++) {
      for (let x = 0; x < boxVoxels; x++, i++) {
        if ((z - centre) ** 2 + (y - centre) ** 2 + (x - centre) ** 2 > limit) indices.push(i);
      }
    }
  }
  return Int32Array.from(indices);
}

/**
 * Shifts and scales a box, in place, to zero mean and unit deviation in the background, as RELION demands: outside a sphere of 75 % of the
 * box about voxel floor(N / 2). A box with a constant background is shifted only.
 *
 * Shapes: `box` [b, b, b].
 */
export function normaliseBackground(box: Float32Array, boxVoxels: number, background: Int32Array = backgroundOf(boxVoxels)): void {
  let sum = 0;
  for (const i of background) sum += box[i];
  const mean = sum / background.length;
  let square = 0;
  for (const i of background) square += (box[i] - mean) ** 2;
  const deviation = Math.sqrt(square / background.length);
  const factor = deviation > 0 ? 1 / deviation : 1;
  for (let i = 0; i < box.length; i++) box[i] = (box[i] - mean) * factor;
}

/**
 * Writes boxes of a run as single files.
 *
 * @param indices Boxes of the store.
 * @param pathOf File of the i-th of `indices`.
 */
export async function writeBoxes(
  boxes: BoxStore,
  indices: readonly number[],
  pathOf: (index: number) => string,
  signal: AbortSignal,
  progress: (done: number, total: number) => void,
): Promise<void> {
  const b = boxes.boxVoxels, size = b ** 3;
  const background = backgroundOf(b);
  const step = Math.max(1, Math.floor(BATCH_VOXELS / size));
  for (let start = 0; start < indices.length; start += step) {
    signal.throwIfAborted();
    const batch = indices.slice(start, start + step);
    const voxels = await boxes.read(batch);
    for (let i = 0; i < batch.length; i++) {
      const box = voxels.subarray(i * size, (i + 1) * size);
      normaliseBackground(box, b, background);
      // A lost box is written again by `report`: no sync of each of many small files.
      await writeMrcVolume(pathOf(batch[i]), { shapeZyx: [b, b, b], voxels: box, voxelSizeAngstrom: boxes.voxelSizeAngstrom, sync: false });
    }
    progress(start + batch.length, indices.length);
  }
}

/** Wedge volumes of a set of geometries: one file for each that differs. */
export class WedgeFiles {
  readonly #boxVoxels: number;
  readonly #voxelSizeAngstrom: number;
  readonly #names = new Map<string, { name: string; geometry: Geometry }>();

  constructor(boxVoxels: number, voxelSizeAngstrom: number) {
    this.#boxVoxels = boxVoxels;
    this.#voxelSizeAngstrom = voxelSizeAngstrom;
  }

  /** File name for a geometry. @throws {RangeError} When its tilt range is unknown: a wedge is not made up. */
  nameOf(geometry: Geometry): string {
    const range = tiltRangeOf(geometry);
    if (!range) throw new RangeError("the tilt range is unknown: there is no wedge volume");
    const key = `${range.join(" ")} ${geometry.tiltAxis} ${geometry.handedness === -1 ? -1 : 1}`;
    let entry = this.#names.get(key);
    if (!entry) {
      entry = { name: `wedge_${String(this.#names.size + 1).padStart(2, "0")}.mrc`, geometry };
      this.#names.set(key, entry);
    }
    return entry.name;
  }

  /** Writes every volume that was named: N^3, zero frequency at voxel floor(N / 2). */
  async write(folder: string): Promise<void> {
    const n = this.#boxVoxels;
    for (const { name, geometry } of this.#names.values()) {
      const voxels = wedgeMask(n, geometry, "centred");
      await writeMrcVolume(`${folder}/${name}`, { shapeZyx: [n, n, n], voxels, voxelSizeAngstrom: this.#voxelSizeAngstrom, sync: false });
    }
  }
}
