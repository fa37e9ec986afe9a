/**
 * What the report says about each class, gathered once.
 * @module
 */
import { isAbsolute, relative, sep } from "node:path";
import type { ClassVolume, RunView } from "../../../streams/contract.ts";
import { type ClassStyle, styleClasses } from "../../kernels/palette.ts";

/** One class of the report. */
export interface ReportClass {
  /** Lasting name. */
  readonly id: number;
  readonly style: ClassStyle;
  /** Its members: rows of the particle table, ascending. */
  readonly members: Int32Array;
  /** Share of all particles. */
  readonly share: number;
  readonly novel: number;
  /** Mean log-likelihood of its members; null when there is none. */
  readonly meanLogLikelihood: number | null;
  /** The most frequent true label and its share among members that have one. */
  readonly truth: { readonly label: string; readonly share: number } | null;
  /** Figures that class stages gave in tables with one row a class: name and value. */
  readonly figures: readonly (readonly [string, string | number])[];
  /** Volumes that show the class as a whole, the most telling first: `stage` is the class stage's label. */
  readonly volumes: readonly { readonly stage: string; readonly volume: ClassVolume }[];
  /** Decoded members, in the order of their names. */
  readonly decodedMembers: readonly ClassVolume[];
}

/** The run as the report's sections need it. */
export interface ReportFacts {
  readonly view: RunView;
  readonly classes: readonly ReportClass[];
  /** Diameter of a particle in voxels of a box, and where it comes from. */
  readonly diameterVoxels: number;
  readonly diameterFrom: string;
  /** Of boxes; 0 when unknown. */
  readonly voxelSizeAngstrom: number;
  /** Whether particles could be marked as novel at all. */
  readonly judgesNovelty: boolean;
  /** Whether particles have places in tomograms. */
  readonly inTomograms: boolean;
}

/** What an entry of a manifest may hold; nothing is sure. */
export interface ManifestEntry {
  readonly use?: unknown;
  readonly name?: unknown;
  readonly options?: Readonly<Record<string, unknown>>;
}

/** A manifest's entry under a key, or an empty one. */
export function manifestEntry(manifest: RunView["manifest"], key: string): ManifestEntry {
  const entry = manifest[key];
  return typeof entry === "object" && entry !== null ? entry as ManifestEntry : {};
}

/** A manifest's stages. */
export function manifestStages(manifest: RunView["manifest"]): readonly ManifestEntry[] {
  return Array.isArray(manifest.stages) ? manifest.stages as ManifestEntry[] : [];
}

function particleDiameter(view: RunView, voxelSizeAngstrom: number): { diameterVoxels: number; diameterFrom: string } {
  const entries = [...manifestStages(view.manifest), manifestEntry(view.manifest, "source")];
  for (const entry of entries) {
    const diameter = entry.options?.particleDiameterAngstrom;
    if (typeof diameter === "number" && diameter > 0 && voxelSizeAngstrom > 0) {
      return { diameterVoxels: diameter / voxelSizeAngstrom, diameterFrom: "the particle diameter" };
    }
  }
  return { diameterVoxels: view.boxes.boxVoxels / 2, diameterFrom: "half the box" };
}

/** Columns that repeat what the report counts itself. */
const SAID_ALREADY = new Set(["members", "count", "size", "share"]);

/** Figures of tables that have a column of class names without repeats. */
function figuresByClass(view: RunView): Map<number, [string, string | number][]> {
  const found = new Map<number, [string, string | number][]>();
  for (const result of Object.values(view.classResults)) {
    for (const table of result.tables) {
      const key = ["classId", "class"].find((name) => name in table.columns);
      if (key === undefined) continue;
      const ids = table.columns[key].map(Number);
      if (new Set(ids).size !== ids.length) continue;
      for (const [name, values] of Object.entries(table.columns)) {
        if (name === key || SAID_ALREADY.has(name)) continue;
        ids.forEach((id, row) => {
          if (!found.has(id)) found.set(id, []);
          found.get(id)!.push([name, values[row]]);
        });
      }
    }
  }
  return found;
}

/** Order of a volume among those of its class; -1 for what does not show the class as a whole. */
function rank(name: string): number {
  if (/half|mask|member|weight/i.test(name)) return -1;
  if (/average/i.test(name)) return 0;
  if (/cent(re|er)/i.test(name)) return 1;
  return 2;
}

function memberNumber(name: string): number {
  return Number(/\d+/.exec(name)?.[0] ?? 0);
}

