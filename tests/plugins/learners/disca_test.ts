import assert from "node:assert/strict";
import disca from "../../../plugins/learners/disca.ts";
import type { CompleteOptions } from "../../../plugins/learners/disca/options.ts";
import ddbi from "../../../plugins/scorers/ddbi.ts";
import hungarian from "../../../plugins/matchers/hungarian.ts";
import { measureAgreement, tabulateConfusion } from "../../../plugins/kernels/agreement.ts";
import { checkPlugin } from "../../../streams/check_plugin.ts";
import type { BoxStore, Iteration, Learner, State } from "../../../streams/contract.ts";
import { RunError } from "../../../streams/errors.ts";
import { memoryContext } from "../memory_context.ts";
import { EDGE, scriptedScorer, ToyClusterer, ToyEmbedder, ToyRefiner, toyStore } from "./toy_parts.ts";

const COUNT = 90;
const boxes = toyStore(COUNT, 3);
const heldOut = Uint8Array.from({ length: COUNT }, (_, i) => i % 10 === 7 ? 1 : 0);

interface Setup {
  readonly options?: Record<string, unknown>;
  readonly cluster?: ToyClusterer;
  readonly start?: boolean;
  readonly refine?: number;
  readonly score?: ReturnType<typeof scriptedScorer>;
  readonly trainable?: boolean;
}

/** A learner on toy parts, with its parts at hand. */
function make(setup: Setup = {}) {
  const context = memoryContext('learn "disca"');
  const parts = {
    embed: new ToyEmbedder(setup.trainable ?? true),
    cluster: setup.cluster ?? new ToyClusterer(() => 3),
    match: hungarian.create({}, context, {}),
    score: setup.score ?? ddbi.create(ddbi.options.parse({}), context, {}),
    ...(setup.start ? { start: new ToyEmbedder(false) } : {}),
    ...(setup.refine ? { refine: new ToyRefiner(setup.refine) } : {}),
  };
  const options = disca.options.parse({ batchSize: 16, ...setup.options });
  const learner = disca.create(options, context, parts) as Learner;
  return { learner, context, ...parts };
}

/** Runs to the end; what each iteration said, and its state. */
async function run(learner: Learner, store: BoxStore = boxes, out = heldOut, signal = new AbortController().signal) {
  const iterations: Iteration[] = [], states: State[] = [];
  for await (const iteration of learner.learn({ boxes: store, heldOut: out, signal })) {
    iterations.push(structuredClone(iteration));
    states.push(structuredClone(await learner.save()));
  }
  return { iterations, states };
}

const names = ({ clustering: { labels, classIds } }: Iteration) => Array.from(labels, (slot) => classIds[slot]);
const ari = (a: ArrayLike<number>, b: ArrayLike<number>) => measureAgreement(tabulateConfusion(a, b)).ari;
const picks = (rows: Int32Array) => Array.from(rows).filter((_, i) => i & 1);

const setups: Record<string, () => Setup> = {
  published: () => ({ options: { recipe: "published", maxIterations: 4, stableIterations: 9, learningRate: 0.01 } }),
  "default without parts": () => ({ options: { maxIterations: 4, stableIterations: 9 } }),
  "default with a start": () => ({ options: { maxIterations: 3 }, start: true }),
  "default with a start and a refiner": () => ({ options: { maxIterations: 4, stableIterations: 9 }, start: true, refine: 3 }),
  "a number of classes that changes": () => ({
    options: { maxIterations: 4 },
    cluster: new ToyClusterer((key) => [3, 4, 4, 2, 3][key]),
  }),
};

Deno.test("disca conforms", async () => {
  const parts = () => {
    const { embed, cluster, match, score } = make();
    return Promise.resolve({ embed, cluster, match, score });
  };
  await checkPlugin(disca, { parts, boxVoxels: EDGE, options: { batchSize: 8 } });
});

