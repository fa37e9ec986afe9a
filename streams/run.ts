/**
 * The composition root: a loaded manifest becomes a running job, from tomograms to reports. Every step that is done is recorded, and a
 * resumed run goes on with the first that is not.
 * @module
 */
import type { ClassInput, ClassResult, ClassStage, Learner, Metrics, Sink, TruthView } from "./contract.ts";
import { saveBundle } from "./bundle.ts";
import { saveClassResults } from "./class_results.ts";
import { RunError } from "./errors.ts";
import { fillStore } from "./fill.ts";
import { labelBoxes, type Labels, novelBoxes, noveltyThreshold } from "./label.ts";
import { driveLearner, heldOutBoxes, type Learnt } from "./learn.ts";
import { Ledger } from "./ledger.ts";
import { type LoadedLearner, type LoadedManifest, resolvedManifest } from "./loaded_manifest.ts";
import type { LoadedManifestFile } from "./manifest.ts";
import { peakRssMiB } from "./memory.ts";
import type { Progress } from "./progress.ts";
import { openRunFolder } from "./run_folder.ts";
import { openBoxes, openRunView } from "./run_view.ts";
import { Session } from "./session.ts";
import { scoreParticles } from "./run_truth.ts";
import { readTruth } from "./truth.ts";

/** One JSON object that says how a run ended. */
export interface RunSummary {
  readonly status: "done";
  readonly runDir: string;
  readonly engine: string | null;
  readonly tomograms: number;
  readonly particles: number;
  /** Occupied classes; null without a learner. */
  readonly k: number | null;
  readonly iterations: number | null;
  readonly converged: boolean | null;
  readonly ddbi: number | null;
  readonly bic: number | null;
  readonly metrics: Metrics | null;
  readonly seconds: number;
  readonly peakRssMiB: number;
}

/** How to run. */
export interface RunOptions {
  readonly resume?: boolean;
  readonly signal: AbortSignal;
  readonly progress: Progress;
}

/** Creates a learner and, before it, its parts. */
export async function createLearner(session: Session, learn: LoadedLearner): Promise<Learner> {
  const parts: Record<string, unknown> = {};
  for (const [name, part] of Object.entries(learn.parts)) if (part) parts[name] = await session.create(part);
  return await session.create(learn, parts) as Learner;
}

/**
 * Runs a manifest to its end.
 *
 * @throws {ManifestError} When the run folder does not suit. @throws {StageError} @throws {RunError} When a step fails; what was done stays.
 */
export async function runPipeline(file: LoadedManifestFile, options: RunOptions): Promise<RunSummary> {
  const { manifest } = file;
  const { signal, progress } = options;
  const started = performance.now();
  const resolved = file.resolved();
  using folder = openRunFolder(file, options.resume ?? false);
  using ledger = new Ledger(`${folder.dir}/run.sqlite`);
  await using session = new Session(manifest, ledger, progress, signal);
  for (const change of folder.changes) session.events.note("run", "manifest-changed", `resumed with another ${change}`);
  for (const warning of file.warnings) session.events.warn("manifest", "lint", warning);

  // A truth that cannot be read, or is another run's, is told before hours of work and not after them.
  if (manifest.truth !== null) await readTruth(manifest.truth);
  await session.timed("picking", () => fillStore(session));
  const count = ledger.particles().length;
  if (count === 0) throw new RunError(nothingFound(session));
  if (manifest.truth !== null) await scoreParticles(session);
  const learnt = manifest.learn ? await learnClasses(session, manifest.learn) : null;
  const truth = manifest.truth === null ? null : await scoreParticles(session);
  await runSinks(session, "run", { ...resolved }, truth);
  ledger.setFact("done", true);
  await session.scratch.clear();
  return summarise(session, learnt, truth, (performance.now() - started) / 1000);
}

/** `1 tomogram`, `2 tomograms`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : noun.endsWith("s") ? "es" : "s"}`;
}

/** Says why there are no particles, with what is known. */
function nothingFound({ ledger }: Session): string {
  const records = ledger.tomograms();
  const picks = records.reduce((sum, { record }) => sum + record.picks, 0);
  const drops = ledger.events().filter((event) => event.type === "drop").map((event) =>
    `${event.stage}: ${event.count} x ${event.message}`
  );
  return `no particles: ${counted(records.length, "tomogram")}, ${counted(picks, "pick")}, 0 boxes${
    drops.length ? ` (${drops.join("; ")})` : ""
  }: look at the source's contrast, the picker's threshold and its diameter`;
}

