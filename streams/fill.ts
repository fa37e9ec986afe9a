/**
 * Source and stages as one pulled stream: tomograms in, boxes and particles on disk, each tomogram recorded when all of it is there.
 * @module
 */
import type { Observable } from "rxjs";
import type { Operator, Payload, Picks, Source, Subtomograms, Tomogram, TomogramRecord } from "./contract.ts";
import { pickWithDecoy } from "./decoy.ts";
import { Edge, type Lease } from "./edge.ts";
import { RunError, ShapeError, StageError } from "./errors.ts";
import type { ParticleRecord } from "./ledger.ts";
import type { LoadedStage } from "./loaded_manifest.ts";
import { drain, lift, type Message, pull } from "./lift.ts";
import type { Session } from "./session.ts";
import { stackPath, StackWriter } from "./store.ts";

/** Tomograms or stacks that a source may run ahead. */
const SOURCE_CAPACITY = 2;

/** What is gathered of one tomogram until its end passes. */
interface Gathered {
  /** As the last stage saw it. */
  tomogram: Tomogram;
  picks: number;
  readonly writer: StackWriter;
  readonly particles: ParticleRecord[];
  failed: boolean;
}

type AnyPayload = Tomogram | Picks | Subtomograms;

const isSubtomograms = (value: AnyPayload): value is Subtomograms => "voxels" in value;
const isPicks = (value: AnyPayload): value is Picks => "centresXyz" in value;
const tomogramOf = (value: AnyPayload): Tomogram => isSubtomograms(value) || isPicks(value) ? value.tomogram : value;

/**
 * Runs source and stages over every tomogram that the ledger does not hold yet.
 *
 * @throws {StageError} When a stage fails whose `onError` is `fail`.
 * @throws {RunError} When tomograms have unlike voxel sizes.
 */
export async function fillStore(session: Session): Promise<void> {
  const { manifest, ledger, events, signal } = session;
  const source = await session.create(manifest.source) as Source<Payload>;
  const known = new Map(ledger.tomograms().map(({ record }) => [record.ordinal, record]));
  const gathered = new Map<number, Gathered>();
  let finished = known.size;
  const gather = (tomogram: Tomogram): Gathered => {
    let entry = gathered.get(tomogram.ordinal);
    if (!entry) {
      const writer = new StackWriter(stackPath(manifest.run.dir, tomogram.ordinal, tomogram.id));
      gathered.set(tomogram.ordinal, entry = { tomogram, picks: 0, writer, particles: [], failed: false });
    }
    return entry;
  };

  const first = new Edge(manifest.source.label, SOURCE_CAPACITY);
  const edges = [first];
  let stream: Observable<Lease<Message<AnyPayload>>> = pull(
    (inner) => withEnds(source.open(inner), known, gather),
    first,
    manifest.source.label,
    session.silenceLimit(manifest.source.label),
  );
  for (const stage of manifest.stages) {
    const operator = await createStage(session, stage);
    const edge = new Edge(stage.label, stage.capacity);
    edges.push(edge);
    stream = stream.pipe(lift<AnyPayload, AnyPayload>({
      stage: stage.label,
      apply: (input, inner) => operator.apply(input as never, inner) as Promise<AnyPayload> | AsyncIterable<AnyPayload>,
      edge,
      onError: stage.onError,
      onDrop: (input, error) => {
        const { id, ordinal } = tomogramOf(input);
        gather(tomogramOf(input)).failed = true;
        events.warn(stage.label, "tomogram-dropped", `${id}: left out: ${error.message}`);
        events.drop(stage.label, 1, "tomogram left out because this stage failed on it", ordinal);
      },
      onInput: (ordinal) => session.ordinals.set(stage.label, ordinal),
      onOutput: (output, ordinal) => {
        if (isPicks(output)) gathered.get(ordinal)!.picks = output.score.length;
      },
      timeoutMs: stage.timeoutSeconds * 1000,
      lastSign: () => session.lastSigns.get(stage.label) ?? 0,
      atWork: () => session.heldThread.enter(stage.label, stage.timeoutSeconds),
    }));
  }

  const putAway = async (message: Message<AnyPayload>) => {
    const entry = gathered.get(message.ordinal);
    if (message.kind === "item") {
      await keep(entry!, message.value);
    } else if (entry) {
      await finishTomogram(session, entry);
      gathered.delete(message.ordinal);
      session.progress.update("tomograms", ++finished, 0);
    }
  };
  let putting: Promise<void> = Promise.resolve();
  try {
    session.progress.update("tomograms", finished, 0);
    await drain(stream, (message) => putting = putAway(message), signal);
  } catch (error) {
    // A stage that waits for what never comes is found by its own limit, so it is the source that has come to a stand.
    throw error === signal.reason && error instanceof RunError ? new StageError(manifest.source.label, error) : error;
  } finally {
    // When the run is stopped or a stage fails, what is being written is written to its end.
    await putting.catch(() => {});
    session.ordinals.clear();
    for (const edge of edges) edge.releaseAll();
    for (const { writer } of gathered.values()) await writer[Symbol.asyncDispose]();
  }
  checkVoxelSizes(ledger.tomograms().map(({ record }) => record));
}

/** A stage's operator; with a decoy it picks twice. */
async function createStage(session: Session, stage: LoadedStage): Promise<Operator<Payload, Payload>> {
  const operator = await session.create(stage) as Operator<Payload, Payload>;
  if (!stage.decoy) return operator;
  const picker = operator as Operator<"tomogram", "picks">;
  const silent = await session.create(stage, {}, true) as Operator<"tomogram", "picks">;
  const context = {
    seed: session.manifest.seed,
    pool: session.pool,
    alive: () => void session.lastSigns.set(stage.label, performance.now()),
    note: (code: string, message: string) => session.events.note(stage.label, code, message),
  };
  return { apply: (tomogram, signal) => pickWithDecoy(picker, silent, tomogram as Tomogram, context, signal) };
}