/** Gathers what the sections need; the order of classes is that of their names. */
export function gatherFacts(view: RunView): ReportFacts {
  const { particles } = view;
  const membersOf = new Map<number, number[]>();
  for (let i = 0; i < particles.count; i++) {
    const list = membersOf.get(particles.classIds[i]);
    if (list) list.push(i);
    else membersOf.set(particles.classIds[i], [i]);
  }
  const ids = [...membersOf.keys()].sort((a, b) => a - b);
  const styles = styleClasses(ids);
  const figures = figuresByClass(view);
  const volumes = Object.entries(view.classResults).flatMap(([stage, result]) => result.volumes.map((volume) => ({ stage, volume })));
  const classes = ids.map((id): ReportClass => {
    const members = Int32Array.from(membersOf.get(id)!);
    const likelihoods = Array.from(members, (row) => particles.logLikelihood[row]).filter((value) => !Number.isNaN(value));
    const own = volumes.filter(({ volume }) => volume.classId === id);
    return {
      id,
      style: styles.get(id)!,
      members,
      share: members.length / particles.count,
      novel: members.reduce((sum, row) => sum + particles.novel[row], 0),
      meanLogLikelihood: likelihoods.length > 0 ? likelihoods.reduce((a, b) => a + b) / likelihoods.length : null,
      truth: commonTruth(view, members),
      figures: figures.get(id) ?? [],
      volumes: own.filter(({ volume }) => rank(volume.name) >= 0).sort((a, b) => rank(a.volume.name) - rank(b.volume.name)),
      decodedMembers: own.map(({ volume }) => volume).filter(({ name }) => /member/i.test(name) && /decoded/i.test(name))
        .sort((a, b) => memberNumber(a.name) - memberNumber(b.name)),
    };
  });
  const voxelSizeAngstrom = view.boxes.voxelSizeAngstrom || view.tomograms[0]?.boxVoxelSizeAngstrom || 0;
  let inTomograms = false;
  for (let i = 0; i < particles.count && !inTomograms; i++) inTomograms = Number.isFinite(particles.centresXyz[3 * i]);
  const judgesNovelty = particles.logLikelihood.some((value) => !Number.isNaN(value)) &&
    !view.events.some(({ code }) => code === "novelty-off");
  return { view, classes, voxelSizeAngstrom, inTomograms, judgesNovelty, ...particleDiameter(view, voxelSizeAngstrom) };
}

function commonTruth(view: RunView, members: Int32Array): ReportClass["truth"] {
  if (view.truth === null) return null;
  const counts = new Map<string, number>();
  let total = 0;
  for (const row of members) {
    const label = view.truth.labels[row];
    if (label === null) continue;
    counts.set(label, (counts.get(label) ?? 0) + 1);
    total++;
  }
  let best: { label: string; share: number } | null = null;
  for (const [label, count] of counts) if (best === null || count / total > best.share) best = { label, share: count / total };
  return best;
}

/** Where an iteration's figures say which it is. */
export function iterationNumber(row: RunView["iterations"][number], position: number): number {
  for (const key of ["iteration", "index"]) if (typeof row[key] === "number") return row[key];
  return position;
}

/** Turns absolute paths into paths relative to the run folder, so that a report reads the same wherever the folder stands. */
export function withoutAbsolutePaths(value: unknown, runDir: string): unknown {
  if (typeof value === "string") {
    return isAbsolute(value) && value.includes(sep) && value.length > 1 ? relative(runDir, value) || "." : value;
  }
  if (Array.isArray(value)) return value.map((each) => withoutAbsolutePaths(each, runDir));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutAbsolutePaths(each, runDir)]));
}

/** Shortens the run folder's and the manifest's absolute paths inside a sentence. */
export function shortenPaths(message: string, view: RunView): string {
  const paths = new Set<string>();
  const collect = (value: unknown) => {
    if (typeof value === "string" && isAbsolute(value) && value.length > 1) paths.add(value);
    else if (typeof value === "object" && value !== null) Object.values(value).forEach(collect);
  };
  collect(view.manifest);
  for (const { path } of view.tomograms) if (path !== null && isAbsolute(path)) paths.add(path);
  let text = message.replaceAll(`${view.runDir}${sep}`, "");
  for (const path of [...paths].sort((a, b) => b.length - a.length)) text = text.replaceAll(path, relative(view.runDir, path) || ".");
  return text;
}