async function learnClasses(session: Session, learn: LoadedLearner): Promise<Omit<Learnt, "state">> {
  const { manifest, ledger, signal, progress } = session;
  const { dir, heldOutFraction, noveltyQuantile } = manifest.run;
  const records = ledger.tomograms().map(({ record }) => record);
  await using boxes = openBoxes(dir, records, ledger.particles());
  const heldOut = heldOutBoxes(boxes.rows, heldOutFraction, manifest.seed);
  if (!heldOut.includes(1)) {
    session.events.note(learn.label, "novelty-off", `${boxes.count} boxes are too few to hold some out, so no particle is marked novel`);
  }
  const learner = await createLearner(session, learn);
  const { state, ...learnt } = await session.timed(
    "learning",
    () =>
      session.within(
        learn.label,
        () =>
          driveLearner(
            learner,
            boxes,
            heldOut,
            { checkpoints: `${dir}/checkpoints`, labelings: `${dir}/labelings` },
            ledger,
            signal,
            (iteration) => {
              const { k } = iteration.clustering, { ddbi, labelChange } = iteration.figures;
              const change = labelChange === null || labelChange === undefined
                ? ""
                : `, ${(100 * labelChange).toFixed(1)} % of labels changed`;
              progress.log(
                `iteration ${iteration.index}: K ${k}${change}${ddbi === null || ddbi === undefined ? "" : `, DDBI ${ddbi.toFixed(3)}`}${
                  iteration.best ? ", best so far" : ""
                }`,
              );
            },
          ),
      ),
  );
  ledger.setFact("learnt", learnt);

  const labels = await session.timed("labelling", () =>
    session.within(learn.label, async () => {
      await learner.load(state);
      return await labelBoxes(learner, boxes, signal, (done, total) => progress.update("labelling", done, total));
    }));
  const threshold = noveltyThreshold(labels.logLikelihood, heldOut, noveltyQuantile);
  if (labels.logLikelihood === null) {
    session.events.note(learn.label, "novelty-off", "the clusterer has no likelihood, so no particle is marked novel");
  }
  recordLabels(session, boxes.rows, labels, threshold);

  const facts = {
    manifest: resolvedManifest(manifest, `${dir}/model`),
    boxVoxels: boxes.boxVoxels,
    voxelSizeAngstrom: boxes.voxelSizeAngstrom,
    noveltyThreshold: threshold,
    keptIteration: learnt.keptIteration,
    engine: ledger.fact("engine"),
  };
  saveBundle(`${dir}/model`, facts, state, await learner.portable?.());
  if (manifest.classes.length > 0) await session.timed("classes", () => describeClasses(session, { boxes, labels, learnerState: state }));
  return learnt;
}

/** Writes labels into the ledger and features beside it. */
export function recordLabels(session: Session, rows: Int32Array, labels: Labels, threshold: number | null): void {
  const novel = novelBoxes(labels.logLikelihood, labels.classIds.length, threshold);
  saveBundle(`${session.manifest.run.dir}/features`, {}, {
    version: 1,
    values: { dims: labels.dims },
    arrays: { values: labels.features },
  });
  session.ledger.setLabels(rows, labels.classIds, labels.logLikelihood, novel);
}

async function describeClasses(
  session: Session,
  made: { boxes: ClassInput["boxes"]; labels: Labels; learnerState: ClassInput["learnerState"] },
): Promise<void> {
  const { manifest, ledger, signal } = session;
  const { boxes, labels, learnerState } = made;
  const classes = [...new Set(labels.classIds)].sort((a, b) => a - b);
  const results: Record<string, ClassResult> = {};
  for (const entry of manifest.classes) {
    const stage = await session.create(entry) as ClassStage;
    const features = { rows: boxes.rows, dims: labels.dims, values: labels.features };
    results[entry.name] = await session.within(
      entry.label,
      () => stage.describe({ boxes, features, classIds: labels.classIds, classes, learnerState, signal }),
    );
  }
  saveClassResults(`${manifest.run.dir}/classes/results`, results);
  ledger.setFact("classes", true);
}

/** Runs every sink of the manifest over the finished run. */
export async function runSinks(
  session: Session,
  verb: string,
  resolved: Readonly<Record<string, unknown>>,
  truth: TruthView | null,
): Promise<void> {
  const { manifest, signal, ledger } = session;
  ledger.setFact("verb", verb);
  await using view = openRunView(session, verb, resolved, truth);
  for (const entry of manifest.sinks) {
    signal.throwIfAborted();
    const sink = await session.create(entry) as Sink;
    await session.timed("sinks", () => session.within(entry.label, () => sink.write(view, manifest.run.dir)));
  }
}

/** The run's closing figures. */
export function summarise(session: Session, learnt: Omit<Learnt, "state"> | null, truth: TruthView | null, seconds: number): RunSummary {
  const { ledger, manifest } = session;
  const particles = ledger.particles();
  const figures = learnt?.figures ?? {};
  return {
    status: "done",
    runDir: manifest.run.dir,
    engine: ledger.fact<{ name: string }>("engine")?.name ?? null,
    tomograms: ledger.tomograms().length,
    particles: particles.length,
    k: manifest.learn ? new Set(particles.map((particle) => particle.classId)).size : null,
    iterations: learnt?.iterations ?? null,
    converged: learnt?.converged ?? null,
    ddbi: figures.ddbi ?? null,
    bic: figures.bic ?? null,
    metrics: truth?.metrics ?? null,
    seconds: Math.round(seconds * 10) / 10,
    peakRssMiB: peakRssMiB(),
  };
}

/** The manifest's folder and what it would do, for `--dry-run`. */
export function describeRun(manifest: LoadedManifest): string[] {
  const names = [manifest.source.name, ...manifest.stages.map((stage) => stage.name)];
  const learn = manifest.learn;
  return [
    `run folder: ${manifest.run.dir}`,
    `stream: ${names.join(" -> ")}`,
    ...(learn
      ? [`learner: ${learn.name} (${Object.entries(learn.parts).map(([part, entry]) => `${part}: ${entry?.name ?? "none"}`).join(", ")})`]
      : []),
    ...(manifest.classes.length ? [`classes: ${manifest.classes.map((entry) => entry.name).join(", ")}`] : []),
    ...(manifest.sinks.length ? [`sinks: ${manifest.sinks.map((entry) => entry.name).join(", ")}`] : []),
  ];
}
