/**
 * Whether particles are darker or brighter than what is around them, guessed from how lopsided local means are.
 * @module
 */

/** Edge of the cubes whose means are looked at: noise of single voxels is averaged away. */
const CUBE = 4;
/** Means farther from the mean count as this far: a gold bead must not decide. */
const MOST_DEVIATIONS = 4;

/** A guess and what it rests on. */
export interface ContrastGuess {
  readonly contrast: "dark" | "bright" | "unclear";
  /** Skewness of the means; dark where negative. */
  readonly skewness: number;
}

/** Skewness beyond which a guess is made. */
const CLEAR_SKEWNESS = 0.1;

/** Collects means of cubes of 4 voxels from some sections. */
export class ContrastProbe {
  readonly #means: number[] = [];

  /** Adds `[4, ny, nx]`; every second cube along y and x is taken. */
  add(sections: Float32Array, ny: number, nx: number): void {
    for (let y = 0; y + CUBE <= ny; y += 2 * CUBE) {
      for (let x = 0; x + CUBE <= nx; x += 2 * CUBE) {
        let sum = 0;
        for (let z = 0; z < CUBE; z++) {
          for (let dy = 0; dy < CUBE; dy++) {
            const at = (z * ny + y + dy) * nx + x;
            sum += sections[at] + sections[at + 1] + sections[at + 2] + sections[at + 3];
          }
        }
        if (Number.isFinite(sum)) this.#means.push(sum / CUBE ** 3);
      }
    }
  }

  /** @returns The guess; `null` when fewer than 100 cubes were seen or all are alike. */
  guess(): ContrastGuess | null {
    const n = this.#means.length;
    if (n < 100) return null;
    const mean = this.#means.reduce((sum, value) => sum + value, 0) / n;
    const deviation = Math.sqrt(this.#means.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n);
    if (!(deviation > 0)) return null;
    let cubes = 0;
    for (const value of this.#means) cubes += Math.max(-MOST_DEVIATIONS, Math.min(MOST_DEVIATIONS, (value - mean) / deviation)) ** 3;
    const skewness = cubes / n;
    return { contrast: skewness < -CLEAR_SKEWNESS ? "dark" : skewness > CLEAR_SKEWNESS ? "bright" : "unclear", skewness };
  }
}
