/**
 * The numbers of Keras's Nadam that change with the step and not with the parameter, so that every engine uses the same.
 * @module
 */
import type { Optimiser } from "./network.ts";

const SCHEDULE_DECAY = 0.004;

/** Scalars of one Nadam step; see {@linkcode nadamStep}. */
export interface NadamStep {
  /** Factor of the gradient: lr (1 - mu_t) / (1 - prod_t). */
  readonly gradientFactor: number;
  /** Factor of the new first moment: lr mu_{t+1} / (1 - prod_t mu_{t+1}). */
  readonly momentFactor: number;
  /** Factor of the new second moment: 1 / (1 - beta2^t). */
  readonly varianceFactor: number;
  /** Running product of mu after this step. */
  readonly momentumProduct: number;
}

/**
 * Momentum schedule and bias corrections of step `t` (from 1). The update is
 *
 * `m' = b1 m + (1 - b1) g`, `v' = b2 v + (1 - b2) g^2`,
 * `p' = p - (gradientFactor g + momentFactor m') / (sqrt(varianceFactor v') + epsilon)`
 *
 * with mu_t = b1 (1 - 0.5 * 0.96^(0.004 t)). All in float64.
 *
 * @param previousProduct Product of mu_1 .. mu_{t-1}; 1 before the first step.
 * @see Dozat 2016; Keras 2's `Nadam` with its default schedule decay; the same rule as PyTorch's `NAdam`.
 */
export function nadamStep(optimiser: Optimiser, t: number, previousProduct: number, learningRate: number): NadamStep {
  const { beta1, beta2 } = optimiser;
  const momentum = (step: number) => beta1 * (1 - 0.5 * 0.96 ** (step * SCHEDULE_DECAY));
  const product = previousProduct * momentum(t);
  const next = momentum(t + 1);
  return {
    gradientFactor: learningRate * (1 - momentum(t)) / (1 - product),
    momentFactor: learningRate * next / (1 - product * next),
    varianceFactor: 1 / (1 - beta2 ** t),
    momentumProduct: product,
  };
}
