/**
 * One reference or two? Decided by boxes that neither saw.
 * @module
 */
import { rotationSpacing } from "../../kernels/super_fibonacci.ts";
import { atLevel, classPosterior } from "./anneal.ts";
import { shiftCube } from "./centring.ts";
import { climbFit, type Fit, fitLabels, type FitPlan, labelsOf, mixtureLikelihood } from "./fit.ts";
import type { References, Session } from "./session.ts";

/** How much better two references explain held-out boxes than one. */
export interface Gain {
  /** Mean over held-out boxes of the log-likelihood ratio, nats a box. */
  readonly mean: number;
  /** Its standard error. */
  readonly error: number;
  /** Mean log-likelihood of the held-out boxes with one reference. */
  readonly single: number;
  /** Held-out boxes. */
  readonly count: number;
}

/** What a gain must exceed to mean two structures. */
export interface Threshold {
  /** In standard errors of the gain. */
  readonly errors: number;
  /** As a share of the log-likelihood of one reference: what a homogeneous class shows. */
  readonly share: number;
}

/** Whether a gain means two structures. */
export function isReal(gain: Gain, threshold: Threshold): boolean {
  return gain.mean > threshold.errors * gain.error && gain.mean > threshold.share * Math.max(gain.single, 0);
}

/** Gain of `two` over `one` [n], both over the same members. */
export function gainOf(session: Session, members: Int32Array, two: Float64Array, one: Float64Array): Gain {
  const held = Array.from(members.keys()).filter((i) => session.training[members[i]] === 0), n = held.length;
  if (n < 2) return { mean: 0, error: Infinity, single: 0, count: n };
  const differences = held.map((i) => two[i] - one[i]);
  const mean = differences.reduce((sum, d) => sum + d, 0) / n;
  const variance = differences.reduce((sum, d) => sum + (d - mean) ** 2, 0) / (n - 1);
  return { mean, error: Math.sqrt(variance / n), single: held.reduce((sum, i) => sum + one[i], 0) / n, count: n };
}

/** The gain over all boxes of gains that were judged by different boxes. */
export function poolGains(gains: readonly Gain[]): Gain {
  const judged = gains.filter(({ count }) => count > 1), count = judged.reduce((sum, gain) => sum + gain.count, 0);
  if (count < 2) return gains[0];
  const mean = judged.reduce((sum, gain) => sum + gain.count * gain.mean, 0) / count;
  // Sums of squares about the common mean.
  const square = judged.reduce(
    (sum, gain) => sum + gain.error ** 2 * gain.count * (gain.count - 1) + gain.count * (gain.mean - mean) ** 2,
    0,
  );
  const single = judged.reduce((sum, gain) => sum + gain.count * gain.single, 0) / count;
  return { mean, error: Math.sqrt(square / (count - 1) / count), single, count };
}

/** A gain that more judges may yet show to be real: enough of it, but in doubt. */
export function isOpen(gain: Gain, threshold: Threshold): boolean {
  return !isReal(gain, threshold) && gain.mean > threshold.errors / 3 * gain.error &&
    gain.mean > threshold.share * Math.max(gain.single, 0);
}

/** A try at splitting a class. */
export interface Split {
  readonly gain: Gain;
  readonly fit: Fit;
}

/**
 * Fits two references to the members of one class and says what that gains over `one` [n], their log-likelihood with the class's own.
 * Two starts are tried: random halves, and the worst-explained quarter against the rest (which finds few strangers among many).
 */
export async function trySplit(session: Session, members: Int32Array, one: Float64Array, plan: FitPlan, key: string): Promise<Split> {
  const before = session.offsets.slice();
  const random = session.random("split", key);
  const order = Array.from(members.keys()).sort((a, b) => one[a] - one[b] || a - b);
  const worst = new Set(order.slice(0, Math.ceil(members.length / 4)));
  const starts = [Int32Array.from(members, () => random.integer(2)), Int32Array.from(members, (_, i) => worst.has(i) ? 1 : 0)];
  let best: Split | null = null;
  for (const [turn, labels] of starts.entries()) {
    members.forEach((i) => session.offsets.set(before.subarray(3 * i, 3 * i + 3), 3 * i));
    const fit = await fitLabels(session, members, labels, 2, plan, `${key}.${turn}`, false);
    const gain = gainOf(session, members, mixtureLikelihood(fit), one);
    if (!best || gain.mean > best.gain.mean) best = { gain, fit };
  }
  members.forEach((i) => session.offsets.set(before.subarray(3 * i, 3 * i + 3), 3 * i));
  return best!;
}

