import { deepStrictEqual, ok, throws } from "node:assert/strict";
import { layOutNeighbours } from "../../plugins/kernels/layout.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { ShapeError } from "../../streams/errors.ts";

/** Eight groups in 16 dimensions whose centres differ in all dimensions, so that no plane shows them all apart. */
function groups(count: number, each: number) {
  const random = createRandom(4, "groups");
  const dims = 16;
  const centres = Array.from({ length: count * dims }, () => 3 * random.normal());
  const values = new Float64Array(count * each * dims);
  const labels = new Int32Array(count * each);
  for (let i = 0; i < labels.length; i++) {
    labels[i] = i % count;
    for (let c = 0; c < dims; c++) values[i * dims + c] = centres[labels[i] * dims + c] + 1.5 * random.normal();
  }
  const start = new Float64Array(2 * labels.length);
  for (let i = 0; i < labels.length; i++) for (let c = 0; c < 2; c++) start[2 * i + c] = values[i * dims + c];
  return { values, labels, dims, start };
}

/** Share of points whose nearest point on the map has their own label. */
function purity(map: ArrayLike<number>, labels: Int32Array): number {
  let same = 0;
  for (let i = 0; i < labels.length; i++) {
    let nearest = -1, least = Infinity;
    for (let j = 0; j < labels.length; j++) {
      const d = (map[2 * i] - map[2 * j]) ** 2 + (map[2 * i + 1] - map[2 * j + 1]) ** 2;
      if (j !== i && d < least) {
        least = d;
        nearest = j;
      }
    }
    if (labels[nearest] === labels[i]) same++;
  }
  return same / labels.length;
}

Deno.test("`layOutNeighbours()` shows groups apart that overlap on the plane it starts from", () => {
  const { values, labels, dims, start } = groups(8, 50);
  const map = layOutNeighbours(values, dims, start, createRandom(1, "map"));
  const before = purity(start, labels), after = purity(map, labels);
  ok(before < 0.6, `two raw dimensions already sort ${before}`);
  ok(after > 0.97, `only ${after} of the points lie beside their own kind`);
});

Deno.test("`layOutNeighbours()` is the same for the same numbers and finite for points that coincide", () => {
  const { values, dims, start } = groups(3, 20);
  values.copyWithin(dims, 0, dims);
  values.copyWithin(2 * dims, 0, dims);
  start.fill(0, 0, 6);
  const once = layOutNeighbours(values, dims, start, createRandom(1, "map"));
  ok(once.every(Number.isFinite));
  deepStrictEqual(layOutNeighbours(values, dims, start, createRandom(1, "map")), once);
});

Deno.test("`layOutNeighbours()` takes no, one and two points, and refuses arrays that do not fit", () => {
  for (const n of [0, 1, 2]) ok(layOutNeighbours(new Float64Array(3 * n), 3, new Float64Array(2 * n), createRandom(1)).length === 2 * n);
  throws(() => layOutNeighbours([1, 2, 3], 2, [1, 2], createRandom(1)), ShapeError);
});
