/** Runs readers on damaged files: random truncation and byte flips. */
import assert from "node:assert/strict";
import { createRandom } from "../../../plugins/kernels/random.ts";
import type { Random } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import { peakRssMiB } from "../../../streams/memory.ts";

const LONG = Deno.env.get("TOMOSIEVE_FUZZ");
/** Cases a reader; `TOMOSIEVE_FUZZ=100000` makes it a long hunt, which says how many cases it ran. */
export const CASES = Number(LONG ?? 400);
/** One case of a file under 20 kB may take this long on a loaded machine: a hang would take for ever. */
const LONGEST_MS = 10_000;
/** What damaged files may make the process grow by: a reader that believes a damaged size would take gigabytes. */
const MOST_GROWTH_MIB = 1024;

/** Cuts a file short or changes up to 8 of its bytes, mostly near its beginning. */
export function damage(bytes: Uint8Array, random: Random): Uint8Array {
  // A Buffer's own slice() would be a view, and the damage would stay.
  const out = new Uint8Array(bytes.subarray(0, random.uniform() < 0.3 ? random.integer(bytes.length + 1) : bytes.length));
  if (out.length === 0) return out;
  for (let n = random.integer(9); n > 0; n--) {
    const at = random.uniform() < 0.7 ? random.integer(Math.min(out.length, 256)) : random.integer(out.length);
    out[at] = random.uniform() < 0.5 ? random.integer(256) : out[at] ^ (1 << random.integer(8));
  }
  return out;
}

/** Runs a reader on damaged files: it may give a result or an InputError, nothing else. `cases` when it is slow. */
export async function hunt(
  name: string,
  files: readonly Uint8Array[],
  read: (bytes: Uint8Array, random: Random) => Promise<void> | void,
  cases = CASES,
): Promise<void> {
  let refused = 0;
  const before = peakRssMiB();
  for (let i = 0; i < cases; i++) {
    const random = createRandom(i, "fuzz", name);
    const bytes = damage(files[i % files.length], random);
    const start = performance.now();
    try {
      await read(bytes, random);
    } catch (error) {
      if (!(error instanceof InputError)) throw new Error(`${name}, case ${i}: ${error}`, { cause: error });
      refused++;
    }
    assert.ok(performance.now() - start < LONGEST_MS, `${name}, case ${i} took too long`);
  }
  const grown = peakRssMiB() - before;
  if (LONG) {
    console.log(`${name}: ${cases} cases, ${refused} refused by an InputError, ${cases - refused} read; memory grew by ${grown} MiB`);
  }
  assert.ok(refused > 0 && refused < cases, `${refused} of ${cases} refused: the damage tests nothing`);
  assert.ok(grown < MOST_GROWTH_MIB, `${name}: memory grew by ${grown} MiB`);
}