for (const [name, setup] of Object.entries(setups)) {
  Deno.test(`resumed after any iteration, a run goes on bit for bit: ${name}`, async () => {
    const whole = await run(make(setup()).learner);
    assert.ok(whole.iterations.length >= 4);
    for (let i = 0; i + 1 < whole.iterations.length; i++) {
      const { learner } = make(setup());
      await learner.load(structuredClone(whole.states[i]));
      const rest = await run(learner);
      assert.deepEqual(rest.iterations, whole.iterations.slice(i + 1), `from iteration ${i}`);
      assert.deepEqual(rest.states, whole.states.slice(i + 1), `from iteration ${i}`);
    }
  });

  Deno.test(`the saved state labels every box as its iteration did, one at a time too: ${name}`, async () => {
    const { iterations, states } = await run(make(setup()).learner);
    const all = await boxes.read(Int32Array.from({ length: COUNT }, (_, i) => i));
    const geometries = Array.from({ length: COUNT }, (_, i) => boxes.geometryOf(i));
    for (const [i, iteration] of iterations.entries()) {
      const { learner } = make(setup());
      await learner.load(states[i]);
      const { classIds, features } = await learner.predict(all.slice(), boxes.rows, EDGE, geometries);
      assert.deepEqual([...classIds], names(iteration), `iteration ${i}`);
      assert.deepEqual(features.values, iteration.features.values);
      const one = await learner.predict(all.slice(512 * 17, 512 * 18), boxes.rows.slice(34, 36), EDGE, geometries.slice(17, 18));
      assert.equal(one.classIds[0], names(iteration)[17]);
    }
  });
}

Deno.test("classes are found and keep their names, also when their number changes", async () => {
  const { iterations } = await run(make(setups["a number of classes that changes"]()).learner);
  assert.deepEqual(iterations.map(({ clustering }) => clustering.k), [3, 4, 4, 2, 3]);
  assert.equal(ari(names(iterations[0]), boxes.truth), 1);
  assert.deepEqual([...new Set(names(iterations[0]))].sort(), [1, 2, 3]);
  const seen = new Set<number>();
  iterations.forEach((iteration, i) => {
    const now = names(iteration);
    assert.equal(new Set(iteration.clustering.classIds).size, iteration.clustering.k);
    if (i > 0) {
      const before = names(iterations[i - 1]);
      const stayed = now.filter((id, box) => id === before[box]).length / COUNT;
      // A class of a third splits into at worst two halves, or two of three classes merge.
      assert.ok(stayed > 0.5, `iteration ${i}: ${stayed}`);
      for (const id of new Set(now)) assert.ok(before.includes(id) || !seen.has(id), `class ${id} comes back in iteration ${i}`);
    }
    for (const id of now) seen.add(id);
  });
});

Deno.test("held-out boxes are fitted to by nothing: not by the mixture, the head, the training, the statistics or the refiner", async () => {
  const forbidden = new Set(Array.from(heldOut.keys()).filter((i) => heldOut[i]));
  const { learner, cluster, embed, refine } = make({ options: { maxIterations: 3 }, start: true, refine: 3 });
  const { iterations } = await run(learner);
  for (const fit of cluster.fits) assert.ok(fit.every((pick) => !forbidden.has(pick)));
  assert.ok(embed.heads.length > 0 && embed.heads.every(({ rows }) => picks(rows).every((pick) => !forbidden.has(pick))));
  assert.ok(refine!.subsets.every((subset) => subset.every((index) => !forbidden.has(index))));
  const first = await boxes.read([...forbidden]);
  const corners = new Set(Array.from(forbidden, (_, i) => first[512 * i]));
  assert.ok(embed.calibrated.length > 0 && embed.calibrated.every((voxel) => !corners.has(voxel)));
  // Nine of ten fitted boxes, each with one rotated copy, twice.
  const taught = COUNT - forbidden.size - Math.round(0.1 * (COUNT - forbidden.size));
  assert.equal(embed.steps.reduce((sum, { count }) => sum + count, 0), 2 * 2 * taught * (iterations.length - 2));
  assert.equal(iterations.at(-1)!.clustering.labels.length, COUNT);
});

