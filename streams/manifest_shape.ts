/**
 * The shape of a manifest before its plugins are known, and of the resolved manifest that a run saves.
 * @module
 */
import { z } from "zod";

/** A stage may be silent for this long, unless it says otherwise. */
export const DEFAULT_TIMEOUT_SECONDS = 1800;
/** Source, learner, class stages and sinks, which have more to do at once, may be silent for this long. */
export const DEFAULT_RUN_TIMEOUT_SECONDS = 6 * 3600;
/** Values that are in flight between two stages at once, unless a stage says otherwise. */
export const DEFAULT_CAPACITY = 2;

const use = z.string().min(1).meta({ description: "Built-in id, ./file.ts#export relative to the manifest, or an exact npm: version" });
const options = z.record(z.string(), z.unknown()).meta({ description: "The plugin's options" });
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, "expected letters, digits, - and _").meta({
  description: "Name of this entry in messages and results, when the plugin's own is not enough",
});

/** A plugin with its options. */
export const entryShape = z.strictObject({ use, options: options.optional() });
/** A plugin whose results are named in the report. */
export const namedEntryShape = z.strictObject({ use, options: options.optional(), name: name.optional() });
/** A plugin that the data flows through. */
export const stageShape = z.strictObject({
  use,
  options: options.optional(),
  name: name.optional(),
  capacity: z.int().min(1).max(1024).default(DEFAULT_CAPACITY).meta({
    description: "Values of this stage in flight towards the next one",
  }),
  onError: z.enum(["fail", "drop"]).default("fail").meta({
    description: "What a value that this stage cannot work on does: end the run, or be left out and counted",
  }),
  decoy: z.boolean().default(false).meta({
    description: "Pickers: also pick on a copy of each tomogram with random phases, to estimate how many picks are false; doubles the time",
  }),
  timeoutSeconds: z.number().positive().default(DEFAULT_TIMEOUT_SECONDS).meta({
    description: "A stage without output and progress for this long is taken to hang",
  }),
});
/** The learner and its parts. */
export const learnShape = z.strictObject({
  use,
  options: options.optional(),
  parts: z.record(z.string(), entryShape.nullable()).optional().meta({
    description: "Plugins that the learner works with; null leaves an optional part out",
  }),
});
/** How a run is done. */
export const runShape = z.strictObject({
  dir: z.string().min(1).optional().meta({
    description: "Folder of the run; runs/NAME beside the manifest by default",
    format: "path",
    written: true,
  }),
  threads: z.int().min(1).max(1024).optional().meta({
    description: "Threads of engine and worker pool together; all there are by default",
  }),
  heldOutFraction: z.number().min(0).max(0.5).default(0.1).meta({
    description: "Part of the boxes that nothing is fitted to; novelty is calibrated on it",
  }),
  noveltyQuantile: z.number().min(0).max(0.5).default(0.01).meta({
    description: "A particle is novel when its log-likelihood is below this quantile of the held-out boxes",
  }),
  timeoutSeconds: z.number().positive().default(DEFAULT_RUN_TIMEOUT_SECONDS).meta({
    description: "A source, learner, class stage or sink without output and progress for this long is taken to hang",
  }),
});

/** A manifest as written. */
export const manifestShape = z.strictObject({
  $schema: z.string().optional().meta({ description: "Where an editor finds pipeline.schema.json" }),
  version: z.literal(1).meta({ description: "Version of the manifest's form" }),
  seed: z.int().min(0).max(4294967295).default(1).meta({ description: "All random numbers follow from it" }),
  engine: entryShape.optional().meta({ description: "What computes networks and matrix products; auto by default" }),
  source: entryShape.meta({ description: "Where tomograms or boxes come from" }),
  stages: z.array(stageShape).default([]).meta({ description: "What the data flows through, in order" }),
  learn: learnShape.optional().meta({ description: "What turns boxes into classes" }),
  classes: z.array(namedEntryShape).default([]).meta({ description: "What is made of each class's members" }),
  sinks: z.array(namedEntryShape).default([]).meta({ description: "What is written at the end" }),
  run: runShape.prefault({}).meta({ description: "How the run is done" }),
  resolved: z.strictObject({
    tomosieve: z.string().meta({ description: "The tomosieve that resolved it" }),
    plugins: z.record(z.string(), z.string()).meta({ description: "Version or hash of each plugin" }),
  }).optional().meta({ description: "Written by tomosieve into a run folder" }),
});

/** A plugin with all its options, as a resolved manifest has it. Paths are relative to the folder it was resolved for. */
export interface ResolvedEntry {
  readonly use: string;
  readonly options: Readonly<Record<string, unknown>>;
}
/** {@linkcode ResolvedEntry} with a name where the manifest gave one. */
export interface ResolvedNamedEntry extends ResolvedEntry {
  readonly name?: string;
}
/** A stage as a resolved manifest has it. */
export interface ResolvedStage extends ResolvedNamedEntry {
  readonly capacity: number;
  readonly onError: "fail" | "drop";
  readonly decoy: boolean;
  readonly timeoutSeconds: number;
}
/** A manifest with nothing left to default: plain JSON that reruns the job. */
export interface ResolvedManifest {
  readonly version: 1;
  readonly seed: number;
  readonly engine: ResolvedEntry;
  readonly source: ResolvedEntry;
  readonly stages: readonly ResolvedStage[];
  readonly learn?: ResolvedEntry & { readonly parts: Readonly<Record<string, ResolvedEntry | null>> };
  readonly classes: readonly ResolvedNamedEntry[];
  readonly sinks: readonly ResolvedNamedEntry[];
  readonly run: {
    readonly dir: string;
    readonly threads: number;
    readonly heldOutFraction: number;
    readonly noveltyQuantile: number;
    readonly timeoutSeconds: number;
  };
  readonly resolved: { readonly tomosieve: string; readonly plugins: Readonly<Record<string, string>> };
}
