/**
 * Atoms of a structure, whatever file they come from, and the weights of the elements.
 * @module
 */
import { InputError } from "../../streams/errors.ts";

/** Atoms of one model. */
export interface Atoms {
  /** Number of atoms. */
  readonly count: number;
  /** `[count, 3]` x, y, z in Angstrom. */
  readonly positionsXyz: Float64Array;
  /** `[count]` atomic number times occupancy: alternate locations share one atom's weight. */
  readonly weights: Float64Array;
}

// deno-fmt-ignore
const SYMBOLS = ("H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd " +
  "Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu")
  .split(" ");
const NUMBERS = new Map(SYMBOLS.map((symbol, i) => [symbol.toUpperCase(), i + 1]));
NUMBERS.set("D", 1);

const WATER = new Set(["HOH", "WAT", "DOD"]);

/** Atomic number of an element's symbol in any case; an unknown one counts as carbon. */
export function atomicNumber(symbol: string): number {
  return NUMBERS.get(symbol.trim().toUpperCase()) ?? 6;
}

/** Whether an element's symbol is known. */
export function isElement(symbol: string): boolean {
  return NUMBERS.has(symbol.trim().toUpperCase());
}

/** Whether a residue is water, which no map of a particle shows. */
export function isWater(residue: string): boolean {
  return WATER.has(residue.trim().toUpperCase());
}

/** Collects atoms while a file is read. */
export class AtomCollector {
  readonly #positions: number[] = [];
  readonly #weights: number[] = [];

  /** Adds an atom; one without weight is left out. */
  add(x: number, y: number, z: number, weight: number): void {
    if (weight <= 0) return;
    this.#positions.push(x, y, z);
    this.#weights.push(weight);
  }

  /** What was collected. @throws {InputError} When there is no atom; `expected` says what was looked for. */
  finish(path: string, expected: string): Atoms {
    if (this.#weights.length === 0) {
      throw new InputError(path, `no atoms found: expected ${expected} other than water, with an occupancy above 0`);
    }
    return {
      count: this.#weights.length,
      positionsXyz: Float64Array.from(this.#positions),
      weights: Float64Array.from(this.#weights),
    };
  }
}
