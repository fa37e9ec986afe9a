/**
 * Picks on a generated 200 x 960 x 928 float32 file with `dog` (sigma 2 and 5), two workers, and reports seconds and peak memory beside
 * SciPy's two Gaussians on an array in memory in the same run. Ours reads the file, filters, finds peaks, statistics and picks.
 *
 * Run: deno task bench:dog [python]. The peer is ../shared/peers/scientific_python.py; without it only our own figures are printed.
 */
import type { Picks } from "../../streams/contract.ts";
import { peakRssMiB } from "../../streams/memory.ts";
import { WorkerPool } from "../../streams/pool.ts";
import { createMrcWriter, openMrcVolume } from "../../plugins/formats/mrc.ts";
import dog from "../../plugins/pickers/dog.ts";
import { memoryContext, memoryTomogram } from "../plugins/memory_context.ts";

const SHAPE = [200, 960, 928] as const, ROUNDS = 3;

function peer(python: string): number | null {
  const script = new URL("../../../shared/peers/scientific_python.py", import.meta.url);
  try {
    const { code, stdout } = new Deno.Command(python, { args: [script.pathname, "dog", "--threads", "1"] }).outputSync();
    return code === 0 ? JSON.parse(new TextDecoder().decode(stdout)).seconds : null;
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
  const seconds: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    using pool = new WorkerPool(2);
    await using volume = await openMrcVolume(path);
    const context = { ...memoryContext(), pool };
    const options = dog.options.parse({ sigmaNarrowVoxels: 2, sigmaWideVoxels: 5 });
    const picker = await dog.create(options, context, {});
    const start = performance.now();
    const picks = await picker.apply(memoryTomogram({ raw: volume }), context.signal) as Picks;
    seconds.push((performance.now() - start) / 1000);
    if (round === 0) console.log(`${picks.score.length} picks; peak memory ${peakRssMiB()} MiB (${before} before)`);
  }
  const best = Math.min(...seconds);
  console.log(
    `Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores; dog on ${SHAPE.join(" x ")}: ${best.toFixed(2)} s with 2 workers`,
  );
  const [python = "python3"] = Deno.args, scipy = peer(python);
  console.log(
    scipy === null
      ? `no peer: ${python} cannot run the script`
      : `SciPy, one thread: ${scipy} s; ours takes ${(best / scipy).toFixed(2)} of that`,
  );
} finally {
  await Deno.remove(folder, { recursive: true });
}
