/**
 * From plugins to streams: a source becomes a cold Observable that is pulled, an operator an OperatorFunction with back-pressure, the
 * stage's name on its errors, progress and cancellation. Plugins never see an Observable.
 * @module
 */
import { concatMap, lastValueFrom, Observable, type OperatorFunction } from "rxjs";
import type { Edge, Lease } from "./edge.ts";
import { isExpected, StageError } from "./errors.ts";

/** Timers count no further than 2^31 ms: a longer limit is looked at again then. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

/** What travels: a payload, or the word that everything from one tomogram has passed. */
export type Message<T> = { readonly kind: "item"; readonly ordinal: number; readonly value: T } | {
  readonly kind: "end";
  readonly ordinal: number;
};

/** Pulls an async iterable: the next value is asked for only when the edge has a credit. */
export function pull<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  edge: Edge,
  stage: string,
  limit: SilenceLimit = { timeoutMs: Infinity },
): Observable<Lease<T>> {
  return new Observable((subscriber) => {
    const abort = new AbortController();
    const run = async () => {
      const watch = watchdog(limit);
      const stop = AbortSignal.any([abort.signal, watch.signal]);
      const iterator = open(abort.signal)[Symbol.asyncIterator]();
      try {
        while (true) {
          // Waiting for a credit is the next stage's time, not the source's.
          await watch.paused(() => edge.take(abort.signal));
          let result: IteratorResult<T>;
          try {
            result = await untilAborted(iterator.next(), stop);
          } catch (error) {
            edge.give();
            throw error;
          }
          if (result.done || subscriber.closed) {
            edge.give();
            break;
          }
          subscriber.next(edge.lend(result.value));
        }
        subscriber.complete();
      } catch (error) {
        if (!abort.signal.aborted) subscriber.error(stamp(stage, error));
      } finally {
        watch.stop();
        // A generator that waits is finalised only by return(); its own failure to stop must not hide what came before.
        iterator.return?.()?.then(undefined, () => {});
      }
    };
    run();
    return () => abort.abort(new DOMException("the stream was closed", "AbortError"));
  });
}

/** How one stage behaves in the stream. */
export interface LiftOptions<In, Out> {
  readonly stage: string;
  readonly apply: (input: In, signal: AbortSignal) => Promise<Out> | AsyncIterable<Out>;
  /** Where the outputs go. */
  readonly edge: Edge;
  /** `drop`: an input that fails is left out and said so; the stream goes on. */
  readonly onError: "fail" | "drop";
  readonly onDrop?: (input: In, error: Error) => void;
  readonly onInput?: (ordinal: number) => void;
  readonly onOutput?: (output: Out, ordinal: number) => void;
  /** A stage that gives no sign of life for this long has failed. */
  readonly timeoutMs: number;
  /** The time of the stage's last sign of life, `performance.now()`: progress counts as one. */
  readonly lastSign?: () => number;
  /** Says that the stage has begun to work on an input; what it gives is called when it has done. */
  readonly atWork?: () => () => void;
}

/**
 * Lifts an operator: one input is worked on at a time, in order; each output waits for a credit of `edge`; the input's lease is released
 * when its last output has gone. End messages pass through.
 */
export function lift<In, Out>(options: LiftOptions<In, Out>): OperatorFunction<Lease<Message<In>>, Lease<Message<Out>>> {
  return concatMap((lease) =>
    new Observable<Lease<Message<Out>>>((subscriber) => {
      const abort = new AbortController();
      work(options, lease, (out) => subscriber.next(out), abort.signal).then(
        () => subscriber.complete(),
        (error) => abort.signal.aborted ? undefined : subscriber.error(stamp(options.stage, error)),
      ).finally(() => lease.release());
      return () => abort.abort(new DOMException("the stream was closed", "AbortError"));
    })
  );
}

