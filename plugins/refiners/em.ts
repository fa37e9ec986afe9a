/**
 * `em`: wedge-aware multi-reference alignment and classification, with classes split and merged as held-out boxes ask for it.
 * @module
 */
import { z } from "zod";
import type { BoxStore, Clustering, Geometry, PluginContext, Refinement, Refiner, State } from "../../streams/contract.ts";
import { definePlugin } from "../../streams/contract.ts";
import { RunError, ShapeError } from "../../streams/errors.ts";
import { tiltRangeOf } from "../kernels/wedge.ts";
import { classPosterior } from "./em/anneal.ts";
import { centreOnReferences } from "./em/centring.ts";
import { crossFit, evidenceOf } from "./em/compare.ts";
import { type Fit, fitReferences, labelsOf } from "./em/fit.ts";
import { describeClasses } from "./em/outcome.ts";
import { searchPlan, storedFrequency } from "./em/plan.ts";
import { judge } from "./em/judge.ts";
import { Session } from "./em/session.ts";
import { searchClasses, type TraceRow } from "./em/split_merge.ts";
import { type Model, modelFromState, modelToState } from "./em/model.ts";

const options = z.strictObject({
  maximumRounds: z.int().min(0).max(50).default(8).meta({ description: "rounds of splitting and merging at most" }),
  maximumClasses: z.int().min(1).max(200).default(40).meta({ description: "classes at most" }),
  leastMembers: z.int().min(4).max(10_000).default(12).meta({ description: "classes with fewer boxes are dissolved", unit: "boxes" }),
  heldOutFraction: z.number().min(0.1).max(0.5).default(0.25).meta({
    description: "share of the boxes that only judge whether a class is one structure or two",
  }),
  leastGainErrors: z.number().min(0).max(20).default(3).meta({
    description: "two references replace one when held-out boxes gain more than this many standard errors",
  }),
  leastGainShare: z.number().min(0).max(1).default(0.01).meta({
    description: "and more than this share of their log-likelihood, or twice what one structure, simulated from the data, gains when split",
  }),
});

type Options = z.infer<typeof options>;

/** Fewest boxes that can be split into those that make references and those that judge. */
const FEWEST = 8;
/** Evidence counts when it exceeds this many standard errors. */
const EVIDENCE_ERRORS = 2;
/** Parts of the data that take turns being judged for the final labels. */
const FOLDS = 4;

class Em implements Refiner {
  #model: Model | null = null;

  constructor(readonly options: Options, readonly context: PluginContext) {}

  async refine(boxes: BoxStore, subset: Int32Array, start: Clustering, key: number): Promise<Refinement> {
    const { context, options } = this, n = subset.length, b = boxes.boxVoxels;
    const labels = startLabels(context.stage, boxes, subset, start);
    if (n < FEWEST) {
      throw new RunError(`${context.stage}: ${n} boxes are too few to align (at least ${FEWEST}): pick more particles or leave out refine`);
    }
    this.#sayWhatIsAssumed(Array.from(subset, (index) => boxes.geometryOf(index)));
    const session = await Session.open({
      count: n,
      boxVoxels: b,
      geometryOf: (i) => boxes.geometryOf(subset[i]),
      read: (first, count) => boxes.read(subset.subarray(first, first + count)),
    }, {
      kMax: storedFrequency(b),
      heldOut: options.heldOutFraction,
      seed: context.random("em", key).integer(2 ** 31),
      pool: context.pool,
      signal: context.signal,
    });
    const plan = searchPlan(b, options), trace: TraceRow[] = [];
    const members = Int32Array.from({ length: n }, (_, i) => i);
    const steps = 2 * options.maximumRounds + 2;
    const { fit: found, tried } = await searchClasses(session, members, labels, start.k, plan, (row) => {
      trace.push(row);
      context.progress(Math.min(trace.length, steps - 1), steps);
    });
    const trusted = await this.#sayWhetherAnythingIsThere(session, members, found);
    // The search is over: all boxes make the final references, and each is labelled by references that it did not help to make.
    session.training.fill(1);
    const fit = await fitReferences(session, members, found, plan.fit, true);
    const crossed = await crossFit(session, fit, FOLDS);
    const k = fit.volumes.length;
    const outcome = await describeClasses(session, { ...fit, poses: crossed.poses }, crossed.posterior, b);
    const { classes, figures } = await judge(session, fit, crossed, tried, plan.fit);
    this.#model = {
      boxVoxels: b,
      seed: session.seed,
      kMax: fit.kMax,
      volumes: fit.volumes,
      weights: fit.weights,
      noise: session.noise.slice(),
      subset: subset.slice(),
      labels: labelsOf(crossed.posterior, k),
      eulerZyzDegrees: outcome.eulerZyzDegrees,
      shiftsXyz: outcome.shiftsXyz,
      averages: outcome.averages,
      judgement: classes,
    };
    context.progress(steps, steps);
    return { k, labels: this.#model.labels, posterior: crossed.posterior, trace, ...outcome, trusted, figures };
  }

