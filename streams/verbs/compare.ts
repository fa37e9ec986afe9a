/**
 * `compare A B`: the coordinate doctor. Are two particle files, or a particle file and a tomogram, in agreement; if not, why, and which command
 * mends the first.
 * @module
 */
import { extname } from "node:path";
import { type FrameOf, type ParticleSet, tomogramStem } from "../../plugins/formats/particle_set.ts";
import { detectParticles, particleFormat, readFileHead } from "../../plugins/formats/particles.ts";
import { openVolumeFile } from "../../plugins/formats/volume_file.ts";
import { shortNumber } from "../../plugins/formats/voxel_size.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { type AngleFinding, compareAngles } from "../compare/angles.ts";
import { comparePoints, type Explanation, type PointsFinding } from "../compare/points.ts";
import { type ComparedUnit, place, type Reading, readingsOf } from "../compare/readings.ts";
import { compareVolume, type VolumeFinding } from "../compare/volume.ts";
import type { Triple } from "../contract.ts";
import { InputError } from "../errors.ts";
import { firstVoxelWord, framesOf, readAsSaid, type ReadingWords } from "../particle_options.ts";

/** What the command line gives; how to read is said of the first file, tomograms, sizes and voxel sizes of both. */
export interface CompareArguments extends ReadingWords {
  readonly first: string;
  readonly second: string;
  /** Farthest that two points of a pair may be apart, in voxels. */
  readonly tolerance?: number;
  readonly json: boolean;
}

/** What `--json` prints. */
export interface CompareSummary {
  readonly status: "agree" | "disagree" | "unrelated";
  readonly findings: readonly string[];
  /** The command that mends the first file, as words of a shell. */
  readonly mend: readonly string[] | null;
  readonly share: number | null;
  readonly shareAsTheyAre: number | null;
  readonly chance: number | null;
  readonly toleranceVoxels: number | null;
  readonly offset: readonly number[] | null;
  readonly scale: number | null;
  readonly angles: Omit<AngleFinding, "words"> | null;
  readonly inside: number | null;
  readonly contrast: number | null;
  readonly assumed: readonly string[];
}

/** What was found, in words and numbers. */
interface Outcome extends CompareSummary {
  readonly lines: readonly string[];
}

const percent = (share: number) => `${(100 * share).toFixed(share > 0.995 || share < 0.005 ? 0 : 1)} %`;
const shown = (value: number) => String(Number(value.toFixed(2)) + 0);

/** A word of the command as a shell takes it. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The options of the call that say how the file is to be read, but for those that a reading replaces. */
function readingOptions(words: ReadingWords, replaced: readonly string[]): string[] {
  const options: [string, string | number | undefined][] = [
    ...words.tomogram.map((file): [string, string] => ["--tomogram", file]),
    ...([["--from", words.from], ["--voxel-size", words.voxelSize], ["--dims", words.dims], ["--unit", words.unit]] as [
      string,
      string | number | undefined,
    ][]),
    ...([["--origin", words.origin], ["--centre", words.centre], ["--first-voxel", words.firstVoxel], ["--only", words.only]] as [
      string,
      string | undefined,
    ][]),
  ];
  return options.filter(([name, value]) => value !== undefined && !replaced.includes(name)).flatMap((
    [name, value],
  ) => [name, String(value)]);
}

function mendCommand(args: CompareArguments, options: readonly string[], extra: readonly string[] = []): string[] {
  const ending = extname(args.first), target = `${args.first.slice(0, args.first.length - ending.length)}_mended${ending}`;
  return ["cli.ts", "convert", args.first, target, ...readingOptions(args, options), ...extra, ...options];
}

