import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { typicalMembers } from "../../../plugins/sinks/report/class_section.ts";
import { courseSection, tablesSection } from "../../../plugins/sinks/report/course_section.ts";
import { gatherFacts, shortenPaths, withoutAbsolutePaths } from "../../../plugins/sinks/report/facts.ts";
import {
  escapeHtml,
  formatDuration,
  formatFigure,
  formatLength,
  formatName,
  formatShare,
  Html,
  markup,
} from "../../../plugins/sinks/report/html.ts";
import { mapFeatures } from "../../../plugins/sinks/report/map_section.ts";
import { chooseTicks, lineChart, markerPath } from "../../../plugins/sinks/report/marks.ts";
import { safeFileName } from "../../../plugins/sinks/report/pictures.ts";
import { readSections } from "../../../plugins/sinks/report/sections.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import type { RunView } from "../../../streams/contract.ts";
import { fakeRun } from "./fake_run.ts";

const SMALL = { shapeZyx: [20, 60, 70], particlesPerTomogram: 20, boxVoxels: 12, classes: 3 } as const;

Deno.test("`escapeHtml()` leaves no character that could end text or an attribute, and loses none", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const escaped = escapeHtml(text);
    ok(!/[<>"'`]/.test(escaped) && !/&(?!#\d+;)/.test(escaped), escaped);
    const back = escaped.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)));
    // deno-lint-ignore no-control-regex
    strictEqual(back, text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g, "\ufffd"));
  }));
});

Deno.test("`markup` inserts finished HTML as it is, joins lists and leaves out nothing", () => {
  strictEqual(
    markup`<p class="${'"'}">${["a<", new Html("<br>"), null, false, undefined, 0]}</p>`.text,
    '<p class="&#34;">a&#60;<br>0</p>',
  );
});

Deno.test("numbers are written as people read them", () => {
  deepStrictEqual([0, 1234567, 12345.6, 0.123456, -17.94, 1e-7, NaN, Infinity].map((value) => formatFigure(value)), [
    "0",
    "1,234,567",
    "12,346",
    "0.123",
    "−17.9",
    "1.00e−7",
    "–",
    "∞",
  ]);
  deepStrictEqual([0, 0.004, 0.0996, 0.5, 1].map(formatShare), ["0\u00a0%", "0.4\u00a0%", "10\u00a0%", "50\u00a0%", "100\u00a0%"]);
  deepStrictEqual([13.48, 250, 40000].map(formatLength), ["13.5\u00a0Å", "25\u00a0nm", "4\u00a0µm"]);
  deepStrictEqual([3.21, 252, 7500].map(formatDuration), ["3.2 s", "4 min 12 s", "2 h 5 min"]);
  deepStrictEqual(["resolutionAngstrom", "memberCorrelation", "frequency (1/Å)", "classId", "DDBI"].map(formatName), [
    "resolution (Å)",
    "member correlation",
    "frequency (1/Å)",
    "class id",
    "DDBI",
  ]);
});

Deno.test("`chooseTicks()` gives two to six round values inside the range", () => {
  fc.assert(fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.double({ min: 1e-3, max: 1e6, noNaN: true }), (low, span) => {
    const ticks = chooseTicks(low, low + span);
    ok(ticks.length >= 2 && ticks.length <= 6, `${ticks}`);
    ok(ticks.every((tick) => tick >= low - 1e-6 * span && tick <= low + span * (1 + 1e-6)), `${ticks}`);
  }));
  deepStrictEqual(chooseTicks(0, 10), [0, 2, 4, 6, 8, 10]);
  deepStrictEqual(chooseTicks(3, 3), [3]);
});

Deno.test("`lineChart()` breaks its line where a value is missing and draws nothing without any", () => {
  const chart = lineChart({ title: "t", xName: "x", lines: [{ points: [[0, 1], [1, null], [2, 3], [3, 5]] }] })!.text;
  const path = /class="line" d="([^"]*)"/.exec(chart)![1];
  deepStrictEqual([path.match(/M/g)!.length, path.match(/L/g)!.length], [2, 1]);
  strictEqual(lineChart({ title: "t", xName: "x", lines: [{ points: [[0, null], [1, NaN]] }] }), null);
  ok(!/NaN|Infinity/.test(lineChart({ title: "t", xName: "x", marked: 0, lines: [{ points: [[0, 7]] }] })!.text), "one point");
});

Deno.test("`markerPath()` stays around its centre", () => {
  for (const shape of ["circle", "square", "triangle", "diamond", "wedge", "hexagon", "cross"] as const) {
    if (shape === "circle") continue;
    const numbers = [...markerPath(shape, 100, 200, 10).matchAll(/(-?[\d.]+) (-?[\d.]+)/g)];
    for (const [, x, y] of numbers) ok(Math.hypot(Number(x) - 100, Number(y) - 200) <= 15, `${shape}: ${x} ${y}`);
  }
  strictEqual(markerPath("circle", 5, 6, 2), "M3 6a2 2 0 1 0 4 0a2 2 0 1 0 -4 0z");
});

