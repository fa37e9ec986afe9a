/**
 * The part of the suite for learners and their parts.
 * @module
 */
import type { Clusterer, Clustering, Embedder, Iteration, Learner, Matcher, Refinement, Refiner, Scorer, State } from "../contract.ts";
import type { Bench } from "./bench.ts";
import { digest } from "./digest.ts";
import { finiteFault, lengthFault, stateFaults } from "./payload_faults.ts";
import { sampleBoxes, sampleClustering, sampleFeatures, sampleRows, sampleStore } from "./sample.ts";

/** Features of one box alone and in a batch: float32 sums may be taken in another order. */
const BATCH_TOLERANCE = 1e-4;
/** A row of a posterior is a distribution up to float32 rounding. */
const POSTERIOR_TOLERANCE = 1e-3;

function labelFaults({ k, labels, classIds, criteria }: Clustering, rows: number): string[] {
  const faults = [...lengthFault("labels", labels, Int32Array, rows), ...lengthFault("classIds", classIds, Int32Array, k)];
  if (labels.some((label) => label < 0 || label >= k)) faults.push(`labels leave 0..${k - 1}`);
  if (new Set(classIds).size !== classIds.length) faults.push("classIds holds a name twice");
  for (const row of criteria) faults.push(...finiteFault("criteria", Object.values(row)));
  return faults;
}

/** Checks `embed`, batches, training and state. */
export async function checkEmbedder(bench: Bench): Promise<void> {
  const count = 6;
  const size = bench.box ** 3;
  const voxels = sampleBoxes(count, bench.box, "embed");
  const copy = (from = 0, to = count) => voxels.slice(from * size, to * size);
  await bench.withInstance(async (instance: Embedder) => {
    const given = copy();
    const before = await digest(given);
    const all = await bench.within("embed", instance.embed(given, count));
    bench.note("embed", ...lengthFault("features", all, Float32Array, count * instance.dims), ...finiteFault("features", all));
    if (await digest(given) !== before) bench.note("embed", "the boxes were changed or taken away; inputs are read-only");
    const scale = Math.max(...all.map(Math.abs), Number.MIN_VALUE);
    for (const index of [0, count - 1]) {
      const one = await instance.embed(copy(index, index + 1), 1);
      const worst = Math.max(...one.map((value, i) => Math.abs(value - all[index * instance.dims + i])));
      if (!(worst <= BATCH_TOLERANCE * scale)) bench.note("embed", `box ${index} alone and in a batch differ by ${worst}`);
    }
    bench.note("embed of no box", ...lengthFault("features", await instance.embed(new Float32Array(), 0), Float32Array, 0));
    if (instance.trainable) {
      const features = { rows: sampleRows(count), dims: instance.dims, values: all };
      const targets = Float32Array.from({ length: 2 * count }, (_, i) => Number(i % 2 === (i >> 1) % 2));
      await bench.within("setClasses", instance.setClasses(2, features, targets, 0));
      const { loss } = await bench.within("trainBatch", instance.trainBatch(copy(), targets.slice(), count, 1e-4, 0));
      bench.note("trainBatch", ...finiteFault("loss", [loss]));
      await bench.within("calibrate", instance.calibrate(copy(), count, true));
    }
    const trained = await digest(await instance.embed(copy(), count));
    const state: State = await instance.save();
    bench.note("save", ...stateFaults(state));
    await bench.withInstance(async (other: Embedder) => {
      await other.load(state);
      if (await digest(await other.embed(copy(), count)) !== trained) {
        bench.note("load", "gives other features than the instance that was saved");
      }
    });
  });
}

