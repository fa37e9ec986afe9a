/**
 * The picker's defaults on simulated crowded tomograms. They were chosen on seeds 0 to 9; these are others.
 */
import assert from "node:assert/strict";
import type { Picks, Tomogram } from "../../../streams/contract.ts";
import { matchPoints } from "../../../plugins/kernels/match_points.ts";
import dog from "../../../plugins/pickers/dog.ts";
import { prepareScene } from "../../../plugins/sources/simulated/prepare_scene.ts";
import { parseScene } from "../../../plugins/sources/simulated/scene.ts";
import { layOut } from "../../../plugins/sources/simulated/tomogram.ts";
import { simulateTomogram } from "../../../plugins/sources/simulated.ts";
import { memoryContext } from "../memory_context.ts";

/** What the project asks of the demo at SNR 0.1. */
const LEAST_RECALL = 0.9, LEAST_PRECISION = 0.7;

const models = ["ring-of-seven", "barrel", "tripod", "l-shape", "crossed-rods", "cap"];

async function pickSimulated(seed: number, snr: number): Promise<{ recall: number; precision: number }> {
  const scene = parseScene({
    seed,
    voxelSizeAngstrom: 10,
    snr,
    snrBoxVoxels: 28,
    species: models.map((model) => ({ model, diameterAngstrom: 240, count: 12 })),
    membranes: [{ radiusAngstrom: 4000 }],
    goldBeads: { count: 1, diameterAngstrom: 100 },
    tomograms: [{ id: "cell", shapeXyzVoxels: [168, 168, 112] }],
  });
  const prepared = await prepareScene(scene), truth = layOut(prepared, 0).centresXyz, context = memoryContext();
  const tomogram: Tomogram = simulateTomogram(prepared, 0);
  const picker = await dog.create(dog.options.parse({ particleDiameterAngstrom: 240 }), context, {});
  const picks = await picker.apply(tomogram, context.signal) as Picks;
  const right = matchPoints(picks.centresXyz, truth, 12).reduce((n, j) => n + (j >= 0 ? 1 : 0), 0);
  return { recall: right / (truth.length / 3), precision: right / picks.score.length };
}

for (const [seed, snr] of [[20, 0.1], [22, 0.03]]) {
  Deno.test(`\`dog\` with its defaults finds simulated particles at SNR ${snr} among a membrane and gold (seed ${seed})`, async () => {
    const { recall, precision } = await pickSimulated(seed, snr);
    assert.ok(recall >= LEAST_RECALL && precision >= LEAST_PRECISION, `recall ${recall.toFixed(3)}, precision ${precision.toFixed(3)}`);
  });
}
