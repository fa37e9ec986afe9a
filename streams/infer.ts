/**
 * A frozen model over new tomograms: the same stages, the same boxes, the same `predict`; nothing is learnt.
 * @module
 */
import { resolve } from "node:path";
import { absolutePath } from "../plugins/formats/volume_path.ts";
import { ManifestError, RunError } from "./errors.ts";
import { exists, loadBundle } from "./bundle.ts";
import { fillStore } from "./fill.ts";
import { labelBoxes } from "./label.ts";
import { Ledger } from "./ledger.ts";
import type { LintOptions } from "./lint.ts";
import { loadManifestValue } from "./manifest.ts";
import type { ResolvedManifest } from "./manifest_shape.ts";
import { createLearner, recordLabels, type RunOptions, runSinks, type RunSummary, summarise } from "./run.ts";
import { openRunFolder } from "./run_folder.ts";
import { openBoxes } from "./run_view.ts";
import { Session } from "./session.ts";

/** Where each file source keeps its inputs: what `infer` replaces. */
const INPUT_OPTION: Readonly<Record<string, string>> = { tomograms: "paths", "subtomogram-stack": "path" };

/** Relative disagreement of voxel sizes that a model bears. */
const VOXEL_SIZE_TOLERANCE = 0.01;

/** What `infer` is given. */
export interface InferOptions extends RunOptions {
  /** The `model` folder of a run, or the run folder itself. */
  readonly model: string;
  /** Files or globs; for a model that was trained on a stack, stacks. */
  readonly tomograms: readonly string[];
  readonly out: string;
  /** What is said instead of the model's manifest, `PATH=VALUE`: other geometry, other threads. */
  readonly settings?: readonly string[];
  readonly allowPlugins?: readonly string[];
  readonly allowCommands?: readonly string[];
  /** The built-in plugins, where tests bring their own. */
  readonly builtIns?: LintOptions["builtIns"];
}

/**
 * Labels new tomograms with a model.
 *
 * @throws {InputError} When the model is damaged. @throws {ManifestError} When the inputs do not suit. @throws {RunError} When a step fails.
 */
export async function inferPipeline(options: InferOptions): Promise<RunSummary> {
  const started = performance.now();
  const { signal, progress } = options;
  const given = resolve(options.model);
  const model = !exists(`${given}/bundle.json`) && exists(`${given}/model/bundle.json`) ? `${given}/model` : given;
  const { facts, state } = loadBundle(model);
  const trained = facts.manifest as ResolvedManifest;
  const input = INPUT_OPTION[trained.source.use];
  if (input === undefined || !trained.learn) {
    throw new ManifestError([
      `${options.model}: was trained from source "${trained.source.use}", which takes no files: infer works with models of ${
        Object.keys(INPUT_OPTION).join(" or ")
      }`,
    ]);
  }
  const frozen = options.settings?.find((setting) => /^(learn|seed|version|resolved|classes)\b/.test(setting));
  if (frozen !== undefined) {
    throw new ManifestError([
      `--set ${frozen}: is part of the model, which is not learnt again: infer takes source, stages, sinks, engine and run`,
    ]);
  }
  const { truth: _truth, ...sourceOptions } = trained.source.options;
  const value = {
    ...trained,
    source: { ...trained.source, options: { ...sourceOptions, [input]: options.tomograms.map((path) => absolutePath(".", path)) } },
    classes: [],
    run: { ...trained.run, dir: resolve(options.out) },
  };
  const file = await loadManifestValue(value, { name: "infer", folder: model }, {
    allowPlugins: options.allowPlugins,
    allowCommands: options.allowCommands,
    builtIns: options.builtIns,
    overrides: { settings: options.settings },
  });
  const { manifest } = file;
  const resolved = file.resolved();
  using folder = openRunFolder(file, options.resume ?? false);
  using ledger = new Ledger(`${folder.dir}/run.sqlite`);
  await using session = new Session(manifest, ledger, progress, signal);

  await session.timed("picking", () => fillStore(session));
  const records = ledger.tomograms().map(({ record }) => record);
  const voxelSize = facts.voxelSizeAngstrom as number;
  for (const { id, boxVoxelSizeAngstrom } of records) {
    if (voxelSize > 0 && Math.abs(boxVoxelSizeAngstrom / voxelSize - 1) > VOXEL_SIZE_TOLERANCE) {
      throw new RunError(
        `${id} has ${boxVoxelSizeAngstrom} A a voxel, the model was trained at ${voxelSize} A (more than 1 % apart): rescale it first`,
      );
    }
  }
  const particles = ledger.particles();
  if (particles.length === 0) throw new RunError("no particles were found in these tomograms: look at their contrast and voxel size");
  await using boxes = openBoxes(manifest.run.dir, records, particles);
  const trainedEngine = facts.engine as { name: string } | null;
  await session.timed("labelling", async () => {
    const learner = await createLearner(session, manifest.learn!);
    await learner.load(state);
    const labels = await labelBoxes(learner, boxes, signal, (done, total) => progress.update("labelling", done, total));
    recordLabels(session, boxes.rows, labels, facts.noveltyThreshold as number | null);
  });
  const engine = ledger.fact<{ name: string }>("engine");
  if (trainedEngine && engine && trainedEngine.name !== engine.name) {
    session.events.warn(
      "infer",
      "other-engine",
      `the model was trained with engine ${trainedEngine.name}, this is ${engine.name}: labels of borderline particles may differ`,
    );
  }
  ledger.setFact("learnt", { keptIteration: facts.keptIteration, iterations: 0, converged: false, criteria: [], figures: {} });
  await runSinks(session, "infer", { ...resolved }, null);
  ledger.setFact("done", true);
  await session.scratch.clear();
  return summarise(session, null, null, (performance.now() - started) / 1000);
}
