/**
 * An external program, run for each tomogram, whose output becomes a volume.
 * @module
 */
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import { globSync } from "node:fs";
import { z } from "zod";
import { definePlugin, type PluginContext, type Tomogram, type Volume } from "../../streams/contract.ts";
import { InputError, RunError } from "../../streams/errors.ts";
import { writeError, writeFileAtomic } from "../formats/atomic.ts";
import { createMrcWriter, headerVoxelSize, readMrcHeader } from "../formats/mrc.ts";
import { percentApart, shortNumber, voxelSizeTolerance } from "../formats/voxel_size.ts";
import { OpenFiles, scaledVolume } from "../sources/tomograms/open_files.ts";
import { runProgram } from "./command/run_program.ts";
import { namedVolume, withVolume } from "./named_volume.ts";
import { withName } from "./scratch_need.ts";

/** Voxels that are read at once. */
const SLAB_VOXELS = 4_000_000;
/** What stands for something in `arguments` and `output`. */
const PLACEHOLDERS = ["input", "file", "output", "folder", "id", "voxelSize", "threads"] as const;
type Placeholder = (typeof PLACEHOLDERS)[number];

const options = z.strictObject({
  program: z.string().min(1).meta({
    description: "Program to run: a name that PATH finds, or an absolute path; --allow-command must name it",
    format: "program",
  }),
  arguments: z.array(z.string()).meta({
    description: "Its arguments, each as it is, without a shell; {input} {file} {output} {folder} {id} {voxelSize} {threads} are filled in",
  }),
  output: z.string().min(1).default("output.mrc").meta({
    description: "MRC file that it writes, seen from its folder; {id} is filled in, * may stand for what is not known",
  }),
  volume: z.string().default("raw").meta({ description: "Volume that {input} holds, with the contrast of the tomogram's own file" }),
  name: z.string().min(1).default("processed").meta({ description: "Name of the new volume" }),
  contrast: z.enum(["raw", "dark", "bright"]).default("raw").meta({
    description: "How particles look in the output; raw: as in the tomogram's own file",
  }),
  cacheFolder: z.string().default("command_results").meta({
    description: "Folder that keeps results: the same program on the same input is not run again",
    format: "path",
    written: true,
  }),
  timeLimitSeconds: z.number().positive().default(86400).meta({ description: "Longest that one run may take", unit: "s" }),
});
type Options = z.infer<typeof options>;

function faults({ arguments: given, output }: Options): string[] {
  const found: string[] = [];
  const used = new Set(given.flatMap((text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)));
  const unknown = [...used].filter((name) => !PLACEHOLDERS.includes(name as Placeholder));
  if (unknown.length > 0) {
    found.push(`arguments hold {${unknown.join("}, {")}}: expected ${PLACEHOLDERS.map((name) => `{${name}}`).join(", ")}`);
  }
  if (!used.has("input") && !used.has("file")) {
    found.push(`arguments name neither {input} nor {file}: the program would not know the tomogram`);
  }
  if (used.has("output") && output.includes("*")) found.push(`arguments name {output}, but "output" holds a *: leave one of them out`);
  if (output.startsWith("/") || output.split("/").includes("..")) found.push(`output "${output}" lies outside the program's folder`);
  return found;
}

/**
 * Runs a program once for each tomogram, in an empty folder of its own: `{input}` is an MRC file of `volume` written for it (mode 2, the
 * right voxel size), `{file}` the tomogram's own file, `{output}` where `output` is expected, `{folder}` its folder.
 *
 * The output must have the volume's shape, its voxel size or none, and finite voxels; only then does it take its name in `cacheFolder`. That
 * name follows from the program, its arguments, the content of its input, and size and time of every other file that an argument names.
 * A failure, a time limit or an interruption leaves nothing but what was complete.
 */
