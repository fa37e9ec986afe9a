/**
 * A tomogram larger than the memory that is spent on it: seconds, MB/s and peak memory of inspecting, picking, cutting boxes and binning,
 * each in a process of its own, at a quarter of the size and at all of it.
 *
 * Run: deno task proof:large [gigabytes, default 4] [steps by commas: inspect,dog,boxes,bin; zarr writes it as OME-Zarr]. Needs that much free disk twice; everything is removed at the end. Exits 1 when the
 * peak of a step grows by more than half from the small file to the large one, or when what comes out is wrong.
 */
import type { Picks, Subtomograms, Triple } from "../../streams/contract.ts";
import { peakRssMiB } from "../../streams/memory.ts";
import { WorkerPool } from "../../streams/pool.ts";
import { DiskScratch } from "../../streams/scratch.ts";
import rescale from "../../plugins/denoisers/rescale.ts";
import boxes from "../../plugins/extractors/boxes.ts";
import { copyVolume } from "../../plugins/formats/copy_volume.ts";
import { examineVolume } from "../../plugins/formats/examine_volume.ts";
import { createMrcWriter, openMrcVolume } from "../../plugins/formats/mrc.ts";
import { matchPoints } from "../../plugins/kernels/match_points.ts";
import dog from "../../plugins/pickers/dog.ts";
import { memoryContext, memoryTomogram } from "../plugins/memory_context.ts";

const EDGE = 1024, SPACING = 64, RADIUS = 10, BOX = 32;
/** Peaks of one step on one file differ by up to a fifth: V8 collects garbage when it likes. Four times the file may not take twice the memory. */
const GROWTH = 1.5;
type Step = "inspect" | "dog" | "boxes" | "bin" | "zarr";

/** What a step found; the same number of everything a section in a small file and a large one. */
interface Outcome {
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly peakMiB: number;
  readonly startMiB: number;
  readonly words: string;
  readonly right: boolean;
}

/** Noise with a ball every 64 voxels, section by section. */
async function generate(path: string, sections: number): Promise<void> {
  let state = 7;
  await using writer = await createMrcWriter(path, { ny: EDGE, nx: EDGE, voxelSizeAngstrom: 10, sync: false });
  const section = new Float32Array(EDGE * EDGE);
  for (let z = 0; z < sections; z++) {
    for (let i = 0; i < section.length; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      section[i] = state / 2 ** 32 - 0.5;
    }
    const dz = z % SPACING - SPACING / 2;
    if (Math.abs(dz) <= RADIUS) {
      for (let cy = SPACING / 2; cy < EDGE; cy += SPACING) {
        for (let cx = SPACING / 2; cx < EDGE; cx += SPACING) {
          for (let y = -RADIUS; y <= RADIUS; y++) {
            for (let x = -RADIUS; x <= RADIUS; x++) {
              if (x * x + y * y + dz * dz <= RADIUS * RADIUS) section[(cy + y) * EDGE + cx + x] += 0.2;
            }
          }
        }
      }
    }
    await writer.writeSlab(section);
  }
  await writer.finish();
}

