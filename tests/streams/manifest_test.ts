import { strict as assert } from "node:assert";
import { join } from "node:path";
import { stringify } from "yaml";
import { isExpected, ManifestError } from "../../streams/errors.ts";
import { lintManifest, loadManifest, loadManifestValue } from "../../streams/manifest.ts";
import { builtIns } from "../fixtures/plugins/built_ins.ts";

const source = { use: "tomograms", options: { paths: ["input/*.mrc"], contrast: "dark" } };
const stages = [{ use: "dog", options: { particleDiameterAngstrom: 250 } }, { use: "boxes", capacity: 4, onError: "drop" }];
const minimal = { version: 1, source, stages, learn: { use: "disca" }, sinks: [{ use: "report" }] };

/** A folder with input/tomo_1.mrc and the given files. */
async function withFolder(files: Record<string, unknown>, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tomosieve_manifest_" });
  try {
    await Deno.mkdir(`${folder}/input`);
    await Deno.writeTextFile(`${folder}/input/tomo_1.mrc`, "");
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, typeof content === "string" ? content : JSON.stringify(content, null, 2));
    }
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const pluginText = `import { definePlugin, z } from "tomosieve";
export const keepCentral = definePlugin({
  apiVersion: 1, name: "keep-central", kind: "operator", summary: "Keeps what is central.", input: "picks", output: "picks",
  options: z.strictObject({ mask: z.string().optional().meta({ description: "Mask", format: "path" }) }),
  create: () => ({ apply: (picks) => Promise.resolve(picks) }),
});
export default keepCentral;
`;

Deno.test("loadManifest fills in every default and makes every path absolute", async () => {
  await withFolder({ "pipeline.json": minimal }, async (folder) => {
    const { manifest, warnings } = await loadManifest(`${folder}/pipeline.json`, { builtIns });
    assert.deepEqual(warnings, []);
    assert.equal(manifest.seed, 1);
    assert.equal(manifest.engine.plugin.name, "auto");
    assert.equal(manifest.needsEngine, true);
    assert.deepEqual(manifest.source.options, { paths: [`${folder}/input/*.mrc`], contrast: "dark", tiltRangeDegrees: "unknown" });
    assert.deepEqual(manifest.stages.map(({ label, capacity, onError }) => [label, capacity, onError]), [
      ['stages[0] "dog"', 2, "fail"],
      ['stages[1] "boxes"', 4, "drop"],
    ]);
    assert.deepEqual(manifest.stages[0].options, { particleDiameterAngstrom: 250, volume: "raw", minimumDistanceVoxels: 15 });
    assert.equal(manifest.run.dir, `${folder}/runs/pipeline`);
    assert.ok(manifest.run.threads >= 1);
  });
});

Deno.test("a learner's options are expanded, and its parts come from the manifest, the recipe and the plugin, in this order", async () => {
  const parts = { cluster: { use: "gmm-bic", options: { components: 4 } } };
  await withFolder({
    "default.json": { ...minimal, learn: { use: "disca", parts } },
    "published.json": { ...minimal, learn: { use: "disca", options: { recipe: "published" } } },
    "without.json": { ...minimal, learn: { use: "disca", parts: { start: null } } },
    "empty.json": { ...minimal, learn: { use: "disca", parts: { start: { use: "invariants" } } } },
    "stated.json": { ...minimal, learn: { use: "disca", parts: { start: { use: "invariants", options: { shells: 6 } } } } },
    "other.json": { ...minimal, learn: { use: "disca", parts: { start: { use: "yopo" } } } },
  }, async (folder) => {
    const load = async (name: string) => (await loadManifest(`${folder}/${name}.json`, { builtIns })).manifest.learn;
    const byDefault = await load("default");
    assert.deepEqual(byDefault?.options, { recipe: "default", learningRate: 1e-4 });
    assert.deepEqual(Object.entries(byDefault?.parts ?? {}).map(([name, part]) => [name, part?.plugin.name, part?.options]), [
      ["embed", "yopo", { width: 1 }],
      ["cluster", "gmm-bic", { components: 4 }],
      ["start", "invariants", { shells: 8 }],
      ["teach", undefined, undefined],
    ]);
    const published = await load("published");
    assert.equal(published?.options.learningRate, 1e-5);
    assert.equal(published?.parts.start, null);
    assert.equal((await load("without"))?.parts.start, null);
    // The recipe's options hold for the recipe's plugin, and only there.
    assert.deepEqual((await load("empty"))?.parts.start?.options, { shells: 8 });
    assert.deepEqual((await load("stated"))?.parts.start?.options, { shells: 6 });
    assert.deepEqual((await load("other"))?.parts.start?.options, { width: 1 });
  });
});

Deno.test("the truth is taken out of the source's options", async () => {
  const withTruth = { ...minimal, source: { ...source, options: { ...source.options, truth: "truth.csv" } } };
  await withFolder({ "pipeline.json": withTruth, "truth.csv": "tomogram,x,y,z,label\n" }, async (folder) => {
    const { manifest, resolved } = await loadManifest(`${folder}/pipeline.json`, { builtIns });
    assert.equal(manifest.truth, `${folder}/truth.csv`);
    assert.ok(!("truth" in manifest.source.options));
    assert.equal(resolved().source.options.truth, "../../truth.csv");
  });
});

