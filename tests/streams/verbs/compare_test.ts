import assert from "node:assert/strict";
import { temporaryFolder } from "../../plugins/formats/reading.ts";
import { commandLine, compareTexts, csvOf, DIMS, type Particle, particles, repicked, SIZED, VOXEL } from "./particle_files.ts";
import { writeMrcVolume } from "../../../plugins/formats/mrc.ts";
import { encodeParticles, readParticles } from "../../../plugins/formats/particles.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import {
  eulerZxzToMatrix,
  eulerZyzToMatrix,
  matrixToEulerZxz,
  matrixToEulerZyz,
  multiply3,
  transpose3,
} from "../../../plugins/kernels/rotation.ts";
import type { CompareSummary } from "../../../streams/verbs/compare.ts";

const TRUTH = particles(120, "truth");
const change = (all: readonly Particle[], to: (p: Particle) => readonly number[]) =>
  all.map((p) => [...to(p), ...p.slice(3)] as unknown as Particle);
const turn = (all: readonly Particle[], to: (rot: number, tilt: number, psi: number) => readonly number[]) =>
  all.map((p) => [...p.slice(0, 3), ...to(p[3], p[4], p[5])] as unknown as Particle);

/** What was done to the points, what `compare` must say of it, and the option that mends it. */
const FAULTS: readonly [string, (all: readonly Particle[]) => Particle[], RegExp, string][] = [
  ["axes y and z exchanged", (all) => change(all, ([x, y, z]) => [x, z, y]), /axes y and z are exchanged/, "--swap-axes yz"],
  ["the order z, y, x", (all) => change(all, ([x, y, z]) => [z, y, x]), /axes x and z are exchanged/, "--swap-axes xz"],
  ["the order y, z, x", (all) => change(all, ([x, y, z]) => [y, z, x]), /in another order/, "--swap-axes zxy"],
  ["a mirrored z", (all) => change(all, ([x, y, z]) => [x, y, DIMS[2] - 1 - z]), /axis z is mirrored/, "--mirror z"],
  [
    "Angstrom for voxels",
    (all) => change(all, ([x, y, z]) => [x * VOXEL, y * VOXEL, z * VOXEL]),
    /numbers are Angstrom, not voxels/,
    "--unit angstrom",
  ],
  [
    "coordinates from the centre",
    (all) => change(all, ([x, y, z]) => [x - 200, y - 250, z - 100.5]),
    /from the centre \(index dims \/ 2\)/,
    "--origin centre",
  ],
  [
    "centred Angstrom",
    (all) => change(all, ([x, y, z]) => [(x - 199) * VOXEL, (y - 249) * VOXEL, (z - 99.5) * VOXEL]),
    /Angstrom, not voxels; its coordinates count from the centre \(index dims \/ 2 - 1\)/,
    "--unit angstrom --origin centre --centre half-minus-one",
  ],
  ["another binning", (all) => change(all, ([x, y, z]) => [4 * x, 4 * y, 4 * z]), /multiplied by 0\.25/, "--scale 0.25"],
  ["an offset", (all) => change(all, ([x, y, z]) => [x + 31, y - 12, z + 4]), /-31, 12, -4 voxels/, "--shift -31,12,-4"],
  [
    "voxels counted from 1",
    (all) => change(all, ([x, y, z]) => [x + 1, y + 1, z + 1]),
    /one file counts voxels from 0, the other from 1/,
    "--shift -1,-1,-1",
  ],
];

for (const [title, fault, words, option] of FAULTS) {
  Deno.test(`compare finds ${title}, and the command that it gives mends it`, async () => {
    const { summary, again } = await compareTexts({ name: "a.csv", text: csvOf(fault(TRUTH)) }, { name: "b.csv", text: csvOf(TRUTH) });
    assert.equal(summary.status, "disagree");
    assert.match(summary.findings.join("; "), words);
    assert.ok(summary.mend!.join(" ").endsWith(option), summary.mend!.join(" "));
    assert.equal(again!.status, "agree", again!.findings.join("; "));
    assert.ok(again!.share! > 0.99);
  });
}