Deno.test("`readSections()` shows the section it names, the picks it cuts, and the file's own contrast", async () => {
  const shape = [12, 20, 24] as const;
  const view = fakeRun({ ...SMALL, shapeZyx: [20, 60, 70], tomograms: ["t"] });
  const volume = {
    shapeZyx: shape,
    voxelSizeAngstrom: 13.48,
    readSlab: (z0: number, z1: number) =>
      Promise.resolve(
        Float32Array.from({ length: (z1 - z0) * 480 }, (_, i) =>
          1000 * (z0 + Math.floor(i / 480)) + 10 * (Math.floor(i / 24) % 20) + (i % 24) / 10),
      ),
    readBox: ([z0, y0]: readonly number[], [nz, ny, nx]: readonly number[]) =>
      Promise.resolve(
        Float32Array.from({ length: nz * ny * nx }, (_, i) =>
          1000 * (z0 + Math.floor(i / (ny * nx))) + 10 * (y0 + Math.floor(i / nx) % ny) + (i % nx) / 10),
      ),
  };
  const centres = Float64Array.of(5, 6, 6, 7, 10, 11, 9, 10, 6);
  const small: RunView = {
    ...view,
    manifest: { stages: [{ use: "dog", options: { volume: "corrected", particleDiameterAngstrom: 13.48 * 4 } }] },
    particles: {
      ...view.particles,
      count: 3,
      centresXyz: centres,
      rows: Int32Array.of(0, 0, 0, 1, 0, 2),
      classIds: Int32Array.of(0, 1, 2),
    },
    openTomogram: () =>
      Promise.resolve({
        id: "t",
        ordinal: 0,
        volumes: { raw: volume, corrected: volume },
        geometry: view.tomograms[0].geometry,
        metadata: { contrast: "dark" },
      }),
  };
  const facts = gatherFacts(small);
  const found = await readSections(facts, small.tomograms[0], [0.5], true, 640);
  deepStrictEqual([found.problem, found.volume, found.dark, found.sections.length], [null, "corrected", true, 2]);
  const [along, across] = found.sections;
  deepStrictEqual([along.axis, along.at, along.plane.width, along.plane.height], ["z", 6, 24, 20]);
  // Float32 of values up to 12000 with one decimal.
  ok(Math.abs(along.plane.values[3 * 24 + 7] - 6030.7) < 0.01, `${along.plane.values[3 * 24 + 7]}`);
  ok(along.range[0] > along.range[1], "white first: particles are dark as in the file");
  deepStrictEqual(along.picks.map(({ row, u, v }) => [row, u, v]), [[0, 5, 6], [2, 9, 10]], "the diameter is 4 voxels: z = 11 is not cut");
  deepStrictEqual([across.axis, across.at, across.plane.width, across.plane.height], ["y", 10, 24, 12]);
  ok(Math.abs(across.plane.values[4 * 24 + 7] - 4100.7) < 0.01, `${across.plane.values[4 * 24 + 7]}`);
  deepStrictEqual(across.picks.map(({ row, u, v }) => [row, u, v]), [[1, 7, 11], [2, 9, 6]]);
});

Deno.test("`gatherFacts()` counts members and takes figures from tables with one row a class", () => {
  const view = fakeRun(SMALL);
  const { classes, diameterVoxels, diameterFrom } = gatherFacts(view);
  strictEqual(classes.reduce((sum, each) => sum + each.members.length, 0), view.particles.count);
  for (const each of classes) {
    for (const row of each.members) strictEqual(view.particles.classIds[row], each.id);
    deepStrictEqual(each.figures.map(([name]) => name), ["stability", "resolutionAngstrom"]);
    deepStrictEqual(each.volumes.map(({ volume }) => volume.name), ["average", "decoded centre"]);
    deepStrictEqual(each.decodedMembers.map(({ name }) => name), ["decoded member 1", "decoded member 2", "decoded member 3"]);
  }
  deepStrictEqual([Math.round(1000 * diameterVoxels), diameterFrom], [Math.round(180000 / 13.48), "the particle diameter"]);
  deepStrictEqual(gatherFacts({ ...view, manifest: {} }).diameterFrom, "half the box");
});

