/**
 * Normalised cross-correlation of one tile of a volume with a template in many orientations.
 *
 * The score at x for orientation A is the weighted correlation coefficient of the tile about x and the template: sum w (T - T_w) V over
 * (sum w) s_T s_V, where w is a soft sphere, T the template turned by A and filtered by the missing wedge, and T_w, s_T, s_V means and
 * deviations under w. It lies within -1 and 1 whatever the local density and contrast. The sphere does not turn, so s_V is found once a tile.
 * @see Roseman 2003, Ultramicroscopy 94, for local normalisation by Fourier transforms; Hrabe et al. 2012, J. Struct. Biol. 178 (PyTom).
 * @module
 */
import type { Geometry, Triple } from "../../streams/contract.ts";
import { addParticle, type Template } from "./density.ts";
import { fastLength, irfft3, rfft3 } from "./fft.ts";
import { wedgeMask } from "./wedge.ts";

/** Side of the box in which the wedge is applied, times the mask's: what the wedge draws out must not come round to the other side. */
const WEDGE_ROOM = 1.5;
/** Local deviations below this share of the tile's are rounding: no score there. */
const LEAST_DEVIATION = 1e-2;

/** The template and how it is compared. */
export interface TemplateSettings {
  /** What is looked for. */
  readonly template: Template;
  /** Tilt range, axis and handedness. */
  readonly geometry: Geometry;
  /** Radius within which the weight is 1. */
  readonly maskRadiusVoxels: number;
  /** Width over which it falls to 0 as a raised cosine. */
  readonly maskEdgeVoxels: number;
}

/** One call: some of the orientations on one tile; everything can be sent to a worker. */
export interface CorrelationJob extends TemplateSettings {
  /** Shape of the tile. */
  readonly shapeZyx: Triple;
  /** `shapeZyx` voxels, bright particles. */
  readonly voxels: Float32Array;
  /** `[n, 9]` matrices. */
  readonly rotations: Float32Array;
  /** Number of the first of them among all. */
  readonly firstRotation: number;
  /** {@linkcode scoredShape} of the tile, best scores so far: changed in place, so it must be shared. Begins at -Infinity. */
  readonly best: Float32Array;
  /** The rotations that gave them. */
  readonly bestRotation: Int32Array;
}

/** Sums over scored places and orientations of one call. */
export interface CorrelationSums {
  /** Places times orientations. */
  readonly count: number;
  /** Sum of the scores. */
  readonly sum: number;
  /** Sum of their squares. */
  readonly square: number;
}

/** Voxels that the mask reaches on each side of its centre: a place is scored where all of it lies in the volume. */
export function maskReach({ maskRadiusVoxels, maskEdgeVoxels }: Pick<TemplateSettings, "maskRadiusVoxels" | "maskEdgeVoxels">): number {
  return Math.ceil(maskRadiusVoxels + maskEdgeVoxels);
}

/** Shape of the scored part of a tile; its first voxel is `reach` voxels inside the tile on each axis. */
export function scoredShape(shapeZyx: Triple, reach: number): Triple {
  return shapeZyx.map((n) => Math.max(0, n - 2 * reach)) as unknown as Triple;
}

/** The soft sphere, `[side, side, side]`, side 2 reach + 1. */
export function softMask(settings: Pick<TemplateSettings, "maskRadiusVoxels" | "maskEdgeVoxels">): Float32Array {
  const { maskRadiusVoxels: radius, maskEdgeVoxels: edge } = settings, reach = maskReach(settings), side = 2 * reach + 1;
  const mask = new Float32Array(side ** 3);
  for (let z = -reach, i = 0; z <= reach; z++) {
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++, i++) {
        const beyond = Math.sqrt(z * z + y * y + x * x) - radius;
        mask[i] = beyond <= 0 ? 1 : beyond < edge ? 0.5 + 0.5 * Math.cos(Math.PI * beyond / edge) : 0;
      }
    }
  }
  return mask;
}

