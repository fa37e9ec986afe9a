/**
 * What happens in a run: into `events.ndjson` with the time, into the ledger without it, and to the user.
 * @module
 */
import { writeError } from "../plugins/formats/atomic.ts";
import type { RunEvent } from "./contract.ts";
import type { Ledger } from "./ledger.ts";
import type { Progress } from "./progress.ts";

/** Collects notes, warnings and drops. */
export class EventLog implements Disposable {
  readonly #ledger: Ledger;
  readonly #progress: Progress;
  readonly #path: string;
  readonly #file: Deno.FsFile;
  readonly #drops = new Map<string, RunEvent & { count: number }>();

  constructor(path: string, ledger: Ledger, progress: Progress) {
    this.#path = path;
    this.#file = openLines(path);
    this.#ledger = ledger;
    this.#progress = progress;
  }

  /** An assumption or a derived default: listed in the report. */
  note(stage: string, code: string, message: string): void {
    this.#record({ type: "note", stage, code, message });
  }
  /** Something a user should look at: printed at once and listed in the report. */
  warn(stage: string, code: string, message: string): void {
    this.#progress.log(`warning: ${stage}: ${message} [${code}]`);
    this.#record({ type: "warning", stage, code, message });
  }
  /** Counts what was left out of a tomogram (-1: of none in particular); one line in the report for each reason. */
  drop(stage: string, count: number, reason: string, tomogram = -1): void {
    if (count <= 0) return;
    const key = JSON.stringify([stage, reason, tomogram]);
    const before = this.#drops.get(key)?.count ?? 0;
    const event = { type: "drop" as const, stage, code: "drop", message: reason, count: before + count };
    this.#drops.set(key, event);
    this.#record(event, tomogram);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  #record(event: RunEvent, tomogram = -1): void {
    const time = new Date().toISOString();
    const line = new TextEncoder().encode(JSON.stringify({ time, ...(tomogram < 0 ? {} : { tomogram }), ...event }) + "\n");
    try {
      for (let at = 0; at < line.length;) at += this.#file.writeSync(line.subarray(at));
    } catch (error) {
      cutToLines(this.#file);
      throw writeError(this.#path, error);
    }
    this.#ledger.addEvent(event, tomogram);
  }
}

/** Opens a file of lines to add to it. */
function openLines(path: string): Deno.FsFile {
  const file = Deno.openSync(path, { read: true, write: true, create: true });
  cutToLines(file);
  return file;
}

/** Removes a line without an end, which a kill or a full disk has left, and goes to the end. */
function cutToLines(file: Deno.FsFile): void {
  let length = file.statSync().size;
  const byte = new Uint8Array(1);
  while (length > 0) {
    file.seekSync(length - 1, Deno.SeekMode.Start);
    file.readSync(byte);
    if (byte[0] === 10) break;
    length--;
  }
  file.truncateSync(length);
  file.seekSync(length, Deno.SeekMode.Start);
}