Deno.test("`typicalMembers()` gives those nearest to the class's mean, nearest first", () => {
  const view = fakeRun(SMALL);
  const facts = gatherFacts({
    ...view,
    features: {
      rows: view.features.rows,
      dims: 1,
      values: Float32Array.from(view.particles.classIds, (id, row) => 100 * id + (row * 37) % 17),
    },
  });
  const values = facts.view.features.values;
  for (const [id, rows] of typicalMembers(facts, 4)) {
    const members = facts.classes.find((each) => each.id === id)!.members;
    const mean = members.reduce((sum, row) => sum + values[row], 0) / members.length;
    const expected = [...members].sort((a, b) => Math.abs(values[a] - mean) - Math.abs(values[b] - mean) || a - b).slice(0, 4);
    deepStrictEqual(
      rows.map((row) => Math.abs(values[row] - mean).toFixed(6)),
      expected.map((row) => Math.abs(values[row] - mean).toFixed(6)),
    );
  }
});

Deno.test("`mapFeatures()` draws no more particles than it may, and says what the components hold", () => {
  const facts = gatherFacts(fakeRun(SMALL));
  const all = mapFeatures(facts, 1000, createRandom(1))!;
  strictEqual(all.rows.length, facts.view.particles.count);
  ok(all.explained[0] >= all.explained[1] && all.explained[0] + all.explained[1] <= 1 + 1e-9);
  const some = mapFeatures(facts, 12, createRandom(1))!;
  strictEqual(some.rows.length, 12);
  strictEqual(new Set(some.rows).size, 12);
  deepStrictEqual([...some.rows], [...some.rows].sort((a, b) => a - b));
});

Deno.test("criteria that are no list of candidate K are shown as they come", () => {
  const view = fakeRun(SMALL);
  const rounds = [{ round: 1, k: 3, logLikelihood: -5 }, { round: 2, k: 4, logLikelihood: -4 }, { round: 3, k: 3, logLikelihood: -3 }];
  const page = courseSection(gatherFacts({ ...view, criteria: rounds }))!.text;
  ok(page.includes("Splitting and merging classes") && !page.includes('class="chosen"'));
  deepStrictEqual([...page.matchAll(/<td class="n">(\d)<\/td><td class="n">(\d)<\/td>/g)].map(([, round, k]) => `${round}${k}`), [
    "13",
    "24",
    "33",
  ]);
});

Deno.test("class sizes by iteration become bars that keep a class's colour", () => {
  const view = fakeRun(SMALL);
  const iterations = view.iterations.map((row, i) => ({ ...row, classSizes: i === 0 ? "0:40 1:8" : "0:20 1:8 2:20" }));
  const facts = gatherFacts({ ...view, iterations });
  const page = courseSection(facts)!.text;
  ok(page.includes("Class sizes by iteration") && page.includes("class 2: 20 particles"));
  const colour = facts.classes.find(({ id }) => id === 2)!.style.colour;
  strictEqual(page.split(`data-c="2"><title>class 2: 20 particles</title>`).length - 1, 8);
  ok(page.includes(colour));
});

Deno.test("curves of class stages are drawn with their classes' markers, long tables are folded", () => {
  const page = tablesSection(gatherFacts(fakeRun(SMALL)))!.text;
  ok(/<b>FSC<\/b>/.test(page) && page.match(/class="ofclass"/g)!.length === 3);
  ok(page.includes("<details><summary>FSC: 10 rows"));
});

Deno.test("paths become relative to the run folder, in the manifest and in sentences", () => {
  const view = fakeRun(SMALL);
  deepStrictEqual(withoutAbsolutePaths({ a: ["/data/x.mrc", "b/c"], d: "/work/runs/demo" }, "/work/runs/demo"), {
    a: ["../../../data/x.mrc", "b/c"],
    d: ".",
  });
  strictEqual(shortenPaths("/work/runs/demo/a.star and /data/session/tomo_02.mrc", view), "a.star and ../../../data/session/tomo_02.mrc");
});

Deno.test("`safeFileName()` gives a name in the same folder, whatever the tomogram is called", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (name) => {
    const safe = safeFileName(name);
    ok(safe.length > 0 && !/[\/\\]/.test(safe) && !safe.includes("\0") && !safe.startsWith("."), JSON.stringify(safe));
  }));
  strictEqual(safeFileName("../../etc/passwd"), "etc-passwd");
  strictEqual(safeFileName("Tomo 01_bin4.rec"), "Tomo-01_bin4.rec");
});

Deno.test("novelty that could not be judged is left out, not shown as zero", () => {
  const view = fakeRun(SMALL);
  ok(gatherFacts(view).judgesNovelty);
  const off = { type: "note", stage: "learn", code: "novelty-off", message: "too few to hold some out" } as const;
  ok(!gatherFacts({ ...view, events: [off] }).judgesNovelty);
  const unknown = { ...view.particles, logLikelihood: view.particles.logLikelihood.map(() => NaN) };
  ok(!gatherFacts({ ...view, particles: unknown }).judgesNovelty);
});
