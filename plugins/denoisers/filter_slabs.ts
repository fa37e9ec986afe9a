/**
 * A filter of limited reach over a volume, slab by slab.
 * @module
 */
import type { PluginContext, Volume } from "../../streams/contract.ts";
import { inOrder } from "./in_order.ts";

/** Voxels that one call filters. */
const SLAB_VOXELS = 4_000_000;

/** What filters a slab: a pool entry `(sections, first, from, to, shapeZyx, parameter) => sections from to to`, float32. */
export interface SlabFilter {
  readonly module: string;
  readonly exportName: string;
  readonly parameter: number;
  /** Sections that it reads on both sides of those that it gives. */
  readonly reach: number;
}

/** Filters a volume into scratch: memory does not grow with the number of sections, and the result does not depend on the slabs. */
export function filterSlabs(volume: Volume, filter: SlabFilter, key: string, context: PluginContext, signal: AbortSignal): Promise<Volume> {
  const { shapeZyx, voxelSizeAngstrom } = volume, { module, exportName, parameter, reach } = filter;
  const [nz, ny, nx] = shapeZyx, step = Math.max(1, Math.floor(SLAB_VOXELS / (ny * nx))), slabs = Math.ceil(nz / step);
  return context.scratch.volume(key, shapeZyx, voxelSizeAngstrom, async (writeSlab) => {
    const slab = async (index: number) => {
      signal.throwIfAborted();
      const from = index * step, to = Math.min(nz, from + step), first = Math.max(0, from - reach);
      const sections = await volume.readSlab(first, Math.min(nz, to + reach));
      return await context.pool.run<Float32Array>(module, exportName, [sections, first, from, to, shapeZyx, parameter], {
        transfer: [sections.buffer],
        signal,
      });
    };
    let done = 0;
    for await (const sections of inOrder(slabs, context.pool.size + 1, slab)) {
      await writeSlab(sections);
      context.progress(++done, slabs);
    }
  });
}