async function work<In, Out>(
  options: LiftOptions<In, Out>,
  lease: Lease<Message<In>>,
  emit: (out: Lease<Message<Out>>) => void,
  signal: AbortSignal,
): Promise<void> {
  const { edge } = options;
  const message = lease.value;
  if (message.kind === "end") {
    await edge.take(signal);
    emit(edge.lend(message));
    return;
  }
  const send = (value: Out) => {
    options.onOutput?.(value, message.ordinal);
    emit(edge.lend({ kind: "item", ordinal: message.ordinal, value }));
  };
  options.onInput?.(message.ordinal);
  const rest = options.atWork?.();
  const watch = watchdog(options);
  // The stage hears of an abort, and of its own time-out.
  const stop = AbortSignal.any([signal, watch.signal]);
  let iterator: AsyncIterator<Out> | undefined;
  try {
    const made = options.apply(message.value, stop);
    if (Symbol.asyncIterator in made) {
      iterator = made[Symbol.asyncIterator]();
      while (true) {
        // Waiting for a credit is the next stage's time, not this one's.
        await watch.paused(() => edge.take(stop));
        const result = await untilAborted(iterator.next(), stop).catch((error) => {
          edge.give();
          throw error;
        });
        if (result.done) {
          edge.give();
          break;
        }
        watch.sign();
        send(result.value);
      }
    } else {
      // It may fail before there is a credit: it is heard then.
      made.then(undefined, () => {});
      await watch.paused(() => edge.take(stop));
      const value = await untilAborted(made, stop).catch((error) => {
        edge.give();
        throw error;
      });
      send(value);
    }
  } catch (error) {
    if (signal.aborted || options.onError === "fail" || watch.signal.aborted) throw error;
    options.onDrop?.(message.value, error instanceof Error ? error : new Error(String(error)));
  } finally {
    rest?.();
    watch.stop();
    iterator?.return?.()?.then(undefined, () => {});
  }
}

/** How long a plugin may show no sign of life. */
export interface SilenceLimit {
  readonly timeoutMs: number;
  /** The time of the plugin's last sign of life, `performance.now()`: progress counts as one. */
  readonly lastSign?: () => number;
  /** Where the limit is set, for the message; the stage's own `"timeoutSeconds"` by default. */
  readonly key?: string;
  /** Whether a process with nothing else to do may end before the limit. */
  readonly lax?: boolean;
}

/** Aborts when there was no sign of life for `timeoutMs`. */
export function watchdog(options: SilenceLimit) {
  const abort = new AbortController();
  let last = performance.now(), pausedDepth = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const arm = (wait: number) => {
    timer = setTimeout(() => {
      const quiet = performance.now() - Math.max(last, options.lastSign?.() ?? 0);
      if (pausedDepth > 0) arm(options.timeoutMs);
      else if (quiet < options.timeoutMs) arm(options.timeoutMs - quiet);
      else {
        abort.abort(
          new Error(
            `no output and no progress for ${options.timeoutMs / 1000} s, so it is taken to hang: look at this plugin, or raise ${
              options.key ?? `its "timeoutSeconds"`
            }, and use --resume`,
          ),
        );
      }
    }, Math.min(Math.max(1, wait), LONGEST_WAIT_MS));
    if (options.lax) Deno.unrefTimer(timer);
  };
  if (options.timeoutMs < Infinity) arm(options.timeoutMs);
  return {
    signal: abort.signal,
    sign: () => {
      last = performance.now();
    },
    paused: async <T>(wait: () => Promise<T>): Promise<T> => {
      pausedDepth++;
      try {
        return await wait();
      } finally {
        pausedDepth--;
        last = performance.now();
      }
    },
    stop: () => clearTimeout(timer),
  };
}

/** Settles as the promise does, or rejects as soon as the signal aborts: a plugin that never ends cannot hold the run. */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    promise.then(undefined, () => {});
    return Promise.reject(signal.reason);
  }
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    promise.then(
      (value) => {
        signal.removeEventListener("abort", stop);
        resolve(value);
      },
      (error) => {
        signal.removeEventListener("abort", stop);
        reject(error);
      },
    );
  });
}

/** Puts the stage's name before a failure, once. */
export function stamp(stage: string, error: unknown): Error {
  if (error instanceof StageError) return error;
  if (error instanceof DOMException && error.name === "AbortError") return error;
  return isExpected(error) || error instanceof Error ? new StageError(stage, error) : new StageError(stage, new Error(String(error)));
}

/** Subscribes, hands every value to `consume` one at a time, releases its lease, and settles when the stream has ended or the signal aborts. */
export async function drain<T>(stream: Observable<Lease<T>>, consume: (value: T) => Promise<void>, signal: AbortSignal): Promise<void> {
  const consumed = stream.pipe(concatMap(async (lease) => {
    using held = lease;
    await consume(held.value);
  }));
  const aborted = new Observable<never>((subscriber) => {
    const stop = () => subscriber.error(signal.reason);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    return () => signal.removeEventListener("abort", stop);
  });
  const ended = new Observable<void>((subscriber) => {
    const inner = consumed.subscribe(subscriber);
    const watch = aborted.subscribe({ error: (reason) => subscriber.error(reason) });
    return () => {
      inner.unsubscribe();
      watch.unsubscribe();
    };
  });
  await lastValueFrom(ended, { defaultValue: undefined });
}
