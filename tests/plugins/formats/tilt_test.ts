import assert from "node:assert/strict";
import { realFiles } from "./reading.ts";
import { mdocTilts, parseMdoc } from "../../../plugins/formats/mdoc.ts";
import { formatTiltAngles, parseTiltAngles } from "../../../plugins/formats/tilt_angles.ts";
import { resolveVoxelSize } from "../../../plugins/formats/voxel_size.ts";

Deno.test("parseTiltAngles() reads one angle a line and ignores further columns", () => {
  assert.deepEqual(parseTiltAngles(" -60.00\r\n0 1.5\n\n+60\n", "a.rawtlt"), [-60, 0, 60]);
  assert.deepEqual(parseTiltAngles(formatTiltAngles([-3.14159, 2]), "a.rawtlt"), [-3.14, 2]);
  assert.throws(() => parseTiltAngles("1\nabc\n", "a.rawtlt"), /a\.rawtlt: line 2 is "abc", expected a tilt angle from -90 to 90 degrees/);
  assert.throws(() => parseTiltAngles("120\n", "a.rawtlt"), /line 1 is "120"/);
  assert.throws(() => parseTiltAngles("\n", "a.rawtlt"), /holds no tilt angle/);
});

const MDOC = `PixelSpacing = 3.37
[T = SerialEM: Digitized]
[ZValue = 0]
TiltAngle = -0.005
ExposureDose = 2.5
TargetDefocus = -2
SubFramePath = D:\\a = b.tif

[ZValue = 1]
TiltAngle = 2.013
ExposureDose = 2
TargetDefocus = -3
`;

Deno.test("parseMdoc() keeps entries, titles and sections; mdocTilts() adds up the dose and averages the defocus", () => {
  const mdoc = parseMdoc(MDOC, "a.mdoc");
  assert.deepEqual(mdoc.entries, { PixelSpacing: "3.37" });
  assert.deepEqual(mdoc.titles, ["SerialEM: Digitized"]);
  assert.equal(mdoc.sections[0].entries.SubFramePath, "D:\\a = b.tif");
  assert.deepEqual(mdocTilts(mdoc, "a.mdoc"), {
    tiltAnglesDegrees: [-0.005, 2.013],
    doseElectronsPerSquareAngstrom: 4.5,
    defocusAngstrom: 25000,
  });
});

Deno.test("mdocTilts() leaves out a dose or defocus that a tilt does not state", () => {
  const tilts = mdocTilts(parseMdoc(MDOC.replace("ExposureDose = 2\n", "").replace("TargetDefocus = -3", ""), "a.mdoc"), "a.mdoc");
  assert.deepEqual(tilts, { tiltAnglesDegrees: [-0.005, 2.013] });
});

Deno.test("a faulty mdoc is refused with the line or the section", () => {
  assert.throws(() => parseMdoc("[ZValue = 0]\nnonsense\n", "a.mdoc"), /a\.mdoc: line 2 is "nonsense", expected "key = value"/);
  assert.throws(() => mdocTilts(parseMdoc("[ZValue = 3]\nA = 1\n", "a.mdoc"), "a.mdoc"), /\[ZValue = 3\] has TiltAngle = ""/);
  assert.throws(() => mdocTilts(parseMdoc("A = 1\n", "a.mdoc"), "a.mdoc"), /holds no \[ZValue = n\] section/);
});

Deno.test("real tilt files of the CryoET Data Portal are read", () => {
  const folder = realFiles("picks/portal");
  if (folder === null) return;
  const text = (name: string) => Deno.readTextFileSync(folder + name);
  assert.deepEqual(parseTiltAngles(text("10001_input__metadata__TS_run1.rawtlt"), "a"), [-4.38, -1.98, 0, 2.013]);
  const mdoc = parseMdoc(text("10001_input__metadata__mdocs_modified__foo-TS_run1.mdoc"), "a");
  const angles = mdocTilts(mdoc, "a").tiltAnglesDegrees;
  assert.equal(angles.length, mdoc.sections.length);
  assert.deepEqual(angles.slice(0, 2), [-0.00499939, 2.013]);
});

Deno.test("resolveVoxelSize() takes the header's, or the stated one where the header's is unset or within 1 %", () => {
  const size = (header: number, stated?: number) => resolveVoxelSize("a.mrc", header, stated).voxelSizeAngstrom;
  assert.equal(size(13.48), 13.48);
  assert.equal(size(0, 10), 10);
  assert.equal(size(1, 10), 10);
  assert.equal(size(1), 1);
  assert.match(resolveVoxelSize("a.mrc", 1, undefined).note!, /exactly 1 A/);
  assert.equal(size(10.05, 10), 10);
  assert.throws(() => size(0), /a\.mrc: the header holds no voxel size \(0 A\): set source\.options\.voxelSizeAngstrom/);
});

Deno.test("resolveVoxelSize() shows the arithmetic of a disagreement, and obeys onVoxelSizeMismatch", () => {
  assert.throws(
    () => resolveVoxelSize("tomo_12.mrc", 13.48, 10),
    /tomo_12\.mrc: header voxel size 13\.48 A, manifest says 10 A \(35 % apart\): remove source\.options\.voxelSizeAngstrom or set "onVoxelSizeMismatch": "manifest"/,
  );
  const manifest = resolveVoxelSize("a.mrc", 13.48, 10, "manifest"), header = resolveVoxelSize("a.mrc", 13.48, 10, "header");
  assert.deepEqual([manifest.voxelSizeAngstrom, header.voxelSizeAngstrom], [10, 13.48]);
  assert.match(manifest.note!, /35 % apart\): the manifest's was taken/);
  assert.throws(() => resolveVoxelSize("a.mrc", 10.15, 10), /\(1\.5 % apart\)/);
});
