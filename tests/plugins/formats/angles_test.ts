import assert from "node:assert/strict";
import { readFixture } from "./reading.ts";
import { dynamoToZyz, zyzToDynamo } from "../../../plugins/formats/dynamo_table.ts";
import { motlToZyz, zyzToMotl } from "../../../plugins/formats/motl_angles.ts";
import { readRelionParticles } from "../../../plugins/formats/relion_particles.ts";
import {
  eulerZxzToMatrix,
  eulerZyzToMatrix,
  matrixToEulerZxz,
  matrixToEulerZyz,
  rotationFault,
} from "../../../plugins/kernels/rotation.ts";

type Three = [number, number, number];
const { cases, nested } = readFixture<{
  cases: { matrix: number[]; relion: Three; dynamo: Three; motl: Three }[];
  nested: { subtomogram: Three; particle: Three; origin: Three; matrix: number[]; turnedOrigin: Three }[];
}>("angles");
/** SciPy and this code agree to rounding in float64. */
const CLOSE = 1e-9;

function close(found: ArrayLike<number>, expected: ArrayLike<number>, most = CLOSE): void {
  assert.equal(found.length, expected.length);
  for (let i = 0; i < found.length; i++) {
    assert.ok(Math.abs(found[i] - expected[i]) < most, `${Array.from(found)} is not ${Array.from(expected)}`);
  }
}
const zyz = (angles: Three) => eulerZyzToMatrix(...angles);

Deno.test("RELION's, Dynamo's and TOM's angles of SciPy's orientations give SciPy's matrices", () => {
  for (const { matrix, relion, dynamo, motl } of cases) {
    close(zyz(relion), matrix);
    close(zyz(dynamoToZyz(...dynamo)), matrix);
    close(zyz(motlToZyz(...motl)), matrix);
  }
});

Deno.test("and back: the angles written for a matrix mean that matrix, with the middle angle from 0 to 180", () => {
  for (const { matrix } of cases) {
    const m = Float64Array.from(matrix), euler = matrixToEulerZyz(m);
    close(zyz(euler), matrix, 1e-7);
    const dynamo = zyzToDynamo(...euler), motl = zyzToMotl(...euler);
    close(eulerZxzToMatrix(-dynamo[0], -dynamo[1], -dynamo[2]), matrix, 1e-7);
    close(eulerZxzToMatrix(motl[1], motl[2], motl[0]), matrix, 1e-7);
    close(eulerZxzToMatrix(...matrixToEulerZxz(m)), matrix, 1e-7);
    for (const middle of [euler[1], dynamo[1], motl[2]]) assert.ok(middle >= 0 && middle <= 180);
    for (const angle of [...euler, ...dynamo, ...motl]) assert.ok(angle >= -180 && angle <= 180, `${angle}`);
  }
});

Deno.test("a particle turned in a turned subtomogram (RELION 4 and 5): angles and origins as SciPy has them", () => {
  for (const { subtomogram, particle, origin, matrix, turnedOrigin } of nested) {
    const columns = ["rlnCenteredCoordinateXAngst", "rlnCenteredCoordinateYAngst", "rlnCenteredCoordinateZAngst"]
      .concat(["rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi", "rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"])
      .concat(["rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst"]);
    const values = [1, 2, 3, ...subtomogram, ...particle, ...origin];
    const text = `data_particles\nloop_\n${columns.map((name) => `_${name}\n`).join("")}${values.join(" ")}\n`;
    const set = readRelionParticles(text, "a.star");
    const e = set.eulerZyzDegrees!;
    close(eulerZyzToMatrix(e[0], e[1], e[2]), matrix, 1e-7);
    close(set.positionsXyz, [1, 2, 3].map((value, axis) => value - turnedOrigin[axis]), 1e-9);
  }
});

Deno.test("rotationFault() tells rotations from mirrors and scales", () => {
  for (const { matrix } of cases) assert.ok(rotationFault(Float64Array.from(matrix)) < 1e-9);
  assert.ok(rotationFault(Float64Array.of(-1, 0, 0, 0, 1, 0, 0, 0, 1)) >= 2);
  assert.ok(rotationFault(Float64Array.of(1.1, 0, 0, 0, 1.1, 0, 0, 0, 1.1)) > 0.2);
});
