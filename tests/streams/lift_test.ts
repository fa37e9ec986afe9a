import assert from "node:assert/strict";
import { lastValueFrom, type Observable, of, take, toArray } from "rxjs";
import { Edge, type Lease } from "../../streams/edge.ts";
import { drain, lift, type LiftOptions, type Message, pull } from "../../streams/lift.ts";

const tick = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
const LONG_MS = 60_000;

/** 0..n-1 as messages, each followed by its end. */
async function* messages(n: number, made?: { count: number; finalised: boolean }): AsyncGenerator<Message<number>> {
  try {
    for (let i = 0; i < n; i++) {
      await tick();
      if (made) made.count++;
      yield { kind: "item", ordinal: i, value: i };
      yield { kind: "end", ordinal: i };
    }
  } finally {
    if (made) made.finalised = true;
  }
}

function stage<In, Out>(name: string, edge: Edge, apply: LiftOptions<In, Out>["apply"], more: Partial<LiftOptions<In, Out>> = {}) {
  return lift<In, Out>({ stage: name, apply, edge, onError: "fail", timeoutMs: LONG_MS, ...more });
}

const values = <T>(stream: Observable<Lease<Message<T>>>) => {
  const seen: T[] = [];
  const done = drain(stream, (message) => {
    if (message.kind === "item") seen.push(message.value);
    return Promise.resolve();
  }, new AbortController().signal);
  return done.then(() => seen);
};

Deno.test("`drain()` of an empty, a one-value and a many-value source gives them in order", async () => {
  for (const n of [0, 1, 25]) {
    const edge = new Edge("source", 2);
    assert.deepEqual(await values(pull(() => messages(n), edge, "source")), Array.from({ length: n }, (_, i) => i));
    assert.equal(edge.inFlight, 0);
  }
});

Deno.test("three stages with fan-out: the peak in flight is each edge's capacity, exactly, and every lease comes back", async () => {
  const source = new Edge("source", 3), first = new Edge("first", 2), second = new Edge("second", 4);
  const made = { count: 0, finalised: false };
  let done = 0, ahead = 0;
  const stream = pull(() => messages(12, made), source, "source").pipe(
    stage<number, number>("first", first, async function* (x) {
      for (let i = 0; i < 5; i++) {
        await tick();
        yield 10 * x + i;
      }
    }),
    stage<number, number>("second", second, async (x) => {
      await tick();
      return x;
    }),
  );
  let seen = 0;
  await drain(stream, async (message) => {
    await new Promise((resolve) => setTimeout(resolve, 6));
    if (message.kind === "item") seen++;
    else done++;
    ahead = Math.max(ahead, made.count - done);
  }, new AbortController().signal);
  assert.equal(seen, 60);
  assert.deepEqual([source.peak, first.peak, second.peak], [3, 2, 4]);
  assert.deepEqual([source.inFlight, first.inFlight, second.inFlight], [0, 0, 0]);
  assert.ok(ahead <= 3 + 2 + 4, `the source ran ${ahead} tomograms ahead`);
  assert.ok(made.finalised);
});

Deno.test("an error in a stage is stamped with the stage's name, ends the source and leaves no lease out", async () => {
  const source = new Edge("source", 2), out = new Edge("out", 2);
  const made = { count: 0, finalised: false };
  const stream = pull(() => messages(100, made), source, "source").pipe(
    stage<number, number>('stages[0] "bad"', out, (x) => x === 3 ? Promise.reject(new RangeError("x is 3")) : Promise.resolve(x)),
  );
  await assert.rejects(values(stream), { name: "StageError", message: 'stages[0] "bad": x is 3' });
  await tick();
  await tick();
  assert.ok(made.finalised && made.count < 10, `${made.count} made`);
  source.releaseAll();
  out.releaseAll();
  assert.deepEqual([source.inFlight, out.inFlight], [0, 0]);
});

Deno.test("an error in the source is stamped too", async () => {
  const edge = new Edge("source", 1);
  const stream = pull<Message<number>>(
    async function* () {
      yield { kind: "end", ordinal: 0 };
      await tick();
      throw new Error("disk gone");
    },
    edge,
    'source "tomograms"',
  );
  await assert.rejects(values(stream), { message: 'source "tomograms": disk gone' });
  edge.releaseAll();
  assert.equal(edge.inFlight, 0);
});

