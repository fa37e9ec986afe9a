import { strict as assert } from "node:assert";
import {
  docWalls,
  entranceWalls,
  importCycles,
  importsOf,
  lazyWalls,
  libraryWalls,
  roomWalls,
  type Sources,
  topLevelWalls,
  wordingWalls,
} from "./walls.ts";

const root = new URL("../", import.meta.url).pathname;

function read(): Sources {
  const sources = new Map<string, string>();
  const walk = (folder: string): void => {
    for (const entry of Deno.readDirSync(root + folder)) {
      const path = folder + entry.name;
      if (entry.isDirectory && entry.name !== "node_modules" && entry.name !== "runs") walk(`${path}/`);
      else if (entry.isFile && /\.(ts|json|jsonc|md)$/.test(entry.name)) sources.set(path, Deno.readTextFileSync(root + path));
    }
  };
  for (const folder of ["plugins/", "streams/", "tests/", "examples/"]) walk(folder);
  for (const file of ["cli.ts", "mod.ts"]) sources.set(file, Deno.readTextFileSync(root + file));
  return sources;
}

const walls: [string, (sources: Sources) => string[]][] = [
  ["rxjs stays in streams/, tensor libraries in one engine's folder, workers in the pool and the engines", libraryWalls],
  ["streams/ and plugins/ do not import each other's inside", roomWalls],
  ["no file imports itself by a detour", importCycles],
  ["reading a manifest loads no tensor library", lazyWalls],
  ["cli.ts, mod.ts and plugins/mod.ts do what they are for and nothing else", entranceWalls],
  ["names say something, and nothing is left open", wordingWalls],
  ["every file and every export says what it is", docWalls],
];
const sources = read();
for (const [title, wall] of walls) {
  Deno.test(title, () => assert.deepEqual(wall(sources), []));
}
Deno.test("the top level holds what DESIGN.md lists", () => {
  assert.deepEqual(topLevelWalls([...Deno.readDirSync(root)].map((entry) => entry.name)), []);
});

/** What tests import by its whole specifier, because the program must not lean on it. */
const OF_TESTS = ["npm:ajv@8.20.0"];
Deno.test("deno.lock installs what deno.json and the tests import, and nothing that a tool left in it", () => {
  const { imports } = JSON.parse(Deno.readTextFileSync(`${root}deno.json`)) as { imports: Record<string, string> };
  const { specifiers } = JSON.parse(Deno.readTextFileSync(`${root}deno.lock`)) as { specifiers: Record<string, string> };
  const named = Object.values(imports).filter((target) => target.startsWith("npm:")).map((target) =>
    target.replace(/^npm:\/(.*)\/$/, "npm:$1")
  );
  assert.deepEqual(Object.keys(specifiers).sort(), [...named, ...OF_TESTS].sort());
});

