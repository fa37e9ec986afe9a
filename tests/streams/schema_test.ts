import { strict as assert } from "node:assert";
// An independent judge of the schema, needed by this test alone.
// deno-lint-ignore no-import-prefix
import { Ajv } from "npm:ajv@8.20.0";
import { locate } from "../../streams/locate.ts";
import { makeSchema, schemaText } from "../../streams/schema.ts";
import { builtIns } from "../fixtures/plugins/built_ins.ts";

const faulty = new URL("../pipelines/faulty/", import.meta.url);

async function validator(): Promise<(value: unknown) => boolean> {
  const ajv = new Ajv({ strict: false, validateFormats: false });
  const validate = ajv.compile(await makeSchema(builtIns));
  return (value) => validate(value) as boolean;
}

/** A complete manifest, so that each rule of the schema is met. */
const complete = () => ({
  $schema: "pipeline.schema.json",
  version: 1,
  seed: 7,
  engine: { use: "auto" },
  source: { use: "tomograms", options: { paths: ["a.mrc"], contrast: "dark", tiltRangeDegrees: [-60, 60], truth: "truth.csv" } },
  stages: [{ use: "dog", options: { sigmaVoxels: [1, 2] }, capacity: 3, onError: "drop" }, { use: "./mine.ts#x" }, { use: "boxes" }],
  learn: { use: "disca", parts: { embed: { use: "yopo", options: { width: 0.5 } }, start: null, cluster: { use: "npm:mine@1.0.0" } } },
  classes: [{ use: "average", name: "plain" }],
  sinks: [{ use: "report" }],
  run: { dir: "runs/a", threads: 2 },
});

Deno.test("streams/pipeline.schema.json is current: `deno task schema` writes it", async () => {
  const saved = await Deno.readTextFile(new URL("../../streams/pipeline.schema.json", import.meta.url));
  assert.ok(saved === await schemaText(), "it is not: run `deno task schema`");
});

Deno.test("an independent validator takes a complete manifest", async () => assert.ok((await validator())(complete())));

// Faults that a JSON Schema can see; the rest takes the plugins themselves or the disk.
const visible = [
  ...["bad-on-error", "bad-threads", "far-unknown-plugin", "file-without-dot", "missing-option", "missing-source", "missing-use"],
  ...["not-a-record", "npm-range", "option-list-too-short", "option-not-a-choice", "option-of-no-branch", "option-of-one-branch"],
  ...["option-of-wrong-type", "option-out-of-range", "part-left-out", "part-missing", "part-of-wrong-kind", "unknown-option"],
  ...["unknown-part", "unknown-plugin", "unknown-stage-key", "unknown-top-key", "wrong-kind", "wrong-version"],
];
Deno.test(`an editor sees ${visible.length} kinds of fault through the schema`, async () => {
  const valid = await validator();
  const missed: string[] = [];
  for (const name of visible) {
    const text = await Deno.readTextFile(new URL(`${name}.jsonc`, faulty));
    if (valid(locate(text, name).value)) missed.push(name);
  }
  // `npm:` versions are judged by lint alone.
  assert.deepEqual(missed, ["npm-range"]);
});

Deno.test("the schema says what each option means, with its unit and default", async () => {
  const schema = await makeSchema(builtIns) as { definitions: Record<string, { properties: Record<string, unknown> }> };
  assert.deepEqual(schema.definitions.gaussian.properties.sigmaVoxels, {
    default: 1,
    description: "Width of the Gaussian",
    unit: "voxels",
    type: "number",
    exclusiveMinimum: 0,
  });
});
