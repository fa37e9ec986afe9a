/**
 * Where things lie in a simulated tomogram: random sequential addition of spheres that never overlap, clear of membranes.
 * @module
 */
import type { Random, Triple } from "../../../streams/contract.ts";
import { RunError } from "../../../streams/errors.ts";

/** A sphere to place; unit: voxels. */
export interface Sphere {
  /** Nothing else comes nearer to the centre. */
  readonly radius: number;
  /** Least distance of the centre from every face. */
  readonly margin: number;
  /** For the message when it does not fit. */
  readonly name: string;
}

/** Part of a sphere's surface, wide enough to look like a sheet; unit: voxels. */
export interface Sheet {
  /** Centre of the sphere that the sheet is a part of; it may lie far outside the volume. */
  readonly centreXyz: readonly [number, number, number];
  /** Radius of that sphere. */
  readonly radius: number;
  /** Half the distance between the leaflets, and the leaflets' deviation. */
  readonly halfThickness: number;
  /** Deviation of a leaflet's Gaussian profile. */
  readonly sigma: number;
}

/** Tries for each sphere before placement gives up. */
const TRIES = 20_000;

/** Distance of a point from a sheet's middle surface. */
export function distanceToSheet(sheet: Sheet, x: number, y: number, z: number): number {
  return Math.abs(Math.hypot(x - sheet.centreXyz[0], y - sheet.centreXyz[1], z - sheet.centreXyz[2]) - sheet.radius);
}

/** A sheet through a random point in the middle half of the volume, at a random angle. */
export function placeSheet(random: Random, shapeZyx: Triple, radius: number, thickness: number, sigma: number): Sheet {
  const [z, y, x] = shapeZyx.map((n) => n * (0.25 + 0.5 * random.uniform()));
  const u = 2 * random.uniform() - 1, angle = 2 * Math.PI * random.uniform(), s = Math.sqrt(1 - u * u);
  const normal = [s * Math.cos(angle), s * Math.sin(angle), u];
  return {
    centreXyz: [x - radius * normal[0], y - radius * normal[1], z - radius * normal[2]],
    radius,
    halfThickness: thickness / 2,
    sigma,
  };
}

/**
 * Places spheres, largest first and otherwise in a random order, at uniformly random centres where they touch nothing.
 *
 * @param gap Free space between two spheres.
 * @param what Named in the message.
 * @returns `[n, 3]` centres x, y, z in the order of `spheres`.
 * @throws {RunError} When a sphere finds no place.
 * @see Widom 1966, random sequential addition; spheres jam at 38 % of the volume.
 */
export function placeSpheres(
  random: Random,
  shapeZyx: Triple,
  spheres: readonly Sphere[],
  sheets: readonly Sheet[],
  gap: number,
  what: string,
): Float64Array {
  const centres = new Float64Array(3 * spheres.length);
  const order = [...random.permutation(spheres.length)].sort((a, b) => spheres[b].radius - spheres[a].radius);
  const cell = Math.max(1, 2 * Math.max(0, ...spheres.map((sphere) => sphere.radius)) + gap);
  const cells = shapeZyx.map((n) => Math.max(1, Math.ceil(n / cell)));
  const grid = new Map<number, number[]>();
  const cellOf = (value: number, axis: number) => Math.min(cells[axis] - 1, Math.max(0, Math.floor(value / cell)));
  const free = (sphere: Sphere, x: number, y: number, z: number) => {
    for (const sheet of sheets) {
      if (distanceToSheet(sheet, x, y, z) < sphere.radius + sheet.halfThickness + 2 * sheet.sigma) return false;
    }
    const [k, j, i] = [cellOf(z, 0), cellOf(y, 1), cellOf(x, 2)];
    for (let c = Math.max(0, k - 1); c <= Math.min(cells[0] - 1, k + 1); c++) {
      for (let b = Math.max(0, j - 1); b <= Math.min(cells[1] - 1, j + 1); b++) {
        for (let a = Math.max(0, i - 1); a <= Math.min(cells[2] - 1, i + 1); a++) {
          for (const other of grid.get((c * cells[1] + b) * cells[2] + a) ?? []) {
            const least = sphere.radius + spheres[other].radius + gap;
            const dx = x - centres[3 * other], dy = y - centres[3 * other + 1], dz = z - centres[3 * other + 2];
            if (dx * dx + dy * dy + dz * dz < least * least) return false;
          }
        }
      }
    }
    return true;
  };
  order.forEach((index, done) => {
    const sphere = spheres[index];
    const draw = (n: number) => sphere.margin + random.uniform() * (n - 1 - 2 * sphere.margin);
    for (let attempt = 0;; attempt++) {
      if (attempt === TRIES || shapeZyx.some((n) => n - 1 < 2 * sphere.margin)) throw doesNotFit(shapeZyx, spheres, order, done, what);
      const x = draw(shapeZyx[2]), y = draw(shapeZyx[1]), z = draw(shapeZyx[0]);
      if (!free(sphere, x, y, z)) continue;
      centres.set([x, y, z], 3 * index);
      const key = (cellOf(z, 0) * cells[1] + cellOf(y, 1)) * cells[2] + cellOf(x, 2);
      const list = grid.get(key);
      if (list) list.push(index);
      else grid.set(key, [index]);
      return;
    }
  });
  return centres;
}

function doesNotFit(shapeZyx: Triple, spheres: readonly Sphere[], order: readonly number[], done: number, what: string): RunError {
  const total = spheres.reduce((sum, sphere) => sum + 4 / 3 * Math.PI * sphere.radius ** 3, 0);
  const share = 100 * total / (shapeZyx[0] * shapeZyx[1] * shapeZyx[2]);
  return new RunError(
    `${what}: after ${done} of ${spheres.length} particles there is no room for "${spheres[order[done]].name}" ` +
      `(radius ${spheres[order[done]].radius.toFixed(1)} voxels); all of them would fill ${share.toFixed(0)} % of the volume, ` +
      `and spheres placed at random jam at 38 %: lower species[].count, minimumGapAngstrom or edgeMarginAngstrom, or enlarge shapeXyzVoxels`,
  );
}
