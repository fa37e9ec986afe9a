/**
 * A fit: k references of some boxes, with one continuous pose a box and class, and how well each box is explained.
 * @module
 */
import { rotationSpacing } from "../../kernels/super_fibonacci.ts";
import { anneal, atLevel, classPosterior, seedReferences, shares, type Stage, stencil } from "./anneal.ts";
import { shiftVolume } from "../../kernels/alignment/volume.ts";
import { centreOnReferences, centresOf, movePoses } from "./centring.ts";
import type { Level, References, Session } from "./session.ts";

/** References with a pose and a likelihood for each member in each class. */
export interface Fit extends References {
  readonly members: Int32Array;
  /** `[n, k, 12]` rotation and shift. */
  readonly poses: Float32Array;
  /** `[n, k]` log-likelihood against an empty reference, at the pose. */
  readonly likelihood: Float64Array;
  /** `[n, k]`. */
  readonly posterior: Float32Array;
}

/** How fits are made. */
export interface FitPlan {
  readonly stages: readonly Stage[];
  /** Level of the last grid step, which finds the poses. */
  readonly search: Level;
  /** Level of the climb. */
  readonly kMax: number;
  /** Rounds of climbing and averaging. */
  readonly rounds: number;
}

/** Smallest turn that a climb begins with, radians. */
const LEAST_TURN = 0.03;
/** With fewer outsiders all members judge the noise. */
const FEWEST_JUDGES = 20;
/** Longest step of a shift in a climb, as a share of the box. */
const REACH = 1 / 64;
/** A reference that lies farther from its origin, as a share of the box, has drifted. */
const DRIFT = 0.02;
/** Step of the stencil of the last grid search, as a share of the box. */
const SEARCH_STEP = 1 / 48;

/**
 * Fits k classes from labels `[n]`. The session's offsets of the members move. A `first` fit also learns the session's noise, and finds where
 * the particles of boxes lie that make no references.
 */
export async function fitLabels(
  session: Session,
  members: Int32Array,
  labels: Int32Array,
  k: number,
  plan: FitPlan,
  key: string,
  first: boolean,
): Promise<Fit> {
  const training = session.trainingOf(members);
  const own = Int32Array.from(Array.from(members.keys()).filter((i) => session.training[members[i]] === 1), (i) => labels[i]);
  const seeds = await seedReferences(session, training, own, k, plan.stages[0], key);
  const references = await anneal(session, training, own, seeds, plan.stages, first);
  if (first) await centreOnReferences(session, members.filter((i) => session.training[i] === 0), references);
  return fitReferences(session, members, references, plan, first);
}

/** Fits from references: poses by a grid step over all members, then rounds of climbing and averaging. */
export async function fitReferences(
  session: Session,
  members: Int32Array,
  start: References,
  plan: FitPlan,
  learnNoise: boolean,
): Promise<Fit> {
  const b = session.set.boxVoxels,
    shifts = stencil(SEARCH_STEP * b),
    rotations = session.rotationsOf(plan.search),
    k = start.volumes.length;
  let references = start;
  for (let turn = 0;; turn++) {
    const { best, bestRotation, bestOffset } = await session.grid(
      members,
      atLevel(references, plan.search.kMax),
      plan.search,
      1,
      shifts,
      false,
    );
    const poses = new Float32Array(12 * members.length * k);
    bestRotation.forEach((r, i) => {
      poses.set(rotations.subarray(9 * r, 9 * r + 9), 12 * i);
      poses.set(bestOffset.subarray(3 * i, 3 * i + 3), 12 * i + 9);
    });
    const centres = centresOf(references, b);
    if (turn > 0 || Math.max(...centres.map((centre) => Math.hypot(...centre))) < DRIFT * b) {
      const first = { poses, likelihood: Float64Array.from(best), angle: rotationSpacing(plan.search.rotations) / 2 };
      return climbFit(session, members, atLevel(references, plan.kMax), first, plan.rounds, learnNoise);
    }
    // The stencil about a box's offset reaches no reference that has drifted elsewhere: move all origins to the mass, and look again.
    movePoses(poses, centres);
    adoptOffsets(session, members, poses, classPosterior(Float64Array.from(best), references.weights), k);
    references = { ...references, volumes: references.volumes.map((volume, j) => shiftVolume(volume, references.kMax, centres[j], b)) };
  }
}

