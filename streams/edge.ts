/**
 * An edge between two stages: it holds at most `capacity` values, and lends each of them as a lease that must come back.
 *
 * RxJS pushes without asking; the edge is what makes the stream pulled. A producer takes a credit before it makes a value, so the number
 * of values made and not yet released never exceeds the capacity.
 * @module
 */

/** A value on its way. `release` gives the credit back; calling it again does nothing. */
export interface Lease<T> extends Disposable {
  readonly value: T;
  release(): void;
}

interface Waiter {
  grant(): void;
}

/** Counted credits between two stages. */
export class Edge {
  readonly name: string;
  readonly capacity: number;
  #free: number;
  #peak = 0;
  #waiting: Waiter[] = [];
  #leases = new Set<Lease<unknown>>();

  /** @throws {RangeError} When `capacity` is not a positive integer. */
  constructor(name: string, capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new RangeError(`${name}: capacity is ${capacity}, expected an integer of at least 1`);
    }
    this.name = name;
    this.capacity = capacity;
    this.#free = capacity;
  }

  /** Credits out now: values being made, waiting or being worked on. */
  get inFlight(): number {
    return this.capacity - this.#free;
  }
  /** The most credits that were ever out at once. */
  get peak(): number {
    return this.#peak;
  }

  /** Takes a credit, waiting until one is free. @throws The signal's reason when it aborts first. */
  async take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free === 0) {
      await new Promise<void>((resolve, reject) => {
        const stop = () => {
          this.#waiting = this.#waiting.filter((other) => other !== waiter);
          reject(signal.reason);
        };
        const waiter: Waiter = {
          grant: () => {
            signal.removeEventListener("abort", stop);
            resolve();
          },
        };
        signal.addEventListener("abort", stop, { once: true });
        this.#waiting.push(waiter);
      });
      return; // The credit was handed over by give(): it never became free.
    }
    this.#free--;
    this.#peak = Math.max(this.#peak, this.inFlight);
  }

  /** Gives a credit back that no lease carries. */
  give(): void {
    const next = this.#waiting.shift();
    if (next) next.grant();
    else this.#free++;
  }

  /** Ties a taken credit to the value that it was taken for. */
  lend<T>(value: T): Lease<T> {
    const lease: Lease<T> = {
      value,
      release: () => {
        if (this.#leases.delete(lease)) this.give();
      },
      [Symbol.dispose]() {
        lease.release();
      },
    };
    this.#leases.add(lease);
    return lease;
  }

  /** Takes back every lease that is still out: after an error or an abort, values queued inside RxJS are dropped without a word. */
  releaseAll(): void {
    for (const lease of [...this.#leases]) lease.release();
  }
}
