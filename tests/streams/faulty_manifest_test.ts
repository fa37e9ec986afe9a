import { strict as assert } from "node:assert";
import { lintManifest } from "../../streams/manifest.ts";
import { builtIns } from "../fixtures/plugins/built_ins.ts";

// Each file of tests/pipelines/faulty has one fault; its first comment is all that lint says. `UPDATE_FAULTY=1` rewrites the comments:
// read the difference before it is committed.

const folder = new URL("../pipelines/faulty/", import.meta.url).pathname;
const plugins = [
  "./plugins/keep_all.ts#keepAl",
  "./plugins/kep_all.ts",
  "./plugins/throws.ts",
  "./plugins/malformed.ts",
  "npm:some-plugin@^1.2.0",
];

/** The lines of a file's first comment. */
function expectedOf(text: string): string[] {
  const lines = text.split("\n");
  const end = lines.findIndex((line) => !/^(\/\/|#)/.test(line));
  return lines.slice(0, end).map((line) => line.replace(/^(\/\/|#) ?/, ""));
}

const files = [...Deno.readDirSync(folder)].filter((entry) => entry.isFile).map((entry) => entry.name).sort();
for (const file of files) {
  Deno.test(`faulty manifest: ${file.replace(/\.[a-z]+$/, "").replaceAll("-", " ")}`, async () => {
    const path = `${folder}${file}`;
    const { problems, manifest } = await lintManifest(path, { allowPlugins: plugins, builtIns });
    const found = problems.map((problem) => problem.replaceAll(folder, ""));
    if (Deno.env.get("UPDATE_FAULTY") !== undefined) {
      const text = await Deno.readTextFile(path);
      const comment = file.endsWith(".yaml") ? "#" : "//";
      const rest = text.split("\n").slice(expectedOf(text).length).join("\n");
      const padding = found.map((line) => `${comment} ${line}`).join("\n");
      await Deno.writeTextFile(path, `${padding}\n${rest}`);
    }
    assert.deepEqual(found, expectedOf(await Deno.readTextFile(path)));
    assert.ok(found.length > 0, "a faulty manifest has at least one fault");
    assert.equal(manifest, null);
  });
}

Deno.test("there is a faulty manifest for each of at least fifteen faults", () => assert.ok(files.length >= 15));
