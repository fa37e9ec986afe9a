/**
 * Templates from maps and from atoms: centred, band-limited to what the tomogram's voxels can hold, on a grid twice as fine.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";
import type { Triple } from "../../streams/contract.ts";
import { type GridTemplate, massOf } from "./density.ts";
import { irfft3, rfft3 } from "./fft.ts";

/** Share of the mass inside the sphere that counts as the particle's. */
const MASS_INSIDE = 0.99;
/** Grid points per voxel of the tomogram. */
const OVERSAMPLING = 2;

interface Cube {
  readonly size: number;
  readonly spacingAngstrom: number;
  readonly values: Float32Array;
  /** Index of the centre of mass on x, y, z. */
  readonly centreXyz: readonly number[];
  /** Distance from there, in Angstrom, within which all density lies. */
  readonly radiusAngstrom: number;
  readonly diameterAngstrom: number;
}

/**
 * A template from a density map, bright.
 *
 * @param map `[nz, ny, nx]`.
 * @param threshold Densities below it become 0.
 * @param voxelSizeAngstrom Voxel size of the tomogram.
 * @throws {ShapeError} When `map.length` is not the number of voxels.
 * @throws {RangeError} When nothing is above the threshold.
 */
export function gridTemplateFromMap(
  name: string,
  map: Float32Array,
  shapeZyx: Triple,
  mapVoxelSizeAngstrom: number,
  threshold: number,
  voxelSizeAngstrom: number,
): GridTemplate {
  const [nz, ny, nx] = shapeZyx;
  if (map.length !== nz * ny * nx) throw new ShapeError(`gridTemplateFromMap: ${map.length} voxels do not fill ${nz} x ${ny} x ${nx}`);
  const kept = map.map((v) => v >= threshold && v > 0 ? v : 0);
  const sums = [0, 0, 0];
  let mass = 0;
  eachPoint(kept, shapeZyx, (v, x, y, z) => {
    mass += v;
    sums[0] += v * x;
    sums[1] += v * y;
    sums[2] += v * z;
  });
  if (!(mass > 0)) throw new RangeError(`no density above the threshold of ${threshold}`);
  const centre = sums.map((sum) => sum / mass);
  const { largest, diameter } = extent(kept, shapeZyx, centre, mass);
  // A cube about the centre of mass that holds everything and two points more.
  const size = 2 * Math.ceil(largest + 3), middle = size / 2;
  const values = new Float32Array(size ** 3);
  const offset = centre.map((c) => middle - Math.round(c));
  eachPoint(kept, shapeZyx, (v, x, y, z) => {
    values[((z + offset[2]) * size + y + offset[1]) * size + x + offset[0]] = v;
  });
  return resample(
    name,
    {
      size,
      spacingAngstrom: mapVoxelSizeAngstrom,
      values,
      centreXyz: centre.map((c, axis) => c + offset[axis]),
      radiusAngstrom: (largest + 1) * mapVoxelSizeAngstrom,
      diameterAngstrom: (diameter + 1) * mapVoxelSizeAngstrom,
    },
    voxelSizeAngstrom,
    0,
  );
}

/**
 * A template from atoms, each a Gaussian of deviation resolution / (pi sqrt 2).
 *
 * @param positionsXyz `[n, 3]` in Angstrom.
 * @param weights `[n]`.
 * @param voxelSizeAngstrom Voxel size of the tomogram.
 * @see Goddard et al. 2007, UCSF Chimera's molmap, for the deviation.
 */
export function gridTemplateFromAtoms(
  name: string,
  positionsXyz: Float64Array,
  weights: Float64Array,
  resolutionAngstrom: number,
  voxelSizeAngstrom: number,
): GridTemplate {
  const sigma = resolutionAngstrom / (Math.PI * Math.SQRT2);
  const sums = [0, 0, 0];
  let mass = 0;
  for (let i = 0; i < weights.length; i++) {
    mass += weights[i];
    for (let axis = 0; axis < 3; axis++) sums[axis] += weights[i] * positionsXyz[3 * i + axis];
  }
  const centre = sums.map((sum) => sum / mass);
  const radii = Float64Array.from(weights, (_, i) => Math.hypot(...[0, 1, 2].map((axis) => positionsXyz[3 * i + axis] - centre[axis])));
  const spacing = Math.min(voxelSizeAngstrom, Math.max(sigma, voxelSizeAngstrom / 4)) / 2;
  const radius = Math.max(...[0], radii.reduce((a, b) => Math.max(a, b), 0)) + 4 * sigma;
  const size = 2 * Math.ceil(radius / spacing + 3), middle = size / 2;
  const values = new Float32Array(size ** 3);
  for (let i = 0; i < weights.length; i++) {
    // Each atom is shared out among the eight points around it.
    const at = [0, 1, 2].map((axis) => middle + (positionsXyz[3 * i + axis] - centre[axis]) / spacing);
    const base = at.map(Math.floor), f = at.map((v, axis) => v - base[axis]);
    for (let corner = 0; corner < 8; corner++) {
      const [dx, dy, dz] = [corner & 1, (corner >> 1) & 1, corner >> 2];
      const share = (dx ? f[0] : 1 - f[0]) * (dy ? f[1] : 1 - f[1]) * (dz ? f[2] : 1 - f[2]);
      values[((base[2] + dz) * size + base[1] + dy) * size + base[0] + dx] += share * weights[i];
    }
  }
  const order = [...radii.keys()].sort((a, b) => radii[a] - radii[b]);
  let inside = 0, reach = 0;
  for (const i of order) {
    reach = radii[i];
    if ((inside += weights[i]) >= MASS_INSIDE * mass) break;
  }
  return resample(
    name,
    {
      size,
      spacingAngstrom: spacing,
      values,
      centreXyz: [middle, middle, middle],
      radiusAngstrom: radius,
      diameterAngstrom: 2 * (reach + sigma),
    },
    voxelSizeAngstrom,
    sigma,
  );
}

