/**
 * Writes particles as STAR files of RELION 3.0, 3.1, 4, 5 and Warp. The rules of each column stand in `relion_particles.ts`.
 *
 * A set that was read from such a file keeps its blocks, unknown columns and the order of both, and the text of every value that did not
 * change. Warp gets positions without shifts; the others keep a shift apart as minus `rlnOrigin...`.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { eulerZyzToMatrix, matrixToEulerZyz, multiply3, transpose3 } from "../kernels/rotation.ts";
import { type ParticleWriteOptions, plainNumber, type WrittenParticles } from "./particle_format.ts";
import { buildLoop, keepAngles, keepText, ownStar, replacedItems, sourceLoop } from "./particle_star.ts";
import { type ParticleSet, tomogramStem } from "./particle_set.ts";
import { relionColumns, subtomogramAngles, turnShifts } from "./relion_particles.ts";
import { formatStar, loopOf, numbersOf, type StarBlock, type StarItem, type StarLoop } from "./star.ts";

/** STAR files that RELION's family of programs reads. */
export type RelionDialect = "relion3.0" | "relion3.1" | "relion4" | "relion5" | "warp";
/** All of them. */
export const relionDialects: readonly RelionDialect[] = ["relion3.0", "relion3.1", "relion4", "relion5", "warp"];

const OPTICS_SIZES = ["rlnTomoTiltSeriesPixelSize", "rlnMicrographPixelSize", "rlnImagePixelSize"] as const;

