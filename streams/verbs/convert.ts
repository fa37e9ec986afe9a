/**
 * `convert A B`: particles from one program's file into another's.
 * @module
 */
import { basename } from "node:path";
import { type ParticleSet, tomogramStem } from "../../plugins/formats/particle_set.ts";
import { particleFormat, particleFormats, writeParticles, type WriteRequest } from "../../plugins/formats/particles.ts";
import { onlyTomogram } from "../../plugins/formats/mend_particles.ts";
import { ManifestError } from "../errors.ts";
import {
  applyMend,
  centreWord,
  firstVoxelWord,
  formatWord,
  framesOf,
  type MendingWords,
  mendOf,
  readAsSaid,
  type ReadingWords,
  unitWord,
} from "../particle_options.ts";

/** What the command line gives. */
export interface ConvertArguments extends ReadingWords, MendingWords {
  readonly source: string;
  readonly target: string;
  readonly to?: string;
  readonly toVoxelSize?: number;
  readonly toUnit?: string;
  readonly toCentre?: string;
  readonly toFirstVoxel?: string;
  readonly object?: string;
  readonly box?: number;
  readonly overwrite: boolean;
  readonly json: boolean;
}

/** What `--json` prints. */
export interface ConvertSummary {
  readonly status: "done";
  readonly from: string;
  readonly to: string;
  readonly particles: number;
  readonly tomograms: number;
  readonly files: readonly string[];
  readonly assumed: readonly string[];
}

const STAR_FAMILY = /^(relion|warp|stopgap|m$)/;
/** Stands for the tomogram's name in the name of the output. */
const PLACE = "{tomogram}";

/** The format of the output: as said, or by the ending of its name. */
export function targetFormat(target: string, said: string | undefined, source: string): string {
  const to = formatWord("--to", said);
  if (to !== undefined) return to;
  const name = basename(target).toLowerCase();
  if (name.endsWith(".star")) return STAR_FAMILY.test(source) ? source : "relion5";
  if (name.endsWith(".json")) return source === "eman-json" ? source : "copick";
  const found = particleFormats.find(({ extensions }) => extensions.some((ending) => name.endsWith(ending)));
  if (found) return found.id;
  const endings = particleFormats.flatMap(({ extensions }) => extensions);
  throw new ManifestError([
    `${target}: its ending names no format of particles: give --to FORMAT, or one of ${[...endings, ".json"].join(" ")}`,
  ]);
}

/** A part of a file's name. */
function safeName(tomogram: string): string {
  return tomogramStem(tomogram).replaceAll(/[^\p{L}\p{N}._-]+/gu, "_") || "tomogram";
}

/** Files to write: one, or one a tomogram where the name says so. */
function filesOf(target: string, set: ParticleSet): { path: string; part: ParticleSet }[] {
  if (!target.includes(PLACE)) return [{ path: target, part: set }];
  const files = [...new Set(set.tomograms)].map((tomogram) => ({
    path: target.replaceAll(PLACE, safeName(tomogram)),
    part: onlyTomogram(set, tomogram),
  }));
  const twice = files.find(({ path }, i) => files.some((other, j) => j < i && other.path === path));
  if (twice) {
    throw new ManifestError([`${twice.path} would be written for two tomograms: their names differ in nothing that a file name may hold`]);
  }
  return files;
}

async function mayWrite(path: string, source: string, overwrite: boolean): Promise<void> {
  const there = await Deno.stat(path).catch(() => null);
  if (there === null) return;
  const same = await Deno.realPath(path) === await Deno.realPath(source);
  if (same) throw new ManifestError([`${path} is the file that is read: give the output another name`]);
  if (!overwrite) throw new ManifestError([`${path} exists: give another name, or --overwrite`]);
}

/**
 * Converts and says on stderr what was assumed and left out; with `json` one {@linkcode ConvertSummary} on stdout.
 *
 * @returns Exit code 0.
 * @throws {ManifestError} When an option is faulty or the output exists.
 * @throws {InputError} When a file cannot be read or the conversion needs something that nobody knows.
 */
export async function convertVerb(args: ConvertArguments): Promise<number> {
  const mend = mendOf(args), frames = await framesOf(args);
  const read = await readAsSaid(args.source, args);
  const to = targetFormat(args.target, args.to, read.format);
  const set = applyMend(read, mend, frames.frameOf);
  const files = filesOf(args.target, set);
  for (const { path } of files) await mayWrite(path, args.source, args.overwrite);
  const unit = unitWord("--to-unit", args.toUnit), centre = centreWord("--to-centre", args.toCentre);
  const first = firstVoxelWord("--to-first-voxel", args.toFirstVoxel);
  const request: WriteRequest = {
    to,
    frameOf: frames.frameOf,
    ...(unit ? { unit } : {}),
    ...(centre ? { centre } : {}),
    ...(first === undefined ? {} : { firstVoxel: first }),
    ...(args.toVoxelSize === undefined ? {} : { voxelSizeAngstrom: args.toVoxelSize }),
    ...(args.object === undefined ? {} : { objectName: args.object }),
    ...(args.box === undefined ? {} : { boxVoxels: args.box }),
    tab: /\.tsv$/i.test(args.target),
  };
  const assumed = new Set(frames.assumed);
  for (const { path, part } of files) for (const note of await writeParticles(path, part, request)) assumed.add(note);
  const tomograms = new Set(set.tomograms).size;
  const kind = (id: string) => particleFormat(id)!.title;
  for (const note of assumed) console.error(`  ${note}`);
  const where = files.length === 1 ? files[0].path : `${files.length} files ${args.target}`;
  console.error(
    `${where}: ${set.count} ${set.count === 1 ? "particle" : "particles"} of ${tomograms} ${
      tomograms === 1 ? "tomogram" : "tomograms"
    }, from ${kind(read.format)} to ${kind(to)}`,
  );
  if (args.json) {
    const summary: ConvertSummary = {
      status: "done",
      from: read.format,
      to,
      particles: set.count,
      tomograms,
      files: files.map(({ path }) => path),
      assumed: [...assumed],
    };
    console.log(JSON.stringify(summary));
  }
  return 0;
}
