/**
 * What becomes of a tilt geometry, and of coordinates, when the axes of a volume are exchanged or mirrored.
 * @module
 */
import type { Geometry, Triple } from "../../streams/contract.ts";

/**
 * A change of frame: axis i (0 x, 1 y, 2 z) of the new volume runs along axis `axesXyz[i]` of the old one, and backwards where
 * `flippedXyz[i]`. The new voxel is therefore old voxel `v` with `v[axesXyz[i]] = flippedXyz[i] ? n - 1 - u[i] : u[i]`.
 */
export interface FrameChange {
  readonly axesXyz: Triple;
  readonly flippedXyz: readonly [boolean, boolean, boolean];
}

const NAMES = ["x", "y", "z"] as const;

/** Which old axis each new one is: `y, x, -z`. */
export function frameChangeWords({ axesXyz, flippedXyz }: FrameChange): string {
  return axesXyz.map((axis, i) => `${flippedXyz[i] ? "-" : ""}${NAMES[axis]}`).join(", ");
}

/**
 * The tilt geometry of a volume whose axes were exchanged or mirrored, in the new frame: `wedgeMask` of it is the old mask, permuted alike.
 *
 * Where the new frame turns tilts the other way, a known handedness changes its sign; while it is unknown, the range and the angles do. The
 * hand of the defocus changes where z is mirrored.
 * @throws {RangeError} When `axesXyz` is no permutation, or when the beam would not run along z any more: a geometry cannot say that.
 */
export function permuteGeometry(geometry: Geometry, change: FrameChange): Geometry {
  const { axesXyz, flippedXyz } = change;
  if (axesXyz.toSorted((a, b) => a - b).join() !== "0,1,2") {
    throw new RangeError(`axes ${axesXyz.join(", ")}: expected 0, 1 and 2 in any order`);
  }
  if (axesXyz[2] !== 2) {
    throw new RangeError(
      `the new z is the old ${NAMES[axesXyz[2]]}, so the beam would run along ${
        NAMES[axesXyz.indexOf(2)]
      }: a tilt geometry needs it along z`,
    );
  }
  const tiltAxis = axesXyz[0] === 0 ? geometry.tiltAxis : geometry.tiltAxis === "x" ? "y" : "x";
  const across = tiltAxis === "y" ? 0 : 1;
  const { handedness, defocusHandedness: hand, tiltRangeDegrees: range, tiltAnglesDegrees: angles } = geometry;
  const kept = { ...geometry, tiltAxis, ...(hand && flippedXyz[2] ? { defocusHandedness: hand === 1 ? -1 as const : 1 as const } : {}) };
  if (flippedXyz[across] === flippedXyz[2]) return kept;
  if (handedness !== "unknown") return { ...kept, handedness: handedness === 1 ? -1 : 1 };
  // 0 - t rather than -t: no "-0".
  return {
    ...kept,
    tiltRangeDegrees: range === "unknown" ? range : [0 - range[1], 0 - range[0]],
    ...(angles ? { tiltAnglesDegrees: angles.map((angle) => 0 - angle) } : {}),
  };
}
