import assert from "node:assert/strict";
import { createRandom } from "../../plugins/kernels/random.ts";

Deno.test("`createRandom()` repeats for the same key and differs for another key or seed", () => {
  const draw = (...key: (string | number)[]) => Array.from({ length: 8 }, createRandom(7, ...key).uniform);
  assert.deepEqual(draw("dog", 1, 2), draw("dog", 1, 2));
  assert.notDeepEqual(draw("dog", 1, 2), draw("dog", 12));
  assert.notDeepEqual(draw("dog", 1), draw("dog", "1"));
  assert.notDeepEqual(draw("dog"), Array.from({ length: 8 }, createRandom(8, "dog").uniform));
});

Deno.test("`uniform()`, `normal()` and `integer()` have the moments of their distributions", () => {
  const random = createRandom(3, "moments");
  const n = 100_000;
  let u = 0, u2 = 0, g = 0, g2 = 0, g4 = 0;
  const counts = new Float64Array(7);
  for (let i = 0; i < n; i++) {
    const a = random.uniform(), b = random.normal();
    u += a / n;
    u2 += a * a / n;
    g += b / n;
    g2 += b * b / n;
    g4 += b ** 4 / n;
    counts[random.integer(7)]++;
  }
  // Five standard errors each.
  assert.ok(Math.abs(u - 1 / 2) < 0.005 && Math.abs(u2 - 1 / 3) < 0.005, `${u} ${u2}`);
  assert.ok(Math.abs(g) < 0.016 && Math.abs(g2 - 1) < 0.023 && Math.abs(g4 - 3) < 0.16, `${g} ${g2} ${g4}`);
  for (const count of counts) assert.ok(Math.abs(count - n / 7) < 5 * Math.sqrt(n / 7), `${count}`);
});

Deno.test("neighbouring keys give unrelated first draws", () => {
  const first = Array.from({ length: 2000 }, (_, i) => createRandom(1, "row", i).uniform());
  const mean = first.reduce((a, b) => a + b) / first.length;
  let lag = 0;
  for (let i = 1; i < first.length; i++) lag += (first[i] - mean) * (first[i - 1] - mean) * 12 / first.length;
  assert.ok(Math.abs(mean - 0.5) < 0.033 && Math.abs(lag) < 0.11, `mean ${mean}, lag-one correlation ${lag}`);
});

Deno.test("`permutation()` holds every index once", () => {
  assert.deepEqual([...createRandom(5, "p").permutation(50)].sort((a, b) => a - b), Array.from({ length: 50 }, (_, i) => i));
});
