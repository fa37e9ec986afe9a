/**
 * Finds the number of classes: splits and merges until held-out boxes ask for no more.
 * @module
 */
import { centreOnBlob } from "./centring.ts";
import { firstTurn, type Gain, isReal, nullGain, pairGain, settleSplit, type Threshold, trySplit } from "./compare.ts";
import { type Fit, fitLabels, type FitPlan, fitReferences, labelsOf, mixtureLikelihood } from "./fit.ts";
import type { SplitTried } from "./judge.ts";
import type { References, Session } from "./session.ts";

/** How the search goes. */
export interface SearchPlan {
  readonly fit: FitPlan;
  readonly split: FitPlan;
  readonly threshold: Threshold;
  /** Rounds of splitting and merging at most. */
  readonly maximumRounds: number;
  readonly maximumClasses: number;
  /** Classes with fewer boxes are dissolved. */
  readonly leastMembers: number;
  readonly merge: boolean;
}

/** One row of the trace. */
export type TraceRow = Record<string, number | string>;

/** A change of class needs this share of new members before it is tried again. */
const CHANGED = 0.15;
/** A pair is compared when boxes of one lose less than this share of their log-likelihood, or so many nats, in the other. */
const NEAR_SHARE = 0.35;
const NEAR_NATS = 20;

/** Starts from labels `[n]` and searches. */
export async function searchClasses(
  session: Session,
  members: Int32Array,
  labels: Int32Array,
  k: number,
  plan: SearchPlan,
  report: (row: TraceRow) => void,
): Promise<{ fit: Fit; tried: readonly SplitTried[] }> {
  await centreOnBlob(session);
  let fit = await fitLabels(session, members, labels, k, plan.fit, "start", true);
  const first = fit;
  report(row(session, fit, 0, "start", ""));
  const tried: SplitTried[] = [];
  if (plan.maximumRounds === 0) return { fit, tried };
  const nothing = await nullGain(session, fit, plan.split, plan.fit.rounds, firstTurn(plan.fit.search.rotations));
  const calibrated = { ...plan, threshold: calibrate(plan.threshold, nothing) };
  report(row(session, fit, 0, "calibrate", `one structure split in two: ${describe(nothing)}`));
  for (let round = 1; round <= plan.maximumRounds; round++) {
    session.signal.throwIfAborted();
    const merged = plan.merge
      ? await mergeClasses(session, fit, calibrated, (after, text) => report(row(session, after, round, "merge", text)))
      : fit;
    const changed = merged !== fit;
    fit = merged;
    const { references, text, accepted } = await splitClasses(session, fit, calibrated, round, tried);
    if (accepted) fit = await fitReferences(session, members, references, plan.fit, true);
    report(row(session, fit, round, "split", text));
    if (!accepted && !changed) break;
  }
  // Merges may cost a little; a search that lost more than a split must gain has gone astray.
  const before = heldOutMean(session, first), lost = before - heldOutMean(session, fit);
  if (lost > calibrated.threshold.share * Math.abs(before)) {
    report(row(session, first, plan.maximumRounds, "return", `${lost.toFixed(2)} nats lost: the fit to the start's labels stays`));
    fit = first;
  }
  return { fit, tried };
}

/** A threshold that a class of one structure, split, stays well below: twice its share, with the doubt about it. */
export function calibrate(threshold: Threshold, nothing: Gain): Threshold {
  if (!(nothing.single > 0) || !Number.isFinite(nothing.error)) return threshold;
  return { ...threshold, share: Math.max(threshold.share, 2 * (nothing.mean + nothing.error) / nothing.single) };
}

/** Tries to split every class that has changed since it was last tried. */
async function splitClasses(
  session: Session,
  fit: Fit,
  plan: SearchPlan,
  round: number,
  tried: SplitTried[],
): Promise<{ references: References; text: string; accepted: number }> {
  const k = fit.volumes.length, labels = labelsOf(fit.posterior, k);
  const results = await Promise.all(fit.volumes.map(async (_, j) => {
    const rows = Array.from(labels.keys()).filter((i) => labels[i] === j);
    const members = Int32Array.from(rows, (i) => fit.members[i]);
    if (members.length < 2 * plan.leastMembers || wasTried(tried, members)) return null;
    const one = Float64Array.from(rows, (i) => fit.likelihood[i * k + j]);
    const key = `${round}.${j}`, first = await trySplit(session, members, one, plan.split, key);
    if (smallest(first.fit) < plan.leastMembers) return { split: first, members };
    const poses = new Float32Array(12 * rows.length);
    rows.forEach((i, r) => poses.set(fit.poses.subarray(12 * (i * k + j), 12 * (i * k + j + 1)), 12 * r));
    return { split: await settleSplit(session, members, poses, fit.kMax, first, plan.threshold, plan.split, key), members };
  }));
  const volumes: Float32Array[] = [], weights: number[] = [], words: string[] = [];
  let accepted = 0;
  results.forEach((result, j) => {
    const room = k + accepted < plan.maximumClasses;
    if (result && room && isReal(result.split.gain, plan.threshold) && smallest(result.split.fit) >= plan.leastMembers) {
      accepted++;
      result.split.fit.volumes.forEach((volume, half) => {
        volumes.push(volume);
        weights.push(fit.weights[j] * result.split.fit.weights[half]);
      });
    } else {
      if (result) tried.push({ members: result.members, gain: result.split.gain, fewest: smallest(result.split.fit) });
      volumes.push(fit.volumes[j]);
      weights.push(fit.weights[j]);
    }
    if (result) words.push(`${j}: ${describe(result.split.gain)}`);
  });
  return { references: { kMax: fit.kMax, volumes, weights: Float64Array.from(weights) }, text: words.join("; "), accepted };
}

