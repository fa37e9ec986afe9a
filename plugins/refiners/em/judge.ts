/**
 * How far a refinement's classes can be trusted, without truth.
 * @module
 */
import { measureAgreement, tabulateConfusion } from "../../kernels/agreement.ts";
import { paddedSide } from "../../kernels/alignment/volume.ts";
import { leadingEigenpairs } from "../../kernels/eigen.ts";
import type { Gain } from "./compare.ts";
import { type Fit, type FitPlan, fitReferences, labelsOf } from "./fit.ts";
import type { Session } from "./session.ts";

/** Members of each class that are held against the mirror images. */
const MIRROR_SAMPLE = 24;

/** Two structures in one class gained a larger share than this when split, in every set for choosing. */
const TWO_STRUCTURES = 0.02;
/** A smaller half than this is no structure of its own but odd boxes. */
const FEWEST_SPLIT = 12;

/** Posterior and likelihood of boxes under references that they did not help to make. */
export interface Crossed {
  /** `[n, k]`. */
  readonly likelihood: Float64Array;
  /** `[n, k]`. */
  readonly posterior: Float32Array;
  /** `[n, k, 12]`. */
  readonly poses: Float32Array;
}

/** The last try at splitting a set of boxes. */
export interface SplitTried {
  readonly members: Int32Array;
  readonly gain: Gain;
  /** Boxes of the smaller half. */
  readonly fewest: number;
}

/** One column a figure, `[k]`; NaN where it cannot be known. */
export interface ClassJudgement {
  /** Share of a class's boxes that stay in it when references are made without them. */
  readonly stability: Float64Array;
  /** Mean posterior of the class over its boxes, under such references. */
  readonly confidence: Float64Array;
  /** Mean log-likelihood of its boxes against nothing, under such references, at the best pose: nats a box. */
  readonly likelihood: Float64Array;
  /** Slot of the class that explains its boxes next best. */
  readonly nearest: Float64Array;
  /** Share of that log-likelihood which its boxes lose there. Small: perhaps one structure. */
  readonly nearestLoss: Float64Array;
  /** Share of the log-likelihood that boxes left out gained, two standard errors allowed, when the class was last split in two. */
  readonly splitGain: Float64Array;
  /** The same with two standard errors added: what a second structure in it may hide at most. */
  readonly splitBound: Float64Array;
  /** 0: the beam meets the particles from all sides alike; 1: always along one line, as a class does that the missing wedge made. */
  readonly beamAlignment: Float64Array;
  /** Probability of such an alignment among particles that lie at random. */
  readonly beamChance: Float64Array;
  /** Slot of the class whose mirror image explains its boxes best; its own where it looks like its mirror image. */
  readonly mirror: Float64Array;
  /** Share of the log-likelihood which its boxes lose to that mirror image. */
  readonly mirrorLoss: Float64Array;
}

/** The figures of a refinement and of its classes. */
export async function judge(
  session: Session,
  fit: Fit,
  crossed: Crossed,
  tried: readonly SplitTried[],
  plan: FitPlan,
): Promise<{ classes: ClassJudgement; figures: Record<string, number> }> {
  const k = fit.volumes.length, own = labelsOf(fit.posterior, k), labels = labelsOf(crossed.posterior, k), n = labels.length;
  const empty = () => new Float64Array(k).fill(NaN);
  const classes = {
    stability: empty(),
    confidence: empty(),
    likelihood: empty(),
    nearest: empty(),
    nearestLoss: empty(),
    splitGain: empty(),
    splitBound: empty(),
    beamAlignment: empty(),
    beamChance: empty(),
    mirror: empty(),
    mirrorLoss: empty(),
  };
  let resolved = 0;
  const mirrored = await againstMirrors(session, fit, labels, plan);
  for (let j = 0; j < k; j++) {
    const rows = Array.from(labels.keys()).filter((i) => labels[i] === j);
    if (rows.length === 0) continue;
    const mean = (value: (i: number) => number) => rows.reduce((sum, i) => sum + value(i), 0) / rows.length;
    classes.stability[j] = mean((i) => own[i] === j ? 1 : 0);
    classes.confidence[j] = mean((i) => crossed.posterior[i * k + j]);
    const likelihood = classes.likelihood[j] = mean((i) => crossed.likelihood[i * k + j]);
    for (let other = 0; other < k; other++) {
      if (other === j) continue;
      const loss = 1 - mean((i) => crossed.likelihood[i * k + other]) / likelihood;
      if (!(loss >= classes.nearestLoss[j])) [classes.nearest[j], classes.nearestLoss[j]] = [other, loss];
    }
    [classes.beamAlignment[j], classes.beamChance[j]] = beamAlignment(rows.map((i) => crossed.poses.subarray(12 * (i * k + j))));
    [classes.mirror[j], classes.mirrorLoss[j]] = mirrored[j];
    const members = new Set(rows.map((i) => fit.members[i]));
    const last = tried.findLast(({ members: then }) => {
      const common = then.reduce((sum, i) => sum + (members.has(i) ? 1 : 0), 0);
      return common >= 0.8 * Math.max(then.length, members.size);
    });
    if (last && last.gain.single > 0) {
      const { mean, error, single } = last.gain;
      // Two errors below the mean: a gain that one more draw of boxes would hardly undercut.
      classes.splitGain[j] = last.fewest < FEWEST_SPLIT ? 0 : (mean - 2 * error) / single;
      classes.splitBound[j] = (mean + 2 * error) / single;
    }
    if (!(classes.splitBound[j] >= TWO_STRUCTURES)) resolved += rows.length / n;
  }
  let confidence = 0;
  for (let i = 0; i < n; i++) confidence += crossed.posterior[i * k + labels[i]] / n;
  return {
    classes,
    figures: {
      refineStability: k > 1 ? measureAgreement(tabulateConfusion(own, labels)).ari : 0,
      refineConfidence: k > 1 ? confidence : 0,
      refineResolved: resolved,
    },
  };
}

