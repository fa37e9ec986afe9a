/**
 * Peak memory and megabytes a second of the stages from tomogram to tomogram, each in a process of its own, on volumes of several sizes: memory must
 * not grow with the number of sections.
 *
 * Run: deno task bench:denoisers [MEGABYTES ...] [STAGE ...]   (default 100 800, all stages: volumes of float32, 1000 x 1000 voxels a section; twice that is needed on disk,
 * four times for Fourier filters). One worker; seconds are of the processor (user and system), so that a busy machine does not matter.
 */
import process from "node:process";
import type { AnyPlugin, Operator, PluginContext } from "../../streams/contract.ts";
import { peakRssMiB } from "../../streams/memory.ts";
import { WorkerPool } from "../../streams/pool.ts";
import { DiskScratch } from "../../streams/scratch.ts";
import { createMrcWriter, openMrcVolume } from "../../plugins/formats/mrc.ts";
import { createRandom } from "../../plugins/kernels/random.ts";

const SIDE = 1000;
const stages: Readonly<Record<string, { readonly file: string; readonly options: Record<string, unknown> }>> = {
  gaussian: { file: "gaussian", options: { sigmaVoxels: 2 } },
  median: { file: "median", options: {} },
  "band-pass": { file: "band_pass", options: { lowPassAngstrom: 40, highPassAngstrom: 1000 } },
  deconvolution: { file: "deconvolution", options: { defocusAngstrom: 40000 } },
  "rescale (Fourier binning by 2)": { file: "rescale", options: { voxelSizeAngstrom: 20 } },
};

/** Writes noise. */
async function write(path: string, sections: number): Promise<void> {
  const random = createRandom(1, "bench");
  const noise = Float32Array.from({ length: SIDE * SIDE }, () => random.normal());
  await using writer = await createMrcWriter(path, { ny: SIDE, nx: SIDE, voxelSizeAngstrom: 10, sync: false });
  for (let z = 0; z < sections; z++) {
    // The same numbers, moved: what matters here is their amount.
    const shift = (z * 7919) % noise.length;
    await writer.writeSlab(Float32Array.from({ length: noise.length }, (_, i) => noise[(i + shift) % noise.length]));
  }
  await writer.finish();
}

/** One stage in this process. */
async function measure(name: string, path: string, folder: string): Promise<void> {
  const { default: plugin } = await import(`../../plugins/denoisers/${stages[name].file}.ts`) as { default: AnyPlugin };
  using pool = new WorkerPool(1);
  await using scratch = new DiskScratch(`${folder}/scratch`);
  const signal = new AbortController().signal;
  const context: PluginContext = {
    stage: name,
    signal,
    random: (...key) => createRandom(1, ...key),
    pool,
    scratch,
    progress: () => {},
    drop: () => {},
    warn: () => {},
    note: () => {},
  };
  await using volume = await openMrcVolume(path);
  const raw = { shapeZyx: volume.shapeZyx, voxelSizeAngstrom: 10, readBox: volume.readBox, readSlab: volume.readSlab };
  const operator = await plugin.create(plugin.options.parse(stages[name].options), context, {}) as Operator<"tomogram", "tomogram">;
  const before = process.cpuUsage(), start = performance.now();
  await operator.apply({
    id: "bench",
    ordinal: 0,
    volumes: { raw },
    geometry: { tiltRangeDegrees: "unknown", tiltAxis: "y", handedness: "unknown" },
    metadata: {},
  }, signal);
  const { user, system } = process.cpuUsage(before);
  console.log(
    JSON.stringify({ peakMiB: peakRssMiB(), processorSeconds: (user + system) / 1e6, wallSeconds: (performance.now() - start) / 1000 }),
  );
}

if (Deno.args[0] === "--one") {
  await measure(Deno.args[1], Deno.args[2], Deno.args[3]);
} else {
  const given = Deno.args.filter((word) => Number(word) > 0).map(Number), sizes = given.length > 0 ? given : [100, 800];
  const wanted = Deno.args.filter((word) => !(Number(word) > 0));
  console.log(
    `Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores, load ${Deno.loadavg().map((load) => load.toFixed(1)).join(" ")}`,
  );
  const folder = await Deno.makeTempDir({ prefix: "tomosieve_bench_" });
  try {
    for (const size of sizes) {
      const sections = Math.max(2, Math.round(size * 1e6 / (4 * SIDE * SIDE))), path = `${folder}/${size}.mrc`;
      await write(path, sections);
      for (const name of Object.keys(stages).filter((name) => wanted.length === 0 || wanted.some((word) => name.startsWith(word)))) {
        const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
          args: ["run", "--allow-all", import.meta.filename!, "--one", name, path, folder],
          stderr: "piped",
        }).output();
        const text = new TextDecoder().decode(stdout).trim();
        await Deno.remove(`${folder}/scratch`, { recursive: true }).catch(() => {});
        if (text === "") throw new Error(new TextDecoder().decode(stderr));
        const { peakMiB, processorSeconds, wallSeconds } = JSON.parse(text);
        console.log(
          `${size} MB, ${sections} sections, ${name}: peak ${peakMiB} MiB, ${
            (size / processorSeconds).toFixed(1)
          } MB a second of the processor, ${(size / wallSeconds).toFixed(1)} MB/s by the clock`,
        );
      }
      await Deno.remove(path);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
