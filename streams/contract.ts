/**
 * What flows between stages and what a plugin is: the one file a plugin author reads.
 *
 * Payloads are plain typed arrays with ids and units. Inputs are read-only. Voxel arrays are `[z, y, x]` (x fastest); coordinates are
 * zero-based voxel indices at voxel centres, `x, y, z`, float64; physical position is index times voxel size in Angstrom. Particles are
 * bright everywhere inside tomosieve: the source multiplies by -1 when the file holds dark particles.
 * @module
 */
import type { z } from "zod";
import type { Engine } from "../plugins/engines/network.ts";

export type { Engine, Network, NetworkSpec } from "../plugins/engines/network.ts";

// ---------------------------------------------------------------- payloads

/** Three numbers whose axis order is in the name of whatever holds them. */
export type Triple = readonly [number, number, number];

/** A lazily read three-dimensional density. */
export interface Volume {
  readonly shapeZyx: Triple;
  readonly voxelSizeAngstrom: number;
  /** Reads one box, `[sz, sy, sx]`. @throws {RangeError} When any part of the box lies outside the volume. */
  readBox(cornerZyx: Triple, sizeZyx: Triple): Promise<Float32Array>;
  /** Reads whole sections `z0 <= z < z1`, `[z1 - z0, ny, nx]`. */
  readSlab(z0: number, z1: number): Promise<Float32Array>;
}

/** How the tilt series was taken. Angles in degrees. */
export interface Geometry {
  readonly tiltRangeDegrees: readonly [number, number] | "unknown";
  /** Every tilt angle, when a file names them. */
  readonly tiltAnglesDegrees?: readonly number[];
  readonly tiltAxis: "x" | "y";
  readonly handedness: 1 | -1 | "unknown";
  readonly defocusAngstrom?: number;
  /** Which way defocus changes with height, as RELION's rlnTomoHand says it; it says nothing of the wedge. */
  readonly defocusHandedness?: 1 | -1;
  readonly doseElectronsPerSquareAngstrom?: number;
}

/** Where the voxels of a resampled tomogram lie in the one that the source gave: index there = index here x `voxelsEach`. */
export interface SourceFrame {
  /** The source tomogram's shape and voxel size. */
  readonly shapeZyx: Triple;
  readonly voxelSizeAngstrom: number;
  /** Source voxels that one voxel spans; voxel 0 has stayed where it was. */
  readonly voxelsEach: number;
}

/** One tomogram: named volumes of the same shape, of which `raw` always exists. */
export interface Tomogram {
  readonly id: string;
  /** Position in the sorted list of tomograms, from 0. */
  readonly ordinal: number;
  readonly volumes: Readonly<Record<string, Volume>>;
  /** Set by a stage that resamples. Coordinates are in voxels of `volumes`; the core brings them into this frame when it records them. */
  readonly sourceFrame?: SourceFrame;
  readonly geometry: Geometry;
  /** Facts for reports: file path, contrast, size in bytes. */
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
}

/** Particle positions in one tomogram. A row's index in these arrays is its pick ordinal. */
export interface Picks {
  readonly tomogram: Tomogram;
  /** `[n, 3]` x, y, z in voxels. */
  readonly centresXyz: Float64Array;
  /** `[n]`, higher is better. */
  readonly score: Float32Array;
  /** `[n, 3]` rot, tilt, psi (intrinsic ZYZ, degrees). */
  readonly eulerZyzDegrees?: Float64Array;
  /** Anything carried along losslessly; every column has n entries. */
  readonly columns: Readonly<Record<string, readonly (string | number)[]>>;
}

/** One batch of boxes. */
export interface Subtomograms {
  readonly tomogram: Tomogram;
  /** `[n, 2]`: tomogram ordinal, pick ordinal. */
  readonly rows: Int32Array;
  readonly boxVoxels: number;
  /** `[n, b, b, b]`, bright particles, zero mean and unit deviation inside the inscribed sphere, no mask applied. */
  readonly voxels: Float32Array;
  /** The pick of each box, in the same order as `rows`; absent for a stack of boxes. */
  readonly picks?: Picks;
}

/** `values` is `[n, d]` row-major; `rows` as in {@linkcode Subtomograms}. */
export interface Features {
  readonly rows: Int32Array;
  readonly dims: number;
  readonly values: Float32Array;
}

