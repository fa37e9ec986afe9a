import assert from "node:assert/strict";
import { type Lesson, noteIdle, teach } from "../../../plugins/learners/disca/teach.ts";
import type { Embedder } from "../../../streams/contract.ts";
import { memoryContext } from "../memory_context.ts";
import { toyStore } from "./toy_parts.ts";

const COUNT = 24, BATCH = 4;
const lesson: Lesson = {
  boxes: toyStore(COUNT, 2),
  indices: Int32Array.from({ length: COUNT }, (_, i) => i),
  targets: Float32Array.from({ length: 2 * COUNT }, (_, i) => i / COUNT),
  k: 2,
  iteration: 1,
  epochs: 2,
  batchSize: BATCH,
  learningRate: 1e-3,
};
const STEPS = lesson.epochs * 2 * COUNT / BATCH;
const sum = (values: Float32Array) => values.reduce((total, value) => total + Math.abs(value), 0);

/** An embedder whose steps end when they are told to. */
class SlowEmbedder {
  readonly queuesTraining?: true;
  readonly calls: string[] = [];
  readonly open: PromiseWithResolvers<{ loss: number; milliseconds?: number }>[] = [];
  most = 0;
  /** Told of each call. */
  called: () => void = () => {};

  constructor(queues: boolean) {
    if (queues) this.queuesTraining = true;
  }

  trainBatch(voxels: Float32Array, targets: Float32Array, count: number, _rate: number, key: number) {
    this.calls.push(`${key} ${count} ${sum(voxels).toFixed(3)} ${sum(targets).toFixed(5)}`);
    const step = Promise.withResolvers<{ loss: number; milliseconds?: number }>();
    this.open.push(step);
    this.most = Math.max(this.most, this.open.length);
    this.called();
    return step.promise;
  }

  /** Ends the oldest step. */
  finish(milliseconds?: number): void {
    this.open.shift()!.resolve({ loss: this.calls.length, milliseconds });
  }
}

/** Runs a lesson whose steps each end a while after they were asked for. */
async function run(queues: boolean, milliseconds?: number) {
  const embedder = new SlowEmbedder(queues);
  embedder.called = () => setTimeout(() => embedder.finish(milliseconds), 1);
  const context = memoryContext("test");
  const taught = await teach(embedder as unknown as Embedder, lesson, context, context.signal);
  return { embedder, context, taught };
}

Deno.test("`teach()` keeps the next step at an engine that queues, and learns the same from one that does not", async () => {
  const queued = await run(true, 1), single = await run(false, 1);
  assert.deepEqual([queued.embedder.most, single.embedder.most], [2, 1]);
  assert.equal(queued.embedder.calls.length, STEPS);
  assert.deepEqual(queued.embedder.calls, single.embedder.calls);
  assert.deepEqual(queued.context.steps.at(-1), [STEPS, STEPS]);
  assert.equal(queued.taught.engineMilliseconds, STEPS);
  assert.ok(queued.taught.milliseconds >= STEPS);
});

Deno.test("`teach()` reads ahead while a step is at work, but not without bound", async () => {
  const context = memoryContext("test");
  const embedder = new SlowEmbedder(true);
  const two = Promise.withResolvers<void>();
  embedder.called = () => embedder.calls.length === 2 && two.resolve();
  const done = teach(embedder as unknown as Embedder, lesson, context, context.signal);
  await two.promise;
  // Time for everything that does not wait for the engine.
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setTimeout(resolve));
  // Two batches at the engine and three on their way; each has originals and copies, one call of the pool for either.
  assert.equal(embedder.calls.length, 2);
  assert.ok(context.calls >= 6 && context.calls <= 10, `${context.calls} calls of the pool`);
  embedder.called = () => setTimeout(() => embedder.finish());
  embedder.finish();
  embedder.finish();
  assert.equal((await done).engineMilliseconds, null);
});

for (const queues of [true, false]) {
  Deno.test(`\`teach()\` begins no step after an abort (${queues ? "two steps" : "one step"} at the engine)`, async () => {
    const controller = new AbortController();
    const context = memoryContext("test");
    const embedder = new SlowEmbedder(queues);
    const stopAt = 5;
    embedder.called = () => {
      if (embedder.calls.length === stopAt) controller.abort(new DOMException("stopped by the user", "AbortError"));
      setTimeout(() => embedder.finish(), 1);
    };
    const taught = teach(embedder as unknown as Embedder, lesson, context, controller.signal);
    await assert.rejects(taught, { name: "AbortError", message: "stopped by the user" });
    assert.equal(embedder.calls.length, stopAt);
  });
}

Deno.test("a step that fails ends the lesson with its error", async () => {
  const context = memoryContext("test");
  const embedder = new SlowEmbedder(true);
  embedder.called = () => embedder.calls.length === 3 ? embedder.open.at(-1)!.reject(new Error("the engine broke")) : embedder.finish();
  await assert.rejects(teach(embedder as unknown as Embedder, lesson, context, context.signal), { message: "the engine broke" });
});

Deno.test("the engine's idle share is noted, once it is known", () => {
  const context = memoryContext("test");
  noteIdle([{ loss: 0, milliseconds: 1000, engineMilliseconds: null }], context);
  assert.deepEqual(context.told, []);
  noteIdle([{ loss: 0, milliseconds: 3000, engineMilliseconds: 2900 }, { loss: 0, milliseconds: 1000, engineMilliseconds: 900 }], context);
  assert.deepEqual(context.told.map(({ code, message }) => [code, message]), [
    ["engine-idle", "the engine waited for boxes during 5.0 % of 4.0 s of training"],
  ]);
});
