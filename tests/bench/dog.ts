/**
 * Picks on a generated 200 x 960 x 928 float32 file with `dog` (sigma 2 and 5), two workers, and reports seconds and peak memory beside
 * SciPy's two Gaussians on an array in memory in the same run. Ours reads the file, filters, finds peaks, statistics and picks. On a busy
 * machine look at processor seconds, which other jobs change little.
 *
 * Run: deno task bench:dog [python]. `python` is an interpreter with SciPy; without one only our own figures are printed.
 */
import process from "node:process";
import type { Picks } from "../../streams/contract.ts";
import { peakRssMiB } from "../../streams/memory.ts";
import { WorkerPool } from "../../streams/pool.ts";
import { createMrcWriter, openMrcVolume } from "../../plugins/formats/mrc.ts";
import dog from "../../plugins/pickers/dog.ts";
import { memoryContext, memoryTomogram } from "../plugins/memory_context.ts";

const SHAPE = [200, 960, 928] as const, ROUNDS = 3;

interface Seconds {
  readonly wall: number;
  readonly processor: number;
}

function peer(python: string): Seconds & { readonly scipy: string } | null {
  const env = Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => !name.includes("OPENBLAS")));
  try {
    const { code, stdout } = new Deno.Command(python, {
      args: [new URL("dog.py", import.meta.url).pathname],
      clearEnv: true,
      env: { ...env, OPENBLAS_NUM_THREADS: "1", OMP_NUM_THREADS: "1" },
    }).outputSync();
    return code === 0 ? JSON.parse(new TextDecoder().decode(stdout)) : null;
  } catch {
    return null;
  }
}

const folder = await Deno.makeTempDir();
try {
  const path = `${folder}/bench.mrc`, section = new Float32Array(SHAPE[1] * SHAPE[2]);
  {
    await using writer = await createMrcWriter(path, { ny: SHAPE[1], nx: SHAPE[2], voxelSizeAngstrom: 10 });
    let state = 1;
    for (let z = 0; z < SHAPE[0]; z++) {
      for (let i = 0; i < section.length; i++) section[i] = (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
      await writer.writeSlab(section);
    }
    await writer.finish();
  }
  const before = peakRssMiB();
  let best: Seconds = { wall: Infinity, processor: Infinity };
  for (let round = 0; round < ROUNDS; round++) {
    using pool = new WorkerPool(2);
    await using volume = await openMrcVolume(path);
    const context = { ...memoryContext(), pool };
    const options = dog.options.parse({ sigmaNarrowVoxels: 2, sigmaWideVoxels: 5 });
    const picker = await dog.create(options, context, {});
    const start = performance.now(), spent = process.cpuUsage();
    const picks = await picker.apply(memoryTomogram({ raw: volume }), context.signal) as Picks;
    const { user, system } = process.cpuUsage(spent);
    best = {
      wall: Math.min(best.wall, (performance.now() - start) / 1000),
      processor: Math.min(best.processor, (user + system) / 1e6),
    };
    if (round === 0) console.log(`${picks.score.length} picks; peak memory ${peakRssMiB()} MiB (${before} before)`);
  }
  console.log(
    `Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores, load ${Deno.loadavg()[0].toFixed(1)}; dog on ${
      SHAPE.join(" x ")
    } with 2 ` +
      `workers: ${best.wall.toFixed(2)} s, ${best.processor.toFixed(2)} s of processor time`,
  );
  const [python = "python3"] = Deno.args, scipy = peer(python);
  console.log(
    scipy === null
      ? `no peer: ${python} cannot run tests/bench/dog.py`
      : `SciPy ${scipy.scipy}, one thread: ${scipy.wall.toFixed(2)} s, ${scipy.processor.toFixed(2)} s of processor time; ours takes ` +
        `${(best.wall / scipy.wall).toFixed(2)} and ${(best.processor / scipy.processor).toFixed(2)} of that`,
  );
} finally {
  await Deno.remove(folder, { recursive: true });
}
