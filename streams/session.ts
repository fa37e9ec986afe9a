/**
 * What one run lends to its plugins: engine, pool, scratch, random numbers, events; and their end, in the reverse order of their making.
 * @module
 */
import { createRandom } from "../plugins/kernels/random.ts";
import type { Engine, PluginContext } from "./contract.ts";
import { RunError, StageError } from "./errors.ts";
import { EventLog } from "./events.ts";
import { HeldThread } from "./held_thread.ts";
import type { Ledger } from "./ledger.ts";
import { type SilenceLimit, untilAborted, watchdog } from "./lift.ts";
import type { LoadedEntry, LoadedManifest } from "./loaded_manifest.ts";
import { WorkerPool } from "./pool.ts";
import type { Progress } from "./progress.ts";
import { DiskScratch } from "./scratch.ts";

/** How long a plugin may take to put its things away when the user has stopped the run. */
const GRACE_MS = 3000;

/** Waits until a promise is settled, but no longer than `longestMs`. */
async function settled(promise: Promise<unknown>, longestMs: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, longestMs));
  await Promise.race([promise.then(() => {}, () => {}), late]);
  clearTimeout(timer);
}

/** Whether one label is that of the other's part: `learn.parts.embed "yopo"` of `learn "disca"`. */
function isPartOf(label: string, whole: string): boolean {
  return label === whole || whole.startsWith("learn ") && label.startsWith("learn.parts.");
}

/** A running job's shared means. */
export class Session implements AsyncDisposable {
  readonly manifest: LoadedManifest;
  readonly ledger: Ledger;
  readonly events: EventLog;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly pool: WorkerPool;
  readonly scratch: DiskScratch;
  readonly heldThread: HeldThread;
  /** `performance.now()` of the last progress that each stage reported. */
  readonly lastSigns = new Map<string, number>();
  /** Ordinal of the tomogram that each stage works on. */
  readonly ordinals = new Map<string, number>();
  readonly timings: Record<string, number>;
  #engine: Engine | null = null;
  readonly #disposables = new AsyncDisposableStack();

  constructor(manifest: LoadedManifest, ledger: Ledger, progress: Progress, signal: AbortSignal) {
    const { dir, threads } = manifest.run;
    this.manifest = manifest;
    this.ledger = ledger;
    this.progress = progress;
    this.signal = signal;
    this.events = this.#disposables.use(new EventLog(`${dir}/events.ndjson`, ledger, progress));
    this.pool = this.#disposables.use(new WorkerPool(threads));
    this.scratch = this.#disposables.use(new DiskScratch(`${dir}/scratch`));
    this.heldThread = this.#disposables.use(new HeldThread());
    this.timings = ledger.fact<Record<string, number>>("timings") ?? {};
  }

  /**
   * Creates a plugin under its own name; it is disposed of when the session ends.
   *
   * @param silent What it notes, warns of and drops is not recorded.
   */
  // deno-lint-ignore no-explicit-any
  async create(entry: LoadedEntry, parts: Readonly<Record<string, unknown>> = {}, silent = false): Promise<any> {
    const { label: stage, plugin } = entry;
    const engine = plugin.needs?.engine ? await this.engine() : undefined;
    const { events, pool, scratch, progress, signal, manifest, lastSigns, ordinals } = this;
    const context: PluginContext = {
      stage,
      signal,
      random: (...key) => createRandom(manifest.seed, stage, ...key),
      engine,
      pool,
      scratch,
      progress: (done, total = 0) => {
        lastSigns.set(stage, performance.now());
        progress.update(stage, done, total);
      },
      drop: (count, reason) => events.drop(stage, count, reason, ordinals.get(stage)),
      warn: (code, message) => events.warn(stage, code, message),
      note: (code, message) => {
        events.note(stage, code, message);
        // Which engine it is decides how long all of it takes: told at once, and not in the report alone.
        if (plugin.kind === "engine") progress.log(message);
      },
    };
    const unheard = { drop: () => {}, warn: () => {}, note: () => {} };
    return await this.within(stage, async () => {
      const instance = await plugin.create(entry.options, silent ? { ...context, ...unheard } : context, parts);
      if (instance?.[Symbol.asyncDispose]) this.#disposables.use(instance as AsyncDisposable);
      return instance;
    });
  }

  /** How long the plugin `stage`, or those it works with, may show no sign of life. */
  silenceLimit(stage: string): SilenceLimit {
    const lastSign = () => Math.max(...[...this.lastSigns].filter(([other]) => isPartOf(other, stage)).map(([, time]) => time), 0);
    return { timeoutMs: 1000 * this.manifest.run.timeoutSeconds, lastSign, key: "run.timeoutSeconds", lax: true };
  }

  /**
   * Runs the work of the plugin `stage`: its name stands before its errors, and the work is left when the run is stopped or when the plugin
   * shows no sign of life for too long. An abort by the user stays an abort.
   */
  async within<T>(stage: string, work: () => Promise<T>): Promise<T> {
    const watch = watchdog(this.silenceLimit(stage));
    const rest = this.heldThread.enter(stage, this.manifest.run.timeoutSeconds);
    let working: Promise<T> | undefined;
    try {
      working = work();
      return await untilAborted(working, AbortSignal.any([this.signal, watch.signal]));
    } catch (error) {
      if (this.signal.aborted && !(this.signal.reason instanceof RunError)) {
        if (working) await settled(working, GRACE_MS);
        throw this.signal.reason;
      }
      throw error instanceof StageError ? error : new StageError(stage, error);
    } finally {
      rest();
      watch.stop();
    }
  }

  /** The run's engine, made when it is first needed. */
  async engine(): Promise<Engine> {
    if (this.#engine) return this.#engine;
    const { engine, run } = this.manifest;
    // The engine computes while the pool prepares the next batch; both may use all threads, since they rarely want them at once.
    const options = "threads" in engine.plugin.options.shape ? { threads: run.threads, ...engine.options } : engine.options;
    this.#engine = await this.create({ ...engine, options }) as Engine;
    this.ledger.setFact("engine", {
      name: this.#engine.name,
      device: this.#engine.device,
      precision: this.#engine.precision,
      reason: engine.name === "auto" ? "chosen by auto: see the notes" : "named in the manifest",
    });
    return this.#engine;
  }

  /** Adds the seconds of `work` to the phase's time, over interruptions too. */
  async timed<T>(phase: string, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    const record = () => {
      this.timings[phase] = (this.timings[phase] ?? 0) + (performance.now() - start) / 1000;
      this.ledger.setFact("timings", this.timings);
    };
    let result: T;
    try {
      result = await work();
    } catch (error) {
      try {
        record();
      } catch { /* the work's own failure is what a user has to hear of */ }
      throw error;
    }
    record();
    return result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#disposables.disposeAsync();
  }
}
