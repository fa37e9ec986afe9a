/**
 * The baselines that DISCA is measured against: `voxels`, `autoencoder`, `one-pass`.
 */
import assert from "node:assert/strict";
import autoencoder from "../../plugins/embedders/autoencoder.ts";
import voxels from "../../plugins/embedders/voxels.ts";
import { prepareBoxes } from "../../plugins/kernels/prepare.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import onePass from "../../plugins/learners/one_pass.ts";
import { checkPlugin } from "../../streams/check_plugin.ts";
import type { Embedder, Iteration, Learner } from "../../streams/contract.ts";
import { RunError } from "../../streams/errors.ts";
import { createContext, openOnnx } from "./engines/context.ts";
import { EDGE, ToyClusterer, ToyEmbedder, toyStore } from "./learners/toy_parts.ts";
import { memoryContext } from "./memory_context.ts";

/** Smallest that the autoencoder takes. */
const SMALL = { features: 4, channels: 2, edgeVoxels: 8 };

Deno.test("`voxels` conforms", () => checkPlugin(voxels, { options: { edgeVoxels: 6 }, boxVoxels: 12 }));
Deno.test("`autoencoder` conforms", async () => {
  await using engine = await openOnnx();
  await checkPlugin(autoencoder, { options: SMALL, boxVoxels: 12, engine });
});
Deno.test("`one-pass` conforms", async () => {
  const parts = () => Promise.resolve({ embed: new ToyEmbedder(true), cluster: new ToyClusterer(() => 3) });
  await checkPlugin(onePass, { parts, boxVoxels: EDGE, options: { epochs: 1, batchSize: 8 } });
});

Deno.test("`autoencoder` learns to draw boxes: its loss falls below that of the mean", async () => {
  await using engine = await openOnnx();
  const embedder = autoencoder.create(autoencoder.options.parse(SMALL), createContext({ engine }), {}) as Embedder & AsyncDisposable;
  const { normal } = createRandom(3, "autoencoder"), count = 32, b = 12;
  const boxes = Float32Array.from({ length: count * b ** 3 }, (_, i) => (Math.floor(i / b ** 3) % 2 === i % 2 ? 3 : 0) + normal());
  const smooth = boxes.map((value, i) => (i % b < b / 2) === (Math.floor(i / b ** 3) % 2 === 0) ? value + 4 : value);
  const prepared = prepareBoxes(smooth, count, b, embedder.prepare).voxels;
  const losses: number[] = [];
  for (let step = 0; step < 60; step++) {
    losses.push((await embedder.trainBatch(prepared.slice(), new Float32Array(count), count, 5e-3, step)).loss);
  }
  assert.ok(losses.at(-1)! < 0.5 * losses[0], `loss ${losses[0]} to ${losses.at(-1)}`);
  await embedder[Symbol.asyncDispose]();
});

Deno.test("`one-pass` fits to what is not held out, labels all boxes once, and says so when there is one class", async () => {
  const boxes = toyStore(90, 3), heldOut = Uint8Array.from({ length: 90 }, (_, i) => i % 10 === 7 ? 1 : 0);
  const run = async (k: number) => {
    const context = memoryContext('learn "one-pass"'), cluster = new ToyClusterer(() => k);
    const learner = onePass.create(onePass.options.parse({}), context, { embed: new ToyEmbedder(false), cluster }) as Learner;
    const iterations: Iteration[] = [];
    for await (const each of learner.learn({ boxes, heldOut, signal: new AbortController().signal })) iterations.push(each);
    return { context, learner, iterations };
  };
  const { learner, iterations: [only, ...more] } = await run(3);
  assert.equal(more.length, 0);
  assert.equal(only.finished, "converged");
  assert.equal(only.clustering.labels.length, 90);
  const geometries = Array.from({ length: 90 }, (_, i) => boxes.geometryOf(i));
  const all = await boxes.read(Array.from({ length: 90 }, (_, i) => i));
  const { classIds } = await learner.predict(all, boxes.rows, EDGE, geometries);
  assert.deepEqual([...classIds], Array.from(only.clustering.labels, (slot) => only.clustering.classIds[slot]));
  assert.ok((await run(1)).context.told.some(({ code }) => code === "no-structure"));
});

Deno.test("`one-pass` refuses epochs for an embedder that cannot learn, and a state that is not its own", async () => {
  const parts = { embed: new ToyEmbedder(false), cluster: new ToyClusterer(() => 2) };
  const learner = onePass.create(onePass.options.parse({ epochs: 1 }), memoryContext('learn "one-pass"'), parts) as Learner;
  const first = async () => {
    for await (const _ of learner.learn({ boxes: toyStore(40, 2), heldOut: new Uint8Array(40), signal: new AbortController().signal }));
  };
  await assert.rejects(first, (error) => error instanceof RunError && /epochs is 1, but the embedder cannot learn/.test(error.message));
  await assert.rejects(learner.load({ version: 1, values: {}, arrays: {} }), /not one of one-pass/);
});
