/**
 * `voxels`: the box itself as its features.
 * @module
 */
import { z } from "zod";
import { definePlugin, type Embedder, type PluginContext } from "../../streams/contract.ts";
import { ShapeError } from "../../streams/errors.ts";
import { shrinkBoxes } from "../kernels/bin.ts";
import type { PreparedBoxes } from "../kernels/prepare.ts";

const options = z.strictObject({
  edgeVoxels: z.int().min(4).max(64).default(12).meta({
    description: "Boxes are averaged down to this edge; its cube is the number of features",
    unit: "voxels",
  }),
  lowPassVoxels: z.number().min(0).max(8).default(1).meta({
    description: "Sigma of the Gaussian low-pass that prepares every box; 0 for none",
    unit: "voxels",
  }),
});

const PREPARE = new URL("../kernels/prepare.ts", import.meta.url).href;
/** Boxes of one call to the pool. */
const CHUNK = 64;

/** Prepares boxes in the pool and averages them down to `edge`: `[count, edge, edge, edge]`. @throws {ShapeError} When they are not cubes. */
export async function prepareSmall(
  voxels: Float32Array,
  count: number,
  { edgeVoxels, lowPassVoxels }: { readonly edgeVoxels: number; readonly lowPassVoxels: number },
  { pool, signal, stage }: PluginContext,
): Promise<Float32Array> {
  const out = new Float32Array(count * edgeVoxels ** 3);
  if (count === 0) return out;
  const size = voxels.length / count, boxVoxels = Math.round(Math.cbrt(size));
  if (boxVoxels ** 3 !== size) throw new ShapeError(`${stage}: ${voxels.length} voxels are not ${count} cubic boxes`);
  const chunks = Array.from({ length: Math.ceil(count / CHUNK) }, (_, i) => CHUNK * i);
  await Promise.all(chunks.map(async (first) => {
    const rows = Math.min(CHUNK, count - first), part = voxels.slice(first * size, (first + rows) * size);
    const { voxels: prepared } = await pool.run<PreparedBoxes>(PREPARE, "prepareBoxes", [part, rows, boxVoxels, { lowPassVoxels }], {
      transfer: [part.buffer],
      signal,
    });
    out.set(shrinkBoxes(prepared, rows, boxVoxels, edgeVoxels), first * edgeVoxels ** 3);
  }));
  return out;
}

/** The plugin. With the principal components of `gmm-bic` it is the plainest baseline there is: it knows nothing of orientation. */
export default definePlugin({
  apiVersion: 1,
  name: "voxels",
  kind: "embedder",
  summary: "the voxels of the prepared, shrunken box: a baseline that knows nothing of orientation",
  options,
  create(chosen, context): Embedder {
    const untrained = () => Promise.reject(new ShapeError(`${context.stage}: nothing to train: use it where no training is asked for`));
    return {
      dims: chosen.edgeVoxels ** 3,
      trainable: false,
      embed: (voxels, count) => prepareSmall(voxels, count, chosen, context),
      setClasses: () => Promise.resolve(),
      trainBatch: untrained,
      calibrate: () => Promise.resolve(),
      save: () => Promise.resolve({ version: 1, values: { ...chosen }, arrays: {} }),
      load: ({ values }) => {
        const changed = Object.entries(chosen).filter(([name, value]) => values[name] !== value).map(([name]) => name);
        return changed.length === 0 ? Promise.resolve() : Promise.reject(
          new ShapeError(
            `${context.stage}: the saved state was made with another ${changed.join(", ")}: use the options it was saved with`,
          ),
        );
      },
    };
  },
});
