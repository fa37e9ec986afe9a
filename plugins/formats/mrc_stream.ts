/**
 * MRC from a stream that can be read only once: a decompressed `.mrc.gz`.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { type MrcHeader, mrcHeaderBytes, parseMrcHeader } from "./mrc_header.ts";
import { decodeVoxels, findNonFinite, nonFiniteMessage, toHostOrder } from "./mrc_voxels.ts";

/** Pieces of about this many bytes are converted at once. */
const PIECE_BYTES = 4 << 20;

/** Takes exact numbers of bytes from a stream of chunks. */
class ByteTaker {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(stream: ReadableStream<Uint8Array>) {
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

  async skip(bytes: number): Promise<void> {
    const waste = new Uint8Array(Math.min(bytes, 65536));
    for (let left = bytes; left > 0;) {
      const got = await this.fill(waste.subarray(0, Math.min(left, waste.length)));
      if (got === 0) return;
      left -= got;
    }
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}

/** Opens a gzip file as a stream of its content. */
async function gunzip(path: string): Promise<ReadableStream<Uint8Array>> {
  try {
    const file = await Deno.open(path, { read: true });
    return file.readable.pipeThrough(new DecompressionStream("gzip"));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new InputError(path, "no such file", { cause: error });
    throw error;
  }
}

/** A damaged gzip file's own words are of no use to a user. */
function gzipFault(path: string, error: unknown): unknown {
  if (error instanceof InputError) return error;
  return error instanceof TypeError || error instanceof Error && /deflate|gzip|corrupt|invalid|unexpected end/i.test(error.message)
    ? new InputError(path, "is no complete gzip file: copy it again", { cause: error })
    : error;
}

/**
 * Reads the header of a gzipped MRC file.
 * @throws {InputError} When the file is missing, damaged, no MRC, or its axes are not x, y, z in order.
 */
export async function readGzippedMrcHeader(path: string): Promise<MrcHeader> {
  const taker = new ByteTaker(await gunzip(path));
  try {
    return await takeHeader(taker, path);
  } catch (error) {
    throw gzipFault(path, error);
  } finally {
    await taker.close();
  }
}

async function takeHeader(taker: ByteTaker, path: string): Promise<MrcHeader> {
  const bytes = new Uint8Array(mrcHeaderBytes);
  const header = parseMrcHeader(bytes.subarray(0, await taker.fill(bytes)), Infinity, path);
  if (header.axes.join() !== "1,2,3") {
    throw new InputError(
      path,
      `header fields mapc, mapr, maps are ${header.axes.join(", ")}: gunzip it first, axes are put in order only in plain files`,
    );
  }
  return header;
}

/**
 * Reads a gzipped MRC file from beginning to end, in pieces of whole sections, `[n, ny, nx]`. Memory holds one piece.
 * @throws {InputError} As {@linkcode readGzippedMrcHeader}; when the voxels end early, or one is not finite.
 */
export async function* readGzippedMrc(path: string): AsyncGenerator<Float32Array> {
  const taker = new ByteTaker(await gunzip(path));
  try {
    const header = await takeHeader(taker, path);
    await taker.skip(header.extendedBytes);
    const { columns, rows, sections, bytesPerVoxel } = header;
    const sectionBytes = columns * rows * bytesPerVoxel;
    const step = Math.max(1, Math.floor(PIECE_BYTES / sectionBytes));
    for (let z = 0; z < sections; z += step) {
      const n = Math.min(step, sections - z);
      const bytes = new Uint8Array(n * sectionBytes);
      const got = await taker.fill(bytes);
      if (got < bytes.length) {
        throw new InputError(
          path,
          `truncated: ${columns} x ${rows} x ${sections} voxels of mode ${header.mode} need ${sections * sectionBytes} bytes, ` +
            `the decompressed file has ${z * sectionBytes + got}`,
        );
      }
      toHostOrder(bytes, header);
      const out = new Float32Array(n * rows * columns);
      decodeVoxels(bytes, 0, out.length, header, out, 0);
      const bad = findNonFinite(out);
      if (bad >= 0) {
        const message = nonFiniteMessage(out[bad], bad % columns, Math.floor(bad / columns) % rows, z + Math.floor(bad / (columns * rows)));
        throw new InputError(path, message);
      }
      yield out;
    }
  } catch (error) {
    throw gzipFault(path, error);
  } finally {
    await taker.close();
  }
}
