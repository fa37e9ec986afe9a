/**
 * Statistics of more float32 values than fit in memory, from a histogram over the upper 18 bits of each value: sign, exponent and nine bits
 * of the mantissa, so that a bin is 0.2 % of its value wide everywhere.
 * @module
 */

/** Bins of a histogram: 2^18. */
export const HISTOGRAM_BINS = 1 << 18;

const LOW_BITS = 14;
/** Values of the normal distribution lie within 0.6745 deviations of the median half of the time. */
const MAD_TO_DEVIATION = 1.482602218505602;

const bits = new Uint32Array(1);
const value = new Float32Array(bits.buffer);

/** Lower and upper bound, by magnitude, of a bin. */
function bounds(bin: number): [number, number] {
  bits[0] = bin << LOW_BITS;
  const low = value[0];
  bits[0] = ((bin << LOW_BITS) | ((1 << LOW_BITS) - 1)) >>> 0;
  return [low, value[0]];
}

/** Bins in ascending order of value: the negative ones downwards, then the positive ones. */
function* ascending(): Generator<number> {
  for (let bin = HISTOGRAM_BINS - 1; bin >= HISTOGRAM_BINS / 2; bin--) yield bin;
  for (let bin = 0; bin < HISTOGRAM_BINS / 2; bin++) yield bin;
}

/**
 * The value below which a share of all values lies, linear within its bin: right to 0.2 %.
 *
 * @param share 0 to 1.
 * @returns NaN for an empty histogram.
 */
export function histogramQuantile(histogram: Uint32Array | Float64Array, share: number): number {
  let total = 0;
  for (const count of histogram) total += count;
  let before = 0;
  const rank = share * total;
  for (const bin of ascending()) {
    const count = histogram[bin];
    if (count > 0 && before + count >= rank) {
      const [low, high] = bounds(bin), t = (rank - before) / count;
      // Within a negative bin values ascend from the larger magnitude to the smaller.
      return low < 0 || Object.is(low, -0) ? high + t * (low - high) : low + t * (high - low);
    }
    before += count;
  }
  return NaN;
}

/** Median, and 1.4826 times the median distance from it (the normal distribution's deviation, whatever a few per cent of outliers do). */
export function robustMoments(histogram: Uint32Array | Float64Array): { readonly centre: number; readonly deviation: number } {
  const centre = histogramQuantile(histogram, 0.5);
  const distances: [number, number][] = [];
  let total = 0;
  for (let bin = 0; bin < HISTOGRAM_BINS; bin++) {
    if (histogram[bin] === 0) continue;
    const [low, high] = bounds(bin);
    distances.push([Math.abs((low + high) / 2 - centre), histogram[bin]]);
    total += histogram[bin];
  }
  distances.sort(([a], [b]) => a - b);
  let seen = 0;
  for (const [distance, count] of distances) {
    seen += count;
    if (seen >= total / 2) return { centre, deviation: MAD_TO_DEVIATION * distance };
  }
  return { centre, deviation: NaN };
}
