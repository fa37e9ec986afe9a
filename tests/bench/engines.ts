/**
 * Times engines on YOPO next to PyTorch in the same run.
 *
 * `deno task bench:engines` runs engines x {quarter, full width} x {box 24, 32} x {train, infer}; `--width --box --batch --threads --mode`
 * select rows (each takes a comma-separated list), `--seconds` is the time spent on each, `--json` makes the last line one JSON object.
 * PyTorch is used when one of `$TOMOSIEVE_TORCH_PYTHON`, `python3` and `/usr/bin/python3` can import it. Engine and peer take turns; of each the
 * shortest time is compared, which other work on the machine disturbs least.
 * @module
 */
import { parseArgs } from "node:util";
import process from "node:process";
import yopo from "../../plugins/embedders/yopo.ts";
import { yopoBlocks, yopoChannels, yopoFeatures, yopoSpec } from "../../plugins/embedders/yopo_network.ts";
import onnx from "../../plugins/engines/onnx/mod.ts";
import type { Engine } from "../../plugins/engines/network.ts";
import { initialiseNetwork } from "../../plugins/kernels/initialise.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import type { PluginContext } from "../../streams/contract.ts";

/** One row of the table. */
interface Result {
  engine: string;
  precision: string;
  width: number;
  box: number;
  batch: number;
  threads: number;
  mode: string;
  /** Shortest of all steps. */
  msPerSubtomogram: number;
  /** This engine's time over PyTorch's float32; null without PyTorch. */
  ratioToPyTorch: number | null;
}

const { values: flags } = parseArgs({
  options: {
    engine: { type: "string", default: "onnx" },
    width: { type: "string", default: "0.25,1" },
    box: { type: "string", default: "24,32" },
    batch: { type: "string", default: "8" },
    threads: { type: "string", default: "2" },
    mode: { type: "string", default: "train,infer" },
    seconds: { type: "string", default: "6" },
    json: { type: "boolean", default: false },
  },
});
const numbers = (list: string) => list.split(",").map(Number);
const TURNS = 3;
const CLASSES = 16;

const context = { signal: new AbortController().signal, warn: (_: string, message: string) => console.error(message) } as PluginContext;
const engines: Record<string, (threads: number) => Promise<Engine>> = {
  onnx: async (threads) => await onnx.create({ threads }, context, {}),
};

/** Shortest ms a subtomogram of an engine within `seconds`. */
async function timeEngine(engine: Engine, box: number, width: number, batch: number, mode: string, seconds: number): Promise<number> {
  const { loss: _, ...chosen } = yopo.options.parse({ width });
  const spec = yopoSpec({ ...chosen, boxVoxels: box, binning: 1, classes: CLASSES, loss: "softmaxCrossEntropy" });
  await using network = await engine.compile(spec, initialiseNetwork(spec, 1));
  const { normal } = createRandom(1, "bench");
  const boxes = Float32Array.from({ length: batch * box ** 3 }, normal);
  const targets = new Float32Array(batch * CLASSES);
  for (let row = 0; row < batch; row++) targets[row * CLASSES + row % CLASSES] = 1;
  const step = () =>
    mode === "train"
      ? network.trainStep({ boxes: boxes.slice() }, targets, batch, 1e-4)
      : network.infer({ boxes: boxes.slice() }, batch, ["features"]);
  await step();
  await step();
  let shortest = Infinity;
  const begin = performance.now();
  for (let i = 0; i < 3 || performance.now() - begin < seconds * 1000; i++) {
    const start = performance.now();
    await step();
    shortest = Math.min(shortest, (performance.now() - start) / batch);
  }
  return shortest;
}

/** Finds a Python with torch. */
async function findTorch(): Promise<string | null> {
  for (const python of [Deno.env.get("TOMOSIEVE_TORCH_PYTHON"), "python3", "/usr/bin/python3"]) {
    if (!python) continue;
    try {
      const { success } = await new Deno.Command(python, { args: ["-c", "import torch"], stdout: "null", stderr: "null" }).output();
      if (success) return python;
    } catch {
      // No such program: try the next.
    }
  }
  return null;
}

/** Shortest ms a subtomogram of PyTorch, and its version. */
async function timeTorch(python: string, box: number, width: number, batch: number, threads: number, mode: string, seconds: number) {
  const channels = Array.from({ length: yopoBlocks(box) }, (_, i) => yopoChannels(i + 1, width)).join();
  const script = new URL("./engines_torch.py", import.meta.url).pathname;
  const settings = { box, channels, features: yopoFeatures(width), batch, threads, mode, seconds };
  const args = [script, ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])];
  const { success, stdout, stderr } = await new Deno.Command(python, { args, stdout: "piped", stderr: "piped" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout)) as { version: string; shortest: number };
}

const torch = await findTorch();
let torchVersion: string | null = null;
const results: Result[] = [];
const machine = { processor: processorName(), processors: navigator.hardwareConcurrency, load: Deno.loadavg()[0] };
console.error(`${machine.processor}, ${machine.processors} processors, load ${machine.load.toFixed(1)}; PyTorch: ${torch ?? "not found"}`);
for (const threads of numbers(flags.threads)) {
  for (const width of numbers(flags.width)) {
    for (const box of numbers(flags.box)) {
      for (const batch of numbers(flags.batch)) {
        for (const mode of flags.mode.split(",")) await measure({ width, box, batch, threads, mode });
      }
    }
  }
}

async function measure(row: Pick<Result, "width" | "box" | "batch" | "threads" | "mode">): Promise<void> {
  const { width, box, batch, threads, mode } = row;
  const seconds = Number(flags.seconds) / TURNS;
  let peer = Infinity;
  const best = new Map<string, { ms: number; precision: string }>();
  for (let turn = 0; turn < TURNS; turn++) {
    for (const name of flags.engine.split(",")) {
      await using engine = await engines[name](threads);
      const ms = await timeEngine(engine, box, width, batch, mode, seconds);
      best.set(name, { ms: Math.min(ms, best.get(name)?.ms ?? Infinity), precision: engine.precision });
    }
    if (!torch) continue;
    const timed = await timeTorch(torch, box, width, batch, threads, mode, seconds);
    torchVersion = timed.version;
    peer = Math.min(peer, timed.shortest);
  }
  const rows = [...best].map(([engine, { ms, precision }]) => ({ engine, precision, ms }));
  if (torch) rows.push({ engine: "pytorch", precision: "float32", ms: peer });
  for (const { engine, precision, ms } of rows) {
    const ratioToPyTorch = torch ? ms / peer : null;
    results.push({ engine, precision, ...row, msPerSubtomogram: ms, ratioToPyTorch });
    const ratio = ratioToPyTorch === null ? "" : `, ${ratioToPyTorch.toFixed(2)} of PyTorch`;
    console.error(
      `${engine} width ${width} box ${box} batch ${batch} threads ${threads} ${mode}: ${ms.toFixed(2)} ms a subtomogram${ratio}`,
    );
  }
}

/** The processor's name; Deno reads /proc only with every permission, so another program reads it. */
function processorName(): string {
  try {
    const { stdout } = new Deno.Command("grep", { args: ["-m1", "model name", "/proc/cpuinfo"], stdout: "piped", stderr: "null" })
      .outputSync();
    return new TextDecoder().decode(stdout).split(":")[1]?.trim() || Deno.build.arch;
  } catch {
    return Deno.build.arch;
  }
}

const versions = { deno: Deno.version.deno, onnxruntime: "1.30.0", pytorch: torchVersion };
if (flags.json) console.log(JSON.stringify({ machine, versions, results }));
process.exit(0);