/** Payload names as they stand in a plugin's `input` and `output`. */
export interface Payloads {
  tomogram: Tomogram;
  picks: Picks;
  subtomograms: Subtomograms;
}
/** A payload's name. */
export type Payload = keyof Payloads;

// ---------------------------------------------------------------- what the core lends

/** A seeded stream of numbers: the same key gives the same numbers on every machine. */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Uniform integer in 0..n-1. */
  integer(n: number): number;
  /** A random order of 0..n-1. */
  permutation(n: number): Int32Array;
}

/** The run's one worker pool. */
export interface Pool {
  /** Number of workers. */
  readonly size: number;
  /**
   * Calls `exportName` of `module` (an absolute URL: `new URL("./x.ts", import.meta.url).href`) with `args` in a worker.
   * Array buffers named in `transfer` move; SharedArrayBuffers are shared; typed arrays in the result (two levels deep) move back.
   */
  run<T>(
    module: string,
    exportName: string,
    args: readonly unknown[],
    options?: { transfer?: ArrayBufferLike[]; signal?: AbortSignal },
  ): Promise<T>;
}

/** Writes the sections of a derived volume, in order. */
export type WriteSlab = (sections: Float32Array) => Promise<void>;
/** Makes a volume that a later pass reads again while a derived volume is made; it is removed when that is done. */
export type WorkingVolume = (shapeZyx: Triple, fill: (writeSlab: WriteSlab) => Promise<void>) => Promise<Volume>;

/** Disk-backed volumes in the run folder. */
export interface Scratch {
  /**
   * A derived volume that must be re-read. `fill` is called once to write every section in order; a later call with the same `key`
   * (inputs and options in one string) reuses the finished file.
   */
  volume(
    key: string,
    shapeZyx: Triple,
    voxelSizeAngstrom: number,
    fill: (writeSlab: WriteSlab, working: WorkingVolume) => Promise<void>,
  ): Promise<Volume>;
}

/** What the core lends every plugin. */
export interface PluginContext {
  /** The stage as the manifest names it, `stages[1] "dog"`: the first words of every message. */
  readonly stage: string;
  readonly signal: AbortSignal;
  /** Numbers keyed by (run seed, stage, key). Never Math.random. */
  random(...key: readonly (string | number)[]): Random;
  /** Present when the plugin says `needs: { engine: true }`. */
  readonly engine?: Engine;
  readonly pool: Pool;
  readonly scratch: Scratch;
  progress(done: number, total?: number): void;
  /** Counts particles that were left out, with the reason that the report shows. */
  drop(count: number, reason: string): void;
  warn(code: string, message: string): void;
  /** States an assumption or a derived default; the report lists them. */
  note(code: string, message: string): void;
}

// ---------------------------------------------------------------- state

/** Learned state: one word for checkpoint, resume and inference. */
export interface State {
  readonly version: number;
  readonly values: Readonly<Record<string, string | number | boolean | null | readonly number[] | readonly string[]>>;
  readonly arrays: Readonly<Record<string, Float32Array | Float64Array | Int32Array | Uint8Array>>;
}
/** Something whose learned state can be saved and restored. */
export interface Stateful {
  save(): Promise<State>;
  load(state: State): Promise<void>;
  /** Files for other programs, by name (`network.onnx`), that a run puts beside the saved state in `model/`; nothing here reads them. */
  portable?(): Promise<Readonly<Record<string, Uint8Array>>>;
}

// ---------------------------------------------------------------- learning

/** All boxes of a run, on disk, in row order (tomogram ordinal, pick ordinal). */
export interface BoxStore {
  readonly count: number;
  readonly boxVoxels: number;
  readonly voxelSizeAngstrom: number;
  /** `[count, 2]`. */
  readonly rows: Int32Array;
  /** Geometry of the tomogram that holds box i. */
  geometryOf(index: number): Geometry;
  /** Boxes at `indices` (0..count-1), `[n, b, b, b]`, as {@linkcode Subtomograms.voxels}. */
  read(indices: ArrayLike<number>): Promise<Float32Array>;
}

/** A partition of boxes. */
export interface Clustering {
  readonly k: number;
  /** `[n]` slots 0..k-1. */
  readonly labels: Int32Array;
  /** `[k]` lasting names of the slots: a class keeps its name through refits and changes of K. */
  readonly classIds: Int32Array;
  /** Table of model selection: one row a candidate K, for the report. */
  readonly criteria: readonly Readonly<Record<string, number>>[];
  /** The chosen criterion's value, when there is one. */
  readonly bic?: number;
}

