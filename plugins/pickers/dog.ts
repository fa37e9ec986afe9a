/**
 * Picks particles without a template: peaks of a difference of Gaussians.
 * @module
 */
import { definePlugin, type Picks, type PluginContext, type Tomogram, type Volume } from "../../streams/contract.ts";
import { InputError, RunError } from "../../streams/errors.ts";
import { namedVolume, tomogramLabel } from "../denoisers/named_volume.ts";
import { MAXIMUM_FIELDS } from "../kernels/difference_of_gaussians.ts";
import { histogramQuantile, robustMoments } from "../kernels/response_statistics.ts";
import { suppress } from "../kernels/suppress.ts";
import { dogFaults, type DogOptions, dogOptions, type Sigmas, sigmasOf } from "./dog_options.ts";
import { type DogResponse, respond } from "./dog_response.ts";
import { inTiles } from "./pick_order.ts";

/** The dark side must be this much stronger before the contrast is doubted: both sides of noise differ by a few per cent. */
const CONTRAST_MARGIN = 1.1;

/** What one scale found: maxima that reach the threshold. */
interface Found {
  /** `[n, 8]`, see `BrickResponse.maxima`. */
  readonly maxima: Float32Array;
  readonly centre: number;
  readonly deviation: number;
  /** Diameter of the scale; `null` where only sigmas are stated. */
  readonly diameterAngstrom: number | null;
}

/**
 * Picks local maxima of G(narrow) - G(wide) (particles are bright): above a threshold, the stronger first, at least a distance apart.
 * Score: response less its centre, in deviations, both over the whole volume. One reading of the volume for each scale, brick by brick in the
 * pool: while the threshold is still unknown, a brick gives its local maxima and a histogram of its responses. Of several scales each has its
 * own centre and deviation, and where peaks of two lie close the higher score stays. Picks come in spatial order.
 * @see Zeng et al. 2023, Eq. 6, whose particles are dark: the same map with the sign changed. Differs from the paper: peaks are local maxima.
 * @see Lindeberg 1998, "Feature detection with automatic scale selection", for the several scales.
 */
export default definePlugin({
  apiVersion: 1,
  name: "dog",
  kind: "picker",
  summary: "Peaks of a difference of Gaussians: particle-like blobs of one or several sizes, without a template",
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
  let scales: readonly Sigmas[];
  try {
    scales = sigmasOf(options, volume.voxelSizeAngstrom);
  } catch (error) {
    throw new InputError(label, (error as Error).message);
  }
  const found: Found[] = [];
  for (const [index, sigmas] of scales.entries()) {
    if (sigmas.derivation) context.note("dog-sigmas", sigmas.derivation);
    const progress = (done: number, total = 1) => context.progress(index * total + done, scales.length * total);
    const response = await respond(volume, sigmas, { pool: context.pool, progress }, signal);
    found.push(judge(response, sigmas, tomogram, volume, options));
    if (index === 0) checkContrast(response.histogram, context, tomogram);
  }
  return toPicks(tomogram, found, options, context);
}

/** The threshold of one scale, and what reaches it. */
function judge(response: DogResponse, sigmas: Sigmas, tomogram: Tomogram, volume: Volume, options: DogOptions): Found {
  const label = tomogramLabel(tomogram), total = volume.shapeZyx.reduce((product, n) => product * n, 1);
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
  const threshold = "deviations" in options.threshold
    ? moments.centre + options.threshold.deviations * deviation
    : "absolute" in options.threshold
    ? options.threshold.absolute
    : histogramQuantile(response.histogram, options.threshold.percentile / 100);
  const maxima = reaching(response.maxima, threshold);
  return { maxima, centre: moments.centre, deviation, diameterAngstrom: sigmas.diameterAngstrom };
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

/** Maxima that reach the threshold, as one `[n, 8]`. */
function reaching(maxima: readonly Float32Array[], threshold: number): Float32Array {
  const kept: Float32Array[] = [];
  let count = 0;
  for (const part of maxima) {
    const out = new Float32Array(part.length);
    let n = 0;
    for (let i = 0; i < part.length; i += MAXIMUM_FIELDS) {
      if (part[i + 3] < threshold) continue;
      out.set(part.subarray(i, i + MAXIMUM_FIELDS), n);
      n += MAXIMUM_FIELDS;
    }
    kept.push(out.subarray(0, n));
    count += n;
  }
  return joined(kept, count);
}

function joined(parts: readonly Float32Array[], count: number): Float32Array {
  const all = new Float32Array(count);
  parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
  return all;
}

function toPicks(tomogram: Tomogram, found: readonly Found[], options: DogOptions, context: PluginContext): Picks {
  const maxima = joined(found.map((scale) => scale.maxima), found.reduce((sum, scale) => sum + scale.maxima.length, 0));
  const n = maxima.length / MAXIMUM_FIELDS, xyz = new Float64Array(3 * n), score = new Float64Array(n), scaleOf = new Uint8Array(n);
  let i = 0;
  found.forEach(({ maxima: own, centre, deviation }, scale) => {
    for (const end = i + own.length / MAXIMUM_FIELDS; i < end; i++) {
      for (let axis = 0; axis < 3; axis++) xyz[3 * i + axis] = maxima[MAXIMUM_FIELDS * i + axis];
      score[i] = (maxima[MAXIMUM_FIELDS * i + 3] - centre) / deviation;
      scaleOf[i] = scale;
    }
  });
  const apart = suppress(xyz, score, options.minimumDistanceVoxels);
  const round = apart.filter((i) => maxima[MAXIMUM_FIELDS * i + 7] <= options.maximumFlatness);
  if (round.length < apart.length) {
    context.drop(apart.length - round.length, `peak flatter than maximumFlatness ${options.maximumFlatness}`);
  }
  let kept = round;
  if (options.maximumPicks !== undefined && kept.length > options.maximumPicks) {
    context.note("maximum-picks", `tomogram "${tomogram.id}": ${kept.length} picks, the strongest ${options.maximumPicks} are kept`);
    kept = kept.slice(0, options.maximumPicks);
  }
  if (kept.length === 0) {
    context.warn("no-picks", `tomogram "${tomogram.id}": no peak passes; lower "threshold" or check the particle's diameter`);
  }
  const order = inTiles(kept, xyz);
  const centresXyz = new Float64Array(3 * order.length);
  order.forEach((i, to) => {
    for (let axis = 0; axis < 3; axis++) {
      centresXyz[3 * to + axis] = xyz[3 * i + axis] + (options.subvoxel ? maxima[MAXIMUM_FIELDS * i + 4 + axis] : 0);
    }
  });
  const columns: Picks["columns"] = found.length > 1
    ? { diameterAngstrom: Array.from(order, (i) => found[scaleOf[i]].diameterAngstrom!) }
    : {};
  return { tomogram, centresXyz, score: Float32Array.from(order, (i) => score[i]), columns };
}