Deno.test("training sees each box and one copy of it an epoch, the copies turned anew each time, in an order that changes", async () => {
  const { learner, embed } = make({ options: { recipe: "published", maxIterations: 2, epochs: 2, batchSize: 16, learningRate: 1e-3 } });
  const fitted = COUNT - 9;
  await run(learner);
  assert.equal(embed.steps.length, 2 * 2 * Math.ceil(2 * fitted / 16));
  const perEpoch = embed.steps.length / 4;
  const epochs = [0, 1, 2, 3].map((epoch) => {
    const boxesSeen = embed.steps.slice(epoch * perEpoch, (epoch + 1) * perEpoch)
      .flatMap(({ voxels, count }) => Array.from({ length: count }, (_, i) => voxels.slice(512 * i, 512 * (i + 1)).join()));
    assert.equal(boxesSeen.length, 2 * fitted);
    assert.equal(new Set(boxesSeen).size, 2 * fitted);
    return boxesSeen;
  });
  for (let epoch = 1; epoch < 4; epoch++) {
    const earlier = new Set(epochs.slice(0, epoch).flat());
    // The originals come again, the copies never do.
    assert.equal(epochs[epoch].filter((box) => earlier.has(box)).length, fitted);
    assert.notDeepEqual(epochs[epoch].filter((box) => earlier.has(box)), epochs[0].filter((box) => epochs[epoch].includes(box)));
  }
  assert.equal(new Set(embed.steps.map(({ key }) => key)).size, embed.steps.length);
});

Deno.test("learning rate and label smoothing shrink from iteration to iteration", async () => {
  const { learner, embed } = make({
    options: { recipe: "published", maxIterations: 3, learningRate: 0.002, labelSmoothing: 0.3, stableIterations: 9 },
  });
  await run(learner);
  const steps = embed.steps.length / 3;
  for (let i = 0; i < 3; i++) {
    const { learningRate, targets } = embed.steps[i * steps];
    // One product in float64 against another.
    assert.ok(Math.abs(learningRate - 0.002 * 0.95 ** i) < 1e-12);
    const smoothing = 0.3 * 0.9 ** i;
    // Targets are float32.
    assert.ok(Math.abs(Math.max(...targets) - (1 - smoothing + smoothing / 3)) < 1e-6);
    assert.ok(Math.abs(Math.min(...targets) - smoothing / 3) < 1e-6);
  }
});

Deno.test("batches are made ahead of the engine, and a batch is never a single box", async () => {
  // 41 fitted boxes and copies: 82 = 5 x 16 + 2; with batches of 27 one would be left over.
  const small = toyStore(41, 3);
  for (const batchSize of [16, 27]) {
    const { learner, embed, context } = make({ options: { recipe: "published", maxIterations: 1, batchSize, learningRate: 1e-3 } });
    const asked: number[] = [];
    embed.onStep = async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      asked.push(context.calls);
    };
    await run(learner, small, new Uint8Array(41));
    assert.ok(embed.steps.every(({ count }) => count > 1));
    // Two calls a batch: originals and copies. While the first is trained on, three are under way or done.
    assert.ok(asked[0] >= 4, `${asked[0]} calls before the first step`);
    assert.ok(asked[0] <= 2 * 4, `${asked[0]} calls before the first step`);
  }
});