Deno.test("compare finds a fault among missing, strange and moved points", async () => {
  for (const [, fault, words] of [FAULTS[0], FAULTS[3], FAULTS[7], FAULTS[8]]) {
    // An offset is then known to the noise of the points only.
    const { summary, again } = await compareTexts({ name: "a.csv", text: csvOf(fault(repicked(TRUTH))) }, {
      name: "b.csv",
      text: csvOf(TRUTH),
    });
    const said = summary.findings.join("; ");
    assert.ok(words.test(said) || /-31(\.\d+)?, 1[12](\.\d+)?, -[34](\.\d+)? voxels/.test(said), said);
    assert.equal(again!.status, "agree");
    assert.ok(summary.share! > 0.7 && summary.share! < 0.85, `${summary.share}`);
  }
});

Deno.test("compare finds a mirror whose tomogram's size is not known", async () => {
  const mirrored = change(repicked(TRUTH), ([x, y, z]) => [x, DIMS[1] - 1 - y, z]);
  const { summary, again } = await compareTexts({ name: "a.csv", text: csvOf(mirrored) }, { name: "b.csv", text: csvOf(TRUTH) }, []);
  assert.match(summary.findings.join("; "), /axis y is mirrored/);
  assert.match(summary.mend!.join(" "), /--mirror y --dims 1,500,1$/);
  assert.equal(again!.status, "agree");
});

Deno.test("files that agree agree, with the share that both have; files of other particles are called unrelated", async () => {
  const same = await compareTexts({ name: "a.csv", text: csvOf(repicked(TRUTH)) }, { name: "b.csv", text: csvOf(TRUTH) });
  assert.deepEqual([same.summary.status, same.summary.mend, same.summary.findings], ["agree", null, []]);
  assert.ok(same.summary.share! > 0.7 && same.summary.chance! < 0.1);
  const other = await compareTexts({ name: "a.csv", text: csvOf(particles(120, "other")) }, { name: "b.csv", text: csvOf(TRUTH) });
  assert.deepEqual([other.summary.status, other.summary.mend], ["unrelated", null]);
});

const ANGLES: readonly [string, (rot: number, tilt: number, psi: number) => readonly number[], RegExp, string | null][] = [
  ["inverse rotations", (...e) => matrixToEulerZyz(transpose3(eulerZyzToMatrix(...e))), /of the inverse rotation/, "--angles invert"],
  ["z, x, z angles", (...e) => matrixToEulerZxz(transpose3(eulerZyzToMatrix(...e))), /z, x, z angles read as z, y, z/, "--angles zxz"],
  ["rot and psi exchanged", (rot, tilt, psi) => [psi, tilt, rot], /rot and psi are exchanged/, "--angles reverse"],
  [
    "a turned reference",
    (...e) => matrixToEulerZyz(multiply3(eulerZyzToMatrix(...e), eulerZxzToMatrix(70, 20, 0))),
    /one fixed rotation/,
    null,
  ],
];
for (const [title, fault, words, option] of ANGLES) {
  Deno.test(`compare finds ${title} in the angles`, async () => {
    const { summary, again } = await compareTexts({ name: "a.csv", text: csvOf(turn(TRUTH, fault), true) }, {
      name: "b.csv",
      text: csvOf(TRUTH, true),
    });
    assert.equal(summary.status, "disagree");
    assert.match(summary.findings.join("; "), words);
    if (option === null) return assert.equal(summary.mend, null);
    assert.ok(summary.mend!.join(" ").endsWith(option));
    assert.equal(again!.status, "agree");
  });
}

Deno.test("an exchange of axes and a mirror carry the angles with them", async () => {
  const even = turn(
    change(TRUTH, ([x, y, z]) => [x, DIMS[1] - 1 - y, DIMS[2] - 1 - z]),
    (...e) => matrixToEulerZyz(multiply3(Float64Array.of(1, 0, 0, 0, -1, 0, 0, 0, -1), eulerZyzToMatrix(...e))),
  );
  const { summary, again } = await compareTexts({ name: "a.csv", text: csvOf(even, true) }, { name: "b.csv", text: csvOf(TRUTH, true) });
  assert.match(summary.mend!.join(" "), /--mirror yz$/);
  assert.equal(again!.status, "agree");
  assert.equal(again!.angles!.verdict, "agree");
});

