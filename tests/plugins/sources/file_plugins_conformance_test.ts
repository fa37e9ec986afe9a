import { temporaryFolder } from "../formats/reading.ts";
import { writeMrcVolume } from "../../../plugins/formats/mrc.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import classVolumes from "../../../plugins/sinks/class_volumes.ts";
import particlesTable from "../../../plugins/sinks/particles_table.ts";
import relionStar from "../../../plugins/sinks/relion_star.ts";
import subtomogramStack from "../../../plugins/sources/subtomogram_stack.ts";
import tomograms from "../../../plugins/sources/tomograms.ts";
import { checkPlugin } from "../../../streams/check_plugin.ts";

Deno.test("the sources tomograms and subtomogram-stack conform", async () => {
  await using folder = await temporaryFolder();
  const random = createRandom(6, "conformance");
  const voxels = Float32Array.from({ length: 20 ** 3 }, () => random.normal());
  await writeMrcVolume(`${folder.path}/a.mrc`, { shapeZyx: [20, 20, 20], voxels, voxelSizeAngstrom: 10 });
  await writeMrcVolume(`${folder.path}/s.mrcs`, {
    shapeZyx: [60, 6, 6],
    voxels: voxels.subarray(0, 2160),
    voxelSizeAngstrom: 10,
    volumeSections: 6,
  });
  await checkPlugin(tomograms, { options: { paths: [`${folder.path}/a.mrc`] } });
  await checkPlugin(subtomogramStack, { options: { path: `${folder.path}/s.mrcs` } });
});

for (const sink of [relionStar, particlesTable, classVolumes]) {
  Deno.test(`the sink ${sink.name} conforms`, () => checkPlugin(sink));
}
