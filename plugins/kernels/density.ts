/**
 * Templates of particles and their rendering into a volume at any position and orientation.
 *
 * Pose convention: a particle with rotation A (`eulerZyzToMatrix(rot, tilt, psi)`) and centre c shows `template(A^T (p - c))`, as in RELION.
 * Every template holds the same mass for its size, so that unlike sources can share a tomogram: the sum over its voxels is 0.3 times the
 * volume of the sphere of its diameter.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";
import type { Triple } from "../../streams/contract.ts";
import type { BeadModel } from "./density_models.ts";
import type { Matrix3 } from "./rotation.ts";

/** Particle density as Gaussian beads; unit: voxels of the volume it is rendered into. */
export interface BeadTemplate {
  /** Tells the two kinds of template apart. */
  readonly kind: "beads";
  /** For messages. */
  readonly name: string;
  /** Diameter of the sphere that holds the particle. */
  readonly diameterVoxels: number;
  /** `[n, 3]` x, y, z from the centre. */
  readonly beadsXyz: Float64Array;
  /** Standard deviation of every bead, the extent of a voxel included. */
  readonly sigmaVoxels: number;
  /** Sum over voxels of one bead. */
  readonly beadMass: number;
}

/** Particle density on a finer grid, read by trilinear interpolation. */
export interface GridTemplate {
  /** Tells the two kinds of template apart. */
  readonly kind: "grid";
  /** For messages. */
  readonly name: string;
  /** Diameter of the sphere that holds the particle. */
  readonly diameterVoxels: number;
  /** Points of the grid in each direction; the particle's centre lies at index `size / 2` (integer part) of each axis. */
  readonly size: number;
  /** Grid points per voxel of the volume it is rendered into. */
  readonly pointsPerVoxel: number;
  /** `[size, size, size]` densities. */
  readonly values: Float32Array;
  /** Distance from the centre, in voxels, beyond which there is no density. */
  readonly reachVoxels: number;
}

/** What {@linkcode addParticle} renders. */
export type Template = BeadTemplate | GridTemplate;

/** Mean density inside the sphere of a particle's diameter. */
export const MEAN_DENSITY = 0.3;
/** A bead ends this many deviations from its centre, where it has lost 0.03 % of its peak. */
const BEAD_REACH = 4;

/** Sum over voxels of a particle of that diameter, whatever its template. */
export function massOf(diameterVoxels: number): number {
  return MEAN_DENSITY * Math.PI / 6 * diameterVoxels ** 3;
}

/**
 * An analytic model at a stated size.
 *
 * @param diameterVoxels Diameter of the sphere that holds the particle, in voxels.
 */
export function beadTemplate(model: BeadModel, diameterVoxels: number): BeadTemplate {
  return {
    kind: "beads",
    name: model.name,
    diameterVoxels,
    beadsXyz: model.beadsXyz.map((v) => v * diameterVoxels),
    // A voxel averages over its cube, whose variance is 1/12 along each axis.
    sigmaVoxels: Math.hypot(model.sigma * diameterVoxels, Math.sqrt(1 / 12)),
    beadMass: massOf(diameterVoxels) / (model.beadsXyz.length / 3),
  };
}

/** The mirror image of a bead template (x to -x). */
export function mirrorBeads(template: BeadTemplate): BeadTemplate {
  return { ...template, beadsXyz: template.beadsXyz.map((v, i) => i % 3 === 0 ? -v : v) };
}

/** Distance from the centre, in voxels, beyond which the template adds nothing. */
export function reachOf(template: Template): number {
  if (template.kind === "grid") return template.reachVoxels;
  let largest = 0;
  const { beadsXyz: b } = template;
  for (let i = 0; i < b.length; i += 3) largest = Math.max(largest, Math.hypot(b[i], b[i + 1], b[i + 2]));
  return largest + BEAD_REACH * template.sigmaVoxels;
}

/**
 * Adds a particle to a volume. What lies outside the volume is left out.
 *
 * @param volume `[nz, ny, nx]`, changed in place.
 * @param centreXyz Centre in voxels, from the volume's first voxel; fractions count.
 * @param pose Rotation A of the particle.
 * @param scale Factor on the density.
 * @throws {ShapeError} When `volume.length` is not the number of voxels.
 */