Deno.test("the same manifest in YAML and in JSON resolves to the same", async () => {
  await withFolder({ "pipeline.json": minimal, "pipeline.yaml": stringify(minimal) }, async (folder) => {
    const json = await loadManifest(`${folder}/pipeline.json`, { builtIns });
    const yaml = await loadManifest(`${folder}/pipeline.yaml`, { builtIns });
    assert.deepEqual(json.resolved(), yaml.resolved());
  });
});

Deno.test("the resolved manifest reruns from the run folder to the same resolved manifest, and names no absolute path", async () => {
  const spec = "./my_filter.ts#keepCentral";
  const written = {
    ...minimal,
    seed: 7,
    stages: [stages[0], { use: spec, name: "central", options: { mask: "input/tomo_1.mrc" } }, stages[1]],
    learn: { use: "disca", parts: { start: null, teach: null } },
    run: { dir: "out/demo" },
  };
  await withFolder({ "pipeline.json": written, "my_filter.ts": pluginText }, async (folder) => {
    const first = await loadManifest(`${folder}/pipeline.json`, { builtIns, allowPlugins: [spec] });
    const saved = first.resolved();
    assert.deepEqual(saved.stages[1], {
      use: "../../my_filter.ts#keepCentral",
      name: "central",
      options: { mask: "../../input/tomo_1.mrc" },
      capacity: 2,
      decoy: false,
      onError: "fail",
      timeoutSeconds: 1800,
    });
    assert.equal(saved.run.dir, ".");
    assert.match(saved.resolved.plugins["../../my_filter.ts#keepCentral"], /^sha256:[0-9a-f]{64}$/);
    assert.ok(!JSON.stringify(saved).includes(folder));
    await Deno.mkdir(`${folder}/out/demo`, { recursive: true });
    await Deno.writeTextFile(`${folder}/out/demo/manifest.json`, JSON.stringify(saved));
    const again = await loadManifest(`${folder}/out/demo/manifest.json`, { builtIns, allowPlugins: [`${folder}/my_filter.ts`] });
    assert.deepEqual(again.warnings, []);
    assert.deepEqual(again.resolved(), saved);
    assert.deepEqual(again.manifest.stages.map((stage) => stage.options), first.manifest.stages.map((stage) => stage.options));
  });
});

Deno.test("a plugin that has changed since a manifest was resolved is a warning", async () => {
  const written = { ...minimal, resolved: { tomosieve: "0.0.1", plugins: { "./my_filter.ts": "sha256:00" } } };
  const withPlugin = { ...written, stages: [stages[0], { use: "./my_filter.ts" }, stages[1]] };
  await withFolder({ "pipeline.json": withPlugin, "my_filter.ts": pluginText }, async (folder) => {
    const { warnings } = await loadManifest(`${folder}/pipeline.json`, { builtIns, allowPlugins: ["./my_filter.ts"] });
    assert.equal(warnings.length, 2);
    assert.ok(warnings.every((warning) => warning.endsWith("[version-changed]")));
  });
});

Deno.test("a plugin file loads only when it is named by --allow-plugin: lint warns, loadManifest refuses with the remedy", async () => {
  const spec = "./my_filter.ts#keepCentral";
  const written = { ...minimal, stages: [stages[0], { use: spec }, stages[1]] };
  // Throws when it is loaded: nothing in it may run.
  await withFolder({ "pipeline.json": written, "my_filter.ts": "throw new Error('was run');" }, async (folder) => {
    const { problems, warnings, manifest } = await lintManifest(`${folder}/pipeline.json`, { builtIns });
    assert.deepEqual(problems, []);
    assert.equal(manifest, null);
    assert.equal(warnings.length, 1);
    assert.match(
      warnings[0],
      /stages\[1\] "\.\/my_filter\.ts#keepCentral": not checked.*--allow-plugin=\.\/my_filter\.ts#keepCentral \[plugin-not-allowed\]$/,
    );
    await assert.rejects(loadManifest(`${folder}/pipeline.json`, { builtIns }), (error) => {
      assert.ok(error instanceof ManifestError && isExpected(error));
      assert.match(error.message, /\[plugin-not-allowed\]$/);
      return true;
    });
  });
});

Deno.test("--allow-plugin takes the manifest's spelling and the absolute path, with and without the export", async () => {
  const spec = "./my_filter.ts#keepCentral";
  const written = { ...minimal, stages: [stages[0], { use: spec }, stages[1]] };
  await withFolder({ "pipeline.json": written, "my_filter.ts": pluginText }, async (folder) => {
    for (const allowed of [spec, `${folder}/my_filter.ts`, `${folder}/my_filter.ts#keepCentral`]) {
      const { manifest } = await loadManifest(`${folder}/pipeline.json`, { builtIns, allowPlugins: [allowed] });
      assert.equal(manifest.stages[1].plugin.name, "keep-central");
      assert.equal(manifest.stages[1].file, `${folder}/my_filter.ts`);
    }
    const { warnings } = await lintManifest(`${folder}/pipeline.json`, { builtIns, allowPlugins: ["my_filter.ts"] });
    assert.deepEqual(warnings.map((warning) => warning.match(/\[([a-z-]+)\]$/)?.[1]), ["unused-allow-plugin", "plugin-not-allowed"]);
  });
});

