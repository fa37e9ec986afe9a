import { ok, strictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import { matchClasses, measureAgreement, tabulateConfusion } from "../../plugins/kernels/agreement.ts";
import { ShapeError } from "../../streams/errors.ts";
import fixture from "../fixtures/agreement.json" with { type: "json" };

// Both sides sum a few dozen float64 logarithms in different orders; scikit-learn's ARI uses exact integers.
const SUMMATION_ORDER = 1e-12;

function close(found: number, expected: number, what: string) {
  ok(Math.abs(found - expected) <= SUMMATION_ORDER, `${what}: ${found}, expected ${expected}`);
}

for (const reference of fixture.cases) {
  Deno.test(`\`measureAgreement()\` gives scikit-learn's figures: ${reference.name}`, () => {
    const table = tabulateConfusion(reference.truth, reference.given);
    strictEqual(JSON.stringify([...table.counts]), JSON.stringify(reference.counts.flat()));
    const found = measureAgreement(table);
    for (const figure of ["ari", "homogeneity", "completeness", "vMeasure", "accuracy"] as const) {
      close(found[figure], reference[figure], figure);
    }
  });
}

const partitions = fc.integer({ min: 1, max: 60 }).chain((n) =>
  fc.tuple(
    fc.array(fc.integer({ min: 0, max: 5 }), { minLength: n, maxLength: n }),
    fc.array(fc.integer({ min: 0, max: 5 }), { minLength: n, maxLength: n }),
  )
);

Deno.test("`measureAgreement()` does not depend on what classes are called or on the order of particles", () => {
  fc.assert(fc.property(partitions, fc.integer(), ([truth, given], salt) => {
    const plain = measureAgreement(tabulateConfusion(truth, given));
    const order = truth.map((_, i) => i).sort((a, b) => ((a * 7919 + salt) % 101) - ((b * 7919 + salt) % 101));
    const renamed = measureAgreement(tabulateConfusion(order.map((i) => `x${9 - truth[i]}`), order.map((i) => `${(given[i] * 5) % 7}`)));
    for (const figure of ["ari", "homogeneity", "completeness", "vMeasure", "accuracy"] as const) {
      close(renamed[figure], plain[figure], figure);
    }
  }));
});

Deno.test("exchanging truth and labels exchanges homogeneity and completeness and leaves the rest", () => {
  fc.assert(fc.property(partitions, ([truth, given]) => {
    const there = measureAgreement(tabulateConfusion(truth, given));
    const back = measureAgreement(tabulateConfusion(given, truth));
    close(back.homogeneity, there.completeness, "homogeneity");
    close(back.ari, there.ari, "ari");
    close(back.vMeasure, there.vMeasure, "vMeasure");
    close(back.accuracy, there.accuracy, "accuracy");
  }));
});

Deno.test("`tabulateConfusion()` sorts numbers by value and text by code unit", () => {
  const table = tabulateConfusion(["b", "a", "b"], [10, 9, 10]);
  strictEqual(table.trueLabels.join(), "a,b");
  strictEqual(table.givenLabels.join(), "9,10");
  strictEqual([...table.counts].join(), "1,0,0,2");
});

Deno.test("`matchClasses()` gives surplus classes no true class", () => {
  const table = tabulateConfusion(["a", "a", "a", "b"], [0, 0, 1, 2]);
  strictEqual([...matchClasses(table)].join(), "0,-1,1");
});

Deno.test("lists of unlike length and empty ones are refused", () => {
  throws(() => tabulateConfusion([1, 2], [1]), ShapeError);
  throws(() => measureAgreement(tabulateConfusion([], [])), ShapeError);
});