/** Parts of a class that take turns being held out while a split stays in doubt; the session's own held-out boxes are the first. */
const TURNS = 4;

/**
 * Tries the split again with other boxes held out, until the gain over all that judged is real, or hopeless, or every box has judged. One
 * quarter of a small class judges with too large an error; its other boxes can judge too, if references are made without them.
 * @param poses `[n, 12]` of the members in the class. @returns The first try with the gain of all.
 */
export async function settleSplit(
  session: Session,
  members: Int32Array,
  poses: Float32Array,
  kMax: number,
  first: Split,
  threshold: Threshold,
  plan: FitPlan,
  key: string,
): Promise<Split> {
  const before = Uint8Array.from(members, (i) => session.training[i]), offsets = session.offsets.slice();
  const others = Array.from(members.keys()).filter((i) => before[i] === 1);
  const turns = session.random("turns", key).permutation(others.length).map((rank) => 1 + rank % (TURNS - 1));
  const gains = [first.gain];
  for (let turn = 1; turn < TURNS && isOpen(poolGains(gains), threshold); turn++) {
    members.forEach((i) => session.training[i] = 1);
    others.forEach((i, rank) => session.training[members[i]] = turns[rank] === turn ? 0 : 1);
    const everyone = Float32Array.from(members, (i) => session.training[i]);
    const volumes = await session.solvePoses(members, everyone, poses, 1, kMax);
    const start = { poses, likelihood: new Float64Array(members.length), angle: 0.05 };
    const one = await climbFit(session, members, { kMax, volumes, weights: Float64Array.of(1) }, start, 2, false);
    members.forEach((i) => session.offsets.set(offsets.subarray(3 * i, 3 * i + 3), 3 * i));
    gains.push((await trySplit(session, members, one.likelihood, plan, `${key}.${turn}`)).gain);
  }
  members.forEach((i, j) => session.training[i] = before[j]);
  return { ...first, gain: poolGains(gains) };
}

/**
 * What splitting gains in a class that is certainly one structure: boxes are made from one of the fit's references at the poses found, with
 * the wedges and the noise of the data, and the class is split as the others are. Whatever that gains, the method gains by itself.
 */
export async function nullGain(session: Session, fit: Fit, plan: FitPlan, rounds: number, turn: number): Promise<Gain> {
  const k = fit.volumes.length, labels = labelsOf(fit.posterior, k), counts = new Int32Array(k);
  labels.forEach((label) => counts[label]++);
  const largest = counts.indexOf(Math.max(...counts));
  const rows = Array.from(labels.keys()).filter((i) => labels[i] === largest).slice(0, MOST_SYNTHETIC);
  const members = Int32Array.from(rows, (i) => fit.members[i]), poses = new Float32Array(12 * rows.length);
  rows.forEach((i, r) => poses.set(fit.poses.subarray(12 * (i * k + largest), 12 * (i * k + largest + 1)), 12 * r));
  const synthetic = await session.synthetic(members, poses, fit.volumes[largest], fit.kMax);
  const all = Int32Array.from({ length: rows.length }, (_, i) => i);
  const volumes = await synthetic.solvePoses(all, Float32Array.from(synthetic.training), poses, 1, fit.kMax);
  const start = { kMax: fit.kMax, volumes, weights: Float64Array.of(1) };
  const first = { poses, likelihood: new Float64Array(rows.length), angle: turn };
  const one = await climbFit(synthetic, all, start, first, rounds, false);
  return (await trySplit(synthetic, all, one.likelihood, plan, "null")).gain;
}

/** Boxes of the class that calibrates. */
const MOST_SYNTHETIC = 400;

/** What classes a and b of a fit gain over one reference for both, which starts in the frame of the larger. */
export async function pairGain(
  session: Session,
  fit: Fit,
  a: number,
  b: number,
  rounds: number,
  spacing: number,
): Promise<{ gain: Gain; fit: Fit }> {
  const k = fit.volumes.length, labels = labelsOf(fit.posterior, k);
  const rows = Array.from(labels.keys()).filter((i) => labels[i] === a || labels[i] === b);
  const count = (j: number) => rows.filter((i) => labels[i] === j).length;
  const frame = count(a) >= count(b) ? a : b;
  const members = Int32Array.from(rows, (i) => fit.members[i]);
  const poses = new Float32Array(12 * rows.length);
  rows.forEach((i, r) => poses.set(fit.poses.subarray(12 * (i * k + frame), 12 * (i * k + frame + 1)), 12 * r));
  const start = { poses, likelihood: new Float64Array(rows.length), angle: spacing };
  const everyone = Float32Array.from(members, (i) => session.training[i]);
  const volumes = await session.solvePoses(members, everyone, poses, 1, fit.kMax);
  const before = session.offsets.slice();
  const one = await climbFit(session, members, { kMax: fit.kMax, volumes, weights: Float64Array.of(1) }, start, rounds, false);
  session.offsets.set(before);
  const both = mixtureLikelihood(fit, [a, b]);
  return { gain: gainOf(session, members, Float64Array.from(rows, (i) => both[i]), one.likelihood), fit: one };
}

