/**
 * Passes over all boxes of a store in chunks of bounded size: embedding, calibration, agreement under rotation.
 * @module
 */
import type { BoxStore, Embedder, Features, PluginContext, Refiner } from "../../../streams/contract.ts";
import { randomRotation } from "../../kernels/rotation.ts";

const ROTATE = new URL("../../kernels/rotate.ts", import.meta.url).href;
/** Boxes in memory at a time. */
const CHUNK = 256;
/** Boxes whose batch-norm statistics are taken, at most. */
const CALIBRATION_BOXES = 1024;

/** Calls `use` with chunks of boxes in order; the next chunk is read meanwhile. */
async function eachChunk(
  boxes: BoxStore,
  indices: Int32Array,
  signal: AbortSignal,
  use: (voxels: Float32Array, chunk: Int32Array, at: number) => Promise<void>,
): Promise<void> {
  const read = (at: number) => boxes.read(indices.subarray(at, at + CHUNK));
  let next = indices.length > 0 ? read(0) : null;
  for (let at = 0; at < indices.length; at += CHUNK) {
    signal.throwIfAborted();
    const voxels = await next!;
    next = at + CHUNK < indices.length ? read(at + CHUNK) : null;
    next?.catch(() => {});
    await use(voxels, indices.subarray(at, at + CHUNK), at);
  }
}

/** Features of the boxes at `indices`, in that order. */
export async function embedAll(
  embedder: Embedder,
  boxes: BoxStore,
  indices: Int32Array,
  context: PluginContext,
  signal: AbortSignal,
): Promise<Features> {
  const values = new Float32Array(indices.length * embedder.dims), rows = new Int32Array(2 * indices.length);
  await eachChunk(boxes, indices, signal, async (voxels, chunk, at) => {
    values.set(await embedder.embed(voxels, chunk.length), at * embedder.dims);
    chunk.forEach((index, j) => rows.set(boxes.rows.subarray(2 * index, 2 * index + 2), 2 * (at + j)));
    context.progress(Math.min(at + CHUNK, indices.length), indices.length);
  });
  return { rows, dims: embedder.dims, values };
}

/** Recomputes batch-norm statistics over evenly spaced boxes. */
export async function calibrate(embedder: Embedder, boxes: BoxStore, indices: Int32Array, signal: AbortSignal): Promise<void> {
  if (!embedder.trainable) return;
  const step = Math.max(1, indices.length / CALIBRATION_BOXES);
  const chosen = Int32Array.from({ length: Math.min(indices.length, CALIBRATION_BOXES) }, (_, i) => indices[Math.floor(i * step)]);
  await eachChunk(boxes, chosen, signal, (voxels, chunk, at) => embedder.calibrate(voxels, chunk.length, at === 0));
}

/** Class probabilities of all boxes under the refiner's averages, `[count, k]`. */
export async function posteriorOfAll(
  refiner: Refiner,
  boxes: BoxStore,
  k: number,
  context: PluginContext,
  signal: AbortSignal,
): Promise<Float32Array> {
  const posterior = new Float32Array(boxes.count * k);
  const all = Int32Array.from({ length: boxes.count }, (_, i) => i);
  await eachChunk(boxes, all, signal, async (voxels, chunk, at) => {
    const geometries = Array.from(chunk, (index) => boxes.geometryOf(index));
    posterior.set(await refiner.predict(voxels, chunk.length, boxes.boxVoxels, geometries), at * k);
    context.progress(Math.min(at + CHUNK, all.length), all.length);
  });
  return posterior;
}

/** Features of rotated copies of the boxes at `indices`: does the embedder see what turning does not change? */
export async function embedRotated(
  embedder: Embedder,
  boxes: BoxStore,
  indices: Int32Array,
  context: PluginContext,
  signal: AbortSignal,
): Promise<Features> {
  const values = new Float32Array(indices.length * embedder.dims), rows = new Int32Array(2 * indices.length);
  await eachChunk(boxes, indices, signal, async (voxels, chunk, at) => {
    const matrices = new Float64Array(9 * chunk.length);
    chunk.forEach((index, j) => {
      matrices.set(randomRotation(context.random("agreement", boxes.rows[2 * index], boxes.rows[2 * index + 1])), 9 * j);
      rows.set(boxes.rows.subarray(2 * index, 2 * index + 2), 2 * (at + j));
    });
    const rotated = await context.pool.run<Float32Array>(ROTATE, "rotateBoxes", [voxels, chunk.length, boxes.boxVoxels, matrices], {
      transfer: [voxels.buffer],
      signal,
    });
    values.set(await embedder.embed(rotated, chunk.length), at * embedder.dims);
  });
  return { rows, dims: embedder.dims, values };
}
