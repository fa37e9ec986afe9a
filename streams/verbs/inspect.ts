/**
 * `inspect FILE...`: one screen on any volume or particle file.
 * @module
 */
import { axisLetters } from "../../plugins/formats/axis_order.ts";
import { examineParticles, type Extent, type ParticleExamination } from "../../plugins/formats/examine_particles.ts";
import { examineVolume, type VolumeExamination } from "../../plugins/formats/examine_volume.ts";
import { detectParticles, particleFormat, readFileHead, readParticles } from "../../plugins/formats/particles.ts";
import { isAddress, splitHdf5Path } from "../../plugins/formats/volume_path.ts";
import { shortNumber } from "../../plugins/formats/voxel_size.ts";
import { isExpected } from "../errors.ts";
import { stderrProgress } from "../progress.ts";

/** What was found in one file. */
export type Inspection =
  | { readonly kind: "volume"; readonly path: string; readonly volume: VolumeExamination }
  | { readonly kind: "particles"; readonly path: string; readonly particles: ParticleExamination };

function bytesWords(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toPrecision(3)} ${units[power]}`;
}

function lines(rows: readonly (readonly [string, string])[], anomalies: readonly string[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`),
    ...(anomalies.length === 0 ? ["  nothing odd was found"] : anomalies.map((text) => `  ! ${text}`)),
  ];
}

function volumeText({ description, voxelSizeAngstrom, statistics, contrast, anomalies }: VolumeExamination): string {
  const { path, format, compression, fileBytes, shapeZyx: [nz, ny, nx], volumes, voxelType, byteOrder } = description;
  const extent = voxelSizeAngstrom ? ` (${[nx, ny, nz].map((n) => (n * voxelSizeAngstrom / 10).toFixed(0)).join(" x ")} nm)` : "";
  const rows: [string, string][] = [
    ["shape", `${nx} x ${ny} x ${nz} voxels (x, y, z)${extent}${volumes > 1 ? `, ${volumes} of them` : ""}`],
    [
      "voxel size",
      voxelSizeAngstrom === null ? "differs between axes" : voxelSizeAngstrom === 0 ? "not set" : `${shortNumber(voxelSizeAngstrom)} A`,
    ],
    ["stored as", `${voxelType}, byte order ${byteOrder}, columns rows sections = ${axisLetters(description.axes)}`],
  ];
  if (description.originXyzAngstrom.some((value) => value !== 0)) {
    rows.push(["origin", `${description.originXyzAngstrom.map(shortNumber).join(", ")} A (x, y, z)`]);
  }
  if (statistics) {
    rows.push([
      "voxels",
      `min ${shortNumber(statistics.min)}, max ${shortNumber(statistics.max)}, mean ${shortNumber(statistics.mean)}, deviation ${
        shortNumber(statistics.rms)
      }`,
    ]);
  }
  if (contrast) {
    const skewness = `skewness of 4-voxel means ${contrast.skewness.toFixed(2)}`;
    rows.push([
      "contrast",
      contrast.contrast === "unclear" ? `unclear (${skewness})` : `probably ${contrast.contrast} (a guess: ${skewness})`,
    ]);
  }
  rows.push(...Object.entries(description.facts));
  const size = fileBytes === null ? "" : `, ${bytesWords(fileBytes)}`;
  return [`${path}: ${format} volume${compression === "none" ? "" : `, ${compression}`}${size}`, ...lines(rows, anomalies)].join("\n");
}

function counts(record: Readonly<Record<string, number>>, most: number): string {
  const entries = Object.entries(record),
    shown = entries.slice(0, most).map(([name, count]) => `${name === "" ? "(unnamed)" : name} ${count}`);
  return shown.join(", ") + (entries.length > most ? `, and ${entries.length - most} more` : "");
}

const extentWords = ({ min, max }: Extent) => `${shortNumber(min)} to ${shortNumber(max)}`;

