import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import { glyphRows } from "../../plugins/kernels/glyphs.ts";
import {
  chooseScaleBar,
  createCanvas,
  cutSection,
  drawMarker,
  drawText,
  enlargePlane,
  findGrayRange,
  measureText,
  pasteGray,
  shrinkPlane,
  smoothPlane,
  toGray,
} from "../../plugins/kernels/picture.ts";
import { ShapeError } from "../../streams/errors.ts";

// Planes are float32: one part in 16 million of values near 1.
const FLOAT32 = 1e-6;

/** Voxel (z, y, x) holds 100 z + 10 y + x. */
const NUMBERED = Float32Array.from({ length: 2 * 3 * 4 }, (_, i) => 100 * Math.floor(i / 12) + 10 * (Math.floor(i / 4) % 3) + (i % 4));

Deno.test("`cutSection()` lays the axes as documented", () => {
  const z = cutSection(NUMBERED, [2, 3, 4], "z", 1);
  deepStrictEqual([z.width, z.height, [...z.values.slice(0, 5)]], [4, 3, [100, 101, 102, 103, 110]]);
  const y = cutSection(NUMBERED, [2, 3, 4], "y", 2);
  deepStrictEqual([y.width, y.height, [...y.values]], [4, 2, [20, 21, 22, 23, 120, 121, 122, 123]]);
  const x = cutSection(NUMBERED, [2, 3, 4], "x", 3);
  deepStrictEqual([x.width, x.height, [...x.values]], [3, 2, [3, 13, 23, 103, 113, 123]]);
});

Deno.test("`cutSection()` averages sections and leaves out those beyond the volume", () => {
  strictEqual(cutSection(NUMBERED, [2, 3, 4], "y", 1, 3).values[0], 10);
  strictEqual(cutSection(NUMBERED, [2, 3, 4], "z", 1, 3).values[0], 50);
  throws(() => cutSection(NUMBERED, [2, 3, 5], "z", 0), ShapeError);
});

Deno.test("`shrinkPlane()` keeps the mean of whole blocks and averages cut blocks over what they hold", () => {
  const plane = { width: 3, height: 2, values: Float32Array.of(1, 2, 5, 3, 4, 7) };
  deepStrictEqual(shrinkPlane(plane, 2), { width: 2, height: 1, values: Float32Array.of(2.5, 6) });
});

Deno.test("`enlargePlane()` and `smoothPlane()` leave a constant plane constant", () => {
  fc.assert(fc.property(fc.double({ min: -1, max: 1, noNaN: true }), fc.integer({ min: 1, max: 5 }), (value, size) => {
    const plane = { width: size, height: 3, values: new Float32Array(3 * size).fill(value) };
    for (const v of enlargePlane(plane, 7, 8).values) ok(Math.abs(v - value) < FLOAT32);
    for (const v of smoothPlane(plane, 1.5).values) ok(Math.abs(v - value) < FLOAT32);
  }));
});

Deno.test("`enlargePlane()` keeps a ramp a ramp between the outer pixel centres", () => {
  const large = enlargePlane({ width: 4, height: 1, values: Float32Array.of(0, 1, 2, 3) }, 16, 1);
  for (let i = 2; i < 14; i++) ok(Math.abs(large.values[i] - ((i + 0.5) / 4 - 0.5)) < FLOAT32);
});

Deno.test("`smoothPlane()` keeps the sum of a spot away from the edge", () => {
  const values = new Float32Array(441);
  values[220] = 1;
  const smooth = smoothPlane({ width: 21, height: 21, values }, 2);
  ok(Math.abs(smooth.values.reduce((a, b) => a + b, 0) - 1) < 1e-5, "440 float32 additions");
  // Centre of a sampled Gaussian of sigma 2 cut at 3 sigma: 1 / sum of weights, squared.
  const sum = Array.from({ length: 13 }, (_, i) => Math.exp(-((i - 6) ** 2) / 8)).reduce((a, b) => a + b);
  ok(Math.abs(smooth.values[220] - 1 / sum ** 2) < FLOAT32);
});

