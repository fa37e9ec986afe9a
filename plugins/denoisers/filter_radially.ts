/**
 * A radial Fourier filter over a volume that need not fit into memory.
 * @module
 */
import type { PluginContext, Triple, Volume } from "../../streams/contract.ts";
import { filterStrip, planRadialFilter, sectionsToSpectra, spectraShape, spectraToSections } from "../kernels/radial_filter.ts";
import { inOrder } from "./in_order.ts";
import { scratchBytes } from "./scratch_need.ts";

/** Numbers that one call holds. */
const PART_NUMBERS = 4_000_000;

const module = new URL("../kernels/radial_filter.ts", import.meta.url).href;

/** Bytes of the working volumes that {@linkcode filterRadially} needs for a volume. */
export function radialWorkingBytes(shapeZyx: Triple): number {
  // The gains do not matter here.
  return 2 * scratchBytes(spectraShape(planRadialFilter(shapeZyx, new Float64Array(2))));
}

/**
 * Filters a volume into scratch by one Fourier transform of the whole, done in parts: memory does not grow with the number of sections.
 * Two working volumes of about the volume's size stand beside the result while it is made.
 *
 * Precision: float32 throughout; within 1e-5 of the largest result of a float64 transform of the whole volume (tested against NumPy).
 * @param gains From frequency 0 to Nyquist's.
 */
export function filterRadially(
  volume: Volume,
  gains: Float64Array,
  key: string,
  context: PluginContext,
  signal: AbortSignal,
): Promise<Volume> {
  const { shapeZyx, voxelSizeAngstrom } = volume, [nz] = shapeZyx;
  const filter = planRadialFilter(shapeZyx, gains), [, py, pitch] = spectraShape(filter), ahead = context.pool.size + 1;
  const sectionsEach = Math.max(1, Math.floor(PART_NUMBERS / (py * pitch))), slabs = Math.ceil(nz / sectionsEach);
  const rowsEach = Math.max(1, Math.floor(PART_NUMBERS / (filter.periodZyx[0] * pitch))), strips = Math.ceil(py / rowsEach);
  const run = (name: string, numbers: Float32Array, ...rest: unknown[]) =>
    context.pool.run<Float32Array>(module, name, [numbers, ...rest, filter], { transfer: [numbers.buffer], signal });
  return context.scratch.volume(key, shapeZyx, voxelSizeAngstrom, async (writeSlab, working) => {
    let done = 0;
    const take = async (results: AsyncIterable<Float32Array>, write: (numbers: Float32Array) => Promise<void>) => {
      for await (const numbers of results) {
        await write(numbers);
        context.progress(++done, 2 * slabs + strips);
      }
    };
    const part = (index: number, each: number, of: number) => {
      signal.throwIfAborted();
      return [index * each, Math.min(each, of - index * each)] as const;
    };
    const spectra = await working([nz, py, pitch], (write) =>
      take(
        inOrder(slabs, ahead, async (index) => {
          const [from, count] = part(index, sectionsEach, nz);
          return await run(sectionsToSpectra.name, await volume.readSlab(from, from + count));
        }),
        write,
      ));
    const filtered = await working([py, nz, pitch], (write) =>
      take(
        inOrder(strips, ahead, async (index) => {
          const [from, count] = part(index, rowsEach, py);
          return await run(filterStrip.name, await spectra.readBox([0, from, 0], [nz, count, pitch]), count, from);
        }),
        write,
      ));
    await take(
      inOrder(slabs, ahead, async (index) => {
        const [from, count] = part(index, sectionsEach, nz);
        return await run(spectraToSections.name, await filtered.readBox([0, from, 0], [py, count, pitch]), count);
      }),
      writeSlab,
    );
  });
}
