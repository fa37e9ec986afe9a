import assert from "node:assert/strict";
import { InputError } from "../../../streams/errors.ts";
import { parseAln } from "../../../plugins/formats/aretomo_aln.ts";
import { parseGeometryCsv } from "../../../plugins/formats/geometry_csv.ts";
import { parseRelionTilts, parseRelionTomograms } from "../../../plugins/formats/relion_tomograms.ts";
import { parseVolumeList } from "../../../plugins/formats/volume_list.ts";
import { bareTomogramName, namedTomogram } from "../../../plugins/formats/tomogram_name.ts";
import { parseWarpTiltSeries } from "../../../plugins/formats/warp_tilt_series.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { wedgeMask } from "../../../plugins/kernels/wedge.ts";

const says = (work: () => unknown, message: RegExp) =>
  assert.throws(work, (e: Error) => e instanceof InputError && message.test(e.message));
const near = (found: readonly number[] | undefined, expected: readonly number[]) => {
  assert.equal(found?.length, expected.length);
  expected.forEach((value, i) => assert.ok(Math.abs(found![i] - value) < 1e-4, `${found} is not ${expected}`));
};

/** Ways to damage a text: cut it, change characters, repeat or take out a piece. */
function* damaged(text: string, count: number): Generator<string> {
  const random = createRandom(6, text.slice(0, 20));
  for (let i = 0; i < count; i++) {
    const at = random.integer(text.length), length = 1 + random.integer(30), kind = i % 4;
    if (kind === 0) yield text.slice(0, at);
    else if (kind === 1) yield text.slice(0, at) + String.fromCharCode(random.integer(256)) + text.slice(at + 1);
    else if (kind === 2) yield text.slice(0, at) + text.slice(at, at + length) + text.slice(at);
    else yield text.slice(0, at) + text.slice(at + length);
  }
}

const WARP = `<?xml version="1.0" encoding="utf-8"?>
<TiltSeries DataDirectory="/data" AreAnglesInverted="True" CTFResolutionEstimate="7">
	<Angles>-60.02
0.5
58.9
3</Angles>
	<Dose>9
3
6
12</Dose>
	<UseTilt>True
True
True
False</UseTilt>
	<CTF><Param Name="Voltage" Value="300" /><Param Name="Defocus" Value="9.9" /></CTF>
	<GridCTF Width="1" Height="1" Depth="4"><Node X="0" Y="0" Z="0" Value="3.0" /><Node X="0" Y="0" Z="1" Value="3.2" />
	<Node X="0" Y="0" Z="2" Value="3.4" /><Node X="0" Y="0" Z="3" Value="8" /></GridCTF>
</TiltSeries>`;

Deno.test("Warp's tilt series: used tilts only, dose, defocus of the grid, the hand of the defocus", () => {
  const stated = parseWarpTiltSeries(WARP, "TS_01.xml")!;
  near([stated.defocusAngstrom!], [32000]);
  assert.deepEqual({ ...stated, defocusAngstrom: 0 }, {
    tiltAnglesDegrees: [-60.02, 0.5, 58.9],
    tiltAxis: "y",
    doseElectronsPerSquareAngstrom: 9,
    defocusAngstrom: 0,
    defocusHandedness: -1,
  });
  const single = parseWarpTiltSeries(WARP.replace(/<GridCTF[\s\S]*<\/GridCTF>/, ""), "TS_01.xml")!;
  near([single.defocusAngstrom!], [99000]);
  assert.equal(parseWarpTiltSeries("<Movie Bfactor='0'><CTF /></Movie>", "a.xml"), null);
  says(() => parseWarpTiltSeries("<TiltSeries />", "a.xml"), /a\.xml: <TiltSeries> has no <Angles>/);
  says(() => parseWarpTiltSeries("<TiltSeries><Angles>1\nx</Angles></TiltSeries>", "a.xml"), /<Angles> holds "x"/);
  says(() => parseWarpTiltSeries("<TiltSeries><Angles>1\n95</Angles></TiltSeries>", "a.xml"), /<Angles> holds 95/);
});

