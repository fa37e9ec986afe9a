import assert from "node:assert/strict";
import { evaluateMixture, fitMixture, mixtureFromLabels, MixtureTable } from "../../plugins/kernels/mixture.ts";
import { better, continueLabels, continueMixture, crossValidateFold, startMixtures } from "../../plugins/kernels/mixture_search.ts";
import { growOrShrink } from "../../plugins/kernels/relabel.ts";
import { sampleMixture } from "../plugins/clusterers/sampled_mixture.ts";

const settings = { dims: 3, regularisation: 1e-6, pooling: 0, maxIterations: 100, tolerance: 1e-6 };
const sample = (rows: number, k: number, distance: number, seed: number) => {
  const { table, labels } = sampleMixture(rows, 3, k, distance, seed);
  return { values: Float64Array.from(table.values), labels };
};
const sizes = (labels: Int32Array, k: number) => Array.from({ length: k }, (_, c) => labels.filter((label) => label === c).length);

Deno.test("`startMixtures()` repeats for the same starts and does better with more of them", () => {
  const { values } = sample(400, 5, 2, 1);
  const few = startMixtures(values, 5, 7, 0, 2, settings), many = startMixtures(values, 5, 7, 0, 10, settings);
  assert.deepEqual(startMixtures(values, 5, 7, 0, 2, settings), few);
  assert.ok(many.objective >= few.objective);
  assert.ok(continueMixture(values, many, settings).objective >= many.objective - 1e-9 * Math.abs(many.objective));
});

Deno.test("`better()` prefers any sound fit to a degenerate one, however likely", () => {
  const { values, labels } = sample(60, 3, 3, 2);
  const sound = continueLabels(values, 3, labels, settings);
  const lonely = continueLabels(values, 3, labels.map((_, row) => row < 3 ? row % 2 : 2), { ...settings, maxIterations: 1 });
  assert.ok(!sound.degenerate && lonely.degenerate);
  assert.ok(better(sound, { ...lonely, objective: sound.objective + 1000 }));
  assert.ok(!better({ ...lonely, objective: sound.objective + 1000 }, sound));
});

Deno.test("`crossValidateFold()` scores each fold by a fit to the others", () => {
  const { values, labels } = sample(90, 2, 3, 3);
  const folds = Uint8Array.from({ length: 90 }, (_, row) => row % 3);
  const scores = crossValidateFold(values, 2, labels, folds, 1, settings);
  const pick = (keep: (row: number) => boolean) => values.filter((_, i) => keep(Math.floor(i / 3)));
  const training = pick((row) => row % 3 !== 1), test = pick((row) => row % 3 === 1);
  using table = new MixtureTable(training, 3);
  using tested = new MixtureTable(test, 3);
  const start = mixtureFromLabels(training, 3, labels.filter((_, row) => row % 3 !== 1), 2, settings.regularisation);
  const { mixture } = fitMixture(table, start, { ...settings, maxIterations: 15 });
  assert.deepEqual(scores, evaluateMixture(tested, mixture).logLikelihood);
});

Deno.test("`growOrShrink()` splits what is spread and merges what is near, and keeps the rest", () => {
  const { values, labels } = sample(240, 4, 6, 4);
  const merged = labels.map((label) => label === 3 ? 2 : label);
  const grown = growOrShrink(values, 3, merged, 3, 4);
  // The two classes that were one are apart again; names may differ.
  for (let c = 0; c < 4; c++) {
    const seen = new Set(grown.filter((_, row) => labels[row] === c));
    assert.equal(seen.size, 1, `class ${c} is in ${[...seen]}`);
  }
  assert.deepEqual(growOrShrink(values, 3, labels, 4, 4), labels);
  const shrunk = growOrShrink(values, 3, labels, 4, 2);
  assert.equal(new Set(shrunk).size, 2);
  for (let c = 0; c < 4; c++) assert.equal(new Set(shrunk.filter((_, row) => labels[row] === c)).size, 1);
  assert.deepEqual(sizes(growOrShrink(values, 3, labels, 4, 1), 1), [240]);
});

Deno.test("`growOrShrink()` gives fewer classes when rows cannot be told apart", () => {
  const grown = growOrShrink(new Float64Array(30), 3, new Int32Array(10), 1, 4);
  assert.equal(new Set(grown).size, 1);
});
