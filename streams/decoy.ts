/**
 * An estimate of false picks: the same picker on a copy of the tomogram that holds its noise and none of its structures.
 * @module
 */
import { falseShares } from "../plugins/kernels/decoy_share.ts";
import { PIECE_HOP, PIECE_OVERLAP, PIECE_VOXELS, pieceExtent, pieceStart, randomisePiece } from "../plugins/kernels/phase_randomise.ts";
import { suppress } from "../plugins/kernels/suppress.ts";
import type { Operator, Picks, Pool, Tomogram, Triple, Volume } from "./contract.ts";
import { RunError } from "./errors.ts";

/** Pieces that are kept (3.5 MB each): a picker reads neighbours of what it has read. */
const KEPT_PIECES = 96;

const module = new URL("../plugins/kernels/phase_randomise.ts", import.meta.url).href;

/** Column of the estimate. */
export const FALSE_SHARE = "falseShare";

/** What decoys need. */
export interface DecoyContext {
  readonly seed: number;
  readonly pool: Pool;
  /** A sign of life of the stage. */
  readonly alive: () => void;
  readonly note: (code: string, message: string) => void;
}

/**
 * A volume with the spectrum of another and random phases, made piece by piece as it is read.
 *
 * Memory: at most 96 pieces of 96^3 voxels, whatever the volume's size. Reading the same voxels again gives the same numbers.
 * @param key Names the volume: another gives other phases.
 */
export function decoyVolume(volume: Volume, key: readonly (string | number)[], context: DecoyContext, signal: AbortSignal): Volume {
  const { shapeZyx, voxelSizeAngstrom } = volume, pieces = new Map<string, Promise<Float32Array>>();
  const make = async (index: Triple): Promise<Float32Array> => {
    signal.throwIfAborted();
    const cornerZyx = index.map(pieceStart) as unknown as Triple;
    const extents = cornerZyx.map((start, axis) => pieceExtent(start, shapeZyx[axis]));
    const readCornerZyx = extents.map(([first]) => first) as unknown as Triple,
      readSizeZyx = extents.map(([, n]) => n) as unknown as Triple;
    const voxels = await volume.readBox(readCornerZyx, readSizeZyx);
    const job = { cornerZyx, readCornerZyx, readSizeZyx, voxels, shapeZyx, seed: context.seed, key: ["decoy", ...key, ...index] };
    const piece = await context.pool.run<Float32Array>(module, randomisePiece.name, [job], { signal });
    context.alive();
    return piece;
  };
  const piece = (index: Triple): Promise<Float32Array> => {
    const name = index.join(), known = pieces.get(name) ?? make(index);
    pieces.delete(name);
    pieces.set(name, known);
    if (pieces.size > KEPT_PIECES) pieces.delete(pieces.keys().next().value!);
    return known;
  };
  const readBox = async (corner: Triple, size: Triple): Promise<Float32Array> => {
    const out = new Float32Array(size[0] * size[1] * size[2]);
    // Piece i holds voxels from i hop - overlap / 2 on.
    const range = (axis: number) => {
      const first = Math.ceil((corner[axis] + PIECE_OVERLAP / 2 - PIECE_VOXELS + 1) / PIECE_HOP);
      const last = Math.floor((corner[axis] + size[axis] - 1 + PIECE_OVERLAP / 2) / PIECE_HOP);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    };
    for (const k of range(0)) {
      for (const j of range(1)) {
        const row = range(2).map((i) => [k, j, i] as const), made = row.map(piece);
        // When one fails the others must not count as unheard.
        for (const each of made) each.catch(() => {});
        for (const [n, index] of row.entries()) addPiece(out, corner, size, await made[n], index);
      }
    }
    return out;
  };
  const readSlab = (z0: number, z1: number) => readBox([z0, 0, 0], [z1 - z0, shapeZyx[1], shapeZyx[2]]);
  return { shapeZyx, voxelSizeAngstrom, readBox, readSlab };
}