/**
 * How the beam (z of the box) lies in the frame of a class's particles: Bingham's statistic of uniformity.
 *
 * @param poses Rotations (9 numbers each) that carry the class's frame into the box's.
 * @returns Alignment 0..1 and the probability of more among lines drawn at random.
 * @see Mardia & Jupp 2000, Directional Statistics, 10.7.1 (S = 15 n / 2 (tr T^2 - 1/3), chi-squared with 5 degrees of freedom).
 */
export function beamAlignment(poses: readonly Float32Array[]): [number, number] {
  const n = poses.length, moments = new Float64Array(9);
  for (const pose of poses) {
    // The beam in the class's frame is the transpose's third column: the rotation's third row.
    for (let a = 0; a < 3; a++) for (let b = 0; b < 3; b++) moments[3 * a + b] += pose[6 + a] * pose[6 + b] / n;
  }
  const square = moments.reduce((sum, value) => sum + value * value, 0);
  const { values } = leadingEigenpairs(moments, 3, 1);
  return [Math.max(0, (values[0] - 1 / 3) * 1.5), chiSquaredTail5(7.5 * n * (square - 1 / 3))];
}

/** Probability that chi-squared with 5 degrees of freedom exceeds x. */
function chiSquaredTail5(x: number): number {
  if (!(x > 0)) return 1;
  return erfc(Math.sqrt(x / 2)) + Math.sqrt(2 * x / Math.PI) * Math.exp(-x / 2) * (1 + x / 3);
}

/** Complementary error function, relative error below 1.2e-7. @see Numerical Recipes, erfcc (Chebyshev fit). */
function erfc(x: number): number {
  const t = 1 / (1 + 0.5 * x);
  const terms = [
    -1.26551223,
    1.00002368,
    0.37409196,
    0.09678418,
    -0.18628806,
    0.27886807,
    -1.13520398,
    1.48851587,
    -0.82215223,
    0.17087277,
  ];
  return t * Math.exp(-x * x + terms.reduceRight((sum, term) => sum * t + term, 0));
}

/** For each class the class whose mirror image explains a sample of its boxes best, and what they lose to it. */
async function againstMirrors(session: Session, fit: Fit, labels: Int32Array, plan: FitPlan): Promise<[number, number][]> {
  const k = fit.volumes.length, counts = new Int32Array(k);
  const rows = Array.from(labels.keys()).filter((i) => counts[labels[i]]++ < MIRROR_SAMPLE);
  const before = session.offsets.slice();
  const mirrors = { ...fit, volumes: fit.volumes.map((volume) => mirrorVolume(volume, fit.kMax)) };
  const found = await fitReferences(session, Int32Array.from(rows, (i) => fit.members[i]), mirrors, { ...plan, rounds: 1 }, false);
  session.offsets.set(before);
  return Array.from({ length: k }, (_, j) => {
    const own = Array.from(rows.keys()).filter((r) => labels[rows[r]] === j);
    let best: [number, number] = [NaN, NaN];
    const mine = own.reduce((sum, r) => sum + fit.likelihood[rows[r] * k + j], 0);
    for (let other = 0; other < k; other++) {
      const loss = 1 - own.reduce((sum, r) => sum + found.likelihood[r * k + other], 0) / mine;
      if (own.length > 0 && !(loss >= best[1])) best = [other, loss];
    }
    return best;
  });
}

/** The volume seen in a mirror across x. */
export function mirrorVolume(volume: Float32Array, kMax: number): Float32Array {
  const side = paddedSide(kMax), out = new Float32Array(volume.length);
  for (let line = 0; line < side * side; line++) {
    for (let x = 1; x < side; x++) {
      const from = 2 * (line * side + side - x), to = 2 * (line * side + x);
      out[to] = volume[from];
      out[to + 1] = volume[from + 1];
    }
  }
  return out;
}
