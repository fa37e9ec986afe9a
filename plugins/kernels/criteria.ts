/**
 * How many parameters a mixture has, and what each one must earn.
 * @module
 */

/**
 * Free parameters of a full-covariance mixture of `k` Gaussians in `dims` dimensions.
 *
 * `full` counts covariances, means and weights: k d(d+1)/2 + k d + k - 1. `paper` counts covariances alone: k d(d+1)/2.
 * @see Schwarz 1978; Zeng et al. 2023, PNAS, Eq. 4, for the count of the paper.
 */
export function mixtureParameters(k: number, dims: number, count: "full" | "paper"): number {
  const covariances = k * dims * (dims + 1) / 2;
  return count === "paper" ? covariances : covariances + k * dims + k - 1;
}

/**
 * The Bayesian information criterion, -2 ln L + parameters ln rows: lower is better.
 * @see Schwarz 1978, "Estimating the dimension of a model".
 */
export function bayesianInformation(logLikelihood: number, parameters: number, rows: number): number {
  return -2 * logLikelihood + parameters * Math.log(rows);
}

/**
 * Akaike's information criterion, -2 ln L + 2 parameters: lower is better.
 * @see Akaike 1974.
 */
export function akaikeInformation(logLikelihood: number, parameters: number): number {
  return -2 * logLikelihood + 2 * parameters;
}

/**
 * The integrated completed likelihood as BIC and what the assignments leave open, BIC + 2 entropy: lower is better.
 * @param entropy Sum over rows of the entropy of their responsibilities, in nats.
 * @see Biernacki, Celeux and Govaert 2000, "Assessing a mixture model for clustering with the integrated completed likelihood".
 */
export function completedLikelihood(bayesian: number, entropy: number): number {
  return bayesian + 2 * entropy;
}

/**
 * The Calinski-Harabasz index of `k` classes, (between / (k - 1)) / (within / (rows - k)): higher is better; null for one class.
 * @param between Sum of squared distances of class means from the overall mean, a term a row. @param within That of rows from their class's mean.
 * @see Calinski and Harabasz 1974; equal to scikit-learn's `calinski_harabasz_score`.
 */
export function calinskiHarabasz(between: number, within: number, k: number, rows: number): number | null {
  return k < 2 || rows <= k ? null : within > 0 ? between / (k - 1) / (within / (rows - k)) : Number.MAX_VALUE;
}

/**
 * Krzanowski and Lai's index of `k` classes, |DIFF(k) / DIFF(k + 1)| with DIFF(k) = (k - 1)^(2/d) W(k - 1) - k^(2/d) W(k): higher is better.
 * @param within Sums of squares within classes for k - 1, k and k + 1 classes.
 * @see Krzanowski and Lai 1988, "A criterion for determining the number of groups in a data set".
 */
export function krzanowskiLai(within: readonly [number, number, number], k: number, dims: number): number {
  const power = 2 / dims;
  const scaled = within.map((sum, i) => (k - 1 + i) ** power * sum);
  return Math.min(Number.MAX_VALUE, Math.abs((scaled[0] - scaled[1]) / (scaled[1] - scaled[2] || Number.MIN_VALUE)));
}

/**
 * Sugar and James's jump at a number of classes, d(k)^(-dims/2) - d(k - 1)^(-dims/2): higher is better.
 * @param distortion Mean squared distance from the class's mean, a dimension, in units of the table's variance. @param before That of k - 1 classes;
 *   null for k = 1, whose predecessor counts 0.
 * @see Sugar and James 2003, "Finding the number of clusters in a dataset: an information-theoretic approach".
 */
export function jump(distortion: number, before: number | null, dims: number): number {
  const raised = (value: number) => Math.min(Number.MAX_VALUE / 2, value ** (-dims / 2));
  return raised(distortion) - (before === null ? 0 : raised(before));
}
