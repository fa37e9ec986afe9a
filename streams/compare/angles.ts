/**
 * Whether the angles of matched particles agree, and if not, by which convention they differ.
 * @module
 */
import { type AngleMend, axisMatrix, mendedMatrix } from "../../plugins/formats/mend_particles.ts";
import { eulerZyzToMatrix, type Matrix3, multiply3, transpose3 } from "../../plugins/kernels/rotation.ts";
import { median } from "../../plugins/kernels/point_agreement.ts";
import type { AxisChange } from "./axes.ts";

/** What was found of the angles. */
export interface AngleFinding {
  readonly pairs: number;
  /** Median angle between the two orientations of a pair as they are (with the axes mended), in degrees. */
  readonly asTheyAre: number;
  /** The convention under which they lie closest, and how close. */
  readonly mends: readonly AngleMend[];
  readonly degrees: number;
  /** Degrees that are left when one fixed rotation of the reference is allowed. */
  readonly fixedRotation: number;
  readonly verdict: "agree" | "convention" | "reference" | "disagree";
  readonly words: string;
}

/** Orientations closer than this are one. */
const CLOSE = 10;
const MENDS: readonly (readonly AngleMend[])[] = [
  [],
  ["invert"],
  ["reverse"],
  ["zxz"],
  ["reverse", "invert"],
  ["zxz", "invert"],
  ["zxz", "reverse"],
  ["zxz", "reverse", "invert"],
];
const WORDS: Readonly<Record<AngleMend, string>> = {
  invert: "they are of the inverse rotation",
  reverse: "rot and psi are exchanged",
  zxz: "they are z, x, z angles read as z, y, z",
};

/** Angle of the rotation between two matrices, degrees. */
export function degreesBetween(a: Matrix3, b: Matrix3): number {
  let trace = 0;
  for (let i = 0; i < 9; i++) trace += a[i] * b[i];
  return Math.acos(Math.max(-1, Math.min(1, (trace - 1) / 2))) * 180 / Math.PI;
}

/** Most pairs that are looked at. */
const MOST = 500;

/**
 * Compares angles of pairs.
 *
 * @param from `[3n]` angles of the first file, `to` `[3m]` of the second; `pairs` of indices.
 * @param axes The change of axes that mends the positions: angles follow it.
 */
export function compareAngles(
  from: Float64Array,
  to: Float64Array,
  pairs: readonly (readonly [number, number])[],
  axes: AxisChange,
): AngleFinding | null {
  const step = Math.max(1, Math.floor(pairs.length / MOST)), looked = pairs.filter((_, i) => i % step === 0);
  if (looked.length === 0) return null;
  const { matrix, odd } = axisMatrix(axes.axes, axes.mirror), back = transpose3(matrix);
  const targets = looked.map(([, j]) => eulerZyzToMatrix(to[3 * j], to[3 * j + 1], to[3 * j + 2]));
  const under = (mends: readonly AngleMend[]) =>
    looked.map(([i]) => {
      const turned = multiply3(matrix, mendedMatrix(from[3 * i], from[3 * i + 1], from[3 * i + 2], mends));
      return odd ? multiply3(turned, back) : turned;
    });
  const found = MENDS.map((mends) => ({ mends, degrees: median(under(mends).map((own, p) => degreesBetween(own, targets[p]))) }));
  const [asIs] = found, best = found.reduce((least, other) => other.degrees < least.degrees - 0.5 ? other : least);
  const fixedRotation = fixed(under([]), targets);
  const verdict = asIs.degrees < CLOSE ? "agree" : best.degrees < CLOSE ? "convention" : fixedRotation < CLOSE ? "reference" : "disagree";
  const shown = (degrees: number) => `${degrees.toFixed(1)} degrees`;
  const words = {
    agree: `angles agree: ${shown(asIs.degrees)} apart (median)`,
    convention: `angles disagree (${shown(asIs.degrees)} apart): ${best.mends.map((mend) => WORDS[mend]).join(", and ")}; then they are ${
      shown(best.degrees)
    } apart`,
    reference: `angles differ by one fixed rotation (${shown(asIs.degrees)} apart, ${
      shown(fixedRotation)
    } without it): the references are turned against each other`,
    disagree: `angles disagree: ${shown(asIs.degrees)} apart, ${
      shown(best.degrees)
    } at best; a symmetric particle, or angles that were never aligned, look like this`,
  }[verdict];
  return {
    pairs: looked.length,
    asTheyAre: asIs.degrees,
    mends: verdict === "convention" ? best.mends : [],
    degrees: best.degrees,
    fixedRotation,
    verdict,
    words,
  };
}

/** Median angle left when `to = from R` for the best of the pairs' own R. */
function fixed(from: readonly Matrix3[], to: readonly Matrix3[]): number {
  if (from.length < 5) return Infinity;
  const relative = from.map((own, p) => multiply3(transpose3(own), to[p]));
  const step = Math.max(1, Math.floor(relative.length / 20));
  return relative.filter((_, p) => p % step === 0).reduce(
    (least, candidate) => Math.min(least, median(relative.map((other) => degreesBetween(candidate, other)))),
    Infinity,
  );
}
