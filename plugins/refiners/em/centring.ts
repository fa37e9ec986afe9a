/**
 * Where the particles are in their boxes, before and beside the search for poses: picks may be voxels off.
 * @module
 */
import { centreOfMass, volumeToBox } from "../../kernels/alignment/average.ts";
import { atLevel, seedReferences } from "./anneal.ts";
import type { Level, References, Session } from "./session.ts";

/** A search over a cube of shifts. */
interface Sweep extends Level {
  /** Distance of shifts as a share of the box. */
  readonly step: number;
  /** Shifts either way along each axis. */
  readonly reach: number;
}

/** Against a blob, orientation does not matter: few rotations, many shifts. */
const BLOB_SWEEPS: readonly Sweep[] = [
  { kMax: 3, rotations: 8, step: 1 / 16, reach: 2 },
  { kMax: 4, rotations: 8, step: 1 / 32, reach: 2 },
];
/** Against references, coarse rotations must be tried with every shift. */
const REFERENCE_SWEEPS: readonly Sweep[] = [
  { kMax: 3, rotations: 288, step: 1 / 12, reach: 1 },
  { kMax: 4, rotations: 288, step: 1 / 24, reach: 1 },
];
/** No particle is sought farther from the centre along an axis, as a share of the box: beyond lie its neighbours. */
const FARTHEST = 1 / 6;

/** Shifts of a cube, `[(2 reach + 1)^3, 3]`. */
export function shiftCube(step: number, reach: number): Float32Array {
  const out: number[] = [];
  for (let x = -reach; x <= reach; x++) {
    for (let y = -reach; y <= reach; y++) for (let z = -reach; z <= reach; z++) out.push(x * step, y * step, z * step);
  }
  return Float32Array.from(out);
}

/**
 * Moves the session's offsets to where each box agrees best with the mean of all boxes at random orientations, which is a blob: that needs
 * neither classes nor poses.
 */
export async function centreOnBlob(session: Session): Promise<void> {
  const members = Int32Array.from({ length: session.count }, (_, i) => i), labels = new Int32Array(session.count);
  for (const [turn, sweep] of BLOB_SWEEPS.entries()) {
    const training = session.trainingOf(members);
    const blob = await seedReferences(session, training, labels.subarray(0, training.length), 1, sweep, `blob ${turn}`);
    await runSweep(session, members, blob, sweep);
  }
}

/** Moves the offsets of `members` to where they agree best with any of the references. */
export async function centreOnReferences(session: Session, members: Int32Array, references: References): Promise<void> {
  for (const sweep of REFERENCE_SWEEPS) await runSweep(session, members, references, sweep);
}

/** Moves the origin of class j's reference to `centres[j]` (x, y, z, voxels): poses `[n, k, 12]` change in place. */
export function movePoses(poses: Float32Array, centres: readonly (readonly number[])[]): void {
  for (let at = 0; at < poses.length; at += 12) {
    const centre = centres[at / 12 % centres.length];
    // What lies at c in the reference's frame lies at A c in the box's.
    for (let d = 0; d < 3; d++) {
      poses[at + 9 + d] += poses[at + 3 * d] * centre[0] + poses[at + 3 * d + 1] * centre[1] + poses[at + 3 * d + 2] * centre[2];
    }
  }
}

/** Where the mass of each reference lies, `[x, y, z]` in voxels from its origin. */
export function centresOf(references: References, boxVoxels: number): [number, number, number][] {
  return references.volumes.map((volume) => centreOfMass(volumeToBox(volume, references.kMax, boxVoxels), boxVoxels));
}

async function runSweep(session: Session, members: Int32Array, references: References, sweep: Sweep): Promise<void> {
  if (members.length === 0) return;
  session.signal.throwIfAborted();
  const b = session.set.boxVoxels, k = references.volumes.length, kMax = Math.min(sweep.kMax, session.kMax);
  const { best, bestOffset } = await session.grid(
    members,
    atLevel(references, kMax),
    { kMax, rotations: sweep.rotations },
    1,
    shiftCube(sweep.step * b, sweep.reach),
    false,
  );
  members.forEach((i, j) => {
    let top = 0;
    for (let c = 1; c < k; c++) if (best[j * k + c] > best[j * k + top]) top = c;
    for (let d = 0; d < 3; d++) {
      session.offsets[3 * i + d] = Math.max(-FARTHEST * b, Math.min(FARTHEST * b, bestOffset[3 * (j * k + top) + d]));
    }
  });
}
