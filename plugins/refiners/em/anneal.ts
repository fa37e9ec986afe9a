/**
 * Annealed expectation-maximisation on a grid of poses: from labels to references.
 *
 * The posterior is tempered so that its entropy follows a schedule, whatever the noise: a schedule of temperatures would have to be tuned to
 * the signal-to-noise ratio, one of entropies does not.
 * @module
 */
import type { GridOutcome } from "../../kernels/alignment/expectation.ts";
import { adoptVolume } from "../../kernels/alignment/volume.ts";
import { wedgeCount } from "../../kernels/alignment/box_set.ts";
import type { Level, References, Session } from "./session.ts";

/** A few iterations of one kind. */
export interface Stage extends Level {
  /** Entropy of the pose posterior to aim at, as a share of the largest possible; 0 leaves the posterior as it is. */
  readonly entropy: number;
  /** Labels are held. */
  readonly fixed: boolean;
  readonly iterations: number;
  /** Step of the shift stencil as a share of the box. */
  readonly shift: number;
}

/** The centre and one step either way along each axis, `[7, 3]`. */
export function stencil(step: number): Float32Array {
  const out = new Float32Array(21);
  for (let axis = 0; axis < 3; axis++) {
    out[3 * (1 + 2 * axis) + axis] = step;
    out[3 * (2 + 2 * axis) + axis] = -step;
  }
  return out;
}

/** First references: each class's boxes at random rotations, which gives blobs that the first iterations break up. */
export async function seedReferences(
  session: Session,
  members: Int32Array,
  labels: Int32Array,
  k: number,
  level: Level,
  key: string,
): Promise<References> {
  const random = session.random("seed references", key), rotations = session.rotationsOf(level), n = members.length;
  const poses = new Float32Array(12 * n * k), posterior = new Float32Array(n * k), counts = new Float64Array(k);
  for (let i = 0; i < n; i++) {
    const r = random.integer(level.rotations);
    for (let j = 0; j < k; j++) {
      poses.set(rotations.subarray(9 * r, 9 * r + 9), 12 * (i * k + j));
      poses.set(session.offsets.subarray(3 * members[i], 3 * members[i] + 3), 12 * (i * k + j) + 9);
    }
    posterior[i * k + labels[i]] = 1;
    counts[labels[i]]++;
  }
  const volumes = await session.solvePoses(members, posterior, poses, k, level.kMax);
  return { kMax: level.kMax, volumes, weights: counts.map((count) => (count + 1) / (n + k)) };
}

/**
 * Runs the stages on `members`, whose labels `[n]` count where a stage holds them. Moves the session's offsets of the members; with
 * `learnNoise` the session's noise follows what free stages leave unexplained.
 */
export async function anneal(
  session: Session,
  members: Int32Array,
  labels: Int32Array,
  start: References,
  stages: readonly Stage[],
  learnNoise: boolean,
): Promise<References> {
  let references = start;
  const k = start.volumes.length;
  for (const stage of stages) {
    references = atLevel(references, stage.kMax);
    const shifts = stencil(stage.shift * session.set.boxVoxels);
    const entropy = stage.entropy * Math.log(stage.rotations * shifts.length / 3);
    for (let turn = 0; turn < stage.iterations; turn++) {
      session.signal.throwIfAborted();
      const beta = entropy > 0 ? await session.temperature(members, references, stage, shifts, entropy) : 1;
      const outcome = stage.fixed
        ? await fixedStep(session, members, labels, references, stage, beta, shifts)
        : await session.grid(members, references, stage, beta, shifts, true);
      members.forEach((i, j) => session.offsets.set(outcome.meanOffset.subarray(3 * j, 3 * j + 3), 3 * i));
      const volumes = await session.solve(outcome, k, stage);
      if (learnNoise && !stage.fixed) session.updateNoise(members, outcome.residual, stage.kMax);
      const weights = stage.fixed ? references.weights : shares(classPosterior(outcome.evidence, references.weights), k);
      references = { kMax: stage.kMax, volumes, weights };
    }
  }
  return references;
}

/** The same references on the grid of another level. */
export function atLevel(references: References, kMax: number): References {
  if (references.kMax === kMax) return references;
  return { ...references, kMax, volumes: references.volumes.map((volume) => adoptVolume(volume, references.kMax, kMax)) };
}

/** `[n, k]` posterior of classes from log-likelihoods `[n, k]` and shares `[k]`. */
export function classPosterior(likelihood: Float64Array, weights: Float64Array): Float32Array {
  const k = weights.length, n = likelihood.length / k, out = new Float32Array(n * k);
  for (let i = 0; i < n; i++) {
    let top = -Infinity, total = 0;
    for (let j = 0; j < k; j++) top = Math.max(top, likelihood[i * k + j] + Math.log(weights[j]));
    for (let j = 0; j < k; j++) total += out[i * k + j] = Math.exp(likelihood[i * k + j] + Math.log(weights[j]) - top);
    for (let j = 0; j < k; j++) out[i * k + j] /= total;
  }
  return out;
}

/** `[k]` mean of a posterior `[n, k]`, never 0. */
export function shares(posterior: Float32Array, k: number): Float64Array {
  const out = new Float64Array(k), n = posterior.length / k;
  posterior.forEach((p, i) => out[i % k] += p / n);
  return out.map((share) => Math.max(share, 1e-6));
}

/** An expectation step in which every box knows its class: one step a class with only its boxes. */
async function fixedStep(
  session: Session,
  members: Int32Array,
  labels: Int32Array,
  references: References,
  level: Level,
  beta: number,
  shifts: Float32Array,
): Promise<GridOutcome> {
  const k = references.volumes.length, n = members.length, C = session.set.order.upTo[level.kMax], R = level.rotations;
  const groups = wedgeCount(session.set);
  const sums = new Float32Array(2 * k * R * C), mass = new Float32Array(groups * k * R), meanOffset = new Float32Array(3 * n);
  await Promise.all(references.volumes.map(async (volume, j) => {
    const rows = Array.from(labels.keys()).filter((i) => labels[i] === j);
    if (rows.length === 0) return;
    const own = { kMax: level.kMax, volumes: [volume], weights: Float64Array.of(1) };
    const one = await session.grid(Int32Array.from(rows, (i) => members[i]), own, level, beta, shifts, true);
    sums.set(one.sums, 2 * j * R * C);
    for (let g = 0; g < groups; g++) mass.set(one.mass.subarray(g * R, (g + 1) * R), (g * k + j) * R);
    rows.forEach((i, r) => meanOffset.set(one.meanOffset.subarray(3 * r, 3 * r + 3), 3 * i));
  }));
  const nothing = new Float32Array(0);
  return {
    sums,
    mass,
    meanOffset,
    residual: new Float64Array(C),
    evidence: new Float64Array(0),
    best: nothing,
    bestRotation: new Int32Array(0),
    bestOffset: nothing,
  };
}
