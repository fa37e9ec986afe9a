/**
 * Particles in RELION's STAR files, 3.0 to 5, and in Warp's, which follow 3.0.
 *
 * Origin and unit: `rlnCoordinateX/Y/Z` are voxels, 0 at the centre of the first voxel; `rlnCenteredCoordinateX/Y/ZAngst` (RELION 5) are
 * Angstrom from the tomogram's centre, index dims / 2 as in RELION's programs and copick (dims / 2 - 1 as in its Python picker by option), and
 * hold where both stand. The voxel is that of the tilt series (`rlnTomoTiltSeriesPixelSize`), else `rlnMicrographPixelSize`, else
 * `rlnImagePixelSize` of the optics group, else `rlnPixelSize`, else `rlnDetectorPixelSize` x 10000 / `rlnMagnification`.
 * Sign of shifts: position = coordinate - origin; `rlnOriginX/Y/ZAngst` in Angstrom (3.1 and later), `rlnOriginX/Y/Z` in voxels (3.0).
 * Angles: `rlnAngleRot/Tilt/Psi`, intrinsic ZYZ, degrees; their matrix A carries the reference into the tomogram. With
 * `rlnTomoSubtomogramRot/Tilt/Psi` (RELION 4 and 5) the whole is A(subtomogram) A(particle), and origins are turned by A(subtomogram).
 * Sources: RELION's own code; `relion_reconstruct` in tests/proof/.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { eulerZyzToMatrix, matrixToEulerZyz, multiply3, transpose3 } from "../kernels/rotation.ts";
import type { ParticleReadOptions } from "./particle_format.ts";
import type { ParticleSet } from "./particle_set.ts";
import { findParticles } from "./particle_star.ts";
import { interleave } from "./number_lines.ts";
import { columnOf, loopOf, numbersOf, parseStar, type StarFile, type StarLoop } from "./star.ts";
import { shortNumber } from "./voxel_size.ts";

const AXES = ["X", "Y", "Z"] as const;
/** Names of the columns that this file understands, by what they mean. */
export const relionColumns = {
  coordinate: AXES.map((axis) => `rlnCoordinate${axis}`),
  centred: AXES.map((axis) => `rlnCenteredCoordinate${axis}Angst`),
  originAngstrom: AXES.map((axis) => `rlnOrigin${axis}Angst`),
  origin: AXES.map((axis) => `rlnOrigin${axis}`),
  angle: ["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"],
  subtomogramAngle: ["rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi"],
  score: "rlnAutopickFigureOfMerit",
  label: "rlnClassNumber",
  tomogram: ["rlnTomoName", "rlnMicrographName"],
} as const;

function three(loop: StarLoop, names: readonly string[], path: string): Float64Array | null {
  if (!names.every((name) => loop.columns.includes(name))) return null;
  const [x, y, z] = names.map((name) => finiteColumn(loop, name, path));
  return interleave(x, y, z);
}

/** A column of finite numbers. */
export function finiteColumn(loop: StarLoop, name: string, path: string): Float64Array {
  const values = numbersOf(loop, name, path);
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new InputError(path, `_${name} in row ${bad + 1} is ${loop.rows[bad][loop.columns.indexOf(name)]}, expected a finite number`);
  }
  return values;
}