Deno.test("the loop stops when labels and K have been stable for three iterations, and at the maximum", async () => {
  const stable = await run(make({ options: { maxIterations: 9, learningRate: 1e-6 } }).learner);
  assert.deepEqual(stable.iterations.map(({ finished }) => finished), [undefined, undefined, undefined, "converged"]);
  assert.deepEqual(stable.iterations.map(({ figures }) => figures.labelChange), [null, 0, 0, 0]);

  // 2 of 90 labels flip in every other iteration: 97.8 % stay.
  const flips = new ToyClusterer(() => 3, (key, label, row) => key % 2 === 1 && row < 2 ? (label + 1) % 3 : label);
  const restless = await run(make({ options: { maxIterations: 6, learningRate: 1e-6 }, cluster: flips }).learner);
  assert.equal(restless.iterations.length, 7);
  assert.equal(restless.iterations.at(-1)!.finished, "maximum");
  const loose = await run(make({ options: { maxIterations: 6, learningRate: 1e-6, stableFraction: 0.97 }, cluster: flips }).learner);
  assert.equal(loose.iterations.length, 4);

  const changing = new ToyClusterer((key) => key < 3 ? 3 : 2);
  const late = await run(make({ options: { maxIterations: 9, learningRate: 1e-6 }, cluster: changing }).learner);
  assert.deepEqual([late.iterations.length, late.iterations.at(-1)!.finished], [7, "converged"]);
  const untrained = make({ options: { maxIterations: 0 } });
  assert.deepEqual((await run(untrained.learner)).iterations.map(({ finished }) => finished), ["maximum"]);
  assert.equal(untrained.embed.steps.length, 0);
});

Deno.test("published keeps the lowest DDBI, whatever iteration it is", async () => {
  const scores = [3, 4, 2, 2, 5, 1];
  const { learner } = make({ options: { recipe: "published", maxIterations: 5, stableIterations: 9 }, score: scriptedScorer(scores) });
  const { iterations } = await run(learner);
  assert.deepEqual(iterations.map(({ figures }) => figures.ddbi), scores);
  assert.deepEqual(iterations.map(({ best }) => best), [true, false, true, false, false, true]);
  assert.ok(iterations.every(({ figures }) => figures.agreement === null));
  const higher = make({ options: { recipe: "published", maxIterations: 5, stableIterations: 9 }, score: scriptedScorer(scores, "higher") });
  assert.deepEqual((await run(higher.learner)).iterations.map(({ best }) => best), [true, true, false, false, true, false]);
});

Deno.test("default keeps the iteration whose labels stay when boxes are turned; the score breaks ties", async () => {
  const { learner } = make({ options: { maxIterations: 4, stableIterations: 9 }, score: scriptedScorer([3, 4, 2, 9, 1]) });
  const { iterations } = await run(learner);
  assert.deepEqual(iterations.map(({ figures }) => figures.agreement), [1, 1, 1, 1, 1]);
  assert.deepEqual(iterations.map(({ best }) => best), [true, false, true, false, true]);
});

Deno.test("one class agrees with itself by chance only: it does not beat classes that turning leaves alone", async () => {
  const cluster = new ToyClusterer((key) => key === 1 ? 1 : 3);
  const { iterations } = await run(
    make({ options: { maxIterations: 2, recipe: "default" }, cluster, score: scriptedScorer([5, 1, 4]) }).learner,
  );
  assert.equal(iterations[1].figures.agreement, 0);
  assert.equal(iterations[1].best, false);
  assert.equal(iterations[1].finished, "converged");
});

Deno.test("with a start, iteration 0 has the start's features, and its state predicts with the start", async () => {
  const { learner, start, embed } = make({ options: { maxIterations: 1 }, start: true });
  const { iterations, states } = await run(learner);
  const all = await boxes.read(Int32Array.from({ length: COUNT }, (_, i) => i));
  assert.deepEqual(iterations[0].features.values, await start!.embed(all, COUNT));
  assert.deepEqual(iterations[1].features.values, await embed.embed(all, COUNT));
  assert.ok(!Object.keys(states[0].arrays).some((key) => key.startsWith("embed/")));
  assert.equal(start!.steps.length, 0);
});