export function addParticle(
  volume: Float32Array,
  shapeZyx: Triple,
  template: Template,
  centreXyz: ArrayLike<number>,
  pose: Matrix3,
  scale = 1,
): void {
  const [nz, ny, nx] = shapeZyx;
  if (volume.length !== nz * ny * nx) {
    throw new ShapeError(`addParticle: ${volume.length} voxels do not fill ${nz} x ${ny} x ${nx}`);
  }
  if (template.kind === "beads") addBeads(volume, shapeZyx, template, centreXyz, pose, scale);
  else addGrid(volume, shapeZyx, template, centreXyz, pose, scale);
}

function addBeads(
  volume: Float32Array,
  shapeZyx: Triple,
  template: BeadTemplate,
  centreXyz: ArrayLike<number>,
  pose: Matrix3,
  scale: number,
): void {
  const { beadsXyz: b, sigmaVoxels: sigma } = template;
  const reach = BEAD_REACH * sigma;
  const norm = scale * template.beadMass / Math.pow(Math.sqrt(2 * Math.PI) * sigma, 3);
  const width = Math.floor(2 * reach) + 2;
  const profiles = [new Float64Array(width), new Float64Array(width), new Float64Array(width)];
  const first = [0, 0, 0], last = [0, 0, 0];
  const limits = [shapeZyx[2], shapeZyx[1], shapeZyx[0]];
  for (let i = 0; i < b.length; i += 3) {
    for (let axis = 0; axis < 3; axis++) {
      const at = centreXyz[axis] + pose[3 * axis] * b[i] + pose[3 * axis + 1] * b[i + 1] + pose[3 * axis + 2] * b[i + 2];
      first[axis] = Math.max(0, Math.ceil(at - reach));
      last[axis] = Math.min(limits[axis] - 1, Math.floor(at + reach));
      for (let p = first[axis]; p <= last[axis]; p++) profiles[axis][p - first[axis]] = Math.exp(-0.5 * ((p - at) / sigma) ** 2);
    }
    const [px, py, pz] = profiles;
    for (let z = first[2]; z <= last[2]; z++) {
      for (let y = first[1]; y <= last[1]; y++) {
        const factor = norm * pz[z - first[2]] * py[y - first[1]];
        const row = (z * shapeZyx[1] + y) * shapeZyx[2];
        for (let x = first[0]; x <= last[0]; x++) volume[row + x] += factor * px[x - first[0]];
      }
    }
  }
}

function addGrid(
  volume: Float32Array,
  shapeZyx: Triple,
  template: GridTemplate,
  centreXyz: ArrayLike<number>,
  pose: Matrix3,
  scale: number,
): void {
  const { size, pointsPerVoxel: g, values } = template;
  const middle = Math.floor(size / 2), reach = reachOf(template);
  const [nz, ny, nx] = shapeZyx;
  const low = (axis: number) => Math.max(0, Math.ceil(centreXyz[axis] - reach));
  const high = (axis: number, n: number) => Math.min(n - 1, Math.floor(centreXyz[axis] + reach));
  const [x0, y0, z0] = [low(0), low(1), low(2)], [x1, y1, z1] = [high(0, nx), high(1, ny), high(2, nz)];
  const area = size * size, top = size - 1;
  for (let z = z0; z <= z1; z++) {
    const dz = z - centreXyz[2];
    for (let y = y0; y <= y1; y++) {
      const dy = y - centreXyz[1];
      for (let x = x0; x <= x1; x++) {
        const dx = x - centreXyz[0];
        // The transpose of A carries the tomogram's axes to the template's.
        const u = middle + g * (pose[0] * dx + pose[3] * dy + pose[6] * dz);
        const v = middle + g * (pose[1] * dx + pose[4] * dy + pose[7] * dz);
        const w = middle + g * (pose[2] * dx + pose[5] * dy + pose[8] * dz);
        if (!(u >= 0 && v >= 0 && w >= 0 && u < top && v < top && w < top)) continue;
        const i = Math.floor(u), j = Math.floor(v), k = Math.floor(w);
        const fu = u - i, fv = v - j, fw = w - k;
        const at = k * area + j * size + i;
        const a = values[at] * (1 - fu) + values[at + 1] * fu;
        const b = values[at + size] * (1 - fu) + values[at + size + 1] * fu;
        const c = values[at + area] * (1 - fu) + values[at + area + 1] * fu;
        const d = values[at + area + size] * (1 - fu) + values[at + area + size + 1] * fu;
        volume[(z * ny + y) * nx + x] += scale * ((a * (1 - fv) + b * fv) * (1 - fw) + (c * (1 - fv) + d * fv) * fw);
      }
    }
  }
}