/** Words and options for an offset that is left. */
function offsetWords(
  offset: Triple,
  explanation: Explanation,
  pairs: number,
  unit: ComparedUnit,
  shape: Triple | undefined,
): { words: string[]; options: string[] } {
  // With sizes known, the mirror itself takes 0 to n - 1.
  const left = offset.map((value, axis) => explanation.free && explanation.axes.mirror[axis] && shape ? value - (shape[axis] - 1) : value);
  const noise = Math.max(0.1, 3 * 1.25 * explanation.distance / Math.sqrt(Math.max(1, pairs)));
  if (left.every((value) => Math.abs(value) <= noise)) return { words: [], options: [] };
  const rounded = left.map((value) =>
    Math.abs(value) <= noise
      ? 0
      : Math.abs(value - Math.round(2 * value) / 2) <= noise
      ? Math.round(2 * value) / 2
      : Number(value.toFixed(2))
  );
  const all = (most: number) => rounded.every((value) => Math.abs(value) === most && value === rounded[0]);
  const half = shape?.every((n, axis) => Math.abs(Math.abs(left[axis]) - n / 2) <= 1);
  const hint = all(1)
    ? ": one file counts voxels from 0, the other from 1"
    : rounded.every((value) => Math.abs(value) === 0.5 || value === 0)
    ? ": one file counts from the voxel's edge, the other from its middle, or a centre was rounded"
    : half
    ? ": half of the tomogram; one file counts from the centre"
    : "";
  return {
    words: [`its points are ${rounded.map(shown).join(", ")} ${unit === "voxel" ? "voxels" : "A"} (x, y, z) away${hint}`],
    options: ["--shift", rounded.map(shown).join(",")],
  };
}

function scaleWords(scale: number, sizes: readonly number[]): { words: string[]; options: string[] } {
  if (Math.abs(scale - 1) < 2e-3) return { words: [], options: [] };
  const size = sizes.find((each) => Math.abs(scale * each - 1) < 5e-3), size2 = sizes.find((each) => Math.abs(scale / each - 1) < 5e-3);
  const why = size
    ? `: its numbers are Angstrom of voxels of ${shortNumber(size)} A`
    : size2
    ? ": its numbers are voxels, those of the other file Angstrom"
    : ": another binning, or another voxel size";
  return { words: [`its coordinates must be multiplied by ${shortNumber(scale)}${why}`], options: ["--scale", shortNumber(scale)] };
}

/** Sizes of voxels that either file may have meant. */
function sizesOf(sets: readonly ParticleSet[], frameOf: FrameOf): number[] {
  const all = sets.flatMap((set) => [...set.voxelSizeAngstrom.slice(0, 1), frameOf(set.tomograms[0] ?? "").voxelSizeAngstrom ?? NaN]);
  return [...new Set(all.filter((size) => size > 0))];
}

/** The unit in which both sets can be placed, and the sets in it; in the last resort their bare numbers. */
function commonFrame(
  a: ParticleSet,
  b: ParticleSet,
  frameOf: FrameOf,
): { unit: ComparedUnit; target: ParticleSet; bare: boolean; reason: string } {
  let reason = "";
  for (const unit of ["voxel", "angstrom"] as const) {
    const one = place(a, unit, frameOf), two = place(b, unit, frameOf);
    if (one.set && two.set) return { unit, target: two.set, bare: false, reason };
    reason ||= one.reason || two.reason;
  }
  return { unit: "angstrom", target: b, bare: true, reason };
}

