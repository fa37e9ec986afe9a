/**
 * Where each particle lies in its box and how it is turned: from an aligner where one ran, else from the picker.
 * @module
 */
import type { RunView, Table } from "../../../streams/contract.ts";

/** Poses of all particles of a run. */
export interface Poses {
  /** `[n, 3]` rot, tilt, psi in degrees, RELION's; absent when nobody knows them. */
  readonly eulerZyzDegrees?: Float64Array;
  /** `[n, 3]` x, y, z: the particle's centre minus the box's centre, voxels of the box. */
  readonly shiftsXyz: Float64Array;
  /** Particles without a pose among others that have one: their angles are the picker's, or 0. */
  readonly without: number;
}

const COLUMNS = ["box", "rot", "tilt", "psi", "shiftX", "shiftY", "shiftZ"] as const;

/** The point about which a box was cut, in voxels of the tomogram as it was given: a whole number of voxels of the box. */
export function boxCentreOf(centre: number, voxelsEach: number): number {
  return Math.round(centre / voxelsEach) * voxelsEach;
}

/** The last table named `poses` that a class stage gave, with a number in every column. */
function poseTable({ classResults }: RunView): Table | undefined {
  const tables = Object.values(classResults).flatMap(({ tables }) => tables);
  return tables.findLast(({ name, columns }) => name === "poses" && COLUMNS.every((column) => column in columns));
}

/**
 * Collects poses. A class stage hands them on in a table named `poses`: `box` (index in the store), `rot`, `tilt`, `psi` (degrees), `shiftX`,
 * `shiftY`, `shiftZ` (voxels, the particle's centre minus the box's).
 *
 * Without it, angles are the picker's, and the shift is what rounding the pick to a voxel left over.
 */
export function posesOf(view: RunView): Poses {
  const { count, rows, centresXyz, eulerZyzDegrees } = view.particles;
  const steps = new Map(view.tomograms.map(({ ordinal, voxelsEach }) => [ordinal, voxelsEach]));
  const shiftsXyz = Float64Array.from({ length: 3 * count }, (_, i) => {
    const step = steps.get(rows[2 * Math.floor(i / 3)]) ?? 1;
    return Number.isFinite(centresXyz[i]) ? (centresXyz[i] - boxCentreOf(centresXyz[i], step)) / step : 0;
  });
  const table = poseTable(view);
  if (!table) return { eulerZyzDegrees, shiftsXyz, without: 0 };
  const angles = eulerZyzDegrees?.slice() ?? new Float64Array(3 * count);
  const { box, rot, tilt, psi, shiftX, shiftY, shiftZ } = table.columns;
  const posed = new Set<number>();
  box.forEach((index, i) => {
    const at = Number(index);
    posed.add(at);
    angles.set([Number(rot[i]), Number(tilt[i]), Number(psi[i])], 3 * at);
    shiftsXyz.set([Number(shiftX[i]), Number(shiftY[i]), Number(shiftZ[i])], 3 * at);
  });
  return { eulerZyzDegrees: angles, shiftsXyz, without: count - posed.size };
}
