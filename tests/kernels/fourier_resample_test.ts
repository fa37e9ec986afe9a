import assert from "node:assert/strict";
import fc from "fast-check";
import { ShapeError } from "../../streams/errors.ts";
import { chooseStep, planResampling, resampleAxis, resampleSections, resampleStrip } from "../../plugins/kernels/fourier_resample.ts";
import { createRandom } from "../../plugins/kernels/random.ts";

/** What lies above the cut and the continuation's kink ring on, in the middle of a line below this. */
const WAVE_TOLERANCE = 0.03;
const MARGIN = 24;

Deno.test("`chooseStep()` takes the simplest fraction within 2e-4, or the nearest, never more than 0.6 % off", () => {
  assert.deepEqual(chooseStep(1), { old: 1, fresh: 1 });
  assert.deepEqual(chooseStep(2), { old: 2, fresh: 1 });
  assert.deepEqual(chooseStep(1.5), { old: 3, fresh: 2 });
  assert.deepEqual(chooseStep(0.75), { old: 3, fresh: 4 });
  fc.assert(fc.property(fc.double({ min: 0.1, max: 10, noNaN: true }), (ratio) => {
    const { old, fresh } = chooseStep(ratio);
    assert.ok(Math.abs(old / fresh / ratio - 1) < 0.006, `${old}/${fresh} for ${ratio}`);
  }));
  assert.throws(() => chooseStep(100), RangeError);
});

Deno.test("`planResampling()` keeps the step exactly and every new sample inside the old line", () => {
  const term = fc.integer({ min: 1, max: 20 });
  fc.assert(fc.property(fc.integer({ min: 24, max: 4096 }), term, term, (length, old, fresh) => {
    if ((length - 1) * fresh < old) return;
    const plan = planResampling(length, { old, fresh });
    assert.equal(plan.period * fresh, plan.newPeriod * old);
    assert.ok(plan.period >= length + 8 && plan.period <= length + 8 + Math.max(64, old));
    assert.ok((plan.newLength - 1) * old <= (length - 1) * fresh && plan.newLength * old > (length - 1) * fresh);
  }));
  assert.throws(() => planResampling(24, { old: 30, fresh: 1 }), RangeError);
});

Deno.test("`resampleAxis()` keeps waves below the new Nyquist frequency where they are and removes those above it", () => {
  for (const [length, ratio, inner] of [[200, 1.5, 3], [193, 1.348, 1], [150, 0.8, 2]]) {
    const plan = planResampling(length, chooseStep(ratio)), step = plan.period / plan.newPeriod;
    const kept = (x: number) => 2 + Math.cos(2 * Math.PI * 0.1 * x + 0.4) + 0.5 * Math.sin(2 * Math.PI * 0.23 * x);
    const gone = (x: number) => ratio > 1 ? Math.cos(2 * Math.PI * 0.45 * x) : 0;
    const data = Float32Array.from({ length: 2 * length * inner }, (_, i) => {
      const x = Math.floor(i / inner) % length;
      return (kept(x) + gone(x)) * (1 + i % inner);
    });
    const out = resampleAxis(data, 2, inner, plan);
    for (let i = 0; i < out.length; i++) {
      const x = Math.floor(i / inner) % plan.newLength;
      if (x < MARGIN || x >= plan.newLength - MARGIN) continue;
      const expected = kept(x * step) * (1 + i % inner);
      assert.ok(Math.abs(out[i] - expected) < WAVE_TOLERANCE * (1 + i % inner), `${length} at ${x}: ${out[i]} ${expected}`);
    }
  }
});

Deno.test("Strips and sections together equal the three axes one after the other", () => {
  const [nz, ny, nx] = [30, 26, 35], random = createRandom(4, "strips");
  const voxels = Float32Array.from({ length: nz * ny * nx }, () => random.normal());
  const [z, y, x] = [nz, ny, nx].map((n) => planResampling(n, { old: 8, fresh: 5 }));
  const expected = resampleAxis(
    resampleAxis(resampleAxis(voxels, nz * ny, 1, x), nz, x.newLength, y),
    1,
    y.newLength * x.newLength,
    z,
  );
  const rowsFirst = new Float32Array(ny * z.newLength * x.newLength);
  for (const [y0, y1] of [[0, 10], [10, 11], [11, ny]]) {
    const strip = new Float32Array(nz * (y1 - y0) * nx);
    for (let k = 0; k < nz; k++) strip.set(voxels.subarray((k * ny + y0) * nx, (k * ny + y1) * nx), k * (y1 - y0) * nx);
    rowsFirst.set(resampleStrip(strip, y1 - y0, z, x), y0 * z.newLength * x.newLength);
  }
  const out = resampleSections(rowsFirst, z.newLength, x.newLength, y);
  assert.equal(out.length, expected.length);
  // Float32 transforms in another order.
  for (let i = 0; i < out.length; i++) assert.ok(Math.abs(out[i] - expected[i]) < 1e-4);
  assert.throws(() => resampleAxis(voxels, 1, 2, x), ShapeError);
});