Deno.test("`findGrayRange()` is not led astray by beads, NaN or a constant plane", () => {
  const values = Float32Array.from({ length: 1001 }, (_, i) => i);
  values[3] = 1e9;
  values[5] = NaN;
  const [low, high] = findGrayRange(values);
  ok(low >= 0 && low < 12 && high > 990 && high <= 1000, `${low} to ${high}`);
  deepStrictEqual(findGrayRange([4, 4, 4]), [3.5, 4.5]);
  deepStrictEqual(findGrayRange([NaN]), [0, 1]);
});

Deno.test("`toGray()` clips, turns around when white comes first, and paints NaN black", () => {
  const plane = { width: 5, height: 1, values: Float32Array.of(-1, 0, 1, 3, NaN) };
  deepStrictEqual([...toGray(plane, [0, 2])], [0, 0, 128, 255, 0]);
  deepStrictEqual([...toGray(plane, [2, 0])], [255, 255, 128, 0, 0]);
  strictEqual(new Set(toGray({ width: 500, height: 1, values: Float32Array.from({ length: 500 }, (_, i) => i) }, [0, 499], 16)).size, 16);
});

Deno.test("`drawMarker()` colours its outline, leaves its middle, and stays inside the canvas", () => {
  for (const shape of ["circle", "square", "triangle", "diamond", "wedge", "hexagon"] as const) {
    const canvas = createCanvas(41, 41, [9, 9, 9]);
    drawMarker(canvas, shape, 20, 20, 10, [200, 0, 0]);
    strictEqual(canvas.pixels[3 * (20 * 41 + 20)], 9, `${shape}: middle`);
    let red = 0;
    for (let i = 0; i < canvas.pixels.length; i += 3) if (canvas.pixels[i] === 200 && canvas.pixels[i + 1] === 0) red++;
    // A closed outline of radius 10 crosses each of some 20 rows or columns twice.
    ok(red >= 40, `${shape}: ${red} pixels`);
  }
  const canvas = createCanvas(4, 4, [0, 0, 0]);
  drawMarker(canvas, "cross", -1, 3, 5, [1, 2, 3]);
  drawMarker(canvas, "circle", 900, 900, 5, [1, 2, 3]);
  strictEqual(canvas.pixels.length, 48);
});

Deno.test("`pasteGray()` cuts off what lies outside", () => {
  const canvas = createCanvas(2, 2, [0, 0, 0]);
  pasteGray(canvas, Uint8Array.of(1, 2, 3, 4), 2, 1, 1);
  deepStrictEqual([...canvas.pixels], [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
});

Deno.test("`drawText()` writes every printable character, an empty box for others, and as wide as `measureText()` says", () => {
  const seen = new Map<string, string>();
  for (const character of "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.,:-_+=()/%#<>*'\"!?&[];@~µÅ") {
    const rows = glyphRows(character);
    strictEqual(rows.length, 7, character);
    ok(rows.every((row) => row >= 0 && row < 32), character);
    const twin = seen.get(rows.join());
    ok(twin === undefined, `${character} looks like ${twin}`);
    seen.set(rows.join(), character);
  }
  deepStrictEqual(glyphRows("漢"), glyphRows("ß"));
  const canvas = createCanvas(40, 20, [0, 0, 0]);
  drawText(canvas, "Hv", 2, 3, [255, 255, 255], 2);
  let rightmost = 0;
  for (let i = 0; i < 40 * 20; i++) if (canvas.pixels[3 * i] > 0) rightmost = Math.max(rightmost, i % 40);
  strictEqual(rightmost, 2 + measureText("Hv", 2) - 1);
});

Deno.test("`chooseScaleBar()` gives 1, 2 or 5 times a power of ten, no longer than its share", () => {
  deepStrictEqual(chooseScaleBar(928, 13.48), { voxels: 2000 / 13.48, label: "200 nm" });
  deepStrictEqual(chooseScaleBar(24, 10).label, "5 nm");
  fc.assert(fc.property(fc.integer({ min: 8, max: 8000 }), fc.double({ min: 0.5, max: 50, noNaN: true }), (width, size) => {
    const bar = chooseScaleBar(width, size);
    ok(bar.voxels > 0.0999 * width * 0.9 && bar.voxels <= 0.25 * width + 1e-9, `${bar.label}: ${bar.voxels} of ${width}`);
  }));
});
