/**
 * Difference of Gaussians, narrow minus wide, of one brick of a volume: its statistics and its local maxima, without keeping the response.
 * @module
 */
import * as simd from "./simd/blur.wasm";
import type { Triple } from "../../streams/contract.ts";
import { gaussianReach, gaussianWeights } from "./blur.ts";
import { type Brick, mirrorIndex } from "./brick.ts";
import { HISTOGRAM_BINS } from "./response_statistics.ts";
import { symmetricEigenvalues3 } from "./symmetric3.ts";

/** Numbers of one local maximum in {@linkcode BrickResponse.maxima}: x, y, z, response, three offsets, flatness. */
export const MAXIMUM_FIELDS = 8;
/** What the SIMD code writes for one. */
const FOUND_FIELDS = 11;

/** What {@linkcode filterBrick} needs; everything can be sent to a worker. */
export interface BrickJob {
  /** The part to filter. */
  readonly brick: Brick;
  /** The volume's shape. */
  readonly shapeZyx: Triple;
  /** `brick.readSizeZyx` voxels. */
  readonly voxels: Float32Array;
  /** Sigma of the Gaussian that is kept. */
  readonly sigmaNarrowVoxels: number;
  /** Sigma of the Gaussian that is taken away; larger. */
  readonly sigmaWideVoxels: number;
  /** Any value near the voxels' mean: taken away first, so that float32 rounding does not grow with a volume's offset. */
  readonly offset: number;
}

/** The response of one brick. */
export interface BrickResponse {
  /**
   * `[n, 8]`: x, y, z in voxels of the volume, response, the offsets along x, y, z of a parabola's top (within half a voxel), and the
   * flatness: 1 - b / a, with a >= b >= c the response's curvatures at the peak. Near 0 for a ball, a rod or a ball that the missing wedge
   * has drawn out, near 1 on a sheet; 1 at the volume's faces, where it is not known.
   */
  readonly maxima: Float32Array;
  /** Number of responses by the upper 18 bits of the float32. */
  readonly histogram: Uint32Array;
  /** Sum of the responses. */
  readonly sum: number;
  /** Sum of their squares. */
  readonly square: number;
}

/** Voxels that a brick must read beyond its own: the wide Gaussian's reach, and one for the neighbours of a maximum. */
export function responseReach(sigmaWideVoxels: number): number {
  return gaussianReach(sigmaWideVoxels) + 1;
}

/**
 * Filters one brick in float32 by separable, mirrored Gaussians cut at four sigma; a pool entry.
 *
 * A local maximum is a positive voxel that none of its 26 neighbours exceeds; of equal ones the first in z, y, x order counts. At the
 * volume's faces only neighbours inside it count.
 */
