import assert from "node:assert/strict";
import type { Tomogram, Triple } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import rescale from "../../../plugins/denoisers/rescale.ts";
import { memoryContext, memoryTomogram, memoryVolume } from "../memory_context.ts";

/** Blobs of sigma 4 lose less than this below the new Nyquist frequency; float32 transforms. */
const BLOB_TOLERANCE = 2e-3;

const SHAPE: Triple = [60, 84, 77];
/** x, y, z in old voxels. */
const CENTRES = [[20, 30, 25], [60.5, 50, 40], [33, 61, 20]];

function blobs(sigma: number, at: (i: number) => [number, number, number]) {
  return (i: number) => {
    const [x, y, z] = at(i);
    return CENTRES.reduce((sum, c) => sum + Math.exp(-((x - c[0]) ** 2 + (y - c[1]) ** 2 + (z - c[2]) ** 2) / (2 * sigma ** 2)), 0);
  };
}
const grid = ([, ny, nx]: Triple, step = 1) => (i: number): [number, number, number] => [
  step * (i % nx),
  step * (Math.floor(i / nx) % ny),
  step * Math.floor(i / nx / ny),
];

async function apply(voxelSizeAngstrom: number, tomogram: Tomogram) {
  const context = memoryContext(), denoiser = await rescale.create(rescale.options.parse({ voxelSizeAngstrom }), context, {});
  return { out: await denoiser.apply(tomogram, context.signal) as Tomogram, context };
}
const tomogram = () => {
  const raw = Float32Array.from({ length: SHAPE[0] * SHAPE[1] * SHAPE[2] }, (_, i) => blobs(4, grid(SHAPE))(i));
  return memoryTomogram({ raw: memoryVolume(raw, SHAPE, 10), corrected: memoryVolume(raw.map((v) => 2 * v), SHAPE, 10) });
};

for (
  const [wanted, step, shape] of [[15, 1.5, [40, 56, 51]], [20, 2, [30, 42, 39]], [8, 0.8, [74, 104, 96]]] as [number, number, Triple][]
) {
  Deno.test(`\`rescale\` from 10 to ${wanted} A samples every volume at ${step} voxels, voxel 0 in its place`, async () => {
    const { out, context } = await apply(wanted, tomogram());
    for (const [name, factor] of [["raw", 1], ["corrected", 2]] as const) {
      const volume = out.volumes[name];
      assert.deepEqual([...volume.shapeZyx], shape);
      assert.ok(Math.abs(volume.voxelSizeAngstrom - wanted) < 1e-9);
      const voxels = await volume.readSlab(0, shape[0]), expected = blobs(4, grid(shape, step));
      voxels.forEach((v, i) => assert.ok(Math.abs(v - factor * expected(i)) < factor * BLOB_TOLERANCE));
    }
    assert.deepEqual([
      out.metadata.rescaledFromAngstrom,
      (out.metadata.rescaledOldVoxels as number) / (out.metadata.rescaledNewVoxels as number),
    ], [10, step]);
    assert.match(
      context.told[0].message,
      new RegExp(`10 A x \\d+ / \\d+ = ${wanted} A a voxel .* 60 x 84 x 77 voxels become ${shape.join(" x ")}`),
    );
  });
}

Deno.test("`rescale` meets an odd size by a simple fraction and states the exact one", async () => {
  const { out } = await apply(13.48, tomogram());
  const size = out.volumes.raw.voxelSizeAngstrom;
  assert.ok(Math.abs(size / 13.48 - 1) < 2e-4);
  assert.equal(size, 10 * (out.metadata.rescaledOldVoxels as number) / (out.metadata.rescaledNewVoxels as number));
});

Deno.test("`rescale` leaves a tomogram that has the size already, and refuses one whose size is unknown", async () => {
  const before = tomogram(), { out, context } = await apply(10.001, before);
  assert.equal(out, before);
  assert.match(context.told[0].message, /keeps its 10 A a voxel \(10\.001 A wanted\)/);
  const unknown = memoryTomogram({ raw: memoryVolume(new Float32Array(1000), [10, 10, 10], 0) });
  await assert.rejects(apply(10, unknown), (e: Error) => e instanceof InputError && /voxel size is unknown/.test(e.message));
  await assert.rejects(apply(2000, before), (e: Error) => e instanceof InputError && /cannot go from 10 A to 2000 A/.test(e.message));
});
