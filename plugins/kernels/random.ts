/**
 * Seeded random numbers keyed by what they are for, so that the order of work never changes a result.
 * @module
 */
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import type { Random } from "../../streams/contract.ts";

/** FNV-1a over the key's text, 32 bits; parts are separated so that ("a", 12) and ("a1", 2) differ. */
function hashKey(seed: number, key: readonly (string | number)[]): number {
  let hash = 0x811c9dc5;
  const text = `${seed}\u0000${key.map((part) => `${typeof part === "number" ? "n" : "s"}${part}`).join("\u0000")}`;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  // Murmur's finaliser: neighbouring keys must not give neighbouring seeds.
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/**
 * Makes the stream of numbers that belongs to `seed` and `key`. The generator is xoroshiro128+ (Blackman and Vigna 2018).
 *
 * @param seed The run's seed.
 * @param key What the numbers are for: stage, iteration, row.
 */
export function createRandom(seed: number, ...key: readonly (string | number)[]): Random {
  const generator = xoroshiro128plus(hashKey(seed, key));
  let spare: number | null = null;
  const uniform = () => {
    // 53 bits: 27 from one draw, 26 from the next.
    const high = generator.next() >>> 5;
    const low = generator.next() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  };
  const normal = () => {
    if (spare !== null) {
      const value = spare;
      spare = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  const integer = (n: number) => Math.floor(uniform() * n);
  return {
    uniform,
    normal,
    integer,
    permutation(n) {
      const order = Int32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = integer(i + 1);
        [order[i], order[j]] = [order[j], order[i]];
      }
      return order;
    },
  };
}
