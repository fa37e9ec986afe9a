/**
 * How well `gmm-bic` finds classes and their number on simulated sets of known structures (never those that its settings were chosen on):
 * rotation invariants, then the default choice, the Bayesian criterion at 16 components, and the published settings.
 *
 * Run: deno task bench:classes [boxes] [seeds]. Prints K and the adjusted Rand index against the truth.
 */
import gmmBic from "../../plugins/clusterers/gmm_bic.ts";
import invariants from "../../plugins/embedders/invariants.ts";
import disca from "../../plugins/learners/disca.ts";
import { measureAgreement, tabulateConfusion } from "../../plugins/kernels/agreement.ts";
import { normaliseBoxes } from "../../plugins/kernels/prepare.ts";
import { makeSet } from "../../plugins/sources/simulated/sets.ts";
import type { Clusterer, Embedder } from "../../streams/contract.ts";
import { WorkerPool } from "../../streams/pool.ts";
import { memoryContext } from "../plugins/memory_context.ts";

const BOX = 24;
const count = Number(Deno.args[0] ?? 1000), seeds = Number(Deno.args[1] ?? 2);
const published = disca.partDefaults!(disca.options.parse({ recipe: "published" })).cluster!.options!;
const settings: Record<string, Record<string, unknown>> = {
  "default": {},
  "BIC, 16 components": { criterion: "bic", components: 16, pooling: 0 },
  "published": published,
};
using pool = new WorkerPool(2);
const context = { ...memoryContext("bench"), pool };
const embedder = await invariants.create(invariants.options.parse({}), context, {}) as Embedder;
for (const snr of [0.1, 0.05, 0.03]) {
  for (let seed = 100; seed < 100 + seeds; seed++) {
    const { voxels, labels } = makeSet("reporting", { count, snr, seed });
    const values = await embedder.embed(normaliseBoxes(voxels, count, BOX).voxels, count);
    const rows = Int32Array.from({ length: 2 * count }, (_, i) => i & 1 ? i >> 1 : 0);
    const results: string[] = [];
    for (const [name, options] of Object.entries(settings)) {
      const clusterer = await gmmBic.create(gmmBic.options.parse(options), context, {}) as Clusterer;
      const begin = performance.now();
      const { k, labels: found } = await clusterer.fit({ rows, dims: embedder.dims, values }, null, 0);
      const { ari } = measureAgreement(tabulateConfusion(labels, found));
      results.push(`${name}: K ${k}, ARI ${ari.toFixed(3)} (${((performance.now() - begin) / 1000).toFixed(1)} s)`);
    }
    console.log(`SNR ${snr}, ${count} boxes of six structures, seed ${seed}: ${results.join("; ")}`);
  }
}
