/**
 * `disca`: deep iterative subtomogram clustering.
 *
 * The loop: embed every box, cluster the features, match the classes to those of the iteration before, score, train the embedder on the
 * labels, again. Two optional parts go beyond the paper: `start` (labels from rotation invariants, before any training) and `refine`
 * (labels from aligning boxes to class averages, which then are the embedder's teacher and label new boxes).
 * @see Zeng et al. 2023, PNAS 120(15) e2213149120. Differs from the paper: yes, and `recipe: "published"` in what docs/method.md lists (width,
 * preparation, held-out boxes, recomputed batch-norm statistics).
 * @module
 */
import {
  type Clusterer,
  type Clustering,
  definePlugin,
  type Embedder,
  type Features,
  type Geometry,
  type Iteration,
  type Learner,
  type LearnInput,
  type Matcher,
  type PluginContext,
  type Refiner,
  type Scorer,
  type State,
} from "../../streams/contract.ts";
import { RunError } from "../../streams/errors.ts";
import { nestStates, partState } from "../kernels/state.ts";
import {
  changed,
  concordance,
  evenly,
  finite,
  gather,
  mostProbable,
  numbersOf,
  outputs,
  sameNames,
  stratified,
} from "./disca/labelling.ts";
import { type CompleteOptions, discaOptions, discaPartDefaults, expandDiscaOptions } from "./disca/options.ts";
import { loadProgress, type Progress, saveProgress } from "./disca/progress.ts";
import { calibrate, embedAll, embedRotated, posteriorOfAll } from "./disca/survey.ts";
import { noteIdle, type Taught, teach } from "./disca/teach.ts";

/** Fewer boxes than this hold no classes worth a name. */
const FEWEST_BOXES = 20;
/** Share of the boxes, and their largest number, that no embedder is taught on: there labels of rotated and unrotated boxes are compared. */
const AGREEMENT_SHARE = 0.1;
const AGREEMENT_BOXES = 500;
/** Factor of the label smoothing from one iteration to the next (published). */
const SMOOTHING_DECAY = 0.9;

interface Parts {
  readonly embed: Embedder;
  readonly cluster: Clusterer;
  readonly match: Matcher;
  readonly score: Scorer;
  readonly start?: Embedder;
  readonly refine?: Refiner;
}

class Disca implements Learner {
  #progress: Progress | null = null;
  /** `[count, k]` of the refiner, once it has refined. */
  #posterior: Float32Array | null = null;

  /** Lessons since the run was started or resumed. */
  readonly #taught: Taught[] = [];

  constructor(readonly options: CompleteOptions, readonly context: PluginContext, readonly parts: Parts) {}

  async *learn({ boxes, heldOut, signal }: LearnInput): AsyncGenerator<Iteration> {
    const { context, parts } = this;
    const all = Int32Array.from({ length: boxes.count }, (_, i) => i);
    const fitted = all.filter((i) => heldOut[i] === 0);
    if (fitted.length < FEWEST_BOXES) {
      throw new RunError(
        `${boxes.count} boxes are too few to find classes in (at least ${FEWEST_BOXES}): pick more particles or add tomograms`,
      );
    }
    const published = this.options.recipe === "published";
    const probe = published ? new Int32Array() : evenly(fitted, Math.min(AGREEMENT_BOXES, Math.round(fitted.length * AGREEMENT_SHARE)));
    const probed = new Set(probe);
    const taught = fitted.filter((i) => !probed.has(i));
    const survey = { boxes, all, fitted, taught, probe, signal };

    if (this.#progress === null) yield await this.#first(survey);
    while (!this.#finished()) {
      const before: Progress = this.#progress!;
      signal.throwIfAborted();
      if (before.iteration === 0 && parts.refine) {
        yield await this.#refine(survey);
        continue;
      }
      // After load(): what can be computed again was not saved.
      if (before.labeller === "refine") this.#posterior ??= await posteriorOfAll(parts.refine!, boxes, before.k, context, signal);
      const loss = await this.#teach(survey);
      yield await this.#next(survey, loss);
    }
  }

  async predict(voxels: Float32Array, rows: Int32Array, boxVoxels: number, geometries: readonly Geometry[]) {
    const { cluster, refine } = this.parts;
    const { labeller, classIds, k, started } = this.#now();
    const embedder = this.#embedder(started), count = rows.length / 2;
    const features: Features = { rows: rows.slice(), dims: embedder.dims, values: await embedder.embed(voxels, count) };
    const { labels, logLikelihood } = await cluster.predict(features);
    const slots = labeller === "refine" ? mostProbable(await refine!.predict(voxels, count, boxVoxels, geometries), k) : labels;
    return { features, classIds: slots.map((slot) => classIds[slot]), ...(logLikelihood ? { logLikelihood } : {}) };
  }

  async save(): Promise<State> {
    const { parts } = this;
    const now = this.#now();
    const inner: Record<string, State> = { cluster: await parts.cluster.save() };
    if (parts.start) inner.start = await parts.start.save();
    // The network is not there before it was first used.
    if (!now.started) inner.embed = await parts.embed.save();
    if (now.labeller === "refine") inner.refine = await parts.refine!.save();
    return nestStates(saveProgress(now), inner);
  }

  async load(state: State): Promise<void> {
    for (const name of ["cluster", "start", "embed", "refine"] as const) {
      const saved = partState(state, name), part = this.parts[name];
      if (!saved) continue;
      if (!part) {
        throw new RunError(
          `${this.context.stage}: the saved state has a part "${name}", the manifest has none: use the manifest it was made with`,
        );
      }
      await part.load(saved);
    }
    this.#progress = loadProgress(state);
    this.#posterior = null;
  }

  /** What the part that embeds boxes has for other programs. */
  async portable(): Promise<Readonly<Record<string, Uint8Array>>> {
    return await this.#embedder(this.#now().started).portable?.() ?? {};
  }

  #now(): Progress {
    if (!this.#progress) throw new RunError(`${this.context.stage}: there is no model yet: learn or load one first`);
    return this.#progress;
  }

  #embedder(started: boolean): Embedder {
    return started ? this.parts.start! : this.parts.embed;
  }

