/**
 * How time and memory of each stage grow with the number of particles (for `dog`: of voxels): each stage and size in a process of its own,
 * log-log slopes, and what the unit costs come to for 200,000 particles.
 *
 * Run: deno task bench:scaling [--most N] [--stages a,b] [--seconds S] [--out file.md]. Sizes are 1000, 4000, 16000, 64000 and 200000 up to `--most`; a stage
 * goes on to its next size while that is expected to take no more than `--seconds` of processor time (default 120). Time is of all
 * processors: on a busy machine the clock says little.
 */
import { parseArgs } from "node:util";
import { createRandom } from "../../plugins/kernels/random.ts";
import { normaliseBoxes } from "../../plugins/kernels/prepare.ts";
import { makeSet } from "../../plugins/sources/simulated/sets.ts";
import { StackWriter } from "../../streams/store.ts";
import { memoryTomogram } from "../plugins/memory_context.ts";
import { BOX, type Measured, STAGE_NAMES } from "./scaling_stage.ts";

const SIZES = [1000, 4000, 16_000, 64_000, 200_000];
/** Edges of cubic volumes for `dog`. */
const EDGES = [64, 128, 256, 400];
/** Boxes that are simulated; the store repeats them under fresh noise. */
const SIMULATED = 600;
/** Pool of normal numbers that noise is cut from. */
const NOISE = 1 << 22;
const TARGET = 200_000;

const { values: args } = parseArgs({
  args: Deno.args,
  options: {
    most: { type: "string", default: "200000" },
    stages: { type: "string", default: STAGE_NAMES.join(",") },
    seconds: { type: "string", default: "120" },
    out: { type: "string" },
  },
});
const most = Number(args.most), longest = Number(args.seconds);

/** A stack of `count` boxes, five structures at SNR .1, the noise of each box its own. */
async function writeStore(path: string, count: number): Promise<void> {
  const { voxels } = makeSet("choosing", { count: SIMULATED, snr: 0.4, seed: 0, classes: 5 });
  const clean = normaliseBoxes(voxels, SIMULATED, BOX).voxels, size = BOX ** 3;
  const random = createRandom(1, "scaling"), noise = Float32Array.from({ length: NOISE }, () => 1.5 * random.normal());
  await using writer = new StackWriter(path);
  for (let from = 0; from < count; from += 500) {
    const n = Math.min(500, count - from), batch = new Float32Array(n * size);
    for (let i = 0; i < n; i++) {
      const source = random.integer(SIMULATED) * size, at = random.integer(NOISE - size);
      for (let v = 0; v < size; v++) batch[i * size + v] = clean[source + v] + noise[at + v];
    }
    const rows = Int32Array.from({ length: 2 * n }, (_, i) => i & 1 ? from + (i >> 1) : 0);
    await writer.add({ tomogram: memoryTomogram({}), rows, boxVoxels: BOX, voxels: normaliseBoxes(batch, n, BOX).voxels }, 10);
  }
  await writer.finish();
}

/** Runs a stage at one size in a process of its own. */
async function measure(stage: string, size: number, stack: string): Promise<Measured> {
  const flags = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--allow-ffi"];
  const script = new URL("scaling_stage.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args: ["run", ...flags, script, stage, String(size), stack] })
    .output();
  const text = new TextDecoder();
  if (code !== 0) throw new Error(`${stage} at ${size}: ${text.decode(stderr)}`);
  return JSON.parse(text.decode(stdout).trim().split("\n").at(-1)!);
}

/** Least-squares slope of log y over log x. */
function slope(points: readonly (readonly [number, number])[]): number | null {
  const logs = points.filter(([, y]) => y > 0).map(([x, y]) => [Math.log(x), Math.log(y)]);
  if (logs.length < 2) return null;
  const [mx, my] = [0, 1].map((axis) => logs.reduce((sum, point) => sum + point[axis] / logs.length, 0));
  const spread = logs.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  return logs.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0) / spread;
}

const folder = await Deno.makeTempDir({ prefix: "tomosieve_scaling_" });
const lines: string[] = [];
const say = (line: string) => {
  console.log(line);
  lines.push(line);
};
try {
  const stack = `${folder}/0000_stack.mrcs`, stages = args.stages.split(",");
  if (stages.some((stage) => stage !== "dog")) await writeStore(stack, Math.min(most, SIZES[SIZES.length - 1]));
  say(
    `Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} processors, load ${
      Deno.loadavg()[0].toFixed(1)
    }; boxes of ${BOX}^3; seconds are of all processors; memory is the peak of the stage less that of the same process before it`,
  );
  say("");
  say("| stage | size: seconds, MiB | slope of time | slope of memory | unit cost | for 200,000 |");
  say("| --- | --- | --- | --- | --- | --- |");
  for (const stage of stages) {
    const sizes = stage === "dog" ? EDGES.map((edge) => edge ** 3) : SIZES.filter((size) => size <= most);
    const done: [number, Measured][] = [];
    for (const size of sizes) {
      const last = done.at(-1);
      if (last && last[1].processorSeconds * size / last[0] > longest) break;
      done.push([size, await measure(stage, size, stack)]);
      console.error(`${stage} ${size}: ${JSON.stringify(done.at(-1)![1])}`);
    }
    // The first size is short enough to be lost among start-up and rounding.
    const fitted = done.length > 2 ? done.slice(-3) : done;
    const time = slope(fitted.map(([size, { processorSeconds }]) => [size, processorSeconds]));
    const memory = slope(fitted.map(([size, { peakMiB }]) => [size, peakMiB]));
    // What one more particle costs: the last two sizes, so that start-up and the fixed work of a subsample do not count.
    const [last, before] = [done.at(-1)!, done.at(-2) ?? [0, { processorSeconds: 0 }] as const];
    const unit = (last[1].processorSeconds - before[1].processorSeconds) / (last[0] - before[0]);
    const whole = last[1].processorSeconds + unit * (TARGET - last[0]);
    const shown = (value: number | null) => value === null ? "-" : value.toFixed(2);
    say(
      `| ${stage} | ${done.map(([n, m]) => `${n}: ${m.processorSeconds.toFixed(2)} s, ${m.peakMiB}`).join("; ")} | ${shown(time)} | ${
        shown(memory)
      } | ${
        stage === "dog"
          ? `${(unit * 1e6).toFixed(3)} s a million voxels | - |`
          : `${(unit * 1000).toFixed(2)} ms | ${(whole / 60).toFixed(1)} processor minutes |`
      }`,
    );
  }
  if (args.out) await Deno.writeTextFile(args.out, lines.join("\n") + "\n");
} finally {
  await Deno.remove(folder, { recursive: true });
}
