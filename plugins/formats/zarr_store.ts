/**
 * Where the pieces of a Zarr hierarchy lie: a local folder, or a web server.
 * @module
 */
import { join } from "node:path";
import { InputError } from "../../streams/errors.ts";

/** What a Zarr reader asks: the bytes of a key, whole or in part; `undefined` where there is nothing. Keys begin with a slash. */
export interface ZarrStore {
  get(key: string): Promise<Uint8Array | undefined>;
  getRange(key: string, range: { offset: number; length: number } | { suffixLength: number }): Promise<Uint8Array | undefined>;
}

/** Longest piece that is read: no chunk of a tomogram is near it. */
const MOST_BYTES = 2 ** 30;

class FolderStore implements ZarrStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async #open(key: string): Promise<{ file: Deno.FsFile; size: number } | undefined> {
    const path = join(this.#folder, ...key.split("/").filter((part) => part !== "" && part !== ".."));
    try {
      const { isFile, size } = await Deno.stat(path);
      if (!isFile) return undefined;
      if (size > MOST_BYTES) throw new InputError(path, `a chunk of ${size} bytes is larger than any that is read (${MOST_BYTES})`);
      return { file: await Deno.open(path, { read: true }), size };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
      throw error;
    }
  }

  async #read(key: string, part: (size: number) => [offset: number, length: number]): Promise<Uint8Array | undefined> {
    const opened = await this.#open(key);
    if (!opened) return undefined;
    using file = opened.file;
    const [offset, length] = part(opened.size);
    const bytes = new Uint8Array(Math.max(0, Math.min(length, opened.size - offset)));
    await file.seek(offset, Deno.SeekMode.Start);
    for (let done = 0; done < bytes.length;) {
      const got = await file.read(bytes.subarray(done));
      if (got === null) return bytes.subarray(0, done);
      done += got;
    }
    return bytes;
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#read(key, (size) => [0, size]);
  }

  getRange(key: string, range: { offset: number; length: number } | { suffixLength: number }): Promise<Uint8Array | undefined> {
    return this.#read(
      key,
      (size) => "offset" in range ? [range.offset, range.length] : [Math.max(0, size - range.suffixLength), range.suffixLength],
    );
  }
}

class WebStore implements ZarrStore {
  readonly #address: string;

  constructor(address: string) {
    this.#address = address.replace(/\/+$/, "");
  }

  async #fetch(key: string, headers: Record<string, string>): Promise<Uint8Array | undefined> {
    const address = this.#address + key;
    let response: Response;
    try {
      response = await fetch(address, { headers });
    } catch (error) {
      throw new InputError(this.#address, `cannot be reached (${(error as Error).message}): check the address and the network`, {
        cause: error,
      });
    }
    // Object stores answer 403 for a key that is not there where listing is forbidden.
    if (response.status === 404 || response.status === 403) {
      await response.body?.cancel();
      return undefined;
    }
    if (!response.ok) {
      await response.body?.cancel();
      throw new InputError(address, `the server answered ${response.status} ${response.statusText}`);
    }
    if (Number(response.headers.get("content-length") ?? 0) > MOST_BYTES) {
      await response.body?.cancel();
      throw new InputError(address, `a chunk larger than any that is read (${MOST_BYTES} bytes)`);
    }
    return new Uint8Array(await response.arrayBuffer());
  }

  get(key: string): Promise<Uint8Array | undefined> {
    return this.#fetch(key, {});
  }

  async getRange(key: string, range: { offset: number; length: number } | { suffixLength: number }): Promise<Uint8Array | undefined> {
    const wanted = "offset" in range ? `${range.offset}-${range.offset + range.length - 1}` : `-${range.suffixLength}`;
    const bytes = await this.#fetch(key, { range: `bytes=${wanted}` });
    if (bytes === undefined) return undefined;
    // A server that knows no ranges sends the whole.
    const length = "offset" in range ? range.length : range.suffixLength;
    if (bytes.length <= length) return bytes;
    return "offset" in range ? bytes.subarray(range.offset, range.offset + length) : bytes.subarray(bytes.length - length);
  }
}

/**
 * Opens a folder or an http(s) address.
 * @throws {InputError} When the address may not be reached with the permissions of this process; the message has the flag to add.
 */
export async function openZarrStore(path: string): Promise<ZarrStore> {
  if (!/^https?:\/\//i.test(path)) return new FolderStore(path);
  const { host } = new URL(path);
  if ((await Deno.permissions.query({ name: "net", host })).state !== "granted") {
    throw new InputError(
      path,
      `tomosieve was not given the network: run it with --allow-net=${host} (beside -P, or beside the other flags)`,
    );
  }
  return new WebStore(path);
}
