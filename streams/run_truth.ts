/**
 * Scores a run's particles against the truth that its manifest names.
 * @module
 */
import type { TomogramRecord } from "./contract.ts";
import { resolvedManifest } from "./loaded_manifest.ts";
import { particleTable } from "./run_view.ts";
import type { Session } from "./session.ts";
import { matchingDistance, readTruth, type Score, scoreRun } from "./truth.ts";

/** @throws {InputError} When the truth cannot be read. @throws {Error} When the manifest names none. */
export async function scoreParticles({ manifest, ledger, events }: Session): Promise<Score> {
  if (manifest.truth === null) throw new Error("this manifest names no truth");
  const tomograms = ledger.tomograms().map(({ record }) => record);
  const first = tomograms.find((record) => record.boxes > 0) ?? tomograms[0];
  const resolved = { ...resolvedManifest(manifest, manifest.run.dir) };
  const distanceIn = (record: TomogramRecord) =>
    matchingDistance(resolved, record.voxelSizeAngstrom, Number(record.metadata.boxVoxels ?? 0) * record.voxelsEach);
  const { distanceVoxels, reason } = distanceIn(first);
  const note = (code: string, message: string) => events.note("truth", code, message);
  note("truth-distance", reason);
  return scoreRun({
    truth: await readTruth(manifest.truth),
    particles: particleTable(ledger.particles()),
    tomograms: tomograms.map((record) => ({ ...record, distanceVoxels: record.boxes > 0 ? distanceIn(record).distanceVoxels : undefined })),
    distanceVoxels,
    note,
  });
}
