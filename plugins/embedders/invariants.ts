/**
 * `invariants`: rotation-invariant features without any training.
 * @module
 */
import { z } from "zod";
import { definePlugin, type Embedder, type PluginContext } from "../../streams/contract.ts";
import { ShapeError } from "../../streams/errors.ts";
import { invariantDims, type InvariantSettings, invariantsOf } from "../kernels/invariants.ts";

const options = z.strictObject({
  sigmaVoxels: z.number().min(0).max(8).default(1).meta({
    description: "deviation of the Gaussian low-pass applied first; 0 switches it off",
    unit: "voxels",
  }),
  shells: z.int().min(1).max(64).default(10).meta({ description: "number of radial shells, evenly spaced up to maximumRadiusVoxels" }),
  maximumRadiusVoxels: z.number().min(1).max(64).default(10).meta({
    description: "radius of the outermost shell; never beyond half the box minus two",
    unit: "voxels",
  }),
  degree: z.int().min(0).max(6).default(6).meta({ description: "highest degree l of the spherical harmonics" }),
  crossShell: z.boolean().default(false).meta({ description: "adds how alike shells are that are not neighbours" }),
});

/** Below this a call costs more to send to a worker than to compute. */
const BOXES_WORTH_A_WORKER = 64;

/** Embedder on the given settings, for boxes of any size; the pool shares large batches. */
export function createInvariantsEmbedder(options: Omit<InvariantSettings, "boxVoxels">, pool: PluginContext["pool"]): Embedder {
  const dims = invariantDims(options);
  const module = new URL("../kernels/invariants.ts", import.meta.url).href;
  const untrained = () => Promise.reject(new ShapeError("invariants: nothing to train: use it where no training is asked for"));
  return {
    dims,
    trainable: false,
    async embed(voxels, count) {
      if (count === 0) return new Float32Array(0);
      const size = voxels.length / count, boxVoxels = Math.round(Math.cbrt(size));
      if (boxVoxels ** 3 !== size) {
        throw new ShapeError(`invariants: ${voxels.length} voxels are not ${count} cubic boxes`);
      }
      const settings = { ...options, boxVoxels };
      if (count < BOXES_WORTH_A_WORKER || pool.size < 1) return invariantsOf(voxels, count, settings);
      const out = new Float32Array(count * dims);
      const share = Math.ceil(count / pool.size / 4) * 4;
      const jobs: Promise<void>[] = [];
      for (let first = 0; first < count; first += share) {
        const part = voxels.slice(first * size, Math.min(count, first + share) * size);
        const job = pool.run<Float32Array>(module, "invariantsOf", [part, part.length / size, settings], { transfer: [part.buffer] });
        jobs.push(job.then((values) => out.set(values, first * dims)));
      }
      await Promise.all(jobs);
      return out;
    },
    setClasses: () => Promise.resolve(),
    trainBatch: untrained,
    calibrate: () => Promise.resolve(),
    save: () => Promise.resolve({ version: 1, values: { ...options }, arrays: {} }),
    load: (state) => {
      const changed = Object.entries(options).filter(([name, value]) => state.values[name] !== value).map(([name]) => name);
      return changed.length === 0 ? Promise.resolve() : Promise.reject(
        new ShapeError(`invariants: the saved state was made with another ${changed.join(", ")}: use the options it was saved with`),
      );
    },
  };
}

/** The plugin. */
export default definePlugin({
  apiVersion: 1,
  name: "invariants",
  kind: "embedder",
  summary: "rotation invariants without training: spherical-harmonic power and shell correlations on radial shells",
  options,
  create: (chosen, context) => createInvariantsEmbedder(chosen, context.pool),
});
