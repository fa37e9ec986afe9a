/**
 * Whether particles lie in a tomogram, and on something: density at the points against density elsewhere, for every way to read the file.
 * @module
 */
import type { ParticleSet } from "../../plugins/formats/particle_set.ts";
import type { Random, Triple, Volume } from "../contract.ts";
import { type AxisChange, axisChanges, changePoints, cost } from "./axes.ts";
import type { Reading } from "./readings.ts";

/** How a reading fits the tomogram. */
export interface VolumeExplanation {
  readonly reading: Reading;
  readonly axes: AxisChange;
  /** Share of the points inside the volume. */
  readonly inside: number;
  /** How many standard errors density at the points is above that at random points of the same sections; negative for dark particles. NaN: not measured. */
  readonly contrast: number;
}

/** What was found. */
export interface VolumeFinding {
  readonly asTheyAre: VolumeExplanation;
  readonly best: VolumeExplanation;
  /** Whether density tells the best reading from the file as it is. */
  readonly found: boolean;
  readonly agree: boolean;
  readonly points: number;
}

/** Points measured a reading, and radius in voxels of the ball around a point whose mean density counts. */
const MEASURED = 160, RADIUS = 2;
/** Least contrast, in standard errors, that says something; many readings are tried, so the best of them is large by luck already. */
const LEAST_CONTRAST = 6;
/** Least share of points inside for a reading to be looked at. */
const LEAST_INSIDE = 0.7;

function insideOf(points: Float64Array, shape: Triple): number[] {
  const rows: number[] = [];
  for (let i = 0; 3 * i < points.length; i++) {
    if ([0, 1, 2].every((axis) => points[3 * i + axis] >= -0.5 && points[3 * i + axis] < shape[axis] - 0.5)) rows.push(i);
  }
  return rows;
}

/** One point for each cell of the size of a ball: points that a wrong scale presses together measure the same density many times. */
function apart(points: Float64Array, rows: readonly number[]): number[] {
  const taken = new Set<string>();
  return rows.filter((i) => {
    const key = [0, 1, 2].map((axis) => Math.floor(points[3 * i + axis] / (2 * RADIUS + 1))).join();
    return !taken.has(key) && taken.add(key);
  });
}

/** Mean of a ball, its corner moved so that it lies inside. */
async function ballMean(volume: Volume, x: number, y: number, z: number): Promise<number> {
  const size = volume.shapeZyx.map((n) => Math.min(n, 2 * RADIUS + 1)) as unknown as Triple;
  const corner = [z, y, x].map((value, axis) =>
    Math.max(0, Math.min(volume.shapeZyx[axis] - size[axis], Math.round(value) - RADIUS))
  ) as unknown as Triple;
  const box = await volume.readBox(corner, size);
  let sum = 0;
  for (const value of box) sum += value;
  return sum / box.length;
}

/** Contrast of points against random ones of the same sections, in standard errors. */
async function contrastOf(volume: Volume, points: Float64Array, rows: readonly number[], random: Random): Promise<number> {
  const chosen = [...random.permutation(rows.length).subarray(0, MEASURED)].map((k) => rows[k]);
  if (chosen.length < 5) return NaN;
  const [, ny, nx] = volume.shapeZyx, here: number[] = [], there: number[] = [];
  for (const i of chosen) {
    here.push(await ballMean(volume, points[3 * i], points[3 * i + 1], points[3 * i + 2]));
    there.push(await ballMean(volume, random.uniform() * (nx - 1), random.uniform() * (ny - 1), points[3 * i + 2]));
  }
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const a = mean(here), b = mean(there);
  const variance = (values: readonly number[], middle: number) =>
    values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / Math.max(1, values.length - 1);
  const error = Math.sqrt((variance(here, a) + variance(there, b)) / here.length);
  return error > 0 ? (a - b) / error : 0;
}

/**
 * Holds every reading of a file, with every change of axes, against a tomogram.
 *
 * @param readings In voxels of this tomogram; the file as it is first.
 * @param rowsOf Rows of a set that belong to this tomogram.
 */
export async function compareVolume(
  readings: readonly Reading[],
  rowsOf: (set: ParticleSet) => readonly number[],
  volume: Volume,
  random: (key: string) => Random,
): Promise<VolumeFinding> {
  const shape: Triple = [volume.shapeZyx[2], volume.shapeZyx[1], volume.shapeZyx[0]];
  const found: VolumeExplanation[] = [];
  for (const axes of axisChanges) {
    for (const reading of readings) {
      const rows = rowsOf(reading.set);
      const own = Float64Array.from({ length: 3 * rows.length }, (_, i) => reading.set.positionsXyz[3 * rows[Math.floor(i / 3)] + i % 3]);
      const points = changePoints(own, axes, 1, (_, axis) => shape[axis] - 1);
      const inside = insideOf(points, shape), share = rows.length === 0 ? 0 : inside.length / rows.length;
      const first = found.length === 0;
      // The same draw for every reading: they differ by where they look, not by luck.
      const distinct = apart(points, inside);
      const measured = (share >= LEAST_INSIDE || (first && share > 0)) && distinct.length >= 0.5 * inside.length;
      const contrast = measured ? await contrastOf(volume, points, distinct, random("contrast")) : NaN;
      found.push({ reading, axes, inside: share, contrast });
    }
  }
  const [asTheyAre] = found,
    strength = ({ contrast, inside }: VolumeExplanation) => Number.isNaN(contrast) ? 0 : Math.abs(contrast) * inside;
  const penalty = ({ reading, axes }: VolumeExplanation) => 0.5 * (reading.words.length + cost(axes));
  const best = found.reduce((least, other) => strength(other) - penalty(other) > strength(least) - penalty(least) ? other : least);
  const clear = strength(best) >= LEAST_CONTRAST && strength(best) > 1.5 * strength(asTheyAre) && best !== asTheyAre;
  // Where density says nothing, a reading that is the only one inside still says something.
  const onlyInside = asTheyAre.inside < 0.5 && best === asTheyAre ? found.find(({ inside }) => inside > 0.95) : undefined;
  const winner = clear ? best : onlyInside ?? asTheyAre;
  return {
    asTheyAre,
    best: winner,
    found: winner !== asTheyAre,
    agree: winner === asTheyAre && asTheyAre.inside > 0.9 && strength(asTheyAre) >= LEAST_CONTRAST,
    points: rowsOf(readings[0].set).length,
  };
}
