/**
 * Mends coordinates that were counted wrongly: another scale, exchanged or mirrored axes, an offset, angles of another convention.
 *
 * Rules: everything is done in voxels from the first one, in this order: scale, axes, mirror, shift. A mirror of an axis of n voxels takes index i to
 * n - 1 - i. An even change of axes L turns the angles with it, A' = L A; an odd one (one exchange, one mirror) makes a particle its mirror
 * image, and A' = L A L^T holds for the reference that is mirrored likewise.
 * @module
 */
import type { Triple } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { eulerZxzToMatrix, eulerZyzToMatrix, type Matrix3, matrixToEulerZyz, multiply3, transpose3 } from "../kernels/rotation.ts";
import type { ParticleSet } from "./particle_set.ts";

/** What was wrong with angles: `invert`, they are of the inverse; `reverse`, rot and psi were exchanged; `zxz`, they are of z, x, z. */
export type AngleMend = "invert" | "reverse" | "zxz";
/** Which old axis becomes x, y and z. */
export type AxisOrder = readonly [number, number, number];

/** What to do; what is left out stays. */
export interface Mend {
  readonly scale?: number;
  readonly axes?: AxisOrder;
  /** For x, y and z. */
  readonly mirror?: readonly [boolean, boolean, boolean];
  /** Voxels. */
  readonly shiftXyz?: Triple;
  readonly angles?: readonly AngleMend[];
}

/** Matrix of three angles that were meant otherwise than as RELION's. */
export function mendedMatrix(rot: number, tilt: number, psi: number, mends: readonly AngleMend[]): Matrix3 {
  const [a, c] = mends.includes("reverse") ? [psi, rot] : [rot, psi];
  const matrix = mends.includes("zxz") ? transpose3(eulerZxzToMatrix(a, tilt, c)) : eulerZyzToMatrix(a, tilt, c);
  return mends.includes("invert") ? transpose3(matrix) : matrix;
}

/** The signed permutation that axes and mirrors are, as a matrix on (x, y, z), and whether it is a mirror. */
export function axisMatrix(axes: AxisOrder, mirror: readonly boolean[]): { readonly matrix: Matrix3; readonly odd: boolean } {
  const matrix = new Float64Array(9);
  axes.forEach((from, to) => matrix[3 * to + from] = mirror[to] ? -1 : 1);
  const exchanges = [[0, 1], [0, 2], [1, 2]].filter(([a, b]) => axes[a] > axes[b]).length;
  return { matrix, odd: (exchanges + mirror.filter(Boolean).length) % 2 === 1 };
}

/** Whether anything is to be done. */
export function isMend({ scale, axes, mirror, shiftXyz, angles }: Mend): boolean {
  return scale !== undefined || axes !== undefined || mirror?.some(Boolean) === true || shiftXyz !== undefined || (angles?.length ?? 0) > 0;
}

function turnAll(set: ParticleSet, mend: Mend, matrix: Matrix3, odd: boolean): Float64Array {
  const e = set.eulerZyzDegrees!, out = new Float64Array(e.length);
  for (let i = 0; i < e.length; i += 3) {
    const own = mendedMatrix(e[i], e[i + 1], e[i + 2], mend.angles ?? []);
    const turned = multiply3(matrix, own);
    out.set(matrixToEulerZyz(odd ? multiply3(turned, transpose3(matrix)) : turned), i);
  }
  return out;
}

/**
 * Mends a set in voxels from the first one.
 *
 * @param shapeOf Size of a tomogram in those voxels, for mirrors.
 * @throws {InputError} When a mirror needs a size that is not known.
 */
export function mendParticles(set: ParticleSet, mend: Mend, shapeOf: (tomogram: string) => Triple | undefined): ParticleSet {
  const { scale = 1, axes = [0, 1, 2], mirror = [false, false, false], shiftXyz = [0, 0, 0] } = mend;
  const { matrix, odd } = axisMatrix(axes, mirror);
  const positionsXyz = new Float64Array(set.positionsXyz.length), shiftsXyz = set.shiftsXyz && new Float64Array(set.positionsXyz.length);
  for (let i = 0; i < set.count; i++) {
    const shape = mirror.some(Boolean) ? shapeOf(set.tomograms[i]) : undefined;
    if (mirror.some(Boolean) && !shape) {
      throw new InputError(set.path, "a mirror needs the size of the tomogram: give --tomogram FILE or --dims X,Y,Z");
    }
    for (let axis = 0; axis < 3; axis++) {
      const value = scale * set.positionsXyz[3 * i + axes[axis]];
      positionsXyz[3 * i + axis] = (mirror[axis] ? shape![axis] - 1 - value : value) + shiftXyz[axis];
      if (shiftsXyz) shiftsXyz[3 * i + axis] = scale * set.shiftsXyz![3 * i + axes[axis]] * (mirror[axis] ? -1 : 1);
    }
  }
  return {
    ...set,
    positionsXyz,
    ...(shiftsXyz ? { shiftsXyz } : {}),
    ...(set.eulerZyzDegrees ? { eulerZyzDegrees: turnAll(set, mend, matrix, odd) } : {}),
    assumed: odd && set.eulerZyzDegrees
      ? [...set.assumed, "the axes were mirrored: angles hold for a reference that is mirrored likewise"]
      : set.assumed,
  };
}

/** The particles of one tomogram. */
export function onlyTomogram(set: ParticleSet, tomogram: string): ParticleSet {
  const kept = set.tomograms.map((name, i) => [name, i] as const).filter(([name]) => name === tomogram).map(([, i]) => i);
  return takeParticles(set, kept);
}

/** The particles at `rows`, in that order. */
export function takeParticles(set: ParticleSet, rows: readonly number[]): ParticleSet {
  const three = (values: Float64Array) =>
    Float64Array.from({ length: 3 * rows.length }, (_, i) => values[3 * rows[Math.floor(i / 3)] + i % 3]);
  const one = (values: Float64Array) => Float64Array.from(rows, (row) => values[row]);
  const { star } = set;
  const file = star && {
    ...star.file,
    blocks: star.file.blocks.map((block, b) =>
      b !== star.block ? block : {
        ...block,
        items: block.items.map((item, k) =>
          k === star.item && item.kind === "loop" ? { ...item, rows: rows.map((row) => item.rows[row]) } : item
        ),
      }
    ),
  };
  return {
    ...set,
    count: rows.length,
    positionsXyz: three(set.positionsXyz),
    ...(set.shiftsXyz ? { shiftsXyz: three(set.shiftsXyz) } : {}),
    voxelSizeAngstrom: one(set.voxelSizeAngstrom),
    tomograms: rows.map((row) => set.tomograms[row]),
    ...(set.eulerZyzDegrees ? { eulerZyzDegrees: three(set.eulerZyzDegrees) } : {}),
    ...(set.score ? { score: one(set.score) } : {}),
    ...(set.labels ? { labels: rows.map((row) => set.labels![row]) } : {}),
    columns: Object.fromEntries(Object.entries(set.columns).map(([name, values]) => [name, rows.map((row) => values[row])])),
    ...(star && file ? { star: { ...star, file } } : {}),
  };
}
