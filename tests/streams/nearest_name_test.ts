import { strict as assert } from "node:assert";
import { nearestName, suggestName } from "../../streams/nearest_name.ts";

const cases: [string, string[], string | null][] = [
  ["sigmaVoxel", ["sigmaVoxels", "volume"], "sigmaVoxels"],
  ["DOG", ["boxes", "dog"], "dog"],
  ["particleDiameter", ["voxelSizeAngstrom", "particleDiameterAngstrom"], "particleDiameterAngstrom"],
  ["tomogrmas", ["tomograms"], "tomograms"],
  ["drak", ["dark", "bright"], "dark"],
  ["x", ["volume"], null],
  ["lint", [], null],
  ["report", ["run", "infer"], null],
];
for (const [name, candidates, expected] of cases) {
  Deno.test(`"${name}" among ${candidates.length} names means ${expected}`, () => assert.equal(nearestName(name, candidates), expected));
}

Deno.test("a name without a near one is answered with all there are", () => {
  assert.equal(suggestName("zebra", ["dog", "boxes"], "there are"), 'there are: "dog", "boxes"');
  assert.equal(suggestName("dgo", ["dog", "boxes"], "there are"), 'did you mean "dog"?');
});
