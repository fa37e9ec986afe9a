import { strict as assert } from "node:assert";
import { builtIns } from "../../plugins/mod.ts";
import { optionRows } from "../../streams/option_table.ts";
import { pluginShapeFaults } from "../../streams/plugin_shape.ts";
import { allowanceNames, loadPlugin, locatePlugin } from "../../streams/registry.ts";
import { describePlugin } from "../../streams/verbs/describe.ts";
import { builtIns as standIns } from "../fixtures/plugins/built_ins.ts";

const located: [string, unknown][] = [
  ["dog", { address: { kind: "built-in", id: "dog" } }],
  ["./a.ts", { address: { kind: "file", path: "/home/a.ts", exportName: "default" } }],
  ["../b/a.ts#keep", { address: { kind: "file", path: "/b/a.ts", exportName: "keep" } }],
  ["/abs/a.ts#keep", { address: { kind: "file", path: "/abs/a.ts", exportName: "keep" } }],
  ["file:///abs/a%20b.ts", { address: { kind: "file", path: "/abs/a b.ts", exportName: "default" } }],
  ["npm:mine@1.2.3", { address: { kind: "npm", specifier: "npm:mine@1.2.3", version: "1.2.3", exportName: "default" } }],
  ["npm:@lab/mine@1.2.3-rc.1/sub#pick", {
    address: { kind: "npm", specifier: "npm:@lab/mine@1.2.3-rc.1/sub", version: "1.2.3-rc.1", exportName: "pick" },
  }],
];
for (const [use, expected] of located) {
  Deno.test(`"${use}" is found where it says`, () => assert.deepEqual(locatePlugin(use, "/home", standIns), expected));
}

const refused: [string, string, RegExp][] = [
  ["npm:mine", "npm-version", /names no exact version/],
  ["npm:mine@latest", "npm-version", /names no exact version/],
  ["npm:mine@^1.0.0", "npm-version", /names no exact version/],
  ["https://example.org/a.ts", "unknown-plugin", /cannot be loaded/],
  ["jsr:@a/b@1.0.0", "unknown-plugin", /cannot be loaded/],
  ["a.ts#x", "unknown-plugin", /for a file write "\.\/a\.ts#x"/],
  ["doog", "unknown-plugin", /did you mean "dog"\?/],
  ["__proto__", "unknown-plugin", /no built-in plugin/],
  ["constructor", "unknown-plugin", /no built-in plugin/],
];
for (const [use, code, message] of refused) {
  Deno.test(`"${use}" is refused`, () => {
    const outcome = locatePlugin(use, "/home", standIns);
    assert.ok("fault" in outcome);
    assert.equal(outcome.fault.code, code);
    assert.match(outcome.fault.message, message);
  });
}

Deno.test("a file may be allowed by its path, with or without its export", () => {
  const outcome = locatePlugin("./a.ts#keep", "/home", standIns);
  assert.ok("address" in outcome);
  assert.deepEqual(allowanceNames("./a.ts#keep", outcome.address), ["./a.ts#keep", "/home/a.ts", "/home/a.ts#keep"]);
});

Deno.test("a built-in that is no valid plugin is a fault of tomosieve, not of the manifest", async () => {
  const broken = { dog: () => Promise.resolve({ default: { name: "cat" } as never }) };
  await assert.rejects(loadPlugin({ kind: "built-in", id: "dog" }, broken), /TypeError: built-in plugin "dog": apiVersion is missing/);
});

for (const [id, load] of Object.entries(builtIns)) {
  Deno.test(`the built-in "${id}" has its own name, a sound shape, and words for every option`, async () => {
    const { default: plugin } = await load();
    assert.equal(plugin.name, id);
    assert.deepEqual(pluginShapeFaults(plugin), []);
    const rows = optionRows(plugin.options);
    assert.deepEqual(rows.filter((row) => row.description === "").map((row) => row.name), []);
    const text = describePlugin(plugin);
    for (const { name } of rows) assert.ok(text.includes(`  ${name}: `), name);
    for (const part of Object.values(plugin.parts ?? {}) as { default?: string }[]) {
      if (part.default !== undefined) assert.ok(Object.hasOwn(builtIns, part.default), `default part "${part.default}" is no built-in`);
    }
  });
}
