/** What `--dry-run` says of scratch is what a run writes there. */
import { strict as assert } from "node:assert";
import type { ScratchForecast } from "../../streams/scratch_forecast.ts";
import { describeForecast, formatBytes } from "../../streams/scratch_forecast.ts";
import { tomosieve } from "./command.ts";
import { boxes, dog, failing, filesBelow, inFolder, tomograms, writeSample } from "./sample.ts";

async function gzip(path: string): Promise<void> {
  const bytes = new Blob([await Deno.readFile(path)]).stream().pipeThrough(new CompressionStream("gzip"));
  await Deno.writeFile(`${path}.gz`, bytes);
  await Deno.remove(path);
}

Deno.test("the forecast of scratch is met to the byte by a run: compressed input, rescaled and filtered volumes", async () => {
  const manifest = {
    version: 1,
    source: tomograms({ paths: ["*.mrc*"], unlikeVoxelSizes: "allow" }),
    stages: [
      { use: "median" },
      { use: "rescale", options: { voxelSizeAngstrom: 15 } },
      { use: "gaussian", options: { sigmaVoxels: 1 } },
      { use: "band-pass", options: { lowPassAngstrom: 60 } },
      { use: "deconvolution", options: { defocusAngstrom: 30000 } },
      dog({ minimumDistanceVoxels: 7 }),
      // Fails on every tomogram, so that scratch stays.
      { ...boxes({ boxVoxels: 200 }), onError: "drop" },
    ],
    sinks: [{ use: "particles-table" }],
    run: { dir: "run", threads: 1 },
  };
  await inFolder({ "pipeline.json": manifest }, async (folder) => {
    await writeSample(`${folder}/one.mrc`);
    await writeSample(`${folder}/two.mrc`, { seed: 2, voxelSizeAngstrom: 15, shapeZyx: [32, 48, 64] });
    await gzip(`${folder}/one.mrc`);
    const { code, stdout, stderr } = await tomosieve("run", `${folder}/pipeline.json`, "--dry-run", "--json");
    assert.equal(code, 0, stderr);
    assert.deepEqual(filesBelow(folder), ["one.mrc.gz", "pipeline.json", "two.mrc"]);
    const { scratch } = JSON.parse(stdout) as { scratch: ScratchForecast };
    assert.equal(scratch.tomograms, 2);
    assert.deepEqual(Object.keys(scratch.byStage), ["tomograms", "median", "rescale", "gaussian", "band-pass", "deconvolution"]);
    assert.match(
      stderr,
      /scratch: \d.* for 2 tomograms until the run is done \(.*rescale .*\), and up to .* more while a tomogram is worked on; .* are free/,
    );

    await failing(1, "run", `${folder}/pipeline.json`);
    const written = filesBelow(`${folder}/run/scratch`).map((name) => Deno.statSync(`${folder}/run/scratch/${name}`).size);
    assert.equal(written.reduce((sum, bytes) => sum + bytes, 0), scratch.keptBytes);
  });
});

Deno.test("a forecast in words: nothing, too much, and stages that say nothing", () => {
  const forecast = { tomograms: 1, keptBytes: 0, workingBytes: 0, byStage: {}, silent: [], freeBytes: 5 };
  assert.deepEqual(describeForecast(forecast), ["scratch: nothing is written for 1 tomogram"]);
  assert.deepEqual(describeForecast({ ...forecast, keptBytes: 3.4e9, byStage: { rescale: 3.4e9 }, silent: ["mine"], freeBytes: 1e9 }), [
    "scratch: 3.4 GB for 1 tomogram until the run is done (rescale 3.4 GB); 1 GB are free there",
    "scratch: mine does not say what it writes",
    "warning: that is more than is free: choose another run.dir, or bin the tomograms first",
  ]);
  assert.match(describeForecast(null)[0], /not known/);
  assert.deepEqual([0, 999, 1500, 2.5e7, 1.25e12].map(formatBytes), ["0 B", "999 B", "1.5 kB", "25 MB", "1.3 TB"]);
});
