/**
 * What compressed chunks of a Zarr array say that they hold, so that damage does not make a reader take gigabytes.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import type { ZarrStore } from "./zarr_store.ts";

type Json = Record<string, unknown>;
const isRecord = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);

/** Codecs that a chunk may be compressed by, the one that is undone first in front; those inside shards too. */
export function codecNames(metadata: Json): string[] {
  const names: string[] = [];
  const walk = (codecs: unknown): void => {
    for (const codec of Array.isArray(codecs) ? codecs : []) {
      if (!isRecord(codec)) continue;
      const name = codec.name ?? codec.id;
      if (typeof name === "string") names.unshift(name.replace(/^numcodecs\./, ""));
      if (isRecord(codec.configuration)) walk(codec.configuration.codecs);
    }
  };
  walk(metadata.codecs);
  walk([metadata.compressor, ...(Array.isArray(metadata.filters) ? metadata.filters : [])]);
  return names.filter((name) => name !== "crc32c");
}

/** Size of the content of a Zstandard frame, or -1 when it does not say. */
function zstdBytes(view: DataView): number {
  if (view.byteLength < 6 || view.getUint32(0, true) !== 0xfd2fb528) return -1;
  const descriptor = view.getUint8(4), flag = descriptor >> 6, single = (descriptor >> 5) & 1, dictionary = [0, 1, 2, 4][descriptor & 3];
  const at = 5 + (single ? 0 : 1) + dictionary, width = [single, 2, 4, 8][flag];
  if (width === 0 || at + width > view.byteLength) return -1;
  if (width === 1) return view.getUint8(at);
  if (width === 2) return view.getUint16(at, true) + 256;
  return width === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}

/** Size that a chunk states for its content, or -1 when its codec does not state one. */
export function statedBytes(codec: string, chunk: Uint8Array): number {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (codec === "blosc" && view.byteLength >= 16) return view.getUint32(4, true);
  if (codec === "lz4" && view.byteLength >= 4) return view.getUint32(0, true);
  return codec === "zstd" ? zstdBytes(view) : -1;
}

/**
 * A store that refuses chunks which say that they hold more than a chunk can.
 * @param mostBytes Of one decompressed chunk; asked when a chunk arrives.
 */
export function guardedStore(store: ZarrStore, codec: string | undefined, mostBytes: () => number, label: string): ZarrStore {
  if (codec === undefined) return store;
  const check = (key: string, bytes: Uint8Array | undefined): Uint8Array | undefined => {
    if (bytes === undefined || /(zarr\.json|\.z(array|attrs|group))$/.test(key)) return bytes;
    const stated = statedBytes(codec, bytes);
    if (stated > mostBytes()) {
      throw new InputError(label, `chunk ${key} says that it holds ${stated} bytes, expected at most ${mostBytes()}: copy it again`);
    }
    return bytes;
  };
  return {
    get: async (key) => check(key, await store.get(key)),
    getRange: async (key, range) => "offset" in range ? check(key, await store.getRange(key, range)) : await store.getRange(key, range),
  };
}
