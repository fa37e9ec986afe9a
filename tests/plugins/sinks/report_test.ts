import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { createHash } from "node:crypto";
import report from "../../../plugins/sinks/report.ts";
import { checkPlugin } from "../../../streams/check_plugin.ts";
import type { RunView, Triple } from "../../../streams/contract.ts";
import { fakeContext, type FakeRun, fakeRun } from "./fake_run.ts";

/** A small run: enough for every section, quick to make. */
const SMALL: FakeRun = { shapeZyx: [30, 60, 70], particlesPerTomogram: 24, boxVoxels: 12, classes: 3 };

interface Written {
  readonly page: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly warnings: readonly string[];
}

async function write(view: RunView, options: Record<string, unknown> = {}): Promise<Written> {
  const directory = await Deno.makeTempDir();
  try {
    const { context, warnings } = fakeContext();
    const sink = await report.create(report.options.parse(options), context, {});
    await sink.write(view, directory);
    const files = new Map<string, Uint8Array>();
    for (const { name } of Deno.readDirSync(directory)) files.set(name, Deno.readFileSync(`${directory}/${name}`));
    return { page: new TextDecoder().decode(files.get("report.html")), files, warnings };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Text of the page without tags, white space folded. */
function textOf(page: string): string {
  const body = page.slice(page.indexOf("<body>")).replace(/<[^>]*>/g, " ");
  return body.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replace(/\s+/g, " ");
}

Deno.test("the sink report conforms", () => checkPlugin(report));

Deno.test("the page loads nothing: one style sheet named by its hash, no script, pictures inside", async () => {
  const { page } = await write(fakeRun(SMALL));
  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)![1];
  const style = /<style>([\s\S]*?)<\/style>/.exec(page)![1];
  const hash = createHash("sha256").update(style).digest("base64");
  strictEqual(policy, `default-src 'none'; img-src data:; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'`);
  strictEqual(page.split("<style").length, 2);
  ok(!/<script|<iframe|<object|<form|@import|url\(|https?:|\son\w+=|\sstyle=/i.test(page), "something that loads or runs");
  const addresses = [...page.matchAll(/\s(?:src|href)="([^"]*)"/g)].map(([, address]) => address);
  ok(addresses.length > 20);
  for (const address of addresses) ok(/^data:(,|image\/png;base64,[A-Za-z0-9+/=]+)$/.test(address), address.slice(0, 60));
});

Deno.test("every string from outside is escaped: tomograms, labels, events, tables, the manifest", async () => {
  const attack = `<img src=x onerror="alert('1')">&amp;</title></style></script>`;
  const view = fakeRun({ ...SMALL, tomograms: [attack, "b"], labels: [attack, `it's "b"`, "c"] });
  const { page, files } = await write({
    ...view,
    runDir: `/tmp/${attack}`,
    manifest: {
      ...view.manifest,
      run: { dir: `/runs/${attack.replaceAll("/", "|")}` },
      learn: { use: attack, options: { recipe: attack } },
      [attack]: attack,
    },
    engine: { name: attack, device: attack, precision: attack, reason: attack },
    events: (["note", "warning", "drop"] as const).map((type) => ({ type, stage: attack, code: attack, message: attack, count: 3 })),
    iterations: view.iterations.map((row) => ({ ...row, [attack]: 3, text: attack })),
    criteria: view.criteria.map((row) => ({ ...row, [attack]: 1 })),
    classResults: {
      [attack]: {
        volumes: view.classResults["classes[1] average"].volumes.map((volume) => ({ ...volume, name: `average ${attack}` })),
        tables: [{ name: attack, columns: { [attack]: [attack, attack] } }],
      },
    },
    timings: { [attack]: 3 },
  });
  strictEqual(page.match(/<img (?!src="data:)/g), null);
  strictEqual(page.split("</style>").length, 2);
  strictEqual(page.split("</title>").length - page.split("<title>").length, 0);
  ok(!page.includes('onerror="') && !page.includes(`"b"<`) && !page.includes("</script>"));
  ok(textOf(page).includes(attack), "the name is still read as it was written");
  ok(textOf(page).includes(`it's "b"`));
  deepStrictEqual([...files.keys()].sort(), [
    "classes.png",
    "report.html",
    "tomogram_b.png",
    "tomogram_img-src-x-onerror-alert-1-amp-title-style-script.png",
  ]);
});

Deno.test("the headline says what was found", async () => {
  const many = await write(fakeRun(SMALL));
  ok(textOf(many.page).includes("3 classes among 48 particles"));
  ok(
    /Particles in 2 tomograms were sorted without labels by disca \(recipe “default”\), with engine onnx \(CPU, 2 threads, float32\)/.test(
      textOf(many.page),
    ),
  );
  const one = await write(fakeRun({ ...SMALL, classes: 1 }));
  ok(textOf(one.page).includes("No structure found") && textOf(one.page).includes("The one class"));
  ok(!one.page.includes('class="filter"'), "nothing to choose between");
  const infer = await write({ ...fakeRun(SMALL), verb: "infer", iterations: [], criteria: [], keptIteration: -1 });
  ok(textOf(infer.page).includes("48 particles sorted into 3 known classes"));
  ok(!textOf(infer.page).includes("How the classes came about"));
});

Deno.test("the same run gives the same bytes, whatever the time and the place", async () => {
  const here = await write(fakeRun({ ...SMALL, timings: false }));
  const there = await write({ ...fakeRun({ ...SMALL, timings: false }), runDir: "/elsewhere/demo" });
  deepStrictEqual([...here.files.keys()].sort(), [...there.files.keys()].sort());
  for (const [name, bytes] of here.files) if (name !== "report.html") deepStrictEqual(bytes, there.files.get(name), name);
  const slower = fakeRun({ ...SMALL, timings: false });
  strictEqual((await write({ ...slower, iterations: slower.iterations.map((row) => ({ ...row, seconds: 77 })) })).page, here.page);
});

Deno.test("no absolute path stands in the page", async () => {
  const view = fakeRun(SMALL);
  const { page } = await write({
    ...view,
    events: [{ type: "warning", stage: "source", code: "x", message: "/data/session/tomo_01.mrc: odd; see /work/runs/demo/events.ndjson" }],
  });
  ok(!/\/data\/session|\/work\/runs/.test(textOf(page).replaceAll("../../../data/session", "")), "an absolute path");
  ok(textOf(page).includes("../../../data/session/*.mrc"), "the manifest's paths are relative to the run folder");
  ok(textOf(page).includes("see events.ndjson"));
});

Deno.test("scores and the confusion table are those of the truth", async () => {
  const view = fakeRun({ ...SMALL, labels: ["alpha", "beta", "gamma"] });
  const { page } = await write(view);
  const text = textOf(page);
  ok(text.includes(`${view.truth!.metrics.ari!.toFixed(3)} ${view.truth!.metricsWithFalsePicks.ari!.toFixed(3)}`));
  ok(text.includes(`Precision picks that are true particles ${view.truth!.metrics.precision!.toFixed(3)}`));
  const count = (label: string | null, id: number) =>
    view.truth!.labels.filter((each, row) => each === label && view.particles.classIds[row] === id).length;
  for (const label of ["alpha", "beta", "gamma", null]) {
    const row =
      new RegExp(`<th scope="row">(?:<bdi>${label}</bdi>|${label === null ? "<i>false picks</i>" : "-"})</th>(.*?)</tr>`).exec(page)![1];
    for (const [, id, cell] of row.matchAll(/data-c="(\d+)"[^>]*>(?:<span class="zero">)?([^<]*)/g)) {
      strictEqual(cell === "·" ? 0 : Number(cell), count(label, Number(id)), `${label} in class ${id}`);
    }
  }
});

Deno.test("few matches: the page says that classes cannot be judged", async () => {
  const view = fakeRun(SMALL);
  const none = { ari: null, homogeneity: null, completeness: null, vMeasure: null, recall: 0.2, precision: 0.1 };
  const { page } = await write({ ...view, truth: { metrics: none, metricsWithFalsePicks: none, labels: view.truth!.labels } });
  ok(textOf(page).includes("Fewer than half of the true particles were picked"));
  ok(!textOf(page).includes("NaN"));
});

Deno.test("a stack of boxes has no tomograms to show", async () => {
  const { page, files } = await write(fakeRun({ ...SMALL, tomograms: [] }));
  ok(!textOf(page).includes("Where the particles are"));
  ok(textOf(page).includes("in one stack of boxes"));
  deepStrictEqual([...files.keys()].sort(), ["classes.png", "report.html"]);
});

Deno.test("a tomogram that has gone or cannot be read is named, and the rest is written", async () => {
  const gone = await write(fakeRun({ ...SMALL, tomogramsGone: true }));
  ok(textOf(gone.page).includes("tomo_01 not shown: its file is not where it was during the run"));
  strictEqual(gone.warnings.length, 2);
  const broken = await write({ ...fakeRun(SMALL), openTomogram: () => Promise.reject(new Error("a.mrc: truncated <b>")) });
  ok(textOf(broken.page).includes("not shown: a.mrc: truncated <b>"));
  ok(textOf(broken.page).includes("The classes"));
});

Deno.test("a run without particles, features, iterations or results is still a page", async () => {
  const view = fakeRun(SMALL);
  const empty = {
    ...view.particles,
    count: 0,
    rows: new Int32Array(),
    centresXyz: new Float64Array(),
    classIds: new Int32Array(),
    novel: new Uint8Array(),
  };
  const { page, files } = await write({
    ...view,
    particles: empty,
    truth: null,
    iterations: [],
    criteria: [],
    classResults: {},
    events: [],
    engine: null,
    timings: {},
  });
  ok(textOf(page).includes("No particles"));
  deepStrictEqual([...files.keys()], ["report.html"]);
  const bare = await write({
    ...view,
    features: { ...view.features, dims: 0, values: new Float32Array() },
    classResults: {},
    iterations: [],
    criteria: [],
  });
  ok(textOf(bare.page).includes("3 classes among 48 particles") && !textOf(bare.page).includes("Feature space"));
});

Deno.test("drops, warnings and assumptions are listed with counts", async () => {
  const text = textOf((await write(fakeRun(SMALL))).page);
  ok(
    /What was left out particles reason stage 18 box reaches over the edge of the tomogram stages\[1\] "boxes"/.test(text),
    text.slice(-2500),
  );
  ok(text.includes("sigmas 2.1 and 4.2 voxels, derived from the particle diameter of 180 A"));
  ok(/Warnings source "tomograms" the handedness/.test(text));
});

/** A volume that is computed as it is read, and remembers the largest read. */
function endless(shapeZyx: Triple) {
  const reads = { largest: 0 };
  const read = (count: number) => {
    reads.largest = Math.max(reads.largest, count);
    return Promise.resolve(new Float32Array(count).map((_, i) => (i * 7919) % 101));
  };
  return {
    reads,
    volume: {
      shapeZyx,
      voxelSizeAngstrom: 13.48,
      readBox: (_: Triple, [z, y, x]: Triple) => read(z * y * x),
      readSlab: (z0: number, z1: number) => read((z1 - z0) * shapeZyx[1] * shapeZyx[2]),
    },
  };
}

Deno.test("a large tomogram is read a few sections at a time and takes little of the page", async () => {
  const view = fakeRun({ ...SMALL, tomograms: ["large"] });
  const { reads, volume } = endless([200, 960, 928]);
  const { page, files } = await write({
    ...view,
    openTomogram: () =>
      Promise.resolve({ id: "large", ordinal: 0, volumes: { raw: volume }, geometry: view.tomograms[0].geometry, metadata: {} }),
  });
  ok(reads.largest <= 9 * 960 * 928, `${reads.largest} voxels at once, 9 sections are ${9 * 960 * 928}`);
  ok(page.length < 5e6, `${page.length} bytes`);
  ok(files.has("tomogram_large.png"));
});

Deno.test("twenty-two classes in four tomograms stay below 5 MB", async () => {
  const { page } = await write(
    fakeRun({ ...SMALL, classes: 22, tomograms: ["a", "b", "c", "d"], particlesPerTomogram: 60, shapeZyx: [40, 120, 120] }),
  );
  ok(page.length < 5e6, `${page.length} bytes`);
  strictEqual(page.match(/<article /g)!.length, 22);
});

Deno.test("options leave out pictures, members and tomograms", async () => {
  const { page, files } = await write(fakeRun(SMALL), { pictures: false, membersPerClass: 0, tomograms: 1 });
  deepStrictEqual([...files.keys()], ["report.html"]);
  ok(!page.includes("member of class"));
  ok(textOf(page).includes("1 more tomogram not shown"));
});
