/**
 * One class aligned and averaged, with two half averages that were refined apart.
 * @module
 */
import type { BoxStore, Pool } from "../../../streams/contract.ts";
import { centreOfMass, volumeToBox } from "../../kernels/alignment/average.ts";
import { paddedSide } from "../../kernels/alignment/volume.ts";
import { centreOnBlob, centreOnReferences } from "../../refiners/em/centring.ts";
import { evidenceOf } from "../../refiners/em/compare.ts";
import { climbFit, type Fit, fitLabels, type FitPlan, fitReferences } from "../../refiners/em/fit.ts";
import { movePoses } from "../../refiners/em/centring.ts";
import { type References, Session } from "../../refiners/em/session.ts";

/** What is known of the class before. */
export interface KnownReference extends References {
  /** `[shells]` variance of a noise coefficient. */
  readonly noise: Float64Array;
}

/** A class, aligned. */
export interface ClassAverage {
  /** `[b, b, b]`. */
  readonly average: Float32Array;
  /** Averages of the two halves, `[b, b, b]`; absent for a class too small to halve. */
  readonly halves?: readonly [Float32Array, Float32Array];
  /** `[kMax + 1]` correlation of the halves by shell; absent likewise. */
  readonly shellCorrelation?: Float64Array;
  /** Log evidence of each half under the average of the other, aligned from nothing: nats a box, with its standard error; absent likewise. */
  readonly evidence?: { readonly mean: number; readonly error: number };
  /** `[n, 12]` poses, in the order of the members given. */
  readonly poses: Float32Array;
  /** The reference they lie in, to align more boxes with. */
  readonly reference: References;
  readonly noise: Float64Array;
}

/** What averaging needs. */
export interface AverageSettings {
  readonly pool: Pool;
  readonly signal: AbortSignal;
  readonly seed: number;
  readonly plan: FitPlan;
}

/** Fewer boxes are averaged, but not halved. */
const FEWEST_TO_HALVE = 8;
/** Turn that the halves begin with, radians: they share their first poses, then go their own ways. */
const HALF_TURN = 0.1;
/** Rounds of the halves. */
const HALF_ROUNDS = 4;

/** Aligns and averages boxes `members` of one class, from its reference when one is known. */
export async function averageClass(
  boxes: BoxStore,
  members: Int32Array,
  known: KnownReference | null,
  settings: AverageSettings,
): Promise<ClassAverage> {
  const n = members.length, b = boxes.boxVoxels, { plan } = settings;
  const session = await openSession(boxes, members, Math.floor(b / 2) - 1, known, settings);
  const all = Int32Array.from({ length: n }, (_, i) => i);
  if (known) await centreOnReferences(session, all, known);
  else await centreOnBlob(session);
  const fit = known
    ? await fitReferences(session, all, known, plan, true)
    : await fitLabels(session, all, new Int32Array(n), 1, plan, "average", true);
  const poses = fit.poses.slice(), weights = new Float32Array(n).fill(1);
  // One reference may be off the centre; the mass says where the particle is.
  const first = await readable(session, all, weights, poses);
  const centre = centreOfMass(volumeToBox(first, session.kMax, b), b);
  movePoses(poses, [centre]);
  const reference = { kMax: fit.kMax, volumes: await session.solvePoses(all, weights, poses, 1, fit.kMax), weights: Float64Array.of(1) };
  const common = { poses, reference, noise: session.noise };
  const whole = await readable(session, all, weights, poses);
  if (n < FEWEST_TO_HALVE) return { ...common, average: volumeToBox(whole, session.kMax, b) };
  const { volumes, evidence } = await halve(session, { ...fit, poses }, plan);
  const shellCorrelation = correlateShells(volumes[0], volumes[1], session.kMax);
  return {
    ...common,
    average: volumeToBox(weighShells(whole, session.kMax, shellCorrelation), session.kMax, b),
    halves: [volumeToBox(volumes[0], session.kMax, b), volumeToBox(volumes[1], session.kMax, b)],
    shellCorrelation,
    evidence,
  };
}

/** Poses `[n, 12]` of further boxes in a finished reference. */
export async function poseBoxes(
  boxes: BoxStore,
  members: Int32Array,
  known: KnownReference,
  settings: AverageSettings,
): Promise<Float32Array> {
  const session = await openSession(boxes, members, known.kMax, known, settings);
  const all = Int32Array.from({ length: members.length }, (_, i) => i);
  await centreOnReferences(session, all, known);
  return (await fitReferences(session, all, known, { ...settings.plan, rounds: 1 }, false)).poses;
}

async function openSession(boxes: BoxStore, members: Int32Array, kMax: number, known: KnownReference | null, settings: AverageSettings) {
  const session = await Session.open({
    count: members.length,
    boxVoxels: boxes.boxVoxels,
    geometryOf: (i) => boxes.geometryOf(members[i]),
    read: (first, count) => boxes.read(members.subarray(first, first + count)),
  }, { ...settings, kMax, heldOut: 0 });
  if (known) {
    // Shells that the reference does not reach are all noise until more is known.
    const power = session.meanPower();
    session.noise = power.map((p, s) => s <= known.kMax && s < known.noise.length ? known.noise[s] : p);
  }
  return session;
}

