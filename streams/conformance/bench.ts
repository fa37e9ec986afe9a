/**
 * What every check of the suite works on: the plugin, its options, fresh instances, and the problems found so far.
 * @module
 */
import type { Engine } from "../../plugins/engines/network.ts";
import type { AnyPlugin, Payloads, State } from "../contract.ts";
import { sampleContext } from "./sample.ts";

/** What a plugin's author may give the suite. */
export interface PluginSample {
  /** Options as a manifest has them; needed when some have no default. Paths are absolute. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Inputs for a stage, instead of made-up ones. */
  readonly inputs?: readonly Payloads[keyof Payloads][];
  /** Makes fresh parts for a learner. */
  readonly parts?: () => Promise<Readonly<Record<string, unknown>>>;
  /** For plugins that need one. */
  readonly engine?: Engine;
  /** For decoders: the state of the learner whose classes they get. */
  readonly learnerState?: State;
  /** Edge of the made-up boxes, 16 unless told. */
  readonly boxVoxels?: number;
  /** Longest that one call may take, 20,000 unless told; after an abort, a quarter of it. */
  readonly timeoutMs?: number;
}

/** A fresh instance, and its end. */
// deno-lint-ignore no-explicit-any
export type Instance = any;

/** One plugin under test. */
export class Bench {
  readonly plugin: AnyPlugin;
  readonly sample: PluginSample;
  readonly options: Readonly<Record<string, unknown>>;
  readonly problems: string[] = [];
  readonly box: number;

  constructor(plugin: AnyPlugin, options: Readonly<Record<string, unknown>>, sample: PluginSample) {
    this.plugin = plugin;
    this.options = options;
    this.sample = sample;
    this.box = sample.boxVoxels ?? 16;
  }

  /** Notes problems; `where` says in which situation. */
  note(where: string, ...problems: readonly string[]): void {
    for (const problem of problems) this.problems.push(`${where}: ${problem}`);
  }

  /** Waits for `work`, but not for ever. */
  async within<T>(what: string, work: Promise<T>, share = 1): Promise<T> {
    const limit = (this.sample.timeoutMs ?? 20_000) * share;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${what} did not end within ${limit} ms`)), limit);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs one check; whatever it throws is a problem of the plugin, and the next check runs all the same. */
  async attempt(where: string, check: () => Promise<void>): Promise<void> {
    try {
      await check();
    } catch (error) {
      this.note(where, `fails with ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`);
    }
  }

  /** Lends a fresh instance to `use` and disposes of it. */
  async withInstance<T>(use: (instance: Instance) => Promise<T>, signal: AbortSignal = new AbortController().signal): Promise<T> {
    const parts = await this.sample.parts?.() ?? {};
    const { context } = sampleContext(`plugin "${this.plugin.name}"`, this.sample.engine, signal);
    const made = Promise.resolve(this.plugin.create(structuredClone(this.options), context, parts));
    const instance = await this.within("create", made) as Instance;
    try {
      return await use(instance);
    } finally {
      await instance?.[Symbol.asyncDispose]?.();
    }
  }
}

/** Everything that a promise or an async iterable gives. */
export async function collect<T>(result: Promise<T> | AsyncIterable<T>): Promise<T[]> {
  if (!(Symbol.asyncIterator in result)) return [await result];
  const items: T[] = [];
  for await (const item of result) items.push(item);
  return items;
}
