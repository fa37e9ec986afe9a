/**
 * Labelled stacks of simulated boxes in memory: what tests and tuning measure against.
 * @module
 */
import { addParticle, type Template } from "../../kernels/density.ts";
import { fft3, frequencyOf } from "../../kernels/fft.ts";
import { createRandom } from "../../kernels/random.ts";
import { matrixToEulerZyz, randomRotation } from "../../kernels/rotation.ts";

/** What {@linkcode makeStack} makes. */
export interface StackOptions {
  /** One template a species; the label of a box is its index here. */
  readonly templates: readonly Template[];
  /** Boxes in all, shared out evenly, or a count for each template. */
  readonly count: number | readonly number[];
  readonly boxVoxels: number;
  /** Variance of the signal over the box after the wedge, divided by that of the noise after the same wedge; Infinity: no noise. */
  readonly snr: number;
  /** Tilts about y from the first to the second angle; [-90, 90]: no missing wedge. */
  readonly tiltRangeDegrees: readonly [number, number];
  /** Each centre lies within this distance of the box's centre along every axis, in voxels. */
  readonly pickErrorVoxels: number;
  readonly seed: number;
}

/** Simulated boxes with their truth, in a random order of species. */
export interface SimulatedStack {
  readonly boxVoxels: number;
  /** `[n, b, b, b]`, bright particles, not normalised: the noise has the same deviation in every box. */
  readonly voxels: Float32Array;
  /** `[n]` indices of templates. */
  readonly labels: Int32Array;
  /** `[n, 3]` rot, tilt, psi in degrees, RELION's convention. */
  readonly eulerZyzDegrees: Float64Array;
  /** `[n, 3]` x, y, z: the particle's centre minus voxel floor(b / 2). */
  readonly shiftsXyz: Float64Array;
}

/** Simulates a stack; the same options give the same stack, and the first boxes do not depend on how many follow. */
export function makeStack(options: StackOptions): SimulatedStack {
  const { templates, boxVoxels: b, seed } = options;
  const labels = shareOut(options.count, templates.length, seed);
  const n = labels.length, volume = b * b * b, shape = [b, b, b] as const;
  const voxels = new Float32Array(n * volume);
  const eulerZyzDegrees = new Float64Array(3 * n), shiftsXyz = new Float64Array(3 * n);
  const mask = wedge(b, options.tiltRangeDegrees);
  const spectrum = new Float32Array(2 * volume);
  let signal = 0;
  for (let i = 0; i < n; i++) {
    const random = createRandom(seed, "stack", "pose", i);
    const pose = randomRotation(random);
    const shift = [0, 1, 2].map(() => (2 * random.uniform() - 1) * options.pickErrorVoxels);
    const box = voxels.subarray(i * volume, (i + 1) * volume);
    addParticle(box, shape, templates[labels[i]], shift.map((v) => v + (b >> 1)), pose);
    eulerZyzDegrees.set(matrixToEulerZyz(pose), 3 * i);
    shiftsXyz.set(shift, 3 * i);
    applyMask(box, spectrum, mask, b);
    signal += variance(box) / n;
  }
  // White noise of deviation 1 keeps, after the wedge, the share of coefficients that the wedge keeps (the zero frequency has no variance).
  const kept = (mask.reduce((sum, v) => sum + v, 0) - 1) / volume;
  const deviation = Math.sqrt(signal / options.snr / kept);
  if (!(deviation > 0)) return { boxVoxels: b, voxels, labels, eulerZyzDegrees, shiftsXyz };
  const noise = new Float32Array(volume);
  for (let i = 0; i < n; i++) {
    const random = createRandom(seed, "stack", "noise", i);
    for (let v = 0; v < volume; v++) noise[v] = deviation * random.normal();
    applyMask(noise, spectrum, mask, b);
    for (let v = 0; v < volume; v++) voxels[i * volume + v] += noise[v];
  }
  return { boxVoxels: b, voxels, labels, eulerZyzDegrees, shiftsXyz };
}

function shareOut(count: number | readonly number[], k: number, seed: number): Int32Array {
  const random = createRandom(seed, "stack", "order");
  if (typeof count === "number") return Int32Array.from({ length: count }, () => random.integer(k));
  const sorted = count.flatMap((c, label) => Array.from({ length: c }, () => label));
  return Int32Array.from(random.permutation(sorted.length), (i) => sorted[i]);
}

/** Population variance. */
function variance(values: Float32Array): number {
  let sum = 0, square = 0;
  for (const value of values) {
    sum += value;
    square += value * value;
  }
  return square / values.length - (sum / values.length) ** 2;
}

function applyMask(box: Float32Array, spectrum: Float32Array, mask: Uint8Array, b: number): void {
  spectrum.fill(0);
  for (let i = 0; i < box.length; i++) spectrum[2 * i] = box[i];
  fft3(spectrum, [b, b, b]);
  for (let i = 0; i < box.length; i++) {
    if (mask[i]) continue;
    spectrum[2 * i] = 0;
    spectrum[2 * i + 1] = 0;
  }
  fft3(spectrum, [b, b, b], true);
  for (let i = 0; i < box.length; i++) box[i] = spectrum[2 * i];
}

/** 1 where a tilt series about y measured, zero frequency first. */
function wedge(b: number, [low, high]: readonly [number, number]): Uint8Array {
  const mask = new Uint8Array(b * b * b);
  for (let z = 0, i = 0; z < b; z++) {
    for (let y = 0; y < b; y++) {
      for (let x = 0; x < b; x++, i++) {
        const kz = frequencyOf(z, b), kx = frequencyOf(x, b);
        const angle = kx === 0 ? (kz === 0 ? 0 : 90) : Math.atan(kz / kx) * 180 / Math.PI;
        const inside = (angle >= low - 1e-9 && angle <= high + 1e-9) || (Math.abs(angle) === 90 && (low <= -90 || high >= 90));
        mask[i] = inside ? 1 : 0;
      }
    }
  }
  return mask;
}
