/**
 * The 48 ways to exchange and mirror axes, in words, in options of `convert`, and applied to points.
 * @module
 */
import type { AxisOrder } from "../../plugins/formats/mend_particles.ts";

/** One way. */
export interface AxisChange {
  readonly axes: AxisOrder;
  readonly mirror: readonly [boolean, boolean, boolean];
  readonly words: readonly string[];
  readonly options: readonly string[];
}

const ORDERS: readonly AxisOrder[] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]];
const NAMES = "xyz";

function change(axes: AxisOrder, mirror: readonly [boolean, boolean, boolean]): AxisChange {
  const moved = axes.map((from, to) => from === to ? "" : NAMES[to]).join("");
  const mirrored = [...NAMES].filter((_, axis) => mirror[axis]).join("");
  const words: string[] = [], options: string[] = [];
  if (moved.length === 2) {
    words.push(`its axes ${moved[0]} and ${moved[1]} are exchanged`);
    options.push("--swap-axes", moved);
  } else if (moved.length === 3) {
    const order = axes.map((axis) => NAMES[axis]).join("");
    words.push(`its axes stand in another order (x, y, z are its ${[...order].join(", ")})`);
    options.push("--swap-axes", order);
  }
  if (mirrored !== "") {
    words.push(
      `${mirrored.length === 1 ? "axis" : "axes"} ${[...mirrored].join(" and ")} ${mirrored.length === 1 ? "is" : "are"} mirrored`,
    );
    options.push("--mirror", mirrored);
  }
  return { axes, mirror, words, options };
}

/** All of them, fewer changes first. */
export const axisChanges: readonly AxisChange[] = ORDERS.flatMap((axes) =>
  Array.from({ length: 8 }, (_, bits) => change(axes, [(bits & 1) !== 0, (bits & 2) !== 0, (bits & 4) !== 0]))
).sort((a, b) => cost(a) - cost(b));

/** How much an axis change changes: none 0, one exchange or mirror 1, and so on. */
export function cost({ axes, mirror }: AxisChange): number {
  const moved = axes.filter((from, to) => from !== to).length;
  return (moved === 0 ? 0 : moved - 1) + mirror.filter(Boolean).length;
}

/**
 * Points after a change of axes and scale.
 * @param far Index that a mirror takes 0 to, for each axis of the result and point; 0 mirrors about the first voxel.
 */
export function changePoints(
  points: Float64Array,
  { axes, mirror }: AxisChange,
  scale: number,
  far: (point: number, axis: number) => number,
): Float64Array {
  const out = new Float64Array(points.length);
  for (let i = 0; 3 * i < points.length; i++) {
    for (let axis = 0; axis < 3; axis++) {
      const value = scale * points[3 * i + axes[axis]];
      out[3 * i + axis] = mirror[axis] ? far(i, axis) - value : value;
    }
  }
  return out;
}