Deno.test("AreTomo's alignment: the last column, up to local alignments", () => {
  const text = `# AreTomo Alignment / Priims bprmMn
# RawSize = 4092 5760 3
# DarkFrame =     0    1   -66.00
# SEC     ROT         GMAG       TX          TY      SMEAN     SFIT    SCALE     BASE     TILT
    1   85.2345    1.00000    -12.353      2.445     1.00     1.00     1.00     0.00     60.01
    0   85.2345    1.00000     -2.353      1.445     1.00     1.00     1.00     0.00    -60.00
# Local Alignment
    0   0     1.2    3.4   5.6   7.8    1.0
`;
  assert.deepEqual(parseAln(text, "a.aln"), [-60, 60.01]);
  says(() => parseAln("1 2 3\n", "a.aln"), /line 1 is "1 2 3", expected 10 numbers/);
  says(() => parseAln("# nothing\n", "a.aln"), /holds no tilt/);
});

const RELION5 = `data_global

loop_
_rlnTomoName #1
_rlnTomoTiltSeriesStarFile #2
_rlnTomoHand #3
TS_01 Tomograms/job1/tilt_series/TS_01.star -1
TS_02 Tomograms/job1/tilt_series/TS_02.star 1
`;
const TILTS5 = `data_TS_01

loop_
_rlnTomoNominalStageTiltAngle #1
_rlnTomoYTilt #2
_rlnMicrographPreExposure #3
_rlnDefocusU #4
_rlnDefocusV #5
0 0.4 0 30000 30200
3 3.4 3 30100 30300
-3 -2.6 6 30200 30400
`;

Deno.test("RELION 5's tomograms.star: tilts in files of their own, refined angles, dose after the last tilt", () => {
  const table = parseRelionTomograms(RELION5, "tomograms.star");
  assert.deepEqual([...table], [
    ["TS_01", { stated: { defocusHandedness: -1 }, tiltSeriesFile: "Tomograms/job1/tilt_series/TS_01.star" }],
    ["TS_02", { stated: { defocusHandedness: 1 }, tiltSeriesFile: "Tomograms/job1/tilt_series/TS_02.star" }],
  ]);
  const tilts = parseRelionTilts(TILTS5, "TS_01.star");
  assert.deepEqual(tilts, {
    tiltAnglesDegrees: [-2.6, 0.4, 3.4],
    tiltAxis: "y",
    defocusAngstrom: 30200,
    doseElectronsPerSquareAngstrom: 9,
  });
  says(() => parseRelionTomograms("data_\n\nloop_\n_rlnImageName\na\n", "p.star"), /no table with rlnTomoName/);
  says(() => parseRelionTilts("data_\n\nloop_\n_rlnImageName\na\n", "p.star"), /no table with rlnTomoYTilt/);
});

/** Third row of the matrix that turns by `tilt` about an axis, then by 85 degrees in the plane, which leaves it as it is. */
function beamRow(tilt: number, about: "x" | "y"): string {
  const t = tilt * Math.PI / 180, row = about === "y" ? [-Math.sin(t), 0, Math.cos(t)] : [0, -Math.sin(t), Math.cos(t)];
  return `[${[...row, 12.5].map((value) => value.toPrecision(9)).join(",")}]`;
}