/** RELION splits values at blanks, even in quotes, and cannot read empty ones. */
function relionValue(value: string): string {
  const safe = value.trim().replaceAll(/\s+/g, "_").replaceAll(/["'#]/g, "_");
  return safe === "" ? "None" : safe;
}

/** The particles' own columns, by name, as numbers or text. */
type Columns = Map<string, ArrayLike<number | string>>;

/** Columns of angles, coordinates and shifts as the dialect has them. */
function geometryOf(set: ParticleSet, dialect: RelionDialect, sub: Float64Array | null, source: StarLoop | null): Columns {
  const columns: Columns = new Map();
  const add = (names: readonly string[], xyz: ArrayLike<number>) =>
    names.forEach((name, axis) => columns.set(name, Array.from({ length: set.count }, (_, i) => xyz[3 * i + axis])));
  // Warp's own picks have no shifts; a file that has them keeps them.
  const shifts = dialect === "warp" && !source ? undefined : set.shiftsXyz;
  const base = shifts ? set.positionsXyz.map((value, i) => value - shifts[i]) : set.positionsXyz;
  add(dialect === "relion5" ? relionColumns.centred : relionColumns.coordinate, base);
  if (shifts) {
    const turned = sub ? turnShifts(shifts, sub, true) : shifts;
    const old = dialect === "relion3.0" || dialect === "warp";
    const inVoxels = old && !source?.columns.includes(relionColumns.originAngstrom[0]);
    const scale = (i: number) => dialect === "relion5" || inVoxels ? 1 : set.voxelSizeAngstrom[Math.floor(i / 3)];
    const origins = turned.map((value, i) => value === 0 ? 0 : -value * scale(i));
    if (origins.some(Number.isNaN)) {
      throw new InputError(
        set.path,
        "its shifts are voxels whose size is not known, and RELION wants them in Angstrom: give --voxel-size ANGSTROM",
      );
    }
    add(inVoxels ? relionColumns.origin : relionColumns.originAngstrom, origins);
  }
  if (set.eulerZyzDegrees) {
    const angles = sub ? withoutSubtomogram(set.eulerZyzDegrees, sub) : set.eulerZyzDegrees;
    const canonical = (rot: number, tilt: number, psi: number) => matrixToEulerZyz(eulerZyzToMatrix(rot, tilt, psi));
    keepAngles(source, relionColumns.angle, angles, canonical).forEach((column, k) => columns.set(relionColumns.angle[k], column));
  }
  if (sub) add(relionColumns.subtomogramAngle, sub);
  return columns;
}

/** Angles of the particle within its subtomogram. */
function withoutSubtomogram(total: Float64Array, sub: Float64Array): Float64Array {
  const out = new Float64Array(total.length);
  for (let at = 0; at < total.length; at += 3) {
    const first = transpose3(eulerZyzToMatrix(sub[at], sub[at + 1], sub[at + 2]));
    out.set(matrixToEulerZyz(multiply3(first, eulerZyzToMatrix(total[at], total[at + 1], total[at + 2]))), at);
  }
  return out;
}

/** Columns of pixel sizes: those of the source say what the coordinates count now; without an optics table RELION 3.0's are added. */
function pixelColumns(set: ParticleSet, dialect: RelionDialect, source: StarLoop | null): Columns {
  const columns: Columns = new Map(), sizes = Array.from(set.voxelSizeAngstrom);
  if (set.count === 0 || !sizes.every((size) => size > 0)) return columns;
  const has = (name: string) => source?.columns.includes(name) === true;
  if (has("rlnPixelSize")) columns.set("rlnPixelSize", sizes);
  else if (has("rlnDetectorPixelSize") && has("rlnMagnification")) {
    const magnification = numbersOf(source!, "rlnMagnification", set.path);
    columns.set("rlnDetectorPixelSize", sizes.map((size, i) => size * magnification[i] / 1e4));
  } else if (dialect === "relion3.0" || dialect === "warp") {
    columns.set("rlnMagnification", new Array(set.count).fill(10000));
    columns.set("rlnDetectorPixelSize", sizes);
  }
  return columns;
}

/** Every column that the dialect has, in the order in which a new file has them. */
function columnsOf(
  set: ParticleSet,
  dialect: RelionDialect,
  sub: Float64Array | null,
  source: StarLoop | null,
  groups: Int32Array,
): Columns {
  const columns: Columns = new Map();
  const nameless = set.tomograms.every((name) => name === "");
  if (!nameless || !source) {
    const own = source && relionColumns.tomogram.find((name) => source.columns.includes(name));
    const names = set.tomograms.map((name) => relionValue(name === "" ? "tomogram" : name));
    const wanted = dialect === "relion4" || dialect === "relion5" ? "rlnTomoName" : dialect === "warp" || !own ? "rlnMicrographName" : own;
    columns.set(wanted, dialect === "warp" ? names.map((name) => `${tomogramStem(name)}.tomostar`) : names);
  }
  for (const [name, values] of geometryOf(set, dialect, sub, source)) columns.set(name, values);
  if (set.labels?.every((label) => /^-?\d+$/.test(label))) columns.set(relionColumns.label, set.labels);
  else if (set.labels) columns.set("tomosieveLabel", set.labels.map(relionValue));
  if (set.score) columns.set(relionColumns.score, Array.from(set.score));
  for (const [name, values] of pixelColumns(set, dialect, source)) columns.set(name, values);
  if (dialect !== "relion3.0" && dialect !== "warp") columns.set("rlnOpticsGroup", Array.from(groups));
  return columns;
}

const UNDERSTOOD = new Set<string>([
  ...[
    ...relionColumns.coordinate,
    ...relionColumns.centred,
    ...relionColumns.originAngstrom,
    ...relionColumns.origin,
    ...relionColumns.angle,
  ],
  ...[...relionColumns.subtomogramAngle, ...relionColumns.tomogram, relionColumns.score, relionColumns.label],
]);

/** The table: the source's columns in their order where there is a source, new ones behind. */
function loopFor(set: ParticleSet, columns: Columns, source: StarLoop | null): StarLoop {
  // A second name of the tomogram (rlnMicrographName beside rlnTomoName) is kept, and so are the groups of the optics table.
  const second: readonly string[] = relionColumns.tomogram;
  const own = source?.columns.includes("rlnOpticsGroup") ? new Map([...columns].filter(([name]) => name !== "rlnOpticsGroup")) : columns;
  const extra: Record<string, readonly string[]> = {};
  if (!source) {
    for (const [given, values] of Object.entries(set.columns)) {
      const name = given.replaceAll(/[^\w.]+/g, "_");
      if (name !== "") extra[name] = values.map(relionValue);
    }
  }
  return buildLoop(set.count, own, source, (name) => UNDERSTOOD.has(name) && !second.includes(name), extra);
}

/** Group of each particle, one a voxel size, and the sizes. */
function groupsOf(set: ParticleSet): { groups: Int32Array; sizes: number[] } {
  const sizes: number[] = [];
  const groups = Int32Array.from(set.voxelSizeAngstrom, (size) => {
    const at = sizes.findIndex((other) => Object.is(other, size));
    return (at >= 0 ? at : sizes.push(size) - 1) + 1;
  });
  return { groups, sizes };
}

function newOptics(set: ParticleSet, dialect: RelionDialect, sizes: readonly number[]): StarLoop {
  if (sizes.some((size) => !(size > 0))) {
    throw new InputError(
      set.path,
      `the voxel size is not known, and RELION's optics table needs one: give --voxel-size ANGSTROM or --tomogram FILE`,
    );
  }
  const tilt = dialect === "relion4" || dialect === "relion5";
  return {
    kind: "loop",
    columns: [
      ...["rlnOpticsGroup", "rlnOpticsGroupName", "rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast"],
      ...[tilt ? "rlnTomoTiltSeriesPixelSize" : "rlnImagePixelSize", "rlnImageDimensionality"],
    ],
    rows: sizes.map((size, i) => [String(i + 1), `opticsGroup${i + 1}`, "300", "2.7", "0.1", plainNumber(size), "3"]),
  };
}

/** The source's optics table with the sizes that the coordinates count now. */
function mendedOptics(optics: StarLoop, dialect: RelionDialect, set: ParticleSet, particles: StarLoop): StarLoop {
  const group = optics.columns.indexOf("rlnOpticsGroup"), own = particles.columns.indexOf("rlnOpticsGroup");
  const known = OPTICS_SIZES.find((name) => optics.columns.includes(name));
  const name = (dialect === "relion4" || dialect === "relion5") ? OPTICS_SIZES[0] : known ?? "rlnImagePixelSize";
  const at = optics.columns.includes(name) ? optics.columns.indexOf(name) : optics.columns.length;
  const rows = optics.rows.map((row) => {
    const first = particles.rows.findIndex((particle) => particle[own] === row[group]);
    const size = first < 0 ? NaN : set.voxelSizeAngstrom[first];
    const text = size > 0 ? keepText(row[at], size) : row[at] ?? row[optics.columns.indexOf(known ?? "")] ?? "0";
    return [...row.slice(0, at), text, ...row.slice(at + 1)];
  });
  return { kind: "loop", columns: at < optics.columns.length ? optics.columns : [...optics.columns, name], rows };
}

/** Writes a set, already in the dialect's frame, as STAR text. @throws {InputError} When a voxel size is needed and not known. */
export function writeRelionParticles(set: ParticleSet, dialect: RelionDialect, _options: ParticleWriteOptions = {}): WrittenParticles {
  const star = ownStar(set, relionDialects);
  const source = star && sourceLoop(star);
  const old = dialect === "relion3.0" || dialect === "warp";
  const sub = source && !old ? subtomogramAngles(source, set.path) : null;
  const { groups, sizes } = groupsOf(set);
  const columns = columnsOf(set, dialect, sub, source, groups);
  const loop = loopFor(set, columns, source);
  const notes: string[] = [];
  const version = { kind: "comment", text: "version 30001" } as const;
  const opticsAt = star
    ? star.file.blocks.findIndex((block, i) => i !== star.block && loopOf(block).columns.includes("rlnOpticsGroup"))
    : -1;
  const particlesName = old ? "" : "particles";
  const items = (replaced: StarLoop): StarItem[] => star ? replacedItems(star, replaced) : [replaced];
  if (star && opticsAt >= 0 && old) notes.push("the optics table is left out: it belongs to RELION 3.1 and later");
  const blocks: StarBlock[] = [];
  if (!old && opticsAt < 0) {
    blocks.push({ name: "optics", items: [newOptics(set, dialect, sizes), version] });
    notes.push("the optics table is new: 300 kV, spherical aberration 2.7 mm and amplitude contrast 0.1 are assumed");
  }
  if (!star) blocks.push({ name: particlesName, items: items(loop) });
  star?.file.blocks.forEach((block, i) => {
    if (i === star.block) {
      blocks.push({
        name: block.name === "" && !old ? particlesName : old && block.name === "particles" ? "" : block.name,
        items: items(loop),
      });
    } else if (i !== opticsAt) blocks.push(block);
    else if (!old) {
      const mended = mendedOptics(loopOf(block), dialect, set, loop);
      const kept = block.items.filter((item) => item.kind !== "pair"), table = kept.findIndex((item) => item.kind === "loop");
      blocks.push({ name: block.name, items: table < 0 ? [...kept, mended] : kept.map((item, k) => k === table ? mended : item) });
    }
  });
  const preamble = star ? star.file.preamble : [{ kind: "comment", text: "made by tomosieve" } as const, ...(old ? [] : [version])];
  return { content: formatStar({ preamble, blocks }), notes };
}
