/**
 * The walls of the house as functions on texts: each says which files break it. `architecture_test.ts` runs them on the repository and on
 * samples that must fail.
 * @module
 */
import { posix } from "node:path";

/** Path from the repository's root to text. */
export type Sources = ReadonlyMap<string, string>;

/** One import of a module. */
export interface Import {
  /** Path from the root for a file of the repository, otherwise the bare specifier. */
  readonly target: string;
  readonly typeOnly: boolean;
  readonly dynamic: boolean;
}

/** Source text without comments; strings stay. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " ")).replace(/(^|[^:"'`\\])\/\/.*$/gm, "$1");
}

/** The imports of a file: static, of types, and dynamic ones with a literal specifier. */
export function importsOf(path: string, text: string): Import[] {
  const code = withoutComments(text);
  const resolved = (specifier: string) => specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : specifier;
  const found: Import[] = [];
  const statements = /^\s*(?:import|export)\s+(type\s+)?([^;"'`]*?)from\s*["']([^"']+)["']/gm;
  for (const [, type, names, specifier] of code.matchAll(statements)) {
    const listed = /^\s*\{([^}]*)\}\s*$/.exec(names)?.[1].split(",").map((name) => name.trim()).filter((name) => name !== "");
    const typeOnly = type !== undefined || (listed !== undefined && listed.length > 0 && listed.every((name) => name.startsWith("type ")));
    found.push({ target: resolved(specifier), typeOnly, dynamic: false });
  }
  for (const [, specifier] of code.matchAll(/^\s*import\s*["']([^"']+)["']/gm)) {
    found.push({ target: resolved(specifier), typeOnly: false, dynamic: false });
  }
  for (const [, specifier] of code.matchAll(/\bimport\(\s*["']([^"']+)["']/g)) {
    found.push({ target: resolved(specifier), typeOnly: false, dynamic: true });
  }
  return found;
}

/** A file of the program: AssemblyScript and the script that compiles it are none. */
const code = (path: string) =>
  /^(streams|plugins)\/.*\.ts$|^(cli|mod)\.ts$/.test(path) && !path.endsWith(".as.ts") && path !== "plugins/kernels/simd/build.ts";
const TENSOR_LIBRARY = /^(npm:)?(onnxruntime-|@tensorflow\/)/;

/** `rxjs` only in streams/, tensor libraries and foreign functions only in plugins/engines/ONE/. */
export function libraryWalls(sources: Sources): string[] {
  const broken: string[] = [];
  for (const [path, text] of sources) {
    if (!code(path)) continue;
    const engine = /^plugins\/engines\/[^/]+\//.test(path);
    for (const { target } of importsOf(path, text)) {
      if (/^(npm:)?rxjs/.test(target) && !path.startsWith("streams/")) broken.push(`${path} imports ${target}: only streams/ may`);
      if (TENSOR_LIBRARY.test(target) && !engine) broken.push(`${path} imports ${target}: only plugins/engines/ONE/ may`);
    }
    const plain = withoutComments(text);
    if (/\bDeno\.dlopen\b/.test(plain) && !engine) broken.push(`${path} calls Deno.dlopen: only plugins/engines/ONE/ may`);
    if (/\bnew Worker\(/.test(plain) && !/^streams\/(pool|held_thread)\.ts$|^plugins\/engines\//.test(path)) {
      broken.push(`${path} starts a Worker: only streams/pool.ts, streams/held_thread.ts and plugins/engines/ may`);
    }
    if (/\bconsole\./.test(plain) && path.startsWith("plugins/")) broken.push(`${path} prints: a plugin speaks through its context`);
  }
  return broken;
}

/** Files of streams/ that may open a room of plugins/, with the reason. */
const doors: Readonly<Record<string, RegExp>> = {
  // The verb `simulate` writes scenes without a pipeline: it is the simulator's own command.
  "streams/verbs/simulate.ts": /^plugins\/sources\/simulated\//,
  // The benchmark measures on the two families of structures that settings are chosen on and reported on.
  "streams/benchmark/conditions.ts": /^plugins\/sources\/simulated\/sets\.ts$/,
};

/** What plugins/ and streams/ may import from each other, and the kernels and formats from anyone. */
export function roomWalls(sources: Sources): string[] {
  const broken: string[] = [];
  for (const [path, text] of sources) {
    if (!code(path)) continue;
    for (const { target, typeOnly } of importsOf(path, text)) {
      const say = (rule: string) => broken.push(`${path} imports ${target}: ${rule}`);
      if (path.startsWith("plugins/") && target.startsWith("streams/") && !/^streams\/(contract|errors)\.ts$/.test(target)) {
        say("a plugin takes only contract.ts and errors.ts from streams/");
      }
      if (path.startsWith("plugins/") && /^(mod|cli)\.ts$|^tests\//.test(target)) {
        say("a built-in plugin takes the contract from streams/contract.ts");
      }
      if (path.startsWith("streams/") && target.startsWith("plugins/")) {
        const open = /^plugins\/(mod\.ts|formats\/|kernels\/)/.test(target) || (target === "plugins/engines/network.ts" && typeOnly);
        if (!open && !doors[path]?.test(target)) {
          say("streams/ takes only plugins/mod.ts, formats, kernels and the types of engines/network.ts");
        }
      }
      if (/^(streams|plugins|examples)\//.test(path) && target.startsWith("tests/")) say("nothing leans on a test");
      if (path.startsWith("plugins/kernels/") && target.startsWith("plugins/")) {
        const network = (target === "plugins/engines/network.ts" && typeOnly) || target === "plugins/engines/shapes.ts";
        if (!target.startsWith("plugins/kernels/") && !network) say("a kernel takes only kernels, and the shapes of networks");
      }
      if (path.startsWith("plugins/formats/") && target.startsWith("plugins/") && !/^plugins\/(formats|kernels)\//.test(target)) {
        say("a format takes only formats and kernels");
      }
    }
    if (path.startsWith("plugins/kernels/") && !path.startsWith("plugins/kernels/simd/") && /\bDeno\./.test(withoutComments(text))) {
      broken.push(`${path} uses Deno: a kernel is a pure function on typed arrays`);
    }
  }
  return broken;
}

/** Circles of static imports, types included, each once. */
export function importCycles(sources: Sources): string[] {
  const graph = new Map<string, string[]>();
  for (const [path, text] of sources) {
    if (!path.endsWith(".ts")) continue;
    graph.set(path, importsOf(path, text).filter(({ target, dynamic }) => !dynamic && sources.has(target)).map(({ target }) => target));
  }
  const cycles: string[] = [];
  const state = new Map<string, "open" | "done">();
  const trail: string[] = [];
  const visit = (path: string): void => {
    state.set(path, "open");
    trail.push(path);
    for (const next of graph.get(path) ?? []) {
      if (state.get(next) === "open") cycles.push([...trail.slice(trail.indexOf(next)), next].join(" -> "));
      else if (!state.has(next)) visit(next);
    }
    trail.pop();
    state.set(path, "done");
  };
  for (const path of graph.keys()) if (!state.has(path)) visit(path);
  return cycles;
}

/** Everything that importing `path` loads, by static imports of values. */
export function loadedBy(path: string, sources: Sources): Set<string> {
  const seen = new Set<string>();
  const visit = (at: string): void => {
    if (seen.has(at)) return;
    seen.add(at);
    const text = sources.get(at);
    if (text === undefined) return;
    for (const { target, typeOnly, dynamic } of importsOf(at, text)) if (!typeOnly && !dynamic) visit(target);
  };
  visit(path);
  return seen;
}

/** Importing the public API, reading a manifest, or loading a built-in plugin's description loads no tensor library, and the API no rxjs. */
export function lazyWalls(sources: Sources): string[] {
  const builtIns = importsOf("plugins/mod.ts", sources.get("plugins/mod.ts") ?? "").filter(({ dynamic }) => dynamic).map(({ target }) =>
    target
  );
  return ["mod.ts", "cli.ts", "streams/manifest.ts", "streams/run_command_line.ts", ...builtIns].flatMap((root) => {
    const loaded = [...loadedBy(root, sources)];
    return [
      ...loaded.filter((target) => TENSOR_LIBRARY.test(target)).map((target) => `${root} loads ${target} as soon as it is imported`),
      ...loaded.filter((target) => root !== "streams/run.ts" && /^rxjs/.test(target)).map((target) =>
        `${root} loads ${target} as soon as it is imported`
      ),
    ];
  });
}

/** cli.ts imports nothing before it knows its permissions; mod.ts only hands on; plugins/mod.ts has one line for each plugin. */
export function entranceWalls(sources: Sources): string[] {
  const broken: string[] = [];
  const statics = importsOf("cli.ts", sources.get("cli.ts") ?? "").filter(({ dynamic, typeOnly }) => !dynamic && !typeOnly);
  broken.push(...statics.map(({ target }) => `cli.ts imports ${target} before it has looked at its permissions`));
  const rest = withoutComments(sources.get("mod.ts") ?? "").replace(/export\s+(type\s+)?(\*|\{[^}]*\})\s+from\s+"[^"]+";/g, "").trim();
  if (rest !== "") broken.push(`mod.ts does more than hand on: ${rest.split("\n")[0]}`);
  const record = /builtIns[^=]*= \{([\s\S]*)\};/.exec(withoutComments(sources.get("plugins/mod.ts") ?? ""))?.[1] ?? "";
  for (const line of record.split("\n").map((text) => text.trim()).filter((text) => text !== "")) {
    if (!/^"?[a-z][a-z0-9-]*"?: \(\) => import\("\.\/[\w/]+\.ts"\),$/.test(line)) {
      broken.push(`plugins/mod.ts: "${line}" is not one id and one literal import`);
    }
  }
  return broken;
}

const WORDS = /^(utils?|helpers?|common|manager|data|info|misc)$/;

const OPEN_END = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "X" + "XX"].join("|")})\\b`);

/** Names of files, and words that code may not hold. */
export function wordingWalls(sources: Sources): string[] {
  const broken: string[] = [];
  for (const [path, text] of sources) {
    const parts = path.split("/");
    for (const part of parts) {
      if (part.replace(/\..*$/, "").split(/[_-]/).some((word) => WORDS.test(word))) {
        broken.push(`${path}: "${part}" says nothing about what is inside`);
      }
    }
    if (!path.endsWith(".ts")) continue;
    if (!/^[a-z0-9_]+(\.[a-z]+)?\.ts$/.test(parts[parts.length - 1])) broken.push(`${path}: files are snake_case`);
    const plain = withoutComments(text);
    if (/\bMath\.random\s*\(/.test(plain)) broken.push(`${path} calls Math.random: use kernels/random.ts or the context`);
    if (OPEN_END.test(text)) broken.push(`${path} holds an open end: ${OPEN_END.exec(text)?.[0]}`);
    if (/\bDeno\.test\.(only|ignore)\b|\bonly: true/.test(plain) && path.startsWith("tests/")) {
      broken.push(`${path} leaves tests out without a word`);
    }
  }
  return broken;
}

/** Longest file, in lines. */
const MOST_LINES = 450;
/** The one file that a plugin author reads stays one file. */
const CONTRACT = "streams/contract.ts";

/** Every file says what it is, every export what it does, and none is too long to read. */
export function docWalls(sources: Sources): string[] {
  const broken: string[] = [];
  for (const [path, text] of sources) {
    if (!code(path)) continue;
    const lines = text.split("\n");
    if (lines.length > MOST_LINES && path !== CONTRACT) broken.push(`${path} has ${lines.length} lines, more than ${MOST_LINES}: part it`);
    if (!text.startsWith("/**") || !/@module/.test(text.slice(0, text.indexOf("*/")))) {
      broken.push(`${path} does not begin with /** what it is, @module */`);
    }
    lines.forEach((line, index) => {
      const name = /^export (?:declare )?(?:default )?(?:async )?(?:abstract )?(?:function\*?|const|let|class|interface|type|enum) ([\w$]+)/
        .exec(line)?.[1];
      if (name === undefined) return;
      let before = index - 1;
      while (before >= 0 && /^\s*\/\/ deno-lint-ignore/.test(lines[before])) before--;
      const overload = lines.slice(0, index).some((other) => new RegExp(`^export (async )?function\\*? ${name}\\b`).test(other));
      const comment = lines.slice(0, before + 1).join("\n");
      const own = comment.endsWith("*/") && !comment.slice(comment.lastIndexOf("/**")).includes("@module");
      if (!own && !overload) broken.push(`${path}:${index + 1} exports ${name} without saying what it is`);
    });
  }
  return broken;
}

const TOP = new Set([
  ...["deno.json", "deno.lock", "mod.ts", "cli.ts", "plugins", "streams", "tests", "examples"],
  ...["README.md", "LICENSE", "CHANGELOG.md", "docs", ".github", ".ci", ".gitignore"],
]);
/** What a checkout may hold beside: never committed. */
const UNKEPT = new Set([".git", "node_modules", "runs", "coverage", ".venv"]);

/** The top level holds what DESIGN.md lists, and nothing else. */
export function topLevelWalls(names: readonly string[]): string[] {
  return names.filter((name) => !TOP.has(name) && !UNKEPT.has(name)).map((name) => `${name} has no place at the top level`);
}
