import assert from "node:assert/strict";
import { WorkerPool } from "../../streams/pool.ts";

const module = new URL("./pool_calls.ts", import.meta.url).href;

Deno.test("`run()` calls an export in a worker, moves the buffers named and moves the result back", async () => {
  using pool = new WorkerPool(2);
  const input = Float32Array.of(1, 2, 3);
  const result = await pool.run<{ doubled: Float32Array; isWorker: boolean }>(module, "double", [input], { transfer: [input.buffer] });
  assert.deepEqual([...result.doubled], [2, 4, 6]);
  assert.ok(result.isWorker);
  assert.equal(input.length, 0, "the buffer has moved");
});

Deno.test("shared memory is seen by every worker", async () => {
  using pool = new WorkerPool(2);
  const shared = new Int32Array(new SharedArrayBuffer(16));
  await Promise.all([0, 1, 2, 3].map((i) => pool.run(module, "mark", [shared, i])));
  assert.deepEqual([...shared], [1, 2, 3, 4]);
});

Deno.test("no more calls run at once than the pool has workers, and all of them end", async () => {
  using pool = new WorkerPool(2);
  const running = new Int32Array(new SharedArrayBuffer(8));
  await Promise.all(Array.from({ length: 7 }, () => pool.run(module, "count", [running])));
  assert.deepEqual([running[0], running[1]], [0, 2]);
});

Deno.test("an error keeps its name and message; the worker lives on", async () => {
  using pool = new WorkerPool(1);
  await assert.rejects(pool.run(module, "fail", ["no such shell"]), { name: "RangeError", message: "no such shell" });
  await assert.rejects(pool.run(module, "absent", []), { name: "TypeError", message: /has no function "absent"/ });
  await assert.rejects(pool.run(module, "double", [() => 1]), { name: "DataCloneError" });
  assert.deepEqual([...(await pool.run<{ doubled: Float32Array }>(module, "double", [Float32Array.of(4)])).doubled], [8]);
});

Deno.test("an abort rejects at once, also for a call that waits in the queue", async () => {
  using pool = new WorkerPool(1);
  const abort = new AbortController();
  const calls = [0, 1].map(() => pool.run(module, "never", [], { signal: abort.signal }));
  abort.abort(new Error("enough"));
  for (const call of calls) await assert.rejects(call, { message: "enough" });
});

Deno.test("closing the pool rejects what is still out", async () => {
  const pool = new WorkerPool(1);
  const call = pool.run(module, "never", []);
  pool[Symbol.dispose]();
  await assert.rejects(call, { name: "AbortError" });
  await assert.rejects(pool.run(module, "double", []), /closed/);
});
