/** Small inputs on which a whole run ends within seconds, and a look at what a run leaves behind. */
import { strict as assert } from "node:assert";
import { DatabaseSync } from "node:sqlite";
import type { Triple } from "../../streams/contract.ts";
import { loadBundle } from "../../streams/bundle.ts";
import { openMrcVolume, writeMrcVolume } from "../../plugins/formats/mrc.ts";
import { parseStar } from "../../plugins/formats/star.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { type Finished, inCheckout, tomosieve } from "./command.ts";

/** Distance between particles of a sample tomogram. */
const SPACING = 16;
/** Semi-axes z, y, x of the particles' Gaussians, voxels. */
const SHAPES = { round: [3, 3, 3], rod: [6, 2, 2], disc: [4.5, 4.5, 1.5], plank: [6, 4, 1.2] } as const;

/** What a sample tomogram is like. */
export interface Sample {
  readonly seed?: number;
  readonly shapeZyx?: Triple;
  readonly voxelSizeAngstrom?: number;
  readonly particles?: readonly (keyof typeof SHAPES)[];
  /** Standard deviation of the noise beside a peak of 1; particles are bright. */
  readonly noise?: number;
}

/** Where the particles of a sample tomogram are, and what each is. */
export function sampleParticles({ seed = 1, shapeZyx = [48, 80, 80], particles = ["round", "rod", "disc"] }: Sample = {}) {
  const [nz, ny, nx] = shapeZyx, random = createRandom(seed, "kinds"), half = SPACING / 2;
  const found: { x: number; y: number; z: number; label: keyof typeof SHAPES }[] = [];
  for (let z = half; z + half <= nz; z += SPACING) {
    for (let y = half; y + half <= ny; y += SPACING) {
      for (let x = half; x + half <= nx; x += SPACING) found.push({ x, y, z, label: particles[random.integer(particles.length)] });
    }
  }
  return found;
}

/** Voxels of a lattice of particles in noise, each about 12 voxels across. */
export function sampleVoxels(sample: Sample = {}): Float32Array {
  const { seed = 1, shapeZyx = [48, 80, 80], noise = 0.15 } = sample;
  const [nz, ny, nx] = shapeZyx, random = createRandom(seed, "noise"), half = SPACING / 2;
  const voxels = Float32Array.from({ length: nz * ny * nx }, () => noise * random.normal());
  for (const { x, y, z, label } of sampleParticles(sample)) {
    const [c, b, a] = SHAPES[label];
    for (let k = -half; k < half; k++) {
      for (let j = -half; j < half; j++) {
        for (let i = -half; i < half; i++) {
          voxels[((z + k) * ny + y + j) * nx + x + i] += Math.exp(-((i / a) ** 2 + (j / b) ** 2 + (k / c) ** 2));
        }
      }
    }
  }
  return voxels;
}

/** Writes a sample tomogram, 48 x 80 x 80 voxels with 75 particles unless said otherwise. */
export async function writeSample(path: string, sample: Sample = {}): Promise<void> {
  const { shapeZyx = [48, 80, 80], voxelSizeAngstrom = 10 } = sample;
  await writeMrcVolume(path, { shapeZyx, voxels: sampleVoxels(sample), voxelSizeAngstrom });
}

type Json = Record<string, unknown>;

/** Source of sample tomograms. */
export const tomograms = (options: Json = {}) => ({
  use: "tomograms",
  options: { paths: ["*.mrc"], contrast: "bright", tiltRangeDegrees: [-60, 60], ...options },
});
/** A picker that finds the particles of sample tomograms. */
export const dog = (options: Json = {}) => ({
  use: "dog",
  options: { particleDiameterAngstrom: 100, minimumDistanceVoxels: 10, threshold: { deviations: 4 }, ...options },
});
/** Boxes for them. */
export const boxes = (options: Json = {}) => ({ use: "boxes", options: { boxVoxels: 14, ...options } });
/** The published loop, as small as it goes. */
export const disca = (options: Json = {}, cluster: Json = {}) => ({
  use: "disca",
  options: { recipe: "published", maxIterations: 1, batchSize: 32, ...options },
  parts: {
    embed: { use: "yopo", options: { width: 0.0625 } },
    cluster: { use: "gmm-bic", options: { components: 4, candidates: [2, 3, 4], ...cluster } },
  },
});
/** A plugin of plugins/moody.ts. */
export const moody = (role: string, options: Json = {}) => ({ use: `${inCheckout("tests/pipelines/plugins/moody.ts")}#${role}`, options });
/** Allows plugins of plugins/moody.ts. */
export const allowMoody = (...roles: string[]) => roles.map((role) => `--allow-plugin=${moody(role).use}`);

