import assert from "node:assert/strict";
import { realFiles, temporaryFolder } from "../plugins/formats/reading.ts";
import { encodeParticles, particleFormat, readParticles } from "../../plugins/formats/particles.ts";
import { inFrame, type ParticleSet } from "../../plugins/formats/particle_set.ts";
import { hasProgram, reconstruct, run, writeSet } from "./relion.ts";

const frameOf = () => ({ shapeXyz: [64, 64, 65] as const, voxelSizeAngstrom: 10 });
const toBytes = (content: string | Uint8Array) => typeof content === "string" ? new TextEncoder().encode(content) : content;
/** Formats that keep a shift apart, so that its sign goes through them, and others with angles. */
const SHIFTED = ["dynamo", "tom-motl", "stopgap", "pytom", "copick", "relion4", "relion5"], ORIENTED = ["portal", "m", "csv"];

/** A set written in a format and read again, in voxels of the tomogram. */
async function through(set: ParticleSet, id: string): Promise<ParticleSet> {
  const format = particleFormat(id)!;
  // The table of the STAR file that it came from would carry the old numbers along.
  const { star: _, ...bare } = set;
  const { content } = await encodeParticles({ ...bare, tomograms: set.tomograms.map(() => "TS_01") }, { to: id, frameOf });
  return inFrame(await format.read(toBytes(content), `a.${id}`, {}), { unit: "voxel", origin: "first-voxel" }, frameOf);
}

Deno.test("relion_reconstruct finds the truth from angles and shifts that went through other programs' files", async () => {
  assert.ok(await hasProgram("relion_reconstruct"), "relion_reconstruct is not installed: apt-get install relion");
  await using folder = await temporaryFolder();
  const truth = await writeSet(folder.path);
  const asWritten = await reconstruct(folder.path, "particles.star", truth);
  const set = await readParticles(`${folder.path}/particles.star`);
  for (const id of [...SHIFTED, ...ORIENTED]) {
    const back = await through(set, id);
    const shifted = SHIFTED.includes(id);
    assert.equal(back.shiftsXyz !== undefined, shifted, `${id} keeps shifts apart`);
    const converted = {
      ...set,
      eulerZyzDegrees: back.eulerZyzDegrees!,
      ...(shifted ? { shiftsXyz: back.shiftsXyz! } : {}),
      positionsXyz: back.positionsXyz,
    };
    const { content } = await encodeParticles(converted, { to: "relion3.1", frameOf: () => ({}) });
    await Deno.writeTextFile(`${folder.path}/${id}.star`, content as string);
    const correlation = await reconstruct(folder.path, `${id}.star`, truth);
    console.log(`${correlation.toFixed(4)}  through ${id} (as written: ${asWritten.toFixed(4)})`);
    assert.ok(Math.abs(correlation - asWritten) < 1e-3, `${id}: ${correlation}, as written ${asWritten}`);
  }
});

Deno.test("relion_star_printtable reads every dialect that convert writes, from real files too", async () => {
  assert.ok(await hasProgram("relion_star_printtable"), "relion_star_printtable is not installed: apt-get install relion");
  const picks = realFiles("picks");
  assert.ok(picks, "no real files in ../shared/data/picks");
  await using folder = await temporaryFolder();
  const sources = ["portal/20002__annotations__relion_4_star.star", "portal/20002__annotations__relion_3_star.star", "dynamo/t_double.tbl"];
  for (const name of sources) {
    const set = await readParticles(`${picks}${name}`);
    for (const to of ["relion3.0", "relion3.1", "relion4", "relion5", "warp"]) {
      const { content } = await encodeParticles(set, { to, frameOf, voxelSizeAngstrom: 10 });
      await Deno.writeTextFile(`${folder.path}/a.star`, content as string);
      const block = /^(relion3\.0|warp)$/.test(to) ? "data_" : "data_particles";
      const columns = ["X", "Y", "Z"].map((axis) => to === "relion5" ? `rlnCenteredCoordinate${axis}Angst` : `rlnCoordinate${axis}`);
      // RELION 3 does not know RELION 5's names: it reads what it knows.
      const known = to === "relion5" ? ["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"] : columns;
      const printed = (await run(folder.path, "relion_star_printtable", "a.star", block, ...known)).trim().split("\n").map((line) =>
        line.trim().split(/\s+/).map(Number)
      );
      const back = await readParticles(`${folder.path}/a.star`);
      assert.equal(printed.length, back.count, `${name} as ${to}`);
      const shifts = back.shiftsXyz ?? new Float64Array(3 * back.count);
      printed.forEach((row, i) =>
        row.forEach((value, axis) => {
          const expected = to === "relion5" ? back.eulerZyzDegrees![3 * i + axis] : back.positionsXyz[3 * i + axis] - shifts[3 * i + axis];
          assert.ok(
            Math.abs(value - expected) < 1e-3 * Math.max(1, Math.abs(expected)),
            `${name} as ${to}, row ${i}: ${value}, expected ${expected}`,
          );
        })
      );
    }
  }
});
