import assert from "node:assert/strict";
import { temporaryFolder } from "../formats/reading.ts";
import { fakeContext } from "../sources/fake_context.ts";
import { makeRecord, makeView, type ViewContent } from "./make_view.ts";
import { hasProgram, proveRelion } from "../../proof/relion.ts";
import { openMrcVolume } from "../../../plugins/formats/mrc.ts";
import { inFrame } from "../../../plugins/formats/particle_set.ts";
import { readParticles } from "../../../plugins/formats/particles.ts";
import { columnOf, findBlock, loopOf, numbersOf, parseStar } from "../../../plugins/formats/star.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { wedgeMask } from "../../../plugins/kernels/wedge.ts";
import sink from "../../../plugins/sinks/relion_star.ts";
import { RunError } from "../../../streams/errors.ts";
import type { RunView } from "../../../streams/contract.ts";

const B = 8;
/** Five particles in two tomograms, three classes. */
function content(changes: Partial<ViewContent> = {}): ViewContent {
  const random = createRandom(4, "relion sink");
  return {
    tomograms: [makeRecord(0, "tomo a"), makeRecord(1, "b")],
    boxVoxels: B,
    voxels: Float32Array.from({ length: 5 * B ** 3 }, () => 3 + random.normal()),
    particles: {
      rows: Int32Array.of(0, 0, 0, 2, 0, 3, 1, 0, 1, 1),
      centresXyz: Float64Array.of(10, 11, 12, 10.25, 11.5, 11.75, 20, 20, 20, 30, 31, 32, 8, 8, 8),
      classIds: Int32Array.of(1, 1, 2, 1, 5),
      score: Float32Array.of(1, 5, 3, 2, 4),
      logLikelihood: Float64Array.of(-1, -3, -2, -0.5, -9),
      novel: Uint8Array.of(0, 0, 0, 0, 1),
    },
    ...changes,
  };
}

async function write(folder: string, view: RunView, options: Record<string, unknown> = {}) {
  const { context, told } = fakeContext();
  await (await sink.create(sink.options.parse(options), context, {})).write(view, folder);
  const text = await Deno.readTextFile(`${folder}/particles.star`);
  const star = parseStar(text, "particles.star");
  return { text, told, optics: loopOf(findBlock(star, "optics")!), particles: loopOf(findBlock(star, "particles")!) };
}

function namesUnder(folder: string, prefix = ""): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? namesUnder(`${folder}/${name}`, `${prefix}${name}/`) : [prefix + name]
  ).sort();
}