/** The mirror image of a template (x to -x). */
export function mirrorGrid(template: GridTemplate): GridTemplate {
  const { size, values } = template;
  const mirrored = new Float32Array(values.length);
  const middle = Math.floor(size / 2);
  for (let row = 0; row < size * size; row++) {
    for (let x = 0; x < size; x++) {
      const from = 2 * middle - x;
      if (from >= 0 && from < size) mirrored[row * size + x] = values[row * size + from];
    }
  }
  return { ...template, values: mirrored };
}

/** Fourier cropping or padding to half the tomogram's voxel, the centre of mass on a grid point, nothing finer than two voxels. */
function resample(name: string, cube: Cube, voxelSizeAngstrom: number, sigmaAngstrom: number): GridTemplate {
  const { size: n, spacingAngstrom: h } = cube;
  const edge = n * h;
  const m = 2 * Math.max(4, Math.round(edge * OVERSAMPLING / voxelSizeAngstrom / 2));
  const input = rfft3(cube.values, [n, n, n]);
  const half = (m >> 1) + 1, inputHalf = (n >> 1) + 1;
  const output = new Float32Array(2 * m * m * half);
  const scale = (m / n) ** 3;
  const limit = Math.min(edge / (2 * voxelSizeAngstrom), (n - 1) / 2, (m - 1) / 2);
  const phase = cube.centreXyz.map((c) => 2 * Math.PI * (c / n - 0.5));
  // Trilinear reading, and for atoms the sharing-out, blur by a squared sinc each.
  const blur = (k: number, points: number) => (k === 0 ? 1 : Math.sin(Math.PI * k / points) / (Math.PI * k / points)) ** 2;
  const total = (k: number) => blur(k, m) * (sigmaAngstrom > 0 ? blur(k, n) : 1);
  const top = Math.floor(limit);
  for (let kz = -top; kz <= top; kz++) {
    for (let ky = -top; ky <= top; ky++) {
      for (let kx = 0; kx <= top; kx++) {
        const square = kx * kx + ky * ky + kz * kz;
        if (square > limit * limit) continue;
        const gain = scale * Math.exp(-2 * Math.PI ** 2 * sigmaAngstrom ** 2 * square / (edge * edge)) /
          (total(kx) * total(ky) * total(kz));
        const from = 2 * (((kz < 0 ? kz + n : kz) * n + (ky < 0 ? ky + n : ky)) * inputHalf + kx);
        const to = 2 * (((kz < 0 ? kz + m : kz) * m + (ky < 0 ? ky + m : ky)) * half + kx);
        const angle = kx * phase[0] + ky * phase[1] + kz * phase[2];
        const c = gain * Math.cos(angle), s = gain * Math.sin(angle);
        output[to] = input[from] * c - input[from + 1] * s;
        output[to + 1] = input[from] * s + input[from + 1] * c;
      }
    }
  }
  const values = irfft3(output, [m, m, m]);
  const pointsPerVoxel = voxelSizeAngstrom * m / edge;
  const diameterVoxels = cube.diameterAngstrom / voxelSizeAngstrom;
  let sum = 0;
  for (const v of values) sum += v;
  const factor = massOf(diameterVoxels) * pointsPerVoxel ** 3 / sum;
  for (let i = 0; i < values.length; i++) values[i] *= factor;
  const reachVoxels = Math.min(cube.radiusAngstrom / voxelSizeAngstrom + 1.5, m / 2 / pointsPerVoxel);
  return { kind: "grid", name, diameterVoxels, size: m, pointsPerVoxel, values, reachVoxels };
}

function eachPoint(values: Float32Array, [nz, ny, nx]: Triple, visit: (value: number, x: number, y: number, z: number) => void): void {
  for (let z = 0, i = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++, i++) if (values[i] !== 0) visit(values[i], x, y, z);
    }
  }
}

/** Distance of the farthest density from the centre, and the diameter of the sphere that holds nearly all of the mass; unit: map voxels. */
function extent(values: Float32Array, shapeZyx: Triple, centre: readonly number[], mass: number): { largest: number; diameter: number } {
  const shells = new Float64Array(Math.ceil(Math.hypot(...shapeZyx)) + 2);
  let largest = 0;
  eachPoint(values, shapeZyx, (v, x, y, z) => {
    const r = Math.hypot(x - centre[0], y - centre[1], z - centre[2]);
    largest = Math.max(largest, r);
    shells[Math.floor(r)] += v;
  });
  let inside = 0, shell = 0;
  while ((inside += shells[shell]) < MASS_INSIDE * mass) shell++;
  const before = inside - shells[shell];
  return { largest, diameter: 2 * (shell + (MASS_INSIDE * mass - before) / shells[shell]) };
}
