/**
 * `benchmark`: how well each method sorts sets whose truth is known.
 * @module
 */
import { basename, join, resolve } from "node:path";
import { appendCell, type Cell, type CellKey, digestCell, readCells, resolveLearn, runCell } from "../benchmark/cells.ts";
import { type Condition, CONDITIONS, sceneOf, type SetName, STRUCTURE_CONDITIONS, type Structures } from "../benchmark/conditions.ts";
import { type LabelledSet, makeLabelledSet, planLabelledSet } from "../benchmark/labelled_set.ts";
import { type Method, METHODS } from "../benchmark/methods.ts";
import { drawOverview } from "../benchmark/chart.ts";
import { conditionTables, groupCells, overview } from "../benchmark/table.ts";
import { openMrcStack } from "../../plugins/formats/mrc.ts";
import { removeIfThere } from "../bundle.ts";
import { ManifestError } from "../errors.ts";
import { nearestName } from "../nearest_name.ts";
import { readTruth } from "../truth.ts";

/** What the command line gives. */
export interface BenchmarkArguments {
  readonly set: SetName;
  /** Names, `*` stands for any letters; empty: all, or for methods the main ones. */
  readonly conditions: readonly string[];
  readonly methods: readonly string[];
  /** Manifests whose `learn` is compared too, under the file's name. */
  readonly manifests: readonly string[];
  /** Empty: 0 to 4, or 102 to 106 of the reporting set. */
  readonly seeds: readonly number[];
  readonly boxes: number;
  readonly boxVoxels: number;
  /** Folder of results and of work under way. */
  readonly out: string;
  /** The user's own labelled boxes. */
  readonly stack?: string;
  readonly labels?: string;
  readonly contrast: "dark" | "bright";
  /** Tilt range of the stack is minus to plus this. */
  readonly tiltDegrees?: number;
  /** Folder of maps and structures to simulate boxes of. */
  readonly structures?: string;
  readonly voxelSizeAngstrom?: number;
  readonly mapThreshold?: number;
  readonly list: boolean;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** One set to sort. */
interface Job {
  readonly condition: string;
  readonly seed: number;
  readonly boxes: number;
  readonly boxVoxels: number;
  readonly data: LabelledSet;
  /** What the data follows from. */
  readonly origin: unknown;
  /** Makes the data; null when they are the user's. */
  readonly make: (() => Promise<void>) | null;
}

const CHOOSING_SEEDS = [0, 1, 2, 3, 4];
/** 100 and 101 were looked at while settings were chosen (docs/decisions.md, 27). */
const REPORTING_SEEDS = [102, 103, 104, 105, 106];
const FIRST_UNSEEN_SEED = 102;

/**
 * Runs the cells that are not there yet, writes each down, and prints tables (with `json` a line a cell) to stdout.
 *
 * @returns 0 when every cell was run, 1 when some failed.
 * @throws {ManifestError} When the arguments are faulty. @throws {InputError} When a file cannot be read.
 */
export async function benchmarkVerb(args: BenchmarkArguments): Promise<number> {
  const { out, json, signal } = args;
  const structures = args.structures === undefined ? undefined : await findStructures(args);
  // Only maps can be brought to one size.
  const onlyMaps = structures?.paths.every((path) => /\.(mrc|map)$/i.test(path));
  const available = structures ? STRUCTURE_CONDITIONS.filter(({ sameSize }) => !sameSize || onlyMaps) : CONDITIONS;
  if (args.list) return list(available);
  const methods = await chooseMethods(args);
  const jobs = args.stack === undefined ? simulatedJobs(args, available, structures) : await ownJobs(args);
  if (args.set === "reporting" && args.stack === undefined) {
    console.error("the reporting set is opened: choose nothing by what follows, and write the date into docs/benchmark.md");
  }
  await Deno.mkdir(out, { recursive: true });
  const learns = new Map<string, unknown>();
  for (const method of methods) learns.set(method.name, await resolveLearn(method));
  const known = new Map(readCells(out).map((cell) => [keyOf(cell, cell.digest), cell]));
  const cells: Cell[] = [];
  let failed = 0;
  for (const { condition, seed, boxes, boxVoxels, data, origin, make } of jobs) {
    let made = make === null;
    for (const method of methods) {
      signal.throwIfAborted();
      const set = args.stack === undefined ? args.set : "own";
      const key: CellKey = { set, condition, method: method.name, seed, boxes, boxVoxels };
      const digest = digestCell(origin, data.stages, learns.get(method.name));
      let cell = known.get(keyOf(key, digest));
      try {
        if (!cell) {
          if (!made) await make!();
          made = true;
          cell = await runCell(key, digest, method, data, join(out, `run-${method.name}`), signal);
          appendCell(out, cell);
          console.error(describe(cell));
        }
        cells.push(cell);
        if (json) console.log(JSON.stringify(cell));
      } catch (error) {
        if (signal.aborted) throw error;
        failed++;
        console.error(`${condition}, seed ${seed}, ${method.name}: failed: ${error instanceof Error ? error.message : error}`);
      }
    }
    if (make !== null) removeIfThere(dataFolder(out, condition, seed));
  }
  const rows = groupCells(cells);
  if (rows.length > 0) await Deno.writeTextFile(join(out, "overview.svg"), drawOverview(rows));
  if (!json && rows.length > 0) {
    const summaryOf = (name: string) => available.find((condition) => condition.name === name)?.summary ?? "labelled by the user";
    for (const name of ["ari", "vMeasure", "k"] as const) console.log(`${overview(rows, name)}\n`);
    console.log(conditionTables(rows, summaryOf));
  }
  return failed > 0 ? 1 : 0;
}

function list(conditions: readonly Condition[]): number {
  for (const { name, summary } of conditions) console.log(`condition ${name.padEnd(24)} ${summary}`);
  for (const { name, summary, main } of METHODS) console.log(`method ${name.padEnd(27)} ${summary}${main ? "" : " (when named)"}`);
  return 0;
}

function keyOf({ set, condition, method, seed, boxes, boxVoxels }: CellKey, digest: string): string {
  return JSON.stringify([set, condition, method, seed, boxes, boxVoxels, digest]);
}

function describe({ condition, seed, method, k, trueK, ari, vMeasure, seconds }: Cell): string {
  const shown = (value: number | null) => value === null ? "-" : value.toFixed(3);
  return `${condition}, seed ${seed}, ${method}: K ${k} of ${trueK}, ARI ${shown(ari)}, V-measure ${shown(vMeasure)}, ${seconds} s`;
}

function dataFolder(out: string, condition: string, seed: number): string {
  return resolve(out, `data-${condition}-${seed}`);
}

/** Those of `known` that a word of `wanted` names, in the order of `known`. */
function select<T extends { readonly name: string }>(known: readonly T[], wanted: readonly string[], noun: string): T[] {
  const matches = (word: string) => {
    const pattern = new RegExp(`^${word.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`);
    const found = known.filter(({ name }) => pattern.test(name));
    if (found.length > 0) return found;
    const near = nearestName(word, known.map(({ name }) => name));
    throw new ManifestError([`no ${noun} is called "${word}"${near === null ? "" : `: did you mean "${near}"?`} (--list shows all)`]);
  };
  const chosen = new Set(wanted.flatMap(matches));
  return known.filter((item) => chosen.has(item));
}

async function chooseMethods({ methods, manifests }: BenchmarkArguments): Promise<Method[]> {
  const chosen = methods.length > 0 ? select(METHODS, methods, "method") : manifests.length > 0 ? [] : METHODS.filter(({ main }) => main);
  const { readLearn } = await import("../benchmark/read_learn.ts");
  for (const path of manifests) {
    const name = basename(path).replace(/\.[^.]*$/, "");
    chosen.push({ name, summary: path, learn: await readLearn(path), main: true });
  }
  return chosen;
}

function simulatedJobs(args: BenchmarkArguments, available: readonly Condition[], structures: Structures | undefined): Job[] {
  const { set, boxes, boxVoxels, out, signal } = args;
  const seeds = args.seeds.length > 0 ? args.seeds : set === "reporting" ? REPORTING_SEEDS : CHOOSING_SEEDS;
  const wrong = seeds.find((seed) => (seed >= FIRST_UNSEEN_SEED) !== (set === "reporting"));
  if (wrong !== undefined) {
    throw new ManifestError([
      `seed ${wrong} of the ${set} set: seeds to ${FIRST_UNSEEN_SEED - 1} choose, seeds from ${FIRST_UNSEEN_SEED} report`,
    ]);
  }
  return select(available, args.conditions.length > 0 ? args.conditions : ["*"], "condition").flatMap((condition) =>
    seeds.map((seed) => {
      const folder = dataFolder(out, condition.name, seed), scene = sceneOf(condition, set, seed, { boxes, boxVoxels }, structures);
      return {
        condition: condition.name,
        ...{ seed, boxes, boxVoxels },
        data: planLabelledSet(condition, boxVoxels, folder),
        origin: scene,
        make: () => makeLabelledSet(condition, scene, folder, signal),
      };
    })
  );
}

/** The user's own boxes: seeds are those of the methods. @throws {InputError} When the stack or the labels cannot be read. */
async function ownJobs({ stack, labels, seeds, contrast, tiltDegrees }: BenchmarkArguments): Promise<Job[]> {
  if (labels === undefined) throw new ManifestError(["--stack needs --labels: a CSV with a column label, row i for box i"]);
  const truth = resolve(labels), path = resolve(stack!);
  const boxes = (await readTruth(truth)).labels.length;
  await using opened = await openMrcStack(path);
  const tilt = tiltDegrees === undefined ? {} : { tiltRangeDegrees: [-tiltDegrees, tiltDegrees] };
  const data = { source: { use: "subtomogram-stack", options: { path, contrast, truth, ...tilt } }, stages: [], truth };
  const files = [path, truth].map((file) => [file, Deno.statSync(file).size, Deno.statSync(file).mtime?.getTime() ?? 0]);
  const common = { condition: basename(path), boxes, boxVoxels: opened.boxVoxels, data, origin: [files, contrast, tilt], make: null };
  return (seeds.length > 0 ? seeds : CHOOSING_SEEDS.slice(0, 1)).map((seed) => ({ ...common, seed }));
}

async function findStructures({ structures: folder, voxelSizeAngstrom, mapThreshold }: BenchmarkArguments): Promise<Structures> {
  if (voxelSizeAngstrom === undefined) {
    throw new ManifestError(["--structures needs --voxel-size: Angstrom a voxel of the boxes that are made"]);
  }
  const paths: string[] = [];
  try {
    for await (const { name } of Deno.readDir(folder!)) {
      if (/\.(mrc|map|(pdb|ent|cif)(\.gz)?)$/i.test(name)) paths.push(resolve(folder!, name));
    }
  } catch (error) {
    throw new ManifestError([`--structures ${folder}: cannot be read: ${error instanceof Error ? error.message : error}`]);
  }
  if (paths.length < 2) {
    throw new ManifestError([
      `--structures ${folder}: ${paths.length} maps or structures (.mrc .map .pdb .ent .cif): at least 2 are needed`,
    ]);
  }
  return { paths: paths.sort(), voxelSizeAngstrom, mapThreshold };
}