/** Adds the word that a tomogram has ended, and leaves out those that are done. */
async function* withEnds(
  values: AsyncIterable<AnyPayload>,
  known: ReadonlyMap<number, TomogramRecord>,
  gather: (tomogram: Tomogram) => unknown,
): AsyncGenerator<Message<AnyPayload>> {
  let ordinal = -1;
  for await (const value of values) {
    const tomogram = tomogramOf(value);
    const done = known.get(tomogram.ordinal);
    if (done) {
      if (done.id !== tomogram.id) {
        throw new RunError(
          `tomogram ${tomogram.ordinal} is ${tomogram.id}, it was ${done.id} when this run was started: the input files have changed; use another run.dir`,
        );
      }
      continue;
    }
    if (ordinal >= 0 && tomogram.ordinal !== ordinal) yield { kind: "end", ordinal };
    ordinal = tomogram.ordinal;
    gather(tomogram);
    yield { kind: "item", ordinal, value };
    // A tomogram is one value: its end need not wait for the next one.
    if (!isSubtomograms(value)) {
      yield { kind: "end", ordinal };
      ordinal = -1;
    }
  }
  if (ordinal >= 0) yield { kind: "end", ordinal };
}

/** Puts what the last stage made where it belongs. */
async function keep(entry: Gathered, value: AnyPayload): Promise<void> {
  const { particles } = entry;
  const tomogram = entry.tomogram = tomogramOf(value);
  if (isSubtomograms(value)) {
    const { rows, picks } = value;
    for (let i = 0; i < rows.length / 2; i++) {
      const pick = rows[2 * i + 1];
      const last = particles.at(-1)?.pick ?? -1;
      if (rows[2 * i] !== tomogram.ordinal || pick <= last) {
        throw new ShapeError(
          `${tomogram.id}: box (${rows[2 * i]}, ${pick}) after (${tomogram.ordinal}, ${last}): rows must ascend within their tomogram`,
        );
      }
      particles.push(particle(tomogram, pick, picks, i));
    }
    await entry.writer.add(value, voxelSizeOf(tomogram));
    if (!picks) entry.picks = particles.length;
  } else if (isPicks(value)) {
    for (let i = 0; i < value.score.length; i++) particles.push(particle(tomogram, i, value, i));
  }
}

/** One pick as it is recorded: its centre in voxels of the tomogram that the source gave. */
function particle({ ordinal, sourceFrame }: Tomogram, pick: number, picks: Picks | undefined, i: number): ParticleRecord {
  const triple = (values: Float64Array, times = 1) =>
    [times * values[3 * i], times * values[3 * i + 1], times * values[3 * i + 2]] as const;
  return {
    tomogram: ordinal,
    pick,
    centreXyz: picks ? triple(picks.centresXyz, sourceFrame?.voxelsEach) : [NaN, NaN, NaN],
    score: picks ? picks.score[i] : 0,
    eulerZyzDegrees: picks?.eulerZyzDegrees ? triple(picks.eulerZyzDegrees) : undefined,
    columns: picks ? Object.fromEntries(Object.entries(picks.columns).map(([name, column]) => [name, column[i]])) : {},
  };
}

/** Boxes are cut from volumes of one voxel size; a stack says its own in its metadata. */
function voxelSizeOf(tomogram: Tomogram): number {
  return tomogram.volumes.raw?.voxelSizeAngstrom ?? Number(tomogram.metadata.voxelSizeAngstrom ?? 0);
}

async function finishTomogram({ ledger }: Session, entry: Gathered): Promise<void> {
  const { tomogram, writer, particles, picks, failed } = entry;
  const { id, ordinal, geometry, metadata, volumes, sourceFrame } = tomogram;
  const record: TomogramRecord = {
    id,
    ordinal,
    path: typeof metadata.path === "string" ? metadata.path : null,
    shapeZyx: sourceFrame?.shapeZyx ?? volumes.raw?.shapeZyx ?? [0, 0, 0],
    voxelSizeAngstrom: sourceFrame?.voxelSizeAngstrom ?? voxelSizeOf(tomogram),
    boxVoxelSizeAngstrom: voxelSizeOf(tomogram),
    voxelsEach: sourceFrame?.voxelsEach ?? 1,
    geometry,
    metadata: { ...metadata, ...(writer.boxVoxels ? { boxVoxels: writer.boxVoxels } : {}) },
    picks,
    boxes: writer.count,
  };
  try {
    if (failed) await writer[Symbol.asyncDispose]();
    else await writer.finish();
  } catch (error) {
    throw new StageError(`tomogram ${id}`, error);
  }
  ledger.finishTomogram(failed ? { ...record, boxes: 0 } : record, failed ? [] : particles, failed ? "dropped" : "done");
}

function checkVoxelSizes(records: readonly TomogramRecord[]): void {
  const stated = records.filter((record) => record.boxVoxelSizeAngstrom > 0);
  for (const { id, boxVoxelSizeAngstrom: size } of stated) {
    const first = stated[0];
    if (Math.abs(size / first.boxVoxelSizeAngstrom - 1) > 0.01) {
      throw new RunError(
        `${id} has ${size} A a voxel, ${first.id} has ${first.boxVoxelSizeAngstrom} A (more than 1 % apart): put a "rescale" stage before the picker`,
      );
    }
  }
}
