import assert from "node:assert/strict";
import { temporaryFolder } from "../../plugins/formats/reading.ts";
import { writeMrcVolume } from "../../../plugins/formats/mrc.ts";
import { describeVolumeFile, voxelSizeOf } from "../../../plugins/formats/volume_file.ts";
import { ManifestError } from "../../../streams/errors.ts";
import { convertVolume, isVolumeConversion } from "../../../streams/verbs/convert_volume.ts";

const quiet = { half: false, overwrite: false, json: false, signal: new AbortController().signal };

Deno.test("`convert` knows a volume by the target's name and the source's content", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`;
  await writeMrcVolume(at("a.mrc"), { shapeZyx: [2, 2, 3], voxels: Float32Array.from({ length: 12 }, (_, i) => i), voxelSizeAngstrom: 10 });
  await Deno.writeTextFile(at("p.csv"), "x,y,z\n1,2,3\n");
  assert.deepEqual(
    [
      await isVolumeConversion(at("a.mrc"), at("b.zarr")),
      await isVolumeConversion(at("p.csv"), at("b.em")),
      await isVolumeConversion(at("a.mrc"), at("b.star")),
    ],
    [true, false, false],
  );
});

Deno.test("`convert` writes volumes, states a voxel size, and replaces nothing unasked", async () => {
  await using folder = await temporaryFolder();
  const at = (name: string) => `${folder.path}/${name}`, said: string[] = [];
  const { error } = console;
  console.error = (line: string) => void said.push(line);
  try {
    await writeMrcVolume(at("a.mrc"), {
      shapeZyx: [2, 2, 3],
      voxels: Float32Array.from({ length: 12 }, (_, i) => i),
      voxelSizeAngstrom: 0,
    });
    assert.equal(await convertVolume({ ...quiet, source: at("a.mrc"), target: at("b.zarr"), voxelSize: 13.48 }), 0);
    assert.equal(voxelSizeOf(await describeVolumeFile(at("b.zarr"))), 13.48);
    assert.match(said.join("\n"), /b\.zarr: OME-Zarr, 3 x 2 x 2 voxels \(x, y, z\), 13\.48 A a voxel, from MRC/);
    const refuses = (target: string, message: RegExp, overwrite = false) =>
      assert.rejects(
        convertVolume({ ...quiet, source: at("a.mrc"), target, overwrite }),
        (fault: Error) => fault instanceof ManifestError && message.test(fault.message),
      );
    await refuses(at("b.zarr"), /b\.zarr exists: give another name, or remove the folder/, true);
    await refuses(at("a.mrc"), /a\.mrc is the file that is read/, true);
    await convertVolume({ ...quiet, source: at("a.mrc"), target: at("c.mrc"), half: true });
    await refuses(at("c.mrc"), /c\.mrc exists: give another name, or --overwrite/);
    await convertVolume({ ...quiet, source: at("a.mrc"), target: at("c.mrc"), overwrite: true });
    assert.equal((await describeVolumeFile(at("c.mrc"))).voxelType, "float32");
  } finally {
    console.error = error;
  }
});