/** Voxel size of each particle's coordinates, and where it stands. */
function voxelSizes(file: StarFile, loop: StarLoop, path: string): { sizes: Float64Array; source: string | null } {
  const count = loop.rows.length, none = new Float64Array(count).fill(NaN);
  const optics = file.blocks.map(loopOf).find((table) =>
    table !== loop && table.columns.includes("rlnOpticsGroup") && !table.columns.includes("rlnCoordinateX")
  );
  const inOptics = optics &&
    ["rlnTomoTiltSeriesPixelSize", "rlnMicrographPixelSize", "rlnImagePixelSize"].find((name) => optics.columns.includes(name));
  if (optics && inOptics) {
    const sizes = numbersOf(optics, inOptics, path), groups = columnOf(optics, "rlnOpticsGroup")!;
    const sizeOf = new Map(groups.map((group, i) => [group, sizes[i]]));
    const wanted = columnOf(loop, "rlnOpticsGroup") ?? (groups.length === 1 ? loop.rows.map(() => groups[0]) : undefined);
    if (!wanted) {
      throw new InputError(
        path,
        `has ${groups.length} optics groups, but the particles have no column _rlnOpticsGroup to say which is theirs`,
      );
    }
    const found = Float64Array.from(wanted, (group, i) => {
      const size = sizeOf.get(group);
      if (size === undefined) {
        throw new InputError(path, `row ${i + 1} has _rlnOpticsGroup ${group}: the optics table has ${groups.join(", ")}`);
      }
      return size > 0 ? size : NaN;
    });
    return { sizes: found, source: `optics group: ${inOptics}` };
  }
  if (loop.columns.includes("rlnPixelSize")) {
    return { sizes: numbersOf(loop, "rlnPixelSize", path).map((size) => size > 0 ? size : NaN), source: "rlnPixelSize" };
  }
  if (loop.columns.includes("rlnDetectorPixelSize") && loop.columns.includes("rlnMagnification")) {
    const pixels = numbersOf(loop, "rlnDetectorPixelSize", path), magnification = numbersOf(loop, "rlnMagnification", path);
    return {
      sizes: pixels.map((size, i) => size * 1e4 / magnification[i] > 0 ? size * 1e4 / magnification[i] : NaN),
      source: "rlnDetectorPixelSize and rlnMagnification",
    };
  }
  return { sizes: none, source: null };
}

/** Which dialect a table of particles is in. */
export function relionDialect(file: StarFile, loop: StarLoop): string {
  if (relionColumns.centred.every((name) => loop.columns.includes(name))) return "relion5";
  const tables = file.blocks.map(loopOf);
  if (tables.some((table) => table.columns.includes("rlnTomoTiltSeriesPixelSize")) || loop.columns.includes("rlnTomoParticleName")) {
    return "relion4";
  }
  if (tables.some((table) => table !== loop && table.columns.includes("rlnOpticsGroup"))) return "relion3.1";
  const micrographs = columnOf(loop, "rlnMicrographName");
  return micrographs !== undefined && micrographs.length > 0 && micrographs.every((name) => /\.tomostar$/i.test(name))
    ? "warp"
    : "relion3.0";
}

/** Matrix of a particle and of its subtomogram. */
function totalAngles(angles: Float64Array | null, sub: Float64Array, count: number): Float64Array {
  const out = new Float64Array(3 * count);
  for (let i = 0; i < count; i++) {
    const first = eulerZyzToMatrix(sub[3 * i], sub[3 * i + 1], sub[3 * i + 2]);
    const whole = angles ? multiply3(first, eulerZyzToMatrix(angles[3 * i], angles[3 * i + 1], angles[3 * i + 2])) : first;
    out.set(matrixToEulerZyz(whole), 3 * i);
  }
  return out;
}

/** Turns each shift by its subtomogram's matrix, or back. */
export function turnShifts(shifts: Float64Array, sub: Float64Array, back = false): Float64Array {
  const out = new Float64Array(shifts.length);
  for (let i = 0; 3 * i < shifts.length; i++) {
    const forth = eulerZyzToMatrix(sub[3 * i], sub[3 * i + 1], sub[3 * i + 2]), m = back ? transpose3(forth) : forth;
    for (let row = 0; row < 3; row++) {
      out[3 * i + row] = m[3 * row] * shifts[3 * i] + m[3 * row + 1] * shifts[3 * i + 1] + m[3 * row + 2] * shifts[3 * i + 2];
    }
  }
  return out;
}

/** Angles of the subtomograms, or null. */
export function subtomogramAngles(loop: StarLoop, path: string): Float64Array | null {
  return three(loop, relionColumns.subtomogramAngle, path);
}

/**
 * Particles of RELION's or Warp's STAR text.
 * @throws {InputError} When there is no table of particles, a value is no number, or a pixel size is needed and missing.
 */
