/**
 * `simulate <scene.json> --out DIR`: writes what a scene describes.
 * @module
 */
import { basename, dirname, resolve } from "node:path";
import { checkScene, type Scene, sceneSchema } from "../../plugins/sources/simulated/scene.ts";
import { type WriteOptions, writeScene, type WrittenScene } from "../../plugins/sources/simulated/write_scene.ts";
import { InputError, ManifestError } from "../errors.ts";
import { issueTexts } from "../issue_text.ts";
import { locate } from "../locate.ts";
import { mapFormatted } from "../option_schema.ts";
import { formatProblem, type Problem, sortProblems } from "../problem.ts";

/**
 * Reads a scene (JSON with comments, or YAML), fills in defaults and makes its paths absolute (they are relative to the scene's folder).
 *
 * @throws {InputError} When the file cannot be read.
 * @throws {ManifestError} When it is faulty: every fault with its line and column.
 */
export async function readScene(scenePath: string): Promise<Scene> {
  let text: string;
  try {
    text = await Deno.readTextFile(scenePath);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "no such scene file"
      : `cannot be read: ${error instanceof Error ? error.message : error}`;
    throw new InputError(scenePath, why, { cause: error });
  }
  const name = basename(scenePath);
  const located = locate(text, name);
  if (located.faults.length > 0) {
    throw new ManifestError(located.faults.map(({ place, code, message }) => `${name}:${place.line}:${place.column} ${message} [${code}]`));
  }
  const problems: Problem[] = [];
  const parsed = sceneSchema.safeParse(located.value);
  if (!parsed.success) {
    for (const issue of issueTexts(parsed.error.issues, located.value, sceneSchema, { noun: "key", owner: "a scene" })) {
      problems.push({ phase: "shape", stage: null, ...issue });
    }
  } else {
    for (const { path, message } of checkScene(parsed.data as unknown as Scene)) {
      problems.push({ phase: "check", code: "bad-scene", path, stage: null, message });
    }
  }
  if (problems.length > 0 || !parsed.success) {
    throw new ManifestError(sortProblems(problems, located).map((problem) => formatProblem(problem, name, located)));
  }
  const folder = resolve(dirname(scenePath));
  return mapFormatted(sceneSchema, parsed.data, "path", ({ value }) => resolve(folder, value)) as Scene;
}

/**
 * Simulates a scene into a folder; see {@linkcode writeScene} for the files.
 *
 * @throws {InputError} When the scene, or a map or structure it names, cannot be read.
 * @throws {ManifestError} When the scene is faulty.
 * @throws {RunError} When the particles do not fit or the folder cannot be written.
 */
export async function simulate(scenePath: string, outDir: string, options: WriteOptions = {}): Promise<WrittenScene> {
  return await writeScene(await readScene(scenePath), outDir, options);
}

/**
 * `simulate`: writes a scene into a folder and says what is there.
 *
 * @returns Exit code 0.
 */
export async function simulateVerb(options: { scene: string; out: string; json: boolean; signal: AbortSignal }): Promise<number> {
  const { scene, out, json, signal } = options;
  const { stderrProgress } = await import("../progress.ts");
  const progress = stderrProgress();
  try {
    const written = await simulate(scene, out, { signal, progress: (done, total) => progress.update("simulate", done, total) });
    progress.close();
    if (json) console.log(JSON.stringify({ status: "done", ...written }));
    else console.log(`${written.particles} particles in ${written.volumes.join(", ")}; truth in ${written.truth}`);
    return 0;
  } finally {
    progress.close();
  }
}
