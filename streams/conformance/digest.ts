/**
 * A short text that is the same for values that are the same, however large: how the suite sees that nothing was changed.
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import type { Volume } from "../contract.ts";

function isVolume(value: object): value is Volume {
  return "readBox" in value && "readSlab" in value;
}

async function feed(hash: Hash, value: unknown): Promise<void> {
  if (ArrayBuffer.isView(value)) {
    hash.update(`<${value.constructor.name} ${value.byteLength}>`).update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  } else if (Array.isArray(value)) {
    hash.update("[");
    for (const item of value) await feed(hash, item);
    hash.update("]");
  } else if (typeof value === "object" && value !== null) {
    if (isVolume(value)) {
      hash.update(`<volume ${value.shapeZyx.join(" ")} ${value.voxelSizeAngstrom}>`);
      return await feed(hash, await value.readSlab(0, value.shapeZyx[0]));
    }
    hash.update("{");
    for (const key of Object.keys(value).sort()) {
      hash.update(`${key}:`);
      await feed(hash, (value as Record<string, unknown>)[key]);
    }
    hash.update("}");
  } else {
    hash.update(`<${typeof value} ${typeof value === "function" ? "" : Object.is(value, -0) ? "-0" : String(value)}>`);
  }
}

/** Digests a value: typed arrays by their bytes, volumes by their voxels, records by their keys in order, functions not at all. */
export async function digest(value: unknown): Promise<string> {
  const hash = createHash("sha256");
  await feed(hash, value);
  return hash.digest("hex");
}