export function filterBrick(job: BrickJob): BrickResponse {
  const { brick, shapeZyx } = job;
  const [sz, sy, sx] = brick.sizeZyx, [z0, y0, x0] = brick.cornerZyx;
  const wide = gaussianWeights(job.sigmaWideVoxels), narrow = gaussianWeights(job.sigmaNarrowVoxels);
  const reach = wide.length - 1, reachNarrow = narrow.length - 1, margin = reach + 1;
  // Lines carry 16 floats of slack: the filters step over several voxels at once.
  const width = (sx + 2 * margin + 7) & ~7, stride = width + 16, bytes = 4 * stride;
  const heightIn = sy + 2 * margin, depthIn = sz + 2 * margin, depth = sz + 2, height = sy + 2;
  const responseWidth = (sx + 2 + 3) & ~3, responseStride = responseWidth + 16, responseBytes = 4 * responseStride;
  const taken: number[] = [];
  const reserve = (size: number) => {
    const pointer = simd.alloc(size);
    taken.push(pointer);
    return pointer;
  };
  const tapsWide = reserve(4 * wide.length), tapsNarrow = reserve(4 * narrow.length);
  const lines = reserve(depthIn * bytes);
  const tallWide = reserve(depth * heightIn * bytes), tallNarrow = reserve(depth * heightIn * bytes);
  const lineWide = reserve(bytes), lineNarrow = reserve(bytes), lineDone = reserve(responseBytes);
  const planes = [0, 1, 2].map(() => reserve(height * responseBytes + 64) + 16);
  const histogram = reserve(4 * HISTOGRAM_BINS), sums = reserve(16), found = reserve(4 * FOUND_FIELDS * sx);
  const memory = simd.memory.buffer as ArrayBuffer;
  new Float32Array(memory, tapsWide, wide.length).set(wide);
  new Float32Array(memory, tapsNarrow, narrow.length).set(narrow);
  new Uint32Array(memory, histogram, HISTOGRAM_BINS).fill(0);
  new Float64Array(memory, sums, 2).fill(0);

  // Along z, both Gaussians in one reading of the voxels.
  const linesOfRow = new Float32Array(memory, lines, depthIn * stride);
  const copyRow = rowCopier(job, margin, stride);
  for (let y = 0; y < heightIn; y++) {
    for (let z = 0; z < depthIn; z++) copyRow(linesOfRow, z, y);
    simd.subtract(lines, depthIn * stride, job.offset);
    for (let z = 0; z < depth; z++) {
      const at = (z * heightIn + y) * bytes;
      simd.filterTwice(
        lines + (z + reach) * bytes,
        bytes,
        width,
        tapsWide,
        reach,
        tallWide + at,
        tapsNarrow,
        reachNarrow,
        tallNarrow + at,
      );
    }
  }

  const maxima: Float32Array[] = [];
  const plane = (z: number) => planes[(z + 3) % 3];
  const fillPlane = (z: number) => {
    const to = plane(z);
    if (z0 + z - 1 < 0 || z0 + z - 1 >= shapeZyx[0]) {
      new Float32Array(memory, to, height * responseStride).fill(-Infinity);
      return;
    }
    for (let y = 0; y < height; y++) {
      const row = to + y * responseBytes, volumeY = y0 + y - 1;
      if (volumeY < 0 || volumeY >= shapeZyx[1]) {
        new Float32Array(memory, row, responseStride).fill(-Infinity);
        continue;
      }
      const at = (z * heightIn + y + reach) * bytes;
      simd.filter(tallWide + at, bytes, width, tapsWide, reach, lineWide);
      simd.filter(tallNarrow + at, bytes, width, tapsNarrow, reachNarrow, lineNarrow);
      simd.filter(lineNarrow + 4 * reach, 4, responseWidth, tapsNarrow, reachNarrow, row);
      simd.filter(lineWide + 4 * reach, 4, responseWidth, tapsWide, reach, lineDone);
      simd.subtractLine(row, lineDone, responseWidth);
      const values = new Float32Array(memory, row, sx + 2);
      if (x0 === 0) values[0] = -Infinity;
      if (x0 + sx === shapeZyx[2]) values[sx + 1] = -Infinity;
    }
  };
  fillPlane(0);
  fillPlane(1);
  for (let z = 1; z <= sz; z++) {
    fillPlane(z + 1);
    for (let y = 1; y <= sy; y++) {
      const at = y * responseBytes + 4, line = plane(z) + at;
      simd.tally(line, sx, histogram, sums);
      const count = simd.findMaxima(line, plane(z - 1) + at, plane(z + 1) + at, sx, responseBytes, found, sx);
      if (count === 0) continue;
      const values = new Float32Array(memory, found, FOUND_FIELDS * count), part = new Float32Array(MAXIMUM_FIELDS * count);
      for (let i = 0; i < count; i++) {
        const at = FOUND_FIELDS * i, to = MAXIMUM_FIELDS * i;
        part.set([x0 + values[at], y0 + y - 1, z0 + z - 1], to);
        part.set(values.subarray(at + 1, at + 5), to + 3);
        part[to + 7] = flatness(values, at + 5);
      }
      maxima.push(part);
    }
  }
  const [sum, square] = new Float64Array(memory, sums, 2);
  const result = { maxima: concatenate(maxima), histogram: new Uint32Array(memory, histogram, HISTOGRAM_BINS).slice(), sum, square };
  for (const pointer of taken) simd.release(pointer);
  return result;
}

/** 1 - b / a of the curvatures a >= b >= c that belong to the second differences xx, yy, zz, xy, xz, yz at `at`. */
function flatness(values: Float32Array, at: number): number {
  const differences = values.subarray(at, at + 6);
  if (!differences.every(Number.isFinite)) return 1;
  const eigenvalues = symmetricEigenvalues3(differences);
  if (!eigenvalues) return 0;
  const [, middle, most] = eigenvalues;
  return most < 0 ? 1 - middle / most : 0;
}

/** Copies row (z, y) of the brick with its margin into line z, mirrored where the volume ends. */
function rowCopier({ brick, shapeZyx, voxels }: BrickJob, margin: number, stride: number) {
  const [nz, ny, nx] = shapeZyx, [rz, ry, rx] = brick.readCornerZyx, [, readY, readX] = brick.readSizeZyx;
  const firstX = brick.cornerZyx[2] - margin, length = brick.sizeZyx[2] + 2 * margin;
  const start = rx - firstX;
  const mirrored: [number, number][] = [];
  for (let x = 0; x < length; x++) {
    if (x < start || x >= start + readX) mirrored.push([x, mirrorIndex(firstX + x, nx) - rx]);
  }
  return (to: Float32Array, z: number, y: number) => {
    const fromZ = mirrorIndex(brick.cornerZyx[0] - margin + z, nz) - rz, fromY = mirrorIndex(brick.cornerZyx[1] - margin + y, ny) - ry;
    const from = (fromZ * readY + fromY) * readX, at = z * stride;
    to.set(voxels.subarray(from, from + readX), at + start);
    for (const [x, source] of mirrored) to[at + x] = voxels[from + source];
  };
}

function concatenate(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
