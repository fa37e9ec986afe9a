/**
 * Separable Gaussian filters of volumes, mirrored at the faces (d c b a | a b c d | d c b a: SciPy's `reflect`, its default) and cut at
 * four sigma, as SciPy's are.
 * @module
 */
import * as simd from "./simd/blur.wasm";
import { ShapeError } from "../../streams/errors.ts";
import type { Triple } from "../../streams/contract.ts";
import { mirrorIndex } from "./brick.ts";

/** Sigmas at which a kernel is cut: SciPy's default. */
const TRUNCATE = 4;

/** Voxels that a Gaussian reaches on each side: floor(4 sigma + 1/2). */
export function gaussianReach(sigmaVoxels: number): number {
  return Math.floor(TRUNCATE * sigmaVoxels + 0.5);
}

/**
 * Half of a sampled Gaussian that sums to one over both sides: weight i belongs to distance i, i = 0..{@linkcode gaussianReach}.
 * @throws {RangeError} When sigma is not above 0.
 */
export function gaussianWeights(sigmaVoxels: number): Float64Array {
  if (!(sigmaVoxels > 0 && Number.isFinite(sigmaVoxels))) throw new RangeError(`sigma is ${sigmaVoxels} voxels: expected more than 0`);
  const weights = Float64Array.from({ length: gaussianReach(sigmaVoxels) + 1 }, (_, i) => Math.exp(-0.5 * (i / sigmaVoxels) ** 2));
  const total = weights.reduce((sum, w) => sum + 2 * w, -weights[0]);
  return weights.map((w) => w / total);
}

/**
 * Blurs whole sections of a volume in float32; a pool entry.
 *
 * @param sections `[n, ny, nx]`: the sections to return with what the filter reaches beyond them, cut at the volume's ends.
 * @param first The section of the volume that `sections` begins with.
 * @param from First section to return.
 * @param to Section after the last to return.
 * @param shapeZyx The volume's shape.
 * @returns `[to - from, ny, nx]`.
 * @throws {ShapeError} When a section that the filter needs is missing.
 */
export function blurSections(
  sections: Float32Array,
  first: number,
  from: number,
  to: number,
  shapeZyx: Triple,
  sigmaVoxels: number,
): Float32Array {
  const [nz, ny, nx] = shapeZyx, plane = ny * nx, held = sections.length / plane;
  const weights = gaussianWeights(sigmaVoxels), reach = weights.length - 1;
  const needed = [Math.max(0, from - reach), Math.min(nz, to + reach)];
  if (first > needed[0] || first + held < needed[1]) {
    throw new ShapeError(`sections ${first} to ${first + held} given, ${needed[0]} to ${needed[1]} needed for a reach of ${reach}`);
  }
  const out = new Float32Array((to - from) * plane), stride = ((nx + 3) & ~3) + 2 * reach + 16, bytes = stride * 4;
  const lines = reserve((2 * reach + 1) * stride),
    tall = reserve((ny + 2 * reach) * stride),
    wide = reserve(stride),
    done = reserve(stride);
  const taps = reserve(reach + 1);
  view(taps, reach + 1).set(weights);
  const held32 = view(lines, (2 * reach + 1) * stride), tall32 = view(tall, (ny + 2 * reach) * stride), width = (nx + 3) & ~3;
  for (let z = from; z < to; z++) {
    for (let y = 0; y < ny; y++) {
      for (let i = -reach; i <= reach; i++) {
        const at = (mirrorIndex(z + i, nz) - first) * plane + y * nx;
        held32.set(sections.subarray(at, at + nx), (i + reach) * stride);
      }
      simd.filter(lines + reach * bytes, bytes, width, taps, reach, tall + (y + reach) * bytes);
    }
    for (let i = 0; i < reach; i++) {
      for (const y of [-1 - i, ny + i]) {
        const source = (mirrorIndex(y, ny) + reach) * stride;
        tall32.copyWithin((y + reach) * stride, source, source + nx);
      }
    }
    const row = view(wide, stride), result = view(done, nx);
    for (let y = 0; y < ny; y++) {
      simd.filter(tall + (y + reach) * bytes, bytes, width, taps, reach, wide + 4 * reach);
      for (let i = 0; i < reach; i++) {
        row[reach - 1 - i] = row[reach + mirrorIndex(-1 - i, nx)];
        row[reach + nx + i] = row[reach + mirrorIndex(nx + i, nx)];
      }
      simd.filter(wide + 4 * reach, 4, width, taps, reach, done);
      out.set(result, (z - from) * plane + y * nx);
    }
  }
  for (const pointer of [lines, tall, wide, done, taps]) simd.release(pointer);
  return out;
}

function reserve(count: number): number {
  return simd.alloc(count * 4);
}

function view(pointer: number, count: number): Float32Array<ArrayBuffer> {
  return new Float32Array(simd.memory.buffer as ArrayBuffer, pointer, count);
}
