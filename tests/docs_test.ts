/**
 * What the guides say must hold: code type-checks and is linted, plugins conform, manifests lint, commands exist, links lead somewhere.
 * @module
 */
import { strict as assert } from "node:assert";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { parse, type ParseError } from "jsonc-parser";
import { makeProgram } from "../streams/command_line.ts";
import type { AnyPlugin } from "../streams/contract.ts";
import { lintManifest } from "../streams/manifest.ts";
import { checkPlugin } from "../mod.ts";

const root = new URL("../", import.meta.url).pathname;

/** One fenced block of a page. */
interface Block {
  /** `docs/plugins.md:12`. */
  readonly at: string;
  readonly language: string;
  readonly text: string;
}

/** Markdown files of a folder of the repository, or none. */
function markdownIn(folder: string): string[] {
  return [...Deno.readDirSync(join(root, folder))].filter((entry) => entry.isFile && entry.name.endsWith(".md")).map((entry) =>
    join(folder, entry.name)
  ).sort();
}

/** Fenced blocks of a page's text. */
function blocksOf(page: string, text: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; language: string; lines: string[] } | null = null;
  text.split("\n").forEach((line, index) => {
    const fence = /^```\s*(\S*)/.exec(line);
    if (open === null && fence) open = { line: index + 1, language: fence[1], lines: [] };
    else if (open !== null && line.startsWith("```")) {
      blocks.push({ at: `${page}:${open.line}`, language: open.language, text: open.lines.join("\n") + "\n" });
      open = null;
    } else open?.lines.push(line);
  });
  return blocks;
}

/** Arguments that the commands of a shell block give to cli.ts, each with its line. */
function commandsOf(text: string): { line: string; args: string[] }[] {
  const commands: { line: string; args: string[] }[] = [];
  for (const line of text.replaceAll("\\\n", " ").split("\n")) {
    const words = [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, double, single, plain]) => double ?? single ?? plain);
    const start = words.findIndex((word) => /(^|\/)cli\.ts$/.test(word));
    if (start < 0 || line.trimStart().startsWith("#")) continue;
    const rest = words.slice(start + 1), end = rest.findIndex((word) => /^(#|\||&|;|>|2>|&&)/.test(word));
    commands.push({ line: line.trim(), args: end < 0 ? rest : rest.slice(0, end) });
  }
  return commands;
}

const exampleFolders = [...Deno.readDirSync(join(root, "examples"))].filter((entry) => entry.isDirectory).map((entry) =>
  `examples/${entry.name}`
);
const pages = [...markdownIn("."), ...markdownIn("docs"), ...exampleFolders.flatMap(markdownIn)];
const texts = new Map(pages.map((page) => [page, Deno.readTextFileSync(join(root, page))]));
const blocks = [...texts].flatMap(([page, text]) => blocksOf(page, text));
const blocksIn = (...languages: string[]) => blocks.filter(({ language }) => languages.includes(language));

/** Runs Deno in the repository. @returns What it printed when it failed, or `null`. */
async function deno(...args: string[]): Promise<string | null> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: root, env: { NO_COLOR: "1" } }).output();
  return success ? null : new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** Writes blocks as files of a fresh folder, in their order. */
function unpack(chosen: readonly Block[]): { folder: string; files: { at: string; path: string }[] } {
  const folder = Deno.makeTempDirSync({ prefix: "tomosieve-docs-" });
  const files = chosen.map(({ at, text }, index) => {
    const path = join(folder, `${index}_${at.replaceAll(/[^A-Za-z0-9]+/g, "_")}.ts`);
    Deno.writeTextFileSync(path, text);
    return { at, path };
  });
  return { folder, files };
}

Deno.test("every page has been read", () => {
  for (const page of ["README.md", "docs/plugins.md", "docs/own_data.md", ...exampleFolders.map((folder) => `${folder}/README.md`)]) {
    assert.ok(texts.has(page), `${page} is missing`);
  }
  assert.ok(blocksIn("ts").length >= 5 && blocksIn("json").length >= 3 && blocksIn("sh").length >= 8, "blocks were not found");
});

