/**
 * Features of a box that do not change when the particle turns: spherical-harmonic power on radial shells, and how alike two shells are.
 *
 * A box is low-passed by a Gaussian, sampled on spheres r = 1, 2, ... about voxel floor(b/2) and expanded in real spherical harmonics
 * c(r, l, m). The power sum_m c^2 and the products sum_m c(r) c(r') do not depend on orientation (Kazhdan et al. 2003), apart from what the
 * missing wedge does. Every feature is expressed in units of the deviation that white noise gives it, so nothing is learned and box i's
 * features never depend on the other boxes.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";
import { inscribedSphere } from "./prepare.ts";
import * as simd from "./simd/invariants.wasm";
import { gaussLegendre, realSphericalHarmonics, sphereQuadrature } from "./spherical_harmonics.ts";

/** What to compute. */
export interface InvariantSettings {
  readonly boxVoxels: number;
  /** Deviation of the low-pass Gaussian; 0 switches it off. */
  readonly sigmaVoxels: number;
  /** Number of shells, evenly spaced up to the outermost. */
  readonly shells: number;
  /** Radius of the outermost shell, or half the box minus two if that is less: the trilinear cells must lie inside the box. */
  readonly maximumRadiusVoxels: number;
  /** Highest l, 6 at most. */
  readonly degree: number;
  /** Whether products of shells at least two voxels apart are added. */
  readonly crossShell: boolean;
}

/** Tables of one setting in the memory of the WebAssembly instance of this realm. */
interface Plan {
  readonly settings: InvariantSettings;
  readonly points: number;
  /** Harmonics rounded up to a multiple of 7. */
  readonly columns: number;
  readonly raw: number;
  readonly front: number;
  readonly back: number;
  readonly taps: number;
  readonly half: number;
  readonly cells: number;
  readonly weights: number;
  readonly samples: number;
  readonly table: number;
  readonly coefficients: number;
  readonly low: number;
  readonly high: number;
  /** `[shells, degree + 1]` variance of one coefficient on unit white noise. */
  readonly noise: Float64Array;
  /** `[shells, degree + 1]` 1 where a feature is made. */
  readonly kept: Uint8Array;
  /** Indices of the voxels inside the inscribed sphere. */
  readonly sphere: Int32Array;
}

const plans = new Map<string, Plan>();
/** Boxes that one instruction serves. */
const LANES = 4;
/** Added to each power, as a fraction of what unit white noise gives: in denoised boxes the logarithm of next to nothing would dominate. */
const FLOOR = 0.01;
/** A degree is left out where the low-pass leaves less than this of l = 0: inner shells cannot show high degrees. */
const RESOLVED = 0.05;
/** Variance that trilinear interpolation adds to the low-pass (a hat of half-width one). */
const HAT_VARIANCE = 1 / 6;

/** Number of features; it does not depend on the size of the boxes. */
export function invariantDims(settings: Omit<InvariantSettings, "boxVoxels">): number {
  const kept = keptDegrees(settings), { shells, degree } = settings;
  let dims = shells;
  for (let l = 1; l <= degree; l++) {
    for (let r = 0; r < shells; r++) {
      if (!kept[r * (degree + 1) + l]) continue;
      dims++;
      for (let s = r + 2; s < shells && settings.crossShell; s++) dims += kept[s * (degree + 1) + l];
    }
  }
  return dims;
}

/**
 * Rotation invariants of boxes.
 *
 * Shapes: `voxels` [count, b, b, b] float32 -> [count, {@linkcode invariantDims}]: first the mean of each shell (l = 0), then log power
 * [l, r] for l >= 1 (degrees that the low-pass leaves on a shell), then Fisher's z of the correlation of shells [l, r < r' - 1]. Mean and deviation inside the inscribed sphere are taken
 * out first. Cost: about 0.2 ms a box of 24^3. Float32 inside, WebAssembly SIMD.
 * @throws {ShapeError} When `voxels` holds fewer than count boxes, or the box is smaller than 6, or degree is not in 0..6.
 * @see Kazhdan, Funkhouser and Rusinkiewicz 2003, "Rotation invariant spherical harmonic representation of 3D shape descriptors".
 */
export function invariantsOf(voxels: Float32Array, count: number, settings: InvariantSettings): Float32Array {
  const size = settings.boxVoxels ** 3;
  if (voxels.length < count * size) {
    throw new ShapeError(`${voxels.length} voxels given, ${count} boxes of ${settings.boxVoxels}^3 need ${count * size}`);
  }
  const plan = planFor(settings);
  const dims = invariantDims(settings);
  const out = new Float32Array(count * dims);
  for (let first = 0; first < count; first += LANES) {
    const lanes = Math.min(LANES, count - first);
    const raw = new Float32Array(simd.memory.buffer, plan.raw, LANES * size);
    raw.set(voxels.subarray(first * size, (first + lanes) * size));
    if (lanes < LANES) raw.fill(0, lanes * size);
    expand(plan);
    const coefficients = new Float32Array(simd.memory.buffer, plan.coefficients, LANES * plan.settings.shells * plan.columns);
    for (let lane = 0; lane < lanes; lane++) {
      const box = voxels.subarray((first + lane) * size, (first + lane + 1) * size);
      write(plan, coefficients, lane, momentsIn(box, plan.sphere), out.subarray((first + lane) * dims, (first + lane + 1) * dims));
    }
  }
  return out;
}