/** Labels for features that were not fitted. */
export interface ClusterPrediction {
  /** `[n]` slots 0..k-1. */
  readonly labels: Int32Array;
  /** `[n]` natural-log density under the model; absent when the clusterer has none. */
  readonly logLikelihood?: Float64Array;
}

/** What a learner gets. */
export interface LearnInput {
  readonly boxes: BoxStore;
  /** `[count]`: 1 = held out; never used to fit anything, only to calibrate novelty. */
  readonly heldOut: Uint8Array;
  readonly signal: AbortSignal;
}

/** One turn of a learner's loop, complete when it is yielded. */
export interface Iteration {
  readonly index: number;
  /** Over the boxes that are not held out and over those that are (predicted): all of them. */
  readonly clustering: Clustering;
  readonly features: Features;
  /** Named figures of this iteration: `ddbi`, `bic`, `k`, `loss`, `labelChange`, `agreement`, `seconds`. */
  readonly figures: Readonly<Record<string, number | null>>;
  /** This iteration is the best so far by the recipe's own rule. */
  readonly best: boolean;
  /** Set on the last iteration. */
  readonly finished?: "converged" | "maximum";
}

/** What a learner says of a batch, with frozen state. */
export interface LearnerPrediction {
  readonly features: Features;
  /** `[n]` class ids (lasting names). */
  readonly classIds: Int32Array;
  readonly logLikelihood?: Float64Array;
}

/**
 * Turns boxes into labels and a model. While an iteration is yielded, `save()` gives the state that made its labels, including what is
 * needed to go on; after `load()` of it, `learn` continues with the next iteration and gives the same results as if never interrupted.
 */
export interface Learner extends Stateful {
  learn(input: LearnInput): AsyncIterable<Iteration>;
  /**
   * Labels boxes with frozen state. Results do not depend on how boxes are batched.
   * @param voxels `[n, b, b, b]` as stored. @param rows `[n, 2]`. @param geometries One a box.
   */
  predict(voxels: Float32Array, rows: Int32Array, boxVoxels: number, geometries: readonly Geometry[]): Promise<LearnerPrediction>;
}

/** Boxes to feature vectors. Boxes come `[n, b, b, b]` as stored; the embedder applies `prepare` itself. */
export interface Embedder extends Stateful {
  readonly dims: number;
  /** How boxes for `trainBatch` must be prepared (options of `prepareBoxes` and `augmentBoxes`); the embedder does the same in `embed`. */
  readonly prepare?: { readonly lowPassVoxels: number };
  /** `[n, dims]`; box i's features do not depend on the others. */
  embed(voxels: Float32Array, count: number): Promise<Float32Array>;
  /** Whether `setClasses`, `trainBatch` and `calibrate` do anything. */
  readonly trainable: boolean;
  /** Gives the network a new head for k classes, keeping the body, and fits it to `targets` `[n, k]` on stored `features` `[n, dims]`. */
  setClasses(k: number, features: Features, targets: Float32Array, key: number): Promise<void>;
  /**
   * `trainBatch` may be called again before it has answered; the steps are done in the order of the calls. So the next batch waits at the
   * engine instead of the engine for the batch.
   */
  readonly queuesTraining?: true;
  /**
   * One optimiser step. `voxels` are prepared already; `key` seeds the noise.
   * @returns The loss, and how long the engine was at work when that is known.
   */
  trainBatch(
    voxels: Float32Array,
    targets: Float32Array,
    count: number,
    learningRate: number,
    key: number,
  ): Promise<{ readonly loss: number; readonly milliseconds?: number }>;
  /** Recomputes batch-norm statistics over these boxes (as stored). */
  calibrate(voxels: Float32Array, count: number, first: boolean): Promise<void>;
}

