/**
 * The difference of Gaussians of a whole volume: brick by brick in the pool, in one reading.
 * @module
 */
import type { PluginContext, Volume } from "../../streams/contract.ts";
import { type Brick, planBricks } from "../kernels/brick.ts";
import { type BrickJob, type BrickResponse, filterBrick, responseReach } from "../kernels/difference_of_gaussians.ts";
import { HISTOGRAM_BINS } from "../kernels/response_statistics.ts";

/** Voxels that one brick may read (40 MB as float32): with what its filtering needs, a worker holds about three times that. */
const BRICK_VOXELS = 10_000_000;
/** Voxels read at a time. */
const READ_VOXELS = 1_000_000;

const module = new URL("../kernels/difference_of_gaussians.ts", import.meta.url).href;

/** The two sigmas, voxels. */
export interface Scale {
  /** Of the Gaussian that is kept. */
  readonly narrow: number;
  /** Of the Gaussian that is taken away. */
  readonly wide: number;
}

/** The response over one whole volume. */
export interface DogResponse {
  /** Parts of `[n, 8]`, see `BrickResponse.maxima`, in z, y, x order of their bricks. */
  readonly maxima: readonly Float32Array[];
  readonly histogram: Float64Array;
  readonly mean: number;
  readonly deviation: number;
}

/** Filters every brick in the pool; each lane reads its next brick while the others are at work. */
export async function respond(
  volume: Volume,
  sigmas: Scale,
  context: Pick<PluginContext, "pool" | "progress">,
  signal: AbortSignal,
): Promise<DogResponse> {
  const { shapeZyx } = volume, [nz, ny, nx] = shapeZyx;
  const bricks = planBricks(shapeZyx, responseReach(sigmas.wide), BRICK_VOXELS);
  const middle = await volume.readSlab(nz >> 1, (nz >> 1) + 1);
  const offset = Math.fround(middle.reduce((sum, v) => sum + v, 0) / middle.length);
  const maxima: Float32Array[] = Array(bricks.length), histogram = new Float64Array(HISTOGRAM_BINS);
  const sums = new Float64Array(bricks.length), squares = new Float64Array(bricks.length);
  const failed = new AbortController(), stop = AbortSignal.any([signal, failed.signal]);
  let next = 0, done = 0;
  const largest = Math.max(...bricks.map(({ readSizeZyx: [z, y, x] }) => z * y * x));
  const lane = async () => {
    const room = new Float32Array(new SharedArrayBuffer(4 * largest));
    while (next < bricks.length) {
      stop.throwIfAborted();
      const index = next++, brick = bricks[index];
      const voxels = await readBrick(volume, brick, room, stop);
      const job: BrickJob = { brick, shapeZyx, voxels, sigmaNarrowVoxels: sigmas.narrow, sigmaWideVoxels: sigmas.wide, offset };
      const part = await context.pool.run<BrickResponse>(module, filterBrick.name, [job], { signal: stop });
      maxima[index] = part.maxima;
      sums[index] = part.sum;
      squares[index] = part.square;
      for (let bin = 0; bin < HISTOGRAM_BINS; bin++) histogram[bin] += part.histogram[bin];
      context.progress(++done, bricks.length);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(bricks.length, context.pool.size + 1) }, lane));
  } catch (error) {
    failed.abort(error);
    throw error;
  }
  const total = nz * ny * nx, mean = sums.reduce((a, b) => a + b, 0) / total;
  return { maxima, histogram, mean, deviation: Math.sqrt(Math.max(0, squares.reduce((a, b) => a + b, 0) / total - mean * mean)) };
}

async function readBrick(volume: Volume, brick: Brick, room: Float32Array, signal: AbortSignal): Promise<Float32Array> {
  const [cz, cy, cx] = brick.readCornerZyx, [sz, sy, sx] = brick.readSizeZyx;
  const step = Math.max(1, Math.floor(READ_VOXELS / (sy * sx)));
  for (let z = 0; z < sz; z += step) {
    signal.throwIfAborted();
    room.set(await volume.readBox([cz + z, cy, cx], [Math.min(step, sz - z), sy, sx]), z * sy * sx);
  }
  return room.subarray(0, sz * sy * sx);
}
