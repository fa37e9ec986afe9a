import assert from "node:assert/strict";
import type { AnyPlugin, Tomogram, Triple } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import bandPass from "../../../plugins/denoisers/band_pass.ts";
import deconvolution from "../../../plugins/denoisers/deconvolution.ts";
import median from "../../../plugins/denoisers/median.ts";
import { medianSections } from "../../../plugins/kernels/median.ts";
import {
  filterStrip,
  planRadialFilter,
  sectionsToSpectra,
  spectraShape,
  spectraToSections,
} from "../../../plugins/kernels/radial_filter.ts";
import { bandGains } from "../../../plugins/kernels/radial_gains.ts";
import { memoryContext, memoryTomogram, memoryVolume } from "../memory_context.ts";
import numpy from "../../fixtures/denoisers.json" with { type: "json" };

/** Of the largest result: float32 transforms, and gains by linear interpolation of 4096 samples. */
const FOURIER_TOLERANCE = 1e-5;

const shape = numpy.shapeZyx as unknown as Triple;
const tomogram = (changes: Partial<Tomogram> = {}, size = numpy.voxelSizeAngstrom) => ({
  ...memoryTomogram({ raw: memoryVolume(Float32Array.from(numpy.voxels), shape, size) }),
  ...changes,
});

async function apply(plugin: AnyPlugin, given: Record<string, unknown>, input: Tomogram = tomogram()) {
  const context = memoryContext(), denoiser = await plugin.create(plugin.options.parse(given), context, {});
  return { out: await denoiser.apply(input, context.signal) as Tomogram, context };
}

/** Largest difference, of the largest expected value; every third voxel is in the fixture. */
async function difference(out: Tomogram, name: string, expected: readonly number[]): Promise<number> {
  const voxels = await out.volumes[name].readSlab(0, shape[0]);
  const largest = Math.max(...expected.map(Math.abs));
  return Math.max(...expected.map((value, i) => Math.abs(voxels[3 * i] - value))) / largest;
}

Deno.test("`median` equals SciPy's median_filter", async () => {
  for (const [sizeVoxels, expected] of [[3, numpy.median3], [5, numpy.median5]] as const) {
    const { out } = await apply(median, { sizeVoxels });
    const voxels = await out.volumes.median.readSlab(0, shape[0]);
    assert.ok(expected.every((value, i) => voxels[3 * i] === Math.fround(value)), `size ${sizeVoxels}`);
    assert.equal(out.metadata["volume median"], `median of raw over ${sizeVoxels}^3 voxels`);
  }
});

Deno.test("`median` has no seams between slabs", async () => {
  // Sections of 640,000 voxels: slabs of six sections, the last of one.
  const sizes: Triple = [7, 800, 800], area = 640000;
  const voxels = Float32Array.from({ length: 7 * area }, (_, i) => (Math.imul(i, 2654435761) >>> 16) / 65536);
  const { out, context } = await apply(median, {}, memoryTomogram({ raw: memoryVolume(voxels, sizes) }));
  assert.deepEqual(context.steps, [[1, 2], [2, 2]]);
  const seam = medianSections(voxels.subarray(4 * area), 4, 5, 7, sizes, 1), slabs = await out.volumes.median.readSlab(5, 7);
  assert.ok(seam.every((value, i) => value === slabs[i]));
});

Deno.test("`band-pass` equals NumPy's transform of the whole volume", async () => {
  const { lowPassAngstrom, edgeFraction } = numpy.band;
  const low = await apply(bandPass, { lowPassAngstrom, edgeFraction });
  assert.ok(await difference(low.out, "filtered", numpy.lowPassed) < FOURIER_TOLERANCE);
  const band = await apply(bandPass, { ...numpy.band, name: "band" });
  assert.ok(await difference(band.out, "band", numpy.bandPassed) < FOURIER_TOLERANCE);
  assert.match(String(band.out.metadata["volume band"]), /waves below 200 A and above 30 A stay/);
});

Deno.test("`deconvolution` equals the formula in NumPy, with the geometry's defocus and with a phase plate", async () => {
  const { defocusAngstrom, ...optics } = numpy.ctf;
  const geometry = { ...tomogram().geometry, defocusAngstrom };
  const plain = await apply(deconvolution, { ...optics, ...numpy.wiener }, tomogram({ geometry }));
  assert.ok(await difference(plain.out, "deconvolved", numpy.deconvolved) < FOURIER_TOLERANCE);
  const { phaseShiftDegrees } = numpy;
  const flipped = await apply(deconvolution, { ...numpy.ctf, ...numpy.wiener, phaseFlipped: true, phaseShiftDegrees });
  assert.ok(await difference(flipped.out, "deconvolved", numpy.deconvolvedFlipped) < FOURIER_TOLERANCE);
});

Deno.test("a radial filter in strips and slabs equals the one in a single part", () => {
  const sizes: Triple = [9, 20, 23], [nz, ny, nx] = sizes;
  const voxels = Float32Array.from({ length: nz * ny * nx }, (_, i) => (Math.imul(i, 2654435761) >>> 16) / 65536);
  const filter = planRadialFilter(sizes, bandGains({ lowEdge: 0.02, highEdge: 0.2, edgeWidth: 0.05 }));
  const [, py, pitch] = spectraShape(filter);
  const whole = spectraToSections(filterStrip(sectionsToSpectra(voxels, filter), py, 0, filter), nz, filter);

  // In parts: slabs of 4 sections, strips of 7 rows, slabs again.
  const joined = (parts: Float32Array[]) => Float32Array.from(parts.flatMap((part) => [...part]));
  const ranges = (of: number, each: number) =>
    Array.from({ length: Math.ceil(of / each) }, (_, i) => [i * each, Math.min(of, (i + 1) * each)]);
  const spectra = joined(ranges(nz, 4).map(([a, b]) => sectionsToSpectra(voxels.subarray(a * ny * nx, b * ny * nx), filter)));
  const strip = (volume: Float32Array, depth: number, height: number, a: number, b: number) =>
    joined(Array.from({ length: depth }, (_, z) => volume.subarray((z * height + a) * pitch, (z * height + b) * pitch)));
  const rows = joined(ranges(py, 7).map(([a, b]) => filterStrip(strip(spectra, nz, py, a, b), b - a, a, filter)));
  const parts = joined(ranges(nz, 4).map(([a, b]) => spectraToSections(strip(rows, py, nz, a, b), b - a, filter)));
  assert.deepEqual(parts, whole);
});

Deno.test("Fourier filters say what they cannot know, and faulty bands", async () => {
  const unknown = tomogram({}, 0);
  await assert.rejects(
    apply(bandPass, { lowPassAngstrom: 30 }, unknown),
    (e: Error) => e instanceof InputError && /voxelSizeAngstrom/.test(e.message),
  );
  await assert.rejects(apply(bandPass, { lowPassAngstrom: 12 }), /finer than two voxels of 8 A: nothing would go; state 16 or more/);
  await assert.rejects(
    apply(deconvolution, {}),
    (e: Error) => e instanceof InputError && /defocus is unknown: state "defocusAngstrom"/.test(e.message),
  );
  const faults = (given: Record<string, unknown>) => bandPass.check!(bandPass.options.parse(given)).length;
  assert.deepEqual([{}, { lowPassAngstrom: 30 }, { lowPassAngstrom: 30, highPassAngstrom: 20 }].map(faults), [1, 0, 1]);
});