/** Feature vectors to classes. */
export interface Clusterer extends Stateful {
  fit(table: Features, previous: Clustering | null, key: number): Promise<Clustering>;
  predict(features: Features): Promise<ClusterPrediction>;
}
/** Names the classes of a new clustering after those of the previous one. */
export interface Matcher {
  /** Lasting names for the slots of `next`, `[next.k]`; unmatched slots get names from `fresh()`. */
  match(previous: Clustering, next: Clustering, fresh: () => number): Int32Array;
}
/** Judges a clustering without truth. */
export interface Scorer {
  readonly better: "lower" | "higher";
  score(table: Features, clustering: Clustering): number;
}
/** Improves labels with the boxes themselves (alignment), and gives averages and poses on the way. */
export interface Refiner extends Stateful {
  refine(boxes: BoxStore, subset: Int32Array, start: Clustering, key: number): Promise<Refinement>;
  /**
   * With frozen state (the class averages, their weights and noise): how probable each class is for boxes that were not refined, by one
   * expectation step against the averages, `[count, k]`. Box i's row does not depend on the others. This labels new tomograms.
   * @param voxels `[count, b, b, b]` as stored. @param geometries One a box: its missing wedge.
   */
  predict(voxels: Float32Array, count: number, boxVoxels: number, geometries: readonly Geometry[]): Promise<Float32Array>;
}
/** Outcome of a refinement of `subset`. */
export interface Refinement {
  readonly k: number;
  /** `[subset.length]` slots 0..k-1. */
  readonly labels: Int32Array;
  /** `[subset.length, k]`. */
  readonly posterior: Float32Array;
  /** `[k, b, b, b]` class averages, bright. */
  readonly averages: Float32Array;
  /** `[subset.length, 3]` rot, tilt, psi in degrees, RELION's convention. */
  readonly eulerZyzDegrees: Float64Array;
  /** `[subset.length, 3]` x, y, z: the particle's centre minus the box's centre, voxels. */
  readonly shiftsXyz: Float64Array;
  /** For the report: one row a round (k, log-likelihood, held-out log-likelihood, what was split and merged). */
  readonly trace: readonly Readonly<Record<string, number | string>>[];
  /**
   * False: the refiner itself does not vouch for these labels, because boxes that made no average are explained by the averages no better
   * than by nothing; a learner then keeps the labels that it had. Left out: it does.
   */
  readonly trusted?: boolean;
  /** Named figures without truth, for the iteration. */
  readonly figures?: Readonly<Record<string, number>>;
}

// ---------------------------------------------------------------- after learning

/** What a decoder or aligner gets: the finished classes. */
export interface ClassInput {
  readonly boxes: BoxStore;
  /** Features of the kept iteration. */
  readonly features: Features;
  /** `[count]` lasting class names. */
  readonly classIds: Int32Array;
  /** Occupied classes, ascending. */
  readonly classes: readonly number[];
  /** Saved state of the learner that made the labels. */
  readonly learnerState: State;
  readonly signal: AbortSignal;
}
/** One volume that describes a class. */
export interface ClassVolume {
  readonly classId: number;
  /** `decoded centre`, `average`, `member 1 decoded`: unique within the class and the stage. */
  readonly name: string;
  readonly shapeZyx: Triple;
  readonly voxelSizeAngstrom: number;
  readonly voxels: Float32Array;
}
/** A table for the report and for files: column name to values of equal length. */
export interface Table {
  readonly name: string;
  readonly columns: Readonly<Record<string, readonly (string | number)[]>>;
}
/** What a class stage found. */
export interface ClassResult {
  readonly volumes: readonly ClassVolume[];
  readonly tables: readonly Table[];
}
/** Class members to volumes and tables (decoders, averages, FSC). */
export interface ClassStage {
  describe(input: ClassInput): Promise<ClassResult>;
}