Deno.test("compare works across formats: a centred RELION 5 file, a motive list counted from 0, picks in Angstrom", async () => {
  await using folder = await temporaryFolder();
  const write = async (name: string, to: string, options = {}) => {
    await Deno.writeTextFile(`${folder.path}/truth.csv`, csvOf(TRUTH, true));
    const set = await readParticles(`${folder.path}/truth.csv`);
    const { content } = await encodeParticles(set, { to, frameOf: () => ({ shapeXyz: DIMS, voxelSizeAngstrom: VOXEL }), ...options });
    if (typeof content === "string") await Deno.writeTextFile(`${folder.path}/${name}`, content);
    else await Deno.writeFile(`${folder.path}/${name}`, content);
    return `${folder.path}/${name}`;
  };
  const compare = async (a: string, b: string): Promise<CompareSummary> =>
    JSON.parse((await commandLine(["compare", a, b, ...SIZED, "--json"])).out);
  const relion = await write("r5.star", "relion5"), picker = await write("picker.star", "relion5", { centre: "half-minus-one" });
  const zero = await write("zero.em", "tom-motl", { firstVoxel: 0 }), copick = await write("picks.json", "copick");
  assert.equal((await compare(copick, relion)).status, "agree");
  const rule = await compare(picker, copick);
  assert.match(rule.findings.join(), /its centre is index dims \/ 2 - 1, not dims \/ 2/);
  assert.ok(rule.mend!.join(" ").endsWith("--centre half-minus-one"));
  const counted = await compare(zero, relion);
  assert.match(counted.findings.join(), /its voxels are counted from 0, not from 1/);
  assert.ok(counted.mend!.join(" ").endsWith("--first-voxel 0"));
});

Deno.test("compare holds a file against a tomogram: outside, on nothing, mirrored, Angstrom", async () => {
  const shape = [60, 120, 100] as const, random = createRandom(9, "compare volume");
  const voxels = new Float32Array(shape[0] * shape[1] * shape[2]).map(() => random.normal());
  const places = Array.from({ length: 70 }, () => [100, 120, 60].map((n) => 8 + Math.floor(random.uniform() * (n - 16))));
  for (const [x, y, z] of places) {
    for (let k = -2; k <= 2; k++) {
      for (let j = -2; j <= 2; j++) for (let i = -2; i <= 2; i++) voxels[((z + k) * shape[1] + y + j) * shape[2] + x + i] -= 2;
    }
  }
  await using folder = await temporaryFolder();
  const volume = `${folder.path}/TS_01.mrc`, path = `${folder.path}/a.csv`;
  await writeMrcVolume(volume, { shapeZyx: shape, voxelSizeAngstrom: 10, voxels });
  const against = async (points: readonly (readonly number[])[]): Promise<CompareSummary> => {
    await Deno.writeTextFile(path, `tomogram,x,y,z\n${points.map((point) => `TS_01,${point.join()}\n`).join("")}`);
    return JSON.parse((await commandLine(["compare", path, volume, "--json"])).out);
  };
  const right = await against(places);
  assert.deepEqual([right.status, right.inside], ["agree", 1]);
  assert.ok(right.contrast! < -6, "dark particles");
  const mirrored = await against(places.map(([x, y, z]) => [99 - x, y, z]));
  assert.match(mirrored.mend!.join(" "), /--tomogram \S+TS_01\.mrc --mirror x$/);
  const angstrom = await against(places.map((point) => point.map((value) => 10 * value)));
  assert.match(angstrom.mend!.join(" "), /--unit angstrom$/);
  const nothing = await against(places.map((_, i) => [100, 120, 60].map((n, axis) => (37 * (i + 3) * (axis + 2) ** 2) % n)));
  assert.deepEqual([nothing.status, nothing.mend], ["unrelated", null]);
});

Deno.test("compare says what it cannot compare", async () => {
  await using folder = await temporaryFolder();
  const a = `${folder.path}/a.csv`, b = `${folder.path}/b.csv`;
  await Deno.writeTextFile(a, "tomogram,x,y,z\nTS_01,1,2,3\nTS_02,1,2,3\n");
  await Deno.writeTextFile(b, "tomogram,x,y,z\nTS_03,1,2,3\nTS_04,1,2,3\n");
  await assert.rejects(commandLine(["compare", a, b]), /no tomogram in common with .*\(TS_01, TS_02; TS_03, TS_04\)/);
  await assert.rejects(commandLine(["compare", a, b, "--only", "TS_09"]), /--only is "TS_09".*holds TS_01, TS_02/);
});