/** Checks `fit`, `predict` and state on three clouds. */
export async function checkClusterer(bench: Bench): Promise<void> {
  const table = sampleFeatures(240, 16);
  await bench.withInstance(async (instance: Clusterer) => {
    const before = await digest(table);
    const clustering = await bench.within("fit", instance.fit(table, null, 0));
    bench.note("fit", ...labelFaults(clustering, 240));
    if (await digest(table) !== before) bench.note("fit", "the features were changed; inputs are read-only");
    bench.note("fit after fit", ...labelFaults(await bench.within("fit", instance.fit(table, clustering, 1)), 240));
    const prediction = await bench.within("predict", instance.predict(table));
    bench.note("predict", ...lengthFault("labels", prediction.labels, Int32Array, 240));
    if (prediction.logLikelihood !== undefined) {
      bench.note("predict", ...lengthFault("logLikelihood", prediction.logLikelihood, Float64Array, 240));
      bench.note("predict", ...finiteFault("logLikelihood", prediction.logLikelihood));
    }
    const none = await instance.predict({ rows: new Int32Array(), dims: table.dims, values: new Float32Array() });
    bench.note("predict of no row", ...lengthFault("labels", none.labels, Int32Array, 0));
    const state = await instance.save();
    bench.note("save", ...stateFaults(state));
    await bench.withInstance(async (other: Clusterer) => {
      await other.load(state);
      if (await digest(await other.predict(table)) !== await digest(prediction)) {
        bench.note("load", "predicts otherwise than the instance that was saved");
      }
    });
    await bench.withInstance(async (other: Clusterer) => {
      if (await digest(await other.fit(table, null, 0)) !== await digest(clustering)) {
        bench.note("fit", "the same seed gives another clustering");
      }
    });
  });
}

/** Checks that classes keep their names when slots are permuted, and get new ones when classes are added. */
export async function checkMatcher(bench: Bench): Promise<void> {
  await bench.withInstance((instance: Matcher) => {
    const previous = sampleClustering(60, 3);
    const order = [2, 0, 1];
    const next = { ...previous, labels: previous.labels.map((label) => order[label]), classIds: new Int32Array(3) };
    let name = 100;
    const names = instance.match(previous, next, () => name++);
    const expected = order.map((_, slot) => previous.classIds[order.indexOf(slot)]);
    if (names.join() !== expected.join()) bench.note("permuted slots", `names are ${names.join(", ")}, expected ${expected.join(", ")}`);
    const more = sampleClustering(60, 5);
    const five = instance.match(previous, { ...more, classIds: new Int32Array(5) }, () => name++);
    bench.note("more classes", ...lengthFault("names", five, Int32Array, 5));
    if (new Set(five).size !== five.length) bench.note("more classes", `names are not unique: ${five.join(", ")}`);
    return Promise.resolve();
  });
}

/** Checks that a score is a number that does not depend on the order of the slots. */
export async function checkScorer(bench: Bench): Promise<void> {
  const table = sampleFeatures(240, 8);
  await bench.withInstance(async (instance: Scorer) => {
    const clustering = sampleClustering(240, 3);
    const before = await digest([table, clustering]);
    const score = instance.score(table, clustering);
    if (typeof score !== "number" || !Number.isFinite(score)) bench.note("score of three clouds", `is ${score}, expected a finite number`);
    const permuted = { ...clustering, labels: clustering.labels.map((label) => (label + 1) % 3) };
    const other = instance.score(table, permuted);
    if (!(Math.abs(other - score) <= 1e-9 * Math.max(1, Math.abs(score)))) {
      bench.note("permuted slots", `score is ${other} instead of ${score}`);
    }
    const random = { ...clustering, labels: Int32Array.from({ length: 240 }, (_, i) => (i >> 2) % 3) };
    const worse = instance.score(table, random);
    if (instance.better === "lower" ? worse <= score : worse >= score) {
      bench.note("score", `labels that mix three clouds score ${worse}, those that part them ${score}`);
    }
    if (Number.isNaN(instance.score(table, sampleClustering(240, 1)))) bench.note("score of one class", "is NaN");
    if (await digest([table, clustering]) !== before) bench.note("score", "its input was changed; inputs are read-only");
  });
}

/** Each of the n rows of `values` must sum to 1. */
function distributionFault(name: string, values: Float32Array, n: number): string[] {
  const k = values.length / n;
  for (let i = 0; i < n && Number.isInteger(k); i++) {
    const sum = values.subarray(i * k, (i + 1) * k).reduce((total, value) => total + value, 0);
    if (!(Math.abs(sum - 1) <= POSTERIOR_TOLERANCE)) return [`${name} of box ${i} sums to ${sum}, expected 1`];
  }
  return [];
}