function describePoints(
  args: CompareArguments,
  finding: PointsFinding,
  unit: ComparedUnit,
  sizes: readonly number[],
  shapeOf: (tomogram: string) => Triple | undefined,
  angles: AngleFinding | null,
): Outcome {
  const { best, asTheyAre, chance, tolerance, pairs } = finding;
  const shape = shapeOf(best.reading.set.tomograms[0] ?? "");
  const scale = scaleWords(best.scale, sizes), offset = offsetWords(best.offset, best, pairs.length, unit, shape);
  const angleOptions = angles && angles.mends.length > 0 ? ["--angles", angles.mends.join(",")] : [];
  // A mirror without a size is about the middle of what the offset says.
  const guessed = best.free && !shape && best.axes.mirror.some(Boolean)
    ? best.offset.map((value, axis) => best.axes.mirror[axis] ? Math.round(value) + 1 : 1)
    : null;
  const moved = guessed ? { words: [], options: [] } : offset;
  const findings = [...best.reading.words, ...best.axes.words, ...scale.words, ...moved.words];
  const options = [
    ...best.reading.options,
    ...best.axes.options,
    ...scale.options,
    ...moved.options,
    ...(guessed ? ["--dims", guessed.join(",")] : []),
  ];
  const lines = [
    `${percent(asTheyAre.share)} of the points match as they are, within ${shown(tolerance)} ${
      unit === "voxel" ? "voxels" : "A"
    } (by chance ${percent(chance)})`,
  ];
  const none = {
    inside: null,
    contrast: null,
    assumed: [] as string[],
    chance,
    toleranceVoxels: tolerance,
    shareAsTheyAre: asTheyAre.share,
    angles: angles && (({ words: _, ...rest }) => rest)(angles),
  };
  if (!finding.found) {
    lines.push(
      "no reading, exchange of axes, mirror, scale or offset makes them match: they are different particles, or far too few are in both",
    );
    return { status: "unrelated", findings: [], mend: null, share: best.share, offset: null, scale: null, ...none, lines };
  }
  const agree = findings.length === 0;
  if (agree) lines.push(`positions agree: ${shown(best.distance)} ${unit === "voxel" ? "voxels" : "A"} apart (median)`);
  else {
    lines.push(
      `${percent(best.share)} match, ${shown(best.distance)} ${
        unit === "voxel" ? "voxels" : "A"
      } apart (median), when this is mended in the first file:`,
    );
    findings.forEach((words) => lines.push(`  ${words}`));
  }
  if (best.share < 0.9) lines.push(`the rest is in one file only: ${pairs.length} particles are in both`);
  if (angles) lines.push(angles.words);
  const needed = [...options, ...angleOptions];
  const mend = needed.length === 0 || unit !== "voxel" ? null : mendCommand(args, needed);
  if (needed.length > 0 && mend === null) lines.push("give --voxel-size ANGSTROM, or --tomogram FILE, for the command that mends it");
  const status = needed.length === 0 && (!angles || angles.verdict === "agree") ? "agree" : "disagree";
  return {
    ...{
      status,
      findings: [...findings, ...(angles && angles.verdict !== "agree" ? [angles.words] : [])],
      mend,
      share: best.share,
      offset: best.offset,
      scale: best.scale,
    },
    ...none,
    lines,
  };
}

function describeVolume(args: CompareArguments, finding: VolumeFinding, path: string): Outcome {
  const { asTheyAre, best } = finding;
  const contrast = (value: number) =>
    Number.isNaN(value)
      ? "not measured"
      : `${Math.abs(value).toFixed(1)} standard errors ${value > 0 ? "brighter" : "darker"} than elsewhere`;
  const lines = [
    `as they are, ${percent(asTheyAre.inside)} of ${finding.points} points lie inside; density there: ${contrast(asTheyAre.contrast)}`,
  ];
  const none = {
    share: null,
    shareAsTheyAre: null,
    chance: null,
    toleranceVoxels: null,
    offset: null,
    scale: null,
    angles: null,
    assumed: [] as string[],
  };
  const findings = finding.found ? [...best.reading.words, ...best.axes.words] : [];
  if (finding.found) {
    lines.push(
      `${percent(best.inside)} lie inside, and density there is ${contrast(best.contrast)}, when this is mended:`,
      ...findings.map((words) => `  ${words}`),
    );
  } else if (finding.agree) lines.push("points lie on something: no other reading fits better");
  else if (asTheyAre.inside < 0.9) {
    lines.push(`many points lie outside, and no reading of the file puts them inside: does it belong to ${path}, and to this binning?`);
  } else {lines.push(
      "density does not tell: points lie inside, but on nothing brighter or darker than elsewhere, and no other reading fits better",
    );}
  const options = [...best.reading.options, ...best.axes.options];
  const extra = args.tomogram.includes(path) ? [] : ["--tomogram", path];
  return {
    ...{
      status: finding.found ? "disagree" : finding.agree ? "agree" : "unrelated",
      findings,
      mend: finding.found ? mendCommand(args, options, extra) : null,
    },
    ...none,
    inside: best.inside,
    contrast: Number.isNaN(best.contrast) ? null : best.contrast,
    lines,
  };
}

async function againstVolume(args: CompareArguments, a: ParticleSet, path: string): Promise<Outcome> {
  const frames = await framesOf({ ...args, tomogram: [...args.tomogram, path] });
  const frame = frames.frameOf(path), frameOf: FrameOf = () => frame;
  await using volume = await openVolumeFile(
    path,
    frame.voxelSizeAngstrom === undefined ? {} : { wantedVoxelSizeAngstrom: frame.voxelSizeAngstrom },
  );
  const names = [...new Set(a.tomograms)], stem = tomogramStem(path);
  const own = names.length === 1 ? names : names.filter((name) => tomogramStem(name) === stem);
  if (own.length === 0) {
    throw new InputError(
      args.first,
      `holds no particles of tomogram "${stem}": it has ${names.slice(0, 5).join(", ")}${
        names.length > 5 ? ", ..." : ""
      }; choose one with --only NAME`,
    );
  }
  const readings = readingsOf(a, "voxel", frameOf, firstVoxelWord("--first-voxel", args.firstVoxel));
  if (readings.length === 0 || readings[0].words.length > 0) {
    throw new InputError(args.first, place(a, "voxel", frameOf).reason.replace(`${args.first}: `, ""));
  }
  const rowsOf = (set: ParticleSet) => set.tomograms.flatMap((name, i) => own.includes(name) ? [i] : []);
  const outcome = describeVolume(args, await compareVolume(readings, rowsOf, volume, (key) => createRandom(1, "compare", key)), path);
  return { ...outcome, assumed: [...frames.assumed, ...readings[0].set.assumed] };
}

