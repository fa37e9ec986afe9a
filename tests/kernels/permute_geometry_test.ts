import { strict as assert } from "node:assert";
import type { Geometry, Triple } from "../../streams/contract.ts";
import { type FrameChange, frameChangeWords, permuteGeometry } from "../../plugins/kernels/permute_geometry.ts";
import { wedgeMask } from "../../plugins/kernels/wedge.ts";

const permutations: Triple[] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
const flips = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => [(bits & 1) > 0, (bits & 2) > 0, (bits & 4) > 0] as const);
const changes: FrameChange[] = permutations.flatMap((axesXyz) => flips.map((flippedXyz) => ({ axesXyz, flippedXyz })));

/** Permutes the voxels of a cube with an odd number of them a side, so that mirrors keep the zero frequency in the middle. */
function permuteCube(voxels: Float32Array, n: number, { axesXyz, flippedXyz }: FrameChange): Float32Array {
  const out = new Float32Array(n ** 3);
  for (let i = 0; i < out.length; i++) {
    const fresh = [i % n, Math.floor(i / n) % n, Math.floor(i / n / n)];
    const old = [0, 0, 0];
    fresh.forEach((value, axis) => old[axesXyz[axis]] = flippedXyz[axis] ? n - 1 - value : value);
    out[i] = voxels[(old[2] * n + old[1]) * n + old[0]];
  }
  return out;
}

Deno.test("the wedge of a permuted geometry is the permuted wedge", () => {
  const n = 15;
  let compared = 0;
  for (const tiltAxis of ["x", "y"] as const) {
    for (const handedness of [1, -1, "unknown"] as const) {
      const geometry: Geometry = { tiltRangeDegrees: [-61, 34], tiltAxis, handedness };
      const mask = wedgeMask(n, geometry, "centred");
      for (const change of changes.filter(({ axesXyz }) => axesXyz[2] === 2)) {
        assert.deepEqual(
          wedgeMask(n, permuteGeometry(geometry, change), "centred"),
          permuteCube(mask, n, change),
          frameChangeWords(change),
        );
        compared++;
      }
    }
  }
  assert.equal(compared, 2 * 3 * 16);
});

Deno.test("a frame change twice over brings the geometry back when it is its own inverse", () => {
  const geometry: Geometry = {
    tiltRangeDegrees: [-60, 40],
    tiltAnglesDegrees: [-60, 0, 40],
    tiltAxis: "y",
    handedness: "unknown",
    defocusAngstrom: 3e4,
  };
  const change: FrameChange = { axesXyz: [1, 0, 2], flippedXyz: [false, false, true] };
  const once = permuteGeometry(geometry, change);
  assert.deepEqual(once, { ...geometry, tiltRangeDegrees: [-40, 60], tiltAnglesDegrees: [60, 0, -40], tiltAxis: "x" });
  assert.deepEqual(permuteGeometry(once, change), geometry);
  assert.equal(permuteGeometry({ ...geometry, handedness: 1 }, change).handedness, -1);
});

Deno.test("a beam that would not run along z is refused", () => {
  const geometry: Geometry = { tiltRangeDegrees: "unknown", tiltAxis: "y", handedness: 1 };
  assert.throws(() => permuteGeometry(geometry, { axesXyz: [0, 2, 1], flippedXyz: [false, false, false] }), /beam would run along y/);
  assert.throws(() => permuteGeometry(geometry, { axesXyz: [0, 0, 2], flippedXyz: [false, false, false] }), /expected 0, 1 and 2/);
});