export function readRelionParticles(text: string, path: string, options: ParticleReadOptions = {}): ParticleSet {
  const file = parseStar(text, path);
  const { coordinate, centred } = relionColumns;
  const found = findParticles(file, [centred, coordinate]);
  if (!found) {
    const flat = findParticles(file, [coordinate.slice(0, 2)]);
    throw new InputError(
      path,
      flat
        ? "has _rlnCoordinateX and Y but no Z: particles of micrographs have no place in a tomogram"
        : "no table with _rlnCoordinateX/Y/Z or _rlnCenteredCoordinateX/Y/ZAngst",
    );
  }
  const { loop } = found, count = loop.rows.length;
  const fromCentre = centred.every((name) => loop.columns.includes(name));
  const base = three(loop, fromCentre ? centred : coordinate, path)!;
  const { sizes, source } = voxelSizes(file, loop, path);
  const assumed: string[] = [];
  if (source === null && options.voxelSizeAngstrom !== undefined && !fromCentre) {
    sizes.fill(options.voxelSizeAngstrom);
    assumed.push(`coordinates count voxels of ${shortNumber(options.voxelSizeAngstrom)} A, as given: the file states no pixel size`);
  } else if (source !== null && !fromCentre && count > 0) {
    assumed.push(`coordinates count voxels of ${shortNumber(sizes[0])} A (${source})`);
  }
  const sub = subtomogramAngles(loop, path);
  const shifts = shiftsOf(loop, path, fromCentre, sizes, sub);
  const angles = three(loop, relionColumns.angle, path);
  const names = relionColumns.tomogram.find((name) => loop.columns.includes(name));
  const consumed = new Set<string>([
    ...(fromCentre ? [...centred, ...coordinate] : coordinate),
    ...relionColumns.originAngstrom,
    ...relionColumns.origin,
    ...relionColumns.angle,
    ...relionColumns.subtomogramAngle,
    ...[relionColumns.score, relionColumns.label, names ?? ""],
  ]);
  return {
    path,
    format: relionDialect(file, loop),
    count,
    positionsXyz: shifts ? base.map((value, i) => value + shifts[i]) : base,
    unit: fromCentre ? "angstrom" : "voxel",
    origin: fromCentre ? "centre" : "first-voxel",
    ...(fromCentre ? { centre: options.centre ?? "half" } : {}),
    ...(shifts ? { shiftsXyz: shifts } : {}),
    voxelSizeAngstrom: sizes,
    tomograms: names ? columnOf(loop, names)! : new Array(count).fill(""),
    ...(sub ? { eulerZyzDegrees: totalAngles(angles, sub, count) } : angles ? { eulerZyzDegrees: angles } : {}),
    ...(loop.columns.includes(relionColumns.score) ? { score: numbersOf(loop, relionColumns.score, path) } : {}),
    ...(loop.columns.includes(relionColumns.label) ? { labels: columnOf(loop, relionColumns.label)! } : {}),
    columns: Object.fromEntries(loop.columns.filter((name) => !consumed.has(name)).map((name) => [name, columnOf(loop, name)!])),
    star: { file, block: found.block, item: found.item },
    assumed,
  };
}

/** What is added to the coordinates, in their unit: minus the origins, turned by the subtomogram's matrix. */
function shiftsOf(loop: StarLoop, path: string, angstrom: boolean, sizes: Float64Array, sub: Float64Array | null): Float64Array | null {
  const inAngstrom = three(loop, relionColumns.originAngstrom, path), inVoxels = three(loop, relionColumns.origin, path);
  const origins = inAngstrom ?? inVoxels;
  if (!origins) return null;
  const scaled = origins.map((value, i) => {
    if (value === 0) return 0;
    if (angstrom === (inAngstrom !== null)) return -value;
    const size = sizes[Math.floor(i / 3)];
    if (!(size > 0)) {
      throw new InputError(
        path,
        `_${
          inAngstrom ? "rlnOriginXAngst" : "rlnOriginX"
        } and the coordinates have different units, and the file states no pixel size: give --voxel-size ANGSTROM`,
      );
    }
    return angstrom ? -value * size : -value / size;
  });
  return sub ? turnShifts(scaled, sub) : scaled;
}
