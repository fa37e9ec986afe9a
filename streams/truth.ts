/**
 * What is known to be true beside what was found: read only to score and to report, never by a plugin that picks or learns.
 * @module
 */
import { basename } from "node:path";
import { csvColumn, type CsvTable, findCsvColumn, parseCsv } from "../plugins/formats/csv.ts";
import { type Agreement, measureAgreement, tabulateConfusion } from "../plugins/kernels/agreement.ts";
import { matchPoints } from "../plugins/kernels/match_points.ts";
import type { Metrics, TruthView } from "./contract.ts";
import { InputError } from "./errors.ts";

/** True particles of tomograms, or true labels of a stack's boxes. */
export interface Truth {
  readonly path: string;
  /** `[n]`. */
  readonly labels: readonly string[];
  /** Where the particles are; `null` for a stack: label i belongs to box i. */
  readonly places: {
    /** `[n]` name of each particle's tomogram. */
    readonly tomograms: readonly string[];
    /** `[n, 3]` x, y, z in voxels, zero-based. */
    readonly centresXyz: Float64Array;
  } | null;
}

/** What to score. */
export interface ScoreRequest {
  readonly truth: Truth;
  readonly particles: {
    readonly count: number;
    /** `[count, 2]`: tomogram ordinal, pick ordinal. */
    readonly rows: Int32Array;
    /** `[count, 3]`, voxels; not looked at for a stack. */
    readonly centresXyz: Float64Array;
    /** `[count]`. */
    readonly classIds: ArrayLike<number | string>;
  };
  readonly tomograms: readonly {
    readonly id: string;
    readonly ordinal: number;
    /** Where it differs from the other tomograms': their voxels are not alike. */
    readonly distanceVoxels?: number;
  }[];
  /** Largest distance between a pick and its true centre: half a particle diameter, in voxels of the tomogram as it was given. */
  readonly distanceVoxels: number;
  /** Told what was assumed. */
  readonly note?: (code: string, message: string) => void;
}

/** A scored run: what a report shows and what `score` prints. */
export interface Score extends TruthView {
  /** Share of matched particles on matched cells of the confusion table; null as the other figures. */
  readonly accuracy: number | null;
  readonly accuracyWithFalsePicks: number | null;
  /** Occupied classes. */
  readonly k: number;
  /** True particles that a pick was matched to, of `trueParticles`; boxes with a label for a stack. */
  readonly matched: number;
  readonly trueParticles: number;
}

function readNumber(table: CsvTable, column: readonly string[], name: string, row: number, path: string): number {
  const value = column[row].trim() === "" ? NaN : Number(column[row]);
  if (Number.isFinite(value)) return value;
  throw new InputError(path, `line ${table.lines[row]}: ${name} is ${JSON.stringify(column[row])}, expected a number of voxels`);
}

/**
 * Reads true labels from CSV. With columns `tomogram,x,y,z,label` (voxels, zero-based, any order, more columns allowed) they belong to
 * particles in tomograms; with a column `label` and none of x, y, z they belong to the boxes of a stack, row i to box i. A file of one
 * column needs no line of names.
 * @throws {InputError} When the file cannot be read, a column is missing, a coordinate is no number, or there is no row.
 */
export async function readTruth(path: string): Promise<Truth> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "no such file"
      : `cannot be read (${error instanceof Error ? error.message : error})`;
    throw new InputError(path, `${why}: the truth is a CSV file with tomogram,x,y,z,label, or label alone for a stack`, { cause: error });
  }
  return parseTruth(text, path);
}

/** Reads the text of a truth file; see {@linkcode readTruth}. */
export function parseTruth(text: string, path: string): Truth {
  const table = readTable(text, path);
  if (table.rows.length === 0) throw new InputError(path, "holds no row: expected one for each true particle or box");
  const labels = table.header === null ? table.rows.map((row) => row[0]) : csvColumn(table, ["label"], path);
  const blank = labels.findIndex((label) => label.trim() === "");
  if (blank >= 0) throw new InputError(path, `line ${table.lines[blank]}: label is empty: name what the particle is`);
  if (!["x", "y", "z"].some((name) => findCsvColumn(table, [name]) >= 0)) return { path, labels, places: null };
  const tomograms = csvColumn(table, ["tomogram"], path);
  const axes = ["x", "y", "z"].map((name) => csvColumn(table, [name], path));
  const centresXyz = new Float64Array(3 * labels.length);
  for (let i = 0; i < labels.length; i++) {
    for (let c = 0; c < 3; c++) centresXyz[3 * i + c] = readNumber(table, axes[c], "xyz"[c], i, path);
  }
  return { path, labels, places: { tomograms, centresXyz } };
}