/** Four boxes in `plan.raw` to coefficients [shells, columns, 4]. */
function expand(plan: Plan): void {
  const n = plan.settings.boxVoxels, { low, high, half } = plan;
  simd.interleave(plan.raw, plan.front, n ** 3);
  let from = plan.front, to = plan.back;
  if (half > 0) {
    // Only the cube about the outermost shell is needed, wider by the kernel along the axes that are still to come.
    const wideLow = Math.max(0, low - half), wideHigh = Math.min(n, high + half);
    simd.blur(from, to, n, 2, plan.taps, half, wideLow, wideHigh, wideLow, wideHigh, low, high);
    simd.blur(to, from, n, 1, plan.taps, half, wideLow, wideHigh, low, high, low, high);
    simd.blur(from, to, n, 0, plan.taps, half, low, high, low, high, low, high);
    [from, to] = [to, from];
  }
  simd.sample(from, plan.samples, plan.cells, plan.weights, plan.settings.shells * plan.points, n);
  simd.project(plan.samples, plan.coefficients, plan.table, plan.settings.shells, plan.points, plan.columns);
}

/** Turns one box's coefficients into features. */
function write(plan: Plan, c: Float32Array, lane: number, moments: readonly [number, number], out: Float32Array): void {
  const { columns, settings, noise, kept } = plan, { shells, degree } = settings, side = degree + 1;
  const scale = 1 / moments[1];
  const at = (shell: number, harmonic: number) => c[(shell * columns + harmonic) * LANES + lane] * scale;
  let next = 0;
  const mean = moments[0] * scale * Math.sqrt(4 * Math.PI);
  for (let r = 0; r < shells; r++) out[next++] = (at(r, 0) - mean) / Math.sqrt(noise[r * side]);
  const power = new Float64Array(shells);
  let trigamma = Math.PI * Math.PI / 2;
  const products: number[] = [];
  for (let l = 1; l <= degree; l++) {
    trigamma -= 4 / ((2 * l - 1) * (2 * l - 1));
    for (let r = 0; r < shells; r++) {
      if (!kept[r * side + l]) continue;
      let sum = 0;
      for (let h = l * l; h < (l + 1) * (l + 1); h++) sum += at(r, h) * at(r, h);
      power[r] = sum / ((2 * l + 1) * noise[r * side + l]) + FLOOR;
      // The logarithm of chi-square with 2l + 1 degrees of freedom has variance trigamma(l + 1/2).
      out[next++] = Math.log(power[r]) / Math.sqrt(trigamma);
    }
    if (!settings.crossShell) continue;
    for (let r = 0; r < shells; r++) {
      for (let s = r + 2; s < shells; s++) {
        if (!kept[r * side + l] || !kept[s * side + l]) continue;
        let sum = 0;
        for (let h = l * l; h < (l + 1) * (l + 1); h++) sum += at(r, h) * at(s, h);
        const unit = (2 * l + 1) * Math.sqrt(noise[r * side + l] * noise[s * side + l]);
        // Fisher's z of 2l + 1 pairs of known mean has a variance of about 1 / 2l.
        products.push(Math.atanh(sum / unit / Math.sqrt(power[r] * power[s])) * Math.sqrt(2 * l));
      }
    }
  }
  out.set(products, next);
}

/**
 * Variance of one coefficient c(r, l, m) on unit white noise after the low-pass: the Legendre transform of the noise's covariance
 * between two points of a sphere.
 * @returns `[degree + 1]`.
 */
function noiseVariance(radius: number, sigmaVoxels: number, degree: number): Float64Array {
  const variance = sigmaVoxels * sigmaVoxels + HAT_VARIANCE;
  const { nodes, weights } = gaussLegendre(48);
  const out = new Float64Array(degree + 1);
  nodes.forEach((t, i) => {
    const covariance = (4 * Math.PI * variance) ** -1.5 * Math.exp(-radius * radius * (1 - t) / (2 * variance));
    for (let l = 0, previous = 0, value = 1; l <= degree; l++) {
      out[l] += 2 * Math.PI * weights[i] * covariance * value;
      [previous, value] = [value, ((2 * l + 1) * t * value - l * previous) / (l + 1)];
    }
  });
  return out;
}