/** Adds what a piece has of a box. */
function addPiece(out: Float32Array, corner: Triple, size: Triple, piece: Float32Array, index: Triple): void {
  const start = index.map(pieceStart), n = PIECE_VOXELS;
  const from = corner.map((at, axis) => Math.max(at, start[axis])),
    to = corner.map((at, axis) => Math.min(at + size[axis], start[axis] + n));
  for (let z = from[0]; z < to[0]; z++) {
    for (let y = from[1]; y < to[1]; y++) {
      const own = ((z - start[0]) * n + y - start[1]) * n - start[2],
        at = ((z - corner[0]) * size[1] + y - corner[1]) * size[2] - corner[2];
      for (let x = from[2]; x < to[2]; x++) out[at + x] += piece[own + x];
    }
  }
}

/** The tomogram with a decoy of each of its volumes. */
function decoyTomogram(tomogram: Tomogram, context: DecoyContext, signal: AbortSignal): Tomogram {
  const volumes = Object.entries(tomogram.volumes).map(([name, volume]) =>
    [name, decoyVolume(volume, [tomogram.id, name], context, signal)] as const
  );
  return { ...tomogram, volumes: Object.fromEntries(volumes), metadata: { ...tomogram.metadata, decoy: true } };
}

/**
 * Runs a picker on a tomogram and on its decoy. The decoy's picks count where no better pick of the tomogram lies nearer than the picker's
 * picks lie apart. Picks get the column `falseShare`: the estimated share of false picks near their score.
 *
 * @param picker Works on the tomogram.
 * @param silent The same picker, whose words are not heard: works on the decoy.
 */
export async function pickWithDecoy(
  picker: Operator<"tomogram", "picks">,
  silent: Operator<"tomogram", "picks">,
  tomogram: Tomogram,
  context: DecoyContext,
  signal: AbortSignal,
): Promise<Picks> {
  const picks = await only(picker.apply(tomogram, signal));
  const decoys = await only(silent.apply(decoyTomogram(tomogram, context, signal), signal));
  const left = standingDecoys(picks, decoys), shares = falseShares(picks.score, left), count = picks.score.length;
  const expected = shares.reduce((sum, share) => sum + share, 0);
  context.note(
    "decoy",
    `tomogram "${tomogram.id}": ${count} picks, ${decoys.score.length} in a copy with random phases, of which ${left.length} are not where a better ` +
      `pick is${count === 0 ? "" : `: about ${(100 * expected / count).toFixed(1)} % of the picks are false by chance`}; ` +
      `membranes, beads and other structures are not in that estimate`,
  );
  return { ...picks, columns: { ...picks.columns, [FALSE_SHARE]: Array.from(shares, (value) => Number(value.toFixed(4))) } };
}

/** Picks from which the least distance is measured; the others are looked at as their neighbours. */
const SAMPLE = 2000;

/** Scores of the decoy's picks that a picker would have kept beside its picks: a particle leaves no room for a weaker false pick. */
function standingDecoys(picks: Picks, decoys: Picks): Float32Array {
  const n = picks.score.length, xyz = new Float64Array(3 * (n + decoys.score.length));
  xyz.set(picks.centresXyz);
  xyz.set(decoys.centresXyz, 3 * n);
  let least = Infinity;
  for (let i = 0; i < Math.min(n, SAMPLE); i++) {
    for (let j = i + 1; j < n; j++) {
      least = Math.min(least, Math.hypot(xyz[3 * i] - xyz[3 * j], xyz[3 * i + 1] - xyz[3 * j + 1], xyz[3 * i + 2] - xyz[3 * j + 2]));
    }
  }
  if (n < 2) return decoys.score;
  const score = new Float32Array(xyz.length / 3);
  score.set(picks.score);
  score.set(decoys.score, n);
  const kept = suppress(xyz, score, least).filter((i) => i >= n);
  return Float32Array.from(kept, (i) => decoys.score[i - n]);
}

async function only(given: Promise<Picks> | AsyncIterable<Picks>): Promise<Picks> {
  if (!(Symbol.asyncIterator in given)) return await given;
  const all: Picks[] = [];
  for await (const picks of given) all.push(picks);
  if (all.length !== 1) {
    throw new RunError(`a picker with "decoy" must give its picks of a tomogram at once; this one gave ${all.length} parts`);
  }
  return all[0];
}
