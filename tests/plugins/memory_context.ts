/**
 * What a plugin needs from the core, in memory, for tests of single plugins.
 * @module
 */
import type { PluginContext, Tomogram, Triple, Volume, WriteSlab } from "../../streams/contract.ts";
import { createRandom } from "../../plugins/kernels/random.ts";

/** A context that runs pool calls in this realm, keeps scratch volumes in memory and records what it is told. */
export interface MemoryContext extends PluginContext {
  readonly told: { type: "drop" | "warn" | "note"; code: string; message: string; count?: number }[];
  readonly steps: [number, number | undefined][];
  /** Calls of `pool.run`. */
  calls: number;
}

/** A volume that is in memory whole; counts its reads. */
export function memoryVolume(voxels: Float32Array, shapeZyx: Triple, voxelSizeAngstrom = 10): Volume & { reads: number } {
  const [nz, ny, nx] = shapeZyx;
  const volume = {
    reads: 0,
    shapeZyx,
    voxelSizeAngstrom,
    // deno-lint-ignore require-await -- a fault must reject, not throw
    async readBox([z0, y0, x0]: Triple, [sz, sy, sx]: Triple) {
      volume.reads++;
      if (z0 < 0 || y0 < 0 || x0 < 0 || z0 + sz > nz || y0 + sy > ny || x0 + sx > nx) throw new RangeError("outside the volume");
      const box = new Float32Array(sz * sy * sx);
      for (let z = 0; z < sz; z++) {
        for (let y = 0; y < sy; y++) {
          const from = ((z0 + z) * ny + y0 + y) * nx + x0;
          box.set(voxels.subarray(from, from + sx), (z * sy + y) * sx);
        }
      }
      return box;
    },
    readSlab: (z0: number, z1: number) => volume.readBox([z0, 0, 0], [z1 - z0, ny, nx]),
  };
  return volume;
}

/** A tomogram in memory. */
export function memoryTomogram(volumes: Readonly<Record<string, Volume>>, id = "memory"): Tomogram {
  return { id, ordinal: 0, volumes, geometry: { tiltRangeDegrees: "unknown", tiltAxis: "y", handedness: "unknown" }, metadata: {} };
}

async function collect(shapeZyx: Triple, voxelSizeAngstrom: number, fill: (writeSlab: WriteSlab) => Promise<void>): Promise<Volume> {
  const all = new Float32Array(shapeZyx[0] * shapeZyx[1] * shapeZyx[2]);
  let at = 0;
  await fill((sections) => {
    all.set(sections, at);
    at += sections.length;
    return Promise.resolve();
  });
  if (at !== all.length) throw new RangeError(`${at} of ${all.length} voxels were written`);
  return memoryVolume(all, shapeZyx, voxelSizeAngstrom);
}

/** See {@linkcode MemoryContext}. */
export function memoryContext(stage = 'stages[0] "test"', poolSize = 2): MemoryContext {
  const context: MemoryContext = {
    stage,
    signal: new AbortController().signal,
    told: [],
    steps: [],
    calls: 0,
    random: (...key) => createRandom(1, stage, ...key),
    pool: {
      size: poolSize,
      run: async (module, name, args, options) => {
        context.calls++;
        options?.signal?.throwIfAborted();
        return (await import(module))[name](...args);
      },
    },
    scratch: {
      volume: (_key, shapeZyx, voxelSizeAngstrom, fill) =>
        collect(shapeZyx, voxelSizeAngstrom, (writeSlab) => fill(writeSlab, (shape, fillWorking) => collect(shape, 0, fillWorking))),
    },
    progress: (done, total) => void context.steps.push([done, total]),
    drop: (count, reason) => void context.told.push({ type: "drop", code: "drop", message: reason, count }),
    warn: (code, message) => void context.told.push({ type: "warn", code, message }),
    note: (code, message) => void context.told.push({ type: "note", code, message }),
  };
  return context;
}
