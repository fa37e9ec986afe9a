/**
 * Reads a scene for the plugins that simulate in memory; the verb `simulate` reads it with the place of every fault.
 * @module
 */
import { dirname, resolve } from "node:path";
import { parse as parseJson, type ParseError, printParseErrorCode } from "jsonc-parser";
import { parse as parseYaml } from "yaml";
import { z } from "zod";
import { InputError } from "../../../streams/errors.ts";
import { checkScene, parseScene, type Scene } from "./scene.ts";

/** Messages of {@linkcode checkScene} with the place in front: `species[1]: ...`. */
export function sceneFaults(scene: Scene): string[] {
  return checkScene(scene).map(({ path, message }) => {
    const place = path.map((key, i) => typeof key === "number" ? `[${key}]` : i === 0 ? key : `.${key}`).join("");
    return place === "" ? message : `${place}: ${message}`;
  });
}

/**
 * Reads a scene file (JSON with comments, or YAML) and makes its paths absolute.
 *
 * @throws {InputError} When the file cannot be read or is faulty; the message holds every fault.
 */
export async function readSceneFile(path: string): Promise<Scene> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "no such scene file"
      : `cannot be read: ${error instanceof Error ? error.message : error}`;
    throw new InputError(path, why, { cause: error });
  }
  const value = parseText(text, path);
  let scene: Scene;
  try {
    scene = parseScene(value);
  } catch (error) {
    if (error instanceof z.ZodError) throw new InputError(path, `not a scene:\n${z.prettifyError(error)}`, { cause: error });
    throw error;
  }
  const faults = sceneFaults(scene);
  if (faults.length > 0) throw new InputError(path, faults.join("\n"));
  return withAbsolutePaths(scene, dirname(resolve(path)));
}

/** The same scene with `map` and `atoms` resolved from `folder`. */
export function withAbsolutePaths(scene: Scene, folder: string): Scene {
  const species = scene.species.map((kind) => {
    const absolute = { ...kind };
    for (const key of ["map", "atoms"] as const) if (kind[key] !== undefined) absolute[key] = resolve(folder, kind[key]);
    return absolute;
  });
  return { ...scene, species };
}

function parseText(text: string, path: string): unknown {
  if (/\.ya?ml$/i.test(path)) {
    try {
      return parseYaml(text);
    } catch (error) {
      throw new InputError(path, `not valid YAML: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
  const errors: ParseError[] = [];
  const value = parseJson(text, errors, { allowTrailingComma: true });
  if (errors.length > 0) {
    const line = text.slice(0, errors[0].offset).split("\n").length;
    throw new InputError(path, `line ${line} is not valid JSON: ${printParseErrorCode(errors[0].error)}`);
  }
  return value;
}
