import assert from "node:assert/strict";
import { classFlows, classSizes, loadLabeling, saveLabeling } from "../../streams/lineage.ts";

Deno.test("`classSizes()` counts by name", () => {
  assert.equal(classSizes(Int32Array.of(3, 1, 3, -1)), "-1:1 1:1 3:2");
  assert.equal(classSizes(new Int32Array(0)), "");
});

Deno.test("`classFlows()` tells splits, merges, beginnings and ends, and neither what stayed nor strays", () => {
  const of = (text: string) => Int32Array.from(text, Number);
  assert.equal(classFlows(of("1112223333"), of("1112223333")), "");
  assert.equal(classFlows(of("1111112222"), of("1113332222")), "1>1:3 1>3:3", "a split");
  assert.equal(classFlows(of("1112224444"), of("1111114444")), "1>1:3 2>1:3", "a merge");
  assert.equal(classFlows(of("111"), of("222")), "1>2:3", "another name");
  assert.equal(classFlows(of("1".repeat(20) + "2".repeat(20)), of("1".repeat(19) + "2".repeat(21))), "", "one box of twenty is a stray");
});

Deno.test("a labeling is kept and found again; one that was not kept is null", async () => {
  const folder = await Deno.makeTempDir();
  try {
    saveLabeling(folder, 0, Int32Array.of(2, 7));
    assert.deepEqual(loadLabeling(folder, 0), Int32Array.of(2, 7));
    assert.equal(loadLabeling(folder, 1), null);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
