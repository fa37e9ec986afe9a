import assert from "node:assert/strict";
import yopo from "../../../plugins/embedders/yopo.ts";
import { exportYopo } from "../../../plugins/embedders/yopo_network.ts";
import { prepareBoxes } from "../../../plugins/kernels/prepare.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import type { Embedder, Features } from "../../../streams/contract.ts";
import { createContext, openOnnx } from "../engines/context.ts";

/** Outputs of two ways to compute the same in float32, relative to the largest. */
const SAME = 1e-4;
const BOX = 12;

/** Boxes of two kinds: a ball in the middle, or two off it; standard normal noise on top. */
function twoKinds(count: number, seed: number): { voxels: Float32Array; labels: Int32Array } {
  const { normal } = createRandom(seed, "boxes");
  const voxels = new Float32Array(count * BOX ** 3);
  const labels = Int32Array.from({ length: count }, (_, i) => i % 2);
  let at = 0;
  for (const label of labels) {
    for (let z = 0; z < BOX; z++) {
      for (let y = 0; y < BOX; y++) {
        for (let x = 0; x < BOX; x++) {
          const distance = (centre: number) => Math.hypot(z - 5.5, y - 5.5, x - centre);
          const inside = label === 0 ? distance(5.5) < 3 : Math.min(distance(3), distance(8)) < 2.4;
          voxels[at++] = (inside ? 2 : 0) + normal();
        }
      }
    }
  }
  return { voxels, labels };
}

function oneHot(labels: Int32Array, k: number): Float32Array {
  const targets = new Float32Array(labels.length * k);
  labels.forEach((label, i) => targets[i * k + label] = 1);
  return targets;
}

function table(values: Float32Array, dims: number): Features {
  return { rows: new Int32Array(values.length / dims * 2), dims, values };
}

const options = yopo.options.parse({ width: 0.0625 });

Deno.test("`yopo` learns to tell two kinds of boxes apart, and its state brings the features back", async () => {
  await using engine = await openOnnx();
  const context = createContext({ engine });
  const embedder: Embedder & Partial<AsyncDisposable> = await yopo.create(options, context, {});
  const { voxels, labels } = twoKinds(64, 1);
  const before = await embedder.embed(voxels, 64);
  assert.equal(before.length, 64 * embedder.dims);
  const targets = oneHot(labels, 2);
  await embedder.setClasses(2, table(before, embedder.dims), targets, 1);
  const prepared = prepareBoxes(voxels, 64, BOX, embedder.prepare).voxels;
  const losses: number[] = [];
  for (let step = 0; step < 30; step++) losses.push((await embedder.trainBatch(prepared, targets, 64, 3e-3, step)).loss);
  assert.ok(losses.at(-1)! < 0.25 * losses[0], `loss ${losses[0]} to ${losses.at(-1)}`);

  // New boxes of the same kinds: nearest mean of the training features.
  await embedder.calibrate(voxels, 64, true);
  const features = await embedder.embed(voxels, 64);
  const fresh = twoKinds(40, 2);
  const unseen = await embedder.embed(fresh.voxels, 40);
  const right = nearestMean(features, labels, unseen, embedder.dims).filter((label, i) => label === fresh.labels[i]).length;
  assert.ok(right >= 36, `${right} of 40 right`);

  const saved = await embedder.save();
  const second: Embedder = await yopo.create(options, createContext({ engine }), {});
  await second.load(saved);
  assert.deepEqual(await second.embed(fresh.voxels, 40), unseen);
  assert.deepEqual(
    (await second.trainBatch(prepared, targets, 64, 1e-3, 99)).loss,
    (await embedder.trainBatch(prepared, targets, 64, 1e-3, 99)).loss,
  );
  assert.ok(context.said.some((line) => line.startsWith("fewer-blocks: boxes of 12^3 have room for 5")));
});

function nearestMean(features: Float32Array, labels: Int32Array, unseen: Float32Array, dims: number): number[] {
  const means = [new Float64Array(dims), new Float64Array(dims)];
  labels.forEach((label, i) => means[label].forEach((_, d) => means[label][d] += features[i * dims + d] / (labels.length / 2)));
  return Array.from({ length: unseen.length / dims }, (_, i) => {
    const distances = means.map((mean) => mean.reduce((sum, value, d) => sum + (value - unseen[i * dims + d]) ** 2, 0));
    return distances[0] < distances[1] ? 0 : 1;
  });
}

