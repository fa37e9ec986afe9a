import assert from "node:assert/strict";
import { nestStates, partState } from "../../plugins/kernels/state.ts";
import type { State } from "../../streams/contract.ts";

const leaf = (n: number): State => ({ version: n, values: { name: `leaf ${n}`, list: [1, n] }, arrays: { w: Float32Array.of(n, 2) } });

Deno.test("states nest to any depth and come apart again", () => {
  const inner = nestStates(leaf(1), { a: leaf(2), b: leaf(3) });
  const outer = nestStates(leaf(4), { inner, a: leaf(5) });
  assert.deepEqual(partState(outer, "a"), leaf(5));
  assert.deepEqual(partState(outer, "inner"), inner);
  assert.deepEqual(partState(partState(outer, "inner")!, "b"), leaf(3));
  assert.equal(outer.version, 4);
  assert.equal(outer.values.name, "leaf 4");
});

Deno.test("a part that was not saved is null, also when another's name begins alike", () => {
  const outer = nestStates(leaf(1), { embedder: leaf(2) });
  assert.equal(partState(outer, "embed"), null);
  assert.deepEqual(partState(outer, "embedder"), leaf(2));
});