/** Half the spacing of a grid of rotations: where a climb begins. */
export function firstTurn(rotations: number): number {
  return rotationSpacing(rotations) / 2;
}

/**
 * Posterior of every box under references that it did not help to make: each quarter of the members is judged by the other three.
 * Without it a box votes for itself, the more so the smaller its class.
 */
export async function crossFit(
  session: Session,
  fit: Fit,
  folds: number,
): Promise<{ likelihood: Float64Array; posterior: Float32Array; poses: Float32Array }> {
  const { members } = fit, k = fit.volumes.length, n = members.length;
  const fold = session.random("folds").permutation(n).map((rank) => rank % folds);
  const likelihood = new Float64Array(n * k), poses = fit.poses.slice();
  const climb = { angle: 0.05, rounds: 2, reachVoxels: session.set.boxVoxels / 64 };
  await Promise.all(Array.from({ length: folds }, async (_, f) => {
    const weights = fit.posterior.map((p, i) => fold[Math.floor(i / k)] === f ? 0 : p);
    const volumes = await session.solvePoses(members, weights, fit.poses, k, fit.kMax);
    const rows = Array.from(fold.keys()).filter((i) => fold[i] === f);
    const own = new Float32Array(12 * k * rows.length), before = new Float64Array(k * rows.length);
    rows.forEach((i, r) => {
      own.set(fit.poses.subarray(12 * k * i, 12 * k * (i + 1)), 12 * k * r);
      before.set(fit.likelihood.subarray(k * i, k * (i + 1)), k * r);
    });
    const climbed = await session.climb(
      Int32Array.from(rows, (i) => members[i]),
      { ...fit, volumes },
      own,
      before,
      climb,
      new Uint8Array(rows.length),
    );
    rows.forEach((i, r) => {
      likelihood.set(climbed.likelihood.subarray(k * r, k * (r + 1)), k * i);
      poses.set(climbed.poses.subarray(12 * k * r, 12 * k * (r + 1)), 12 * k * i);
    });
  }));
  return { likelihood, posterior: classPosterior(likelihood, fit.weights), poses };
}

/** Boxes whose evidence is taken. */
const MOST_JUDGES = 128;
/** Level of the evidence: coarse, because every rotation is combined with every shift. */
const EVIDENCE = { kMax: 4, rotations: 576 };
/** Shifts of the evidence, as a share of the box: an eighth of the box either way along each axis. */
const EVIDENCE_STEP = 1 / 16;

/**
 * Mean log evidence of boxes against an empty reference, nats a box, with its standard error.
 *
 * It is a mean over all rotations and all shifts about the box's centre, fixed before the box is looked at, of the likelihood under references
 * that the box did not help to make: for noise its expectation is below 0 whatever the references, however well noise can be aligned.
 * @param members Boxes that made no reference of the fit.
 */
export async function evidenceOf(session: Session, members: Int32Array, fit: References): Promise<{ mean: number; error: number }> {
  const judges = members.slice(0, MOST_JUDGES), n = judges.length, k = fit.volumes.length;
  if (n < 2) return { mean: 0, error: Infinity };
  const level = { ...EVIDENCE, kMax: Math.min(EVIDENCE.kMax, session.kMax) };
  const shifts = shiftCube(EVIDENCE_STEP * session.set.boxVoxels, 2), centre = new Float32Array(3 * session.count);
  const { evidence } = await session.grid(judges, atLevel(fit, level.kMax), level, 1, shifts, false, centre);
  const values = Array.from({ length: n }, (_, i) => {
    const own = Array.from(fit.weights, (weight, j) => evidence[i * k + j] + Math.log(weight)), top = Math.max(...own);
    return top + Math.log(own.reduce((sum, value) => sum + Math.exp(value - top), 0));
  });
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  return { mean, error: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1) / n) };
}