Deno.test("a program that an option names must be allowed by --allow-command", async () => {
  const written = { ...minimal, stages: [{ use: "outside", options: { program: "bash" } }, ...stages] };
  await withFolder({ "pipeline.json": written }, async (folder) => {
    const path = `${folder}/pipeline.json`;
    assert.match((await lintManifest(path, { builtIns })).warnings[0], /--allow-command=bash \[command-not-allowed\]$/);
    await assert.rejects(loadManifest(path, { builtIns }), /--allow-command=bash \[command-not-allowed\]$/);
    assert.equal((await loadManifest(path, { builtIns, allowCommands: ["bash"] })).manifest.stages[0].options.program, "bash");
  });
});

Deno.test("a file that a plugin writes need not exist, and is made absolute all the same", async () => {
  await withFolder(
    { "pipeline.json": { ...minimal, sinks: [{ use: "report", options: { copyTo: "new/report.html" } }] } },
    async (folder) => {
      const { manifest } = await loadManifest(`${folder}/pipeline.json`, { builtIns });
      assert.equal(manifest.sinks[0].options.copyTo, `${folder}/new/report.html`);
    },
  );
});

Deno.test("the command line's seed and run folder take the manifest's place", async () => {
  await withFolder({ "pipeline.json": { ...minimal, seed: 3, run: { dir: "a" } } }, async (folder) => {
    const overrides = { seed: 11, runDir: join(folder, "b") };
    const { manifest } = await loadManifest(`${folder}/pipeline.json`, { builtIns, overrides });
    assert.equal(manifest.seed, 11);
    assert.equal(manifest.run.dir, `${folder}/b`);
  });
});

Deno.test("picking without learning is a manifest too", async () => {
  const picking = { version: 1, source, stages: stages.slice(0, 1), sinks: [{ use: "report" }] };
  await withFolder({ "pipeline.json": picking, "raw.json": { version: 1, source } }, async (folder) => {
    const { manifest, warnings } = await loadManifest(`${folder}/pipeline.json`, { builtIns });
    assert.equal(manifest.learn, null);
    assert.equal(manifest.needsEngine, false);
    assert.deepEqual(warnings, []);
    assert.match((await lintManifest(`${folder}/raw.json`, { builtIns })).warnings[0], /\[nothing-kept\]$/);
  });
});

Deno.test("a manifest that is a value is loaded from the folder that it is said to be in", async () => {
  await withFolder({}, async (folder) => {
    const { manifest } = await loadManifestValue(minimal, { name: "model/bundle", folder }, { builtIns });
    assert.deepEqual(manifest.source.options.paths, [`${folder}/input/*.mrc`]);
    await assert.rejects(
      loadManifestValue({ ...minimal, seed: -1 }, { name: "model/bundle", folder }, { builtIns }),
      /^ManifestError: model\/bundle/,
    );
  });
});

Deno.test("a manifest that cannot be read says why", async () => {
  await withFolder({ "pipeline.json": minimal }, async (folder) => {
    await assert.rejects(lintManifest(`${folder}/pipelin.json`), /no such file: did you mean "pipeline.json"\? \[no-file\]$/);
    await assert.rejects(lintManifest(folder), /is a folder, expected a manifest: did you mean ".*\/pipeline.json"\? \[no-file\]$/);
    await Deno.writeFile(`${folder}/binary.json`, new Uint8Array([0xff, 0xfe, 0xfd]));
    await assert.rejects(lintManifest(`${folder}/binary.json`), /is not UTF-8 text/);
  });
});

Deno.test("a learner that fails in expand, partDefaults or check is reported as the plugin's fault and does not hide the rest", async () => {
  const broken = (name: string, extra: string) =>
    `import { definePlugin, z } from "tomosieve";
export default definePlugin({ apiVersion: 1, name: "broken", kind: "learner", summary: "Breaks in ${name}.", options: z.strictObject({}),
  parts: {}, ${extra}: () => { throw new Error("no luck"); }, create: () => { throw new Error("not reached"); } });\n`;
  const files = Object.fromEntries(["expand", "partDefaults", "check"].map((name) => [`${name}.ts`, broken(name, name)]));
  await withFolder(files, async (folder) => {
    for (const name of ["expand", "partDefaults", "check"]) {
      const value = { ...minimal, learn: { use: `./${name}.ts` }, sinks: [{ use: "reprot" }] };
      await Deno.writeTextFile(`${folder}/pipeline.json`, JSON.stringify(value));
      const { problems } = await lintManifest(`${folder}/pipeline.json`, { builtIns, allowPlugins: [`./${name}.ts`] });
      assert.equal(problems.length, 2);
      assert.ok(problems.some((problem) => problem.includes(`its ${name}() failed: no luck`)), problems.join("\n"));
    }
  });
});