function wasTried(tried: readonly SplitTried[], members: Int32Array): boolean {
  const now = new Set(members);
  for (const { members: before } of tried) {
    const common = before.reduce((sum, i) => sum + (now.has(i) ? 1 : 0), 0);
    if (common >= (1 - CHANGED) * Math.max(before.length, members.length)) return true;
  }
  return false;
}

/** Members of the smaller half of a split. */
function smallest(fit: Fit): number {
  const labels = labelsOf(fit.posterior, 2), ones = labels.reduce((sum, label) => sum + label, 0);
  return Math.min(ones, labels.length - ones);
}

/** Dissolves small classes, then merges the pairs whose second reference gains nothing. Returns the same fit when nothing changed. */
async function mergeClasses(session: Session, fit: Fit, plan: SearchPlan, report: (after: Fit, text: string) => void): Promise<Fit> {
  let current = fit;
  for (;;) {
    const k = current.volumes.length, labels = labelsOf(current.posterior, k);
    const counts = new Int32Array(k);
    labels.forEach((label) => counts[label]++);
    const small = counts.findIndex((count) => count < plan.leastMembers);
    if (k > 1 && small >= 0) {
      current = without(current, [small]);
      report(current, `class ${small} dissolved: ${counts[small]} boxes`);
      continue;
    }
    let merged = false;
    for (const [a, b] of nearPairs(current, labels)) {
      const { gain, fit: one } = await pairGain(session, current, a, b, 2, firstTurn(plan.fit.search.rotations));
      if (isReal(gain, plan.threshold)) continue;
      const volumes = current.volumes.filter((_, j) => j !== a && j !== b).concat(one.volumes);
      const weights = [...current.weights].filter((_, j) => j !== a && j !== b).concat(current.weights[a] + current.weights[b]);
      current = await fitReferences(
        session,
        current.members,
        { kMax: one.kMax, volumes, weights: Float64Array.from(weights) },
        plan.fit,
        true,
      );
      report(current, `classes ${a} and ${b} merged: ${describe(gain)}`);
      merged = true;
      break;
    }
    if (!merged) return current;
  }
}

/** Pairs of classes whose boxes fit the other nearly as well, nearest first. */
function nearPairs(fit: Fit, labels: Int32Array): [number, number][] {
  const k = fit.volumes.length, own = new Float64Array(k), gap = new Float64Array(k * k), counts = new Float64Array(k);
  labels.forEach((label, i) => {
    counts[label]++;
    own[label] += fit.likelihood[i * k + label];
    for (let j = 0; j < k; j++) gap[label * k + j] += fit.likelihood[i * k + label] - fit.likelihood[i * k + j];
  });
  const pairs: { pair: [number, number]; distance: number }[] = [];
  for (let a = 0; a < k; a++) {
    for (let b = a + 1; b < k; b++) {
      const distance = Math.min(gap[a * k + b] / own[a], gap[b * k + a] / own[b]);
      const nats = Math.min(gap[a * k + b] / counts[a], gap[b * k + a] / counts[b]);
      if (distance < NEAR_SHARE || nats < NEAR_NATS) pairs.push({ pair: [a, b], distance });
    }
  }
  return pairs.sort((x, y) => x.distance - y.distance).map(({ pair }) => pair);
}

/** A fit without some classes. */
function without(fit: Fit, dropped: readonly number[]): Fit {
  const k = fit.volumes.length, kept = fit.volumes.map((_, j) => j).filter((j) => !dropped.includes(j)), n = fit.members.length;
  const poses = new Float32Array(12 * n * kept.length),
    likelihood = new Float64Array(n * kept.length),
    posterior = new Float32Array(n * kept.length);
  const total = kept.reduce((sum, j) => sum + fit.weights[j], 0);
  for (let i = 0; i < n; i++) {
    let sum = 0;
    kept.forEach((j, r) => {
      poses.set(fit.poses.subarray(12 * (i * k + j), 12 * (i * k + j + 1)), 12 * (i * kept.length + r));
      likelihood[i * kept.length + r] = fit.likelihood[i * k + j];
      sum += posterior[i * kept.length + r] = Math.max(fit.posterior[i * k + j], 1e-30);
    });
    for (let r = 0; r < kept.length; r++) posterior[i * kept.length + r] /= sum;
  }
  return {
    ...fit,
    volumes: kept.map((j) => fit.volumes[j]),
    weights: Float64Array.from(kept, (j) => fit.weights[j] / total),
    poses,
    likelihood,
    posterior,
  };
}

function describe(gain: Gain): string {
  return `${gain.mean.toFixed(2)} +- ${gain.error.toFixed(2)} nats of ${gain.single.toFixed(1)} (${gain.count})`;
}

/** Mean log-likelihood of the boxes that only judge. */
function heldOutMean(session: Session, fit: Fit): number {
  return Number(row(session, fit, 0, "", "").heldOutLogLikelihood);
}

function row(session: Session, fit: Fit, round: number, step: string, text: string): TraceRow {
  const likelihood = mixtureLikelihood(fit), sums = [0, 0], counts = [0, 0];
  likelihood.forEach((value, i) => {
    const judge = session.training[fit.members[i]] ? 0 : 1;
    sums[judge] += value;
    counts[judge]++;
  });
  return {
    round,
    step,
    k: fit.volumes.length,
    logLikelihood: sums[0] / Math.max(1, counts[0]),
    heldOutLogLikelihood: counts[1] ? sums[1] / counts[1] : 0,
    decided: text,
  };
}