Deno.test("`yopo` gives a box the same features whatever comes with it, and the same for the same seed", async () => {
  await using engine = await openOnnx();
  const { voxels } = twoKinds(40, 3);
  const embedder = await yopo.create(options, createContext({ engine }), {});
  const whole = await embedder.embed(voxels, 40);
  const part = await embedder.embed(voxels.slice(33 * BOX ** 3), 7);
  assert.deepEqual(part, whole.slice(33 * embedder.dims));
  const again = await yopo.create(options, createContext({ engine }), {});
  assert.deepEqual(await again.embed(voxels, 40), whole);
  const other = createContext({ engine, random: (...key) => createRandom(8, ...key) });
  assert.notDeepEqual(await (await yopo.create(options, other, {})).embed(voxels, 40), whole);
});

Deno.test("`yopo` keeps its body and changes its head when the number of classes changes", async () => {
  await using engine = await openOnnx();
  const embedder = await yopo.create(options, createContext({ engine }), {});
  const { voxels, labels } = twoKinds(32, 4);
  await embedder.calibrate(voxels, 32, true);
  const features = await embedder.embed(voxels, 32);
  await embedder.setClasses(2, table(features, embedder.dims), oneHot(labels, 2), 1);
  const prepared = prepareBoxes(voxels, 32, BOX, embedder.prepare).voxels;
  for (let step = 0; step < 3; step++) await embedder.trainBatch(prepared, oneHot(labels, 2), 32, 1e-3, step);
  await embedder.calibrate(voxels, 32, true);
  const two = await embedder.save();
  await embedder.setClasses(3, table(await embedder.embed(voxels, 32), embedder.dims), oneHot(labels, 3), 2);
  const three = await embedder.save();
  assert.equal(three.values.classes, 3);
  assert.equal(three.values.step, 3);
  for (const name of ["conv1.weight", "conv1.weight:v", "features.weight:m", "norm.mean"]) {
    assert.deepEqual(three.arrays[name], two.arrays[name], name);
  }
  assert.equal(three.arrays["head.weight"].length, 3 * embedder.dims);
  // A fitted head must do better than an even guess among the two classes that occur.
  const { loss } = await embedder.trainBatch(prepared, oneHot(labels, 3), 32, 1e-9, 9);
  assert.ok(loss < Math.log(2), `loss ${loss}`);
});

Deno.test("`yopo` noise is keyed: the same key gives the same step, another key another", async () => {
  await using engine = await openOnnx();
  const noisy = yopo.options.parse({ width: 0.0625, gaussianDropout: 0.5, loss: "categorical-hinge" });
  const { voxels, labels } = twoKinds(16, 5);
  const losses = await Promise.all([1, 1, 2].map(async (key) => {
    const embedder = await yopo.create(noisy, createContext({ engine }), {});
    const features = await embedder.embed(voxels, 16);
    await embedder.setClasses(2, table(features, embedder.dims), oneHot(labels, 2), 1);
    return (await embedder.trainBatch(voxels, oneHot(labels, 2), 16, 1e-3, key)).loss;
  }));
  assert.equal(losses[0], losses[1]);
  assert.notEqual(losses[0], losses[2]);
});

Deno.test("`yopo` refuses what does not belong together", async () => {
  await using engine = await openOnnx();
  const embedder = await yopo.create(options, createContext({ engine }), {});
  await assert.rejects(embedder.save(), /no boxes were seen yet/);
  await assert.rejects(embedder.setClasses(2, table(new Float32Array(0), 64), new Float32Array(0), 1), /embed the boxes before/);
  await embedder.embed(new Float32Array(BOX ** 3), 1);
  await assert.rejects(embedder.embed(new Float32Array(9 ** 3), 1), /made for boxes of 12\^3, it is given 9\^3/);
  await assert.rejects(embedder.trainBatch(new Float32Array(BOX ** 3), new Float32Array(2), 1, 1e-3, 1), /set the classes before/);
  const wider = await yopo.create(yopo.options.parse({ width: 0.25 }), createContext({ engine }), {});
  await assert.rejects(wider.load(await embedder.save()), /saved network has width 0.0625, the options say 0.25/);
  assert.throws(() => yopo.create(options, createContext(), {}), /needs an engine/);
});

Deno.test("`exportYopo()` writes a model that ONNX Runtime runs to the same features", async () => {
  await using engine = await openOnnx();
  const embedder = await yopo.create(options, createContext({ engine }), {});
  const { voxels } = twoKinds(8, 6);
  await embedder.calibrate(voxels, 8, true);
  const features = await embedder.embed(voxels, 8);
  const model = exportYopo(await embedder.save());
  const { InferenceSession, Tensor } = await import("onnxruntime-node");
  const session = await InferenceSession.create(model);
  const prepared = prepareBoxes(voxels, 8, BOX, embedder.prepare).voxels;
  const fetched = await session.run({ boxes: new Tensor("float32", prepared, [8, 1, BOX, BOX, BOX]) });
  const given = fetched.features.data as Float32Array;
  const largest = features.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  features.forEach((value, i) => assert.ok(Math.abs(value - given[i]) < SAME * largest));
  await session.release();
});