/** Takes each box's offset from its pose in its most probable class. */
function adoptOffsets(session: Session, members: Int32Array, poses: Float32Array, posterior: Float32Array, k: number): void {
  labelsOf(posterior, k).forEach((j, i) => {
    session.offsets.set(poses.subarray(12 * (i * k + j) + 9, 12 * (i * k + j) + 12), 3 * members[i]);
  });
}

/** Where a climb begins. */
export interface FirstPoses {
  /** `[n, k, 12]`. */
  readonly poses: Float32Array;
  /** `[n, k]` log-likelihood there, as far as it is known: equal values leave no class out. */
  readonly likelihood: Float64Array;
  /** First turn tried, radians. */
  readonly angle: number;
}

/** Rounds of climbing and averaging from given poses; the last round only climbs. The session's offsets follow. */
export async function climbFit(
  session: Session,
  members: Int32Array,
  start: References,
  first: FirstPoses,
  rounds: number,
  learnNoise: boolean,
): Promise<Fit> {
  const k = start.volumes.length, reach = REACH * session.set.boxVoxels;
  let references = start, { poses, likelihood, angle } = first;
  // Boxes that made the references explain away their own noise: those that did not are better judges of it.
  const outsiders = members.filter((i) => session.training[i] === 0);
  const judges = outsiders.length >= FEWEST_JUDGES ? outsiders : members;
  const flags = Uint8Array.from(members, (i) => judges === members || session.training[i] === 0 ? 1 : 0);
  for (let round = 0;; round++) {
    session.signal.throwIfAborted();
    const climb = { angle, rounds: round === 0 ? 4 : 3, reachVoxels: reach };
    const climbed = await session.climb(members, references, poses, likelihood, climb, flags);
    ({ poses, likelihood } = climbed);
    const posterior = classPosterior(likelihood, references.weights);
    if (round + 1 >= rounds) {
      adoptOffsets(session, members, poses, posterior, k);
      return { ...references, members, poses, likelihood, posterior };
    }
    if (learnNoise) session.updateNoise(judges, climbed.residual, references.kMax);
    // Origins that mean the same in all classes: where a particle lies in its box must not depend on its class.
    movePoses(poses, centresOf(references, session.set.boxVoxels));
    references = {
      kMax: references.kMax,
      volumes: await session.solvePoses(members, trainingOnly(session, members, posterior, k), poses, k, references.kMax),
      weights: shares(posterior, k),
    };
    angle = Math.max(angle / 2, LEAST_TURN);
  }
}

/** The posterior with nothing for the boxes that only judge. */
export function trainingOnly(session: Session, members: Int32Array, posterior: Float32Array, k: number): Float32Array {
  return posterior.map((p, i) => session.training[members[Math.floor(i / k)]] ? p : 0);
}

/** `[n]` most probable class. */
export function labelsOf(posterior: Float32Array, k: number): Int32Array {
  return Int32Array.from({ length: posterior.length / k }, (_, i) => {
    let best = 0;
    for (let j = 1; j < k; j++) if (posterior[i * k + j] > posterior[i * k + best]) best = j;
    return best;
  });
}

/** `[n]` log-likelihood of each member under the mixture of the classes in `among` (default: all). */
export function mixtureLikelihood(fit: Fit, among: readonly number[] = fit.volumes.map((_, k) => k)): Float64Array {
  const k = fit.volumes.length, total = among.reduce((sum, j) => sum + fit.weights[j], 0);
  return Float64Array.from({ length: fit.members.length }, (_, i) => {
    const values = among.map((j) => fit.likelihood[i * k + j] + Math.log(fit.weights[j] / total));
    const top = Math.max(...values);
    return top + Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0));
  });
}
