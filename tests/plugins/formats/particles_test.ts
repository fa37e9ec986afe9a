import assert from "node:assert/strict";
import fc from "fast-check";
import { realFiles, temporaryFolder } from "./reading.ts";
import { anySet, assertClose, frameOf, makeSet, matricesOf } from "./particle_samples.ts";
import {
  detectParticles,
  encodeParticles,
  fileHead,
  type ParticleFormat,
  particleFormat,
  particleFormats,
  readParticles,
} from "../../../plugins/formats/particles.ts";
import { inFrame, type ParticleSet } from "../../../plugins/formats/particle_set.ts";
import { InputError } from "../../../streams/errors.ts";

/** Nine significant digits of a coordinate below 4000 voxels of 7.84 A; float32 (IMOD, EM) has seven. */
const TEXT_CLOSE = 1e-4, FLOAT32_CLOSE = 1e-3, ANGLE_CLOSE = 1e-5;
const toBytes = (content: string | Uint8Array) => typeof content === "string" ? new TextEncoder().encode(content) : content;

/** What each format cannot hold. */
const WITHOUT: Readonly<Record<string, readonly string[]>> = {
  angles: ["imod", "eman-json", "eman-box", "cbox", "coords"],
  score: ["imod", "eman-box", "coords", "m"],
  tomogram: ["imod", "eman-json", "eman-box", "cbox", "coords", "portal"],
  label: ["imod", "eman-box", "cbox", "coords", "portal", "m", "copick"],
};
const nameOf = (format: ParticleFormat) =>
  `${format.id}.${format.extensions[0]?.slice(1) ?? (/json|copick/.test(format.id) ? "json" : "star")}`;

async function roundTrip(format: ParticleFormat, set: ParticleSet): Promise<ParticleSet> {
  const { content } = await encodeParticles(set, { to: format.id, frameOf });
  const bytes = toBytes(content), name = nameOf(format);
  const found = detectParticles(fileHead(name, bytes));
  assert.ok(
    found && (found.id === format.id || /^(relion|warp)/.test(format.id) && found.id === "relion5"),
    `${format.id} is taken for ${found?.id}`,
  );
  return inFrame(await found.read(bytes, name, {}), { unit: "voxel", origin: "first-voxel" }, frameOf);
}

for (const format of particleFormats) {
  Deno.test(`${format.id}: what is written is known by its content and read as the same particles`, async () => {
    const float32 = format.id === "imod" || format.id === "tom-motl";
    const lacks = (what: string) => WITHOUT[what].includes(format.id);
    await fc.assert(
      fc.asyncProperty(anySet(format.manyTomograms === true), async (set) => {
        const back = await roundTrip(format, set);
        assert.equal(back.count, set.count);
        assertClose(back.positionsXyz, set.positionsXyz, float32 ? FLOAT32_CLOSE : TEXT_CLOSE, "positions");
        // copick says "no angles" by angles of 0.
        const turned = back.eulerZyzDegrees ?? new Float64Array(3 * set.count);
        if (!lacks("angles") && set.eulerZyzDegrees) {
          assertClose(matricesOf(turned), matricesOf(set.eulerZyzDegrees), ANGLE_CLOSE, "angles");
        }
        if (!lacks("score")) assertClose(back.score!, set.score!, 1e-6, "score");
        if (!lacks("label")) assert.deepEqual(back.labels, set.labels);
        if (!lacks("tomogram")) {
          // A format of numbers numbers the names: the same stay the same.
          const first = (names: readonly string[]) => names.map((name) => names.indexOf(name));
          assert.deepEqual(first(back.tomograms), first(set.tomograms));
        }
        if (back.shiftsXyz && set.shiftsXyz) assertClose(back.shiftsXyz, set.shiftsXyz, FLOAT32_CLOSE, "shifts");
      }),
      { numRuns: 25, seed: 5 },
    );
  });

  Deno.test(`${format.id}: a file that says the same is written with the same content again`, async () => {
    await fc.assert(
      fc.asyncProperty(anySet(false), async (set) => {
        const once = await encodeParticles(set, { to: format.id, frameOf });
        const name = nameOf(format);
        const back = { ...await (detectParticles(fileHead(name, toBytes(once.content)))!).read(toBytes(once.content), name, {}) };
        const twice = await encodeParticles({ ...back, format: format.id }, { to: format.id, frameOf });
        const third = { ...await (detectParticles(fileHead(name, toBytes(twice.content)))!).read(toBytes(twice.content), name, {}) };
        assertClose(third.positionsXyz, back.positionsXyz, 1e-4, "positions");
        if (back.star) assert.deepEqual(third.star!.file.blocks[third.star!.block], back.star.file.blocks[back.star.block]);
      }),
      { numRuns: 8, seed: 6 },
    );
  });

  Deno.test(`${format.id}: no particles are written and read`, async () => {
    const { content } = await encodeParticles(makeSet({ positionsXyz: new Float64Array(0) }), { to: format.id, frameOf });
    assert.equal((await format.read(toBytes(content), nameOf(format), {})).count, 0);
  });
}