function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function measure(step: Step, folder: string, sections: number): Promise<Outcome> {
  const path = `${folder}/tomogram.mrc`, startMiB = peakRssMiB(), start = performance.now();
  const end = (words: string, right: boolean): Outcome => ({
    seconds: (performance.now() - start) / 1000,
    processorSeconds: processorSeconds(),
    peakMiB: peakRssMiB(),
    startMiB,
    words,
    right,
  });
  if (step === "inspect") {
    const { statistics, anomalies } = await examineVolume(path);
    return end(`mean ${statistics!.mean.toFixed(5)}, ${anomalies.length} anomalies`, anomalies.length === 0 && statistics!.max > 0.5);
  }
  if (step === "zarr") {
    const { statistics } = await copyVolume(path, `${folder}/copy.zarr`);
    return end(`written as OME-Zarr 0.5, mean ${statistics.mean.toFixed(5)}`, statistics.max > 0.5);
  }
  using pool = new WorkerPool(2);
  await using volume = await openMrcVolume(path);
  await using scratch = new DiskScratch(`${folder}/scratch`);
  const tomogram = memoryTomogram({ raw: volume }), context = { ...memoryContext(), pool, scratch };
  const half = SPACING / 2, centres: number[] = [];
  for (let z = half; z < sections; z += SPACING) {
    for (let y = half; y < EDGE; y += SPACING) for (let x = half; x < EDGE; x += SPACING) centres.push(x, y, z);
  }
  const balls = centres.length / 3;
  if (step === "dog") {
    const picker = await dog.create(dog.options.parse({ particleDiameterAngstrom: 200 }), context, {});
    const { score, centresXyz } = await picker.apply(tomogram, context.signal) as Picks;
    const found = matchPoints(centresXyz, Float64Array.from(centres), RADIUS / 2).filter((j) => j >= 0).length;
    return end(`${found} of ${balls} balls found by ${score.length} picks`, found >= 0.9 * balls);
  }
  if (step === "bin") {
    const denoiser = await rescale.create(rescale.options.parse({ voxelSizeAngstrom: 20 }), context, {});
    const { volumes: { raw } } = await denoiser.apply(tomogram, context.signal) as typeof tomogram;
    return end(`${raw.shapeZyx.join(" x ")} voxels of ${raw.voxelSizeAngstrom} A`, raw.shapeZyx[0] === sections / 2);
  }
  // Boxes about the balls themselves, so that this step does not wait for the picker.
  const picks: Picks = { tomogram, centresXyz: Float64Array.from(centres), score: new Float32Array(balls), columns: {} };
  const extractor = await boxes.create(boxes.options.parse({ boxVoxels: BOX }), context, {});
  let count = 0;
  for await (const batch of extractor.apply(picks, context.signal) as AsyncIterable<Subtomograms>) count += batch.rows.length / 2;
  return end(`${count} boxes of ${BOX}^3`, count === balls);
}

async function runStep(step: Step, folder: string, sections: number): Promise<Outcome> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-read",
      "--allow-write",
      "--allow-env",
      "--allow-sys",
      "--allow-ffi",
      import.meta.filename!,
      "--step",
      step,
      folder,
      String(sections),
    ],
  }).output();
  if (!success) throw new Error(`${step} failed: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(new TextDecoder().decode(stdout).trim().split("\n").at(-1)!);
}

if (Deno.args[0] === "--step") {
  const [, step, folder, sections] = Deno.args;
  console.log(JSON.stringify(await measure(step as Step, folder, Number(sections))));
  Deno.exit(0);
}

const STEPS = (Deno.args[1] ?? "inspect,dog,boxes,bin").split(",") as Step[];
const gigabytes = Number(Deno.args[0] ?? 4), folder = await Deno.makeTempDir({ dir: Deno.env.get("TOMOSIEVE_LARGE_DIR") });
const peaks = new Map<Step, number>();
let failed = false;
try {
  console.log(
    `Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores; peak memory is of the whole process, Deno's own 60 MiB included`,
  );
  for (const part of [gigabytes / 4, gigabytes]) {
    const sections = Math.round(part * 1e9 / (4 * EDGE * EDGE) / SPACING) * SPACING, shape: Triple = [sections, EDGE, EDGE];
    const megabytes = 4 * sections * EDGE * EDGE / 1e6;
    await generate(`${folder}/tomogram.mrc`, sections);
    console.log(`\n${shape.join(" x ")} float32, ${(megabytes / 1000).toFixed(2)} GB`);
    for (const step of STEPS) {
      const { seconds, processorSeconds: processor, peakMiB, words, right } = await runStep(step, folder, sections);
      const before = peaks.get(step), grew = before !== undefined && peakMiB > GROWTH * before;
      peaks.set(step, peakMiB);
      failed ||= grew || !right;
      console.log(
        `${step.padEnd(8)} ${seconds.toFixed(1).padStart(7)} s ${(megabytes / seconds).toFixed(0).padStart(5)} MB/s ` +
          `(${(megabytes / processor).toFixed(0)} MB a processor second), peak ${peakMiB} MiB; ${words}${right ? "" : ": WRONG"}${
            grew ? ": GREW" : ""
          }`,
      );
      await Deno.remove(`${folder}/scratch`, { recursive: true }).catch(() => {});
      await Deno.remove(`${folder}/copy.zarr`, { recursive: true }).catch(() => {});
    }
    await Deno.remove(`${folder}/tomogram.mrc`);
  }
} finally {
  await Deno.remove(folder, { recursive: true });
}
if (failed) Deno.exit(1);
