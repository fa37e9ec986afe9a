/**
 * Template correlation against direct sums in float64 (tests/fixtures/template_matching.py).
 */
import assert from "node:assert/strict";
import type { Geometry, Triple } from "../../streams/contract.ts";
import type { BeadTemplate } from "../../plugins/kernels/density.ts";
import { upperNormalQuantile } from "../../plugins/kernels/normal_tail.ts";
import { bestMaxima, correlateTile, maskReach, scoredShape, softMask } from "../../plugins/kernels/template_correlation.ts";
import numpy from "../fixtures/template_matching.json" with { type: "json" };

/** Beads end four deviations from their centre here (0.03 % of their peak), and sums are float32. */
const SCORE_TOLERANCE = 5e-4;

const shapeZyx = numpy.shapeZyx as unknown as Triple;
const geometry: Geometry = { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: 1 };
const template: BeadTemplate = {
  kind: "beads",
  name: "five beads",
  diameterVoxels: 12,
  beadsXyz: Float64Array.from(numpy.beadsXyz),
  sigmaVoxels: numpy.sigmaVoxels,
  beadMass: 1,
};
const settings = { template, geometry, maskRadiusVoxels: numpy.maskRadiusVoxels, maskEdgeVoxels: numpy.maskEdgeVoxels };
const voxels = Float32Array.from(numpy.voxelsTimes1e5, (v) => v / 1e5);
const rotations = Float32Array.from(numpy.rotations);

function correlate(some: Float32Array, firstRotation: number, best: Float32Array, bestRotation: Int32Array, tile: Float32Array = voxels) {
  return correlateTile({ ...settings, shapeZyx, voxels: tile, rotations: some, firstRotation, best, bestRotation });
}

Deno.test("`correlateTile()` gives NumPy's score map, orientations, mean and deviation", () => {
  const best = new Float32Array(numpy.best.length).fill(-Infinity), bestRotation = new Int32Array(best.length);
  // Two calls, as the picker makes them.
  const parts = [correlate(rotations.subarray(0, 45), 0, best, bestRotation), correlate(rotations.subarray(45), 5, best, bestRotation)];
  const worst = best.reduce((most, score, i) => Math.max(most, Math.abs(score - numpy.best[i])), 0);
  assert.ok(worst < SCORE_TOLERANCE, `${worst}`);
  // Where two orientations are nearly as good, rounding may decide.
  let compared = 0;
  numpy.bestRotation.forEach((expected, i) => {
    if (numpy.margin[i] < 2 * SCORE_TOLERANCE) return;
    assert.equal(bestRotation[i], expected);
    compared++;
  });
  assert.ok(compared > 0.95 * best.length);
  const count = parts[0].count + parts[1].count, mean = (parts[0].sum + parts[1].sum) / count;
  assert.equal(count, 12 * best.length);
  assert.ok(Math.abs(mean - numpy.mean) < SCORE_TOLERANCE);
  assert.ok(Math.abs(Math.sqrt((parts[0].square + parts[1].square) / count - mean ** 2) - numpy.deviation) < SCORE_TOLERANCE);

  const reach = maskReach(settings), shape = scoredShape(shapeZyx, reach);
  const maxima = bestMaxima({ best, bestRotation, shapeZyx: shape, cornerZyx: [0, 0, 0], sizeZyx: shape, least: 0.6 });
  const found = Array.from({ length: maxima.length / 5 }, (_, i) => [...maxima.subarray(5 * i, 5 * i + 5)]);
  assert.deepEqual(
    found.map(([x, y, z, , rotation]) => [x + reach, y + reach, z + reach, rotation]),
    numpy.centresXyz.map((centre, i) => [...centre, numpy.shown[i]]).sort((a, b) => a[2] - b[2]),
  );
});

Deno.test("`correlateTile()` does not care for the density's offset and scale", () => {
  const run = (tile: Float32Array) => {
    const best = new Float32Array(numpy.best.length).fill(-Infinity), bestRotation = new Int32Array(best.length);
    correlate(rotations.subarray(0, 18), 0, best, bestRotation, tile);
    return best;
  };
  const plain = run(voxels), other = run(voxels.map((v) => 50 * v + 7));
  assert.ok(plain.every((score, i) => Math.abs(score - other[i]) < SCORE_TOLERANCE));
  // A constant tile has no score.
  assert.ok(run(voxels.map(() => 3)).every((score) => score === 0));
});

Deno.test("`softMask()` is a sphere with a soft edge inside its box", () => {
  const mask = softMask({ maskRadiusVoxels: 4, maskEdgeVoxels: 2 }),
    at = (x: number, y: number, z: number) => mask[((z + 6) * 13 + y + 6) * 13 + x + 6];
  assert.equal(mask.length, 13 ** 3);
  assert.deepEqual([at(0, 0, 0), at(4, 0, 0), at(0, 0, -4), at(6, 0, 0), at(0, -5, 0)], [1, 1, 1, 0, 0.5]);
});

Deno.test("`upperNormalQuantile()` gives SciPy's norm.isf", () => {
  for (
    const [share, deviations] of [[0.1, 1.2815515655446004], [1e-3, 3.090232306167813], [1e-9, 5.997807015007686], [
      1e-14,
      7.6506280929352695,
    ]]
  ) {
    assert.ok(Math.abs(upperNormalQuantile(share) - deviations) < 1e-8);
  }
});
