import assert from "node:assert/strict";
import type { TomogramRecord } from "../../streams/contract.ts";
import { Ledger, type ParticleRecord } from "../../streams/ledger.ts";

const record = (ordinal: number): TomogramRecord => ({
  id: `t${ordinal}`,
  ordinal,
  path: null,
  shapeZyx: [8, 16, 16],
  voxelSizeAngstrom: 10,
  boxVoxelSizeAngstrom: 10,
  voxelsEach: 1,
  geometry: { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: "unknown" },
  metadata: {},
  picks: 3,
  boxes: 2,
});
const particle = (tomogram: number, pick: number): ParticleRecord => ({
  tomogram,
  pick,
  centreXyz: [pick + 0.25, 2, 3],
  score: 4.5,
  columns: { grid: "a" },
});

Deno.test("particles come back in row order whatever the order in which tomograms ended, with labels when they have them", () => {
  const path = `${Deno.makeTempDirSync()}/run.sqlite`;
  {
    using ledger = new Ledger(path);
    ledger.finishTomogram(record(1), [particle(1, 4), particle(1, 0)]);
    ledger.finishTomogram(record(0), [{ ...particle(0, 7), centreXyz: [NaN, NaN, NaN], eulerZyzDegrees: [10, 20, 30] }]);
    ledger.setLabels(Int32Array.of(0, 7, 1, 0), Int32Array.of(2, 5), Float64Array.of(-1.5, NaN), Uint8Array.of(1, 0));
  }
  using ledger = new Ledger(path, { readOnly: true });
  const found = ledger.particles();
  assert.deepEqual(found.map((p) => [p.tomogram, p.pick, p.classId, p.logLikelihood, p.novel]), [[0, 7, 2, -1.5, true], [
    1,
    0,
    5,
    NaN,
    false,
  ], [1, 4, null, NaN, false]]);
  assert.deepEqual(found[0].eulerZyzDegrees, [10, 20, 30]);
  assert.ok(Number.isNaN(found[0].centreXyz[0]));
  assert.deepEqual(found[1].columns, { grid: "a" });
  assert.deepEqual(ledger.tomograms().map((t) => [t.status, t.record.id]), [["done", "t0"], ["done", "t1"]]);
});

Deno.test("doing a tomogram again replaces its particles; facts, iterations and events stand once", () => {
  using ledger = new Ledger(`${Deno.makeTempDirSync()}/run.sqlite`);
  ledger.finishTomogram(record(0), [particle(0, 0), particle(0, 1)]);
  ledger.finishTomogram(record(0), [particle(0, 5)]);
  assert.deepEqual(ledger.particles().map((p) => p.pick), [5]);
  ledger.setFact("k", 3);
  ledger.setFact("k", { now: 4 });
  assert.deepEqual([ledger.fact("k"), ledger.fact("none")], [{ now: 4 }, null]);
  ledger.setIteration(1, { k: 2 });
  ledger.setIteration(0, { k: 1 });
  ledger.setIteration(1, { k: 9 });
  assert.deepEqual(ledger.iterations(), [{ k: 1 }, { k: 9 }]);
  for (const count of [1, 2]) ledger.addEvent({ type: "drop", stage: "boxes", code: "drop", message: "over the edge", count });
  assert.deepEqual(ledger.events(), [{ type: "drop", stage: "boxes", code: "drop", message: "over the edge", count: 2 }]);
});

Deno.test("a failed transaction leaves nothing behind, and a folder that is no run gets a clear error", () => {
  using ledger = new Ledger(`${Deno.makeTempDirSync()}/run.sqlite`);
  assert.throws(() => ledger.finishTomogram(record(0), [particle(0, 0), particle(0, 0)]), /UNIQUE/);
  assert.deepEqual([ledger.tomograms(), ledger.particles()], [[], []]);
  assert.throws(() => new Ledger("/nonexistent/run.sqlite", { readOnly: true }), {
    name: "RunError",
    message: /cannot be opened as a run's record/,
  });
});
