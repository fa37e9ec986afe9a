import assert from "node:assert/strict";
import type { Tomogram, Triple } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import localEnergy from "../../../plugins/denoisers/local_energy.ts";
import { blurSections } from "../../../plugins/kernels/blur.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { memoryContext, memoryTomogram, memoryVolume } from "../memory_context.ts";

const shape: Triple = [20, 24, 28], random = createRandom(3, "energy");
const voxels = Float32Array.from({ length: 20 * 24 * 28 }, () => random.normal());

async function run(sign: number, voxelSize = 10): Promise<Tomogram> {
  const context = memoryContext();
  const denoiser = await localEnergy.create(localEnergy.options.parse({ particleDiameterAngstrom: 200 }), context, {});
  const raw = memoryVolume(voxels.map((v) => sign * v), shape, voxelSize);
  return await denoiser.apply(memoryTomogram({ raw }), context.signal) as Tomogram;
}

Deno.test("`local-energy` is the magnitude of the band between two blurs, whatever the contrast", async () => {
  const tomogram = await run(1), energy = await tomogram.volumes.energy.readSlab(0, 20);
  const fine = blurSections(voxels, 0, 0, 20, shape, 1.25), coarse = blurSections(voxels, 0, 0, 20, shape, 2.5);
  assert.ok(energy.every((value, i) => value === Math.fround(Math.abs(fine[i] - coarse[i]))));
  assert.equal(tomogram.metadata["volume energy"], "detail of raw between sigma 1.25 and 2.5 voxels, magnitude");
  assert.deepEqual(await (await run(-1)).volumes.energy.readSlab(0, 20), energy);
  await assert.rejects(run(1, 0), (e: Error) => e instanceof InputError && /voxel size is unknown/.test(e.message));
});