async function againstParticles(args: CompareArguments, a: ParticleSet): Promise<Outcome> {
  const { frameOf, assumed } = await framesOf(args);
  // What is said of the reading is said of the first file; tomograms are the same for both.
  const { tomogram, voxelSize, dims } = args;
  const b = await readAsSaid(args.second, { tomogram, voxelSize, dims });
  const { unit, target, bare, reason } = commonFrame(a, b, frameOf);
  const readings: Reading[] = bare
    ? [{ words: [], options: [], set: a }]
    : readingsOf(a, unit, frameOf, firstVoxelWord("--first-voxel", args.firstVoxel));
  const sizes = sizesOf([a, b], frameOf);
  const shapeOf = (tomogram: string) => unit === "voxel" && !bare ? frameOf(tomogram).shapeXyz : undefined;
  const finding = comparePoints({
    ...{ readings, target, shapeOf, sizes, random: (key) => createRandom(1, "compare", key) },
    ...(args.tolerance === undefined ? {} : { tolerance: args.tolerance }),
  });
  if (!finding) {
    const names = (set: ParticleSet) => [...new Set(set.tomograms)].slice(0, 4).map((name) => name || "(no name)").join(", ") || "none";
    throw new InputError(
      args.first,
      `has no tomogram in common with ${args.second} (${names(a)}; ${names(b)}): choose one with --only NAME where each file holds one`,
    );
  }
  const e = finding.best.reading.set.eulerZyzDegrees, other = target.eulerZyzDegrees;
  const angles = e && other && finding.found ? compareAngles(e, other, finding.pairs, finding.best.axes) : null;
  const outcome = describePoints(args, finding, unit, sizes, shapeOf, angles);
  const named = finding.missing.length > 0
    ? [`${finding.missing.length} tomograms are in one file only and were left out: ${finding.missing.slice(0, 4).join(", ")}`]
    : [];
  const notes = [
    ...assumed,
    ...readings[0].set.assumed,
    ...target.assumed,
    ...(bare ? [`bare numbers are compared, because ${reason}`] : []),
    ...named,
  ];
  return { ...outcome, assumed: [...new Set(notes)] };
}

function titleOf(set: ParticleSet): string {
  const tomograms = new Set(set.tomograms).size;
  return `${set.path}: ${particleFormat(set.format)?.title}, ${set.count} particles of ${tomograms} ${
    tomograms === 1 ? "tomogram" : "tomograms"
  }`;
}

/**
 * Compares and prints what was found: to stdout, or with `json` one {@linkcode CompareSummary} there and the words on stderr.
 *
 * @returns Exit code 0, whatever was found.
 * @throws {InputError} When a file cannot be read, or the files have no tomogram in common.
 */
export async function compareVerb(args: CompareArguments): Promise<number> {
  const a = await readAsSaid(args.first, args);
  if (a.count === 0) throw new InputError(args.first, "holds no particles: there is nothing to compare");
  const volume = detectParticles(await readFileHead(args.second)) === null &&
    !/\.(star|csv|tsv|txt|json|ndjson|xml|tbl|coords|box|cbox)$/i.test(args.second);
  const { lines, ...summary } = volume ? await againstVolume(args, a, args.second) : await againstParticles(args, a);
  const print = args.json ? console.error : console.log;
  print(titleOf(a));
  summary.assumed.forEach((note) => print(`  ${note}`));
  lines.forEach((line) => print(line));
  if (summary.mend) print(`mend it by:\n  ${summary.mend.map(shellWord).join(" ")}`);
  if (args.json) console.log(JSON.stringify(summary));
  return 0;
}
