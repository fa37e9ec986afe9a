/**
 * One iteration's training of the embedder: originals and uniformly rotated copies, prepared alike, in a shuffled order that the seed fixes.
 * @module
 */
import type { BoxStore, Embedder, PluginContext } from "../../../streams/contract.ts";
import type { PreparedBoxes } from "../../kernels/prepare.ts";

const PREPARE = new URL("../../kernels/prepare.ts", import.meta.url).href;
const ROTATE = new URL("../../kernels/rotate.ts", import.meta.url).href;
/** Batches that are read, rotated and prepared ahead of the engine. */
const AHEAD = 3;

/** What to teach. */
export interface Lesson {
  readonly boxes: BoxStore;
  /** Boxes to learn from. */
  readonly indices: Int32Array;
  /** `[count of the store, k]`: what each box should be. */
  readonly targets: Float32Array;
  readonly k: number;
  readonly iteration: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
}

/** How a lesson went. */
export interface Taught {
  /** Mean over the last epoch. */
  readonly loss: number;
  /** How long the lesson took and, when the embedder says so, how long of it the engine was at work. */
  readonly milliseconds: number;
  readonly engineMilliseconds: number | null;
}

/** Steps that are asked for at a time, of an embedder that queues them: the engine takes the next while the last one's answer is on its way. */
const QUEUED = 2;

/**
 * Trains the embedder. Batches are read, rotated and prepared while the engine works on those before them; results do not depend on that.
 *
 * An abort ends it within one batch: the step at the engine may be finished, none is begun.
 */
export async function teach(embedder: Embedder, lesson: Lesson, context: PluginContext, signal: AbortSignal): Promise<Taught> {
  const { boxes, indices, targets, k, iteration, epochs, batchSize, learningRate } = lesson;
  const batches: Int32Array[] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    // Item 2 i is box i itself, item 2 i + 1 its rotated copy.
    const order = context.random("order", iteration, epoch).permutation(2 * indices.length);
    for (let at = 0; at < order.length;) {
      // One box alone has no batch statistics: it joins the batch before it.
      const end = order.length - at <= batchSize + 1 ? order.length : at + batchSize;
      batches.push(order.subarray(at, end));
      at = end;
    }
  }
  const seed = context.random("rotations").integer(2 ** 31);
  const perEpoch = batches.length / epochs;
  const make = (batch: number) =>
    prepareBatch(
      embedder,
      boxes,
      batches[batch].map((item) => 2 * indices[item >> 1] + (item & 1)),
      seed,
      iteration * epochs + Math.floor(batch / perEpoch),
      context,
      signal,
    );
  const coming: Promise<Float32Array>[] = [];
  const ask = () => {
    const next = make(asked++);
    next.catch(() => {}); // Heard when its turn comes; not at all when training has failed before.
    coming.push(next);
  };
  let asked = 0, lossSum = 0, lossCount = 0, done = 0;
  let engineMilliseconds: number | null = 0;
  const begin = performance.now();
  const steps: ReturnType<Embedder["trainBatch"]>[] = [];
  const finishStep = async () => {
    const { loss, milliseconds } = await steps.shift()!;
    const batch = done++;
    if (batch >= batches.length - perEpoch) {
      lossSum += loss * batches[batch].length;
      lossCount += batches[batch].length;
    }
    engineMilliseconds = milliseconds === undefined || engineMilliseconds === null ? null : engineMilliseconds + milliseconds;
    context.progress(done, batches.length);
  };
  while (asked < Math.min(AHEAD, batches.length)) ask();
  for (let batch = 0; batch < batches.length; batch++) {
    signal.throwIfAborted();
    const voxels = await coming.shift()!;
    if (asked < batches.length) ask();
    const items = batches[batch], wanted = new Float32Array(items.length * k);
    items.forEach((item, j) => {
      const box = indices[item >> 1];
      wanted.set(targets.subarray(box * k, (box + 1) * k), j * k);
    });
    signal.throwIfAborted();
    const step = embedder.trainBatch(voxels, wanted, items.length, learningRate, iteration * 1_000_003 + batch);
    step.catch(() => {}); // Heard when its turn comes.
    steps.push(step);
    if (steps.length === (embedder.queuesTraining ? QUEUED : 1)) await finishStep();
  }
  while (steps.length > 0) await finishStep();
  return { loss: lossSum / lossCount, milliseconds: performance.now() - begin, engineMilliseconds };
}

/** Notes how much of the training the engine spent waiting, where the embedder says how long it worked. */
export function noteIdle(lessons: readonly Taught[], context: PluginContext): void {
  let all = 0, busy = 0;
  for (const { milliseconds, engineMilliseconds } of lessons) {
    if (engineMilliseconds === null) continue;
    all += milliseconds;
    busy += engineMilliseconds;
  }
  if (all === 0) return;
  const share = Math.max(0, 100 * (1 - busy / all)).toFixed(1);
  context.note("engine-idle", `the engine waited for boxes during ${share} % of ${(all / 1000).toFixed(1)} s of training`);
}

/** Items 2 i (box i) and 2 i + 1 (its copy) of a batch, prepared, in the batch's order. */
async function prepareBatch(
  embedder: Embedder,
  boxes: BoxStore,
  items: Int32Array,
  seed: number,
  key: number,
  context: PluginContext,
  signal: AbortSignal,
): Promise<Float32Array> {
  const b = boxes.boxVoxels, size = b ** 3;
  const out = new Float32Array(items.length * size);
  const share = async (copies: number) => {
    const places = [...items.keys()].filter((j) => (items[j] & 1) === copies);
    if (places.length === 0) return;
    const indices = places.map((j) => items[j] >> 1);
    const voxels = await boxes.read(indices);
    const rows = Int32Array.from(indices.flatMap((i) => [boxes.rows[2 * i], boxes.rows[2 * i + 1]]));
    const options = embedder.prepare ?? {};
    const [module, call, args] = copies
      ? [ROTATE, "augmentBoxes", [voxels, places.length, b, seed, key, rows, options]] as const
      : [PREPARE, "prepareBoxes", [voxels, places.length, b, options]] as const;
    const made = await context.pool.run<PreparedBoxes>(module, call, args, { transfer: [voxels.buffer], signal });
    places.forEach((j, p) => out.set(made.voxels.subarray(p * size, (p + 1) * size), j * size));
  };
  await Promise.all([share(0), share(1)]);
  return out;
}
