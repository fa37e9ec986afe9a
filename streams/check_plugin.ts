/**
 * The conformance suite: what every plugin must do, run by its author inside `Deno.test`.
 * @module
 */
import { Bench, type PluginSample } from "./conformance/bench.ts";
import { checkClusterer, checkEmbedder, checkLearner, checkMatcher, checkRefiner, checkScorer } from "./conformance/check_learning.ts";
import { checkOptions } from "./conformance/check_options.ts";
import { checkClassStage, checkEngine, checkSink } from "./conformance/check_results.ts";
import { checkSource, checkStage } from "./conformance/check_stage.ts";
import type { AnyPlugin, Kind } from "./contract.ts";
import { pluginShapeFaults } from "./plugin_shape.ts";

export type { PluginSample } from "./conformance/bench.ts";

const checks: Record<Kind, (bench: Bench) => Promise<void>> = {
  source: checkSource,
  denoiser: checkStage,
  picker: checkStage,
  extractor: checkStage,
  operator: checkStage,
  learner: checkLearner,
  embedder: checkEmbedder,
  clusterer: checkClusterer,
  matcher: checkMatcher,
  scorer: checkScorer,
  refiner: checkRefiner,
  decoder: checkClassStage,
  aligner: checkClassStage,
  sink: checkSink,
  engine: checkEngine,
};

/**
 * Runs the conformance suite on a plugin and gives one line a problem, none when it conforms.
 *
 * It looks at the plugin's shape and options, then creates it with a context that lends everything and starts nothing, and checks what its
 * kind must do: outputs whose lengths belong together and whose numbers are finite; inputs left as they were; the same seed gives the same
 * result in whatever order inputs come; an abort ends the work; saved state, loaded into a fresh instance, gives the same results.
 */
export async function pluginProblems(plugin: AnyPlugin, sample: PluginSample = {}): Promise<string[]> {
  const shape = pluginShapeFaults(plugin);
  if (shape.length > 0) return shape;
  const problems: string[] = [];
  const options = checkOptions(plugin, sample.options ?? {}, problems);
  const parts = Object.values(plugin.parts ?? {} as NonNullable<AnyPlugin["parts"]>);
  if (plugin.needs?.engine && sample.engine === undefined) problems.push("needs an engine: give one in the sample");
  if (parts.some((part) => !part.optional) && sample.parts === undefined) {
    problems.push("needs parts: give a function that makes them in the sample");
  }
  if (options === null || problems.length > 0) return problems;
  const bench = new Bench(plugin, options, sample);
  await bench.attempt(plugin.kind, () => checks[plugin.kind as Kind](bench));
  return bench.problems;
}

/**
 * Runs the conformance suite on a plugin.
 *
 * ```ts ignore
 * Deno.test("my plugin conforms", () => checkPlugin(myPlugin, { options: { radiusVoxels: 3 } }));
 * ```
 * @throws {Error} With all problems, one a line; see {@linkcode pluginProblems}.
 */
export async function checkPlugin(plugin: AnyPlugin, sample: PluginSample = {}): Promise<void> {
  const problems = await pluginProblems(plugin, sample);
  if (problems.length > 0) {
    throw new Error(`plugin "${plugin?.name}" does not conform:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
  }
}
