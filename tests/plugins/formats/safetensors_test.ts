import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeSafetensors, encodeSafetensors } from "../../../plugins/formats/safetensors.ts";

Deno.test("`decodeSafetensors()` gives back what `encodeSafetensors()` took, whatever the order of names", () => {
  const array = fc.oneof(fc.float32Array(), fc.float64Array(), fc.int32Array(), fc.uint8Array());
  const name = fc.string({ minLength: 1 }).filter((text) => text !== "__proto__" && text !== "__metadata__");
  fc.assert(fc.property(fc.dictionary(name, array, { maxKeys: 6 }), (arrays) => {
    const bytes = encodeSafetensors(arrays);
    const back = decodeSafetensors(bytes, "x");
    assert.deepEqual(Object.keys(back).sort(), Object.keys(arrays).sort());
    for (const [key, values] of Object.entries(arrays)) assert.deepEqual(back[key], values);
    assert.deepEqual(encodeSafetensors(Object.fromEntries(Object.entries(arrays).reverse())), bytes);
  }));
});

Deno.test("the bytes are those of Python's safetensors 0.4: length, padded header, widest arrays first", () => {
  const bytes = encodeSafetensors({ b: Uint8Array.of(7), a: Float32Array.of(1) });
  const header = new TextDecoder().decode(bytes.subarray(8, bytes.length - 5)).trimEnd();
  assert.equal(header, '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[1],"data_offsets":[4,5]}}');
  assert.equal(new DataView(bytes.buffer).getBigUint64(0, true) % 8n, 0n);
});

Deno.test("`decodeSafetensors()` names what is wrong with damaged bytes", () => {
  const good = encodeSafetensors({ a: Float32Array.of(1, 2) });
  assert.throws(() => decodeSafetensors(good.subarray(0, 5), "m.safetensors"), {
    name: "InputError",
    message: /m\.safetensors: safetensors header length/,
  });
  assert.throws(() => decodeSafetensors(good.subarray(0, good.length - 1), "m"), /array "a" stands at bytes/);
  const broken = good.slice();
  broken[8] = 0;
  assert.throws(() => decodeSafetensors(broken, "m"), /header is not JSON/);
  const typed = new TextDecoder().decode(good).replace('"F32"', '"Q99"');
  assert.throws(() => decodeSafetensors(new TextEncoder().encode(typed), "m"), /has type Q99/);
});
