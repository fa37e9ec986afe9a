/**
 * Gradients of global maxima.
 * @module
 */
import type { Program, Tensor } from "./program.ts";

/** A gradient that is zero but at one voxel of each row and channel. */
export interface Peaks {
  /** `[n, c]`, row-major. */
  readonly values: Tensor;
  /** Which voxel, as the primitive noted it: 8 or 32 bits, channels padded to blocks. */
  readonly places: Tensor;
  /** Channels of a row in `places`. */
  readonly stride: number;
}

/** Adds peaks to a gradient whose channels lie in blocks of `block`. */
export function scatterPeaks(program: Program, { values, places, stride }: Peaks, gradient: Tensor, block: number): void {
  const [count, channels, ...axes] = gradient.shape;
  const voxels = axes.reduce((product, axis) => product * axis, 1);
  const padded = Math.ceil(channels / block) * block;
  program.call([values, places, gradient], (peaks, indices, sum) => {
    const wide = places.storage.bytes >= 4 * count * stride;
    const at = wide
      ? new Int32Array(indices.buffer, indices.byteOffset, count * stride)
      : new Uint8Array(indices.buffer, indices.byteOffset, count * stride);
    for (let row = 0; row < count; row++) {
      for (let c = 0; c < channels; c++) {
        const block0 = c - c % block;
        sum[(row * padded + block0) * voxels + at[row * stride + c] * block + c % block] += peaks[row * channels + c];
      }
    }
  });
}
