import assert from "node:assert/strict";
import { isOpen, isReal, poolGains } from "../../../plugins/refiners/em/compare.ts";
import { type Fit, labelsOf, mixtureLikelihood } from "../../../plugins/refiners/em/fit.ts";
import { classPosterior, shares, stencil } from "../../../plugins/refiners/em/anneal.ts";
import { shiftCube } from "../../../plugins/refiners/em/centring.ts";
import { movePoses } from "../../../plugins/refiners/em/centring.ts";
import { searchPlan, storedFrequency } from "../../../plugins/refiners/em/plan.ts";
import { calibrate } from "../../../plugins/refiners/em/split_merge.ts";
import { modelFromState, modelToState } from "../../../plugins/refiners/em/model.ts";
import { RunError } from "../../../streams/errors.ts";

/** Float32 posteriors. */
const FLOAT32 = 1e-6;

Deno.test("a gain is real when it exceeds both its own doubt and what one structure gains", () => {
  const threshold = { errors: 3, share: 0.01 };
  assert.ok(isReal({ mean: 5, error: 1, single: 200, count: 50 }, threshold));
  assert.ok(!isReal({ mean: 2.9, error: 1, single: 200, count: 50 }, threshold));
  assert.ok(!isReal({ mean: 5, error: 1, single: 600, count: 50 }, threshold));
  assert.ok(!isReal({ mean: 0, error: Infinity, single: 0, count: 50 }, threshold));
});

Deno.test("a gain stays open while more judges may show it to be real", () => {
  const threshold = { errors: 3, share: 0.01 }, gain = (mean: number, error: number) => ({ mean, error, single: 100, count: 50 });
  assert.ok(isOpen(gain(4, 2), threshold));
  assert.ok(!isOpen(gain(4, 1), threshold), "it is real");
  assert.ok(!isOpen(gain(4, 5), threshold), "it is within its error");
  assert.ok(!isOpen(gain(0.9, 0.5), threshold), "it is too small");
});

Deno.test("`poolGains()` is the gain over all boxes that judged", () => {
  const of = (values: number[]) => {
    const n = values.length, mean = values.reduce((a, b) => a + b, 0) / n;
    const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1);
    return { mean, error: Math.sqrt(variance / n), single: 10 * n, count: n };
  };
  const a = [1, 2, 4, 8], b = [-3, 5, 6], together = of([...a, ...b]), pooled = poolGains([of(a), of(b)]);
  assert.ok(Math.abs(pooled.mean - together.mean) < 1e-12 && Math.abs(pooled.error - together.error) < 1e-12);
  assert.equal(pooled.count, 7);
  assert.ok(Math.abs(pooled.single - (4 * 40 + 3 * 30) / 7) < 1e-12);
  assert.equal(poolGains([{ mean: 0, error: Infinity, single: 0, count: 1 }]).error, Infinity);
});

Deno.test("`calibrate()` doubles what one structure gains when split, and never lowers the threshold", () => {
  const threshold = { errors: 3, share: 0.01 };
  assert.equal(calibrate(threshold, { mean: 4, error: 1, single: 100, count: 50 }).share, 0.1);
  assert.equal(calibrate(threshold, { mean: -3, error: 1, single: 100, count: 50 }).share, 0.01);
  assert.deepEqual(calibrate(threshold, { mean: 0, error: Infinity, single: 0, count: 50 }), threshold);
});

Deno.test("`classPosterior()` and `mixtureLikelihood()` are the mixture's, at any scale of likelihood", () => {
  const likelihood = Float64Array.of(1000, 1001, -2000, -2000), weights = Float64Array.of(0.25, 0.75);
  const posterior = classPosterior(likelihood, weights);
  const odds = 0.25 / (0.75 * Math.E);
  assert.ok(Math.abs(posterior[0] - odds / (1 + odds)) < FLOAT32 && Math.abs(posterior[2] - 0.25) < FLOAT32);
  assert.deepEqual(labelsOf(posterior, 2), Int32Array.of(1, 1));
  assert.ok(Math.abs(shares(posterior, 2)[1] - (posterior[1] + posterior[3]) / 2) < FLOAT32);
  const fit = { volumes: [new Float32Array(0), new Float32Array(0)], members: Int32Array.of(0, 1), likelihood, weights } as unknown as Fit;
  const mixture = mixtureLikelihood(fit);
  assert.ok(Math.abs(mixture[0] - (1001 + Math.log(0.75) + Math.log1p(odds))) < 1e-9 && Math.abs(mixture[1] + 2000) < 1e-9);
  assert.deepEqual(mixtureLikelihood(fit, [0]), Float64Array.of(1000, -2000));
});

Deno.test("shifts are tried about the centre", () => {
  assert.deepEqual([...stencil(2)].filter((value) => value !== 0), [2, -2, 2, -2, 2, -2]);
  const cube = shiftCube(0.5, 2);
  assert.equal(cube.length, 3 * 125);
  assert.ok(Math.min(...cube) === -1 && Math.max(...cube) === 1 && cube.reduce((sum, value) => sum + value, 0) === 0);
});

Deno.test("`movePoses()` follows the reference's origin in the box's frame", () => {
  // A quarter turn about z takes x to y.
  const pose = Float32Array.of(0, -1, 0, 1, 0, 0, 0, 0, 1, 10, 20, 30);
  movePoses(pose, [[2, 0, 1]]);
  assert.deepEqual([...pose.subarray(9)], [10, 22, 31]);
});

Deno.test("a plan's levels fit every box that can be stored", () => {
  for (const box of [10, 16, 24, 32, 64]) {
    const plan = searchPlan(box, { maximumRounds: 1, maximumClasses: 2, leastMembers: 3, leastGainShare: 0.01, leastGainErrors: 3 });
    assert.ok(storedFrequency(box) < box / 2);
    for (const { kMax } of [...plan.fit.stages, ...plan.split.stages, plan.fit.search, plan.fit]) assert.ok(kMax <= storedFrequency(box));
  }
});

Deno.test("a model's state of another version is refused, and no model is a state too", () => {
  assert.equal(modelFromState("x", modelToState(null)), null);
  assert.throws(() => modelFromState("x", { version: 99, values: {}, arrays: {} }), RunError);
});
