/**
 * A picker of your own, in one file: averages the tomogram over coarse cells, picks the cells that stand out from their neighbours, and moves
 * each pick to the centre of the density around it.
 *
 * Run it with `--allow-plugin=./coarse_grid_picker.ts`. It needs nothing but `tomosieve`; its options appear in `lint`, in the editor and
 * in `describe`.
 * @module
 */
import { definePlugin, type Picks, type Tomogram, z } from "tomosieve";

const CENTRING_ROUNDS = 5;

export default definePlugin({
  apiVersion: 1,
  name: "coarse-grid",
  kind: "picker",
  summary: "Picks coarse cells whose mean density stands out, and centres on the density there",
  input: "tomogram",
  output: "picks",
  options: z.strictObject({
    cellVoxels: z.int().min(2).max(64).default(8).meta({ description: "Edge of a cell: about a third of the particle", unit: "voxels" }),
    thresholdDeviations: z.number().default(2).meta({
      description: "A cell's mean must exceed the mean of all by this",
      unit: "standard deviations",
    }),
    minimumDistanceVoxels: z.number().min(0).default(16).meta({
      description: "Of two picks nearer than this, the weaker goes",
      unit: "voxels",
    }),
    borderVoxels: z.int().min(0).default(14).meta({ description: "No picks this near to a face: half a box", unit: "voxels" }),
  }),

  create(options, context) {
    const { cellVoxels: c, thresholdDeviations, minimumDistanceVoxels, borderVoxels } = options;

    /** Reads one layer of cells at a time, so that memory does not grow with the tomogram. */
    async function cellMeans(tomogram: Tomogram, signal: AbortSignal) {
      const volume = tomogram.volumes.raw;
      const [nz, ny, nx] = volume.shapeZyx.map((n) => Math.floor(n / c));
      const means = new Float64Array(nz * ny * nx), centroids = new Float64Array(3 * nz * ny * nx);
      for (let z = 0; z < nz; z++) {
        signal.throwIfAborted();
        const slab = await volume.readSlab(z * c, (z + 1) * c);
        const [, height, width] = volume.shapeZyx;
        const low = slab.reduce((least, value) => Math.min(least, value), Infinity);
        for (let y = 0; y < ny; y++) {
          for (let x = 0; x < nx; x++) {
            let sum = 0, mass = 0, mx = 0, my = 0, mz = 0;
            for (let k = 0; k < c; k++) {
              for (let j = 0; j < c; j++) {
                for (let i = 0; i < c; i++) {
                  const value = slab[(k * height + y * c + j) * width + x * c + i];
                  sum += value;
                  mass += value - low;
                  mx += (value - low) * i;
                  my += (value - low) * j;
                  mz += (value - low) * k;
                }
              }
            }
            const cell = (z * ny + y) * nx + x;
            means[cell] = sum / c ** 3;
            centroids.set(mass > 0 ? [x * c + mx / mass, y * c + my / mass, z * c + mz / mass] : [x * c, y * c, z * c], 3 * cell);
          }
        }
        context.progress(z + 1, nz);
      }
      return { means, centroids, shape: [nz, ny, nx] as const };
    }

    /** Moves a pick to the centre of mass of what is denser than the mean, a few times, in a box of three cells. */
    async function centre(tomogram: Tomogram, from: Float64Array): Promise<number[]> {
      const volume = tomogram.volumes.raw, side = 3 * c;
      let at = [...from];
      for (let round = 0; round < CENTRING_ROUNDS; round++) {
        const corner = [at[2], at[1], at[0]].map((x, axis) => {
          const first = Math.round(x) - Math.floor(side / 2);
          return Math.max(0, Math.min(first, volume.shapeZyx[axis] - side));
        }) as [number, number, number];
        const box = await volume.readBox(corner, [side, side, side]);
        const mean = box.reduce((sum, value) => sum + value, 0) / box.length;
        let mass = 0, mx = 0, my = 0, mz = 0;
        for (let i = 0; i < box.length; i++) {
          const weight = Math.max(0, box[i] - mean);
          mass += weight;
          mx += weight * (i % side);
          my += weight * (Math.floor(i / side) % side);
          mz += weight * Math.floor(i / side ** 2);
        }
        if (mass > 0) at = [corner[2] + mx / mass, corner[1] + my / mass, corner[0] + mz / mass];
      }
      return at;
    }

    async function apply(tomogram: Tomogram, signal: AbortSignal): Promise<Picks> {
      const { means, centroids, shape: [nz, ny, nx] } = await cellMeans(tomogram, signal);
      const average = means.reduce((a, b) => a + b, 0) / means.length;
      const deviation = Math.sqrt(means.reduce((sum, value) => sum + (value - average) ** 2, 0) / means.length);
      const candidates = [...means.keys()].filter((cell) => means[cell] > average + thresholdDeviations * deviation).sort((a, b) =>
        means[b] - means[a] || a - b
      );
      const far = (x: number, n: number) => x >= borderVoxels && x < n - borderVoxels;
      const kept: number[] = [];
      for (const cell of candidates) {
        const at = centroids.subarray(3 * cell, 3 * cell + 3);
        const [depth, height, width] = tomogram.volumes.raw.shapeZyx;
        if (!far(at[0], width) || !far(at[1], height) || !far(at[2], depth)) continue;
        const near = kept.some((other) =>
          Math.hypot(at[0] - centroids[3 * other], at[1] - centroids[3 * other + 1], at[2] - centroids[3 * other + 2]) <
            minimumDistanceVoxels
        );
        if (!near) kept.push(cell);
      }
      context.note(
        "cells",
        `${tomogram.id}: ${nx} x ${ny} x ${nz} cells of ${c} voxels, ${candidates.length} above the threshold, ${kept.length} picks`,
      );
      const centres: number[][] = [];
      for (const cell of kept) centres.push(await centre(tomogram, centroids.subarray(3 * cell, 3 * cell + 3)));
      return {
        tomogram,
        centresXyz: Float64Array.from(centres.flat()),
        score: Float32Array.from(kept, (cell) => deviation > 0 ? (means[cell] - average) / deviation : 0),
        columns: {},
      };
    }
    return { apply };
  },
});