Deno.test("RELION 4's tomograms.star: angles from projection matrices, as the wedge takes them", () => {
  const tilts = [-60, -20, 10, 54];
  for (const about of ["x", "y"] as const) {
    const rows = tilts.map((tilt) => `${beamRow(tilt, about)} 25000 25200 ${Math.abs(tilt)}`).join("\n");
    const text =
      `data_global\n\nloop_\n_rlnTomoName\n_rlnTomoTiltSeriesName\n_rlnTomoHand\n_rlnTomoImportFractionalDose\nTS_1 TS_1.mrc -1 2.5\n\n` +
      `data_TS_1\n\nloop_\n_rlnTomoProjZ\n_rlnDefocusU\n_rlnDefocusV\n_rlnMicrographPreExposure\n${rows}\n`;
    const { stated } = parseRelionTomograms(text, "tomograms.star").get("TS_1")!;
    near(stated.tiltAnglesDegrees, tilts);
    assert.deepEqual(
      [stated.tiltAxis, stated.defocusAngstrom, stated.doseElectronsPerSquareAngstrom, stated.defocusHandedness],
      [about, 25100, 62.5, -1],
    );
    // What a projection measures is all that is perpendicular to the beam: the wedge of that tilt holds it.
    for (const tilt of tilts) {
      const mask = wedgeMask(33, { tiltRangeDegrees: [tilt - 2, tilt + 2], tiltAxis: about, handedness: 1 }, "centred");
      const [a, b, c] = JSON.parse(beamRow(tilt, about)) as number[];
      const [x, y, z] = about === "y" ? [c, 0, -a] : [0, c, -b];
      const at = [z, y, x].map((value) => 16 + Math.round(14 * value));
      assert.equal(mask[(at[0] * 33 + at[1]) * 33 + at[2]], 1, `tilt ${tilt} about ${about}`);
    }
  }
  says(() => parseRelionTilts("data_\n\nloop_\n_rlnTomoProjZ\n[1,2]\n", "a.star"), /rlnTomoProjZ is "\[1,2\]", expected \[a,b,c,d\]/);
});

Deno.test("a geometry table may name every tilt", () => {
  const table = parseGeometryCsv("tomogram,tiltAnglesDegrees,defocusHandedness\na,-60 -57.5 60,-1\nb,,\n", "g.csv");
  assert.deepEqual([...table], [["a", { tiltAnglesDegrees: [-60, -57.5, 60], defocusHandedness: -1 }], ["b", {}]]);
  says(() => parseGeometryCsv("tomogram,tiltAnglesDegrees\na,-60;abc\n", "g.csv"), /line 2: tiltAnglesDegrees holds "abc"/);
});

Deno.test("tomograms are found by the names that programs give them", () => {
  const names = ["rec_TS_01.mrc", "TS_01_10.00Apx.mrc", "TS_01.tomostar", "a/TS_01_even.rec", "TS_01"];
  assert.deepEqual(names.map(bareTomogramName), names.map(() => "TS_01"));
  const table = new Map([["TS_01", 1], ["TS_02", 2], ["TS_02_EVN", 3]]);
  assert.deepEqual(["TS_01_8Apx", "TS_02", "rec_TS_02", "TS_03"].map((id) => namedTomogram(table, id)), [1, 2, undefined, undefined]);
});

Deno.test("damaged tilt files and lists give an error that names the file, or a result whose angles can be", () => {
  const aln = "# AreTomo\n0 85.2 1.0 -2.3 1.4 1 1 1 0 -60.00\n1 85.2 1.0 -2.3 1.4 1 1 1 0 60.00\n";
  const list = JSON.stringify({ even: ["t/a_even.mrc"], odd: ["t/a_odd.mrc"], output: "out" });
  const readers: [string, (text: string) => readonly number[] | undefined][] = [
    [WARP, (text) => parseWarpTiltSeries(text, "f")?.tiltAnglesDegrees],
    [aln, (text) => parseAln(text, "f")],
    [RELION5, (text) => void parseRelionTomograms(text, "f")],
    [TILTS5, (text) => parseRelionTilts(text, "f").tiltAnglesDegrees],
    [`data_\n\nloop_\n_rlnTomoProjZ\n${beamRow(30, "y")}\n`, (text) => parseRelionTilts(text, "f").tiltAnglesDegrees],
    [list, (text) => void parseVolumeList(text, "f")],
  ];
  let read = 0, refused = 0;
  for (const [sample, parse] of readers) {
    for (const text of damaged(sample, 400)) {
      try {
        const angles = parse(text);
        assert.ok(angles === undefined || angles.every((angle) => Math.abs(angle) <= 90), `${angles} from ${JSON.stringify(text)}`);
        read++;
      } catch (error) {
        assert.ok(error instanceof InputError && error.path === "f", `${error} from ${JSON.stringify(text)}`);
        refused++;
      }
    }
  }
  assert.ok(read > 200 && refused > 200, `${read} read, ${refused} refused`);
});
