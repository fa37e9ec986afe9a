/**
 * Picks and cuts boxes on a generated tomogram of 200 x 960 x 928 voxels (z, y, x; float32): seconds of each step and peak memory.
 *
 * Run: deno task proof:picking [more sections]. A figure beside the project's aim; exits 1 above 600 MiB or when true particles are missed.
 * The peak must not grow with the number of sections: try 200 and 400.
 */
import type { Picks, Subtomograms, Triple } from "../../streams/contract.ts";
import { peakRssMiB } from "../../streams/memory.ts";
import { WorkerPool } from "../../streams/pool.ts";
import boxes from "../../plugins/extractors/boxes.ts";
import { createMrcWriter, openMrcVolume } from "../../plugins/formats/mrc.ts";
import { matchPoints } from "../../plugins/kernels/match_points.ts";
import dog from "../../plugins/pickers/dog.ts";
import { memoryContext, memoryTomogram } from "../plugins/memory_context.ts";

const SHAPE: Triple = [Number(Deno.args[0] ?? 200), 960, 928], DIAMETER = 20, SPACING = 30, BOX = 24, MOST_MIB = 600;

/** A jittered grid of balls on uniform noise, section by section. */
async function generate(path: string): Promise<Float64Array> {
  let state = 7;
  const uniform = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const centres: number[] = [];
  for (let z = SPACING; z <= SHAPE[0] - SPACING; z += SPACING) {
    for (let y = SPACING; y <= SHAPE[1] - SPACING; y += SPACING) {
      for (let x = SPACING; x <= SHAPE[2] - SPACING; x += SPACING) {
        centres.push(x + 8 * uniform() - 4, y + 8 * uniform() - 4, z + 8 * uniform() - 4);
      }
    }
  }
  await using writer = await createMrcWriter(path, { ny: SHAPE[1], nx: SHAPE[2], voxelSizeAngstrom: 10, sync: false });
  const section = new Float32Array(SHAPE[1] * SHAPE[2]), radius = DIAMETER / 2;
  for (let z = 0; z < SHAPE[0]; z++) {
    for (let i = 0; i < section.length; i++) section[i] = uniform() - 0.5;
    for (let p = 0; p < centres.length; p += 3) {
      const reach = radius ** 2 - (centres[p + 2] - z) ** 2;
      if (reach <= 0) continue;
      for (let y = Math.ceil(centres[p + 1] - radius); y <= centres[p + 1] + radius; y++) {
        for (let x = Math.ceil(centres[p] - radius); x <= centres[p] + radius; x++) {
          if ((x - centres[p]) ** 2 + (y - centres[p + 1]) ** 2 <= reach) section[y * SHAPE[2] + x] += 0.1;
        }
      }
    }
    await writer.writeSlab(section);
  }
  await writer.finish();
  return Float64Array.from(centres);
}

const folder = await Deno.makeTempDir();
let failed = false;
try {
  const path = `${folder}/full.mrc`, truth = await generate(path);
  using pool = new WorkerPool(2);
  await using volume = await openMrcVolume(path);
  const tomogram = memoryTomogram({ raw: volume }), context = { ...memoryContext(), pool };
  console.log(
    `Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores; ${SHAPE.join(" x ")} float32; before: ${peakRssMiB()} MiB`,
  );

  let start = performance.now();
  const picker = await dog.create(dog.options.parse({ particleDiameterAngstrom: 10 * DIAMETER }), context, {});
  const picks = await picker.apply(tomogram, context.signal) as Picks;
  const found = matchPoints(picks.centresXyz, truth, DIAMETER / 2).reduce((n, j) => n + (j >= 0 ? 1 : 0), 0);
  const recall = found / (truth.length / 3), precision = found / picks.score.length;
  console.log(
    `dog: ${((performance.now() - start) / 1000).toFixed(1)} s, ${picks.score.length} picks, recall ${recall.toFixed(3)}, ` +
      `precision ${precision.toFixed(3)}, peak ${peakRssMiB()} MiB`,
  );

  start = performance.now();
  const extractor = await boxes.create(boxes.options.parse({ boxVoxels: BOX }), context, {});
  let count = 0;
  for await (const batch of extractor.apply(picks, context.signal) as AsyncIterable<Subtomograms>) count += batch.rows.length / 2;
  const seconds = (performance.now() - start) / 1000;
  console.log(`boxes: ${seconds.toFixed(1)} s, ${count} boxes of ${BOX}^3 (${Math.round(count / seconds)}/s), peak ${peakRssMiB()} MiB`);
  failed = recall < 0.9 || precision < 0.7 || peakRssMiB() > MOST_MIB;
} finally {
  await Deno.remove(folder, { recursive: true });
}
if (failed) {
  console.error(`expected recall >= 0.9, precision >= 0.7 and at most ${MOST_MIB} MiB`);
  Deno.exit(1);
}
