/**
 * Cells of the benchmark: one method on one set, run as any manifest is, scored against the truth, and written down as soon as it is done.
 * @module
 */
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import process from "node:process";
import { exists, removeIfThere } from "../bundle.ts";
import { InputError } from "../errors.ts";
import { loadManifestValue } from "../manifest.ts";
import { silentProgress } from "../progress.ts";
import { runPipeline } from "../run.ts";
import { scoreLabels } from "../verbs/score.ts";
import { VERSION } from "../version.ts";
import type { LabelledSet } from "./labelled_set.ts";
import type { Method } from "./methods.ts";

/** A finished cell: one line of `results.ndjson`. */
export interface Cell {
  /** Tells cells of other options, data or versions apart. */
  readonly digest: string;
  readonly version: string;
  readonly set: string;
  readonly condition: string;
  readonly method: string;
  readonly seed: number;
  readonly boxes: number;
  readonly boxVoxels: number;
  /** Boxes that were sorted; with a picker not the number of particles. */
  readonly sorted: number;
  /** Occupied classes, and true ones. */
  readonly k: number;
  readonly trueK: number;
  readonly ari: number | null;
  readonly homogeneity: number | null;
  readonly completeness: number | null;
  readonly vMeasure: number | null;
  readonly accuracy: number | null;
  /** Of picks; null for a stack. */
  readonly recall: number | null;
  readonly precision: number | null;
  /** V-measure with false picks as a class of their own. */
  readonly vMeasureWithFalsePicks: number | null;
  /** Of the clock, and of all processors, from boxes or tomograms to labels. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly engine: string | null;
}

/** Everything that says which cell it is. */
export type CellKey = Pick<Cell, "set" | "condition" | "method" | "seed" | "boxes" | "boxVoxels">;

/** Boxes that stand for the data where only a method's options matter. */
const SMALLEST_SCENE = {
  voxelSizeAngstrom: 10,
  snr: 1,
  species: [{ model: "barrel", diameterAngstrom: 80, count: 1 }],
  stack: { boxVoxels: 8 },
};

/**
 * Every option of a method, defaults and recipe filled in.
 *
 * @throws {ManifestError} When the method's `learn` is faulty.
 */
export async function resolveLearn(method: Method): Promise<unknown> {
  const source = { use: "simulated-stack", options: { scene: SMALLEST_SCENE } };
  const place = { name: `benchmark-${method.name}`, folder: resolve(".") };
  const file = await loadManifestValue({ version: 1, source, learn: method.learn, run: { dir: place.name } }, place);
  return file.resolved().learn;
}

/**
 * Tells whether a recorded cell is still the one that is asked for: a hash of the program's version, of what the data follows from, of how
 * it is picked and cut, and of the method's options.
 */
export function digestCell(origin: unknown, stages: unknown, learn: unknown): string {
  return createHash("sha256").update(JSON.stringify([VERSION, origin, stages, learn])).digest("hex").slice(0, 12);
}

/**
 * Runs a method on a set in `folder`, which is removed afterwards.
 *
 * @throws {StageError} @throws {RunError} When the run fails; the folder then stays to be looked at.
 */
export async function runCell(
  key: CellKey,
  digest: string,
  method: Method,
  data: LabelledSet,
  folder: string,
  signal: AbortSignal,
): Promise<Cell> {
  removeIfThere(folder);
  const { source, stages, truth } = data;
  const manifest = { version: 1, seed: key.seed, source, stages, learn: method.learn, run: { dir: resolve(folder) } };
  const file = await loadManifestValue(manifest, { name: `benchmark-${method.name}`, folder: resolve(".") });
  const before = process.cpuUsage();
  const summary = await runPipeline(file, { signal, progress: silentProgress });
  const { user, system } = process.cpuUsage(before);
  const { score } = await scoreLabels({ labels: resolve(folder), truth });
  removeIfThere(folder);
  const { ari, homogeneity, completeness, vMeasure, recall, precision } = score.metrics;
  return {
    ...key,
    digest,
    version: VERSION,
    sorted: summary.particles,
    k: score.k,
    trueK: new Set(score.labels.filter((label) => label !== null)).size,
    ...{ ari, homogeneity, completeness, vMeasure, accuracy: score.accuracy, recall, precision },
    vMeasureWithFalsePicks: score.metricsWithFalsePicks.vMeasure,
    seconds: summary.seconds,
    cpuSeconds: Math.round((user + system) / 1e5) / 10,
    engine: summary.engine,
  };
}

/** Name of the file of cells in the benchmark's folder. */
export const RESULTS = "results.ndjson";

/** Cells that are written down. A last line that was cut off by a kill is left out. @throws {InputError} When another line is no cell. */
export function readCells(folder: string): Cell[] {
  const path = join(folder, RESULTS);
  if (!exists(path)) return [];
  const text = Deno.readTextFileSync(path), lines = text.split("\n");
  const cut = lines.pop() !== "";
  if (cut) Deno.writeTextFileSync(path, lines.map((line) => `${line}\n`).join(""));
  return lines.map((line, i) => {
    try {
      return JSON.parse(line) as Cell;
    } catch (cause) {
      throw new InputError(path, `line ${i + 1} is not JSON: remove it, or use another --out`, { cause });
    }
  });
}

/** Writes a cell down. */
export function appendCell(folder: string, cell: Cell): void {
  using file = Deno.openSync(join(folder, RESULTS), { append: true, create: true });
  file.writeSync(new TextEncoder().encode(`${JSON.stringify(cell)}\n`));
  file.syncSync();
}
