/**
 * Picks particles without a template: peaks of a difference of Gaussians.
 * @module
 */
import { definePlugin, type Picks, type PluginContext, type Tomogram, type Volume } from "../../streams/contract.ts";
import { InputError, RunError } from "../../streams/errors.ts";
import { namedVolume, tomogramLabel } from "../denoisers/named_volume.ts";
import { openMrcVolume } from "../formats/mrc.ts";
import { type Brick, planBricks } from "../kernels/brick.ts";
import { type BrickJob, type BrickResponse, filterBrick, MAXIMUM_FIELDS, responseReach } from "../kernels/difference_of_gaussians.ts";
import { HISTOGRAM_BINS, histogramQuantile, robustMoments } from "../kernels/response_statistics.ts";
import { suppress } from "../kernels/suppress.ts";
import { dogFaults, type DogOptions, dogOptions, type Sigmas, sigmasOf } from "./dog_options.ts";

/** Voxels that one brick may read (40 MB as float32): with what its filtering needs, a worker holds about three times that. */
const BRICK_VOXELS = 10_000_000;
/** Voxels read at a time. */
const READ_VOXELS = 1_000_000;
/** Picks come in rows of tiles of this height and width. */
const TILE_VOXELS = 32;
/** The dark side must be this much stronger before the contrast is doubted: both sides of noise differ by a few per cent. */
const CONTRAST_MARGIN = 1.1;

const module = new URL("../kernels/difference_of_gaussians.ts", import.meta.url).href;

/** The response over one whole volume. */
interface Response {
  /** Parts of `[n, 8]`, see `BrickResponse.maxima`, in z, y, x order of their bricks. */
  readonly maxima: readonly Float32Array[];
  readonly histogram: Float64Array;
  readonly mean: number;
  readonly deviation: number;
}

/**
 * Picks local maxima of G(narrow) - G(wide) (particles are bright): above a threshold, the stronger first, at least a distance apart.
 * Score: response less its centre, in deviations, both over the whole volume. One reading of the volume, brick by brick in the pool: while
 * the threshold is still unknown, a brick gives its local maxima and a histogram of its responses. Picks come in spatial order.
 * @see Zeng et al. 2023, Eq. 6, whose particles are dark: the same map with the sign changed. Differs from the paper: peaks are local maxima.
 */
export default definePlugin({
  apiVersion: 1,
  name: "dog",
  kind: "picker",
  summary: "Peaks of a difference of Gaussians: particle-like blobs of one size, without a template",
  input: "tomogram",
  output: "picks",
  options: dogOptions,
  check: dogFaults,
  create(options, context) {
    const [fault] = dogFaults(options);
    if (fault) throw new RunError(`${context.stage}: ${fault}`);
    return { apply: (tomogram, signal) => pick(tomogram, options, context, signal) };
  },
});

async function pick(tomogram: Tomogram, options: DogOptions, context: PluginContext, signal: AbortSignal): Promise<Picks> {
  const volume = namedVolume(tomogram, options.volume, context.stage), label = tomogramLabel(tomogram);
  let sigmas: Sigmas;
  try {
    sigmas = sigmasOf(options, volume.voxelSizeAngstrom);
  } catch (error) {
    throw new InputError(label, (error as Error).message);
  }
  if (sigmas.derivation) context.note("dog-sigmas", sigmas.derivation);
  const response = await respond(volume, sigmas, context, signal);
  const total = volume.shapeZyx.reduce((product, n) => product * n, 1);
  if (!Number.isFinite(response.mean)) {
    throw new InputError(label, `volume "${options.volume}" holds voxels that are not finite numbers (NaN or infinite): replace them`);
  }
  const moments = options.deviation === "robust"
    ? robustMoments(response.histogram)
    : { centre: response.mean, deviation: response.deviation };
  // A volume of which more than half is constant (a mask applied) has no median distance.
  const deviation = moments.deviation > 0 ? moments.deviation : response.deviation;
  if (!(deviation > 0)) {
    throw new InputError(label, `volume "${options.volume}" is constant (${total} voxels): there is nothing to pick; check the file`);
  }
  checkContrast(response.histogram, context, tomogram);
  const threshold = "deviations" in options.threshold
    ? moments.centre + options.threshold.deviations * deviation
    : "absolute" in options.threshold
    ? options.threshold.absolute
    : histogramQuantile(response.histogram, options.threshold.percentile / 100);
  const candidates = keepInside(response.maxima, threshold, options.borderVoxels, volume);
  const allowed = options.maskPath === undefined
    ? candidates
    : await keepMasked(candidates, options.maskPath.replaceAll("{id}", tomogram.id), volume, signal);
  return toPicks(tomogram, allowed, options, moments.centre, deviation, context);
}

