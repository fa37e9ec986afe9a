/**
 * The `learn` section of a user's manifest, to be compared with the built-in methods.
 * @module
 */
import { InputError } from "../errors.ts";
import { locate } from "../locate.ts";

/** @throws {InputError} When the file cannot be read or has no `learn`. */
export async function readLearn(path: string): Promise<Readonly<Record<string, unknown>>> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    throw new InputError(path, `cannot be read: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  const { value, faults } = locate(text, path);
  if (faults.length > 0) throw new InputError(path, `line ${faults[0].place.line}: ${faults[0].message}`);
  const learn = (value as { learn?: unknown } | undefined)?.learn;
  if (typeof learn !== "object" || learn === null) {
    throw new InputError(path, `has no "learn": expected a manifest with the learner to compare`);
  }
  return learn as Record<string, unknown>;
}
