import assert from "node:assert/strict";
import { boxCoefficients, coefficientOrder, wedgeOf } from "../../../plugins/kernels/alignment/coefficients.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { ShapeError } from "../../../streams/errors.ts";

/** Float32 transform of values of order one, scaled by b^-1.5. */
const FLOAT32 = 1e-5;

Deno.test("`coefficientOrder()` holds each frequency or its mate once, nearest first, and levels are prefixes", () => {
  const order = coefficientOrder(4), seen = new Set<string>();
  let before = 0;
  for (let c = 0; c < order.count; c++) {
    const [x, y, z] = order.ksXyz.subarray(3 * c, 3 * c + 3), square = x * x + y * y + z * z;
    assert.ok(square >= before && square > 0 && square <= 16);
    before = square;
    assert.ok(!seen.has(`${x} ${y} ${z}`) && !seen.has(`${-x} ${-y} ${-z}`));
    seen.add(`${x} ${y} ${z}`);
  }
  let all = 0;
  for (let x = -4; x <= 4; x++) for (let y = -4; y <= 4; y++) for (let z = -4; z <= 4; z++) if (x * x + y * y + z * z <= 16) all++;
  assert.equal(order.count, (all - 1) / 2);
  assert.equal(order.upTo[4], order.count);
  assert.deepEqual(order.ksXyz.subarray(0, 3 * order.upTo[2]), coefficientOrder(2).ksXyz);
});

Deno.test("a point at the box's centre has real coefficients, one beside it turns their phase", () => {
  for (const b of [12, 13]) {
    const order = coefficientOrder(4), c = Math.floor(b / 2), boxes = new Float32Array(2 * b ** 3);
    boxes[(c * b + c) * b + c] = 1;
    boxes[b ** 3 + ((c + 2) * b + c - 1) * b + c + 3] = 1;
    const out = boxCoefficients(boxes, 2, b, order);
    for (let i = 0; i < order.count; i++) {
      const angle = -2 * Math.PI * (3 * order.ksXyz[3 * i] - order.ksXyz[3 * i + 1] + 2 * order.ksXyz[3 * i + 2]) / b;
      const [re, im] = out.subarray(2 * (order.count + i), 2 * (order.count + i) + 2);
      assert.ok(Math.abs(out[2 * i] - b ** -1.5) < FLOAT32 && Math.abs(out[2 * i + 1]) < FLOAT32);
      assert.ok(Math.abs(re - Math.cos(angle) * b ** -1.5) < FLOAT32 && Math.abs(im - Math.sin(angle) * b ** -1.5) < FLOAT32);
    }
  }
});

Deno.test("white noise of unit variance has coefficients of unit power", () => {
  /** 40 boxes x 128 coefficients: four deviations of the mean of 5120 exponentials. */
  const BAND = 4 / Math.sqrt(5120);
  const b = 12, n = 40, random = createRandom(1, "coefficient noise"), order = coefficientOrder(4);
  const out = boxCoefficients(Float32Array.from({ length: n * b ** 3 }, () => random.normal()), n, b, order);
  const power = out.reduce((sum, value) => sum + value * value, 0) / (n * order.count);
  assert.ok(Math.abs(power - 1) < BAND, `power ${power}`);
});

Deno.test("`wedgeOf()` keeps what the tilts measure; an unknown range has no wedge; frequencies at half the box are refused", () => {
  const wedge = wedgeOf({ tiltRangeDegrees: [-45, 45], tiltAxis: "y", handedness: 1 }, 12)!;
  assert.deepEqual([wedge(1, 0, 1), wedge(1, 0, 2), wedge(2, 0, 1), wedge(0, 3, 0), wedge(0, 0, 1)], [1, 0, 1, 1, 0]);
  assert.equal(wedgeOf({ tiltRangeDegrees: "unknown", tiltAxis: "y", handedness: 1 }, 12), null);
  assert.throws(() => boxCoefficients(new Float32Array(8 ** 3), 1, 8, coefficientOrder(4)), ShapeError);
  assert.throws(() => boxCoefficients(new Float32Array(8 ** 3), 2, 8, coefficientOrder(3)), /512 voxels are not 2 boxes of 8\^3/);
});
