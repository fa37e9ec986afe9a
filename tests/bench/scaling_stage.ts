/**
 * One stage at one size, for `scaling.ts`, in a process of its own: prints processor seconds and peak memory as JSON.
 *
 * Run by scaling.ts: deno run ... tests/bench/scaling_stage.ts STAGE SIZE STACK.
 */
import process from "node:process";
import gmmBic from "../../plugins/clusterers/gmm_bic.ts";
import invariants from "../../plugins/embedders/invariants.ts";
import yopo from "../../plugins/embedders/yopo.ts";
import onnx from "../../plugins/engines/onnx/mod.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { embedAll, posteriorOfAll } from "../../plugins/learners/disca/survey.ts";
import { teach } from "../../plugins/learners/disca/teach.ts";
import onePass from "../../plugins/learners/one_pass.ts";
import dog from "../../plugins/pickers/dog.ts";
import em from "../../plugins/refiners/em.ts";
import type {
  BoxStore,
  Clusterer,
  Clustering,
  Embedder,
  Engine,
  Learner,
  Picks,
  PluginContext,
  Refiner,
  Triple,
  Volume,
} from "../../streams/contract.ts";
import { labelBoxes } from "../../streams/label.ts";
import { peakRssMiB } from "../../streams/memory.ts";
import { WorkerPool } from "../../streams/pool.ts";
import { DiskBoxStore } from "../../streams/store.ts";
import { memoryContext, memoryTomogram } from "../plugins/memory_context.ts";

/** Edge of the boxes. */
export const BOX = 24;
/** What one stage took at one size. */
export interface Measured {
  readonly processorSeconds: number;
  readonly seconds: number;
  /** Peak resident memory less that before the stage, both after warming up. */
  readonly peakMiB: number;
}

interface Bench {
  readonly context: PluginContext;
  readonly engine: () => Promise<Engine>;
  /** The first `n` boxes of the stack. */
  readonly store: (n: number) => BoxStore;
}
/** Gets ready (and warm) for `size`, and gives the work that is measured. */
type Stage = (bench: Bench, size: number) => Promise<() => Promise<unknown>>;

/** Boxes of the warm-up. */
const WARM = 256;
const indicesOf = (n: number) => Int32Array.from({ length: n }, (_, i) => i);

