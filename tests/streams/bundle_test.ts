import assert from "node:assert/strict";
import type { State } from "../../streams/contract.ts";
import { exists, loadBundle, saveBundle } from "../../streams/bundle.ts";

const state: State = {
  version: 3,
  values: { name: "a", k: 4, none: null, list: [1, 2] },
  arrays: { w: Float32Array.of(1.5, -2), c: Float64Array.of(Math.PI), i: Int32Array.of(7) },
};

Deno.test("`loadBundle()` gives back exactly what `saveBundle()` took, and a second save replaces the first", () => {
  const folder = Deno.makeTempDirSync();
  saveBundle(`${folder}/model`, { iteration: 1 }, state);
  saveBundle(`${folder}/model`, { iteration: 2 }, state);
  const { facts, state: back } = loadBundle(`${folder}/model`);
  assert.deepEqual(facts, { iteration: 2 });
  assert.deepEqual(back, state);
  assert.deepEqual([...Deno.readDirSync(folder)].map((entry) => entry.name), ["model"], "no temporary folder stays");
});

Deno.test("`loadBundle()` names the file and the remedy when a byte has changed, a file is missing or the version is another", () => {
  const folder = Deno.makeTempDirSync(), model = `${folder}/model`;
  saveBundle(model, {}, state);
  const bytes = Deno.readFileSync(`${model}/arrays.safetensors`);
  bytes[bytes.length - 1] ^= 1;
  Deno.writeFileSync(`${model}/arrays.safetensors`, bytes);
  assert.throws(() => loadBundle(model), { name: "InputError", message: /arrays\.safetensors: SHA-256 is .* damaged/ });
  Deno.writeTextFileSync(`${model}/bundle.json`, '{"bundleVersion": 99}');
  assert.throws(() => loadBundle(model), /bundleVersion is 99, this tomosieve reads 1/);
  Deno.writeTextFileSync(`${model}/bundle.json`, "{");
  assert.throws(() => loadBundle(model), /bundle\.json: is not JSON/);
  assert.throws(() => loadBundle(`${folder}/none`), /none\/bundle\.json: cannot be read: expected a model folder/);
  assert.equal(exists(`${folder}/none`), false);
});
