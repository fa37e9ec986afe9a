/**
 * A volume file looked at from beginning to end: statistics, contrast, and what does not agree with its header.
 * @module
 */
import type { Triple } from "../../streams/contract.ts";
import { type ContrastGuess, ContrastProbe } from "../kernels/contrast.ts";
import { RunningStatistics, type Statistics } from "../kernels/running_statistics.ts";
import {
  describeVolumeFile,
  streamedAxes,
  streamedShape,
  streamVolumeFile,
  type VolumeDescription,
  type VolumeFileOptions,
  voxelSizeOf,
} from "./volume_file.ts";
import { axisLetters, isStraight } from "./axis_order.ts";
import { shortNumber } from "./voxel_size.ts";

/** What was found. */
export interface VolumeExamination {
  readonly description: VolumeDescription;
  /** One size for all axes; 0 when unset, `null` when the axes differ. */
  readonly voxelSizeAngstrom: number | null;
  /** Of the finite voxels; `null` when voxels were not read. */
  readonly statistics: Statistics | null;
  readonly contrast: ContrastGuess | null;
  /** Sections whose voxels are all alike, in the order of the file. */
  readonly constantSections: number;
  readonly nonFiniteVoxels: number;
  /** What is odd, one sentence each, the description's first. */
  readonly anomalies: readonly string[];
}

/** Groups of four sections that the contrast is guessed from. */
const PROBES = 12;
/** Difference between header and voxels, in deviations, beyond which they disagree. */
const STATISTICS_TOLERANCE = 1e-3;
/** Share of integer voxels at an end of their range beyond which they are said to be clipped. */
const CLIPPED_SHARE = 0.001;
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  uint4: [0, 15],
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

/** How many voxels have the values at the ends of their type's range, and which values of few there are. */
class IntegerProbe {
  readonly #ends: readonly [number, number];
  readonly #values = new Set<number>();
  clipped = 0;

  constructor(ends: readonly [number, number]) {
    this.#ends = ends;
  }

