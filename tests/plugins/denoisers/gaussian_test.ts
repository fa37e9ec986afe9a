import assert from "node:assert/strict";
import type { Tomogram, Triple } from "../../../streams/contract.ts";
import { InputError, RunError } from "../../../streams/errors.ts";
import gaussian from "../../../plugins/denoisers/gaussian.ts";
import { blurSections } from "../../../plugins/kernels/blur.ts";
import { memoryContext, memoryTomogram, memoryVolume } from "../memory_context.ts";
import scipy from "../../fixtures/dog.json" with { type: "json" };

/** Float32 sums of some ten products on values around 100. */
const BLUR_TOLERANCE = 5e-5;

const shape = scipy.shapeZyx as unknown as Triple;

async function blur(
  given: Record<string, unknown>,
  tomogram = memoryTomogram({ raw: memoryVolume(Float32Array.from(scipy.voxels), shape, 10) }),
) {
  const context = memoryContext(), denoiser = await gaussian.create(gaussian.options.parse(given), context, {});
  return { out: await denoiser.apply(tomogram, context.signal) as Tomogram, context };
}

Deno.test("`gaussian` adds a volume that equals SciPy's gaussian_filter", async () => {
  for (const options of [{ sigmaVoxels: scipy.sigmaWideVoxels }, { sigmaAngstrom: 10 * scipy.sigmaWideVoxels }]) {
    const { out, context } = await blur({ ...options, name: "smooth" });
    assert.deepEqual(Object.keys(out.volumes), ["raw", "smooth"]);
    assert.equal(out.metadata["volume smooth"], "gaussian of raw, sigma 2.4 voxels");
    const voxels = await out.volumes.smooth.readSlab(0, shape[0]);
    scipy.blurred.forEach((expected, i) => assert.ok(Math.abs(voxels[7 * i] - expected) < BLUR_TOLERANCE));
    assert.deepEqual(context.steps.at(-1), [1, 1]);
  }
});

Deno.test("`gaussian` blurs in slabs without seams", async () => {
  // Sections of a million voxels: slabs of four sections.
  const sizes: Triple = [9, 1000, 1000], voxels = Float32Array.from({ length: 9e6 }, (_, i) => (Math.imul(i, 2654435761) >>> 16) / 65536);
  const { out, context } = await blur({ sigmaVoxels: 0.8 }, memoryTomogram({ raw: memoryVolume(voxels, sizes) }));
  assert.deepEqual(context.steps, [[1, 3], [2, 3], [3, 3]]);
  const whole = blurSections(voxels, 0, 0, 9, sizes, 0.8), slabs = await out.volumes.gaussian.readSlab(0, 9);
  assert.ok(whole.every((value, i) => value === slabs[i]));
});

Deno.test("`gaussian` refuses a name that is taken and an unknown voxel size, and checks its options", async () => {
  await assert.rejects(
    blur({ sigmaVoxels: 1, name: "raw" }),
    (e: Error) => e instanceof RunError && /already has a volume "raw"/.test(e.message),
  );
  const unknown = memoryTomogram({ raw: memoryVolume(Float32Array.from(scipy.voxels), shape, 0) });
  await assert.rejects(
    blur({ sigmaAngstrom: 10 }, unknown),
    (e: Error) => e instanceof InputError && /state "sigmaVoxels"/.test(e.message),
  );
  const faults = (given: Record<string, unknown>) => gaussian.check!(gaussian.options.parse(given));
  assert.deepEqual([faults({}).length, faults({ sigmaVoxels: 1, sigmaAngstrom: 2 }).length, faults({ sigmaVoxels: 1 }).length], [1, 1, 0]);
});
