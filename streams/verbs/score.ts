/**
 * `score <labels> <truth>`: how well classes agree with the truth.
 * @module
 */
import { basename, dirname, join } from "node:path";
import { csvColumn, type CsvTable, findCsvColumn, parseCsv } from "../../plugins/formats/csv.ts";
import { columnOf, loopOf, numbersOf, parseStar } from "../../plugins/formats/star.ts";
import { InputError, ManifestError, RunError } from "../errors.ts";
import { Ledger } from "../ledger.ts";
import { matchingDistance, readTruth, type Score, type ScoreRequest, scoreRun } from "../truth.ts";

/** What the command line gives. */
export interface ScoreArguments {
  /** A run folder, its particles.csv or particles.star, or a CSV file with one column of labels. */
  readonly labels: string;
  /** Truth CSV. */
  readonly truth: string;
  /** One JSON object on stdout. */
  readonly json: boolean;
  /** Half a particle diameter in voxels; otherwise as the run's manifest has it. */
  readonly distanceVoxels?: number;
}

/** What `--json` prints; null where the truth cannot say. */
export interface ScoreSummary {
  readonly ari: number | null;
  readonly homogeneity: number | null;
  readonly completeness: number | null;
  readonly vMeasure: number | null;
  readonly accuracy: number | null;
  readonly recall: number | null;
  readonly precision: number | null;
  readonly k: number;
}

type Scored = Pick<ScoreRequest, "particles" | "tomograms">;

/** Particles from columns of text: tomograms are numbered as they first appear. */
function particlesOf(tomograms: readonly string[], axes: readonly ArrayLike<number>[], classIds: readonly (number | string)[]): Scored {
  const ordinals = new Map<string, number>();
  const rows = new Int32Array(2 * classIds.length);
  const centresXyz = new Float64Array(3 * classIds.length);
  const picks: number[] = [];
  for (let i = 0; i < classIds.length; i++) {
    const ordinal = ordinals.get(tomograms[i]) ?? ordinals.size;
    ordinals.set(tomograms[i], ordinal);
    rows[2 * i] = ordinal;
    rows[2 * i + 1] = picks[ordinal] = (picks[ordinal] ?? -1) + 1;
    for (let c = 0; c < 3; c++) centresXyz[3 * i + c] = axes[c][i];
  }
  return {
    particles: { count: classIds.length, rows, centresXyz, classIds },
    tomograms: [...ordinals].map(([id, ordinal]) => ({ id, ordinal })),
  };
}

const CLASS_COLUMNS = ["class", "classId", "class_id", "label", "rlnClassNumber"];

function readNumbers(table: CsvTable, name: string, path: string): Float64Array {
  return Float64Array.from(csvColumn(table, [name], path), (field, row) => {
    const value = field.trim() === "" ? NaN : Number(field);
    if (Number.isFinite(value)) return value;
    throw new InputError(path, `line ${table.lines[row]}: ${name} is ${JSON.stringify(field)}, expected a number of voxels`);
  });
}

function readCsvParticles(text: string, path: string, isStack: boolean): Scored {
  let table = parseCsv(text, path);
  // One column of words: its first line is a label too, unless it is the column's name.
  if (table.header?.length === 1 && findCsvColumn(table, CLASS_COLUMNS) < 0) table = parseCsv(text, path, { header: false });
  if (table.rows.length === 0) throw new InputError(path, "holds no row: expected one for each particle");
  const classIds = table.header === null ? table.rows.map((row) => row[0]) : csvColumn(table, CLASS_COLUMNS, path);
  if (isStack) {
    // Boxes that were left out leave gaps: particles.csv says which box of the stack a row is.
    const picks = findCsvColumn(table, ["pick", "box"]) < 0
      ? null
      : readNumbers(table, table.header!.includes("pick") ? "pick" : "box", path);
    const scored = particlesOf(classIds.map(() => ""), [0, 1, 2].map(() => new Float64Array(classIds.length)), classIds);
    if (picks) picks.forEach((pick, i) => scored.particles.rows[2 * i + 1] = pick);
    return scored;
  }
  return particlesOf(csvColumn(table, ["tomogram"], path), ["x", "y", "z"].map((name) => readNumbers(table, name, path)), classIds);
}

function readStarParticles(text: string, path: string, isStack: boolean): Scored {
  const loops = parseStar(text, path).blocks.map(loopOf);
  const loop = loops.find((each) => each.columns.includes("rlnClassNumber"));
  if (!loop) throw new InputError(path, "no column _rlnClassNumber in any block: nothing says which class a particle is in");
  const classIds = columnOf(loop, "rlnClassNumber")!;
  if (isStack) return particlesOf(classIds.map(() => ""), [0, 1, 2].map(() => new Float64Array(classIds.length)), classIds);
  const tomograms = columnOf(loop, "rlnTomoName") ?? columnOf(loop, "rlnMicrographName");
  if (!tomograms) throw new InputError(path, "no column _rlnTomoName or _rlnMicrographName: nothing says which tomogram a particle is in");
  return particlesOf(tomograms, ["X", "Y", "Z"].map((axis) => numbersOf(loop, `rlnCoordinate${axis}`, path)), classIds);
}

function readRun(folder: string): Scored {
  using ledger = openLedger(folder);
  const particles = ledger.particles();
  if (particles.length === 0 || particles.some((particle) => particle.classId === null)) {
    throw new InputError(folder, "the run has no labels yet: finish it with `run --resume`, then score it");
  }
  const rows = Int32Array.from(particles.flatMap((particle) => [particle.tomogram, particle.pick]));
  const centresXyz = Float64Array.from(particles.flatMap((particle) => [...particle.centreXyz]));
  return {
    particles: { count: particles.length, rows, centresXyz, classIds: particles.map((particle) => particle.classId!) },
    tomograms: ledger.tomograms().filter(({ status }) => status === "done").map(({ record }) => ({
      id: record.id,
      ordinal: record.ordinal,
    })),
  };
}