/** `[shells, degree + 1]` 1 where the low-pass leaves something to see, by the nominal radii, whatever the box. */
function keptDegrees({ shells, degree, maximumRadiusVoxels, sigmaVoxels }: Omit<InvariantSettings, "boxVoxels">): Uint8Array {
  const kept = new Uint8Array(shells * (degree + 1));
  for (let r = 0; r < shells; r++) {
    const variance = noiseVariance((r + 1) / shells * maximumRadiusVoxels, sigmaVoxels, degree);
    for (let l = 0; l <= degree; l++) kept[r * (degree + 1) + l] = variance[l] >= RESOLVED * variance[0] ? 1 : 0;
  }
  return kept;
}

/** Mean and deviation inside the inscribed sphere; deviation 1 for a constant box. */
function momentsIn(box: Float32Array, sphere: Int32Array): readonly [number, number] {
  let sum = 0, squares = 0;
  for (let i = 0; i < sphere.length; i++) {
    const value = box[sphere[i]];
    sum += value;
    squares += value * value;
  }
  const mean = sum / sphere.length;
  const variance = squares / sphere.length - mean * mean;
  return [mean, variance > 1e-12 ? Math.sqrt(variance) : 1];
}

function planFor(settings: InvariantSettings): Plan {
  const { boxVoxels, sigmaVoxels, shells, maximumRadiusVoxels, degree, crossShell } = settings;
  const key = JSON.stringify([boxVoxels, sigmaVoxels, shells, maximumRadiusVoxels, degree, crossShell]);
  let plan = plans.get(key);
  if (!plan) plans.set(key, plan = makePlan(settings));
  return plan;
}

function makePlan(settings: InvariantSettings): Plan {
  const n = settings.boxVoxels, { degree, shells } = settings;
  const centre = Math.floor(n / 2), outermost = Math.min(settings.maximumRadiusVoxels, centre - 2);
  if (outermost < 1) throw new ShapeError(`a box of ${n}^3 has no room for a shell; invariants need a box of at least 6^3`);
  if (!Number.isInteger(degree) || degree < 0 || degree > 6) throw new ShapeError(`degree ${degree} found, 0..6 expected`);
  const { directionsXyz, weights } = sphereQuadrature(2 * degree + 4);
  const points = weights.length, harmonics = (degree + 1) ** 2, columns = Math.ceil(harmonics / 7) * 7;
  const taps = gaussianTaps(settings.sigmaVoxels), half = taps.length - 1;
  const cellOf = new Uint32Array(shells * points), cornerWeights = new Float32Array(shells * points * 8);
  const noise = new Float64Array(shells * (degree + 1));
  const Y = realSphericalHarmonics(degree, directionsXyz);
  for (let s = 0; s < shells; s++) {
    for (let p = 0; p < points; p++) {
      const q = [0, 1, 2].map((axis) => centre + (s + 1) / shells * outermost * directionsXyz[3 * p + axis]);
      const low = q.map((value) => Math.min(n - 2, Math.floor(value)));
      const cell = (low[2] * n + low[1]) * n + low[0];
      cellOf[s * points + p] = cell;
      for (let corner = 0; corner < 8; corner++) {
        let weight = 1;
        for (let axis = 0; axis < 3; axis++) {
          const upper = corner >> axis & 1, fraction = q[axis] - low[axis];
          weight *= upper ? fraction : 1 - fraction;
        }
        cornerWeights[(s * points + p) * 8 + corner] = weight;
      }
    }
    noise.set(noiseVariance((s + 1) / shells * outermost, settings.sigmaVoxels, degree), s * (degree + 1));
  }
  const table = new Float32Array(points * columns);
  for (let p = 0; p < points; p++) {
    for (let h = 0; h < harmonics; h++) table[p * columns + h] = Y[p * harmonics + h] * weights[p];
  }
  const put = (values: Float32Array | Uint32Array) => {
    const address = simd.alloc(values.byteLength);
    new Uint8Array(simd.memory.buffer, address, values.byteLength).set(
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
    );
    return address;
  };
  return {
    settings,
    points,
    columns,
    half,
    noise,
    kept: keptDegrees(settings),
    raw: simd.alloc(16 * n ** 3),
    front: simd.alloc(16 * n ** 3),
    back: simd.alloc(16 * n ** 3),
    samples: simd.alloc(16 * shells * points),
    coefficients: simd.alloc(16 * shells * columns),
    taps: put(Float32Array.from(taps)),
    cells: put(cellOf),
    weights: put(cornerWeights),
    table: put(table),
    low: centre - Math.ceil(outermost),
    high: Math.min(n, centre + Math.ceil(outermost) + 2),
    sphere: Int32Array.from(inscribedSphere(n).entries().filter(([, member]) => member).map(([index]) => index)),
  };
}

/** Centre first, sum of the whole kernel 1, cut at three deviations. */
function gaussianTaps(sigma: number): Float64Array {
  const half = sigma > 0 ? Math.max(1, Math.ceil(3 * sigma)) : 0;
  const taps = Float64Array.from({ length: half + 1 }, (_, i) => half === 0 ? 1 : Math.exp(-i * i / (2 * sigma * sigma)));
  const sum = taps.reduce((total, value, i) => total + (i ? 2 : 1) * value, 0);
  return taps.map((value) => value / sum);
}
