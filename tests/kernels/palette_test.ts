import { ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { DISTINCT_STYLES, parseColour, styleClasses } from "../../plugins/kernels/palette.ts";

const ids = fc.uniqueArray(fc.integer({ min: 0, max: 400 }), { maxLength: DISTINCT_STYLES });

Deno.test("`styleClasses()` gives no two classes the same look", () => {
  fc.assert(fc.property(ids, (classes) => {
    const looks = new Set([...styleClasses(classes).values()].map((style) => `${style.colour} ${style.shape}`));
    strictEqual(looks.size, classes.length);
  }));
});

Deno.test("up to eight classes differ in colour, and classes 0 to 7 keep theirs when some are absent", () => {
  const all = styleClasses([0, 1, 2, 3, 4, 5, 6, 7]);
  strictEqual(new Set([...all.values()].map((style) => style.colour)).size, 8);
  const some = styleClasses([6, 2, 3]);
  for (const [id, style] of some) strictEqual(style.colour, all.get(id)!.colour);
});

/** Relative luminance and contrast of WCAG 2.2. */
function luminance(colour: string): number {
  const [r, g, b] = parseColour(colour).map((value) =>
    value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4
  );
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** A colour as a person with full protanopia or deuteranopia sees it, in linear light: Viénot, Brettel and Mollon 1999. */
function dichromat(colour: string, kind: "protanope" | "deuteranope"): number[] {
  const linear = parseColour(colour).map((value) => (value / 255) ** 2.2);
  const rows = kind === "protanope"
    ? [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]
    : [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]];
  return rows.map((row) => Math.max(0, row.reduce((sum, weight, i) => sum + weight * linear[i], 0)) ** (1 / 2.2));
}

Deno.test("every colour stands out from white paper and from a dark page", () => {
  // 2.2 to 1 is enough for filled markers beside a number; text never has these colours.
  for (const { colour } of styleClasses([0, 1, 2, 3, 4, 5, 6, 7]).values()) {
    ok(1.05 / (luminance(colour) + 0.05) > 2.2, `${colour} on white`);
    ok((luminance(colour) + 0.05) / (luminance("#14171c") + 0.05) > 2.2, `${colour} on dark`);
  }
});

Deno.test("neighbouring classes differ in colour or marker for people without red or green cones", () => {
  const styles = [...styleClasses([0, 1, 2, 3, 4, 5, 6, 7]).values()];
  // A tenth of the range in some channel is what two filled markers side by side need.
  const VISIBLE = 0.1;
  for (const kind of ["protanope", "deuteranope"] as const) {
    for (let i = 0; i < styles.length; i++) {
      for (let j = 0; j < i; j++) {
        const a = dichromat(styles[i].colour, kind), b = dichromat(styles[j].colour, kind);
        const difference = Math.max(...a.map((value, c) => Math.abs(value - b[c])));
        ok(difference > VISIBLE || styles[i].shape !== styles[j].shape, `${styles[i].colour} and ${styles[j].colour} for a ${kind}`);
      }
    }
  }
});