Deno.test("a conversion that needs a size that nobody knows is refused with the way to say it", async () => {
  const set = makeSet({ positionsXyz: Float64Array.of(1, 2, 3) });
  const unknown = () => ({});
  const refuse = async (to: string, from: ParticleSet, expected: RegExp) =>
    await assert.rejects(
      encodeParticles(from, { to, frameOf: unknown }),
      (error: Error) => error instanceof InputError && expected.test(error.message),
    );
  await refuse(
    "relion5",
    set,
    /coordinates are wanted from the centre of tomogram "TS_01", but its size and its voxel size are not known: give --tomogram FILE/,
  );
  await refuse("copick", set, /voxels whose size is not known: give --voxel-size/);
  await refuse("relion4", set, /voxel size is not known.*--voxel-size/);
  await refuse(
    "coords",
    makeSet({ positionsXyz: Float64Array.of(1, 2, 3), unit: "angstrom" }),
    /are Angstrom, and the voxel size of tomogram "TS_01" is not known/,
  );
  await refuse("coords", makeSet({ positionsXyz: new Float64Array(6), tomograms: ["a", "b"] }), /of 2 tomograms \(a, b\).*\{tomogram\}/);
  await refuse(
    "csv",
    makeSet({ positionsXyz: new Float64Array(3), unit: "angstrom", origin: "centre" }),
    /its size and its voxel size are not known/,
  );
});

Deno.test("centred coordinates: each rule of the centre is what it says, and is named", async () => {
  const set = makeSet({ positionsXyz: Float64Array.of(0, 0, 0) });
  for (const [centre, expected] of [["half", 100.5], ["half-minus-one", 99.5], ["floor", 100]] as const) {
    const { content, notes } = await encodeParticles(set, { to: "relion5", frameOf, centre });
    const x = await particleFormat("relion5")!.read(toBytes(content), "a.star", {});
    assert.equal(x.positionsXyz[0], Number((-expected * 7.84).toPrecision(9)));
    assert.match(notes.join("; "), centre === "half" ? /index dims \/ 2/ : centre === "floor" ? /floor\(dims \/ 2\)/ : /dims \/ 2 - 1/);
    const back = inFrame(await particleFormat("relion5")!.read(toBytes(content), "a.star", { centre }), {
      unit: "voxel",
      origin: "first-voxel",
    }, frameOf);
    assertClose(back.positionsXyz, [0, 0, 0], 1e-6, "back");
  }
});

Deno.test("coordinates of unbinned voxels are scaled to those of the tomogram, and said so", () => {
  const set = makeSet({ positionsXyz: Float64Array.of(100, 200, 40), voxelSizeAngstrom: Float64Array.of(1.96) });
  const placed = inFrame(set, { unit: "voxel", origin: "first-voxel" }, frameOf);
  assertClose(placed.positionsXyz, [25, 50, 10], 1e-12, "binned by 4");
  assert.match(placed.assumed.join("; "), /scaled from voxels of 1\.96 A to voxels of 7\.84 A/);
});

Deno.test("a STAR file that is scaled, or goes to another dialect, says the voxel size that it counts now", async () => {
  const head = (columns: string[]) => `data_\nloop_\n${columns.map((name) => `_${name}\n`).join("")}`;
  const place = ["rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ", "rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst"];
  const optics = "data_optics\nloop_\n_rlnOpticsGroup\n_rlnImagePixelSize\n1 2\n";
  const sources = [
    `${head([...place, "rlnPixelSize"])}10 20 30 4 0 0 2\n`,
    `${head([...place, "rlnMagnification", "rlnDetectorPixelSize"])}10 20 30 4 0 0 20000 4\n`,
    optics + `${head([...place, "rlnOpticsGroup"]).replace("data_", "data_particles")}10 20 30 4 0 0 1\n`,
  ];
  for (const text of sources) {
    const set = await particleFormat("relion5")!.read(toBytes(text), "a.star", {});
    assert.deepEqual([...set.positionsXyz], [8, 20, 30]);
    for (const to of ["relion3.0", "relion3.1", "relion4", "warp"]) {
      const { content } = await encodeParticles(set, { to, frameOf: () => ({}), voxelSizeAngstrom: 8 });
      const back = await particleFormat("relion5")!.read(toBytes(content), "b.star", {});
      assert.deepEqual([[...back.positionsXyz], [...back.voxelSizeAngstrom]], [[2, 5, 7.5], [8]], `${to}\n${content}`);
    }
  }
});

