import assert from "node:assert/strict";
import { temporaryFolder } from "../formats/reading.ts";
import { fakeContext } from "../sources/fake_context.ts";
import { makeRecord, makeView, type ViewContent } from "./make_view.ts";
import { parseCsv } from "../../../plugins/formats/csv.ts";
import { openMrcVolume } from "../../../plugins/formats/mrc.ts";
import { decodeParquet } from "../../../plugins/formats/parquet.ts";
import classVolumes from "../../../plugins/sinks/class_volumes.ts";
import particlesTable from "../../../plugins/sinks/particles_table.ts";
import type { ClassVolume } from "../../../streams/contract.ts";

const CONTENT: ViewContent = {
  tomograms: [makeRecord(0, "a,b", { voxelSizeAngstrom: 13.48 }), makeRecord(1, "c")],
  boxVoxels: 2,
  voxels: new Float32Array(16),
  particles: {
    rows: Int32Array.of(0, 4, 1, 0),
    centresXyz: Float64Array.of(1, 2.5, 3, NaN, NaN, NaN),
    classIds: Int32Array.of(3, -1),
    score: Float32Array.of(0.5, 7),
    logLikelihood: Float64Array.of(-12.25, NaN),
    novel: Uint8Array.of(0, 1),
    columns: { rlnRandomSubset: [1, 2], note: ["x", 3], score: [9, 8] },
  },
};

Deno.test("particles-table writes the same rows as CSV and as Parquet", async () => {
  await using folder = await temporaryFolder();
  const view = makeView({
    ...CONTENT,
    truth: { metrics: {} as never, metricsWithFalsePicks: {} as never, labels: ["ribosome", null] },
  });
  const sink = await particlesTable.create(particlesTable.options.parse({}), fakeContext().context, {});
  await sink.write(view, folder.path);
  const text = await Deno.readTextFile(`${folder.path}/particles.csv`);
  const table = parseCsv(text, "particles.csv", { header: true });
  const wanted = {
    tomogram: ["a,b", "c"],
    pick: ["4", "0"],
    x: ["1", ""],
    y: ["2.5", ""],
    z: ["3", ""],
    xAngstrom: ["13.48", ""],
    yAngstrom: ["33.7", ""],
    zAngstrom: ["40.44", ""],
    score: ["0.5", "7"],
    class: ["3", "-1"],
    logLikelihood: ["-12.25", ""],
    novel: ["0", "1"],
    trueLabel: ["ribosome", ""],
    rlnRandomSubset: ["1", "2"],
    note: ["x", "3"],
    picked_score: ["9", "8"],
  };
  assert.deepEqual(Object.fromEntries(table.header!.map((name, j) => [name, table.rows.map((row) => row[j])])), wanted);
  const rows = await decodeParquet(await Deno.readFile(`${folder.path}/particles.parquet`));
  assert.deepEqual(rows[0], {
    tomogram: "a,b",
    pick: 4,
    x: 1,
    y: 2.5,
    z: 3,
    xAngstrom: 13.48,
    yAngstrom: 33.7,
    zAngstrom: 40.44,
    score: 0.5,
    class: 3,
    logLikelihood: -12.25,
    novel: false,
    trueLabel: "ribosome",
    rlnRandomSubset: 1,
    note: "x",
    picked_score: 9,
  });
  assert.ok(Number.isNaN(rows[1].x));
  assert.equal(rows[1].novel, true);
  assert.equal(text.includes("/somewhere"), false);
});

Deno.test("particles-table writes only the formats asked for, angles when they are known, and no rows when there are none", async () => {
  await using folder = await temporaryFolder();
  const empty = {
    rows: new Int32Array(0),
    centresXyz: new Float64Array(0),
    classIds: new Int32Array(0),
    eulerZyzDegrees: new Float64Array(0),
  };
  const view = makeView({ ...CONTENT, voxels: new Float32Array(0), particles: empty });
  const sink = await particlesTable.create(particlesTable.options.parse({ formats: ["csv"] }), fakeContext().context, {});
  await sink.write(view, folder.path);
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["particles.csv"]);
  assert.equal(
    await Deno.readTextFile(`${folder.path}/particles.csv`),
    "tomogram,pick,x,y,z,xAngstrom,yAngstrom,zAngstrom,score,rot,tilt,psi,class,logLikelihood,novel\n",
  );
});

function volume(classId: number, name: string, value: number): ClassVolume {
  return { classId, name, shapeZyx: [2, 2, 2], voxelSizeAngstrom: 13.48, voxels: new Float32Array(8).fill(value) };
}

Deno.test("class-volumes writes every volume of every class, and keeps those of equal names apart", async () => {
  await using folder = await temporaryFolder();
  const view = makeView({
    ...CONTENT,
    classResults: {
      'classes[0] "conv-decoder"': { volumes: [volume(3, "decoded centre", 1), volume(12, "../evil/<name>", 2)], tables: [] },
      'classes[1] "average"': { volumes: [volume(3, "average", 3)], tables: [] },
      'classes[2] "fsc"': { volumes: [volume(3, "average", 4), volume(3, "average", 5)], tables: [] },
    },
  });
  const { context, told } = fakeContext();
  await (await classVolumes.create(classVolumes.options.parse({}), context, {})).write(view, folder.path);
  const read = async (name: string) => {
    await using opened = await openMrcVolume(`${folder.path}/classes/${name}`);
    assert.deepEqual([opened.header.mode, opened.voxelSizeAngstrom, opened.shapeZyx], [2, 13.48, [2, 2, 2]]);
    return (await opened.readSlab(0, 1))[0];
  };
  const found: Record<string, number> = {};
  for (const id of ["03", "12"]) {
    for (const { name } of Deno.readDirSync(`${folder.path}/classes/${id}`)) found[`${id}/${name}`] = await read(`${id}/${name}`);
  }
  assert.deepEqual(found, {
    "03/decoded_centre.mrc": 1,
    "03/average.mrc": 3,
    "03/classes_2_fsc_average.mrc": 4,
    "03/classes_2_fsc_average_2.mrc": 5,
    "12/evil_name.mrc": 2,
  });
  assert.deepEqual(told.warnings, []);
});

Deno.test("class-volumes writes only the classes asked for, and warns when there is nothing", async () => {
  await using folder = await temporaryFolder();
  const view = makeView({
    ...CONTENT,
    classResults: { average: { volumes: [volume(1, "average", 1), volume(2, "average", 2)], tables: [] } },
  });
  const { context, told } = fakeContext();
  await (await classVolumes.create(classVolumes.options.parse({ classes: [2] }), context, {})).write(view, folder.path);
  assert.deepEqual([...Deno.readDirSync(`${folder.path}/classes`)].map(({ name }) => name), ["02"]);
  await (await classVolumes.create(classVolumes.options.parse({ classes: [9] }), context, {})).write(view, folder.path);
  assert.match(told.warnings.join(), /no-class-volumes/);
});
