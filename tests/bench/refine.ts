/**
 * What refinement by alignment (`em`) makes of simulated sets: from the labels of rotation invariants and `gmm-bic`, and from one class.
 *
 * Run: deno task bench:refine [choosing|reporting] [first seed] [seeds] [part of a row's name] [boxes] [invariants,one: what to
 * start from]. Settings were chosen with `choosing` and seeds 0 to 9. Prints the number of classes, the adjusted Rand index against the truth, and seconds (of the clock, and of all processors).
 */
import process from "node:process";
import gmmBic from "../../plugins/clusterers/gmm_bic.ts";
import invariants from "../../plugins/embedders/invariants.ts";
import em from "../../plugins/refiners/em.ts";
import { measureAgreement, tabulateConfusion } from "../../plugins/kernels/agreement.ts";
import { normaliseBoxes } from "../../plugins/kernels/prepare.ts";
import { makeSet } from "../../plugins/sources/simulated/sets.ts";
import type { BoxStore, Clusterer, Clustering, Embedder, Refinement, Refiner } from "../../streams/contract.ts";
import { WorkerPool } from "../../streams/pool.ts";
import { memoryContext } from "../plugins/memory_context.ts";

interface Row {
  readonly name: string;
  readonly box: number;
  readonly snr: number;
  readonly tilt: number;
  readonly error: number;
  /** Sizes in a thousand, largest first. */
  readonly sizes?: readonly number[];
}

const ROWS: readonly Row[] = [
  { name: "box 32, SNR .1, +-60, picks +-1", box: 32, snr: 0.1, tilt: 60, error: 1 },
  { name: "box 32, SNR .05, +-60, picks +-1", box: 32, snr: 0.05, tilt: 60, error: 1 },
  { name: "box 24, SNR .1, +-60, picks +-1", box: 24, snr: 0.1, tilt: 60, error: 1 },
  { name: "box 24, SNR .05, +-60, picks +-1", box: 24, snr: 0.05, tilt: 60, error: 1 },
  { name: "box 32, SNR .1, +-60, picks +-3", box: 32, snr: 0.1, tilt: 60, error: 3 },
  { name: "box 32, SNR .05, +-60, picks +-3", box: 32, snr: 0.05, tilt: 60, error: 3 },
  { name: "box 32, SNR .03, +-40, picks +-1", box: 32, snr: 0.03, tilt: 40, error: 1 },
  { name: "box 24, SNR .03, +-40, picks +-1", box: 24, snr: 0.03, tilt: 40, error: 1 },
  { name: "box 24, SNR .02, +-60, picks +-1", box: 24, snr: 0.02, tilt: 60, error: 1 },
  { name: "box 32, SNR .1, sizes 10 : 1", box: 32, snr: 0.1, tilt: 60, error: 1, sizes: [400, 280, 180, 100, 40] },
  { name: "box 24, noise only", box: 24, snr: 0, tilt: 60, error: 1 },
];

const [set = "choosing", firstSeed = "0", seeds = "1", part = "", boxes = "1000", from = "invariants"] = Deno.args;
const count = Number(boxes);
using pool = new WorkerPool(2);

function storeOf(row: Row, seed: number): { store: BoxStore; truth: Int32Array; voxels: Float32Array } {
  const size = row.box ** 3, tiltRangeDegrees = [-row.tilt, row.tilt] as const;
  // A stack has no variance of noise without a signal: noise alone is a signal too weak to matter.
  const stack = makeSet(set as "choosing" | "reporting", {
    count: row.sizes ? row.sizes.map((part) => Math.round(part * count / 1000)) : count,
    boxVoxels: row.box,
    snr: row.snr || 1e-9,
    tiltRangeDegrees,
    pickErrorVoxels: row.error,
    seed,
    classes: 5,
  });
  const n = stack.labels.length, voxels = normaliseBoxes(stack.voxels, n, row.box).voxels;
  const store: BoxStore = {
    count: n,
    boxVoxels: row.box,
    voxelSizeAngstrom: 10,
    rows: Int32Array.from({ length: 2 * n }, (_, i) => i & 1 ? i >> 1 : 0),
    geometryOf: () => ({ tiltRangeDegrees, tiltAxis: "y", handedness: 1 }),
    read: (indices) => {
      const out = new Float32Array(indices.length * size);
      for (let i = 0; i < indices.length; i++) out.set(voxels.subarray(indices[i] * size, (indices[i] + 1) * size), i * size);
      return Promise.resolve(out);
    },
  };
  return { store, truth: row.snr ? stack.labels : new Int32Array(n), voxels };
}

async function refined(store: BoxStore, start: Clustering): Promise<Refinement> {
  const context = { ...memoryContext("bench"), pool };
  const refiner = await em.create(em.options.parse({}), context, {}) as Refiner;
  const result = await refiner.refine(store, Int32Array.from({ length: store.count }, (_, i) => i), start, 1);
  for (const row of result.trace) console.error(`      ${JSON.stringify(row)}`);
  return result;
}

async function timed<T>(work: () => Promise<T>): Promise<{ result: T; seconds: string }> {
  const begin = performance.now(), before = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { result, seconds: `${((performance.now() - begin) / 1000).toFixed(0)} s, ${((user + system) / 1e6).toFixed(0)} CPU s` };
}

console.log(`${set} set, ${count} boxes, five classes; ${navigator.hardwareConcurrency} processors, load ${Deno.loadavg()[0].toFixed(1)}`);
for (const row of ROWS.filter(({ name }) => name.includes(part))) {
  for (let seed = Number(firstSeed); seed < Number(firstSeed) + Number(seeds); seed++) {
    const { store, truth, voxels } = storeOf(row, seed);
    const judge = ({ labels, k }: { labels: Int32Array; k: number }) =>
      `K ${k}, ARI ${measureAgreement(tabulateConfusion(truth, labels)).ari.toFixed(3)}`;
    console.log(`${row.name}, seed ${seed}`);
    const start = await timed(async () => {
      const context = { ...memoryContext("bench"), pool };
      const embedder = await invariants.create(invariants.options.parse({}), context, {}) as Embedder;
      const values = await embedder.embed(voxels, store.count);
      const clusterer = await gmmBic.create(gmmBic.options.parse({}), context, {}) as Clusterer;
      return await clusterer.fit({ rows: store.rows, dims: embedder.dims, values }, null, 0);
    });
    console.log(`   invariants        ${judge(start.result)} (${start.seconds})`);
    for (const name of from.split(",")) {
      const one: Clustering = { k: 1, labels: new Int32Array(store.count), classIds: new Int32Array(1), criteria: [] };
      const better = await timed(() => refined(store, name === "one" ? one : start.result));
      const { trusted, figures } = better.result;
      const trust = Object.entries(figures ?? {}).map(([figure, value]) => `${figure} ${value.toFixed(3)}`).join(", ");
      console.log(`   em from ${name.padEnd(10)} ${judge(better.result)} (${better.seconds}) ${trusted ? "" : "not trusted, "}${trust}`);
    }
  }
}
