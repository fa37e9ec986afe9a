/**
 * Which way round a second volume of the same tomogram lies: the exchange and mirroring of axes under which both correlate best.
 * @module
 */
import type { Triple, Volume } from "../../../streams/contract.ts";
import { turnBox, turnedShape } from "../../formats/turned_volume.ts";
import type { FrameChange } from "../../kernels/permute_geometry.ts";

/** Cells along each axis of the coarse volumes that are compared. */
const CELLS = 32;
/** Sections that are read of each cell's. */
const SECTIONS_EACH = 4;

const ORDERS: readonly Triple[] = [[0, 1, 2], [1, 0, 2], [0, 2, 1], [2, 1, 0], [1, 2, 0], [2, 0, 1]];

/** All 48 changes of frame, the one that changes nothing first. */
export const frameChanges: readonly FrameChange[] = ORDERS.flatMap((axesXyz) =>
  [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => ({ axesXyz, flippedXyz: [(bits & 1) > 0, (bits & 2) > 0, (bits & 4) > 0] as const }))
);

/** How well the second volume, seen through a change of frame, correlates with the first. */
export interface OrientationScore {
  readonly change: FrameChange;
  /** Pearson's, of coarse means. */
  readonly correlation: number;
}

/**
 * Correlates coarse means of two volumes under every change of frame that gives the second the first one's shape.
 *
 * @returns One a change that fits, the unchanged frame first where it fits; empty when none does.
 */
export async function scoreOrientations(first: Volume, second: Volume, signal: AbortSignal): Promise<OrientationScore[]> {
  const fitting = frameChanges.filter((change) => turnedShape(second.shapeZyx, change).join() === first.shapeZyx.join());
  if (fitting.length === 0) return [];
  const a = await coarse(first, signal), b = await coarse(second, signal);
  const own = standardised(a.means);
  return fitting.map((change) => {
    const turned = standardised(turnBox(b.means, b.shapeZyx, change));
    return { change, correlation: own.reduce((sum, value, i) => sum + value * turned[i], 0) };
  });
}

/** Means over cells, `[z, y, x]`; of a few sections in each layer of cells. */
async function coarse(volume: Volume, signal: AbortSignal): Promise<{ means: Float32Array; shapeZyx: Triple }> {
  const [nz, ny, nx] = volume.shapeZyx, shapeZyx = volume.shapeZyx.map((n) => Math.min(n, CELLS)) as unknown as Triple;
  const [cz, cy, cx] = shapeZyx, means = new Float32Array(cz * cy * cx), counts = new Uint32Array(means.length);
  // The middle of a voxel says in which cell it lies: mirrored axes have mirrored cells.
  const cellsOf = (n: number, cells: number) => Int32Array.from({ length: n }, (_, i) => Math.floor((i + 0.5) * cells / n));
  const [cellY, cellX] = [cellsOf(ny, cy), cellsOf(nx, cx)];
  for (let z = 0; z < cz; z++) {
    const from = z * nz / cz, length = nz / cz, each = Math.min(SECTIONS_EACH, Math.max(1, Math.floor(length)));
    for (let i = 0; i < each; i++) {
      signal.throwIfAborted();
      const at = Math.min(nz - 1, Math.floor(from + (i + 0.5) * length / each));
      const section = await volume.readSlab(at, at + 1);
      for (let y = 0, voxel = 0; y < ny; y++) {
        const row = (z * cy + cellY[y]) * cx;
        for (let x = 0; x < nx; x++, voxel++) {
          means[row + cellX[x]] += section[voxel];
          counts[row + cellX[x]]++;
        }
      }
    }
  }
  return { means: means.map((sum, i) => sum / counts[i]), shapeZyx };
}

/** Mean 0 and sum of squares 1; all 0 when constant. */
function standardised(values: Float32Array): Float64Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const centred = Float64Array.from(values, (value) => value - mean);
  const norm = Math.sqrt(centred.reduce((sum, value) => sum + value * value, 0));
  return norm > 0 ? centred.map((value) => value / norm) : centred;
}