const stages: Record<string, Stage> = {
  // deno-lint-ignore require-await -- one type for all stages
  reading: async ({ store }, size) => async () => {
    const boxes = store(size);
    for (let from = 0; from < size; from += WARM) await boxes.read(indicesOf(Math.min(WARM, size - from)).map((i) => from + i));
  },
  invariants: async ({ store, context }, size) => {
    const embedder = invariants.create(invariants.options.parse({}), context, {}) as Embedder;
    await embedAll(embedder, store(WARM), indicesOf(WARM), context, context.signal);
    return () => embedAll(embedder, store(size), indicesOf(size), context, context.signal);
  },
  mixture: async ({ store, context }, size) => {
    const embedder = invariants.create(invariants.options.parse({}), context, {}) as Embedder;
    const table = await embedAll(embedder, store(size), indicesOf(size), context, context.signal);
    const clusterer = gmmBic.create(gmmBic.options.parse({}), context, {}) as Clusterer;
    return () => clusterer.fit(table, null, 0);
  },
  inference: async ({ store, context, engine }, size) => {
    const embedder = yopo.create(yopo.options.parse({ binning: 2 }), { ...context, engine: await engine() }, {}) as Embedder;
    await embedAll(embedder, store(WARM), indicesOf(WARM), context, context.signal);
    return () => embedAll(embedder, store(size), indicesOf(size), context, context.signal);
  },
  training: async ({ store, context, engine }, size) => {
    const embedder = yopo.create(yopo.options.parse({ binning: 2 }), { ...context, engine: await engine() }, {}) as Embedder;
    const features = await embedAll(embedder, store(WARM), indicesOf(WARM), context, context.signal);
    const k = 30, targets = (n: number) => Float32Array.from({ length: n * k }, (_, i) => Math.floor(i / k) % k === i % k ? 1 : 0);
    await embedder.setClasses(k, features, targets(WARM), 0);
    const lesson = (n: number) => ({
      ...{ boxes: store(n), indices: indicesOf(n), targets: targets(n), k },
      ...{ iteration: 0, epochs: 1, batchSize: 32, learningRate: 1e-3 },
    });
    await teach(embedder, lesson(WARM), context, context.signal);
    return () => teach(embedder, lesson(size), context, context.signal);
  },
  prediction: async ({ store, context, engine }, size) => {
    const embed = yopo.create(yopo.options.parse({ binning: 2 }), { ...context, engine: await engine() }, {}) as Embedder;
    const cluster = gmmBic.create(gmmBic.options.parse({ candidates: [30], components: 16 }), context, {}) as Clusterer;
    const learner = onePass.create(onePass.options.parse({}), context, { embed, cluster }) as Learner;
    const training = store(1000);
    for await (const _ of learner.learn({ boxes: training, heldOut: new Uint8Array(1000), signal: context.signal }));
    return () => labelBoxes(learner, store(size), context.signal, () => {});
  },
  // Posteriors of five classes under averages of 300 boxes: what labels the boxes beyond `refineSubset`, and new tomograms. Linear in classes too.
  alignment: async ({ store, context }, size) => {
    const refiner = em.create(em.options.parse({ maximumRounds: 0 }), context, {}) as Refiner, few = 300, k = 5;
    const start: Clustering = { k, labels: indicesOf(few).map((i) => i % k), classIds: indicesOf(k), criteria: [] };
    const { k: found } = await refiner.refine(store(few), indicesOf(few), start, 1);
    if (found !== k) console.error(`alignment kept ${found} of ${k} classes`);
    return () => posteriorOfAll(refiner, store(size), found, context, context.signal);
  },
  dog: async ({ context }, size) => {
    const edge = Math.round(Math.cbrt(size)),
      pick = async (n: number) => {
        const picker = await dog.create(dog.options.parse({ particleDiameterAngstrom: 200 }), context, {});
        return await picker.apply(memoryTomogram({ raw: noiseVolume([n, n, n]) }), context.signal) as Picks;
      };
    await pick(48);
    return () => pick(edge);
  },
};
/** What may be measured. */
export const STAGE_NAMES = Object.keys(stages);

/** A volume of noise that is made as it is read: memory is the picker's own. */
function noiseVolume(shapeZyx: Triple): Volume {
  const random = createRandom(2, "scaling volume"), noise = Float32Array.from({ length: 1 << 20 }, () => random.normal());
  const cut = (from: number, length: number) => {
    const out = new Float32Array(length);
    for (let at = 0; at < length;) {
      const start = (from + at * 7919) % (noise.length - 4096), n = Math.min(4096, length - at);
      out.set(noise.subarray(start, start + n), at);
      at += n;
    }
    return out;
  };
  const [, ny, nx] = shapeZyx;
  return {
    shapeZyx,
    voxelSizeAngstrom: 10,
    readBox: ([z, y, x], [sz, sy, sx]) => Promise.resolve(cut((z * ny + y) * nx + x, sz * sy * sx)),
    readSlab: (z0, z1) => Promise.resolve(cut(z0 * ny * nx, (z1 - z0) * ny * nx)),
  };
}

if (import.meta.main) {
  const [name, size, stack] = Deno.args;
  using pool = new WorkerPool(2);
  const context: PluginContext = { ...memoryContext("scaling"), pool, progress() {} };
  let engine: Promise<Engine> | null = null;
  const store = (n: number) => {
    const rows = Int32Array.from({ length: 2 * n }, (_, i) => i & 1 ? i >> 1 : 0);
    const geometry = { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: 1 } as const;
    return new DiskBoxStore([{ path: stack, geometry, rows }], BOX, 10);
  };
  const open = () => engine ??= Promise.resolve(onnx.create(onnx.options.parse({ threads: 2 }), context, {}));
  const work = await stages[name]({ context, engine: open, store }, Number(size));
  const before = peakRssMiB(), spent = process.cpuUsage(), began = performance.now();
  await work();
  const { user, system } = process.cpuUsage(spent);
  const measured: Measured = {
    processorSeconds: (user + system) / 1e6,
    seconds: (performance.now() - began) / 1000,
    peakMiB: Math.max(0, peakRssMiB() - before),
  };
  console.log(JSON.stringify(measured));
  await (await engine as Engine | null)?.[Symbol.asyncDispose]();
}