Deno.test("code in the guides type-checks", async () => {
  assert.equal(await deno("check", "--quiet", "--doc-only", ...pages), null);
});

Deno.test("plugins in the guides are linted and conform", async (t) => {
  const { folder, files } = unpack(blocksIn("ts").filter(({ text }) => text.includes("export default definePlugin(")));
  try {
    assert.ok(files.length >= 4, `${files.length} plugins`);
    assert.equal(await deno("lint", "--quiet", ...files.map(({ path }) => path)), null);
    for (const { at, path } of files) {
      await t.step(at, async () => {
        const module: { default: AnyPlugin } = await import(pathToFileURL(path).href);
        await checkPlugin(module.default);
      });
    }
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("manifests in the guides have no fault but that their data are elsewhere", async (t) => {
  for (const { at, text } of blocksIn("json", "jsonc")) {
    await t.step(at, async () => {
      const errors: ParseError[] = [];
      const value = parse(text, errors, { allowTrailingComma: true });
      assert.deepEqual(errors, [], "is JSON");
      if (value?.version !== 1 || value.source === undefined) return;
      const folder = Deno.makeTempDirSync({ prefix: "tomosieve-docs-" });
      try {
        Deno.writeTextFileSync(join(folder, "pipeline.json"), text);
        const { problems } = await lintManifest(join(folder, "pipeline.json"));
        assert.deepEqual(problems.filter((problem) => !problem.endsWith("[no-file]")), []);
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    });
  }
});

Deno.test("commands in the guides are commands of cli.ts, and tasks are tasks", () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync(join(root, "deno.json"))) as { tasks: Record<string, string> };
  let count = 0;
  for (const { at, text } of blocksIn("sh", "bash")) {
    for (const { line, args } of commandsOf(text)) {
      count++;
      const chosen: unknown[] = [];
      const program = makeProgram((verb) => chosen.push(verb));
      for (const command of [program, ...program.commands]) {
        command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
      }
      try {
        program.parse(args, { from: "user" });
      } catch (error) {
        if ((error as { exitCode?: number }).exitCode !== 0) {
          throw new Error(`${at}: ${line}: ${error instanceof Error ? error.message : error}`);
        }
        continue;
      }
      assert.equal(chosen.length, 1, `${at}: ${line}`);
    }
    for (const [, task] of text.matchAll(/deno(?:@[\d.]+)? task ([\w:]+)/g)) assert.ok(task in tasks, `${at}: there is no task "${task}"`);
  }
  assert.ok(count >= 10, `${count} commands were found`);
});

Deno.test("links in the guides lead to files that are there", () => {
  const broken: string[] = [];
  for (const [page, text] of texts) {
    for (const [, target] of text.replaceAll(/```[\s\S]*?```/g, "").matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?:|mailto:|#)/.test(target)) continue;
      const path = join(root, dirname(page), target.split("#")[0]);
      try {
        Deno.statSync(path);
      } catch {
        broken.push(`${page}: ${target}`);
      }
    }
  }
  assert.deepEqual(broken, []);
});

Deno.test("a fault in a command, a manifest or a block would be found", async () => {
  const [{ args }] = commandsOf("srun deno run -P cli.ts infer run1/model x.mrc --ouut d  # words\n");
  assert.deepEqual(args, ["infer", "run1/model", "x.mrc", "--ouut", "d"]);
  const program = makeProgram(() => {});
  for (const command of [program, ...program.commands]) command.exitOverride().configureOutput({ writeErr: () => {} });
  assert.throws(() => program.parse(args, { from: "user" }));
  const [block] = blocksOf("a.md", "text\n```ts\nconst n: string = 1;\n```\n");
  assert.deepEqual(block, { at: "a.md:2", language: "ts", text: "const n: string = 1;\n" });
  const { folder, files } = unpack([{ ...block, at: "a" }]);
  try {
    assert.match(await deno("check", "--quiet", files[0].path) ?? "", /not assignable/);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
