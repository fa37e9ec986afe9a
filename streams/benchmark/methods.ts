/**
 * What the benchmark compares: each row is the `learn` section of a manifest, so that a cell of the table is an ordinary run.
 * @module
 */

/** A row of the table. */
export interface Method {
  /** Selects it on the command line. */
  readonly name: string;
  /** What it is, for the table. */
  readonly summary: string;
  /** `learn` of the manifest. */
  readonly learn: Readonly<Record<string, unknown>>;
  /** Whether it is compared when no method is named. */
  readonly main: boolean;
}

/** Features and one mixture over them, nothing learnt. */
function mixtureOver(embed: Record<string, unknown>, cluster: Record<string, unknown> = {}): Record<string, unknown> {
  const parts = { embed, start: null, refine: null, cluster: { use: "gmm-bic", options: cluster } };
  return { use: "disca", options: { maxIterations: 0 }, parts };
}

const RADIAL_PROFILE = { use: "invariants", options: { degree: 0 } };
const CRITERIA = ["bic", "bic-paper", "aic", "icl", "ch", "kl", "jump", "cross-validation"];

/** Every method: baselines first, then ablations of the default recipe, then the criteria for the number of classes. */
export const METHODS: readonly Method[] = [
  { name: "radial-profile", summary: "size alone: mean of each shell, mixture", learn: mixtureOver(RADIAL_PROFILE), main: true },
  { name: "raw-pca", summary: "voxels, principal components, mixture", learn: mixtureOver({ use: "voxels" }), main: true },
  {
    name: "untrained",
    summary: "YOPO with random weights, mixture",
    learn: mixtureOver({ use: "yopo", options: { binning: 2 } }),
    main: true,
  },
  {
    name: "autoencoder",
    summary: "convolutional autoencoder, mixture",
    learn: {
      use: "disca",
      options: { maxIterations: 1, epochs: 8 },
      parts: { embed: { use: "autoencoder" }, start: null, refine: null },
    },
    main: true,
  },
  { name: "published", summary: "DISCA as published", learn: { use: "disca", options: { recipe: "published" } }, main: true },
  { name: "invariants", summary: "rotation invariants, mixture", learn: mixtureOver({ use: "invariants" }), main: true },
  { name: "default", summary: "the default recipe", learn: { use: "disca" }, main: true },
  {
    name: "start-network",
    summary: "invariants, then YOPO on their labels; no alignment",
    learn: { use: "disca", parts: { refine: null } },
    main: false,
  },
  {
    name: "start-align",
    summary: "invariants, then alignment; no network",
    learn: { use: "disca", options: { maxIterations: 1 }, parts: { refine: { use: "em" } } },
    main: false,
  },
  {
    name: "network-align",
    summary: "untrained YOPO, then alignment",
    learn: { use: "disca", options: { maxIterations: 1 }, parts: { start: null, refine: { use: "em" } } },
    main: false,
  },
  {
    name: "invariants-cross",
    summary: "rotation invariants with products of shells, mixture",
    learn: mixtureOver({ use: "invariants", options: { crossShell: true } }),
    main: false,
  },
  ...CRITERIA.map((criterion) => ({
    name: `criterion-${criterion}`,
    summary: `invariants, mixture, K by ${criterion}`,
    learn: mixtureOver({ use: "invariants" }, { criterion }),
    main: false,
  })),
];
