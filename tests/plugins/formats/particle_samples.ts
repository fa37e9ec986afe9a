/** Sets of particles for tests of formats, and what two sets must have in common. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { FrameOf, ParticleSet } from "../../../plugins/formats/particle_set.ts";
import { eulerZyzToMatrix } from "../../../plugins/kernels/rotation.ts";

/** A tomogram of odd sizes: dims / 2, floor(dims / 2) and dims / 2 - 1 all differ. */
export const frameOf: FrameOf = () => ({ shapeXyz: [201, 301, 121], voxelSizeAngstrom: 7.84 });

/** A set in voxels from the first one. */
export function makeSet(content: Partial<ParticleSet> & { positionsXyz: Float64Array }): ParticleSet {
  const count = content.positionsXyz.length / 3;
  return {
    path: "set",
    format: "test",
    count,
    unit: "voxel",
    origin: "first-voxel",
    voxelSizeAngstrom: new Float64Array(count).fill(NaN),
    tomograms: new Array(count).fill("TS_01"),
    columns: {},
    assumed: [],
    ...content,
  };
}

const coordinate = fc.double({ min: -50, max: 4000, noNaN: true });
const angle = fc.oneof(fc.double({ min: -180, max: 180, noNaN: true }), fc.constantFrom(0, 90, 180, -90));
const particle = fc.record({
  place: fc.tuple(coordinate, coordinate, coordinate),
  shift: fc.tuple(
    ...[0, 1, 2].map(() => fc.double({ min: -8, max: 8, noNaN: true })) as [
      fc.Arbitrary<number>,
      fc.Arbitrary<number>,
      fc.Arbitrary<number>,
    ],
  ),
  angles: fc.tuple(angle, angle, angle),
  score: fc.double({ min: 0, max: 1, noNaN: true }),
  label: fc.integer({ min: 0, max: 9 }),
  tomogram: fc.constantFrom("TS_01", "TS_02", "17"),
});

/** Sets with everything that a file may hold. `many`: of several tomograms. */
export const anySet = (many: boolean): fc.Arbitrary<ParticleSet> =>
  fc.tuple(fc.array(particle, { minLength: 1, maxLength: 6 }), fc.boolean(), fc.boolean()).map(([particles, shifted, turned]) =>
    makeSet({
      positionsXyz: Float64Array.from(particles.flatMap(({ place }) => place)),
      ...(shifted ? { shiftsXyz: Float64Array.from(particles.flatMap(({ shift }) => shift)) } : {}),
      ...(turned ? { eulerZyzDegrees: Float64Array.from(particles.flatMap(({ angles }) => angles)) } : {}),
      score: Float64Array.from(particles, ({ score }) => score),
      labels: particles.map(({ label }) => String(label)),
      tomograms: particles.map(({ tomogram }) => many ? tomogram : "TS_01"),
    })
  );

/** Every entry within `most` of the expected one. */
export function assertClose(found: ArrayLike<number>, expected: ArrayLike<number>, most: number, what: string): void {
  assert.equal(found.length, expected.length, what);
  for (let i = 0; i < found.length; i++) {
    assert.ok(Math.abs(found[i] - expected[i]) <= most, `${what}: ${found[i]} at ${i}, expected ${expected[i]}`);
  }
}

/** Matrices of all angles, one after the other. */
export function matricesOf(eulerZyzDegrees: Float64Array): number[] {
  const all: number[] = [];
  for (let i = 0; i < eulerZyzDegrees.length; i += 3) {
    all.push(...eulerZyzToMatrix(eulerZyzDegrees[i], eulerZyzDegrees[i + 1], eulerZyzDegrees[i + 2]));
  }
  return all;
}