Deno.test('`onError: "drop"` leaves out the input that failed and tells which', async () => {
  const dropped: number[] = [];
  const source = new Edge("source", 2), out = new Edge("out", 2);
  const stream = pull(() => messages(6), source, "source").pipe(
    stage<number, number>("flaky", out, async (x) => {
      await tick();
      if (x % 2) throw new Error("odd");
      return x;
    }, { onError: "drop", onDrop: (x) => dropped.push(x) }),
  );
  assert.deepEqual(await values(stream), [0, 2, 4]);
  assert.deepEqual(dropped, [1, 3, 5]);
  assert.deepEqual([source.inFlight, out.inFlight], [0, 0]);
});

Deno.test("unsubscribing early finalises the source even while it waits for a credit, and even while its value is pending", async () => {
  const made = { count: 0, finalised: false };
  const edge = new Edge("source", 2);
  const seen = await lastValueFrom(pull(() => messages(1000, made), edge, "source").pipe(take(2), toArray()));
  await tick();
  assert.equal(seen.length, 2);
  assert.ok(made.finalised);
  let finalised = false;
  async function* never(signal: AbortSignal) {
    try {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      yield 1;
    } finally {
      finalised = true;
    }
  }
  const subscription = pull(never, new Edge("never", 1), "never").subscribe();
  await tick();
  subscription.unsubscribe();
  await tick();
  assert.ok(finalised);
});

Deno.test("aborting ends a stage that never answers, at once", async () => {
  const abort = new AbortController();
  const source = new Edge("source", 2), out = new Edge("out", 1);
  const stream = pull(() => messages(10), source, "source").pipe(stage<number, number>("deaf", out, () => new Promise(() => {})));
  const ended = drain(stream, () => Promise.resolve(), abort.signal);
  setTimeout(() => abort.abort(new Error("stopped by the user")), 5);
  await assert.rejects(ended, { message: "stopped by the user" });
  await tick();
  source.releaseAll();
  out.releaseAll();
  assert.deepEqual([source.inFlight, out.inFlight], [0, 0]);
});

Deno.test("a stage without output and progress is told to hang after its time-out; progress keeps it alive", async () => {
  const out = new Edge("out", 1);
  const hang = pull(() => messages(1), new Edge("source", 1), "source").pipe(
    stage<number, number>('stages[1] "sleepy"', out, () => new Promise(() => {}), { timeoutMs: 20 }),
  );
  await assert.rejects(values(hang), /^StageError: stages\[1\] "sleepy": no output and no progress for 0.02 s.*timeoutSeconds/);
  const alive = pull(() => messages(1), new Edge("source", 1), "source").pipe(
    stage<number, number>("busy", new Edge("out", 1), async (x) => {
      await new Promise((resolve) => setTimeout(resolve, 45));
      return x;
    }, { timeoutMs: 20, lastSign: () => performance.now() }),
  );
  assert.deepEqual(await values(alive), [0]);
});

Deno.test("a slow consumer is not taken for a hanging stage", async () => {
  const stream = pull(() => messages(3), new Edge("source", 1), "source").pipe(
    stage<number, number>("quick", new Edge("out", 1), async function* (x) {
      yield x;
      await tick();
      yield x;
    }, { timeoutMs: 20 }),
  );
  let seen = 0;
  await drain(stream, async () => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    seen++;
  }, new AbortController().signal);
  assert.equal(seen, 9);
});

Deno.test("`Edge` refuses a capacity that is not a positive integer, and `releaseAll()` takes every lease back once", async () => {
  for (const capacity of [0, -1, 1.5, NaN]) assert.throws(() => new Edge("e", capacity), RangeError);
  const edge = new Edge("e", 2);
  const signal = new AbortController().signal;
  await edge.take(signal);
  const lease = edge.lend("a");
  await edge.take(signal);
  edge.lend("b");
  edge.releaseAll();
  lease.release();
  assert.equal(edge.inFlight, 0);
});

Deno.test("an observable that is not pulled still drains", async () => {
  const edge = new Edge("e", 1);
  await edge.take(new AbortController().signal);
  assert.deepEqual(await values(of(edge.lend<Message<number>>({ kind: "item", ordinal: 0, value: 4 }))), [4]);
  assert.equal(edge.inFlight, 0);
});
