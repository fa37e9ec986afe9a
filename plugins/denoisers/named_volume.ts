/**
 * Volumes of a tomogram by the names in options: finding one, adding one, saying what one was made of.
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

/** What derived volumes depend on beyond the tomogram's metadata. */
const sources = new WeakMap<Volume, string>();

/**
 * The tomogram with one volume more.
 *
 * @param origin How the volume was made, for the report.
 * @param source All that it depends on, for keys of what is made from it.
 * @throws {RunError} When the name is taken.
 */
export function withVolume(tomogram: Tomogram, name: string, volume: Volume, origin: string, source: string, stage: string): Tomogram {
  if (Object.hasOwn(tomogram.volumes, name)) {
    throw new RunError(`${stage}: tomogram "${tomogram.id}" already has a volume "${name}": set another "name"`);
  }
  sources.set(volume, source);
  return {
    ...tomogram,
    volumes: { ...tomogram.volumes, [name]: volume },
    metadata: { ...tomogram.metadata, [`volume ${name}`]: origin },
  };
}

/** Says all that a volume depends on: the file and every stage before. For `scratch.volume`. */
export function volumeKey(tomogram: Tomogram, name: string): string {
  const source = sources.get(tomogram.volumes[name]) ?? name;
  return JSON.stringify([tomogram.id, source, Object.entries(tomogram.metadata).sort(([a], [b]) => a < b ? -1 : 1)]);
}

/** The file a tomogram came from, or its id: the first words of a message about its content. */
export function tomogramLabel(tomogram: Tomogram): string {
  return typeof tomogram.metadata.path === "string" ? tomogram.metadata.path : tomogram.id;
}
