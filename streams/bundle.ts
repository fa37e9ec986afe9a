/**
 * Learned state on disk: a folder with `bundle.json` (what it is) and `arrays.safetensors` (its numbers).
 *
 * A folder is written under a temporary name, synced, renamed, and recorded only then; loading checks the arrays' SHA-256.
 * @module
 */
import { createHash } from "node:crypto";
import { writeError } from "../plugins/formats/atomic.ts";
import { decodeSafetensors, encodeSafetensors } from "../plugins/formats/safetensors.ts";
import type { State } from "./contract.ts";
import { InputError } from "./errors.ts";

/** The version of the folder's layout. */
const BUNDLE_VERSION = 1;

/** What stands in `bundle.json` beside the state: anything that is JSON. */
export type BundleFacts = Readonly<Record<string, unknown>>;

function writeSynced(path: string, bytes: Uint8Array): void {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
  file.syncSync();
}

/** The order in which a plugin names things is not part of its state: a resumed run writes the same bytes. */
function sorted<T>(record: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => a < b ? -1 : 1));
}

/**
 * Saves `state` and `facts` as the folder `path`, replacing what stands there only when the new one is complete. `files` (name to bytes) are for
 * other programs.
 * @throws {RunError} When the disk is full or the folder cannot be written.
 */
export function saveBundle(path: string, facts: BundleFacts, state: State, files: Readonly<Record<string, Uint8Array>> = {}): void {
  const temporary = `${path}.tmp-${Deno.pid}`, old = `${path}.old-${Deno.pid}`;
  try {
    removeIfThere(temporary);
    Deno.mkdirSync(temporary, { recursive: true });
    const arrays = encodeSafetensors(sorted(state.arrays));
    const sha256 = createHash("sha256").update(arrays).digest("hex");
    writeSynced(`${temporary}/arrays.safetensors`, arrays);
    for (const [name, bytes] of Object.entries(files)) writeSynced(`${temporary}/${name}`, bytes);
    const text = JSON.stringify(
      { bundleVersion: BUNDLE_VERSION, ...facts, state: { version: state.version, values: sorted(state.values) }, arraysSha256: sha256 },
      null,
      2,
    );
    writeSynced(`${temporary}/bundle.json`, new TextEncoder().encode(text + "\n"));
    if (exists(path)) Deno.renameSync(path, old);
    Deno.renameSync(temporary, path);
  } catch (error) {
    removeIfThere(temporary);
    if (exists(old) && !exists(path)) Deno.renameSync(old, path);
    throw writeError(path, error);
  }
  removeIfThere(old);
}

/**
 * Loads a folder that {@linkcode saveBundle} wrote.
 * @throws {InputError} When a file is missing, of another version, or its arrays are not those that were saved.
 */
export function loadBundle(path: string): { facts: Record<string, unknown>; state: State } {
  const read = (name: string) => {
    try {
      return Deno.readFileSync(`${path}/${name}`);
    } catch (cause) {
      throw new InputError(`${path}/${name}`, "cannot be read: expected a model folder that tomosieve wrote (RUN/model)", { cause });
    }
  };
  const text = new TextDecoder().decode(read("bundle.json"));
  let json: Record<string, unknown>;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new InputError(`${path}/bundle.json`, "is not JSON: the folder is damaged; use another checkpoint or train again", { cause });
  }
  const { bundleVersion, arraysSha256, state, ...facts } = json as {
    bundleVersion?: number;
    arraysSha256?: string;
    state?: { version: number; values: State["values"] };
  };
  if (bundleVersion !== BUNDLE_VERSION) {
    throw new InputError(
      `${path}/bundle.json`,
      `bundleVersion is ${bundleVersion}, this tomosieve reads ${BUNDLE_VERSION}: use the version that wrote it`,
    );
  }
  if (typeof arraysSha256 !== "string" || !state) {
    throw new InputError(`${path}/bundle.json`, "says nothing of its arrays or its state: the folder is damaged; use another copy");
  }
  const arrays = read("arrays.safetensors");
  const found = createHash("sha256").update(arrays).digest("hex");
  if (found !== arraysSha256) {
    throw new InputError(
      `${path}/arrays.safetensors`,
      `SHA-256 is ${found}, bundle.json says ${arraysSha256}: the folder is damaged; use another copy`,
    );
  }
  return {
    facts,
    state: { version: state.version, values: state.values, arrays: decodeSafetensors(arrays, `${path}/arrays.safetensors`) },
  };
}

/** Whether something stands at `path`. */
export function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Removes a file or folder with all it holds; nothing there is fine. */
export function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
