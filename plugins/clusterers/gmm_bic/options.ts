/**
 * Options of the clusterer `gmm-bic`.
 * @module
 */
import { z } from "zod";

/** What may choose the number of classes. */
export const CRITERIA = ["bic", "bic-paper", "aic", "icl", "ch", "kl", "jump", "cross-validation"] as const;
/** One of {@linkcode CRITERIA}. */
export type Criterion = typeof CRITERIA[number];
/** Criteria of a likelihood and a price a parameter: with few boxes they merge classes unless there are few parameters. */
const PRICED: readonly string[] = ["bic", "bic-paper", "aic", "icl"];
/** Criteria that compare each number of classes with its neighbours: the ladder may leave none out. */
const NEIGHBOURLY: readonly string[] = ["kl", "jump"];

/** What a manifest may say. */
export const gmmBicOptions = z.strictObject({
  components: z.union([z.int().min(1).max(64), z.literal("auto")]).default("auto").meta({
    description: "Principal components that are kept: 16 as published, or auto: as many as the number of boxes can carry, 16 at most",
  }),
  candidates: z.array(z.int().min(1).max(500)).min(1).optional().meta({
    description: "Numbers of classes to compare; 5, 10, 20 as published. Left out: 1 and a growing ladder, then all within 2 of the best",
  }),
  minimumClasses: z.int().min(1).max(500).default(1).meta({ description: "Fewest classes of the ladder" }),
  maximumClasses: z.int().min(1).max(500).default(40).meta({ description: "Most classes of the ladder" }),
  criterion: z.enum(["auto", ...CRITERIA]).default("auto").meta({
    description:
      "What chooses the number of classes. bic: all parameters count; bic-paper: covariances alone, Eq. 4; aic: Akaike; icl: bic and the entropy of assignments; ch: Calinski-Harabasz, kl: Krzanowski-Lai (both never say one class); jump: Sugar-James; cross-validation: likelihood of boxes left out, five-fold; auto: bic where each class holds 1.5 boxes a parameter, else cross-validation. The report shows all",
  }),
  restarts: z.int().min(1).max(1000).default(20).meta({
    description: "k-means++ starts of each number of classes (5 as published); the one kept is started from twice as many",
  }),
  previous: z.enum(["hold", "compete"]).default("hold").meta({
    description:
      "What labels of the iteration before are for. hold: the only start, with their number of classes; compete: one more start of every candidate (published)",
  }),
  pooling: z.union([z.number().min(0).max(1e6), z.literal("auto")]).default("auto").meta({
    description:
      "Pseudo-boxes by which each class's covariance is drawn to a shared one, once the number of classes is chosen; 0 for none (published); auto: 4 a component",
    unit: "boxes",
  }),
  regularisation: z.number().min(0).max(1).default(1e-5).meta({
    description: "Added to the diagonal of each covariance, in units of `regularisationUnit`",
  }),
  regularisationUnit: z.enum(["first-variance", "absolute"]).default("first-variance").meta({
    description: "first-variance: the first component's variance, so that the scale of features does not matter; absolute: 1, as published",
  }),
  maxIterations: z.int().min(1).max(10_000).default(200).meta({ description: "Most iterations of one fit" }),
  tolerance: z.number().min(0).max(1).default(1e-4).meta({
    description: "Rise of the log-likelihood per box below which a fit has converged",
  }),
  subsampleBoxes: z.int().min(500).max(10_000_000).default(4096).meta({
    description: "Boxes that the ladder is climbed on; the best and its neighbours are then fitted to all",
    unit: "boxes",
  }),
});

/** Options with defaults filled in. */
export type GmmBicOptions = z.infer<typeof gmmBicOptions>;

/** Boxes a parameter of each class from which the Bayesian criterion no longer merges classes that are there (docs/decisions.md). */
export const BOXES_PER_PARAMETER = 1.5;
/** Classes that `components: "auto"` makes room for when cross-validation can judge. */
const ROOM_FOR_CLASSES = 3;
/** Published number of components: auto never keeps more. */
const MOST_COMPONENTS = 16;

/** Parameters of one more class, its weight left out: a covariance and a mean. */
export function classParameters(components: number): number {
  return components * (components + 3) / 2;
}

/** Number of components for a table, and the arithmetic in words. */
export function chooseComponents(options: GmmBicOptions, rows: number, dims: number): { components: number; why: string } {
  const most = Math.max(1, Math.min(dims, rows - 1));
  if (options.components !== "auto") {
    const components = Math.min(options.components, most);
    return {
      components,
      why: `${components} components as asked${components < options.components ? `, cut to what ${rows} boxes allow` : ""}`,
    };
  }
  // The Bayesian criterion alone needs twice the boxes, in each class of its largest candidate.
  const strict = PRICED.includes(options.criterion);
  const classes = strict ? Math.max(...candidateLadder(options, rows)) : ROOM_FOR_CLASSES;
  const factor = strict ? 2 * BOXES_PER_PARAMETER : BOXES_PER_PARAMETER;
  let components = 1;
  while (components < Math.min(MOST_COMPONENTS, most) && rows / classes >= factor * classParameters(components + 1)) components++;
  const needs = factor * classParameters(components);
  return {
    components,
    why:
      `${components} components: ${rows} boxes in ${classes} classes are ${(rows / classes).toFixed(0)} each, ${factor} for each of the ` +
      `${classParameters(components)} parameters of a class are ${needs.toFixed(0)}${
        components === MOST_COMPONENTS ? "; 16 is the most" : ""
      }`,
  };
}

/** Numbers of classes to try, ascending, those that fewer than two boxes a class would remain for left out. */
export function candidateLadder(options: GmmBicOptions, rows: number): number[] {
  const possible = Math.max(1, Math.floor(rows / 2));
  if (options.candidates) return [...new Set(options.candidates)].filter((k) => k <= possible).sort((a, b) => a - b);
  const { minimumClasses, maximumClasses } = options;
  const last = Math.min(maximumClasses, possible), ladder: number[] = [];
  const factor = NEIGHBOURLY.includes(options.criterion) ? 1 : 1.35;
  for (let k = Math.min(minimumClasses, last); k <= last; k = Math.max(k + 1, Math.round(k * factor))) ladder.push(k);
  return ladder;
}