Deno.test("with a refiner, its labels are everyone's, its posterior is the teacher's, and the best iteration is one of its own", async () => {
  // The first mixture sees two classes, the refiner three.
  const cluster = new ToyClusterer((key) => key === 0 ? 2 : 3);
  const { learner, embed, refine } = make({
    options: { maxIterations: 3, refineSubset: 50, labelSmoothing: 0 },
    cluster,
    start: true,
    refine: 3,
  });
  const { iterations } = await run(learner);
  assert.equal(refine!.subsets.length, 1);
  assert.equal(refine!.subsets[0].length, 50);
  assert.equal(iterations[0].clustering.k, 2);
  for (const iteration of iterations.slice(1)) assert.equal(ari(names(iteration), boxes.truth), 1);
  assert.deepEqual(names(iterations[1]), names(iterations[3]));
  assert.ok(iterations[1].best);
  const all = await boxes.read(Int32Array.from({ length: COUNT }, (_, i) => i));
  const posterior = await refine!.predict(all, COUNT);
  const [head] = embed.heads;
  assert.deepEqual(head.targets.slice(0, 3), posterior.slice(3 * picks(head.rows)[0], 3 * picks(head.rows)[0] + 3));
  assert.equal(embed.heads.length, 1);
});

Deno.test("labels that the refiner does not vouch for are not taken: the start's stay, and the loop goes on from them", async () => {
  const { learner, refine, context, embed } = make({ options: { maxIterations: 3 }, start: true, refine: 2 });
  refine!.trusted = false;
  const { iterations, states } = await run(learner);
  assert.deepEqual(names(iterations[1]), names(iterations[0]));
  assert.equal(ari(names(iterations[3]), boxes.truth), 1);
  assert.ok(context.told.some(({ code }) => code === "refine-declined"));
  assert.ok(states.every(({ arrays }) => !Object.keys(arrays).some((key) => key.startsWith("refine/"))));
  assert.equal(embed.heads[0].k, 3);
});

Deno.test("after the refiner's labels the embedder is taught so many iterations and no more", async () => {
  const { learner } = make({ options: { maxIterations: 6, stableIterations: 9, refinedIterations: 2 }, start: true, refine: 3 });
  const { iterations } = await run(learner);
  assert.equal(iterations.length, 4);
});

Deno.test("the subset for the refiner holds classes in their shares", async () => {
  const { learner, refine } = make({ options: { maxIterations: 1, refineSubset: 50 }, start: true, refine: 3 });
  await run(learner);
  const counts = [0, 1, 2].map((c) => refine!.subsets[0].filter((index) => boxes.truth[index] === c).length);
  assert.ok(counts.every((count) => Math.abs(count - 50 / 3) <= 2), `${counts}`);
  assert.deepEqual([...refine!.subsets[0]], [...refine!.subsets[0]].sort((a, b) => a - b));
});

Deno.test("a new head is fitted when classes change, and only then: the same classes numbered otherwise keep theirs", async () => {
  const { learner, embed } = make({
    options: { maxIterations: 4, learningRate: 1e-6 },
    cluster: new ToyClusterer((key) => [3, 3, 4, 4, 3][key]),
  });
  await run(learner);
  assert.deepEqual(embed.heads.map(({ k }) => k), [3, 4]);

  // Without smoothing, a box's target is one output: the same one in every iteration, though its slot may change.
  const fixed = make({ options: { maxIterations: 4, stableIterations: 9, learningRate: 1e-6, labelSmoothing: 0 } });
  const { iterations } = await run(fixed.learner);
  assert.ok(new Set(iterations.map(({ clustering }) => clustering.classIds.join())).size > 1, "slots were never numbered otherwise");
  assert.equal(fixed.embed.heads.length, 1);
  const outputOf = new Map<string, string>();
  for (const { voxels, targets, count } of fixed.embed.steps) {
    for (let i = 0; i < count; i++) {
      const box = voxels.slice(512 * i, 512 * (i + 1)).join(), target = targets.slice(3 * i, 3 * i + 3).join();
      assert.equal(outputOf.get(box) ?? target, target);
      outputOf.set(box, target);
    }
  }
});