/** What is known of one tomogram after a run. */
export interface TomogramRecord {
  readonly id: string;
  readonly ordinal: number;
  readonly path: string | null;
  /** As the source gave it. */
  readonly shapeZyx: Triple;
  /** As the source gave it; 0 when unknown. */
  readonly voxelSizeAngstrom: number;
  /** Of the volume that was picked on and boxes were cut from: another one where a stage resampled. */
  readonly boxVoxelSizeAngstrom: number;
  /** Source voxels that one voxel of a box spans: 1 unless a stage resampled. */
  readonly voxelsEach: number;
  readonly geometry: Geometry;
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
  /** Picks before boxes were cut. */
  readonly picks: number;
  /** Boxes in the store. */
  readonly boxes: number;
}
/** All particles of a run in row order. */
export interface ParticleTable {
  readonly count: number;
  /** `[count, 2]`. */
  readonly rows: Int32Array;
  /** `[count, 3]` x, y, z in voxels of the tomogram as the source gave it, resampled or not; NaN for a stack of boxes. */
  readonly centresXyz: Float64Array;
  readonly score: Float32Array;
  /** `[count, 3]` or absent. */
  readonly eulerZyzDegrees?: Float64Array;
  /** `[count]` lasting class names. */
  readonly classIds: Int32Array;
  /** `[count]`; NaN when the clusterer has no likelihood. */
  readonly logLikelihood: Float64Array;
  /** `[count]`: 1 when the likelihood is below the calibrated quantile. */
  readonly novel: Uint8Array;
  readonly columns: Readonly<Record<string, readonly (string | number)[]>>;
}
/** Agreement with the truth; null figures when fewer than half of the true particles were matched. */
export interface Metrics {
  readonly ari: number | null;
  readonly homogeneity: number | null;
  readonly completeness: number | null;
  readonly vMeasure: number | null;
  readonly recall: number | null;
  readonly precision: number | null;
}
/** The truth beside a run, for the report only. */
export interface TruthView {
  readonly metrics: Metrics;
  /** The same figures with false picks as a class of their own. */
  readonly metricsWithFalsePicks: Metrics;
  /** True label of each particle row, `null` for a false pick. */
  readonly labels: readonly (string | null)[];
}
/** What happened: assumptions, warnings, drops. */
export interface RunEvent {
  readonly type: "note" | "warning" | "drop";
  readonly stage: string;
  readonly code: string;
  readonly message: string;
  readonly count?: number;
}
/** A finished run, read-only: everything a sink needs, rebuilt from the run folder alone. */
export interface RunView {
  readonly runDir: string;
  /** `run` or `infer`. */
  readonly verb: string;
  /** The resolved manifest. */
  readonly manifest: Readonly<Record<string, unknown>>;
  readonly engine: { readonly name: string; readonly device: string; readonly precision: string; readonly reason: string } | null;
  readonly tomograms: readonly TomogramRecord[];
  /** Reopens a tomogram in the frame of its particles' coordinates; null for a stack or when its file has gone. */
  openTomogram(ordinal: number): Promise<Tomogram | null>;
  readonly particles: ParticleTable;
  readonly boxes: BoxStore;
  /** Features of the kept iteration, in row order. */
  readonly features: Features;
  readonly iterations: readonly Readonly<Record<string, number | string | null>>[];
  /** Model-selection table of the kept iteration. */
  readonly criteria: readonly Readonly<Record<string, number>>[];
  readonly keptIteration: number;
  readonly converged: boolean;
  /** Results of each class stage, by its label in the manifest. */
  readonly classResults: Readonly<Record<string, ClassResult>>;
  readonly truth: TruthView | null;
  readonly events: readonly RunEvent[];
  /** Seconds by phase; absent from result files that must be reproducible. */
  readonly timings: Readonly<Record<string, number>>;
}

// ---------------------------------------------------------------- instances

/** What is known of a tomogram before its voxels are read: what a dry run reckons with. */
export interface TomogramOutline {
  readonly id: string;
  readonly shapeZyx: Triple;
  /** 0 when unknown. */
  readonly voxelSizeAngstrom: number;
  /** Names of its volumes. */
  readonly volumes: readonly string[];
}
/** What a stage writes into scratch for one tomogram, and how the tomogram leaves it. */
export interface ScratchNeed {
  /** Bytes that stay until the run is done. */
  readonly keptBytes: number;
  /** Bytes beside them while the tomogram is worked on. */
  readonly workingBytes: number;
  readonly after: TomogramOutline;
}

/** Opens tomograms or stacks, in ordinal order. */
export interface Source<Out extends Payload> {
  open(signal: AbortSignal): AsyncIterable<Payloads[Out]>;
  /** Reopens one tomogram by its ordinal, for sinks. */
  reopen?(ordinal: number): Promise<Tomogram | null>;
  /** Says which tomograms there are, by their headers alone, and what opening each writes into scratch. */
  outline?(signal: AbortSignal): AsyncIterable<{ readonly tomogram: TomogramOutline; readonly keptBytes: number }>;
}
/** One payload in, one or many out. */
export interface Operator<In extends Payload, Out extends Payload> {
  apply(input: Payloads[In], signal: AbortSignal): Promise<Payloads[Out]> | AsyncIterable<Payloads[Out]>;
}
/** Writes files of a finished run into `directory` (the run folder). Every file is written under a temporary name, then renamed. */
export interface Sink {
  write(view: RunView, directory: string): Promise<void>;
}

