/**
 * Compressed files (gzip, bzip2) as a stream of their content.
 * @module
 */
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { InputError } from "../../streams/errors.ts";
import { Bzip2Error, decompressBzip2 } from "./bzip2.ts";
import { openForReading } from "./raster_reader.ts";

/** How a file is compressed. */
export type Compression = "none" | "gzip" | "bzip2";

/** Told by the first bytes of a file; its name says nothing. */
export function compressionOf(bytes: Uint8Array): Compression {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return "gzip";
  return bytes[0] === 0x42 && bytes[1] === 0x5a && bytes[2] === 0x68 && bytes[3] >= 0x31 && bytes[3] <= 0x39 ? "bzip2" : "none";
}

/** A damaged file's own words are of no use to a user. */
function fault(path: string, error: unknown): unknown {
  if (error instanceof Bzip2Error) return new InputError(path, `${error.message}: copy it again`, { cause: error });
  const code = (error as { code?: string }).code ?? "";
  return code.startsWith("Z_") || error instanceof Error && /deflate|gzip|corrupt|invalid|unexpected end|incorrect/i.test(error.message)
    ? new InputError(path, "is no complete gzip file: copy it again", { cause: error })
    : error;
}

/**
 * The content of a compressed file, in chunks. gzip files of several members, as bgzip writes them, are read to their end.
 * @throws {InputError} When the file is missing, damaged or cut short.
 */
export async function* decompressFile(path: string, compression: "gzip" | "bzip2"): AsyncGenerator<Uint8Array> {
  const { file } = await openForReading(path);
  try {
    if (compression === "bzip2") yield* decompressBzip2(file.readable);
    else {
      const gunzip = createGunzip(), source = Readable.from(file.readable);
      source.on("error", (error) => gunzip.destroy(error));
      try {
        for await (const chunk of source.pipe(gunzip)) yield chunk as Uint8Array;
      } finally {
        gunzip.destroy();
        source.destroy();
      }
    }
  } catch (error) {
    throw fault(path, error);
  } finally {
    try {
      file.close();
    } catch {
      // Reading to the end closes it.
    }
  }
}

/** Takes exact numbers of bytes from a stream of chunks. */
export class ByteTaker {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** Fills `out` and returns its length, or less at the stream's end. */
  async fill(out: Uint8Array): Promise<number> {
    let done = 0;
    while (done < out.length) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done) break;
        this.#rest = next.value;
      }
      const take = Math.min(this.#rest.length, out.length - done);
      out.set(this.#rest.subarray(0, take), done);
      this.#rest = this.#rest.subarray(take);
      done += take;
    }
    return done;
  }

  /** Up to `count` bytes. */
  async take(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    return bytes.subarray(0, await this.fill(bytes));
  }

  /** Passes over bytes. */
  async skip(bytes: number): Promise<void> {
    const waste = new Uint8Array(Math.min(bytes, 65536));
    for (let left = bytes; left > 0;) {
      const got = await this.fill(waste.subarray(0, Math.min(left, waste.length)));
      if (got === 0) return;
      left -= got;
    }
  }

  /** Ends the stream. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
