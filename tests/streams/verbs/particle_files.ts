/** Particle files with a known fault, and the command line in this process, for tests of `convert` and `compare`. */
import assert from "node:assert/strict";
import { temporaryFolder } from "../../plugins/formats/reading.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { matrixToEulerZyz, randomRotation } from "../../../plugins/kernels/rotation.ts";
import { makeProgram, type VerbCall } from "../../../streams/command_line.ts";
import type { CompareSummary } from "../../../streams/verbs/compare.ts";

/** Size of the tomogram in voxels of {@linkcode VOXEL} A: odd in z. */
export const DIMS = [400, 500, 201] as const;
/** Voxel size. */
export const VOXEL = 7.84;

/** Runs the command line with console output kept. */
export async function commandLine(words: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const chosen: VerbCall[] = [];
  makeProgram((verb) => chosen.push(verb)).parse(words, { from: "user" });
  const { log, error } = console;
  let out = "", err = "";
  console.log = (text) => out += `${text}\n`;
  console.error = (text) => err += `${text}\n`;
  try {
    return { code: await chosen[0]({ signal: new AbortController().signal, debug: true }), out, err };
  } finally {
    Object.assign(console, { log, error });
  }
}

/** A point and its angles. */
export type Particle = readonly [number, number, number, number, number, number];

/** Particles spread in the tomogram. */
export function particles(count: number, seed: string): Particle[] {
  const random = createRandom(3, "compare test", seed);
  return Array.from(
    { length: count },
    () => [...DIMS.map((n) => 8 + random.uniform() * (n - 16)), ...matrixToEulerZyz(randomRotation(random))] as unknown as Particle,
  );
}

/** Points moved a little, every fourth left out, strange ones added: what another picker gives. */
export function repicked(all: readonly Particle[], seed = "again"): Particle[] {
  const random = createRandom(4, "compare test", seed);
  const moved = all.filter((_, i) => i % 4 !== 0).map((particle) =>
    particle.map((value, k) => k < 3 ? value + 0.4 * random.normal() : value) as unknown as Particle
  );
  return [...moved, ...particles(Math.floor(all.length / 4), "strange")];
}

/** CSV text. */
export function csvOf(all: readonly Particle[], angles = false): string {
  const names = ["tomogram", "x", "y", "z", ...(angles ? ["rot", "tilt", "psi"] : [])];
  return [names.join(), ...all.map((particle) => ["TS_01", ...particle.slice(0, angles ? 6 : 3)].join())].join("\n") + "\n";
}

/** Options that say how large the tomogram is. */
export const SIZED = ["--dims", DIMS.join(","), "--voxel-size", String(VOXEL)];

/** Compares two texts in files; `again` runs the command that mends the first and compares what it wrote. */
export async function compareTexts(
  first: { name: string; text: string },
  second: { name: string; text: string },
  options: readonly string[] = SIZED,
): Promise<{ summary: CompareSummary; again: CompareSummary | null }> {
  await using folder = await temporaryFolder();
  const [a, b] = [first, second].map(({ name }, i) => `${folder.path}/${i}_${name}`);
  await Deno.writeTextFile(a, first.text);
  await Deno.writeTextFile(b, second.text);
  const compare = async (path: string, more: readonly string[]) => {
    const { code, out, err } = await commandLine(["compare", path, b, ...more, "--json"]);
    assert.equal(code, 0, err);
    return JSON.parse(out) as CompareSummary;
  };
  const summary = await compare(a, options);
  if (summary.mend === null) return { summary, again: null };
  const words = summary.mend.slice(1);
  const { code, err } = await commandLine(words);
  assert.equal(code, 0, err);
  return {
    summary,
    again: await compare(
      words[2],
      options.filter((_, i) =>
        !/^--(unit|origin|first-voxel|centre)$/.test(options[i]) && !/^--(unit|origin|first-voxel|centre)$/.test(options[i - 1] ?? "")
      ),
    ),
  };
}
