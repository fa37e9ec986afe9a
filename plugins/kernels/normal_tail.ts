/**
 * The upper tail of the normal distribution.
 * @module
 */

/** Terms of the continued fraction: more than enough from one deviation on. */
const TERMS = 400;

/** Share of a standard normal distribution above `x` >= 1, by its continued fraction (Laplace 1805). */
function shareAbove(x: number): number {
  let below = x;
  for (let k = TERMS; k >= 1; k--) below = x + k / below;
  return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI) / below;
}

/**
 * Deviations above which a share of a normal distribution lies.
 *
 * @param share Above 0 and below 0.15 (one deviation and more); larger ones give 1.
 * @returns Right to 1e-9.
 */
export function upperNormalQuantile(share: number): number {
  let low = 1, high = 38;
  while (high - low > 1e-10) {
    const middle = (low + high) / 2;
    if (shareAbove(middle) > share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
