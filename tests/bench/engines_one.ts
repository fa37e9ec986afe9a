/**
 * Times one engine on one row of tests/bench/engines.ts, in a process of its own, so that its peak memory is its own.
 *
 * Prints one JSON line: `{ shortest, mean, processor, peakMiB, precision, device }` with times in ms a subtomogram; `processor` is user and system
 * time of all threads. `{ absent }` says why an engine does not open here.
 * @module
 */
import { parseArgs } from "node:util";
import process from "node:process";
import yopo from "../../plugins/embedders/yopo.ts";
import { yopoSpec } from "../../plugins/embedders/yopo_network.ts";
import type { Engine } from "../../plugins/engines/network.ts";
import { initialiseNetwork } from "../../plugins/kernels/initialise.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { builtIns } from "../../plugins/mod.ts";
import type { PluginContext } from "../../streams/contract.ts";

const CLASSES = 16;
const { values: flags } = parseArgs({
  options: {
    ...Object.fromEntries(
      ["engine", "options", "width", "box", "batch", "threads", "mode", "seconds"].map((name) => [name, { type: "string" }]),
    ),
  } as Record<string, { type: "string" }>,
});
const [width, box, batch, threads, seconds] = [flags.width, flags.box, flags.batch, flags.threads, flags.seconds].map(Number);
const say = (_: string, message: string) => console.error(message);
const context = { signal: new AbortController().signal, warn: say, note: say } as unknown as PluginContext;

let engine: Engine;
try {
  const { default: plugin } = await builtIns[flags.engine!]();
  const known = "threads" in plugin.options.shape ? { threads } : {};
  engine = await plugin.create(plugin.options.parse({ ...known, ...JSON.parse(flags.options ?? "{}") }), context, {}) as Engine;
} catch (error) {
  console.log(JSON.stringify({ absent: error instanceof Error ? error.message : String(error) }));
  process.exit(0);
}
const { loss: _, ...chosen } = yopo.options.parse({ width });
const spec = yopoSpec({ ...chosen, boxVoxels: box, binning: 1, classes: CLASSES, loss: "softmaxCrossEntropy" });
const network = await engine.compile(spec, initialiseNetwork(spec, 1));
const { normal } = createRandom(1, "bench");
const boxes = Float32Array.from({ length: batch * box ** 3 }, normal);
const targets = new Float32Array(batch * CLASSES);
for (let row = 0; row < batch; row++) targets[row * CLASSES + row % CLASSES] = 1;
const step = () =>
  flags.mode === "train"
    ? network.trainStep({ boxes: boxes.slice() }, targets, batch, 1e-4)
    : network.infer({ boxes: boxes.slice() }, batch, ["features"]);
await step();
await step();
const times: number[] = [];
const before = process.cpuUsage();
const begin = performance.now();
while (times.length < 2 || performance.now() - begin < seconds * 1000) {
  const start = performance.now();
  await step();
  times.push((performance.now() - start) / batch);
}
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({
  shortest: Math.min(...times),
  mean: times.reduce((sum, time) => sum + time, 0) / times.length,
  processor: (user + system) / 1e3 / batch / times.length,
  peakMiB: process.resourceUsage().maxRSS / 1024,
  precision: engine.precision,
  device: engine.device,
}));
process.exit(0);