/** A volume whose coefficients are to be read, at the session's highest frequency, regularised as by one box more. */
async function readable(session: Session, members: Int32Array, weights: Float32Array, poses: Float32Array): Promise<Float32Array> {
  const { noise } = session;
  const [volume] = await session.solvePoses(members, weights, poses, 1, session.kMax, false, noise);
  return volume;
}

/**
 * Two halves, each refined against its own average from the common poses on, for their correlation; and each aligned from nothing, to ask how
 * well it explains the other. The common poses have seen all boxes, so that halves of noise correlate: only the second answer tells noise.
 */
async function halve(session: Session, fit: Fit, plan: FitPlan) {
  const n = fit.members.length, order = session.random("halves").permutation(n);
  const parts = [order.slice(0, n >> 1).sort(), order.slice(n >> 1).sort()];
  const volumes = await Promise.all(parts.map(async (rows) => {
    const members = rows.map((i) => fit.members[i]), poses = new Float32Array(12 * rows.length);
    rows.forEach((i, r) => poses.set(fit.poses.subarray(12 * i, 12 * i + 12), 12 * r));
    const weights = new Float32Array(rows.length).fill(1);
    const start = { kMax: fit.kMax, volumes: await session.solvePoses(members, weights, poses, 1, fit.kMax), weights: Float64Array.of(1) };
    const own = await climbFit(
      session,
      members,
      start,
      { poses, likelihood: new Float64Array(rows.length), angle: HALF_TURN },
      HALF_ROUNDS,
      false,
    );
    return await readable(session, members, weights, own.poses);
  }));
  session.offsets.fill(0);
  await centreOnBlob(session);
  const apart = await Promise.all(parts.map((rows, half) => {
    const members = rows.map((i) => fit.members[i]);
    return fitLabels(session, members, new Int32Array(rows.length), 1, { ...plan, rounds: 2 }, `half ${half}`, false);
  }));
  const crossed = await Promise.all([0, 1].map((half) => evidenceOf(session, apart[half].members, apart[1 - half])));
  return {
    volumes: [volumes[0], volumes[1]] as const,
    evidence: {
      mean: (crossed[0].mean * parts[0].length + crossed[1].mean * parts[1].length) / n,
      error: Math.hypot(crossed[0].error * parts[0].length, crossed[1].error * parts[1].length) / n,
    },
  };
}

/** Fourier shell correlation of two readable volumes over whole cycles a box, `[kMax + 1]`; 1 at the origin. */
export function correlateShells(a: Float32Array, b: Float32Array, kMax: number): Float64Array {
  const side = paddedSide(kMax), middle = side / 2;
  const cross = new Float64Array(kMax + 1), left = new Float64Array(kMax + 1), right = new Float64Array(kMax + 1);
  for (let z = -kMax; z <= kMax; z++) {
    for (let y = -kMax; y <= kMax; y++) {
      for (let x = -kMax; x <= kMax; x++) {
        const shell = Math.round(Math.hypot(x, y, z));
        if (shell > kMax) continue;
        const at = 2 * (((2 * z + middle) * side + 2 * y + middle) * side + 2 * x + middle);
        cross[shell] += a[at] * b[at] + a[at + 1] * b[at + 1];
        left[shell] += a[at] ** 2 + a[at + 1] ** 2;
        right[shell] += b[at] ** 2 + b[at + 1] ** 2;
      }
    }
  }
  return cross.map((value, s) => s === 0 ? 1 : left[s] > 0 && right[s] > 0 ? value / Math.sqrt(left[s] * right[s]) : 0);
}

/**
 * Multiplies shells by sqrt(2 FSC / (1 + FSC)), the correlation with the truth that the half correlation implies, and drops all from the first
 * shell on that is below 0.143.
 * @see Rosenthal and Henderson 2003, J. Mol. Biol. 333.
 */
function weighShells(volume: Float32Array, kMax: number, correlation: Float64Array): Float32Array {
  const side = paddedSide(kMax), middle = side / 2, out = new Float32Array(volume.length);
  const end = correlation.findIndex((value) => value < 0.143);
  const weights = correlation.map((value, s) => end >= 0 && s >= end ? 0 : Math.sqrt(2 * value / (1 + value)));
  for (let z = -kMax; z <= kMax; z++) {
    for (let y = -kMax; y <= kMax; y++) {
      for (let x = -kMax; x <= kMax; x++) {
        const shell = Math.round(Math.hypot(x, y, z));
        if (shell > kMax) continue;
        const at = 2 * (((2 * z + middle) * side + 2 * y + middle) * side + 2 * x + middle);
        out[at] = volume[at] * weights[shell];
        out[at + 1] = volume[at + 1] * weights[shell];
      }
    }
  }
  return out;
}

/** Frequency in cycles a box where the correlation first falls below `level`, interpolated; null when it never does or begins below. */
export function crossing(correlation: Float64Array, level: number): number | null {
  for (let s = 1; s < correlation.length; s++) {
    if (correlation[s] >= level) continue;
    return s === 1 ? null : s - 1 + (correlation[s - 1] - level) / (correlation[s - 1] - correlation[s]);
  }
  return null;
}