Deno.test("particles.star has optics, files, coordinates, classes and scores; position = coordinate - origin / pixel", async () => {
  await using folder = await temporaryFolder();
  const { text, optics, particles } = await write(folder.path, makeView(content()));
  assert.deepEqual(optics.columns, [
    "rlnOpticsGroup",
    "rlnOpticsGroupName",
    "rlnVoltage",
    "rlnSphericalAberration",
    "rlnAmplitudeContrast",
    "rlnMicrographPixelSize",
    "rlnImagePixelSize",
    "rlnImageSize",
    "rlnImageDimensionality",
  ]);
  assert.deepEqual(optics.rows, [["1", "opticsGroup1", "300", "2.7", "0.1", "10", "10", "8", "3"]]);
  const numbers = (name: string) => [...numbersOf(particles, name, "particles.star")];
  assert.deepEqual(columnOf(particles, "rlnImageName"), [
    "relion/0000_tomo_a/000000.mrc",
    "relion/0000_tomo_a/000002.mrc",
    "relion/0000_tomo_a/000003.mrc",
    "relion/0001_b/000000.mrc",
    "relion/0001_b/000001.mrc",
  ]);
  assert.deepEqual(columnOf(particles, "rlnTomoName"), ["tomo_a", "tomo_a", "tomo_a", "b", "b"]);
  assert.deepEqual(columnOf(particles, "rlnMicrographName"), ["tomo_a.mrc", "tomo_a.mrc", "tomo_a.mrc", "b.mrc", "b.mrc"]);
  assert.deepEqual(numbers("rlnClassNumber"), [1, 1, 2, 1, 5]);
  assert.deepEqual(numbers("rlnAutopickFigureOfMerit"), [1, 5, 3, 2, 4]);
  assert.deepEqual(numbers("rlnLogLikeliContribution"), [-1, -3, -2, -0.5, -9]);
  const centres = content().particles.centresXyz;
  ["X", "Y", "Z"].forEach((axis, k) => {
    const coordinates = numbers(`rlnCoordinate${axis}`), origins = numbers(`rlnOrigin${axis}Angst`);
    coordinates.forEach((coordinate, i) => {
      assert.ok(Number.isInteger(coordinate));
      assert.equal(coordinate - origins[i] / 10, centres[3 * i + k]);
    });
  });
  assert.equal(columnOf(particles, "rlnAngleRot"), undefined);
  assert.match(text, /^# made by tomosieve; particles are bright \(inverted: dark in the tomograms\)\n# version 30001\n/);
  assert.equal(text.includes("/somewhere"), false, "no absolute path");
});

Deno.test("boxes are single mode-2 files with a background of zero mean and unit deviation; wedges are N^3 about N / 2", async () => {
  await using folder = await temporaryFolder();
  const tomograms = [makeRecord(0, "a"), makeRecord(1, "b", { geometry: { tiltRangeDegrees: [-40, 40], tiltAxis: "x", handedness: 1 } })];
  const given = content({ tomograms });
  const { particles } = await write(folder.path, makeView(given));
  assert.deepEqual(columnOf(particles, "rlnCtfImage"), ["01", "01", "01", "02", "02"].map((n) => `relion/wedge_${n}.mrc`));
  for (const [i, name] of columnOf(particles, "rlnImageName")!.entries()) {
    await using volume = await openMrcVolume(`${folder.path}/${name}`);
    assert.deepEqual([volume.shapeZyx, volume.header.mode, volume.voxelSizeAngstrom], [[B, B, B], 2, 10]);
    const box = await volume.readSlab(0, B);
    let n = 0, sum = 0, square = 0;
    box.forEach((value, at) => {
      const [z, y, x] = [Math.floor(at / (B * B)), Math.floor(at / B) % B, at % B].map((index) => index - B / 2);
      if (x * x + y * y + z * z <= 9) return;
      n++;
      sum += value;
      square += value * value;
    });
    // Float32 rounding of some hundred values of size 1.
    assert.ok(Math.abs(sum / n) < 1e-6 && Math.abs(square / n - 1) < 1e-5, `${sum / n} ${square / n}`);
    // The same box up to an affine change: differences between voxels keep their ratios.
    const raw = given.voxels.subarray(i * B ** 3, (i + 1) * B ** 3);
    assert.ok(Math.abs((box[5] - box[9]) / (box[1] - box[2]) - (raw[5] - raw[9]) / (raw[1] - raw[2])) < 1e-3);
  }
  for (const [name, ordinal] of [["wedge_01", 0], ["wedge_02", 1]] as const) {
    await using wedge = await openMrcVolume(`${folder.path}/relion/${name}.mrc`);
    assert.deepEqual(await wedge.readSlab(0, B), wedgeMask(B, tomograms[ordinal].geometry, "centred"));
  }
});

Deno.test("an unknown tilt range writes no wedge and says so; beside known ones it is refused", async () => {
  await using folder = await temporaryFolder();
  const unknown = { tiltRangeDegrees: "unknown", tiltAxis: "y", handedness: "unknown" } as const;
  const none = await write(
    folder.path,
    makeView(content({ tomograms: [makeRecord(0, "a", { geometry: unknown }), makeRecord(1, "b", { geometry: unknown })] })),
  );
  assert.equal(columnOf(none.particles, "rlnCtfImage"), undefined);
  assert.match(none.told.notes.join("\n"), /relion-no-wedge: the tilt range is unknown: no wedge volume/);
  assert.equal(namesUnder(folder.path).some((name) => name.includes("wedge")), false);
  const mixed = makeView(content({ tomograms: [makeRecord(0, "a", { boxes: 2 }), makeRecord(1, "b", { geometry: unknown, boxes: 2 })] }));
  await assert.rejects(
    write(folder.path, mixed),
    (e: Error) =>
      e instanceof RunError && /tilt range of 1 of 2 tomograms is unknown \(b\).*set "wedges": false and use --resume/.test(e.message),
  );
  const without = await write(folder.path, mixed, { wedges: false });
  assert.equal(columnOf(without.particles, "rlnCtfImage"), undefined);
  assert.match(without.told.notes.join("\n"), /relion-no-wedge: no wedge volume and no rlnCtfImage, as the manifest says/);
});

Deno.test("classes, limitPerClass, leaveOutNovel and starPerClass choose what is written", async () => {
  await using folder = await temporaryFolder();
  const view = makeView(content());
  const picksOf = (star: { particles: ReturnType<typeof loopOf> }) =>
    columnOf(star.particles, "rlnImageName")!.map((name) => name.slice("relion/".length));
  const limited = await write(folder.path, view, { limitPerClass: 1, leaveOutNovel: true });
  assert.deepEqual(picksOf(limited), ["0000_tomo_a/000003.mrc", "0001_b/000000.mrc"]);
  assert.deepEqual(limited.told.notes, ["relion-selection: 2 of 5 particles are in particles.star"]);
  const chosen = await write(folder.path, view, { classes: [1], starPerClass: true });
  assert.deepEqual(picksOf(chosen), ["0000_tomo_a/000000.mrc", "0000_tomo_a/000002.mrc", "0001_b/000000.mrc"]);
  assert.deepEqual(namesUnder(folder.path), [
    "particles.star",
    "particles_class_01.star",
    "relion/0000_tomo_a/000000.mrc",
    "relion/0000_tomo_a/000002.mrc",
    "relion/0001_b/000000.mrc",
    "relion/wedge_01.mrc",
  ]);
  const all = await write(folder.path, view, { boxes: false });
  assert.equal(all.particles.rows.length, 5);
  assert.equal(columnOf(all.particles, "rlnImageName"), undefined);
  assert.ok(!namesUnder(folder.path).includes("particles_class_01.star"), "files of an earlier writing are gone");
});

Deno.test("a stack of boxes has no coordinates; angles are written when they are known; the bytes are always the same", async () => {
  await using folder = await temporaryFolder();
  const { particles } = content();
  const angles = Float64Array.from({ length: 15 }, (_, i) => i * 10 - 70);
  const view = makeView(content({ particles: { ...particles, centresXyz: new Float64Array(15).fill(NaN), eulerZyzDegrees: angles } }));
  const first = await write(folder.path, view);
  assert.equal(columnOf(first.particles, "rlnCoordinateX"), undefined);
  assert.deepEqual([...numbersOf(first.particles, "rlnOriginXAngst", "")], [0, 0, 0, 0, 0]);
  assert.deepEqual(["Rot", "Tilt", "Psi"].map((name) => numbersOf(first.particles, `rlnAngle${name}`, "")[1]), [-40, -30, -20]);
  assert.equal((await write(folder.path, view)).text, first.text);
});

Deno.test("poses of an aligner count more than the picker's: angles, and shifts as origins of the opposite sign", async () => {
  await using folder = await temporaryFolder();
  const columns = { box: [3, 0], rot: [10, 20], tilt: [30, 40], psi: [50, 60], shiftX: [1.5, 0], shiftY: [-2, 0], shiftZ: [0.25, -0.5] };
  const classResults = { average: { volumes: [], tables: [{ name: "poses", columns }] } };
  const { particles, told } = await write(folder.path, makeView(content({ classResults })));
  const row = (i: number, names: string[]) => names.map((name) => numbersOf(particles, name, "")[i]);
  const angles = ["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"], origins = ["rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst"];
  assert.deepEqual([row(3, angles), row(0, angles), row(1, angles)], [[10, 30, 50], [20, 40, 60], [0, 0, 0]]);
  assert.deepEqual([row(3, origins), row(0, origins)], [[-15, 20, -2.5], [0, 0, 5]]);
  assert.deepEqual(row(1, origins), [-2.5, 5, 2.5], "a particle without a pose keeps the rest of its pick");
  assert.deepEqual(told.notes, ["relion-poses: 3 particles were not aligned: their angles are the picker's, or 0"]);
  assert.match(
    Deno.readTextFileSync(`${folder.path}/particles.star`),
    /^# made by tomosieve; .*; 3 particles were not aligned: their angles/,
  );
});

Deno.test("no particles give a STAR file with empty tables", async () => {
  await using folder = await temporaryFolder();
  const { particles } = await write(folder.path, makeView(content()), { classes: [77] });
  assert.equal(particles.rows.length, 0);
  assert.deepEqual(namesUnder(folder.path), ["particles.star"]);
});

/** Noise-free boxes: what is missing to 1 is interpolation. */
const LEAST_CORRELATION = 0.999;
/** Each broken convention costs at least this much. */
const LEAST_LOSS = 0.002;

Deno.test("relion_reconstruct finds the truth from what the sink writes, and not with any convention broken", async () => {
  if (!await hasProgram("relion_reconstruct")) {
    console.log("skipped: relion_reconstruct is not installed (apt-get install relion)");
    return;
  }
  await using folder = await temporaryFolder();
  const { "as written": right, "class 1 alone": one, ...broken } = await proveRelion(folder.path);
  assert.ok(right > LEAST_CORRELATION && one > LEAST_CORRELATION, `${right} ${one}`);
  assert.equal(Object.keys(broken).length, 4);
  for (const [name, correlation] of Object.entries(broken)) {
    assert.ok(correlation < right - LEAST_LOSS, `${name}: ${correlation} against ${right}`);
  }
});

Deno.test("for RELION 4 and 5 the same places are written: voxel size of the tilt series, centred Angstrom", async () => {
  const view = makeView(content()), centres = content().particles.centresXyz!;
  const records = new Map(view.tomograms.map(({ id, shapeZyx: [z, y, x], voxelSizeAngstrom }) => [
    id.replaceAll(" ", "_"),
    { shapeXyz: [x, y, z] as const, voxelSizeAngstrom },
  ]));
  for (const [version, format] of [["3.1", "relion3.1"], ["4", "relion4"], ["5", "relion5"]] as const) {
    await using folder = await temporaryFolder();
    const { optics } = await write(folder.path, view, { version, boxes: false });
    assert.equal(optics.columns.includes("rlnTomoTiltSeriesPixelSize"), version !== "3.1");
    const set = await readParticles(`${folder.path}/particles.star`);
    assert.equal(set.format, format);
    const placed = inFrame(set, { unit: "voxel", origin: "first-voxel" }, (tomogram) => records.get(tomogram)!);
    placed.positionsXyz.forEach((value, i) =>
      assert.ok(Math.abs(value - centres[i]) < 1e-6, `${version}: ${value}, expected ${centres[i]}`)
    );
  }
});
