import assert from "node:assert/strict";
import gmmBic from "../../../plugins/clusterers/gmm_bic.ts";
import { candidateLadder, chooseComponents, CRITERIA, type GmmBicOptions } from "../../../plugins/clusterers/gmm_bic/options.ts";
import { measureAgreement, tabulateConfusion } from "../../../plugins/kernels/agreement.ts";
import { checkPlugin } from "../../../streams/check_plugin.ts";
import type { Clusterer, Features, Pool } from "../../../streams/contract.ts";
import { RunError, ShapeError } from "../../../streams/errors.ts";
import { memoryContext } from "../memory_context.ts";
import { sampleMixture } from "./sampled_mixture.ts";

const parse = (options: Record<string, unknown> = {}) => gmmBic.options.parse(options) as GmmBicOptions;
/** Few starts keep the tests short; the classes here are far apart. */
const FEW = { restarts: 5, maximumClasses: 8 };

function make(options: Record<string, unknown> = {}, pool?: Pool): { clusterer: Clusterer; context: ReturnType<typeof memoryContext> } {
  const context = Object.assign(memoryContext('learn.cluster "gmm-bic"'), pool ? { pool } : {});
  return { clusterer: gmmBic.create(parse(options), context, {}) as Clusterer, context };
}

const ari = (a: Int32Array, b: Int32Array) => measureAgreement(tabulateConfusion([...a], [...b])).ari;

Deno.test("gmm-bic conforms", async () => await checkPlugin(gmmBic, { options: { restarts: 5, maximumClasses: 6 } }));

Deno.test("gmm-bic finds the number of classes and the classes, by every criterion", async () => {
  const { table, labels } = sampleMixture(600, 30, 4, 1.5, 1);
  for (const criterion of ["auto", ...CRITERIA]) {
    const { clusterer } = make({ ...FEW, criterion });
    const { k, labels: found, criteria } = await clusterer.fit(table, null, 0);
    assert.equal(k, 4, criterion);
    assert.ok(ari(labels, found) > 0.99, criterion);
    assert.deepEqual(criteria.filter((row) => row.chosen === 1).map((row) => row.k), [4]);
    // The report shows every criterion, whichever decides.
    const chosen = criteria.find((row) => row.chosen === 1)!;
    for (const name of ["bic", "bicPaper", "aic", "icl", "ch", "kl", "jump"]) {
      assert.ok(Number.isFinite(chosen[name]), `${criterion}: ${name}`);
    }
  }
});

Deno.test("noise alone is one class, in few boxes and in many", async () => {
  for (const [rows, dims] of [[60, 20], [300, 40], [2000, 12]]) {
    const { clusterer } = make(FEW);
    const { k, labels } = await clusterer.fit(sampleMixture(rows, dims, 1, 0, rows).table, null, 0);
    assert.equal(k, 1, `${rows} rows`);
    assert.ok(labels.every((label) => label === 0));
  }
});

Deno.test("where BIC merges classes for want of boxes, cross-validation keeps them", async () => {
  // FIELD.md: at 16 components six perfectly separated classes of 70 boxes give K = 2 by BIC.
  const { table, labels } = sampleMixture(420, 20, 6, 2, 3);
  const bic = await make({ ...FEW, components: 16, criterion: "bic" }).clusterer.fit(table, null, 0);
  const auto = await make(FEW).clusterer.fit(table, null, 0);
  assert.ok(bic.k < 6, `BIC finds ${bic.k}`);
  assert.equal(auto.k, 6);
  assert.ok(ari(labels, auto.labels) > 0.99);
});

Deno.test("the result does not depend on the size of the pool or on the order in which its work ends", async () => {
  const { table } = sampleMixture(400, 10, 3, 1, 4);
  const backwards = (size: number): Pool => ({
    size,
    // Later calls end first.
    run: async (module, name, args) => {
      const turns = 40 - (calls++ % 40);
      for (let i = 0; i < turns; i++) await Promise.resolve();
      return (await import(module))[name](...args);
    },
  });
  let calls = 0;
  const plain = make(FEW), turned = make(FEW, backwards(7));
  assert.deepEqual(await turned.clusterer.fit(table, null, 2), await plain.clusterer.fit(table, null, 2));
  assert.deepEqual(await turned.clusterer.save(), await plain.clusterer.save());
});

Deno.test("`predict()` gives the labels of `fit()`, one row at a time too, and after `load()`", async () => {
  const { table } = sampleMixture(300, 12, 3, 1, 5);
  const { clusterer } = make(FEW);
  const fitted = await clusterer.fit(table, null, 0);
  const all = await clusterer.predict(table);
  assert.deepEqual(all.labels, fitted.labels);
  const restored = make(FEW).clusterer;
  await restored.load(structuredClone(await clusterer.save()));
  assert.deepEqual(await restored.predict(table), all);
  for (const row of [0, 129, 299]) {
    const one: Features = { rows: table.rows.slice(2 * row, 2 * row + 2), dims: 12, values: table.values.slice(12 * row, 12 * row + 12) };
    const { labels, logLikelihood } = await restored.predict(one);
    assert.deepEqual([labels[0], logLikelihood![0]], [all.labels[row], all.logLikelihood![row]]);
  }
});

Deno.test("boxes unlike any class get a far lower likelihood", async () => {
  const { table } = sampleMixture(300, 8, 2, 2, 6);
  const { clusterer } = make(FEW);
  await clusterer.fit(table, null, 0);
  const usual = Math.min(...(await clusterer.predict(table)).logLikelihood!);
  const odd: Features = { rows: new Int32Array(2), dims: 8, values: table.values.slice(0, 8).map((value) => value + 30) };
  assert.ok((await clusterer.predict(odd)).logLikelihood![0] < usual - 20);
});

