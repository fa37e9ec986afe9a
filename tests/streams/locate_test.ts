import { strict as assert } from "node:assert";
import fc from "fast-check";
import { stringify } from "yaml";
import { locate } from "../../streams/locate.ts";

Deno.test("a value's place in JSON is its first character, a key's place that of its quote", () => {
  const text = locate('{\n  "stages": [ { "use": "dog" } ]\n}', "p.json");
  assert.deepEqual(text.place(["stages", 0, "use"]), { line: 2, column: 24 });
  assert.deepEqual(text.place(["stages", 0, "use"], true), { line: 2, column: 17 });
});

Deno.test("what does not exist is placed at its nearest ancestor", () => {
  const text = locate('{\n  "stages": [ { "use": "dog" } ]\n}', "p.json");
  assert.deepEqual(text.place(["stages", 0, "options", "x"], true), { line: 2, column: 15 });
  assert.deepEqual(text.place(["learn"]), { line: 1, column: 1 });
});

Deno.test("a value's place in YAML is found in blocks, in flows and behind an alias", () => {
  const text = locate("a: &shared\n  b: [1, 2]\nc: *shared\nd: { e: 5 }\n", "p.yml");
  assert.deepEqual(text.value, { a: { b: [1, 2] }, c: { b: [1, 2] }, d: { e: 5 } });
  assert.deepEqual(text.place(["a", "b", 1]), { line: 2, column: 10 });
  assert.deepEqual(text.place(["c", "b", 1]), { line: 2, column: 10 });
  assert.deepEqual(text.place(["d", "e"], true), { line: 4, column: 6 });
});

Deno.test("JSON may hold comments, trailing commas and a byte order mark", () => {
  const text = locate('\uFEFF// why\n{ "a": 1, /* b */ "c": [2,], }', "p.json");
  assert.deepEqual(text.value, { a: 1, c: [2] });
  assert.deepEqual(text.faults, []);
  assert.deepEqual(text.place(["a"]), { line: 2, column: 8 });
});

Deno.test("windows line ends count as one line", () => {
  assert.deepEqual(locate('{\r\n  "a": 1\r\n}', "p.json").place(["a"]), { line: 2, column: 8 });
  assert.deepEqual(locate("x: 1\r\na: 1\r\n", "p.yaml").place(["a"]), { line: 2, column: 4 });
});

Deno.test("an empty text, a key that stands twice and a circle of aliases are faults", () => {
  assert.deepEqual(locate(" \n", "p.json").faults.map((fault) => fault.message), ["the file is empty"]);
  assert.equal(locate('{ "a": 1,\n "a": 2 }', "p.json").faults[0].code, "duplicate-key");
  assert.equal(locate("a: 1\na: 2\n", "p.yaml").faults[0].code, "duplicate-key");
  assert.equal(locate("a: &a [*a]\n", "p.yaml").faults[0].code, "syntax");
});

Deno.test("a text with aliases that multiply is refused and not expanded", () => {
  const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 9; i++) lines.push(`a${i}: &a${i} [${Array(10).fill(`*a${i - 1}`).join(", ")}]`);
  assert.match(locate(lines.join("\n"), "p.yaml").faults[0].message, /alias/);
});

Deno.test("__proto__ is a key like any other", () => {
  const { value } = locate('{ "__proto__": { "use": "dog" } }', "p.json");
  assert.deepEqual(Object.keys(value as object), ["__proto__"]);
  assert.equal((value as { use?: string }).use, undefined);
});

Deno.test("any JSON value reads as itself, from JSON and from YAML", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), fc.jsonValue({ noUnicodeString: true })), (record) => {
      const plain = JSON.parse(JSON.stringify(record));
      assert.deepEqual(JSON.parse(JSON.stringify(locate(JSON.stringify(plain), "p.json").value)), plain);
      assert.deepEqual(JSON.parse(JSON.stringify(locate(stringify(plain), "p.yaml").value ?? {})), plain);
    }),
    { seed: 1, numRuns: 60 },
  );
});