export default definePlugin({
  apiVersion: 1,
  name: "command",
  kind: "denoiser",
  summary: "An external program, run for each tomogram, whose output becomes a volume",
  input: "tomogram",
  output: "tomogram",
  options,
  check: faults,
  scratchNeed: ({ name }, tomogram) => ({ keptBytes: 0, workingBytes: 0, after: withName(tomogram, name) }),
  create(given, context) {
    const files = new OpenFiles();
    return {
      apply: (tomogram, signal) => process(tomogram, given, files, context, signal),
      [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
    };
  },
});

async function process(
  tomogram: Tomogram,
  given: Options,
  files: OpenFiles,
  context: PluginContext,
  signal: AbortSignal,
): Promise<Tomogram> {
  const volume = namedVolume(tomogram, given.volume, context.stage);
  const own = tomogram.metadata.path, asStored = tomogram.metadata.contrast === "dark" ? -1 : 1;
  const uses = (name: Placeholder) => given.arguments.some((text) => text.includes(`{${name}}`));
  if (uses("file") && typeof own !== "string") throw new InputError(tomogram.id, `comes from no file: use {input} instead of {file}`);
  const input = scaledVolume(volume, asStored);
  const key = createHash("sha256").update(JSON.stringify({
    ...{ program: given.program, arguments: given.arguments, output: given.output, shape: volume.shapeZyx, size: volume.voxelSizeAngstrom },
    others: await Promise.all([given.program, ...given.arguments].map(fileSign)),
    input: uses("input") ? await contentHash(input, signal, context) : null,
    file: uses("file") ? await fileHash(own as string, signal) : null,
  })).digest("hex").slice(0, 24);
  const result = join(given.cacheFolder, `${safeName(tomogram.id)}_${key}.mrc`);
  if (await Deno.stat(result).then(() => true, () => false)) {
    context.note("command-cached", `tomogram "${tomogram.id}": ${basename(result)} was there, ${given.program} was not run again`);
  } else {
    await produce(result, tomogram, { input, own }, given, context, signal);
  }
  const dark = given.contrast === "raw" ? asStored < 0 : given.contrast === "dark";
  const made = scaledVolume(files.volume(result, volume.shapeZyx, volume.voxelSizeAngstrom), dark ? -1 : 1);
  const origin = `${basename(given.program)} on ${given.volume}: ${basename(result)}, particles ${dark ? "dark" : "bright"}`;
  return withVolume(tomogram, given.name, made, origin, `${result} ${dark}`, context.stage);
}

/** Runs the program and puts its output, once checked, at `result`. */
async function produce(
  result: string,
  tomogram: Tomogram,
  { input, own }: { input: Volume; own: unknown },
  given: Options,
  context: PluginContext,
  signal: AbortSignal,
): Promise<void> {
  const folder = `${result}.working`;
  try {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    await Deno.mkdir(folder, { recursive: true });
    const filled = (text: string, values: Partial<Record<Placeholder, string>>) =>
      text.replace(/\{(\w+)\}/g, (whole, name) => values[name as Placeholder] ?? whole);
    const names = { id: tomogram.id };
    const values = {
      ...names,
      input: join(folder, "input.mrc"),
      file: typeof own === "string" ? own : "",
      output: join(folder, filled(given.output, names)),
      folder,
      voxelSize: String(input.voxelSizeAngstrom),
      threads: String(context.pool.size),
    };
    if (given.arguments.some((text) => text.includes("{input}"))) await writeVolume(values.input, input, signal);
    await runProgram({
      program: given.program,
      args: given.arguments.map((text) => filled(text, values)),
      folder,
      timeLimitSeconds: given.timeLimitSeconds,
      signal,
      alive: () => context.progress(0, 0),
    });
    const output = findOutput(folder, filled(given.output, names), given.program);
    await checkOutput(output, input, given.program, signal);
    await Deno.rename(output, result);
    await writeFileAtomic(
      `${result}.json`,
      `${JSON.stringify({ tomogram: tomogram.id, program: given.program, arguments: given.arguments })}\n`,
    );
  } catch (error) {
    const known = writeError(folder, error);
    throw known instanceof RunError && !known.message.startsWith(folder)
      ? new RunError(`tomogram "${tomogram.id}": ${known.message}`)
      : known;
  } finally {
    await Deno.remove(folder, { recursive: true }).catch(() => {});
  }
}

function findOutput(folder: string, output: string, program: string): string {
  const found = output.includes("*") ? globSync(output, { cwd: folder }) : [output];
  const there = found.map((name) => join(folder, name)).filter((path) => {
    try {
      return Deno.lstatSync(path).isFile;
    } catch {
      return false;
    }
  });
  if (there.length === 1) return there[0];
  const left = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name !== "input.mrc").sort();
  throw new RunError(
    `${program} ended well, but ${there.length === 0 ? "no file" : `${there.length} files`} in its folder ${
      there.length > 1 ? "are" : "is"
    } ` +
      `"${output}": it left ${left.length === 0 ? "nothing" : left.slice(0, 8).join(", ")}; set "output"`,
  );
}