  #finished(): Iteration["finished"] | undefined {
    const { iteration, stableFor, k, labeller } = this.#now();
    const { maxIterations, stableIterations, refinedIterations } = this.options;
    const most = labeller === "refine" ? Math.min(maxIterations, 1 + refinedIterations) : maxIterations;
    const refining = this.parts.refine !== undefined && iteration === 0;
    // One class gives the embedder nothing to learn; only the refiner may still find more.
    if (k === 1 && !refining && (labeller === "refine" || this.options.recipe === "default")) return "converged";
    if (stableFor >= stableIterations) return "converged";
    if (refining && maxIterations > 0) return undefined;
    // An embedder that cannot learn would say the same in every iteration.
    return iteration >= most || !this.parts.embed.trainable ? "maximum" : undefined;
  }

  /** Iteration 0: labels before any training. */
  async #first(survey: Survey): Promise<Iteration> {
    const started = this.parts.start !== undefined;
    const features = await this.#look(started, survey);
    const found = await this.#cluster(features, survey, null, 0);
    const classIds = Int32Array.from({ length: found.clustering.k }, (_, i) => i + 1);
    this.#progress = {
      iteration: 0,
      labeller: "mixture",
      started,
      k: found.clustering.k,
      classIds,
      nextClassId: found.clustering.k + 1,
      labels: found.labels,
      mixtureLabels: found.labels,
      mixtureK: found.clustering.k,
      stableFor: 0,
      bestAgreement: -Infinity,
      bestScore: Infinity,
      headClassIds: new Int32Array(),
    };
    return await this.#report(survey, features, found.clustering, { loss: null, labelChange: null });
  }

  /** Iteration 1 with a refiner: labels from alignment. */
  async #refine(survey: Survey): Promise<Iteration> {
    const { context, parts, options } = this;
    const { boxes, fitted, all, signal } = survey;
    const before = this.#now();
    const subset = stratified(fitted, before.labels, options.refineSubset);
    if (subset.length < fitted.length) {
      context.note(
        "refine-subset",
        `${subset.length} of ${fitted.length} boxes are aligned, as many of each class as its share; the averages label the rest`,
      );
    }
    const start: Clustering = { k: before.k, labels: subset.map((i) => before.labels[i]), classIds: before.classIds, criteria: [] };
    const refinement = await parts.refine!.refine(boxes, subset, start, 1);
    if (refinement.trusted === false) {
      context.note("refine-declined", "alignment found nothing that boxes left out of the averages bear out: the labels of the start stay");
      const features = await embedAll(this.#embedder(before.started), boxes, all, context, signal);
      this.#progress = { ...before, iteration: 1 };
      const same: Clustering = { k: before.k, labels: before.labels, classIds: before.classIds, criteria: refinement.trace.map(numbersOf) };
      return await this.#report(survey, features, same, { loss: null, labelChange: 0, ...refinement.figures });
    }
    const { k } = refinement;
    const named = this.#name(start, { k, labels: refinement.labels, classIds: new Int32Array(k), criteria: [] });
    this.#posterior = await posteriorOfAll(parts.refine!, boxes, k, context, signal);
    const labels = mostProbable(this.#posterior, k);
    const features = await embedAll(this.#embedder(before.started), boxes, all, context, signal);
    const clustering: Clustering = { k, labels, classIds: named.classIds, criteria: refinement.trace.map(numbersOf) };
    const found = await this.#cluster(features, survey, clustering, 1);
    this.#progress = {
      ...before,
      iteration: 1,
      labeller: "refine",
      k,
      labels,
      ...named,
      mixtureLabels: found.labels,
      mixtureK: found.clustering.k,
      stableFor: 0,
      bestAgreement: -Infinity,
      bestScore: Infinity,
    };
    return await this.#report(survey, features, clustering, {
      loss: null,
      labelChange: changed(before, { labels, classIds: named.classIds }),
      ...refinement.figures,
    });
  }

  /** Trains the embedder on the present labels. */
  async #teach(survey: Survey): Promise<number> {
    const { options, context, parts } = this, posterior = this.#posterior;
    const { boxes, fitted, taught, signal } = survey;
    const now = this.#now(), { k, labels, iteration } = now;
    const smoothing = options.labelSmoothing * SMOOTHING_DECAY ** iteration;
    const targets = new Float32Array(boxes.count * k).fill(smoothing / k);
    // The head's outputs belong to names: a clustering that numbers the same classes otherwise needs no new head.
    const fresh = !sameNames(now.headClassIds, now.classIds), output = outputs(fresh ? now.classIds : now.headClassIds, now.classIds);
    for (let i = 0; i < boxes.count; i++) {
      for (let c = 0; c < k; c++) {
        targets[i * k + output[c]] += (1 - smoothing) * (posterior ? posterior[i * k + c] : labels[i] === c ? 1 : 0);
      }
    }
    if (fresh) {
      if (now.started) await calibrate(parts.embed, boxes, fitted, signal);
      const features = await embedAll(parts.embed, boxes, taught, context, signal);
      await parts.embed.setClasses(k, features, gather(targets, k, taught), iteration + 1);
      this.#progress = { ...now, headClassIds: now.classIds };
    }
    const learningRate = options.learningRate * options.learningRateDecay ** iteration;
    const lesson = await teach(
      parts.embed,
      { boxes, indices: taught, targets, k, iteration: iteration + 1, epochs: options.epochs, batchSize: options.batchSize, learningRate },
      context,
      signal,
    );
    this.#taught.push(lesson);
    return lesson.loss;
  }

  /** An iteration after training. */
  async #next(survey: Survey, loss: number): Promise<Iteration> {
    const before = this.#now();
    const features = await this.#look(false, survey);
    const iteration = before.iteration + 1;
    const previous: Clustering = { k: before.k, labels: before.labels, classIds: before.classIds, criteria: [] };
    const found = await this.#cluster(features, survey, previous, iteration);
    const fixed = before.labeller === "refine";
    const named = fixed
      ? { classIds: before.classIds, nextClassId: before.nextClassId }
      : this.#name(previous, { ...found.clustering, labels: found.labels });
    const mixtureIds = fixed ? this.#name(previous, { ...found.clustering, labels: found.labels }).classIds : named.classIds;
    const beforeIds = fixed
      ? this.#name(previous, { k: before.mixtureK, labels: before.mixtureLabels, classIds: new Int32Array(), criteria: [] }).classIds
      : before.classIds;
    const change = changed({ labels: before.mixtureLabels, classIds: beforeIds }, { labels: found.labels, classIds: mixtureIds });
    const stable = found.clustering.k === before.mixtureK && change <= 1 - this.options.stableFraction;
    this.#progress = {
      ...before,
      iteration,
      started: false,
      ...named,
      ...(fixed ? {} : { k: found.clustering.k, labels: found.labels }),
      mixtureLabels: found.labels,
      mixtureK: found.clustering.k,
      stableFor: stable ? before.stableFor + 1 : 0,
    };
    const clustering = fixed ? previous : found.clustering;
    return await this.#report(survey, features, { ...clustering, criteria: found.clustering.criteria, bic: found.clustering.bic }, {
      loss,
      labelChange: change,
    });
  }

  /** Features of all boxes. */
  async #look(started: boolean, { boxes, all, fitted, signal }: Survey): Promise<Features> {
    const embedder = this.#embedder(started);
    await calibrate(embedder, boxes, fitted, signal);
    return await embedAll(embedder, boxes, all, this.context, signal);
  }

  /** Fits the clusterer to the boxes that are not held out, and labels all of them. */
  async #cluster(features: Features, { fitted }: Survey, previous: Clustering | null, key: number) {
    const table: Features = {
      rows: gather(features.rows, 2, fitted),
      dims: features.dims,
      values: gather(features.values, features.dims, fitted),
    };
    const start = previous && { ...previous, labels: gather(previous.labels, 1, fitted) };
    const clustering = await this.parts.cluster.fit(table, start, key);
    const { labels } = await this.parts.cluster.predict(features);
    return { clustering, labels };
  }

  /** Lasting names of the new slots. */
  #name(previous: Clustering, next: Clustering): { classIds: Int32Array; nextClassId: number } {
    let { nextClassId } = this.#now();
    const classIds = this.parts.match.match(previous, next, () => nextClassId++);
    return { classIds, nextClassId };
  }

  /** Scores the iteration, decides whether it is the best, and says so. */
  async #report(
    survey: Survey,
    features: Features,
    clustering: Clustering,
    figures: { loss: number | null; labelChange: number | null; [name: string]: number | null },
  ): Promise<Iteration> {
    const { context, options, parts } = this;
    const { boxes, fitted, probe, signal } = survey;
    const now = this.#now(), { k, labels, classIds, iteration } = now;
    const table: Features = {
      rows: gather(features.rows, 2, fitted),
      dims: features.dims,
      values: gather(features.values, features.dims, fitted),
    };
    const ddbi = parts.score.score(table, { ...clustering, k, labels: gather(labels, 1, fitted), classIds });
    const sign = parts.score.better === "lower" ? 1 : -1;
    let agreement: number | null = null;
    if (options.recipe === "default") {
      const rotated = await embedRotated(this.#embedder(now.started), boxes, probe, context, signal);
      const { labels: seen } = await parts.cluster.predict(rotated);
      // Aligned labels are the better judge: which features tell the aligned classes apart, whatever the orientation?
      const judge = now.labeller === "refine" ? labels : now.mixtureLabels;
      agreement = concordance(gather(judge, 1, probe), seen);
    }
    // Labels of the refiner are better than those of the start whatever the features say; among its iterations, features decide.
    const rank = agreement ?? 0;
    const best = rank > now.bestAgreement || rank === now.bestAgreement && sign * ddbi < now.bestScore || iteration === 0 ||
      now.labeller === "refine" && iteration === 1;
    if (best) this.#progress = { ...now, bestAgreement: rank, bestScore: sign * ddbi };
    const finished = this.#finished();
    if (finished) {
      noteIdle(this.#taught, context);
      if (k === 1) context.note("no-structure", "one class: no structure found in these boxes");
    }
    return {
      index: iteration,
      clustering: { ...clustering, k, labels, classIds },
      features,
      figures: { k: new Set(labels).size, ddbi: finite(ddbi), bic: clustering.bic ?? null, ...figures, agreement },
      best,
      ...(finished ? { finished } : {}),
    };
  }
}

interface Survey {
  readonly boxes: LearnInput["boxes"];
  readonly all: Int32Array;
  readonly fitted: Int32Array;
  /** Those of the fitted that the embedder learns from. */
  readonly taught: Int32Array;
  readonly probe: Int32Array;
  readonly signal: AbortSignal;
}

/** The plugin. */
export default definePlugin({
  apiVersion: 1,
  name: "disca",
  kind: "learner",
  summary: "Deep iterative subtomogram clustering: embed, cluster, train on the labels, again",
  options: discaOptions,
  parts: {
    embed: { kinds: ["embedder"], default: "yopo", summary: "Boxes to features; trained on the labels" },
    cluster: { kinds: ["clusterer"], default: "gmm-bic", summary: "Features to classes" },
    match: { kinds: ["matcher"], default: "hungarian", summary: "Keeps the names of classes from one iteration to the next" },
    score: { kinds: ["scorer"], default: "ddbi", summary: "Judges an iteration without truth" },
    start: { kinds: ["embedder"], optional: true, summary: "Features before any training" },
    refine: { kinds: ["refiner"], optional: true, summary: "Labels from alignment, which then teach the embedder" },
  },
  expand: expandDiscaOptions,
  partDefaults: discaPartDefaults,
  create: (options, context, parts) => new Disca(expandDiscaOptions(options), context, parts as unknown as Parts),
});
