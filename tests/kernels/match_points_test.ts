import { ok, strictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import munkres from "munkres";
import { matchPoints } from "../../plugins/kernels/match_points.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { ShapeError } from "../../streams/errors.ts";

// Sums of a few dozen distances below 10 in float64, beside a cost of 1000 for an unmatched point.
const ROUNDING = 1e-9;

function outcome(from: number[], to: number[], matched: Int32Array): { pairs: number; length: number } {
  let pairs = 0, length = 0;
  matched.forEach((j, i) => {
    if (j < 0) return;
    pairs++;
    length += Math.hypot(from[3 * i] - to[3 * j], from[3 * i + 1] - to[3 * j + 1], from[3 * i + 2] - to[3 * j + 2]);
  });
  return { pairs, length };
}

/** The same problem as a dense square table, by the Hungarian method of npm munkres. */
function dense(from: number[], to: number[], limit: number): { pairs: number; length: number } {
  const n = from.length / 3, m = to.length / 3;
  const distance = (i: number, j: number) =>
    Math.hypot(from[3 * i] - to[3 * j], from[3 * i + 1] - to[3 * j + 1], from[3 * i + 2] - to[3 * j + 2]);
  const table = Array.from(
    { length: n + m },
    (_, i) =>
      Array.from(
        { length: n + m },
        (_, j) => i < n && j < m ? (distance(i, j) <= limit ? distance(i, j) : 1e6) : i < n || j < m ? 1000 : 0,
      ),
  );
  let pairs = 0, length = 0;
  for (const [i, j] of munkres(table)) {
    if (i >= n || j >= m) continue;
    pairs++;
    length += distance(i, j);
  }
  return { pairs, length };
}

const points = fc.array(fc.array(fc.integer({ min: -8, max: 8 }), { minLength: 3, maxLength: 3 }), { maxLength: 14 }).map((p) => p.flat());

Deno.test("`matchPoints()` finds as many pairs as the dense Hungarian method and the same total distance", () => {
  fc.assert(
    fc.property(points, points, fc.integer({ min: 1, max: 9 }), (from, to, limit) => {
      const found = outcome(from, to, matchPoints(from, to, limit));
      const expected = dense(from, to, limit);
      strictEqual(found.pairs, expected.pairs);
      ok(Math.abs(found.length - expected.length) < ROUNDING, `${found.length} instead of ${expected.length}`);
    }),
    { numRuns: 300 },
  );
});

Deno.test("`matchPoints()` uses each point once and never beyond the limit", () => {
  fc.assert(fc.property(points, points, fc.integer({ min: 1, max: 9 }), (from, to, limit) => {
    const matched = [...matchPoints(from, to, limit)].filter((j) => j >= 0);
    strictEqual(new Set(matched).size, matched.length);
    matchPoints(from, to, limit).forEach((j, i) => {
      if (j >= 0) ok(Math.hypot(from[3 * i] - to[3 * j], from[3 * i + 1] - to[3 * j + 1], from[3 * i + 2] - to[3 * j + 2]) <= limit);
    });
  }));
});

Deno.test("a nearest-first matching would lose a pair, `matchPoints()` does not", () => {
  // 1 is nearest to 0 of the other side, but then 4 has nobody within 3.
  strictEqual([...matchPoints([1, 0, 0, 4, 0, 0], [2, 0, 0, -1, 0, 0], 3)].join(), "1,0");
});

Deno.test("a pair at exactly the limit counts, one beyond does not", () => {
  strictEqual(matchPoints([0, 0, 0], [0, 3, 4], 5)[0], 0);
  strictEqual(matchPoints([0, 0, 0], [0, 3, 4], 4.999)[0], -1);
});

Deno.test("`matchPoints()` matches 100,000 picks to 50,000 centres in a crowded volume", () => {
  const random = createRandom(3, "crowd");
  const centres = Float64Array.from({ length: 150_000 }, () => random.uniform() * 600);
  const picks = new Float64Array(300_000);
  for (let i = 0; i < picks.length; i++) picks[i] = i < centres.length ? centres[i] + random.normal() : random.uniform() * 600;
  const matched = matchPoints(picks, centres, 6);
  const right = matched.reduce((sum, j, i) => sum + (j === i ? 1 : 0), 0);
  // The mean distance to the nearest other centre is about 9 voxels, so most picks have but one near centre.
  ok(right > 40_000, `${right} of 50000 picks went to the centre that they were made from`);
});

Deno.test("empty sets match nothing; wrong shapes and limits are refused", () => {
  strictEqual(matchPoints([], [1, 2, 3], 1).length, 0);
  strictEqual([...matchPoints([1, 2, 3], [], 1)].join(), "-1");
  throws(() => matchPoints([1, 2], [], 1), ShapeError);
  throws(() => matchPoints([], [], 0), RangeError);
});