  add(values: Float32Array): void {
    const [low, high] = this.#ends;
    for (let i = 0; i < values.length; i++) if (values[i] === low || values[i] === high) this.clipped++;
    if (this.#values.size > 16) return;
    for (let i = 0; i < values.length && this.#values.size <= 16; i++) this.#values.add(values[i]);
  }

  /** All values, when there are no more than 16. */
  get few(): number[] | null {
    return this.#values.size <= 16 ? [...this.#values].sort((a, b) => a - b) : null;
  }
}

/** Statistics in a header that say that nobody has computed them. */
function areStated({ min, max, mean }: Statistics): boolean {
  return min < max && mean >= min || min === max && mean === min && min !== 0;
}

function compareStatistics(stated: Statistics, found: Statistics): string[] {
  if (!areStated(stated)) return [];
  const allowed = STATISTICS_TOLERANCE * Math.max(found.rms, 1e-6 * Math.abs(found.mean), 1e-30);
  const differ: string[] = [];
  for (const key of ["min", "max", "mean"] as const) {
    const rounding = 1e-5 * Math.abs(found[key]);
    if (!(Math.abs(stated[key] - found[key]) <= Math.max(allowed, rounding))) {
      differ.push(`${key} ${shortNumber(stated[key])} in the header, ${shortNumber(found[key])} in the voxels`);
    }
  }
  // 0 and below mean that it was not computed.
  if (stated.rms > 0 && Math.abs(stated.rms / found.rms - 1) > 0.01) {
    differ.push(`deviation ${shortNumber(stated.rms)} in the header, ${shortNumber(found.rms)} in the voxels`);
  }
  return differ.length > 0 ? [`statistics of the header are not those of the voxels: ${differ.join("; ")}`] : [];
}

function doubtShape({ shapeZyx: [nz, ny, nx], path, volumes, tiltAnglesDegrees, format }: VolumeDescription): string[] {
  const doubts: string[] = [];
  if (tiltAnglesDegrees && tiltAnglesDegrees.length === nz || /\.(st|ali)(\.(gz|bz2))?$/i.test(path) && nz <= 200) {
    doubts.push(`looks like a tilt series of ${nz} images rather than a tomogram`);
  } else if (nz === 1) doubts.push("a single section: an image rather than a tomogram");
  else if (ny < nx / 1.5 && ny < nz / 1.5) {
    doubts.push(`thinnest along y (${ny}): a reconstruction whose y and z were not exchanged yet? (IMOD: trimvol -rx)`);
  } else if (format === "MRC" && volumes === 1 && ny === nx && nz > ny && nz % ny === 0 && ny <= 256) {
    doubts.push(`${nz} sections are ${nz / ny} times ${ny}: a stack of boxes? (source subtomogram-stack)`);
  }
  return doubts;
}

function doubtVoxelSize(description: VolumeDescription): { size: number | null; doubts: string[] } {
  const sizes = description.voxelSizeXyzAngstrom;
  let size: number;
  try {
    size = voxelSizeOf(description);
  } catch {
    return { size: null, doubts: [`voxel size differs between axes: ${sizes.map(shortNumber).join(" x ")} A (x, y, z)`] };
  }
  if (size === 0) return { size, doubts: ["voxel size is 0: not set; state voxelSizeAngstrom"] };
  if (size === 1) return { size, doubts: ["voxel size is exactly 1 A, which often means that it was never set"] };
  return { size, doubts: size > 100 || size < 0.1 ? [`voxel size of ${shortNumber(size)} A is unusual: nanometre for Angstrom?`] : [] };
}

/**
 * Looks at a volume file. Memory does not grow with it.
 *
 * @param options `voxels: false` reads the header alone. `progress` is told sections done and all.
 * @throws {InputError} When the file cannot be read.
 */
export async function examineVolume(
  path: string,
  options: VolumeFileOptions & {
    readonly voxels?: boolean;
    readonly signal?: AbortSignal;
    readonly progress?: (done: number, total: number) => void;
  } = {},
): Promise<VolumeExamination> {
  const description = await describeVolumeFile(path, options);
  const { size, doubts } = doubtVoxelSize(description);
  const anomalies = [...description.anomalies, ...doubts, ...doubtShape(description)];
  if (!isStraight(description.axes)) {
    anomalies.push(`columns, rows, sections are ${axisLetters(description.axes)}: put into x, y, z here, but ignored by many programs`);
  }
  const common = { description, voxelSizeAngstrom: size };
  if (options.voxels === false) {
    return { ...common, statistics: null, contrast: null, constantSections: 0, nonFiniteVoxels: 0, anomalies };
  }
  const seen = await readThrough(description, options);
  return { ...common, ...seen, anomalies: [...anomalies, ...seen.anomalies] };
}

type Seen = Pick<VolumeExamination, "statistics" | "contrast" | "constantSections" | "nonFiniteVoxels" | "anomalies">;

async function readThrough(
  description: VolumeDescription,
  { signal, progress }: { signal?: AbortSignal; progress?: (done: number, total: number) => void },
): Promise<Seen> {
  const shape: Triple = streamedShape(description), [nz, ny, nx] = shape, area = ny * nx;
  const running = new RunningStatistics(), probe = new ContrastProbe();
  const ends = RANGES[description.voxelType], integers = ends ? new IntegerProbe(ends) : null;
  const every = Math.max(4, Math.floor(nz / PROBES));
  // Made when a piece has come: a damaged header may state sections that no memory holds.
  let four: Float32Array | null = null;
  let z = 0, constant = 0, firstConstant = -1, firstBad = "";
  for await (const piece of streamVolumeFile(description, "keep")) {
    signal?.throwIfAborted();
    integers?.add(piece);
    for (let at = 0; at < piece.length; at += area, z++) {
      const section = piece.subarray(at, at + area), part = running.add(section);
      if (part.firstNonFinite >= 0 && firstBad === "") {
        const axes = streamedAxes(description), place = [part.firstNonFinite % nx, Math.floor(part.firstNonFinite / nx), z];
        firstBad = [1, 2, 3].map((axis) => `${"xyz"[axis - 1]} ${place[axes.indexOf(axis)]}`).join(", ");
      }
      if (part.firstNonFinite < 0 && part.min === part.max) {
        constant++;
        if (firstConstant < 0) firstConstant = z;
      }
      const within = z % every;
      if (within < 4) {
        four ??= new Float32Array(4 * area);
        four.set(section, within * area);
        if (within === 3) probe.add(four, ny, nx);
      }
    }
    progress?.(z, nz);
  }
  const statistics = running.result(), anomalies: string[] = [];
  if (running.nonFinite > 0) anomalies.push(`${running.nonFinite} voxels are NaN or infinite, the first at ${firstBad}: replace them`);
  if (constant === nz) {
    anomalies.push(`every voxel of every section is alike (${shortNumber(statistics.min)}): an empty or failed reconstruction`);
  } else if (constant > 0) anomalies.push(`${constant} of ${nz} sections are constant, the first is number ${firstConstant} (from 0)`);
  if (description.statistics) anomalies.push(...compareStatistics(description.statistics, statistics));
  const few = integers?.few;
  if (few && constant < nz) anomalies.push(`holds the values ${few.join(", ")} and no other: a mask or labels rather than a density`);
  else if (integers && integers.clipped > CLIPPED_SHARE * running.count) {
    anomalies.push(
      `${
        (100 * integers.clipped / running.count).toPrecision(2)
      } % of the voxels are at an end of the range of ${description.voxelType}: clipped`,
    );
  }
  return { statistics, contrast: probe.guess(), constantSections: constant, nonFiniteVoxels: running.nonFinite, anomalies };
}
