import { deepStrictEqual, ok, rejects, strictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import { InputError } from "../../streams/errors.ts";
import { matchingDistance, parseTruth, readTruth, type ScoreRequest, scoreRun } from "../../streams/truth.ts";

const TOMOGRAMS = [{ id: "a", ordinal: 0 }, { id: "b", ordinal: 1 }];
const CSV = `tomogram,x,y,z,label,rot
a,10,10,10,ribosome,0
a,40,10,10,proteasome,0
b,10,10,10,ribosome,0
b,80,10,10,proteasome,0
`;

/** Picks as [tomogram ordinal, x, y, z, class]. */
function request(csv: string, picks: readonly (readonly number[])[], tomograms = TOMOGRAMS): ScoreRequest & { notes: string[] } {
  const notes: string[] = [];
  const ordinals = new Map<number, number>();
  const rows = picks.flatMap(([tomogram]) => {
    const ordinal = ordinals.get(tomogram) ?? 0;
    ordinals.set(tomogram, ordinal + 1);
    return [tomogram, ordinal];
  });
  return {
    truth: parseTruth(csv, "truth.csv"),
    particles: {
      count: picks.length,
      rows: Int32Array.from(rows),
      centresXyz: Float64Array.from(picks.flatMap((pick) => pick.slice(1, 4))),
      classIds: picks.map((pick) => pick[4]),
    },
    tomograms,
    distanceVoxels: 5,
    note: (code) => notes.push(code),
    notes,
  };
}

Deno.test("`scoreRun()` matches each tomogram's picks to its own truth", () => {
  const score = scoreRun(request(CSV, [[0, 11, 10, 10, 3], [0, 40, 12, 10, 5], [1, 10, 10, 13, 3], [1, 80, 10, 10, 5]]));
  deepStrictEqual(score.labels, ["ribosome", "proteasome", "ribosome", "proteasome"]);
  deepStrictEqual(score.metrics, { ari: 1, homogeneity: 1, completeness: 1, vMeasure: 1, recall: 1, precision: 1 });
  deepStrictEqual([score.accuracy, score.k, score.matched, score.trueParticles], [1, 2, 4, 4]);
});

Deno.test("false picks count against precision and are a class of their own in the second set of figures", () => {
  const picks = [[0, 10, 10, 10, 3], [0, 40, 10, 10, 5], [0, 90, 90, 90, 3], [1, 10, 10, 10, 3], [1, 80, 10, 10, 5]];
  const score = scoreRun(request(CSV, picks));
  strictEqual(score.labels[2], null);
  strictEqual(score.metrics.ari, 1);
  strictEqual(score.metrics.precision, 4 / 5);
  ok(score.metricsWithFalsePicks.ari! < 1 && score.metricsWithFalsePicks.homogeneity! < 1);
  strictEqual(score.metricsWithFalsePicks.completeness, 1);
  strictEqual(score.accuracyWithFalsePicks, 4 / 5);
});

Deno.test("a second pick of the same particle is false, and the nearer one is kept", () => {
  const score = scoreRun(request(CSV, [[0, 14, 10, 10, 1], [0, 11, 10, 10, 1], [0, 40, 10, 10, 2], [1, 10, 10, 10, 1]]));
  deepStrictEqual(score.labels, [null, "ribosome", "proteasome", "ribosome"]);
});

Deno.test("figures of agreement are null when fewer than half of the true particles were found, recall is not", () => {
  const few = request(CSV, [[0, 10, 10, 10, 1]]);
  const score = scoreRun(few);
  strictEqual(score.metrics.ari, null);
  strictEqual(score.metricsWithFalsePicks.vMeasure, null);
  deepStrictEqual([score.metrics.recall, score.metrics.precision, score.accuracy], [0.25, 1, null]);
  deepStrictEqual(few.notes, ["truth-few-matched"]);
  strictEqual(scoreRun(request(CSV, [[0, 10, 10, 10, 1], [1, 10, 10, 10, 1]])).metrics.homogeneity, 1, "exactly half is enough");
  strictEqual(scoreRun(request(CSV, [])).metrics.precision, null);
});

Deno.test("tomograms without truth are left out and named, also when the truth names files", () => {
  const partial = request("tomogram,x,y,z,label\nsome/where/a.mrc,10,10,10,r\n", [[0, 10, 10, 10, 1], [1, 10, 10, 10, 2]]);
  const score = scoreRun(partial);
  deepStrictEqual([score.metrics.recall, score.metrics.precision, score.labels[1]], [1, 1, null]);
  deepStrictEqual(partial.notes, ["truth-covers-some"]);
  throws(
    () => scoreRun(request("tomogram,x,y,z,label\nc,1,1,1,r\n", [])),
    /truth\.csv: names the tomograms "c", the run has "a", "b": write the run's names into the column tomogram/,
  );
});

Deno.test("labels of a stack belong to boxes by their number, also when boxes were left out", () => {
  const stack = request("label\nx\ny\ny\nx\n", [[0, 0, 0, 0, 1], [0, 0, 0, 0, 2], [0, 0, 0, 0, 1]], [{ id: "s", ordinal: 0 }]);
  const rows = Int32Array.of(0, 0, 0, 2, 0, 3);
  const score = scoreRun({ ...stack, particles: { ...stack.particles, rows } });
  deepStrictEqual(score.labels, ["x", "y", "x"]);
  deepStrictEqual(score.metrics, { ari: 1, homogeneity: 1, completeness: 1, vMeasure: 1, recall: null, precision: null });
  const beyond = { ...stack, particles: { ...stack.particles, rows: Int32Array.of(0, 0, 0, 2, 0, 4) } };
  throws(() => scoreRun(beyond), /has 4 labels, the run has a box 5/);
});

Deno.test("`scoreRun()` does not depend on the order of picks or of truth rows", () => {
  const particle = fc.tuple(fc.integer({ min: 0, max: 1 }), fc.nat(30), fc.nat(30), fc.nat(30), fc.nat(3));
  fc.assert(
    fc.property(
      fc.array(particle, { minLength: 1, maxLength: 12 }),
      fc.array(particle, { minLength: 1, maxLength: 12 }),
      (truth, picks) => {
        const lines = truth.map(([t, x, y, z, label]) => `${"ab"[t]},${x},${y},${z},L${label}`);
        const names = TOMOGRAMS.filter(({ ordinal }) => truth.some(([t]) => t === ordinal));
        const text = (rows: string[]) => ["tomogram,x,y,z,label", ...rows].join("\n");
        const there = scoreRun(request(text(lines), picks, names));
        const back = scoreRun(request(text(lines.toReversed()), picks.toReversed(), names));
        deepStrictEqual([back.matched, back.metrics.recall, back.metrics.precision], [
          there.matched,
          there.metrics.recall,
          there.metrics.precision,
        ]);
      },
    ),
  );
});

Deno.test("`parseTruth()` says line, column and remedy", async () => {
  const fails = (csv: string, message: RegExp) =>
    throws(() => parseTruth(csv, "t.csv"), (error: Error) => error instanceof InputError && message.test(error.message));
  fails("tomogram,x,y,z,label\na,1,two,3,r\n", /t\.csv: line 2: y is "two", expected a number of voxels/);
  fails("tomogram,x,y,z,label\na,1,2,,r\n", /line 2: z is ""/);
  fails("tomogram,x,y,label\na,1,2,r\n", /no column "z"/);
  fails("x,y,z,label\n1,2,3,r\n", /no column "tomogram"/);
  fails("tomogram,x,y,z\na,1,2,3\n", /no column "label"/);
  fails("tomogram,x,y,z,label\n", /holds no row/);
  fails('label\n""\n', /line 2: label is empty/);
  await rejects(readTruth("/nowhere/truth.csv"), /\/nowhere\/truth\.csv: no such file: the truth is a CSV file/);
});

Deno.test("`parseTruth()` takes columns in any order, quotes, and a bare list of labels", () => {
  const truth = parseTruth('label;z;y;x;tomogram\n"a ""b"", c";3;2;1;t\n', "t.csv");
  deepStrictEqual([truth.labels, [...truth.places!.centresXyz]], [['a "b", c'], [1, 2, 3]]);
  deepStrictEqual(parseTruth("ribosome\nproteasome\n", "t.csv").labels, ["ribosome", "proteasome"]);
  deepStrictEqual(parseTruth("1\n0\n", "t.csv").labels, ["1", "0"]);
  deepStrictEqual(parseTruth("label\nx\n", "t.csv").labels, ["x"]);
});

Deno.test("`matchingDistance()` is half the stated diameter, otherwise a quarter of the box, and says which", () => {
  const stated = matchingDistance({ stages: [{ use: "denoise" }, { use: "dog", options: { particleDiameterAngstrom: 250 } }] }, 10, 24);
  strictEqual(stated.distanceVoxels, 12.5);
  ok(stated.reason.includes('250 A that "dog" was given'));
  const guessed = matchingDistance({ stages: [{ use: "dog", options: { particleDiameterAngstrom: null } }] }, 10, 24);
  strictEqual(guessed.distanceVoxels, 6);
  ok(guessed.reason.includes("half the box of 24 voxels"));
});