  async predict(voxels: Float32Array, count: number, boxVoxels: number, geometries: readonly Geometry[]): Promise<Float32Array> {
    const { context } = this, model = this.#model;
    if (!model) throw new RunError(`${context.stage}: there are no class averages yet: refine or load a model first`);
    if (model.boxVoxels !== boxVoxels || voxels.length !== count * boxVoxels ** 3) {
      throw new ShapeError(
        `${context.stage}: ${voxels.length} voxels in ${count} boxes of ${boxVoxels}^3; the class averages have ${model.boxVoxels}^3`,
      );
    }
    if (count === 0) return new Float32Array(0);
    const session = await Session.open({
      count,
      boxVoxels,
      geometryOf: (i) => geometries[i],
      read: (first, n) => Promise.resolve(voxels.subarray(first * boxVoxels ** 3, (first + n) * boxVoxels ** 3)),
    }, { kMax: model.kMax, heldOut: 0, seed: model.seed, pool: context.pool, signal: context.signal, whole: true });
    session.noise = model.noise.slice(0, model.kMax + 1);
    const members = Int32Array.from({ length: count }, (_, i) => i);
    const plan = searchPlan(boxVoxels, this.options).fit;
    await centreOnReferences(session, members, model);
    const fit = await fitReferences(session, members, model, { ...plan, rounds: 1 }, false);
    return classPosterior(fit.likelihood, model.weights);
  }

  save(): Promise<State> {
    return Promise.resolve(modelToState(this.#model));
  }

  load(state: State): Promise<void> {
    this.#model = modelFromState(this.context.stage, state);
    return Promise.resolve();
  }

  /** Warns when boxes that made no reference are no better explained by the references than by nothing. */
  async #sayWhetherAnythingIsThere(session: Session, members: Int32Array, found: Fit): Promise<boolean> {
    const { mean, error } = await evidenceOf(session, members.filter((i) => session.training[i] === 0), found);
    if (mean > EVIDENCE_ERRORS * error) return true;
    this.context.warn(
      "no-signal",
      `held-out boxes are not explained better by the class averages than by nothing (${mean.toFixed(2)} +- ${
        error.toFixed(2)
      } nats a box): ` +
        "these averages show noise; check contrast, picks and box size",
    );
    return false;
  }

  #sayWhatIsAssumed(geometries: readonly Geometry[]): void {
    const unknown = geometries.filter((geometry) => tiltRangeOf(geometry) === null).length;
    if (unknown > 0) {
      this.context.warn(
        "unknown-tilt-range",
        `the tilt range of ${unknown} of ${geometries.length} boxes is unknown: their missing wedge is not allowed for, and classes may follow ` +
          "its direction: state tiltRangeDegrees in the source",
      );
    }
  }
}

/** Labels of the subset, whether the clustering covers the subset or all boxes. */
function startLabels(stage: string, boxes: BoxStore, subset: Int32Array, start: Clustering): Int32Array {
  if (start.labels.length === subset.length) return start.labels.slice();
  if (start.labels.length === boxes.count) return subset.map((index) => start.labels[index]);
  throw new ShapeError(`${stage}: ${start.labels.length} start labels for ${subset.length} boxes of ${boxes.count}`);
}

/** The plugin. */
export default definePlugin({
  apiVersion: 1,
  name: "em",
  kind: "refiner",
  summary: "wedge-aware multi-reference alignment that splits and merges classes by the likelihood of held-out boxes",
  options,
  create: (chosen, context) => new Em(chosen, context),
});
