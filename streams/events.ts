/**
 * What happens in a run: into `events.ndjson` with the time, into the ledger without it, and to the user.
 * @module
 */
import type { RunEvent } from "./contract.ts";
import type { Ledger } from "./ledger.ts";
import type { Progress } from "./progress.ts";

/** Collects notes, warnings and drops. */
export class EventLog implements Disposable {
  readonly #ledger: Ledger;
  readonly #progress: Progress;
  readonly #file: Deno.FsFile;
  readonly #drops = new Map<string, RunEvent & { count: number }>();

  constructor(path: string, ledger: Ledger, progress: Progress) {
    this.#file = Deno.openSync(path, { append: true, create: true });
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
    this.#file.writeSync(
      new TextEncoder().encode(JSON.stringify({ time: new Date().toISOString(), ...(tomogram < 0 ? {} : { tomogram }), ...event }) + "\n"),
    );
    this.#ledger.addEvent(event, tomogram);
  }
}
