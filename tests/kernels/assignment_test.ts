import assert from "node:assert/strict";
import fc from "fast-check";
import { assign } from "../../plugins/kernels/assignment.ts";
import { ShapeError } from "../../streams/errors.ts";

/** Least cost over every injection of the shorter side into the longer one. */
function bruteForce(cost: number[], rows: number, columns: number): number {
  if (rows > columns) {
    const turned = Array.from({ length: cost.length }, (_, i) => cost[(i % rows) * columns + Math.floor(i / rows)]);
    return bruteForce(turned, columns, rows);
  }
  const search = (row: number, used: number): number => {
    if (row === rows) return 0;
    let least = Infinity;
    for (let j = 0; j < columns; j++) {
      if (!(used >> j & 1)) least = Math.min(least, cost[row * columns + j] + search(row + 1, used | 1 << j));
    }
    return least;
  };
  return search(0, 0);
}

Deno.test("`assign()` finds the least sum for any rectangle, ties and negative costs included", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.integer({ min: -4, max: 9 }), { minLength: 36, maxLength: 36 }),
      (rows, columns, values) => {
        const cost = values.slice(0, rows * columns);
        const pairs = assign(cost, rows, columns);
        assert.equal(pairs.length, Math.min(rows, columns));
        assert.equal(new Set(pairs.map((p) => p[0])).size, pairs.length);
        assert.equal(new Set(pairs.map((p) => p[1])).size, pairs.length);
        assert.equal(pairs.reduce((sum, [i, j]) => sum + cost[i * columns + j], 0), bruteForce(cost, rows, columns));
      },
    ),
    { seed: 5, numRuns: 200 },
  );
});

Deno.test("`assign()` gives no pairs for an empty side and refuses what is not a matrix of numbers", () => {
  assert.deepEqual(assign([], 0, 4), []);
  assert.throws(() => assign([1, 2, 3], 2, 2), ShapeError);
  assert.throws(() => assign([1, NaN], 1, 2), /row 0, column 1 is NaN/);
});
