/**
 * Ends the process when a plugin keeps the main thread to itself: then no timer fires, no signal is heard, and only another thread can act.
 * @module
 */
import { Worker } from "node:worker_threads";

/** What both threads see: beats of the main thread, its limit in seconds, the length of the name of who works, and that name. */
export interface HeldThreadView {
  readonly beats: Int32Array;
  readonly name: Uint8Array;
}

/** Bytes of the shared memory that hold numbers, and that hold the name. */
const NUMBERS = 12, NAME = 1024;
/** Milliseconds between two beats of the main thread. */
const BEAT_MS = 500;

/** Looks at shared memory as numbers (beat, limit in seconds, length of the name) and the name. */
export function viewHeldThread(shared: SharedArrayBuffer): HeldThreadView {
  return { beats: new Int32Array(shared, 0, NUMBERS / 4), name: new Uint8Array(shared, NUMBERS, NAME) };
}

/** One who is at work, and how long it may hold the thread. */
interface AtWork {
  readonly stage: string;
  readonly limitSeconds: number;
}

/** Watches the thread that makes it, until it is disposed of. */
export class HeldThread implements Disposable {
  readonly #view: HeldThreadView;
  readonly #worker: Worker;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #atWork: AtWork[] = [];

  constructor() {
    const shared = new SharedArrayBuffer(NUMBERS + NAME);
    this.#view = viewHeldThread(shared);
    this.#worker = new Worker(new URL("./held_thread_worker.ts", import.meta.url));
    this.#worker.postMessage(shared);
    // It keeps no process alive: a program with nothing else left to do has come to a stand, and says so itself.
    this.#worker.unref();
    this.#timer = setInterval(() => Atomics.add(this.#view.beats, 0, 1), BEAT_MS);
    Deno.unrefTimer(this.#timer);
  }

  /** Says that `stage` is at work, until the function that is given is called; alone it may hold the thread for `limitSeconds`. */
  enter(stage: string, limitSeconds: number): () => void {
    const entry = { stage, limitSeconds };
    this.#atWork.push(entry);
    this.#write();
    return () => {
      const at = this.#atWork.indexOf(entry);
      if (at >= 0) this.#atWork.splice(at, 1);
      this.#write();
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#worker.terminate();
  }

  /** Of several at work the most patient one sets the limit: which of them holds the thread is not known. */
  #write(): void {
    const { beats, name } = this.#view, entries = this.#atWork;
    const { written } = new TextEncoder().encodeInto(entries.map(({ stage }) => stage).join(" or "), name);
    Atomics.store(beats, 1, Math.min(2 ** 31 - 1, Math.max(0, ...entries.map(({ limitSeconds }) => Math.ceil(limitSeconds)))));
    Atomics.store(beats, 2, written);
    Atomics.add(beats, 0, 1);
  }
}
