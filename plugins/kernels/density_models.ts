/**
 * Twelve analytic architectures for simulated particles, told apart by shape and by nothing else.
 *
 * Every model is made of the same number of equal Gaussian beads at the same distances from the centre of mass; only the directions
 * differ. The spherical average of a bead depends on its distance and width alone, so all models have one and the same radial profile,
 * mass and radius of gyration: whoever sorts them has seen their architecture.
 * @module
 */

/** An architecture of equal Gaussian beads in units of its diameter. */
export interface BeadModel {
  /** What scenes call it. */
  readonly name: string;
  /** What it looks like, for `describe` and reports. */
  readonly summary: string;
  /** `[n, 3]` x, y, z of bead centres; centre of mass at the origin; unit: diameters. */
  readonly beadsXyz: Float64Array;
  /** Standard deviation of each bead, unit: diameters. */
  readonly sigma: number;
}

/** Beads in every model: divisible by 2, 3, 4, 6 and 7. */
export const BEADS = 84;
/** Standard deviation of a bead, in diameters: 12 A for a particle of 240 A. */
export const BEAD_SIGMA = 0.05;

type Point = readonly [number, number, number];
const GOLDEN = Math.PI * (3 - Math.sqrt(5));

/** Distance of bead `rank` (0..BEADS-1, innermost first) from the centre, in diameters. The outermost lies two deviations inside the rim. */
function targetRadius(rank: number): number {
  return 0.07 + 0.33 * Math.pow((rank + 0.5) / BEADS, 0.75);
}

const ARCHITECTURES: Record<string, { readonly summary: string; readonly points: () => Point[] }> = {
  "ring-of-seven": {
    summary: "seven globules in a ring around a thin hub",
    points: () => globules(circle(7, 1, 0), 12, 0.3),
  },
  barrel: {
    summary: "a hollow cylinder of six rings, open at both ends",
    points: () => range(6).flatMap((j) => circle(14, 0.62, (j - 2.5) * 0.36, j * 0.2)),
  },
  tripod: {
    summary: "three straight arms at 120 degrees in one plane",
    points: () =>
      circle(3, 1, 0).flatMap(([x, y]) =>
        range(28).map((i): Point => {
          const t = 0.12 + 0.88 * (i + 0.5) / 28, a = i * GOLDEN;
          return [x * t - y * 0.11 * Math.cos(a), y * t + x * 0.11 * Math.cos(a), 0.11 * Math.sin(a)];
        })
      ),
  },
  "l-shape": {
    summary: "two thick rods joined at a right angle",
    points: () => [...rod([0, 0, 0], [1.6, 0, 0], 52, 0.16), ...rod([0, 0.25, 0], [0, 1.05, 0], 32, 0.16)],
  },
  "crossed-rods": {
    summary: "two parallel planes, one rod in each, crossed at 90 degrees",
    points: () => [...rod([-0.9, 0, 0.42], [0.9, 0, 0.42], 42, 0.15), ...rod([0, -0.9, -0.42], [0, 0.9, -0.42], 42, 0.15)],
  },
  tetrahedron: {
    summary: "four globules at the corners of a tetrahedron",
    points: () =>
      globules([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]].map(([x, y, z]): Point => [x * 0.5, y * 0.5, z * 0.5]), 21, 0.36),
  },
  cap: {
    summary: "a hollow hemisphere, open below",
    points: () =>
      range(BEADS).map((i): Point => {
        const z = (i + 0.5) / BEADS, r = Math.sqrt(1 - z * z);
        return [r * Math.cos(i * GOLDEN), r * Math.sin(i * GOLDEN), 1.25 * z];
      }),
  },
  helix: {
    summary: "a right-handed helix of one and a half turns (chiral)",
    points: () =>
      range(BEADS).map((i): Point => {
        const t = (i + 0.5) / BEADS, a = 3 * Math.PI * t, wobble = i * GOLDEN;
        const r = 0.55 + 0.1 * Math.cos(wobble);
        return [r * Math.cos(a), r * Math.sin(a), 1.7 * (t - 0.5) + 0.1 * Math.sin(wobble)];
      }),
  },
  clamp: {
    summary: "a three-quarter ring, open on one side",
    points: () =>
      range(BEADS).map((i): Point => {
        const a = 1.5 * Math.PI * (i + 0.5) / BEADS, wobble = i * GOLDEN;
        const r = 0.85 + 0.2 * Math.cos(wobble);
        return [r * Math.cos(a), r * Math.sin(a), 0.22 * Math.sin(wobble)];
      }),
  },
  dumbbell: {
    summary: "two globules on a stalk",
    points: () => [...globules([[0, 0, 0.75], [0, 0, -0.75]], 36, 0.34), ...rod([0, 0, -0.3], [0, 0, 0.3], 12, 0.08)],
  },
  octahedron: {
    summary: "six globules on the axes around an empty centre",
    points: () =>
      globules(
        [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]].map(([x, y, z]): Point => [x * 0.8, y * 0.8, z * 0.8]),
        14,
        0.28,
      ),
  },
  mushroom: {
    summary: "a round plate on a stalk",
    points: () => [
      ...range(56).map((i): Point => {
        const r = Math.sqrt((i + 0.5) / 56);
        return [r * Math.cos(i * GOLDEN), r * Math.sin(i * GOLDEN), 0.5];
      }),
      ...rod([0, 0, -1], [0, 0, 0.35], 28, 0.15),
    ],
  },
};