/** What came of trying one way of computing on this machine. */
export interface EngineFinding {
  /** Id of the engine's plugin. */
  readonly engine: string;
  /** The options that choose this way, as a manifest would have them. */
  readonly options: Readonly<Record<string, string | number | boolean>>;
  /** Whether it starts here and passes its numerical self-test. */
  readonly available: boolean;
  /** What the self-test said, or why the engine does not start and what to do about it. */
  readonly reason: string;
  readonly device: Engine["device"] | null;
  readonly precision: Engine["precision"] | null;
  /** Time of one training step of quarter-width YOPO at 24 voxels, batch 8; null when it is not available. */
  readonly msPerSubtomogram: number | null;
}

/** What `create` must return, by kind. */
export interface Instances<In extends Payload, Out extends Payload> {
  source: Source<Out>;
  denoiser: Operator<In, Out>;
  picker: Operator<In, Out>;
  extractor: Operator<In, Out>;
  operator: Operator<In, Out>;
  learner: Learner;
  embedder: Embedder;
  clusterer: Clusterer;
  matcher: Matcher;
  scorer: Scorer;
  refiner: Refiner;
  decoder: ClassStage;
  aligner: ClassStage;
  sink: Sink;
  engine: Engine;
}
/** A plugin's role. */
export type Kind = keyof Instances<Payload, Payload>;

// ---------------------------------------------------------------- the plugin object

/** A zod object schema, every field of which has a `description` (and a `unit` where it has one) in `.meta()`. */
// deno-lint-ignore no-explicit-any
export type OptionsSchema = z.ZodObject<any>;

/**
 * A plugin: a frozen plain object.
 *
 * `options` is the single source of the TypeScript type, lint, editor schema and docs. `check` is pure and returns one message a fault;
 * `create` may open things; work starts on `apply`, `learn`, `fit`; clean-up is `[Symbol.asyncDispose]`.
 */
export interface Plugin<
  K extends Kind = Kind,
  S extends OptionsSchema = OptionsSchema,
  In extends Payload = Payload,
  Out extends Payload = Payload,
> {
  readonly apiVersion: 1;
  /** Kebab-case noun: the built-in id. */
  readonly name: string;
  readonly kind: K;
  readonly summary: string;
  readonly input?: In;
  readonly output?: Out;
  readonly options: S;
  readonly needs?: { readonly engine?: true };
  /** Learners: the parts they take. `kinds` may name several. */
  readonly parts?: Readonly<
    Record<string, { readonly kinds: readonly Kind[]; readonly default?: string; readonly optional?: true; readonly summary: string }>
  >;
  check?(options: z.infer<S>): readonly string[];
  /** Stages from tomogram to tomogram: what they will write into scratch, for `--dry-run`. Pure. */
  scratchNeed?(options: z.infer<S>, tomogram: TomogramOutline): ScratchNeed;
  /**
   * Fills in what follows from other options (a recipe's numbers), so that the resolved manifest shows it. Pure; called after the schema's
   * defaults and before `check`; `expand(expand(x))` equals `expand(x)`.
   */
  expand?(options: z.infer<S>): z.infer<S>;
  /**
   * Learners: default parts that follow from the expanded options, before the defaults in `parts`; `null` leaves an optional part out. A manifest
   * that names the same plugin for a part states only the options that are to differ.
   */
  partDefaults?(
    options: z.infer<S>,
  ): Readonly<Record<string, { readonly use: string; readonly options?: Readonly<Record<string, unknown>> } | null>>;
  /** An engine that chooses among others: tries each of them on this machine, fastest first, and says what came of it. */
  survey?(options: z.infer<S>, context: PluginContext): AsyncIterable<EngineFinding>;
  create(
    options: z.infer<S>,
    context: PluginContext,
    parts: Readonly<Record<string, unknown>>,
  ): (Instances<In, Out>[K] & Partial<AsyncDisposable>) | Promise<Instances<In, Out>[K] & Partial<AsyncDisposable>>;
}

/** A plugin whose exact options are not known: what the registry hands out. */
// deno-lint-ignore no-explicit-any
export type AnyPlugin = Plugin<any, any, any, any>;

/** Checks a plugin's types and freezes it. */
export function definePlugin<
  const K extends Kind,
  S extends OptionsSchema,
  const In extends Payload = Payload,
  const Out extends Payload = Payload,
>(
  plugin: Plugin<K, S, In, Out>,
): Plugin<K, S, In, Out> {
  return Object.freeze(plugin);
}