/** Content without layout and comments. */
const words = (text: string) => text.replaceAll(/#.*$/gm, "").trim().split(/\s+/);

Deno.test("real STAR and Dynamo files come back word for word", async () => {
  const picks = realFiles("picks"), star = realFiles("star");
  if (!picks || !star) return;
  const files = [
    ...["tomoman_relion_star", "relion_4_star", "relion_3_star", "stopgap_star"].map((name) =>
      `${picks}portal/20002__annotations__${name}.star`
    ),
    ...[`${picks}dynamo/t_complex.tbl`, `${picks}dynamo/t_double.tbl`, `${star}one_loop.star`, `${star}single_line_end_of_multiblock.star`],
  ];
  for (const path of files) {
    const set = await readParticles(path);
    const { content } = await encodeParticles(set, { to: set.format, frameOf: () => ({}) });
    assert.deepEqual(words(content as string), words(await Deno.readTextFile(path)), path);
  }
});

Deno.test("real files of one set of particles agree: RELION 3 and 4, STOPGAP, TomoMan, Tardis of the Portal", async () => {
  const picks = realFiles("picks");
  if (!picks) return;
  const open = (name: string, options = {}) => readParticles(`${picks}portal/20002__annotations__${name}`, options);
  const four = await open("relion_4_star.star");
  assert.equal(four.format, "relion3.1");
  assertClose(four.positionsXyz.slice(0, 6), [5.2, 10.4, 15.2, 0.8, 1.6, 2.8], 1e-9, "RELION 4");
  const three = await open("relion_3_star.star"), tomoman = await open("tomoman_relion_star.star");
  assertClose(three.positionsXyz, four.positionsXyz, 1e-9, "RELION 3");
  assertClose(tomoman.positionsXyz, four.positionsXyz, 1e-9, "TomoMan");
  assertClose(matricesOf(three.eulerZyzDegrees!), matricesOf(four.eulerZyzDegrees!), 1e-9, "angles");
  assert.equal(three.voxelSizeAngstrom[0], 1.7005);
  assert.equal(tomoman.voxelSizeAngstrom[0], 1.96);
  const stopgap = await open("stopgap_star.star", { firstVoxel: 0 });
  // STOPGAP's shifts are added, RELION's are subtracted: 4 + -1.2 and 4 - -1.2.
  assertClose(stopgap.positionsXyz.slice(0, 3), [2.8, 5.6, 8.8], 1e-9, "STOPGAP");
  const tardis = await open("tardis.csv");
  assert.equal(tardis.unit, "angstrom");
  assertClose(tardis.positionsXyz.slice(0, 3), [4, 8, 12], 1e-12, "Tardis");
  // The rotation matrices of copick's file are those of the same four orientations as in the RELION file.
  const copick = await open("copick.json");
  assertClose(matricesOf(copick.eulerZyzDegrees!.slice(0, 3)), matricesOf(four.eulerZyzDegrees!.slice(0, 3)), 1e-9, "copick");
});

Deno.test("real IMOD models: points of contours in order, meshes passed over, the header's voxel size", async () => {
  const picks = realFiles("picks");
  if (!picks) return;
  const meshed = await readParticles(`${picks}imod/meshed_contour_example.mod`);
  assert.equal(meshed.count, 286);
  const two = await readParticles(`${picks}imod/two_contour_example.mod`);
  assert.deepEqual([two.count, new Set(two.columns.imod_contour).size, two.voxelSizeAngstrom[0]], [25, 2, 4.48]);
  const objects = await readParticles(`${picks}imod/multiple_objects_example.mod`);
  // The first object has no points.
  assert.deepEqual([...new Set(objects.columns.imod_object)], ["2", "3"]);
});

Deno.test("readParticles() says what it knows of a file that it does not know", async () => {
  await using folder = await temporaryFolder();
  const refuse = async (name: string, content: string, expected: RegExp) => {
    await Deno.writeTextFile(`${folder.path}/${name}`, content);
    await assert.rejects(
      readParticles(`${folder.path}/${name}`),
      (error: Error) => error instanceof InputError && expected.test(error.message),
    );
  };
  await refuse("a.star", "data_general\n_rlnA 1\n", /STAR file without coordinates/);
  await refuse("a.star", "data_\nloop_\n_rlnCoordinateX\n_rlnCoordinateY\n1 2\n", /no Z: particles of micrographs/);
  await refuse("a.box", "1 2 64 64\n", /boxes of a micrograph/);
  await refuse("a.txt", "hello\n", /no particle file.*--from FORMAT/);
  await refuse(
    "a.json",
    '{"pickable_object_name": "a", "points": [{"location": {"x": 1, "y": 2}}]}',
    /points\[0\]\.location\.z is missing/,
  );
  await refuse("a.json", '{"pickable_object_name": "a", "unit": "voxel", "points": []}', /unit is "voxel"/);
  await refuse(
    "b.ndjson",
    '{"type":"orientedPoint","location":{"x":1,"y":2,"z":3},"xyz_rotation_matrix":[[2,0,0],[0,1,0],[0,0,1]]}\n',
    /line 1: xyz_rotation_matrix is no rotation/,
  );
  await refuse("a.xml", "<ParticleList><Particle/></ParticleList>", /particle 1 has no PickPosition/);
  await assert.rejects(readParticles(`${folder.path}/none.star`), /none\.star: no such file/);
});
