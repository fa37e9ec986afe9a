/**
 * Labelled stacks of simulated boxes in memory: what tests and tuning measure against.
 * @module
 */
import { addParticle, type Template } from "../../kernels/density.ts";
import { irfft3, rfft3 } from "../../kernels/fft.ts";
import { createRandom } from "../../kernels/random.ts";
import { matrixToEulerZyz, randomRotation } from "../../kernels/rotation.ts";
import type { ContrastTransfer } from "../../kernels/contrast_transfer.ts";
import { boxGains, type Imaging, keptVariance } from "./imaging.ts";

/** What {@linkcode makeStack} makes. */
export interface StackOptions {
  /** One template a species; the label of a box is its index here. */
  readonly templates: readonly Template[];
  /** Boxes in all, of random species, or a count for each template. */
  readonly count: number | readonly number[];
  /** Side of a box. */
  readonly boxVoxels: number;
  /** Variance of the signal over the box after the wedge, divided by that of the noise after the same wedge; Infinity: no noise. */
  readonly snr: number;
  /** Tilts about y from the first to the second angle; [-90, 90]: no missing wedge. */
  readonly tiltRangeDegrees: readonly [number, number];
  /** Each centre lies within this distance of the box's centre along every axis, in voxels. */
  readonly pickErrorVoxels: number;
  /** The same seed gives the same stack. */
  readonly seed: number;
  /** Only the contrast transfer needs it. Default 10. */
  readonly voxelSizeAngstrom?: number;
  /** Contrast transfer of the signal. Default: none. */
  readonly ctf?: ContrastTransfer;
  /** Default 0: white noise. */
  readonly noisePowerExponent?: number;
  /** Factor on the density of each template. Default 1. */
  readonly densities?: readonly number[];
  /** Aborts between boxes. */
  readonly signal?: AbortSignal;
}

/** Simulated boxes with their truth, in a random order of species. */
export interface SimulatedStack {
  /** Side of a box. */
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

/** Simulates a stack; the same options give the same stack. */
export function makeStack(options: StackOptions): SimulatedStack {
  const { templates, boxVoxels: b, seed } = options;
  const labels = shareOut(options.count, templates.length, seed);
  const n = labels.length, volume = b * b * b, shape = [b, b, b] as const;
  const voxels = new Float32Array(n * volume);
  const eulerZyzDegrees = new Float64Array(3 * n), shiftsXyz = new Float64Array(3 * n);
  const gains = boxGains(imagingOf(options), b);
  let signal = 0;
  for (let i = 0; i < n; i++) {
    options.signal?.throwIfAborted();
    const random = createRandom(seed, "stack", "pose", i);
    const pose = randomRotation(random);
    const shift = [0, 1, 2].map(() => (2 * random.uniform() - 1) * options.pickErrorVoxels);
    const box = new Float32Array(volume);
    addParticle(box, shape, templates[labels[i]], shift.map((v) => v + (b >> 1)), pose, options.densities?.[labels[i]]);
    eulerZyzDegrees.set(matrixToEulerZyz(pose), 3 * i);
    shiftsXyz.set(shift, 3 * i);
    const filtered = applyGain(box, gains.signal, b);
    signal += variance(filtered) / n;
    voxels.set(filtered, i * volume);
  }
  const deviation = Math.sqrt(signal / options.snr / keptVariance(gains.noise, b));
  if (!(deviation > 0)) return { boxVoxels: b, voxels, labels, eulerZyzDegrees, shiftsXyz };
  const noise = new Float32Array(volume);
  for (let i = 0; i < n; i++) {
    options.signal?.throwIfAborted();
    const random = createRandom(seed, "stack", "noise", i);
    for (let v = 0; v < volume; v++) noise[v] = deviation * random.normal();
    const filtered = applyGain(noise, gains.noise, b);
    for (let v = 0; v < volume; v++) voxels[i * volume + v] += filtered[v];
  }
  return { boxVoxels: b, voxels, labels, eulerZyzDegrees, shiftsXyz };
}

/**
 * Mean variance over a box of a lone particle as it is imaged, over random orientations: the numerator of the SNR.
 *
 * @param orientations How many orientations are averaged.
 */
export function signalVariance(template: Template, imaging: Imaging, boxVoxels: number, orientations: number, seed: number): number {
  const b = boxVoxels;
  const gain = boxGains(imaging, b).signal;
  let sum = 0;
  for (let i = 0; i < orientations; i++) {
    const box = new Float32Array(b * b * b);
    addParticle(box, [b, b, b], template, [b >> 1, b >> 1, b >> 1], randomRotation(createRandom(seed, "signal variance", i)));
    sum += variance(applyGain(box, gain, b));
  }
  return sum / orientations;
}

function imagingOf(options: StackOptions): Imaging {
  const { tiltRangeDegrees, ctf, noisePowerExponent = 0, voxelSizeAngstrom = 10 } = options;
  return { tiltRangeDegrees, ctf, noisePowerExponent, voxelSizeAngstrom };
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

function applyGain(box: Float32Array, gain: Float32Array, b: number): Float32Array {
  const spectrum = rfft3(box, [b, b, b]);
  for (let i = 0; i < gain.length; i++) {
    spectrum[2 * i] *= gain[i];
    spectrum[2 * i + 1] *= gain[i];
  }
  return irfft3(spectrum, [b, b, b]);
}
