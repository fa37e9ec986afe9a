/**
 * Scores of a template over a whole volume: tile by tile in the pool, memory bounded by the tile.
 * @module
 */
import type { PluginContext, Triple, Volume } from "../../streams/contract.ts";
import {
  bestMaxima,
  correlateTile,
  type CorrelationJob,
  type CorrelationSums,
  maskReach,
  scoredShape,
  type TemplateSettings,
} from "../kernels/template_correlation.ts";

/** Work of one call, in orientations times voxels: about ten seconds, so that progress shows and a cancelled run does not work on. */
const CALL_WORK = 100 * 128 ** 3;

const module = new URL("../kernels/template_correlation.ts", import.meta.url).href;

/** What was found in a volume. */
export interface TemplateScores {
  /** `[n, 5]`: x, y, z, score, number of the orientation; parts in z, y, x order of their tiles. */
  readonly maxima: readonly Float64Array[];
  /** Places that were scored, times orientations. */
  readonly count: number;
  /** Deviation of all scores from their mean. */
  readonly deviation: number;
}

/** One part of the places to score, and what is read for it. */
interface Tile {
  readonly readCornerZyx: Triple;
  readonly readSizeZyx: Triple;
  /** The part in the scored places of what is read. */
  readonly cornerZyx: Triple;
  readonly sizeZyx: Triple;
}

/**
 * Cuts the places that can be scored into tiles; each reads the mask's reach and one place more on every side, for neighbours of maxima.
 * @param tileVoxels Side of what is read; at least four times the reach, for in smaller tiles the margins would be all the work.
 */
function planTiles(shapeZyx: Triple, reach: number, tileVoxels: number): Tile[] {
  const side = Math.max(tileVoxels, 4 * reach + 4),
    axes = shapeZyx.map((n) => {
      const places = n - 2 * reach, cuts = Math.ceil(places / (side - 2 * reach - 2));
      return Array.from({ length: cuts }, (_, i) => {
        const from = Math.floor(i * places / cuts), to = Math.floor((i + 1) * places / cuts);
        const first = Math.max(0, from - 1), last = Math.min(places, to + 1);
        return { readCorner: first, readSize: last - first + 2 * reach, corner: from - first, size: to - from };
      });
    });
  return axes[0].flatMap((z) =>
    axes[1].flatMap((y) =>
      axes[2].map((x): Tile => ({
        readCornerZyx: [z.readCorner, y.readCorner, x.readCorner],
        readSizeZyx: [z.readSize, y.readSize, x.readSize],
        cornerZyx: [z.corner, y.corner, x.corner],
        sizeZyx: [z.size, y.size, x.size],
      }))
    )
  );
}

/**
 * Scores every place where the mask fits into the volume.
 *
 * @param rotations `[n, 9]`.
 * @param least Maxima below it are left out; 0 keeps all that are positive.
 */
export async function scoreVolume(
  volume: Volume,
  settings: TemplateSettings,
  rotations: Float32Array,
  least: number,
  tileVoxels: number,
  context: Pick<PluginContext, "pool" | "progress">,
  signal: AbortSignal,
): Promise<TemplateScores> {
  const reach = maskReach(settings), tiles = planTiles(volume.shapeZyx, reach, tileVoxels), total = rotations.length / 9;
  const maxima: Float64Array[] = Array(tiles.length), sums: CorrelationSums[] = [];
  const voxelsOf = (tile: Tile) => tile.readSizeZyx.reduce((product, n) => product * n, 1), most = Math.max(...tiles.map(voxelsOf));
  const perCall = Math.max(1, Math.floor(CALL_WORK / most)), calls = Math.ceil(total / perCall);
  const failed = new AbortController(), stop = AbortSignal.any([signal, failed.signal]);
  let next = 0, done = 0;
  const shared = () => new SharedArrayBuffer(4 * most);
  const lane = async () => {
    const room = new Float32Array(shared()), bestRoom = new Float32Array(shared()), rotationRoom = new Int32Array(shared());
    while (next < tiles.length) {
      stop.throwIfAborted();
      const index = next++, tile = tiles[index], shapeZyx = tile.readSizeZyx, scored = scoredShape(shapeZyx, reach);
      const voxels = room.subarray(0, voxelsOf(tile)), places = scored.reduce((product, n) => product * n, 1);
      voxels.set(await volume.readBox(tile.readCornerZyx, shapeZyx));
      const best = bestRoom.subarray(0, places).fill(-Infinity), bestRotation = rotationRoom.subarray(0, places).fill(0);
      for (let firstRotation = 0; firstRotation < total; firstRotation += perCall) {
        const some = rotations.slice(9 * firstRotation, 9 * (firstRotation + perCall));
        const job: CorrelationJob = { ...settings, shapeZyx, voxels, rotations: some, firstRotation, best, bestRotation };
        sums.push(await context.pool.run<CorrelationSums>(module, correlateTile.name, [job], { signal: stop }));
        context.progress(++done, tiles.length * calls);
      }
      const { cornerZyx, sizeZyx, readCornerZyx } = tile;
      const found = bestMaxima({ best, bestRotation, shapeZyx: scored, cornerZyx, sizeZyx, least });
      for (let i = 0; i < found.length; i += 5) {
        for (let axis = 0; axis < 3; axis++) found[i + axis] += readCornerZyx[2 - axis] + reach;
      }
      maxima[index] = found;
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(tiles.length, context.pool.size) }, lane));
  } catch (error) {
    failed.abort(error);
    throw error;
  }
  const add = (of: (part: CorrelationSums) => number) => sums.reduce((sum, part) => sum + of(part), 0);
  const count = add((part) => part.count), mean = add((part) => part.sum) / count;
  return { maxima, count, deviation: Math.sqrt(add((part) => part.square) / count - mean * mean) };
}