/** A file of one column may have names only, so that its first line is a label or the word "label". */
function readTable(text: string, path: string): CsvTable {
  const guess = parseCsv(text, path);
  const width = (guess.header ?? guess.rows[0] ?? []).length;
  if (width !== 1 || guess.header === null) return guess;
  return /^(label|class|class_?id)$/i.test(guess.header[0]) ? guess : parseCsv(text, path, { header: false });
}

/** Name of a tomogram without folder, ending and what STAR files cannot hold: people write file names and names alike. */
function stem(name: string): string {
  return basename(name).replace(/\s+/g, "_").replace(/["'#]/g, "_").replace(/\.gz$/i, "").replace(/\.(mrc|rec|map|mrcs|st|ali)$/i, "");
}

/** Truth rows of each tomogram of the run, by ordinal; `null` for one that the truth does not name. */
function rowsByTomogram(truth: Truth, tomograms: ScoreRequest["tomograms"]): Map<number, number[] | null> {
  const names = truth.places!.tomograms;
  const byName = new Map<string, number[]>();
  names.forEach((name, i) => {
    const rows = byName.get(name);
    if (rows) rows.push(i);
    else byName.set(name, [i]);
  });
  const byStem = new Map([...byName].map(([name, rows]) => [stem(name), rows]));
  return new Map(tomograms.map(({ id, ordinal }) => [ordinal, byName.get(id) ?? byStem.get(stem(id)) ?? null]));
}

interface Matching {
  /** True label of each particle, null for a false pick. */
  labels: (string | null)[];
  /** Particles of tomograms that the truth covers. */
  scored: number[];
  trueParticles: number;
}

function matchTomograms(request: ScoreRequest): Matching {
  const { truth, particles, tomograms } = request;
  const distances = new Map(tomograms.map(({ ordinal, distanceVoxels }) => [ordinal, distanceVoxels ?? request.distanceVoxels]));
  const truthRows = rowsByTomogram(truth, tomograms);
  const uncovered = tomograms.filter(({ ordinal }) => truthRows.get(ordinal) === null).map(({ id }) => id);
  if (uncovered.length === tomograms.length) {
    throw new InputError(
      truth.path,
      `names the tomograms ${listSome([...new Set(truth.places!.tomograms)])}, the run has ${listSome(tomograms.map(({ id }) => id))}: ` +
        "write the run's names into the column tomogram",
    );
  }
  if (uncovered.length > 0) request.note?.("truth-covers-some", `no truth for ${listSome(uncovered)}: their particles are not scored`);
  const picks = new Map<number, number[]>();
  for (let i = 0; i < particles.count; i++) {
    const ordinal = particles.rows[2 * i];
    const list = picks.get(ordinal);
    if (list) list.push(i);
    else picks.set(ordinal, [i]);
  }
  const labels = new Array<string | null>(particles.count).fill(null);
  const scored: number[] = [];
  let trueParticles = 0;
  const coordinates = (all: Float64Array, rows: readonly number[]) => {
    const result = new Float64Array(3 * rows.length);
    rows.forEach((row, i) => result.set(all.subarray(3 * row, 3 * row + 3), 3 * i));
    return result;
  };
  for (const [ordinal, rows] of truthRows) {
    if (rows === null) continue;
    trueParticles += rows.length;
    const own = picks.get(ordinal) ?? [];
    for (const pick of own) scored.push(pick);
    const partner = matchPoints(
      coordinates(particles.centresXyz, own),
      coordinates(truth.places!.centresXyz, rows),
      distances.get(ordinal)!,
    );
    partner.forEach((j, i) => {
      if (j >= 0) labels[own[i]] = truth.labels[rows[j]];
    });
  }
  return { labels, scored: scored.sort((a, b) => a - b), trueParticles };
}

function matchStack({ truth, particles }: ScoreRequest): Matching {
  const labels: string[] = [];
  for (let i = 0; i < particles.count; i++) {
    const [stack, box] = [particles.rows[2 * i], particles.rows[2 * i + 1]];
    if (stack !== 0 || box >= truth.labels.length) {
      throw new InputError(
        truth.path,
        stack !== 0
          ? "labels the boxes of one stack, the run has several: use columns tomogram,x,y,z,label"
          : `has ${truth.labels.length} labels, the run has a box ${box + 1}: one row is needed for each box of the stack`,
      );
    }
    labels.push(truth.labels[box]);
  }
  return { labels, scored: labels.map((_, i) => i), trueParticles: particles.count };
}

function listSome(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => JSON.stringify(name)).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

/** A false pick's own class: a number, which no label of a text file is. */
const FALSE_PICK = -1;

/**
 * Scores classes against the truth. Picks are matched to true centres one to one within `distanceVoxels`: as many pairs as possible and,
 * among those, the least total distance. Figures of agreement are over matched picks, and again over all picks with the false ones as
 * one true class of their own; recall is matched / true particles, precision matched / picks. Tomograms that the truth does not name
 * are left out (a note says so). When fewer than half of the true particles were matched, the figures of agreement are null.
 * For a stack every box has its label: recall and precision are null.
 * @throws {InputError} When truth and run have no tomogram in common, or a box has no label.
 */
export function scoreRun(request: ScoreRequest): Score {
  const { truth, particles } = request;
  const isStack = truth.places === null;
  const { labels, scored, trueParticles } = isStack ? matchStack(request) : matchTomograms(request);
  const hits = scored.filter((i) => labels[i] !== null);
  const enough = hits.length > 0 && 2 * hits.length >= trueParticles;
  if (!enough) {
    request.note?.(
      "truth-few-matched",
      `${hits.length} of ${trueParticles} true particles have a pick within ${Number(request.distanceVoxels.toFixed(2))} voxels: ` +
        "too few to judge classes by",
    );
  }
  const agreement = (rows: readonly number[]): Agreement | null =>
    enough ? measureAgreement(tabulateConfusion(rows.map((i) => labels[i] ?? FALSE_PICK), rows.map((i) => particles.classIds[i]))) : null;
  const recall = isStack || trueParticles === 0 ? null : hits.length / trueParticles;
  const precision = isStack || scored.length === 0 ? null : hits.length / scored.length;
  const metrics = (found: Agreement | null): Metrics => ({
    ari: found?.ari ?? null,
    homogeneity: found?.homogeneity ?? null,
    completeness: found?.completeness ?? null,
    vMeasure: found?.vMeasure ?? null,
    recall,
    precision,
  });
  const onMatched = agreement(hits), onAll = agreement(scored);
  return {
    metrics: metrics(onMatched),
    metricsWithFalsePicks: metrics(onAll),
    labels,
    accuracy: onMatched?.accuracy ?? null,
    accuracyWithFalsePicks: onAll?.accuracy ?? null,
    k: new Set(Array.from({ length: particles.count }, (_, i) => particles.classIds[i])).size,
    matched: hits.length,
    trueParticles,
  };
}

type Entry = { use?: unknown; options?: Record<string, unknown> };

/** First value of an option among the stages and the source of a manifest. */
function findOption(manifest: Readonly<Record<string, unknown>>, name: string): { value: number; use: string } | null {
  const entries = [...(Array.isArray(manifest.stages) ? manifest.stages : []), manifest.source] as (Entry | undefined)[];
  for (const entry of entries) {
    const value = entry?.options?.[name];
    if (typeof value === "number" && value > 0) return { value, use: String(entry?.use) };
  }
  return null;
}

/**
 * The distance within which a pick counts as found: half the particle diameter that a picker of the manifest was given, otherwise half of
 * half the box.
 *
 * @param manifest The resolved manifest.
 * @param voxelSizeAngstrom Of the tomograms; 0 when unknown, then only the box can say.
 * @param boxVoxels Size of the boxes.
 * @returns Voxels, and a sentence that says where the number comes from.
 */
export function matchingDistance(
  manifest: Readonly<Record<string, unknown>>,
  voxelSizeAngstrom: number,
  boxVoxels: number,
): { distanceVoxels: number; reason: string } {
  const diameter = findOption(manifest, "particleDiameterAngstrom");
  if (diameter !== null && voxelSizeAngstrom > 0) {
    const distanceVoxels = diameter.value / 2 / voxelSizeAngstrom;
    return {
      distanceVoxels,
      reason: `picks count as found within ${Number(distanceVoxels.toFixed(2))} voxels of a true centre: ` +
        `half the particle diameter of ${diameter.value} A that "${diameter.use}" was given`,
    };
  }
  return {
    distanceVoxels: boxVoxels / 4,
    reason: `picks count as found within ${Number((boxVoxels / 4).toFixed(2))} voxels of a true centre: ` +
      `the particle diameter is not stated, half the box of ${boxVoxels} voxels was taken for it`,
  };
}
