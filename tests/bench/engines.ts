/**
 * Times engines on YOPO next to PyTorch in the same run.
 *
 * `deno task bench:engines` runs engines x {quarter, full width} x {box 24, 32} x {train, infer}. `--engine --width --box --batch --threads --mode`
 * select rows (each takes a comma-separated list). `--engine` takes names of built-in engines, with a backend after a colon (`tfjs:cpu`); `--peer` names
 * PyTorch's precisions (float32, bfloat16 by autocast).
 * `--seconds` is the time spent on each engine in a row, in `--turns` turns; `--limit` is when a turn is given up. `--json` makes the last line
 * one JSON object. PyTorch is used when one of `$TOMOSIEVE_TORCH_PYTHON`, `python3` and `/usr/bin/python3` can import it.
 *
 * Engines and peers take turns, each in a process of its own. Of each the shortest step by the clock and the least processor time a
 * subtomogram are compared, which other work on the machine disturbs least; peak memory is that of the whole process.
 * @module
 */
import { parseArgs } from "node:util";
import process from "node:process";
import configuration from "../../deno.json" with { type: "json" };
import { yopoBlocks, yopoChannels, yopoFeatures } from "../../plugins/embedders/yopo_network.ts";

/** One row of the table. */
interface Result {
  engine: string;
  precision: string;
  width: number;
  box: number;
  batch: number;
  threads: number;
  mode: string;
  /** By the clock, shortest of all steps. */
  msPerSubtomogram: number;
  /** User and system time of all threads, mean of the best turn. */
  processorMsPerSubtomogram: number;
  peakMiB: number;
  /** This engine's time over PyTorch's in float32, by the clock and by processor time; null without PyTorch. */
  ratioToPyTorch: number | null;
  processorRatioToPyTorch: number | null;
}

/** What a measuring process prints. */
interface Measured {
  shortest: number;
  processor: number;
  peakMiB: number;
  precision?: string;
  version?: string;
  /** Why there is nothing to measure. */
  absent?: string;
}

const { values: flags } = parseArgs({
  options: {
    engine: { type: "string", default: "onednn,onnx,tfjs:tensorflow,tfjs:webgpu" },
    width: { type: "string", default: "0.25,1" },
    box: { type: "string", default: "24,32" },
    batch: { type: "string", default: "8" },
    threads: { type: "string", default: "2" },
    mode: { type: "string", default: "train,infer" },
    peer: { type: "string", default: "float32,bfloat16" },
    seconds: { type: "string", default: "6" },
    turns: { type: "string", default: "3" },
    limit: { type: "string", default: "300" },
    json: { type: "boolean", default: false },
  },
});
const numbers = (list: string) => list.split(",").map(Number);
const turns = Number(flags.turns);
type Row = Pick<Result, "width" | "box" | "batch" | "threads" | "mode">;

/** Contestants that are not to be asked again, with the reason that was said. */
const skipped = new Map<string, string>();

/** Runs a measuring process; null when it is skipped, which is said aloud once. */
async function measure(name: string, program: string, args: string[]): Promise<Measured | null> {
  const limit = Number(flags.limit);
  const skip = (why: string) => {
    skipped.set(name, why);
    console.error(`${name}: skipped: ${why}`);
    return null;
  };
  const child = new Deno.Command(program, { args, stdout: "piped", stderr: "piped" }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), limit * 1000);
  const start = performance.now();
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  if (!success) {
    if (performance.now() - start >= limit * 1000) return skip(`not done within ${limit} s; --limit gives it longer`);
    return skip(new TextDecoder().decode(stderr).trim().split("\n").slice(-3).join(" "));
  }
  const measured = JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!) as Measured;
  return measured.absent === undefined ? measured : skip(measured.absent);
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

const asFlags = (settings: Readonly<Record<string, unknown>>) =>
  Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
const pathOf = (file: string) => new URL(file, import.meta.url).pathname;

function measureEngine(title: string, row: Row, seconds: number): Promise<Measured | null> {
  const [engine, backend] = title.split(":");
  const options = JSON.stringify(backend ? { backend } : {});
  const args = asFlags({ engine, options, ...row, seconds });
  return measure(title, Deno.execPath(), ["run", "-A", `--config=${pathOf("../../deno.json")}`, pathOf("./engines_one.ts"), ...args]);
}

function measureTorch(title: string, precision: string, row: Row, seconds: number): Promise<Measured | null> {
  const channels = Array.from({ length: yopoBlocks(row.box) }, (_, i) => yopoChannels(i + 1, row.width)).join();
  const { width, ...others } = row;
  const settings = { ...others, channels, features: yopoFeatures(width), precision, seconds };
  return measure(title, torch!, [pathOf("./engines_torch.py"), ...asFlags(settings)]);
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
        for (const mode of flags.mode.split(",")) await compare({ width, box, batch, threads, mode });
      }
    }
  }
}

/** Measures everyone on one row, turn by turn. */
async function compare(row: Row): Promise<void> {
  const seconds = Number(flags.seconds) / turns;
  const best = new Map<string, Measured>();
  const keep = (title: string, measured: Measured | null) => {
    if (!measured) return;
    const before = best.get(title) ?? { shortest: Infinity, processor: Infinity, peakMiB: 0 };
    best.set(title, {
      ...measured,
      shortest: Math.min(measured.shortest, before.shortest),
      processor: Math.min(measured.processor, before.processor),
      peakMiB: Math.max(measured.peakMiB, before.peakMiB),
    });
    torchVersion ??= measured.version ?? null;
  };
  for (let turn = 0; turn < turns; turn++) {
    for (const title of flags.engine.split(",")) if (!skipped.has(title)) keep(title, await measureEngine(title, row, seconds));
    if (!torch) continue;
    for (const precision of flags.peer.split(",")) {
      const title = precision === "float32" ? "pytorch" : `pytorch ${precision}`;
      if (!skipped.has(title)) keep(title, await measureTorch(title, precision, row, seconds));
    }
  }
  const peer = best.get("pytorch");
  for (const [title, { shortest, processor, peakMiB, precision }] of best) {
    const [engine, reduced = "float32"] = title.split(" ");
    const result: Result = {
      engine,
      precision: precision ?? reduced,
      ...row,
      msPerSubtomogram: shortest,
      processorMsPerSubtomogram: processor,
      peakMiB,
      ratioToPyTorch: peer ? shortest / peer.shortest : null,
      processorRatioToPyTorch: peer ? processor / peer.processor : null,
    };
    results.push(result);
    const ratio = peer
      ? `, ${result.ratioToPyTorch!.toFixed(2)} of PyTorch by the clock, ${result.processorRatioToPyTorch!.toFixed(2)} by processor time`
      : "";
    console.error(
      `width ${row.width} box ${row.box} batch ${row.batch} threads ${row.threads} ${row.mode}: ${engine} ${result.precision} ` +
        `${shortest.toFixed(2)} ms a subtomogram (processor ${processor.toFixed(2)}), peak ${peakMiB.toFixed(0)} MiB${ratio}`,
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

const libraries = Object.entries(configuration.imports).filter(([name]) => /onnxruntime-node|tfjs/.test(name));
const versions = {
  deno: Deno.version.deno,
  ...Object.fromEntries(libraries.map(([name, specifier]) => [name, specifier.split("@").at(-1)])),
  pytorch: torchVersion,
};
if (flags.json) console.log(JSON.stringify({ machine, versions, results, skipped: Object.fromEntries(skipped) }));
process.exit(0);