/** Whether a program's output can stand for the volume: shape, voxel size, and every voxel. */
async function checkOutput(path: string, input: Volume, program: string, signal: AbortSignal): Promise<void> {
  const { header } = await readMrcHeader(path);
  const shown = ([z, y, x]: readonly number[]) => `${x} x ${y} x ${z}`;
  if (header.shapeZyx.join() !== input.shapeZyx.join()) {
    throw new RunError(`${program} wrote ${shown(header.shapeZyx)} voxels (x, y, z), the tomogram has ${shown(input.shapeZyx)}`);
  }
  const found = headerVoxelSize(header, path, true), size = input.voxelSizeAngstrom;
  if (found !== 0 && found !== 1 && size > 0 && Math.abs(found / size - 1) > voxelSizeTolerance) {
    throw new RunError(
      `${program} wrote a voxel size of ${shortNumber(found)} A, the tomogram has ${shortNumber(size)} A (${
        percentApart(found, size)
      } apart)`,
    );
  }
  await using files = new OpenFiles();
  // A voxel that is not finite is an error of the reader.
  for await (const _ of slabsOf(files.volume(path, input.shapeZyx, size), signal));
}

async function* slabsOf(volume: Volume, signal: AbortSignal): AsyncGenerator<Float32Array<ArrayBuffer>> {
  const [nz, ny, nx] = volume.shapeZyx, step = Math.max(1, Math.floor(SLAB_VOXELS / (ny * nx)));
  for (let z = 0; z < nz; z += step) {
    signal.throwIfAborted();
    yield await volume.readSlab(z, Math.min(nz, z + step)) as Float32Array<ArrayBuffer>;
  }
}

async function writeVolume(path: string, volume: Volume, signal: AbortSignal): Promise<void> {
  const [, ny, nx] = volume.shapeZyx;
  await using writer = await createMrcWriter(path, { ny, nx, voxelSizeAngstrom: volume.voxelSizeAngstrom, sync: false });
  for await (const slab of slabsOf(volume, signal)) await writer.writeSlab(slab);
  await writer.finish();
}

async function contentHash(volume: Volume, signal: AbortSignal, context: PluginContext): Promise<string> {
  const hash = createHash("sha256");
  for await (const slab of slabsOf(volume, signal)) {
    hash.update(new Uint8Array(slab.buffer, slab.byteOffset, slab.byteLength));
    context.progress(0, 0);
  }
  return hash.digest("hex");
}

async function fileHash(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  for await (const bytes of file.readable) {
    signal.throwIfAborted();
    hash.update(bytes);
  }
  return hash.digest("hex");
}

/** Size and time of a file that an argument names, as it is or after a =: a network's weights, a script. */
async function fileSign(text: string): Promise<string | null> {
  const path = text.slice(text.indexOf("=") + 1);
  if (!path.includes("/")) return null;
  const file = await Deno.stat(path).catch(() => null);
  return file?.isFile ? `${file.size} ${file.mtime?.getTime() ?? 0}` : null;
}

function safeName(id: string): string {
  return id.replaceAll(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 80);
}