/** Filters every brick in the pool; each lane reads its next brick while the others are at work. */
async function respond(volume: Volume, sigmas: Sigmas, context: PluginContext, signal: AbortSignal): Promise<Response> {
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

/** Says when the dark side of the response is stronger than the bright one: then the contrast was probably stated wrongly. */
function checkContrast(histogram: Float64Array, context: PluginContext, tomogram: Tomogram): void {
  const bright = histogramQuantile(histogram, 0.999), dark = -histogramQuantile(histogram, 0.001);
  if (dark > CONTRAST_MARGIN * bright) {
    context.warn(
      "contrast",
      `tomogram "${tomogram.id}": the dark side of the response is stronger than the bright one (99.9th percentile ${
        dark.toPrecision(3)
      } ` +
        `against ${bright.toPrecision(3)}); if particles are ${tomogram.metadata.contrast === "dark" ? "bright" : "dark"} in the file, ` +
        `set the source's "contrast" to say so`,
    );
  }
}

/** Maxima that reach the threshold and keep the border, as one `[n, 8]`. */
function keepInside(maxima: readonly Float32Array[], threshold: number, border: number, volume: Volume): Float32Array {
  const [nz, ny, nx] = volume.shapeZyx, kept: Float32Array[] = [];
  let count = 0;
  for (const part of maxima) {
    const out = new Float32Array(part.length);
    let n = 0;
    for (let i = 0; i < part.length; i += MAXIMUM_FIELDS) {
      const x = part[i], y = part[i + 1], z = part[i + 2];
      if (part[i + 3] < threshold || x < border || y < border || z < border) continue;
      if (x >= nx - border || y >= ny - border || z >= nz - border) continue;
      out.set(part.subarray(i, i + MAXIMUM_FIELDS), n);
      n += MAXIMUM_FIELDS;
    }
    kept.push(out.subarray(0, n));
    count += n;
  }
  const all = new Float32Array(count);
  kept.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

/** Maxima where the mask is above 0.5; the mask is read section by section. */
async function keepMasked(maxima: Float32Array, path: string, volume: Volume, signal: AbortSignal): Promise<Float32Array> {
  await using mask = await openMrcVolume(path);
  if (mask.shapeZyx.join() !== volume.shapeZyx.join()) {
    const shape = ([z, y, x]: readonly number[]) => `${x} x ${y} x ${z}`;
    throw new InputError(
      path,
      `the mask has ${shape(mask.shapeZyx)} voxels, the tomogram ${shape(volume.shapeZyx)}: resample the mask to the tomogram's voxels`,
    );
  }
  const nx = volume.shapeZyx[2], bySection = new Map<number, number[]>(), keep: number[] = [];
  for (let i = 0; i < maxima.length; i += MAXIMUM_FIELDS) {
    const z = maxima[i + 2];
    if (!bySection.has(z)) bySection.set(z, []);
    bySection.get(z)!.push(i);
  }
  for (const [z, members] of [...bySection].sort(([a], [b]) => a - b)) {
    signal.throwIfAborted();
    const section = await mask.readSlab(z, z + 1);
    for (const i of members) if (section[maxima[i + 1] * nx + maxima[i]] > 0.5) keep.push(i);
  }
  const out = new Float32Array(keep.length * MAXIMUM_FIELDS);
  keep.forEach((i, n) => out.set(maxima.subarray(i, i + MAXIMUM_FIELDS), n * MAXIMUM_FIELDS));
  return out;
}

function toPicks(
  tomogram: Tomogram,
  maxima: Float32Array,
  options: DogOptions,
  centre: number,
  deviation: number,
  context: PluginContext,
): Picks {
  const n = maxima.length / MAXIMUM_FIELDS, xyz = new Float64Array(3 * n), strength = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    for (let axis = 0; axis < 3; axis++) xyz[3 * i + axis] = maxima[MAXIMUM_FIELDS * i + axis];
    strength[i] = maxima[MAXIMUM_FIELDS * i + 3];
  }
  const apart = suppress(xyz, strength, options.minimumDistanceVoxels);
  const score = (i: number) => (strength[i] - centre) / deviation;
  const most = options.maximumScore ?? Infinity;
  const round = apart.filter((i) => maxima[MAXIMUM_FIELDS * i + 7] <= options.maximumFlatness);
  if (round.length < apart.length) {
    context.drop(apart.length - round.length, `peak flatter than maximumFlatness ${options.maximumFlatness}`);
  }
  let kept = round.filter((i) => score(i) <= most);
  if (kept.length < round.length) context.drop(round.length - kept.length, `score above maximumScore ${most}`);
  if (options.maximumPicks !== undefined && kept.length > options.maximumPicks) {
    context.note("maximum-picks", `tomogram "${tomogram.id}": ${kept.length} picks, the strongest ${options.maximumPicks} are kept`);
    kept = kept.slice(0, options.maximumPicks);
  }
  if (kept.length === 0) {
    context.warn("no-picks", `tomogram "${tomogram.id}": no peak passes; lower "threshold" or check the particle's diameter`);
  }
  // Neighbours get neighbouring ordinals, so that boxes can be cut many at a time.
  const tile = (i: number, axis: number) => Math.floor(xyz[3 * i + axis] / TILE_VOXELS);
  kept = kept.sort((a, b) =>
    tile(a, 2) - tile(b, 2) || tile(a, 1) - tile(b, 1) || xyz[3 * a] - xyz[3 * b] || xyz[3 * a + 1] - xyz[3 * b + 1] ||
    xyz[3 * a + 2] - xyz[3 * b + 2]
  );
  const centresXyz = new Float64Array(3 * kept.length);
  kept.forEach((i, to) => {
    for (let axis = 0; axis < 3; axis++) {
      centresXyz[3 * to + axis] = xyz[3 * i + axis] + (options.subvoxel ? maxima[MAXIMUM_FIELDS * i + 4 + axis] : 0);
    }
  });
  return { tomogram, centresXyz, score: Float32Array.from(kept, score), columns: {} };
}