function openLedger(folder: string): Ledger {
  const path = join(folder, "run.sqlite");
  try {
    Deno.statSync(path);
  } catch (cause) {
    throw new InputError(folder, "no run.sqlite in it: give a run folder, a particles.csv or .star, or a CSV file of labels", { cause });
  }
  return new Ledger(path, { readOnly: true });
}

/** The distance that a run folder's own manifest implies; null when the folder is not one of a run. */
async function distanceOfRun(folder: string): Promise<{ distanceVoxels: number; reason: string } | null> {
  let manifest: Record<string, unknown>;
  try {
    manifest = JSON.parse(await Deno.readTextFile(join(folder, "manifest.json")));
    using ledger = openLedger(folder);
    const record = ledger.tomograms()[0]?.record;
    return matchingDistance(manifest, record?.voxelSizeAngstrom ?? 0, boxOf(manifest) * (record?.voxelsEach ?? 1));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof InputError || error instanceof SyntaxError || error instanceof RunError) {
      return null;
    }
    throw error;
  }
}

/** Size of the boxes that a manifest asks for. */
function boxOf(manifest: Record<string, unknown>): number {
  const entries = [...(Array.isArray(manifest.stages) ? manifest.stages : []), manifest.source] as { options?: Record<string, unknown> }[];
  const sizes = entries.map((entry) => entry?.options?.boxVoxels).filter((size) => typeof size === "number");
  return sizes[0] ?? 0;
}

function describe(score: Score): string {
  const figure = (value: number | null) => value === null ? "-".padStart(9) : value.toFixed(3).padStart(9);
  const rows: [string, number | null, number | null][] = [
    ["adjusted Rand index", score.metrics.ari, score.metricsWithFalsePicks.ari],
    ["homogeneity", score.metrics.homogeneity, score.metricsWithFalsePicks.homogeneity],
    ["completeness", score.metrics.completeness, score.metricsWithFalsePicks.completeness],
    ["V-measure", score.metrics.vMeasure, score.metricsWithFalsePicks.vMeasure],
    ["accuracy", score.accuracy, score.accuracyWithFalsePicks],
    ["recall of picks", score.metrics.recall, null],
    ["precision of picks", score.metrics.precision, null],
  ];
  const classes = score.k === 1 ? "1 class" : `${score.k} classes`;
  return [
    `${classes}; ${score.matched} of ${score.trueParticles} true particles matched`,
    `${"".padEnd(20)}  matched  with false picks`,
    ...rows.map(([name, matched, all]) => `${name.padEnd(20)}${figure(matched)}${all === null ? "" : figure(all)}`.trimEnd()),
  ].join("\n");
}

/** Scores labels against the truth; `notes` are the assumptions in words. */
export async function scoreLabels(args: Omit<ScoreArguments, "json">): Promise<{ score: Score; notes: readonly string[] }> {
  const { labels, distanceVoxels } = args;
  if (distanceVoxels !== undefined && !(distanceVoxels > 0 && distanceVoxels < Infinity)) {
    throw new ManifestError([`--distance is ${distanceVoxels}: expected a number above 0, half a particle's diameter`]);
  }
  const truth = await readTruth(args.truth);
  const isStack = truth.places === null;
  let isFolder: boolean;
  try {
    isFolder = (await Deno.stat(labels)).isDirectory;
  } catch (cause) {
    throw new InputError(labels, "no such file or folder: give a run folder, a particles.csv or .star, or a CSV file of labels", { cause });
  }
  const read = async () => {
    const text = await Deno.readTextFile(labels);
    return /\.star$/i.test(labels) ? readStarParticles(text, labels, isStack) : readCsvParticles(text, labels, isStack);
  };
  const scored = isFolder ? readRun(labels) : await read();
  const notes: string[] = [];
  let distance = distanceVoxels;
  if (isStack) distance = 1;
  if (distance === undefined) {
    const found = await distanceOfRun(isFolder ? labels : dirname(labels));
    if (found === null || !(found.distanceVoxels > 0)) {
      throw new ManifestError([
        `${basename(labels)}: the particles' diameter is not known here: give --distance, half of it, or the run folder instead`,
      ]);
    }
    distance = found.distanceVoxels;
    notes.push(found.reason);
  }
  const score = scoreRun({ ...scored, truth, distanceVoxels: distance, note: (_, message) => notes.push(message) });
  return { score, notes };
}

/**
 * Runs the verb: a small table and the assumptions on stderr, and with `json` one {@linkcode ScoreSummary} on stdout.
 *
 * @returns Exit code 0.
 * @throws {InputError} When a file cannot be read or does not fit the other.
 * @throws {ManifestError} When the distance is faulty, or is needed and not given.
 */
export async function scoreVerb(args: ScoreArguments): Promise<number> {
  const { score, notes } = await scoreLabels(args);
  for (const note of notes) console.error(note);
  console.error(describe(score));
  if (args.json) {
    const { ari, homogeneity, completeness, vMeasure, recall, precision } = score.metrics;
    const summary: ScoreSummary = { ari, homogeneity, completeness, vMeasure, accuracy: score.accuracy, recall, precision, k: score.k };
    console.log(JSON.stringify(summary));
  }
  return 0;
}