Deno.test("previous labels are held, or compete with fresh starts", async () => {
  const { table, labels } = sampleMixture(400, 10, 4, 4, 7);
  // Two classes seen as one: a start that fresh starts beat.
  const merged = labels.map((label) => Math.min(label, 2));
  const previous = { k: 3, labels: merged, classIds: Int32Array.of(4, 7, 9), criteria: [] };
  const held = await make(FEW).clusterer.fit(table, previous, 1);
  assert.equal(held.k, 3);
  assert.ok(ari(merged, held.labels) > 0.99);
  const free = await make({ ...FEW, previous: "compete" }).clusterer.fit(table, previous, 1);
  assert.equal(free.k, 4);
  assert.ok(ari(labels, free.labels) > 0.99);
  await assert.rejects(make(FEW).clusterer.fit(table, { ...previous, labels: merged.slice(1) }, 1), ShapeError);
});

Deno.test("a list of candidates is compared as it stands, the count of the paper's Eq. 4 beside the full one", async () => {
  const { table } = sampleMixture(500, 20, 5, 2, 8);
  const { clusterer } = make({ ...FEW, candidates: [20, 5, 2], components: 6, criterion: "bic-paper", pooling: 0, previous: "compete" });
  const { k, criteria } = await clusterer.fit(table, null, 0);
  assert.equal(k, 5);
  assert.deepEqual(criteria.map((row) => row.k), [2, 5, 20]);
  for (const row of criteria) {
    assert.equal(row.parametersPaper, row.k * 21);
    assert.equal(row.parameters, row.k * 21 + row.k * 6 + row.k - 1);
    // Equal up to rounding: the criteria differ by what the parameters cost.
    assert.ok(Math.abs(row.bic - row.bicPaper - (row.parameters - row.parametersPaper) * Math.log(500)) < 1e-6);
  }
});

Deno.test("many rows: the ladder is climbed on a subsample, the best and its neighbours are fitted to all", async () => {
  const { table, labels } = sampleMixture(1500, 8, 4, 3, 9);
  const { clusterer } = make({ ...FEW, subsampleBoxes: 500 });
  const { k, labels: found, criteria } = await clusterer.fit(table, null, 0);
  assert.equal(k, 4);
  assert.ok(ari(labels, found) > 0.99);
  assert.ok(criteria.every((row) => row.boxes === 1500));
  assert.deepEqual(criteria.map((row) => row.k), [1, 2, 3, 4, 5, 6]);
});

Deno.test("`components: auto` states its arithmetic", async () => {
  const { clusterer, context } = make(FEW);
  await clusterer.fit(sampleMixture(300, 20, 2, 2, 10).table, null, 0);
  const note = context.told.find(({ code }) => code === "components")!.message;
  assert.equal(note, "10 components: 300 boxes in 3 classes are 100 each, 1.5 for each of the 65 parameters of a class are 98");
  assert.equal(chooseComponents(parse(), 100_000, 1024).components, 16);
  assert.equal(chooseComponents(parse({ components: 16 }), 9, 1024).components, 8);
  // By BIC alone: 36000 boxes in 30 classes are 1200 each, 3 a parameter are 456 at 16 components; 1000 boxes in 8 are 125: 7 components.
  assert.equal(chooseComponents(parse({ criterion: "bic" }), 36_000, 1024).components, 16);
  assert.equal(chooseComponents(parse({ criterion: "bic", candidates: [2, 8] }), 1000, 1024).components, 7);
});

Deno.test("`candidateLadder()` grows geometrically between its ends", () => {
  assert.deepEqual(candidateLadder(parse(), 10_000), [1, 2, 3, 4, 5, 7, 9, 12, 16, 22, 30]);
  assert.deepEqual(candidateLadder(parse({ minimumClasses: 3, maximumClasses: 5 }), 10_000), [3, 4, 5]);
  assert.deepEqual(candidateLadder(parse(), 7), [1, 2, 3]);
  assert.deepEqual(candidateLadder(parse({ candidates: [20, 5, 5] }), 30), [5]);
});

Deno.test("tables too small or without variance: one class, or an error that says what to do", async () => {
  const flat: Features = { rows: new Int32Array(100), dims: 5, values: new Float32Array(250).fill(2) };
  assert.equal((await make(FEW).clusterer.fit(flat, null, 0)).k, 1);
  const two: Features = { rows: new Int32Array(4), dims: 3, values: Float32Array.of(1, 2, 3, 4, 5, 6) };
  assert.equal((await make(FEW).clusterer.fit(two, null, 0)).k, 1);
  const one: Features = { rows: new Int32Array(2), dims: 3, values: Float32Array.of(1, 2, 3) };
  await assert.rejects(make(FEW).clusterer.fit(one, null, 0), /1 boxes cannot be clustered: at least 2/);
  const { table } = sampleMixture(30, 5, 2, 3, 11);
  await assert.rejects(make({ candidates: [20, 40] }).clusterer.fit(table, null, 0), (error) => {
    assert.ok(error instanceof RunError);
    assert.match(error.message, /30 boxes cannot make 20 or 40 classes: give smaller candidates or more boxes/);
    return true;
  });
  await assert.rejects(make().clusterer.predict(table), RunError);
});

Deno.test("an abort stops the search", async () => {
  const controller = new AbortController();
  const context = Object.assign(memoryContext(), { signal: controller.signal });
  const clusterer = gmmBic.create(parse(FEW), context, {}) as Clusterer;
  controller.abort(new Error("enough"));
  await assert.rejects(clusterer.fit(sampleMixture(200, 5, 2, 1, 12).table, null, 0), /enough/);
});
