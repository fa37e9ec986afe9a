/**
 * A finished run as sinks see it, rebuilt from its folder alone.
 * @module
 */
import type { ClassResult, Features, Operator, ParticleTable, RunView, Source, Tomogram, TomogramRecord, TruthView } from "./contract.ts";
import { exists, loadBundle } from "./bundle.ts";
import { loadClassResults } from "./class_results.ts";
import type { LabelledParticle, Ledger } from "./ledger.ts";
import type { Learnt } from "./learn.ts";
import type { Session } from "./session.ts";
import { DiskBoxStore, stackPath } from "./store.ts";

/** Opens the boxes of a run in row order. */
export function openBoxes(runDir: string, records: readonly TomogramRecord[], particles: readonly LabelledParticle[]): DiskBoxStore {
  const rowsOf = new Map<number, number[]>();
  for (const { tomogram, pick } of particles) {
    let rows = rowsOf.get(tomogram);
    if (!rows) rowsOf.set(tomogram, rows = []);
    rows.push(tomogram, pick);
  }
  const withBoxes = records.filter((record) => record.boxes > 0);
  const parts = withBoxes.map(({ ordinal, id, geometry }) => ({
    path: stackPath(runDir, ordinal, id),
    geometry,
    rows: Int32Array.from(rowsOf.get(ordinal) ?? []),
  }));
  const first = withBoxes[0];
  return new DiskBoxStore(parts, Number(first?.metadata.boxVoxels ?? 0), first?.boxVoxelSizeAngstrom ?? 0);
}

/** Particles as one table of arrays. */
export function particleTable(particles: readonly LabelledParticle[]): ParticleTable {
  const count = particles.length;
  const names = [...new Set(particles.flatMap((particle) => Object.keys(particle.columns)))];
  const flat = (of: (particle: LabelledParticle) => readonly number[], width: number) => {
    const out = new Float64Array(count * width);
    particles.forEach((particle, i) => out.set(of(particle), i * width));
    return out;
  };
  const oriented = count > 0 && particles.every((particle) => particle.eulerZyzDegrees !== undefined);
  return {
    count,
    rows: Int32Array.from(particles.flatMap(({ tomogram, pick }) => [tomogram, pick])),
    centresXyz: flat((particle) => particle.centreXyz, 3),
    score: Float32Array.from(particles, (particle) => particle.score),
    ...(oriented ? { eulerZyzDegrees: flat((particle) => particle.eulerZyzDegrees!, 3) } : {}),
    classIds: Int32Array.from(particles, (particle) => particle.classId ?? -1),
    logLikelihood: Float64Array.from(particles, (particle) => particle.logLikelihood),
    novel: Uint8Array.from(particles, (particle) => particle.novel ? 1 : 0),
    columns: Object.fromEntries(names.map((name) => [name, particles.map((particle) => particle.columns[name] ?? "")])),
  };
}

/** A view that holds open files until it is disposed of. */
export type OpenRunView = RunView & AsyncDisposable;

/** Rebuilds the view of a run whose labels stand in its ledger. */
export function openRunView(
  session: Session,
  verb: string,
  resolved: Readonly<Record<string, unknown>>,
  truth: TruthView | null,
): OpenRunView {
  const { manifest, ledger } = session;
  const dir = manifest.run.dir;
  const particles = ledger.particles();
  const records = ledger.tomograms().map(({ record }) => record);
  const boxes = openBoxes(dir, records, particles);
  const learnt = ledger.fact<Omit<Learnt, "state">>("learnt");
  // What sinks took is not theirs to tell: they must write the same again.
  const { sinks: _sinks, ...timings } = session.timings;
  return {
    runDir: dir,
    verb,
    manifest: resolved,
    engine: ledger.fact("engine"),
    tomograms: records,
    openTomogram: tomogramOpener(session, records),
    particles: particleTable(particles),
    boxes,
    features: loadFeatures(`${dir}/features`, boxes.rows),
    iterations: ledger.iterations(),
    criteria: learnt?.criteria ?? [],
    keptIteration: learnt?.keptIteration ?? -1,
    converged: learnt?.converged ?? false,
    classResults: loadResults(dir, ledger),
    truth,
    events: ledger.events(),
    timings,
    [Symbol.asyncDispose]: () => boxes[Symbol.asyncDispose](),
  };
}

function loadResults(dir: string, ledger: Ledger): Readonly<Record<string, ClassResult>> {
  return ledger.fact("classes") ? loadClassResults(`${dir}/classes/results`) : {};
}

function loadFeatures(path: string, rows: Int32Array): Features {
  if (!exists(path)) return { rows, dims: 0, values: new Float32Array() };
  const { state } = loadBundle(path);
  return { rows, dims: state.values.dims as number, values: state.arrays.values as Float32Array };
}

/** Opens a tomogram again in the frame of its coordinates: through the tomogram stages when one of them changed its shape and named no frame. */
function tomogramOpener(session: Session, records: readonly TomogramRecord[]): (ordinal: number) => Promise<Tomogram | null> {
  let source: Source<"tomogram"> | undefined;
  let operators: Operator<"tomogram", "tomogram">[] | undefined;
  return async (ordinal) => {
    const record = records.find((candidate) => candidate.ordinal === ordinal);
    source ??= await session.create(session.manifest.source) as Source<"tomogram">;
    let tomogram = await source.reopen?.(ordinal) ?? null;
    // A file that has gone shifts the ordinals of those behind it: better no picture than another's.
    if (!tomogram || !record || tomogram.id !== record.id) return null;
    if (tomogram.volumes.raw?.shapeZyx.join() !== record.shapeZyx.join()) {
      operators ??= await Promise.all(
        session.manifest.stages.filter(({ plugin }) => plugin.input === "tomogram" && plugin.output === "tomogram").map((stage) =>
          session.create(stage)
        ),
      );
      for (const operator of operators) {
        const made = operator.apply(tomogram, session.signal);
        if (Symbol.asyncIterator in made) {
          for await (const value of made) tomogram = value;
        } else tomogram = await made;
      }
    }
    return tomogram;
  };
}
