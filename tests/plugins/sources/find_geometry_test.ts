import assert from "node:assert/strict";
import { InputError } from "../../../streams/errors.ts";
import { namedTomogram } from "../../../plugins/formats/tomogram_name.ts";
import { findGeometry, type GeometryOptions, readGeometryTable } from "../../../plugins/sources/tomograms/find_geometry.ts";

const OPTIONS: GeometryOptions = { tiltAxis: "y", tiltFiles: "auto" };

/** Writes files into a folder, and removes it after `work`. */
async function inFolder(files: Readonly<Record<string, string>>, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tomosieve_geometry_" });
  try {
    for (const [name, text] of Object.entries(files)) {
      const at = `${folder}/${name}`;
      await Deno.mkdir(at.slice(0, at.lastIndexOf("/")), { recursive: true });
      await Deno.writeTextFile(at, text);
    }
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const xml = (first: number, last: number, defocus = 3) =>
  `<TiltSeries AreAnglesInverted="False"><Angles>${first}\n${last}</Angles><Dose>40\n80</Dose><CTF><Param Name="Defocus" Value="${defocus}"/></CTF></TiltSeries>`;
const aln = (first: number, last: number) => [first, last].map((tilt, i) => `${i} 85 1 0 0 1 1 1 0 ${tilt}`).join("\n");
const mdoc =
  "[ZValue = 0]\nTiltAngle = -48\nExposureDose = 2\nTargetDefocus = -5\n[ZValue = 1]\nTiltAngle = 48\nExposureDose = 2\nTargetDefocus = -5\n";

Deno.test("refined tilt files count more than nominal ones, and each fact comes from the first that has it", () =>
  inFolder({
    "recon/TS_1.tlt": "-60.5\n59.5\n",
    "recon/TS_1.aln": aln(-59, 59),
    "recon/TS_1.rawtlt": "-60\n60\n",
    "recon/TS_1.mdoc": mdoc,
    "recon/TS_2.aln": aln(-51, 52),
    "recon/TS_2.rawtlt": "-54\n54\n",
    "TS_3.xml": xml(-40, 41),
    "recon/TS_3_10.00Apx.rawtlt": "-42\n42\n",
    "recon/TS_3_10.00Apx.mdoc": mdoc,
    "recon/TS_4.mdoc": mdoc,
  }, async (folder) => {
    const found = async (stem: string) => {
      const { geometry, tiltFile } = await findGeometry(`${folder}/recon/${stem}.mrc`, stem, undefined, OPTIONS);
      const { tiltRangeDegrees, defocusAngstrom, doseElectronsPerSquareAngstrom, defocusHandedness } = geometry;
      return [tiltFile?.slice(folder.length + 1), tiltRangeDegrees, defocusAngstrom, doseElectronsPerSquareAngstrom, defocusHandedness];
    };
    assert.deepEqual(await found("TS_1"), ["recon/TS_1.tlt", [-60.5, 59.5], 50000, 4, undefined]);
    assert.deepEqual(await found("TS_2"), ["recon/TS_2.aln", [-51, 52], undefined, undefined, undefined]);
    assert.deepEqual(await found("TS_3_10.00Apx"), ["TS_3.xml", [-40, 41], 30000, 80, 1]);
    assert.deepEqual(await found("TS_4"), ["recon/TS_4.mdoc", [-48, 48], 50000, 4, undefined]);
    assert.deepEqual(await found("TS_5"), [undefined, "unknown", undefined, undefined, undefined]);
  }));

Deno.test("a table counts more than options, options more than files", () =>
  inFolder({ "a.tlt": "-60\n60\n" }, async (folder) => {
    const options = { ...OPTIONS, tiltRangeDegrees: [-50, 50] } as const;
    const stated = await findGeometry(`${folder}/a.mrc`, "a", undefined, options);
    assert.deepEqual(stated.geometry, { tiltRangeDegrees: [-50, 50], tiltAxis: "y", handedness: "unknown" });
    assert.match(stated.warning!, /a\.tlt says -60 to 60 degrees, source\.options\.tiltRangeDegrees says -50 to 50: the latter was taken/);
    const row = { tiltAnglesDegrees: [-42, 0, 40], tiltAxis: "x", defocusHandedness: -1 } as const;
    const { geometry } = await findGeometry(`${folder}/a.mrc`, "a", row, options);
    assert.deepEqual(geometry, { ...row, tiltRangeDegrees: [-42, 40], handedness: "unknown" });
  }));

Deno.test("RELION 5's tomograms.star and the tilt series files that it names make a table", () =>
  inFolder({
    "Tomograms/job7/tomograms.star":
      "data_global\n\nloop_\n_rlnTomoName\n_rlnTomoTiltSeriesStarFile\n_rlnTomoHand\nTS_01 Tomograms/job7/tilt_series/TS_01.star -1\n",
    "Tomograms/job7/tilt_series/TS_01.star": "data_TS_01\n\nloop_\n_rlnTomoYTilt\n_rlnDefocusU\n-57 30000\n60 32000\n",
  }, async (folder) => {
    const path = `${folder}/Tomograms/job7/tomograms.star`;
    const table = await readGeometryTable(path);
    const row = namedTomogram(table, "rec_TS_01");
    assert.deepEqual(row, { tiltAnglesDegrees: [-57, 60], tiltAxis: "y", defocusAngstrom: 31000, defocusHandedness: -1 });
    const { geometry } = await findGeometry(`${folder}/rec_TS_01.mrc`, "rec_TS_01", row, OPTIONS);
    assert.deepEqual(geometry.tiltRangeDegrees, [-57, 60]);
    await Deno.remove(`${folder}/Tomograms/job7/tilt_series/TS_01.star`);
    await assert.rejects(
      readGeometryTable(path),
      (e: Error) => e instanceof InputError && /names Tomograms\/job7\/tilt_series\/TS_01\.star, which is not there/.test(e.message),
    );
  }));