/**
 * Scores a tile with some orientations and keeps the best of each place; a pool entry. Of equal scores the earlier orientation stays, if
 * calls come in the order of their rotations.
 */
export function correlateTile(job: CorrelationJob): CorrelationSums {
  const { shapeZyx, voxels, rotations, firstRotation, best, bestRotation } = job;
  const reach = maskReach(job), side = 2 * reach + 1, mask = softMask(job), weight = mask.reduce((sum, w) => sum + w, 0);
  const scored = scoredShape(shapeZyx, reach), [sz, sy, sx] = scored;
  const padded = shapeZyx.map(fastLength) as unknown as Triple, [, py, px] = padded;
  const offset = voxels.reduce((sum, v) => sum + v, 0) / voxels.length;
  const tile = place(voxels, shapeZyx, padded, -offset);
  const square = tile.map((v) => v * v), scale = Math.sqrt(square.reduce((sum, v) => sum + v, 0) / voxels.length);
  const spectrum = rfft3(tile, padded), maskSpectrum = rfft3(place(mask, [side, side, side], padded), padded);
  const means = correlate(spectrum, maskSpectrum, padded), squares = correlate(rfft3(square, padded), maskSpectrum, padded);
  // 1 / (weight s_V) of each scored place; 0 where the tile is constant under the mask.
  const factor = new Float32Array(sz * sy * sx);
  eachRow(scored, padded, (from, to) => {
    for (let x = 0; x < sx; x++) {
      const mean = means[from + x] / weight, variance = squares[from + x] / weight - mean * mean;
      factor[to + x] = variance > (LEAST_DEVIATION * scale) ** 2 ? 1 / (weight * Math.sqrt(variance)) : 0;
    }
  });
  const turn = templateTurner(job, mask, weight), count = rotations.length / 9;
  let sum = 0, squareSum = 0;
  for (let r = 0; r < count; r++) {
    const kernel = rfft3(place(turn(rotations.subarray(9 * r, 9 * r + 9)), [side, side, side], padded), padded);
    const scores = correlate(spectrum, kernel, padded), number = firstRotation + r;
    for (let z = 0, to = 0; z < sz; z++) {
      for (let y = 0; y < sy; y++) {
        const from = (z * py + y) * px;
        for (let x = 0; x < sx; x++, to++) {
          const score = scores[from + x] * factor[to];
          sum += score;
          squareSum += score * score;
          if (score > best[to]) {
            best[to] = score;
            bestRotation[to] = number;
          }
        }
      }
    }
  }
  return { count: count * factor.length, sum, square: squareSum };
}

/** Makes w (T - T_w) / s_T of the template in any orientation, `[side, side, side]`. */
export function templateTurner(settings: TemplateSettings, mask: Float32Array, weight: number): (rotation: Float32Array) => Float32Array {
  const reach = maskReach(settings), side = 2 * reach + 1, room = 2 * Math.ceil(fastLength(Math.ceil(WEDGE_ROOM * side)) / 2);
  const shape: Triple = [room, room, room], half = room / 2 + 1, middle = room / 2;
  const wedge = wedgeMask(room, settings.geometry, "fft");
  return (rotation) => {
    const box = new Float32Array(room ** 3), pose = Float64Array.from(rotation);
    addParticle(box, shape, settings.template, [middle, middle, middle], pose);
    const spectrum = rfft3(box, shape);
    for (let row = 0; row < room * room; row++) {
      for (let x = 0; x < half; x++) {
        // Index room / 2 stands for both signs of the highest frequency, as in the mask.
        const gain = wedge[row * room + x];
        spectrum[2 * (row * half + x)] *= gain;
        spectrum[2 * (row * half + x) + 1] *= gain;
      }
    }
    const filtered = irfft3(spectrum, shape), out = new Float32Array(side ** 3);
    for (let z = 0, i = 0; z < side; z++) {
      for (let y = 0; y < side; y++) {
        const from = ((z + middle - reach) * room + y + middle - reach) * room + middle - reach;
        for (let x = 0; x < side; x++, i++) out[i] = filtered[from + x];
      }
    }
    let mean = 0, variance = 0;
    for (let i = 0; i < out.length; i++) mean += mask[i] * out[i];
    mean /= weight;
    for (let i = 0; i < out.length; i++) variance += mask[i] * (out[i] - mean) ** 2;
    const deviation = Math.sqrt(variance / weight);
    for (let i = 0; i < out.length; i++) out[i] = mask[i] * (out[i] - mean) / deviation;
    return out;
  };
}

