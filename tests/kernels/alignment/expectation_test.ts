import assert from "node:assert/strict";
import { coefficientOrder, wedgeOf } from "../../../plugins/kernels/alignment/coefficients.ts";
import { expectation, type GridStep, temperature } from "../../../plugins/kernels/alignment/expectation.ts";
import { paddedSide } from "../../../plugins/kernels/alignment/volume.ts";
import fixture from "../../fixtures/alignment.json" with { type: "json" };

/** Float32 products of some 120 terms, exponentiated, against float64. */
const FLOAT32 = 3e-4;

/** The formulas of tests/fixtures/alignment.py. */
function fixtureStep(): GridStep {
  const { kMax, boxVoxels } = fixture, order = coefficientOrder(kMax), side = paddedSide(kMax);
  const wedge = wedgeOf({ tiltRangeDegrees: [-fixture.tilt, fixture.tilt], tiltAxis: "y", handedness: 1 }, boxVoxels)!;
  const coefficients = new Float32Array(2 * 3 * order.count);
  for (let i = 0; i < 3; i++) {
    for (let c = 0; c < order.count; c++) {
      coefficients[2 * (i * order.count + c)] = Math.cos(1.1 * i + 0.9 * c);
      coefficients[2 * (i * order.count + c) + 1] = Math.sin(0.3 * i - 0.5 * c);
    }
  }
  const volumes = [0, 1].map((c) => {
    const grid = new Float32Array(2 * side ** 3);
    for (let z = 0, at = 0; z < side; z++) {
      for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x++) {
          grid[at++] = Math.sin(0.7 * x + 0.3 * y + 0.2 * z + c);
          grid[at++] = Math.cos(0.4 * x - 0.5 * y + 0.6 * z - c);
        }
      }
    }
    return grid;
  });
  return {
    set: {
      boxVoxels,
      order,
      coefficients,
      wedges: Float32Array.from(
        { length: order.count },
        (_, c) => wedge(order.ksXyz[3 * c], order.ksXyz[3 * c + 1], order.ksXyz[3 * c + 2]),
      ),
      groups: new Int32Array(3),
    },
    members: Int32Array.of(0, 1, 2),
    kMax,
    rotations: Float32Array.from(fixture.rotations),
    volumes,
    prior: Float32Array.from(fixture.prior),
    noise: Float64Array.from(fixture.noise),
    beta: fixture.beta,
    offsets: Float32Array.from(fixture.offsets),
    shifts: Float32Array.from(fixture.shifts),
    sums: true,
  };
}

Deno.test("`expectation()` gives NumPy's evidence, poses, sums and residual", () => {
  const outcome = expectation(fixtureStep());
  const compare = (name: "evidence" | "best" | "meanOffset" | "sums" | "mass" | "residual") => {
    const expected = fixture[name], scale = Math.max(1, ...expected.map(Math.abs));
    assert.equal(outcome[name].length, expected.length, name);
    expected.forEach((value, i) => {
      assert.ok(Math.abs(outcome[name][i] - value) <= FLOAT32 * scale, `${name}[${i}]: ${outcome[name][i]}, NumPy ${value}`);
    });
  };
  for (const name of ["evidence", "best", "meanOffset", "sums", "mass", "residual"] as const) compare(name);
  assert.deepEqual([...outcome.bestRotation], fixture.bestRotation);
});

Deno.test("a box's outcome does not depend on which share it is in, and two equal wedges are one", () => {
  const step = fixtureStep(), whole = expectation({ ...step, sums: false });
  const alone = expectation({ ...step, members: Int32Array.of(1), sums: false });
  assert.deepEqual(alone.evidence, whole.evidence.slice(2, 4));
  const twice = {
    ...step.set,
    wedges: Float32Array.from([...step.set.wedges, ...step.set.wedges]),
    groups: Int32Array.of(0, 1, 0),
  };
  const grouped = expectation({ ...step, set: twice }), single = expectation(step);
  assert.deepEqual(grouped.evidence, single.evidence);
  assert.deepEqual(grouped.sums, single.sums);
  // The masses of the two groups are float32 sums of other terms.
  grouped.residual.forEach((value, c) => assert.ok(Math.abs(value - single.residual[c]) < 1e-5 * Math.max(1, Math.abs(value))));
});

Deno.test("`temperature()` gives the posterior the entropy asked for, and no more than beta 1", () => {
  const step = { ...fixtureStep(), prior: new Float32Array(2), sums: false }, wanted = 2.5;
  const beta = temperature({ ...step, members: Int32Array.of(0) }, wanted);
  // Entropy by differences: H = log sum - beta d(log sum)/d(beta), with the mean evidence of both classes.
  const logSum = (b: number) => {
    const { evidence } = expectation({ ...step, members: Int32Array.of(0), beta: b });
    return Math.log(Math.exp(evidence[0]) + Math.exp(evidence[1])) + Math.log(step.rotations.length / 9 * step.shifts.length / 3);
  };
  const h = 0.01 * beta, entropy = logSum(beta) - beta * (logSum(beta + h) - logSum(beta - h)) / (2 * h);
  assert.ok(Math.abs(entropy - wanted) < 0.05, `entropy ${entropy}`);
  assert.ok(temperature({ ...step, members: Int32Array.of(0) }, 0) > 0.99);
});
