/** A plugin context for tests of sources and sinks: what a plugin says is kept, scratch is a folder. */
import { createRandom } from "../../../plugins/kernels/random.ts";
import { createMrcWriter, openMrcVolume } from "../../../plugins/formats/mrc.ts";
import type { PluginContext, Volume } from "../../../streams/contract.ts";

/** What a plugin told the core. */
export interface Told {
  readonly notes: string[];
  readonly warnings: string[];
  readonly drops: [number, string][];
  /** Keys of scratch volumes that were filled, not reused. */
  readonly filled: string[];
}

/** Makes a context; scratch volumes are written into `folder`. */
export function fakeContext(folder = ""): { context: PluginContext; told: Told } {
  const told: Told = { notes: [], warnings: [], drops: [], filled: [] };
  const finished = new Map<string, Promise<Volume>>();
  const context: PluginContext = {
    stage: "source",
    signal: new AbortController().signal,
    random: (...key) => createRandom(1, ...key),
    pool: { size: 1, run: async (module, name, args) => (await import(module))[name](...args) },
    scratch: {
      volume(key, shapeZyx, voxelSizeAngstrom, fill) {
        const make = async () => {
          told.filled.push(key);
          const path = `${folder}/scratch-${finished.size}.mrc`;
          await using writer = await createMrcWriter(path, { ny: shapeZyx[1], nx: shapeZyx[2], voxelSizeAngstrom });
          await fill((sections) => writer.writeSlab(sections), () => Promise.reject(new Error("a source needs no working volume")));
          await writer.finish();
          const read = async <T>(work: (volume: Volume) => Promise<T>) => {
            await using volume = await openMrcVolume(path);
            return await work(volume);
          };
          return {
            shapeZyx,
            voxelSizeAngstrom,
            readBox: (corner, size) => read((volume) => volume.readBox(corner, size)),
            readSlab: (z0, z1) => read((volume) => volume.readSlab(z0, z1)),
          } satisfies Volume;
        };
        if (!finished.has(key)) finished.set(key, make());
        return finished.get(key)!;
      },
    },
    progress: () => {},
    drop: (count, reason) => told.drops.push([count, reason]),
    warn: (code, message) => told.warnings.push(`${code}: ${message}`),
    note: (code, message) => told.notes.push(`${code}: ${message}`),
  };
  return { context, told };
}