const documented = "/**\n * A file.\n * @module\n */\n";
/** Samples that break one wall each. */
const broken: [string, (sources: Sources) => string[], Record<string, string>, RegExp][] = [
  ["rxjs in a plugin", libraryWalls, { "plugins/pickers/a.ts": 'import { map } from "rxjs";' }, /only streams\/ may/],
  ["rxjs in a plugin by export", libraryWalls, { "plugins/pickers/a.ts": 'export * from "rxjs/operators";' }, /only streams\/ may/],
  [
    "onnxruntime beside the engines' folders",
    libraryWalls,
    { "plugins/engines/a.ts": 'import * as ort from "onnxruntime-node";' },
    /only plugins\/engines/,
  ],
  ["tfjs in a kernel, dynamically", libraryWalls, { "plugins/kernels/a.ts": 'await import("@tensorflow/tfjs");' }, /only plugins\/engines/],
  [
    "a type of a tensor library",
    libraryWalls,
    { "streams/a.ts": 'import type { Tensor } from "onnxruntime-node";' },
    /only plugins\/engines/,
  ],
  ["foreign functions in streams/", libraryWalls, { "streams/a.ts": 'Deno.dlopen("x", {});' }, /calls Deno\.dlopen/],
  ["a plugin's own worker", libraryWalls, { "plugins/pickers/a.ts": 'new Worker("x");' }, /starts a Worker/],
  ["a plugin that prints", libraryWalls, { "plugins/pickers/a.ts": 'console.log("x");' }, /prints/],
  [
    "a plugin that takes a store",
    roomWalls,
    { "plugins/pickers/a.ts": 'import { Store } from "../../streams/store.ts";' },
    /only contract\.ts/,
  ],
  [
    "a plugin that takes the public API",
    roomWalls,
    { "plugins/pickers/a.ts": 'import { z } from "../../mod.ts";' },
    /from streams\/contract/,
  ],
  [
    "streams/ that takes a picker",
    roomWalls,
    { "streams/a.ts": 'import dog from "../plugins/pickers/dog.ts";' },
    /takes only plugins\/mod\.ts/,
  ],
  [
    "streams/ that takes values of the network's file",
    roomWalls,
    { "streams/a.ts": 'import { x } from "../plugins/engines/network.ts";' },
    /takes only/,
  ],
  ["a kernel that takes a format", roomWalls, { "plugins/kernels/a.ts": 'import { x } from "../formats/mrc.ts";' }, /takes only kernels/],
  ["a kernel that reads a file", roomWalls, { "plugins/kernels/a.ts": 'Deno.readFileSync("x");' }, /pure function/],
  ["a plugin that leans on a test", roomWalls, { "plugins/pickers/a.ts": 'import { x } from "../../tests/walls.ts";' }, /./],
  [
    "two files in a circle",
    importCycles,
    { "streams/a.ts": 'import "./b.ts";', "streams/b.ts": 'import { type A } from "./a.ts";' },
    /a\.ts -> streams\/b\.ts -> streams\/a\.ts/,
  ],
  [
    "a manifest that loads onnxruntime by a detour",
    lazyWalls,
    { "streams/manifest.ts": 'import "./x.ts";', "streams/x.ts": 'import {\n  a,\n} from "onnxruntime-node";' },
    /streams\/manifest\.ts loads onnxruntime-node/,
  ],
  [
    "a built-in that loads its tensor library at once",
    lazyWalls,
    {
      "plugins/mod.ts": 'export const builtIns = {\n  onnx: () => import("./engines/onnx.ts"),\n};',
      "plugins/engines/onnx.ts": 'import "./onnx/run.ts";',
      "plugins/engines/onnx/run.ts": 'import * as o from "onnxruntime-node";',
    },
    /plugins\/engines\/onnx\.ts loads onnxruntime-node/,
  ],
  [
    "an import before the permissions",
    entranceWalls,
    { "cli.ts": 'import { Command } from "commander";', "mod.ts": "" },
    /before it has looked/,
  ],
  [
    "a public API that computes",
    entranceWalls,
    { "cli.ts": "", "mod.ts": 'export * from "./a.ts";\nexport const x = 1;' },
    /does more than hand on/,
  ],
  ["a built-in by a computed specifier", entranceWalls, {
    "plugins/mod.ts": "export const builtIns = {\n  a: () => import(`./${a}.ts`),\n};",
  }, /not one id/],
  ["a file called utils", wordingWalls, { "streams/string_utils.ts": "" }, /says nothing/],
  ["a folder called common", wordingWalls, { "plugins/common/a.ts": "" }, /says nothing/],
  ["a file in camel case", wordingWalls, { "streams/runPipeline.ts": "" }, /snake_case/],
  ["random numbers of the machine", wordingWalls, { "streams/a.ts": `const x = Math.${"random"}();` }, /Math\.random/],
  ["an open end", wordingWalls, { "streams/a.ts": `// ${"TO"}DO later` }, /open end/],
  ["a test that is left out", wordingWalls, { "tests/a_test.ts": `Deno.test.${"ignore"}("x", () => {});` }, /leaves tests out/],
  ["a file that does not say what it is", docWalls, { "streams/a.ts": "const a = 1;" }, /does not begin/],
  [
    "an export that does not say what it is",
    docWalls,
    { "streams/a.ts": `${documented}export function a(): void {}` },
    /exports a without/,
  ],
  ["a file too long to read", docWalls, { "streams/a.ts": documented + "\n".repeat(500) }, /part it/],
];
for (const [title, wall, sample, expected] of broken) {
  Deno.test(`a wall stops ${title}`, () => {
    const found = wall(new Map(Object.entries(sample)));
    assert.equal(found.length > 0 && expected.test(found.join("\n")), true, `found: ${found.join("; ") || "nothing"}`);
  });
}
Deno.test("a wall stops a folder that has no place at the top level", () => assert.equal(topLevelWalls(["streams", "src"]).length, 1));

Deno.test("importsOf reads static, type, bare, multi-line and dynamic imports, and no comment", () => {
  const text = [
    'import a, { b } from "./x.ts"; // import c from "./no.ts";',
    'import type { T } from "../y.ts";',
    'import {\n  type U,\n  type V,\n} from "z";',
    '/* import d from "./no.ts"; */',
    'import "side";',
    'export * as e from "./w.ts";',
    'const f = await import("./v.ts");',
  ].join("\n");
  assert.deepEqual(importsOf("streams/q.ts", text).map(({ target, typeOnly, dynamic }) => `${target} ${typeOnly} ${dynamic}`), [
    "streams/x.ts false false",
    "y.ts true false",
    "z true false",
    "streams/w.ts false false",
    "side false false",
    "streams/v.ts false true",
  ]);
});
