/**
 * Boxes that a model would give: one reference at known poses, the wedge, and noise of known power; runs in a worker.
 * @module
 */
import * as simd from "../simd/align.wasm";
import { createRandom } from "../random.ts";
import type { BoxSet } from "./box_set.ts";
import { floats, put, reserve } from "./memory.ts";
import { paddedSide } from "./volume.ts";

/** What boxes are made of. */
export interface Synthesis {
  readonly set: BoxSet;
  /** Boxes whose wedges are taken. */
  readonly members: Int32Array;
  /** `[n, 12]` rotation and shift. */
  readonly poses: Float32Array;
  readonly volume: Float32Array;
  readonly kMax: number;
  /** `[shells]` variance of a noise coefficient. */
  readonly noise: Float64Array;
  readonly seed: number;
}

/** Rotations that the kernel slices at a time. */
const BLOCK = 8;

/** Coefficients `[n, order.count]` complex, in shared memory; beyond kMax they are noise alone. */
export function synthesiseBoxes(input: Synthesis): Float32Array {
  const { set, members, poses, kMax, noise } = input, { order } = set, C = order.upTo[kMax], stored = order.count, n = members.length;
  const side = paddedSide(kMax), unit = 2 * Math.PI / set.boxVoxels, random = createRandom(input.seed, "synthesis");
  const out = new Float32Array(new SharedArrayBuffer(8 * n * stored));
  const ks = put("ks", order.ksXyz.subarray(0, 3 * C)), ones = put("scale", new Float32Array(C).fill(1));
  const grid = put("grid", input.volume), panels = reserve("panels", 64 * C), rotations = reserve("rotations", 36 * BLOCK);
  for (let first = 0; first < n; first += BLOCK) {
    const block = Math.min(BLOCK, n - first);
    for (let b = 0; b < BLOCK; b++) {
      const from = 12 * (first + Math.min(b, block - 1));
      floats(rotations + 36 * b, 9).set(poses.subarray(from, from + 9));
    }
    simd.slices(grid, side, rotations, BLOCK, ks, C, ones, panels);
    const slices = floats(panels, 16 * C);
    for (let b = 0; b < block; b++) {
      const wedge = set.groups[members[first + b]] * stored, at = 2 * (first + b) * stored;
      const [x, y, z] = poses.subarray(12 * (first + b) + 9, 12 * (first + b) + 12);
      for (let c = 0; c < stored; c++) {
        const weight = set.wedges[wedge + c], deviation = Math.sqrt(noise[Math.min(order.shells[c], noise.length - 1)] / 2);
        let re = deviation * random.normal(), im = deviation * random.normal();
        if (c < C) {
          const angle = -unit * (order.ksXyz[3 * c] * x + order.ksXyz[3 * c + 1] * y + order.ksXyz[3 * c + 2] * z);
          const cosine = Math.cos(angle), sine = Math.sin(angle), a = slices[16 * c + b], i = slices[16 * c + 8 + b];
          re += a * cosine - i * sine;
          im += a * sine + i * cosine;
        }
        out[at + 2 * c] = weight * re;
        out[at + 2 * c + 1] = weight * im;
      }
    }
  }
  return out;
}
