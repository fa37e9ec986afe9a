import { strict as assert } from "node:assert";
import { applySettings } from "../../streams/settings.ts";

const manifest = () => ({
  source: { use: "tomograms", options: {} },
  stages: [{ use: "dog" }, { use: "boxes", options: { boxVoxels: 24 } }],
});

Deno.test("a setting changes a value, makes the records on its way, and is JSON where it can be", () => {
  const root: Record<string, unknown> = manifest();
  const faults = applySettings(root, [
    "source.options.tiltRangeDegrees=[-50, 40]",
    "source.options.contrast=dark",
    "stages[0].options.threshold.deviations=4.5",
    "stages[1].options.boxVoxels=32",
    "run.threads=3",
  ]);
  assert.deepEqual(faults, []);
  assert.deepEqual(root, {
    source: { use: "tomograms", options: { tiltRangeDegrees: [-50, 40], contrast: "dark" } },
    stages: [{ use: "dog", options: { threshold: { deviations: 4.5 } } }, { use: "boxes", options: { boxVoxels: 32 } }],
    run: { threads: 3 },
  });
});

for (
  const [setting, words] of [
    ["seed", /expected PATH=VALUE/],
    ["stages[x]=1", /expected PATH=VALUE/],
    ["stages[2].options.a=1", /stages has 2 entries, the first is \[0\]/],
    ["source[0]=1", /source is no list/],
    ["source.use.a=1", /source\.use has no keys/],
    ["stages.a=1", /stages has no keys/],
  ] as const
) {
  Deno.test(`--set ${setting} is refused, and the manifest left as it was`, () => {
    const root = manifest();
    const faults = applySettings(root, [setting]);
    assert.equal(faults.length, 1);
    assert.match(faults[0], words);
    assert.ok(faults[0].startsWith(`--set ${setting}: `), faults[0]);
    assert.deepEqual(root, manifest());
  });
}

Deno.test("a setting named __proto__ reaches no prototype", () => {
  const root: Record<string, unknown> = {};
  applySettings(root, ["__proto__.polluted=true"]);
  assert.equal((({}) as Record<string, unknown>).polluted, undefined);
});
