/**
 * Files that appear whole or not at all: written under a temporary name beside the final one, synced, then renamed.
 * @module
 */
import { dirname } from "node:path";
import { RunError } from "../../streams/errors.ts";

/** A file being written under a temporary name. Disposing of it without `commit` removes what was written. */
export interface AtomicFile extends AsyncDisposable {
  /** The name that the file gets on `commit`. */
  readonly path: string;
  /** Appends `bytes`. @throws {RunError} When the disk is full or the folder cannot be written. */
  write(bytes: Uint8Array): Promise<void>;
  /** Overwrites the bytes at `offset` from the beginning, then returns to the end. */
  writeAt(offset: number, bytes: Uint8Array): Promise<void>;
  /** Syncs to disk (unless `sync` is false) and renames over any file of the final name. */
  commit(options?: { sync?: boolean }): Promise<void>;
  /** Removes the temporary file; the final name stays as it was. */
  abort(): Promise<void>;
}

/** Turns an operating system's refusal to write `path` into a message for a user; other errors pass. */
export function writeError(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Deno.errors.NotCapable) return error;
  const reason = (text: string) => new RunError(`${path}: cannot be written: ${text}`, { cause: error });
  if (/os error (28|122)\b/.test(error.message)) return reason("the disk (or quota) is full: free some space and use --resume");
  if (error instanceof Deno.errors.PermissionDenied) return reason("permission denied: choose a folder that you may write to");
  if (/os error 30\b/.test(error.message)) return reason("the file system is read-only: choose another folder");
  if (error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.AlreadyExists) {
    return reason("a file stands where a folder is needed");
  }
  if (error instanceof Deno.errors.IsADirectory || /os error (21|39)\b/.test(error.message)) return reason("a folder of that name exists");
  return error;
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await file.write(bytes.subarray(done));
}

/** Name of a temporary file beside `path`: no two calls give the same. */
export function temporaryName(path: string): string {
  return `${path}.tmp-${crypto.randomUUID().slice(0, 8)}`;
}

/**
 * Opens a file that takes the name `path` only on `commit`. Missing parent folders are made.
 * @throws {RunError} When the folder cannot be written.
 */
export async function openAtomicFile(path: string): Promise<AtomicFile> {
  const temporary = temporaryName(path);
  const guard = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw writeError(path, error);
    }
  };
  const file = await guard(async () => {
    await Deno.mkdir(dirname(path), { recursive: true });
    return await Deno.open(temporary, { write: true, read: true, createNew: true });
  });
  let open = true;
  const abort = async () => {
    if (!open) return;
    open = false;
    file.close();
    await Deno.remove(temporary).catch(() => {});
  };
  return {
    path,
    write: (bytes) => guard(() => writeAll(file, bytes)),
    writeAt: (offset, bytes) =>
      guard(async () => {
        await file.seek(offset, Deno.SeekMode.Start);
        await writeAll(file, bytes);
        await file.seek(0, Deno.SeekMode.End);
      }),
    commit: ({ sync = true } = {}) =>
      guard(async () => {
        try {
          if (sync) await file.sync();
        } catch (error) {
          await abort();
          throw error;
        }
        open = false;
        file.close();
        try {
          await Deno.rename(temporary, path);
        } catch (error) {
          await Deno.remove(temporary).catch(() => {});
          throw error;
        }
      }),
    abort,
    [Symbol.asyncDispose]: abort,
  };
}

/**
 * Writes a whole file: bytes, or text as UTF-8. A reader sees the old file or the new one, never a part. Missing parent folders are made.
 *
 * @param options `sync: false` leaves the sync to the operating system: for many small files that are rebuilt when lost.
 * @throws {RunError} When the disk is full or the folder cannot be written.
 */
export async function writeFileAtomic(path: string, content: Uint8Array | string, options?: { sync?: boolean }): Promise<void> {
  await using file = await openAtomicFile(path);
  await file.write(typeof content === "string" ? new TextEncoder().encode(content) : content);
  await file.commit(options);
}
