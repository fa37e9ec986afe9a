/**
 * Recall and precision of pickers, with and without the stages that sort picks out, on simulated tomograms with a membrane and gold beads.
 * Seeds 0 to 9 are for choosing settings; report with others. A pick is right within half a particle's diameter of a true centre.
 *
 * Run: deno task bench:picking [seed,seed,...] (default 0,1).
 */
import type { AnyPlugin, Operator, Picks, Tomogram } from "../../streams/contract.ts";
import { WorkerPool } from "../../streams/pool.ts";
import { matchPoints } from "../../plugins/kernels/match_points.ts";
import { builtIns } from "../../plugins/mod.ts";
import { prepareScene } from "../../plugins/sources/simulated/prepare_scene.ts";
import { parseScene } from "../../plugins/sources/simulated/scene.ts";
import { layOut } from "../../plugins/sources/simulated/tomogram.ts";
import { simulateTomogram } from "../../plugins/sources/simulated.ts";
import { memoryContext } from "../plugins/memory_context.ts";

const particleDiameterAngstrom = 240;
const one = [{ model: "tripod", diameterAngstrom: 240, count: 60 }];
const scenes: Readonly<Record<string, Record<string, unknown>>> = {
  "SNR .1": { species: one },
  "SNR .03": { species: one, snr: 0.03 },
  "defocus 4 um, 1/f noise": { species: one, ctf: { defocusAngstrom: 40000 }, noisePowerExponent: 1 },
  "two sizes": { species: [{ model: "cap", diameterAngstrom: 300, count: 20 }, { model: "cap", diameterAngstrom: 150, count: 40 }] },
};
type Stage = readonly [string, Record<string, unknown>];
const dog = (more: Record<string, unknown> = {}): Stage => ["dog", { particleDiameterAngstrom, minimumDistanceVoxels: 8, ...more }];
const filters: readonly Stage[] = [["gold-beads", {}], ["flat-boxes", { particleDiameterAngstrom }]];
const template: Stage = ["template-matching", { model: "tripod", diameterAngstrom: 240, angularStepDegrees: 24 }];
const energy: Stage = ["local-energy", { particleDiameterAngstrom }];
const pickers: readonly (readonly [string, readonly Stage[]])[] = [
  ["dog, flat peaks kept", [dog({ maximumFlatness: 1 })]],
  ["dog, flat kept, gold-beads, flat-boxes", [dog({ maximumFlatness: 1 }), ...filters]],
  ["dog", [dog()]],
  ["dog, gold-beads", [dog(), filters[0]]],
  ["local-energy, dog", [energy, dog({ volume: "energy" })]],
  ["local-energy, dog, gold-beads", [energy, dog({ volume: "energy" }), filters[0]]],
  ["dog of 300 and 150 A", [dog({ particleDiameterAngstrom: 300, furtherDiametersAngstrom: [150] })]],
  ["template-matching", [template]],
  ["template-matching, both", [template, ...filters]],
];

const seeds = (Deno.args[0] ?? "0,1").split(",").map(Number);
using pool = new WorkerPool(2);
for (const [scene, given] of Object.entries(scenes)) {
  const rows = new Map<string, [number, number]>();
  for (const seed of seeds) {
    const prepared = await prepareScene(parseScene({
      seed,
      voxelSizeAngstrom: 20,
      snr: 0.1,
      snrBoxVoxels: 16,
      membranes: [{ radiusAngstrom: 4000 }],
      goldBeads: { count: 2, diameterAngstrom: 100 },
      tomograms: [{ id: "cell", shapeXyzVoxels: [84, 84, 56] }],
      ...given,
    }));
    const truth = layOut(prepared, 0).centresXyz, tomogram = simulateTomogram(prepared, 0);
    for (const [name, stages] of pickers) {
      let value: Tomogram | Picks = tomogram;
      for (const [use, options] of stages) {
        const plugin: AnyPlugin = (await builtIns[use]()).default, context = { ...memoryContext(), pool };
        const operator = await plugin.create(plugin.options.parse(options), context, {}) as Operator<"picks", "picks">;
        value = await operator.apply(value as Picks, context.signal) as Picks;
      }
      const picks = value as Picks, right = matchPoints(picks.centresXyz, truth, 6).reduce((n, j) => n + (j >= 0 ? 1 : 0), 0);
      const [recall, precision] = rows.get(name) ?? [0, 0];
      rows.set(name, [recall + right / (truth.length / 3), precision + right / Math.max(1, picks.score.length)]);
    }
  }
  console.log(`${scene}, seeds ${seeds.join(", ")}`);
  for (const [name, sums] of rows) {
    console.log(`  ${name.padEnd(32)} recall, precision ${sums.map((v) => (v / seeds.length).toFixed(3)).join("  ")}`);
  }
}
