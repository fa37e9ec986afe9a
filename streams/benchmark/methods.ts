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

/** Features and one mixture over them. */
function onePass(embed: Record<string, unknown>, options: Record<string, unknown> = {}, cluster: Record<string, unknown> = {}) {
  return { use: "one-pass", options, parts: { embed, cluster: { use: "gmm-bic", options: cluster } } };
}

/** Passes of the autoencoder over originals and rotated copies. */
const AUTOENCODER_EPOCHS = 6;
const RADIAL_PROFILE = { use: "invariants", options: { degree: 0 } };
const CRITERIA = ["bic", "bic-paper", "aic", "icl", "ch", "kl", "jump", "cross-validation"];

/** Every method: baselines first, then ablations of the default recipe, then the criteria for the number of classes. */
export const METHODS: readonly Method[] = [
  { name: "radial-profile", summary: "size alone: mean of each shell, mixture", learn: onePass(RADIAL_PROFILE), main: true },
  { name: "raw-pca", summary: "voxels, principal components, mixture", learn: onePass({ use: "voxels" }), main: true },
  {
    name: "untrained",
    summary: "YOPO with random weights, mixture",
    learn: onePass({ use: "yopo", options: { binning: 2 } }),
    main: true,
  },
  {
    name: "autoencoder",
    summary: "convolutional autoencoder, mixture",
    learn: onePass({ use: "autoencoder" }, { epochs: AUTOENCODER_EPOCHS }),
    main: true,
  },
  { name: "published", summary: "DISCA as published", learn: { use: "disca", options: { recipe: "published" } }, main: true },
  {
    name: "published-small",
    summary: "DISCA as published, but an eighth of the width and boxes binned by 2: minutes instead of a day",
    learn: { use: "disca", options: { recipe: "published" }, parts: { embed: { use: "yopo", options: { width: 0.125, binning: 2 } } } },
    main: true,
  },
  { name: "invariants", summary: "rotation invariants, mixture", learn: onePass({ use: "invariants" }), main: true },
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
    learn: onePass({ use: "invariants", options: { crossShell: true } }),
    main: false,
  },
  ...CRITERIA.map((criterion) => ({
    name: `criterion-${criterion}`,
    summary: `invariants, mixture, K by ${criterion}`,
    learn: onePass({ use: "invariants" }, {}, { criterion }),
    main: false,
  })),
];
