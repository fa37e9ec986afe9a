import assert from "node:assert/strict";
import type { Picks } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import coordinates from "../../../plugins/pickers/coordinates.ts";
import { memoryContext, memoryTomogram, memoryVolume } from "../memory_context.ts";

const TABLE = `tomogram,x,y,z,score,rot,tilt,psi,Label,Day
cell,1.25,2,3,0.5,10,20,30,ribosome,007
other,5,5,5,1,0,0,0,none,1
data/cell.mrc,19,9,7.25,2,-10,0,170,"proteasome, 26S",8
`;

async function pick(text: string, given: Record<string, unknown> = {}, id = "cell", voxelSize = 10) {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/picks.csv`;
    await Deno.writeTextFile(path, text);
    const context = memoryContext(), picker = await coordinates.create(coordinates.options.parse({ path, ...given }), context, {});
    const tomogram = memoryTomogram({ raw: memoryVolume(new Float32Array(8 * 10 * 20), [8, 10, 20], voxelSize) }, id);
    return { picks: await picker.apply(tomogram, context.signal) as Picks, context };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("`coordinates` takes a tomogram's rows with scores, angles and every further column", async () => {
  const { picks } = await pick(TABLE);
  assert.deepEqual([...picks.centresXyz], [1.25, 2, 3, 19, 9, 7.25]);
  assert.deepEqual([...picks.score], [0.5, 2]);
  assert.deepEqual([...picks.eulerZyzDegrees!], [10, 20, 30, -10, 0, 170]);
  assert.deepEqual(picks.columns, { label: ["ribosome", "proteasome, 26S"], Day: ["007", "8"] });
});

Deno.test("`coordinates` gives no picks for a tomogram that the table does not name", async () => {
  assert.equal((await pick(TABLE, {}, "third")).picks.score.length, 0);
});

Deno.test("`coordinates` reads Angstrom, tabs and tables without scores and angles", async () => {
  const { picks } = await pick("Tomogram\tX\tY\tZ\ncell\t100\t40\t25\n", { unit: "angstrom" });
  assert.deepEqual([...picks.centresXyz], [10, 4, 2.5]);
  assert.deepEqual([[...picks.score], picks.eulerZyzDegrees, picks.columns], [[0], undefined, {}]);
});

Deno.test("`coordinates` reads one file a tomogram when its path holds {id}", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/cell_picks.csv`, "x,y,z\n4,5,6\n");
    const { picks } = await pick("unused", { path: `${folder}/{id}_picks.csv` });
    assert.deepEqual([...picks.centresXyz], [4, 5, 6]);
    await assert.rejects(
      pick("unused", { path: `${folder}/{id}_none.csv` }),
      (e: Error) => e instanceof InputError && /cell_none\.csv: no such file/.test(e.message),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("`coordinates` drops and counts points outside the volume", async () => {
  const { picks, context } = await pick("tomogram,x,y,z,n\ncell,-0.5,0,0,1\ncell,-0.6,0,0,2\ncell,19.4,9.4,7.4,3\ncell,1,9.5,1,4\n");
  assert.deepEqual(picks.columns, { n: [1, 3] });
  assert.deepEqual(context.told.filter(({ type }) => type === "drop"), [{
    type: "drop",
    code: "drop",
    message: "pick lies outside the volume",
    count: 2,
  }]);
});

const faults: [string, string, Record<string, unknown>, RegExp][] = [
  [
    "mostly outside the volume",
    "tomogram,x,y,z\ncell,100,40,25\n",
    {},
    /1 of 1 picks lie outside tomogram "cell" of 20 x 10 x 8 voxels \(in voxels: x 100 to 100, .*set "unit": "angstrom"\?/,
  ],
  ["without a coordinate", "tomogram,x,y\ncell,1,2\n", {}, /no column "z"/],
  ["that names no tomogram", "1,2,3\n", {}, /does not say which tomogram a particle is in/],
  ["without the tomogram", "x,y,z\n1,2,3\n", {}, /does not say which tomogram.*add a column "tomogram", or use one file a tomogram/],
  ["with words for numbers", "tomogram,x,y,z\ncell,1,two,3\n", {}, /line 2: y is "two": expected a number/],
  ["with some of the angles", "tomogram,x,y,z,rot,tilt\ncell,1,2,3,4,5\n", {}, /has rot and tilt but not all of rot, tilt, psi/],
];
for (const [what, text, given, message] of faults) {
  Deno.test(`\`coordinates\` refuses a table ${what}`, async () => {
    await assert.rejects(pick(text, given), (e: Error) => e instanceof InputError && message.test(e.message));
  });
}

Deno.test("`coordinates` takes RELION 5, Dynamo and copick files: centred Angstrom, shifts and angles by each format's rule", async () => {
  const relion =
    "data_particles\nloop_\n_rlnTomoName\n_rlnCenteredCoordinateXAngst\n_rlnCenteredCoordinateYAngst\n_rlnCenteredCoordinateZAngst\n" +
    "_rlnOriginXAngst\n_rlnOriginYAngst\n_rlnOriginZAngst\n_rlnClassNumber\ncell -50 0 20 10 0 0 3\nother 0 0 0 0 0 0 1\n";
  const { picks, context } = await pick(relion);
  // 20 x 10 x 8 voxels of 10 A: the centre is 10, 5, 4; the origin is subtracted.
  assert.deepEqual([...picks.centresXyz], [4, 5, 6]);
  assert.deepEqual(picks.columns, { label: [3] });
  assert.match(context.told.map(({ message }) => message).join(), /counted from the tomogram's centre, index dims \/ 2/);
  assert.deepEqual([...(await pick(relion, { centre: "half-minus-one" })).picks.centresXyz], [3, 4, 5]);
  const row = Array.from({ length: 40 }, () => "0");
  Object.assign(row, { 3: "0.5", 6: "10", 7: "20", 8: "30", 19: "7", 23: "4", 24: "5", 25: "6" });
  const dynamo = (await pick(`${row.join(" ")}\n`, { format: "dynamo" }, "7")).picks;
  assert.deepEqual([...dynamo.centresXyz], [4.5, 5, 6]);
  const copick =
    '{"pickable_object_name": "ribosome", "run_name": "cell", "unit": "angstrom", "points": [{"location": {"x": 40, "y": 50, "z": 60}}]}';
  const { picks: three } = await pick(copick);
  assert.deepEqual([[...three.centresXyz], three.columns], [[4, 5, 6], { label: ["ribosome"] }]);
});

Deno.test("`coordinates` refuses Angstrom when the voxel size is unknown", async () => {
  await assert.rejects(
    pick(TABLE, { unit: "angstrom" }, "cell", 0),
    (e: Error) => e instanceof InputError && /voxel size .* is unknown/.test(e.message),
  );
});
