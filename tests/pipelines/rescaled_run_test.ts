/** A run that rescales speaks of the tomogram that it was given: its table, its STAR file, its score, its report. */
import { strict as assert } from "node:assert";
import { parseCsv } from "../../plugins/formats/csv.ts";
import { loopOf, numbersOf, parseStar } from "../../plugins/formats/star.ts";
import { matchPoints } from "../../plugins/kernels/match_points.ts";
import { tomosieveJson } from "./command.ts";
import { boxes, dog, inFolder, sampleParticles, tomograms, writeSample } from "./sample.ts";

/** Mean distance of picks from the truth, voxels of the given tomogram: `dog` rounds to voxels 1.5 as large, which alone gives 0.72. */
const MEAN_ERROR_VOXELS = 0.8;
/** Mean of their differences along one axis: a shift would show here. */
const BIAS_VOXELS = 0.2;
/** Decimals of a coordinate in the files. */
const FILE_TOLERANCE = 1e-3;

interface Summary {
  readonly particles: number;
  readonly metrics: { readonly recall: number; readonly precision: number };
}

/** Runs the sample, rescaled or not, and reads what it wrote. */
async function runSample(folder: string, name: string, stages: readonly unknown[]) {
  const manifest = {
    version: 1,
    source: tomograms({ truth: "truth.csv" }),
    stages,
    sinks: [{ use: "particles-table", options: { formats: ["csv"] } }, { use: "relion-star" }, { use: "report" }],
    run: { dir: name, threads: 1 },
  };
  await Deno.writeTextFile(`${folder}/${name}.json`, JSON.stringify(manifest));
  const summary = await tomosieveJson<Summary>("run", `${folder}/${name}.json`);
  const table = parseCsv(await Deno.readTextFile(`${folder}/${name}/particles.csv`), "particles.csv", { header: true });
  const column = (wanted: string) => table.rows.map((row) => Number(row[table.header!.indexOf(wanted)]));
  const star = parseStar(await Deno.readTextFile(`${folder}/${name}/particles.star`), "particles.star");
  const [optics, particles] = star.blocks.map(loopOf);
  return { summary, column, optics, particles };
}

Deno.test("a rescaled run scores, tabulates and exports in voxels of the tomogram that it was given", async () => {
  await inFolder({}, async (folder) => {
    await writeSample(`${folder}/tomo.mrc`);
    const truth = sampleParticles();
    await Deno.writeTextFile(
      `${folder}/truth.csv`,
      `tomogram,x,y,z,label\n${truth.map(({ x, y, z, label }) => `tomo,${x},${y},${z},${label}`).join("\n")}\n`,
    );
    const { summary, column, optics, particles } = await runSample(folder, "coarse", [
      { use: "rescale", options: { voxelSizeAngstrom: 15 } },
      dog({ minimumDistanceVoxels: 7 }),
      boxes({ boxVoxels: 8 }),
    ]);
    assert.ok(summary.metrics.recall > 0.9, `recall ${summary.metrics.recall}`);
    assert.ok(summary.metrics.precision > 0.9, `precision ${summary.metrics.precision}`);

    const centres = ["x", "y", "z"].map(column), n = summary.particles;
    const found = Float64Array.from({ length: 3 * n }, (_, i) => centres[i % 3][Math.floor(i / 3)]);
    const true3 = Float64Array.from(truth.flatMap(({ x, y, z }) => [x, y, z]));
    const partner = matchPoints(found, true3, 5);
    const errors = [...partner].flatMap((j, i) =>
      j < 0 ? [] : [Math.hypot(...[0, 1, 2].map((axis) => found[3 * i + axis] - true3[3 * j + axis]))]
    );
    const mean = errors.reduce((sum, error) => sum + error, 0) / errors.length;
    assert.ok(errors.length > 0.9 * n && mean < MEAN_ERROR_VOXELS, `${errors.length} of ${n} matched, ${mean} voxels off`);
    for (let axis = 0; axis < 3; axis++) {
      const differences = [...partner].flatMap((j, i) => j < 0 ? [] : [found[3 * i + axis] - true3[3 * j + axis]]);
      const bias = differences.reduce((sum, value) => sum + value, 0) / differences.length;
      assert.ok(Math.abs(bias) < BIAS_VOXELS, `${"xyz"[axis]} is ${bias} voxels off`);
    }
    column("xAngstrom").forEach((value, i) => assert.ok(Math.abs(value - 10 * centres[0][i]) < FILE_TOLERANCE));

    // Boxes are cut about a voxel of 15 A; RELION's rule gives the pick back.
    assert.deepEqual(numbersOf(optics, "rlnImagePixelSize", "particles.star"), Float64Array.of(15));
    ["X", "Y", "Z"].forEach((axis, k) => {
      const coordinate = numbersOf(particles, `rlnCoordinate${axis}`, "particles.star");
      const origin = numbersOf(particles, `rlnOrigin${axis}Angst`, "particles.star");
      coordinate.forEach((value, i) => {
        assert.ok(Math.abs(value / 1.5 - Math.round(value / 1.5)) < FILE_TOLERANCE);
        assert.ok(Math.abs(value - origin[i] / 10 - centres[k][i]) < FILE_TOLERANCE);
      });
    });
    assert.match(await Deno.readTextFile(`${folder}/coarse/report.html`), /80 × 80 × 48/);

    const json = await tomosieveJson<{ recall: number }>("score", `${folder}/coarse`, `${folder}/truth.csv`).catch((error) =>
      error.message
    );
    assert.match(String(json), /no labels yet/);
  });
});

Deno.test("coordinates given in voxels of the tomogram survive a rescale", async () => {
  await inFolder({}, async (folder) => {
    await writeSample(`${folder}/tomo.mrc`);
    const given = [[20, 31, 22], [50.5, 40.25, 24]];
    await Deno.writeTextFile(`${folder}/picks.csv`, `tomogram,x,y,z\n${given.map((point) => `tomo,${point}`).join("\n")}\n`);
    await Deno.writeTextFile(`${folder}/truth.csv`, `tomogram,x,y,z,label\n${given.map((point) => `tomo,${point},a`).join("\n")}\n`);
    const { summary, column } = await runSample(folder, "coarse", [
      { use: "rescale", options: { voxelSizeAngstrom: 20 } },
      { use: "coordinates", options: { path: "picks.csv" } },
      boxes({ boxVoxels: 8 }),
    ]);
    assert.equal(summary.metrics.recall, 1);
    assert.deepEqual(["x", "y", "z"].map(column), [0, 1, 2].map((axis) => given.map((point) => point[axis])));
  });
});
