/**
 * The boxes of one condition and seed on disk, and the part of a manifest that reads them.
 * @module
 */
import { join } from "node:path";
import { csvColumn, parseCsv } from "../../plugins/formats/csv.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { equaliseSizes } from "./same_size.ts";
import { simulate } from "../verbs/simulate.ts";
import { type Condition, diameterVoxels, VOXEL_SIZE_ANGSTROM } from "./conditions.ts";

/** What a method is run on. */
export interface LabelledSet {
  /** `source` of the manifest; its truth is in the options. */
  readonly source: Readonly<Record<string, unknown>>;
  /** `stages` of the manifest. */
  readonly stages: readonly Readonly<Record<string, unknown>>[];
  /** Path of the truth. */
  readonly truth: string;
}

/**
 * Where a set will lie in `folder`. The same for a set that is not made yet, so that it is made only for cells that are missing.
 *
 * @param tiltRangeDegrees As in the scene.
 */
export function planLabelledSet(condition: Condition, boxVoxels: number, folder: string): LabelledSet {
  const truth = join(folder, "truth.csv"), tiltRangeDegrees = [-condition.tiltDegrees, condition.tiltDegrees];
  const common = { contrast: "bright", tiltRangeDegrees, truth };
  if (condition.way === "stack") {
    return { source: { use: "subtomogram-stack", options: { path: join(folder, "stack.mrcs"), ...common } }, stages: [], truth };
  }
  const picker = condition.way === "coordinates"
    ? { use: "coordinates", options: { path: join(folder, "picks.csv") } }
    : { use: "dog", options: { particleDiameterAngstrom: diameterVoxels(boxVoxels) * VOXEL_SIZE_ANGSTROM } };
  return {
    source: { use: "tomograms", options: { paths: [join(folder, "tomo_*.mrc")], ...common } },
    stages: [picker, { use: "boxes", options: { boxVoxels } }],
    truth,
  };
}

/**
 * Simulates `scene` into `folder`; for `coordinates` also a list of picks, off by up to the condition's error along each axis.
 *
 * @throws {RunError} When the particles do not fit or the folder cannot be written.
 */
export async function makeLabelledSet(
  condition: Condition,
  scene: Readonly<Record<string, unknown>>,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const path = join(folder, "scene.json");
  const species = condition.sameSize ? await equaliseSizes(scene.species as Parameters<typeof equaliseSizes>[0], folder) : scene.species;
  await Deno.writeTextFile(path, JSON.stringify({ ...scene, species }));
  const { truth } = await simulate(path, folder, { signal });
  if (condition.way !== "coordinates") return;
  const table = parseCsv(await Deno.readTextFile(truth), truth);
  const [tomogram, ...axes] = ["tomogram", "x", "y", "z"].map((name) => csvColumn(table, [name], truth));
  const random = createRandom(Number(scene.seed), "benchmark", "picking error");
  const rows = tomogram.map((id, i) =>
    [id, ...axes.map((axis) => (Number(axis[i]) + (2 * random.uniform() - 1) * condition.errorVoxels).toFixed(3))].join(",")
  );
  await Deno.writeTextFile(join(folder, "picks.csv"), `tomogram,x,y,z\n${rows.join("\n")}\n`);
}