/** Copies a box into the corner of a larger one; what is added is not added outside. */
function place(box: Float32Array, [nz, ny, nx]: Triple, [pz, py, px]: Triple, add = 0): Float32Array {
  const out = new Float32Array(pz * py * px);
  for (let z = 0, at = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      const to = (z * py + y) * px;
      for (let x = 0; x < nx; x++, at++) out[to + x] = box[at] + add;
    }
  }
  return out;
}

/** Sums over m of kernel(m) tile(c + m) at every corner c, periodic. */
function correlate(tile: Float32Array, kernel: Float32Array, shape: Triple): Float32Array {
  const product = new Float32Array(tile.length);
  for (let i = 0; i < tile.length; i += 2) {
    const a = tile[i], b = tile[i + 1], c = kernel[i], d = kernel[i + 1];
    product[i] = a * c + b * d;
    product[i + 1] = b * c - a * d;
  }
  return irfft3(product, shape);
}

/** Calls `row` with the first index of each row of the scored part, in the padded volume and in an array of its own. */
function eachRow([sz, sy, sx]: Triple, [, py, px]: Triple, row: (from: number, to: number) => void): void {
  for (let z = 0; z < sz; z++) {
    for (let y = 0; y < sy; y++) row((z * py + y) * px, (z * sy + y) * sx);
  }
}

/** What {@linkcode bestMaxima} looks at. */
export interface ScoredTile {
  readonly best: Float32Array;
  readonly bestRotation: Int32Array;
  /** Shape of the arrays. */
  readonly shapeZyx: Triple;
  /** Part whose maxima are wanted: first voxel and size; one more voxel round about is looked at where there is one. */
  readonly cornerZyx: Triple;
  readonly sizeZyx: Triple;
  /** Maxima below it are left out. */
  readonly least: number;
}

/** Local maxima over 26 neighbours, `[n, 5]`: x, y, z in the arrays, score, rotation; of equal ones the first in z, y, x order counts. */
export function bestMaxima({ best, bestRotation, shapeZyx, cornerZyx, sizeZyx, least }: ScoredTile): Float64Array {
  const [nz, ny, nx] = shapeZyx, found: number[] = [];
  const isMaximum = (z: number, y: number, x: number, at: number) => {
    for (let dz = -1; dz <= 1; dz++) {
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          const step = (dz * ny + dy) * nx + dx;
          if (step === 0 || z + dz < 0 || y + dy < 0 || x + dx < 0 || z + dz >= nz || y + dy >= ny || x + dx >= nx) continue;
          if (best[at + step] > best[at] || (step < 0 && best[at + step] === best[at])) return false;
        }
      }
    }
    return true;
  };
  for (let z = cornerZyx[0]; z < cornerZyx[0] + sizeZyx[0]; z++) {
    for (let y = cornerZyx[1]; y < cornerZyx[1] + sizeZyx[1]; y++) {
      for (let x = cornerZyx[2]; x < cornerZyx[2] + sizeZyx[2]; x++) {
        const at = (z * ny + y) * nx + x;
        if (best[at] >= least && isMaximum(z, y, x, at)) found.push(x, y, z, best[at], bestRotation[at]);
      }
    }
  }
  return Float64Array.from(found);
}
