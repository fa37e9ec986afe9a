/**
 * Noise with the spectrum of a volume: its Fourier amplitudes with random phases, piece by piece.
 * @module
 */
import type { Triple } from "../../streams/contract.ts";
import { mirrorIndex } from "./brick.ts";
import { irfft3, rfft3 } from "./fft.ts";
import { createRandom } from "./random.ts";

/** Side of a piece. */
export const PIECE_VOXELS = 96;
/** Voxels that two neighbouring pieces share. */
export const PIECE_OVERLAP = 24;
/** Distance between pieces. */
export const PIECE_HOP = PIECE_VOXELS - PIECE_OVERLAP;

/** One piece to randomise; everything can be sent to a worker. */
export interface PieceJob {
  /** First voxel of the piece in the volume; it may lie outside. */
  readonly cornerZyx: Triple;
  /** What lies inside the volume of it, widened to what its mirroring needs: corner and shape. */
  readonly readCornerZyx: Triple;
  readonly readSizeZyx: Triple;
  readonly voxels: Float32Array;
  /** The volume's shape. */
  readonly shapeZyx: Triple;
  /** Seed and key of the phases. */
  readonly seed: number;
  readonly key: readonly (string | number)[];
}

/** First voxel of piece `index` on an axis. */
export function pieceStart(index: number): number {
  return index * PIECE_HOP - PIECE_OVERLAP / 2;
}

/** What must be read of an axis of `n` voxels for the piece that begins at `start`: the piece mirrored at the ends. */
export function pieceExtent(start: number, n: number): readonly [number, number] {
  let first = n, last = -1;
  for (let i = start; i < start + PIECE_VOXELS; i++) {
    const at = mirrorIndex(i, n);
    first = Math.min(first, at);
    last = Math.max(last, at);
  }
  return [first, last - first + 1];
}

/** Weight of voxel i of a piece along one axis: squares of neighbouring pieces sum to one. */
function pieceWeights(): Float64Array {
  return Float64Array.from({ length: PIECE_VOXELS }, (_, i) => {
    const inside = Math.min(i, PIECE_VOXELS - 1 - i) + 0.5;
    return inside >= PIECE_OVERLAP ? 1 : Math.sin(Math.PI / 2 * inside / PIECE_OVERLAP);
  });
}

/**
 * Randomises one piece; a pool entry. All pieces of a volume, added up, are a random field whose variance and spectrum are everywhere
 * those of the volume near by: the piece's mean is spread with the squares of the weights, the rest with the weights.
 *
 * @returns `[96, 96, 96]`, weighted.
 */
export function randomisePiece(job: PieceJob): Float32Array {
  const n = PIECE_VOXELS, shape: Triple = [n, n, n], piece = new Float32Array(n ** 3);
  const index = (axis: number) =>
    Int32Array.from({ length: n }, (_, i) => mirrorIndex(job.cornerZyx[axis] + i, job.shapeZyx[axis]) - job.readCornerZyx[axis]);
  const [atZ, atY, atX] = [index(0), index(1), index(2)], [, ny, nx] = job.readSizeZyx;
  let mean = 0;
  for (let z = 0, i = 0; z < n; z++) {
    for (let y = 0; y < n; y++) {
      const row = (atZ[z] * ny + atY[y]) * nx;
      for (let x = 0; x < n; x++, i++) mean += piece[i] = job.voxels[row + atX[x]];
    }
  }
  mean /= piece.length;
  for (let i = 0; i < piece.length; i++) piece[i] -= mean;
  const spectrum = rfft3(piece, shape);
  turnPhases(spectrum, job);
  const field = irfft3(spectrum, shape), weights = pieceWeights();
  for (let z = 0, i = 0; z < n; z++) {
    for (let y = 0; y < n; y++) {
      for (let x = 0; x < n; x++, i++) {
        const w = weights[z] * weights[y] * weights[x];
        field[i] = w * (field[i] + w * mean);
      }
    }
  }
  return field;
}

/** Turns every coefficient of a half spectrum by a random angle; those on kx = 0 and kx = n / 2 in pairs, so that the volume stays real. */
function turnPhases(spectrum: Float32Array, { seed, key }: PieceJob): void {
  const n = PIECE_VOXELS, half = n / 2 + 1, start = createRandom(seed, ...key).integer(2 ** 32);
  for (let z = 0, i = 0; z < n; z++) {
    for (let y = 0; y < n; y++) {
      for (let x = 0; x < half; x++, i++) {
        let partner = i;
        if (x === 0 || x === n / 2) partner = (((n - z) % n) * n + (n - y) % n) * half + x;
        // Its own partner: real already, and its sign may stay.
        if (partner === i && (x === 0 || x === n / 2)) continue;
        const angle = (partner < i ? -1 : 1) * 2 * Math.PI * scatter(start, Math.min(partner, i)) / 2 ** 32;
        const c = Math.cos(angle), s = Math.sin(angle), re = spectrum[2 * i], im = spectrum[2 * i + 1];
        spectrum[2 * i] = c * re - s * im;
        spectrum[2 * i + 1] = s * re + c * im;
      }
    }
  }
}

/** 32 random bits for each index: one keyed draw a coefficient would take longer than the transforms. Murmur's finaliser, twice. */
function scatter(start: number, index: number): number {
  let hash = start ^ Math.imul(index, 0x9e3779b1);
  for (let round = 0; round < 2; round++) {
    hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
    hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}
