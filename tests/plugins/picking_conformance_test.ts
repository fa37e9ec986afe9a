/**
 * The conformance suite on every plugin between the source and the boxes.
 */
import type { AnyPlugin } from "../../streams/contract.ts";
import { checkPlugin } from "../../streams/check_plugin.ts";
import bandPass from "../../plugins/denoisers/band_pass.ts";
import command from "../../plugins/denoisers/command.ts";
import deconvolution from "../../plugins/denoisers/deconvolution.ts";
import gaussian from "../../plugins/denoisers/gaussian.ts";
import localEnergy from "../../plugins/denoisers/local_energy.ts";
import median from "../../plugins/denoisers/median.ts";
import onnxVolume from "../../plugins/denoisers/onnx_volume.ts";
import pairedVolume from "../../plugins/denoisers/paired_volume.ts";
import rescale from "../../plugins/denoisers/rescale.ts";
import { Graph } from "../../plugins/engines/onnx/graph.ts";
import boxes from "../../plugins/extractors/boxes.ts";
import { writeMrcVolume } from "../../plugins/formats/mrc.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import edgeMargin from "../../plugins/operators/edge_margin.ts";
import flatBoxes from "../../plugins/operators/flat_boxes.ts";
import goldBeads from "../../plugins/operators/gold_beads.ts";
import maskPicks from "../../plugins/operators/mask_picks.ts";
import coordinates from "../../plugins/pickers/coordinates.ts";
import dog from "../../plugins/pickers/dog.ts";
import templateMatching from "../../plugins/pickers/template_matching.ts";

/** Of the suite's own tomograms, `sample_0` and `sample_1`. */
const SHAPE = [28, 32, 36] as const;

const cases: [AnyPlugin, (folder: string) => Record<string, unknown>][] = [
  [dog, () => ({ particleDiameterAngstrom: 80, threshold: { deviations: 2 } })],
  [templateMatching, () => ({ model: "cap", diameterAngstrom: 80, angularStepDegrees: 80 })],
  [coordinates, (folder) => ({ path: `${folder}/picks.csv` })],
  [maskPicks, (folder) => ({ path: `${folder}/sample_0_paired.mrc` })],
  [edgeMargin, () => ({ marginVoxels: 4 })],
  [goldBeads, () => ({ leastDeviations: 4 })],
  [flatBoxes, () => ({ particleDiameterAngstrom: 80 })],
  [boxes, () => ({ boxVoxels: 8 })],
  [gaussian, () => ({ sigmaVoxels: 1 })],
  [median, () => ({})],
  [bandPass, () => ({ lowPassAngstrom: 40 })],
  [deconvolution, () => ({ defocusAngstrom: 30000 })],
  [localEnergy, () => ({ particleDiameterAngstrom: 80 })],
  [onnxVolume, (folder) => ({ model: `${folder}/model.onnx`, tileVoxels: 24, marginVoxels: 2, blendVoxels: 4 })],
  [command, (folder) => ({
    program: Deno.execPath(),
    arguments: [
      "run",
      "--allow-read",
      "--allow-write",
      `${import.meta.dirname}/../fixtures/programs/denoise.ts`,
      "copy",
      "{input}",
      "{output}",
    ],
    cacheFolder: `${folder}/cache`,
  })],
  [rescale, () => ({ voxelSizeAngstrom: 20 })],
  [pairedVolume, (folder) => ({ folder, suffix: "_paired" })],
];

for (const [plugin, options] of cases) {
  Deno.test(`\`${plugin.name}\` conforms`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${folder}/picks.csv`, "tomogram,x,y,z\nsample_0,10,11,12\nsample_1,4,5,6\nsample_1,20,21,22\n");
      const graph = new Graph();
      graph.input("volume", ["n", 1, "d", "h", "w"]);
      graph.output(graph.node("Relu", ["volume"], {}, "denoised"), ["n", 1, "d", "h", "w"]);
      await Deno.writeFile(`${folder}/model.onnx`, graph.encode());
      const random = createRandom(1, "conformance");
      const voxels = Float32Array.from({ length: SHAPE[0] * SHAPE[1] * SHAPE[2] }, () => random.normal());
      for (const id of ["sample_0", "sample_1"]) {
        await writeMrcVolume(`${folder}/${id}_paired.mrc`, { shapeZyx: SHAPE, voxelSizeAngstrom: 10, voxels });
      }
      await checkPlugin(plugin, { options: options(folder) });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
