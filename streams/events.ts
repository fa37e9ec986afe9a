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
    for (const event of ledger.events()) {
      if (event.type === "drop") this.#drops.set(JSON.stringify([event.stage, event.message]), { ...event, count: event.count ?? 0 });
    }
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
  /** Counts what was left out; one line in the report for each reason. */
  drop(stage: string, count: number, reason: string): void {
    if (count <= 0) return;
    const key = JSON.stringify([stage, reason]);
    const before = this.#drops.get(key)?.count ?? 0;
    const event = { type: "drop" as const, stage, code: "drop", message: reason, count: before + count };
    this.#drops.set(key, event);
    this.#record(event);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  #record(event: RunEvent): void {
    this.#file.writeSync(new TextEncoder().encode(JSON.stringify({ time: new Date().toISOString(), ...event }) + "\n"));
    this.#ledger.addEvent(event);
  }
}