Deno.test("an abort ends training before the next step and embedding before the next chunk", async () => {
  const controller = new AbortController();
  const { learner, embed } = make({ options: { recipe: "published", maxIterations: 5, learningRate: 1e-3 } });
  embed.onStep = () => {
    if (embed.steps.length === 2) controller.abort(new Error("enough"));
  };
  await assert.rejects(run(learner, boxes, heldOut, controller.signal), /enough/);
  assert.equal(embed.steps.length, 3);

  const early = new AbortController();
  early.abort(new Error("before it began"));
  await assert.rejects(run(make().learner, boxes, heldOut, early.signal), /before it began/);
});

Deno.test("too few boxes is an error that says what to do; fewer than a batch is not", async () => {
  await assert.rejects(run(make().learner, toyStore(12, 3), new Uint8Array(12)), (error) => {
    assert.ok(error instanceof RunError);
    assert.match(error.message, /12 boxes are too few to find classes in \(at least 20\): pick more particles or add tomograms/);
    return true;
  });
  const { iterations } = await run(make({ options: { batchSize: 64 } }).learner, toyStore(24, 3), new Uint8Array(24));
  assert.ok(iterations.length > 1);
});

Deno.test("one class ends the default recipe at once, and says that no structure was found", async () => {
  const { learner, context } = make({ cluster: new ToyClusterer(() => 1) });
  const { iterations } = await run(learner);
  assert.deepEqual(iterations.map(({ finished }) => finished), ["converged"]);
  assert.ok(context.told.some(({ code }) => code === "no-structure"));
  // A refiner may still find what the features do not show.
  const refined = await run(
    make({ options: { maxIterations: 1 }, cluster: new ToyClusterer((key) => key ? 3 : 1), start: true, refine: 3 }).learner,
  );
  assert.equal(refined.iterations[1].clustering.k, 3);
});

Deno.test("an embedder that cannot be trained ends the loop with the labels it has, after the refiner's when there is one", async () => {
  for (const [refine, last] of [[undefined, 0], [3, 1]] as const) {
    const { learner, embed } = make({ trainable: false, start: true, refine });
    const { iterations } = await run(learner);
    assert.deepEqual([iterations.at(-1)!.index, iterations.at(-1)!.finished], [last, "maximum"]);
    assert.equal(embed.steps.length, 0);
  }
});

Deno.test("boxes are read in chunks: never more of them at a time than a chunk and a few batches", async () => {
  let most = 0;
  const store = toyStore(600, 3);
  const counted: BoxStore = { ...store, read: (indices) => (most = Math.max(most, indices.length), store.read(indices)) };
  const { learner } = make({ options: { recipe: "published", maxIterations: 1, learningRate: 1e-3 } });
  await run(learner, counted, new Uint8Array(600));
  assert.equal(most, 256);
});

Deno.test("the recipes fill in their numbers and parts; stated options win; expanding twice changes nothing", () => {
  const expand = (options: Record<string, unknown>) => disca.expand!(disca.options.parse(options)) as CompleteOptions;
  const published = expand({ recipe: "published" });
  assert.deepEqual([published.maxIterations, published.epochs, published.learningRate, published.batchSize], [20, 1, 1e-5, 64]);
  assert.equal(expand({ recipe: "published", batchSize: 8 }).batchSize, 8);
  assert.deepEqual(disca.expand!(published), published);
  const parts = disca.partDefaults!(published);
  assert.equal(parts.start, null);
  assert.equal(parts.refine, null);
  assert.deepEqual(parts.cluster!.options!.candidates, [5, 10, 20]);
  assert.equal(disca.partDefaults!(expand({})).start!.use, "invariants");
  assert.equal(disca.partDefaults!(expand({})).refine!.use, "em");
});

Deno.test("a state with a part that the manifest lacks is refused", async () => {
  const { states } = await run(make({ options: { maxIterations: 1 }, start: true, refine: 3 }).learner);
  await assert.rejects(make().learner.load(states[1]), /has a part "start", the manifest has none/);
  await assert.rejects(make().learner.save(), /no model yet/);
});