function refinementFaults(result: Refinement, n: number, box: number): string[] {
  const { k, labels, posterior, averages, eulerZyzDegrees, shiftsXyz } = result;
  const faults = [
    ...lengthFault("labels", labels, Int32Array, n),
    ...lengthFault("posterior", posterior, Float32Array, n * k),
    ...lengthFault("averages", averages, Float32Array, k * box ** 3),
    ...lengthFault("eulerZyzDegrees", eulerZyzDegrees, Float64Array, 3 * n),
    ...lengthFault("shiftsXyz", shiftsXyz, Float64Array, 3 * n),
    ...finiteFault("averages", averages),
    ...finiteFault("eulerZyzDegrees", eulerZyzDegrees),
    ...finiteFault("shiftsXyz", shiftsXyz),
  ];
  if (labels.some((label) => label < 0 || label >= k)) faults.push(`labels leave 0..${k - 1}`);
  faults.push(...distributionFault("posterior", posterior, n));
  return faults;
}

/** Checks `refine` on a few boxes in two classes, `predict` on others, and state. */
export async function checkRefiner(bench: Bench): Promise<void> {
  const boxes = sampleStore(24, bench.box);
  const subset = Int32Array.from({ length: 20 }, (_, i) => i);
  const others = Int32Array.of(20, 21, 22, 23);
  const size = bench.box ** 3;
  const voxels = await boxes.read(others);
  const geometries = Array.from(others, (index) => boxes.geometryOf(index));
  await bench.withInstance(async (instance: Refiner) => {
    const result = await bench.within("refine", instance.refine(boxes, subset, sampleClustering(20, 2), 0));
    bench.note("refine", ...refinementFaults(result, 20, bench.box));
    const predicted = await bench.within("predict", instance.predict(voxels.slice(), 4, bench.box, geometries));
    bench.note(
      "predict",
      ...lengthFault("probabilities", predicted, Float32Array, 4 * result.k),
      ...distributionFault("probability", predicted, 4),
    );
    const alone = await instance.predict(voxels.slice(3 * size), 1, bench.box, geometries.slice(3));
    const worst = Math.max(...alone.map((value, i) => Math.abs(value - predicted[3 * result.k + i])));
    if (!(worst <= POSTERIOR_TOLERANCE)) bench.note("predict", `box 3 alone and in a batch differ by ${worst}`);
    const state = await instance.save();
    bench.note("save", ...stateFaults(state));
    await bench.withInstance(async (other: Refiner) => {
      await other.load(state);
      if (await digest(await other.predict(voxels.slice(), 4, bench.box, geometries)) !== await digest(predicted)) {
        bench.note("load", "predicts otherwise than the instance that was saved");
      }
    });
  });
}

/** Checks a learner's first two iterations: labels, figures, that `predict` repeats the labels, and that state carries over. */
export async function checkLearner(bench: Bench): Promise<void> {
  const boxes = sampleStore(36, bench.box);
  const heldOut = Uint8Array.from({ length: 36 }, (_, i) => Number(i % 9 === 0));
  const all = await boxes.read(Int32Array.from({ length: 36 }, (_, i) => i));
  const geometries = Array.from({ length: 36 }, (_, i) => boxes.geometryOf(i));
  const controller = new AbortController();
  await bench.withInstance(async (instance: Learner) => {
    let last: Iteration | undefined;
    let state: State | undefined;
    const turns = (async () => {
      for await (const iteration of instance.learn({ boxes, heldOut, signal: controller.signal })) {
        const where = `iteration ${iteration.index}`;
        bench.note(where, ...labelFaults(iteration.clustering, 36));
        bench.note(where, ...lengthFault("features", iteration.features.values, Float32Array, 36 * iteration.features.dims));
        if (last !== undefined && iteration.index <= last.index) bench.note(where, `comes after iteration ${last.index}`);
        last = iteration;
        state = await instance.save();
        if (iteration.index >= 1 || iteration.finished !== undefined) break;
      }
    })();
    await bench.within("learn", turns);
    if (last === undefined || state === undefined) return bench.note("learn", "gives no iteration");
    bench.note("save", ...stateFaults(state));
    const { labels, classIds } = last.clustering;
    const expected = Array.from(labels, (label) => classIds[label]).join();
    const saved = state;
    await bench.withInstance(async (other: Learner) => {
      await other.load(saved);
      const { classIds: predicted, features } = await bench.within("predict", other.predict(all, boxes.rows, bench.box, geometries));
      bench.note("predict", ...lengthFault("classIds", predicted, Int32Array, 36));
      bench.note("predict", ...lengthFault("features", features.values, Float32Array, 36 * features.dims));
      if (Array.from(predicted).join() !== expected) {
        bench.note("predict", "labels of the training boxes are not those of the iteration that was saved");
      }
    });
  });
}
