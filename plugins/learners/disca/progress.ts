/**
 * What one iteration of `disca` leaves for the next one, for `predict` and for a checkpoint.
 * @module
 */
import type { State } from "../../../streams/contract.ts";
import { finite } from "./labelling.ts";

/** Where labels come from: the mixture over an embedder's features, or the refiner's class averages. */
export type Labeller = "mixture" | "refine";

/** Where the loop stands. */
export interface Progress {
  readonly iteration: number;
  readonly labeller: Labeller;
  /** Whether features are those of the part `start`. */
  readonly started: boolean;
  readonly k: number;
  /** `[k]` lasting names. */
  readonly classIds: Int32Array;
  /** Name of the next new class. */
  readonly nextClassId: number;
  /** `[count]` slots. */
  readonly labels: Int32Array;
  /** `[count]` slots of the mixture over the features: what the stop rule looks at. */
  readonly mixtureLabels: Int32Array;
  readonly mixtureK: number;
  /** Stable iterations in a row. */
  readonly stableFor: number;
  /** Best agreement and score so far (the score lower-is-better). */
  readonly bestAgreement: number;
  readonly bestScore: number;
  /** Names that the embedder's head has now; empty before the first. */
  readonly headClassIds: Int32Array;
}

/** The learner's own part of its state. */
export function saveProgress(progress: Progress): State {
  const { iteration, labeller, started, k, nextClassId, mixtureK, stableFor, bestAgreement, bestScore } = progress;
  const { classIds, labels, mixtureLabels, headClassIds } = progress;
  return {
    version: 1,
    values: {
      iteration,
      labeller,
      started,
      k,
      nextClassId,
      mixtureK,
      stableFor,
      bestAgreement: finite(bestAgreement),
      bestScore: finite(bestScore),
    },
    arrays: { classIds, labels, mixtureLabels, headClassIds },
  };
}

/** The inverse of {@linkcode saveProgress}. */
export function loadProgress({ values, arrays }: State): Progress {
  const ints = (name: string) => arrays[name] as Int32Array;
  return {
    iteration: values.iteration as number,
    labeller: values.labeller as Labeller,
    started: values.started as boolean,
    k: values.k as number,
    nextClassId: values.nextClassId as number,
    mixtureK: values.mixtureK as number,
    stableFor: values.stableFor as number,
    bestAgreement: values.bestAgreement as number | null ?? -Infinity,
    bestScore: values.bestScore as number | null ?? Infinity,
    classIds: ints("classIds"),
    labels: ints("labels"),
    mixtureLabels: ints("mixtureLabels"),
    headClassIds: ints("headClassIds"),
  };
}
