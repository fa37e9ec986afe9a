/**
 * Finds a tomogram's volume by the name in an option.
 * @module
 */
import type { Tomogram, Volume } from "../../streams/contract.ts";
import { RunError } from "../../streams/errors.ts";

/**
 * The volume `name` of a tomogram.
 *
 * @param stage The stage that asks, for the message.
 * @throws {RunError} When there is none; the message lists those that there are.
 */
export function namedVolume(tomogram: Tomogram, name: string, stage: string): Volume {
  const volume = Object.hasOwn(tomogram.volumes, name) ? tomogram.volumes[name] : undefined;
  if (!volume) {
    throw new RunError(
      `${stage}: tomogram "${tomogram.id}" has no volume "${name}", only ${
        Object.keys(tomogram.volumes).map((v) => `"${v}"`).join(", ")
      }: ` +
        `add it by an earlier stage (paired-volume, gaussian, ...) or set "volume"`,
    );
  }
  return volume;
}

/** The file a tomogram came from, or its id: the first words of a message about its content. */
export function tomogramLabel(tomogram: Tomogram): string {
  return typeof tomogram.metadata.path === "string" ? tomogram.metadata.path : tomogram.id;
}
