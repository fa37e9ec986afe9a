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