/** Makes a folder, writes `files` into it (values as JSON), and removes it after `work`. */
export async function inFolder<T>(files: Readonly<Record<string, unknown>>, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "tomosieve_pipelines_" });
  try {
    for (const [name, content] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${name}`, typeof content === "string" ? content : JSON.stringify(content, null, 2));
    }
    return await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Paths below `folder`, relative to it, sorted. */
export function filesBelow(folder: string): string[] {
  const found: string[] = [];
  const look = (path: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(`${folder}/${path}`)) {
      const inside = path === "" ? name : `${path}/${name}`;
      if (isDirectory) look(inside);
      else found.push(inside);
    }
  };
  look("");
  return found.sort();
}

/**
 * Asserts that every file below `folder` is whole for what its name says, and that none has a temporary name: what a run leaves, however it
 * ended.
 */
export async function assertWhole(folder: string): Promise<void> {
  const files = filesBelow(folder);
  assert.deepEqual(files.filter((path) => /\.(tmp|old)(-|$|\/)|\.lock$|-journal$|-wal$/.test(path)), [], "temporary names are left");
  for (const path of files) {
    const at = `${folder}/${path}`;
    if (/\.(mrcs?|map)$/.test(path)) {
      await using volume = await openMrcVolume(at);
      await volume.readSlab(volume.shapeZyx[0] - 1, volume.shapeZyx[0]);
    } else if (path.endsWith("/bundle.json")) loadBundle(at.slice(0, -"/bundle.json".length));
    else if (path.endsWith(".json")) JSON.parse(Deno.readTextFileSync(at));
    else if (path.endsWith(".ndjson")) {
      Deno.readTextFileSync(at).trimEnd().split("\n").filter((line) => line).forEach((line) => JSON.parse(line));
    } else if (path.endsWith(".star")) parseStar(Deno.readTextFileSync(at), at);
    else if (path.endsWith(".csv")) assert.ok(Deno.readTextFileSync(at).endsWith("\n"), `${path} is cut off`);
    else if (path.endsWith(".html")) assert.ok(Deno.readTextFileSync(at).trimEnd().endsWith("</html>"), `${path} is cut off`);
    else if (path.endsWith(".sqlite")) {
      const database = new DatabaseSync(at, { readOnly: true });
      assert.deepEqual(database.prepare("pragma integrity_check").all().map((row) => ({ ...row })), [{ integrity_check: "ok" }]);
      database.close();
    } else if (path.endsWith(".parquet")) {
      assert.equal(new TextDecoder().decode(Deno.readFileSync(at).slice(-4)), "PAR1", `${path} is cut off`);
    }
  }
}

/** What one failed command says: `--json` gives its status and its problems. */
export interface Fault {
  readonly code: number;
  readonly status: string;
  readonly problems: readonly string[];
  readonly stderr: string;
}

/**
 * Runs the command with `--json` and asserts what holds for every failure: one JSON object on stdout, each problem once on stderr as a line
 * of its own, no stack trace, no blame on tomosieve.
 */
export async function failing(code: 1 | 2, ...args: string[]): Promise<Fault> {
  return assertFault(code, await tomosieve(...args, "--json"));
}

/** The same for a command that has ended. */
export function assertFault(code: 1 | 2, { code: found, stdout, stderr }: Finished): Fault {
  assert.equal(found, code, `exit code ${found}, expected ${code}:\n${stderr}`);
  assert.equal(stdout.trimEnd().split("\n").length, 1, `stdout is not one line:\n${stdout}`);
  const { status, problems, ...more } = JSON.parse(stdout) as { status: string; problems: string[] };
  assert.deepEqual(more, {});
  assert.equal(status, code === 2 ? "faulty" : "failed", stderr);
  for (const problem of problems) assert.equal(stderr.split(`${problem}\n`).length, 2, `"${problem}" is not once on stderr:\n${stderr}`);
  assert.doesNotMatch(stderr, /\n\s+at |Uncaught|fault of tomosieve|\[object /);
  return { code: found, status, problems, stderr };
}

/** Asserts that the fault is one problem whose words match. */
export function assertSays(fault: Fault, ...expected: readonly (RegExp | string)[]): void {
  assert.equal(fault.problems.length, 1, fault.stderr);
  for (const words of expected) {
    if (typeof words === "string") assert.ok(fault.problems[0].includes(words), `no "${words}" in "${fault.problems[0]}"`);
    else assert.match(fault.problems[0], words);
  }
}
