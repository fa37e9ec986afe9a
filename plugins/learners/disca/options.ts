/**
 * Options of the learner `disca` and what each recipe makes of them.
 * @module
 */
import { z } from "zod";

/** As a manifest states them; what is left out follows from the recipe. */
export const discaOptions = z.strictObject({
  recipe: z.enum(["default", "published"]).default("default").meta({
    description:
      "default: invariants start, alignment refines, the network learns from its labels; published: the paper's loop, with neither start nor refiner",
  }),
  maxIterations: z.int().min(0).max(1000).optional().meta({ description: "Iterations after the first at most: 20 published, 6 default" }),
  epochs: z.int().min(1).max(1000).optional().meta({
    description: "Passes over originals and rotated copies in one iteration: 1 published, 2 default",
  }),
  learningRate: z.number().positive().max(1).optional().meta({
    description: "Learning rate of the first iteration: 0.00001 published, 0.001 default",
  }),
  learningRateDecay: z.number().positive().max(1).default(0.95).meta({
    description: "Factor of the learning rate from one iteration to the next",
  }),
  batchSize: z.int().min(2).max(4096).optional().meta({
    description: "Boxes in one training step: 64 published, 32 default",
    unit: "boxes",
  }),
  labelSmoothing: z.number().min(0).max(0.9).default(0.2).meta({
    description: "Label smoothing of the first iteration; 0.9 of it in each next one",
  }),
  stableFraction: z.number().min(0).max(1).default(0.99).meta({ description: "Labels that must stay for an iteration to count as stable" }),
  stableIterations: z.int().min(1).max(100).default(3).meta({
    description: "Stable iterations in a row, with the same K, that end the loop",
  }),
  refinedIterations: z.int().min(0).max(1000).default(3).meta({
    description: "Iterations after the refiner's at most: its labels stay, the embedder learns to describe them",
  }),
  refineSubset: z.int().min(50).max(100_000).default(2000).meta({
    description: "Boxes that the refiner works on at most; the rest is labelled with its averages",
    unit: "boxes",
  }),
});

/** Options as stated. */
export type DiscaOptions = z.infer<typeof discaOptions>;
/** Options with the recipe's numbers filled in. */
export type CompleteOptions = DiscaOptions & {
  readonly maxIterations: number;
  readonly epochs: number;
  readonly learningRate: number;
  readonly batchSize: number;
};

const RECIPES = {
  published: { maxIterations: 20, epochs: 1, learningRate: 1e-5, batchSize: 64 },
  default: { maxIterations: 6, epochs: 2, learningRate: 1e-3, batchSize: 32 },
} as const;

/** Fills in what the recipe says. */
export function expandDiscaOptions(options: DiscaOptions): CompleteOptions {
  const numbers = RECIPES[options.recipe];
  const stated = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as DiscaOptions;
  return { ...numbers, ...stated } as CompleteOptions;
}

/** Parts that the recipe chooses. */
export function discaPartDefaults(
  options: DiscaOptions,
): Readonly<Record<string, { readonly use: string; readonly options?: Readonly<Record<string, unknown>> } | null>> {
  return options.recipe === "published"
    ? {
      embed: {
        use: "yopo",
        options: { width: 1, gaussianDropout: 0.5, loss: "categorical-hinge", lowPassVoxels: 0, headLearningRate: 1e-4 },
      },
      cluster: {
        use: "gmm-bic",
        options: {
          components: 16,
          candidates: [5, 10, 20],
          criterion: "bic-paper",
          restarts: 5,
          previous: "compete",
          pooling: 0,
          regularisationUnit: "absolute",
        },
      },
      start: null,
      refine: null,
    }
    : { embed: { use: "yopo", options: { binning: 2 } }, start: { use: "invariants" }, refine: { use: "em" } };
}