/** Names that {@linkcode analyticModel} knows, in a fixed order. */
export const MODEL_NAMES: readonly string[] = Object.keys(ARCHITECTURES);

const models = new Map<string, BeadModel>();

/**
 * The architecture of that name.
 *
 * @throws {RangeError} When no model has this name.
 */
export function analyticModel(name: string): BeadModel {
  const known = models.get(name);
  if (known) return known;
  const architecture = Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined;
  if (!architecture) throw new RangeError(`no analytic model "${name}": there are ${MODEL_NAMES.join(", ")}`);
  const model = { name, summary: architecture.summary, beadsXyz: moveToTargetRadii(architecture.points()), sigma: BEAD_SIGMA };
  models.set(name, model);
  return model;
}

/** Moves every bead along its direction so that the sorted distances are the target's; the centre of mass stays at the origin. */
function moveToTargetRadii(points: readonly Point[]): Float64Array {
  if (points.length !== BEADS) throw new RangeError(`an architecture has ${points.length} beads, not ${BEADS}`);
  const xyz = Float64Array.from(points.flat());
  const order = range(BEADS);
  // Centring changes the distances and setting the distances moves the centre: alternating converges in a few dozen rounds.
  for (let round = 0; round < 400; round++) {
    for (let axis = 0; axis < 3; axis++) {
      let mean = 0;
      for (let i = 0; i < BEADS; i++) mean += xyz[3 * i + axis] / BEADS;
      for (let i = 0; i < BEADS; i++) xyz[3 * i + axis] -= mean;
    }
    const radius = order.map((_, i) => Math.hypot(xyz[3 * i], xyz[3 * i + 1], xyz[3 * i + 2]));
    if (round === 0) order.sort((i, j) => radius[i] - radius[j] || i - j);
    order.forEach((bead, rank) => {
      const scale = targetRadius(rank) / radius[bead];
      for (let axis = 0; axis < 3; axis++) xyz[3 * bead + axis] *= scale;
    });
  }
  return xyz;
}

function range(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

function circle(n: number, radius: number, z: number, start = 0): Point[] {
  return range(n).map((i) => {
    const angle = start + 2 * Math.PI * i / n;
    return [radius * Math.cos(angle), radius * Math.sin(angle), z];
  });
}

/** `n` beads that fill a ball of `radius` around each centre. */
function globules(centres: readonly Point[], n: number, radius: number): Point[] {
  return centres.flatMap(([x, y, z], c) =>
    range(n).map((i): Point => {
      const u = 1 - 2 * (i + 0.5) / n, s = Math.sqrt(1 - u * u), a = i * GOLDEN + c;
      const r = radius * Math.cbrt((((i * 7) % n) + 0.5) / n);
      return [x + r * s * Math.cos(a), y + r * s * Math.sin(a), z + r * u];
    })
  );
}

/** `n` beads along a rod, on a spiral of `radius` around its axis. */
function rod(from: Point, to: Point, n: number, radius: number): Point[] {
  const axis = from.map((v, i) => to[i] - v);
  const length = Math.hypot(...axis);
  const d = axis.map((v) => v / length);
  const side = Math.abs(d[2]) < 0.9 ? [0, 0, 1] : [1, 0, 0];
  const u = cross(d, side).map((v, _, all) => v / Math.hypot(...all));
  const w = cross(d, u);
  return range(n).map((i): Point => {
    const t = (i + 0.5) / n, a = i * GOLDEN;
    const at = (k: number) => from[k] + t * axis[k] + radius * (u[k] * Math.cos(a) + w[k] * Math.sin(a));
    return [at(0), at(1), at(2)];
  });
}

function cross(a: readonly number[], b: readonly number[]): number[] {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}