function particlesText(
  path: string,
  { set, tomograms, extentXyz, voxelSizesAngstrom, score, classes, frame, anomalies }: ParticleExamination,
): string {
  const columns = Object.keys(set.columns);
  const rows: [string, string][] = [["particles", `${set.count} in ${Object.keys(tomograms).length} tomograms: ${counts(tomograms, 4)}`], [
    "coordinates",
    frame,
  ]];
  if (extentXyz) rows.push(["x, y, z", extentXyz.map(extentWords).join("; ")]);
  rows.push([
    "voxel size",
    voxelSizesAngstrom.length === 0 ? "not said" : `${voxelSizesAngstrom.slice(0, 4).map(shortNumber).join(", ")} A`,
  ]);
  rows.push(["angles", set.eulerZyzDegrees ? "yes" : "none"]);
  if (set.shiftsXyz) rows.push(["shifts", "yes, contained in the coordinates above"]);
  if (score) rows.push(["score", extentWords(score)]);
  if (classes) rows.push(["classes", counts(classes, 8)]);
  if (columns.length > 0) {
    rows.push(["other columns", `${columns.slice(0, 10).join(", ")}${columns.length > 10 ? `, and ${columns.length - 10} more` : ""}`]);
  }
  return [`${path}: ${particleFormat(set.format)?.title ?? set.format} particles`, ...lines(rows, anomalies)].join("\n");
}

/** The screen that `inspect` prints of one file. */
export function inspectionText(found: Inspection): string {
  return found.kind === "volume" ? volumeText(found.volume) : particlesText(found.path, found.particles);
}

/** What `--json` has of one file: no arrays of voxels or coordinates. */
export function inspectionRecord(found: Inspection): Record<string, unknown> {
  const { kind, path } = found;
  if (found.kind === "volume") {
    const { description: { raster: _raster, ...description }, ...rest } = found.volume;
    return { kind, ...description, headerStatistics: description.statistics, ...rest };
  }
  const { set, ...rest } = found.particles;
  const { format, count, unit, origin, centre, columns } = set;
  return {
    kind,
    path,
    format,
    count,
    unit,
    origin,
    ...(centre ? { centre } : {}),
    angles: set.eulerZyzDegrees !== undefined,
    columns: Object.keys(columns),
    ...rest,
  };
}

/** Whether a path is a plain file, which may hold particles. */
async function isPlainFile(path: string): Promise<boolean> {
  if (isAddress(path) || splitHdf5Path(path).dataset !== null) return false;
  return await Deno.stat(path).then((stat) => stat.isFile, () => false);
}

/**
 * Looks at one file: as particles where it is such a file, else as a volume.
 * @throws {InputError} When it is missing, damaged or of no known format.
 */
export async function inspect(
  path: string,
  options: { readonly voxels?: boolean; readonly signal?: AbortSignal; readonly progress?: (done: number, total: number) => void } = {},
): Promise<Inspection> {
  if (await isPlainFile(path) && detectParticles(await readFileHead(path)) !== null) {
    return { kind: "particles", path, particles: examineParticles(await readParticles(path)) };
  }
  return { kind: "volume", path, volume: await examineVolume(path, options) };
}

/**
 * Prints one screen for each file to stdout; `json`: one object. A file that cannot be read is said on stderr, and the others go on.
 *
 * @param options `header`: voxels are not read.
 * @returns Exit code 0, or 1 when a file could not be read.
 */
export async function inspectVerb(
  options: { readonly files: readonly string[]; readonly header: boolean; readonly json: boolean; readonly signal: AbortSignal },
): Promise<number> {
  const { files, header, json, signal } = options;
  const records: Record<string, unknown>[] = [], problems: string[] = [];
  const progress = stderrProgress();
  try {
    for (const [i, path] of files.entries()) {
      try {
        const found = await inspect(path, {
          voxels: !header,
          signal,
          progress: (done, total) => done < total ? progress.update(path, done, total) : undefined,
        });
        records.push(inspectionRecord(found));
        if (!json) console.log((i > 0 ? "\n" : "") + inspectionText(found));
      } catch (error) {
        if (!isExpected(error)) throw error;
        problems.push(error.message);
        console.error(error.message);
      }
    }
  } finally {
    progress.close();
  }
  if (json) console.log(JSON.stringify({ status: problems.length > 0 ? "failed" : "done", files: records, problems }, null, 2));
  return problems.length > 0 ? 1 : 0;
}
