/**
 * Minimum, maximum, mean and deviation of values that come in parts.
 * @module
 */

/** Statistics of finite values. */
export interface Statistics {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Deviation from the mean, dividing by the number of values. */
  readonly rms: number;
}

/** What one part held. */
export interface PartStatistics {
  /** Of its finite values; `Infinity` and `-Infinity` when it has none. */
  readonly min: number;
  readonly max: number;
  /** Index of its first NaN or infinity, or -1. */
  readonly firstNonFinite: number;
}

/** Sums about the first value, so that a large offset costs no digits. Float64 throughout; values that are not finite are counted and left out. */
export class RunningStatistics {
  #count = 0;
  #nonFinite = 0;
  #first = 0;
  #sum = 0;
  #squares = 0;
  #min = Infinity;
  #max = -Infinity;

  /** Adds a part, in one pass. */
  add(values: Float32Array): PartStatistics {
    if (this.#count === 0) this.#first = values.find((value) => Number.isFinite(value)) ?? 0;
    const first = this.#first;
    let sum = 0, squares = 0, min = Infinity, max = -Infinity;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      const d = value - first;
      sum += d;
      squares += d * d;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    // An infinity or a NaN always reaches the sum of squares.
    if (!Number.isFinite(squares)) return this.#addFinite(values);
    this.#take(values.length, sum, squares, min, max);
    return { min, max, firstNonFinite: -1 };
  }

  #addFinite(values: Float32Array): PartStatistics {
    let count = 0, sum = 0, squares = 0, min = Infinity, max = -Infinity, firstNonFinite = -1;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (!Number.isFinite(value)) {
        if (firstNonFinite < 0) firstNonFinite = i;
        continue;
      }
      const d = value - this.#first;
      count++;
      sum += d;
      squares += d * d;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    this.#nonFinite += values.length - count;
    this.#take(count, sum, squares, min, max);
    return { min, max, firstNonFinite };
  }

  #take(count: number, sum: number, squares: number, min: number, max: number): void {
    this.#count += count;
    this.#sum += sum;
    this.#squares += squares;
    this.#min = Math.min(this.#min, min);
    this.#max = Math.max(this.#max, max);
  }

  /** Finite values so far. */
  get count(): number {
    return this.#count;
  }

  /** NaN and infinite values so far. */
  get nonFinite(): number {
    return this.#nonFinite;
  }

  /** Statistics of the finite values so far; NaN when there are none. */
  result(): Statistics {
    if (this.#count === 0) return { min: NaN, max: NaN, mean: NaN, rms: NaN };
    const mean = this.#sum / this.#count;
    const rms = Math.sqrt(Math.max(0, this.#squares / this.#count - mean * mean));
    return { min: this.#min, max: this.#max, mean: this.#first + mean, rms };
  }
}
