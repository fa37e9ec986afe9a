/**
 * Particles of a species in M's STAR files (`*_particles.star`).
 *
 * Origin and unit: `wrpCoordinateX1/Y1/Z1` are Angstrom, 0 at the centre of the first voxel; there are no shifts. With more than one time point
 * (X2, X3 ...) the first is taken. Angles: `wrpAngleRot1/Tilt1/Psi1` as RELION's. `wrpSourceName` names the tilt series. `wrpSourceHash` binds a
 * row to a data source of M: it cannot be made, only kept.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { eulerZyzToMatrix, matrixToEulerZyz } from "../kernels/rotation.ts";
import { axisOf, interleave } from "./number_lines.ts";
import { leftOutNote, type ParticleFormat, type WrittenParticles } from "./particle_format.ts";
import { type ParticleSet, tomogramStem } from "./particle_set.ts";
import { buildLoop, findParticles, keepAngles, ownStar, replacedItems, sourceLoop } from "./particle_star.ts";
import { finiteColumn } from "./relion_particles.ts";
import { columnOf, formatStar, parseStar } from "./star.ts";

const PLACE = ["X", "Y", "Z"].map((axis) => `wrpCoordinate${axis}1`), ANGLE = ["Rot", "Tilt", "Psi"].map((name) => `wrpAngle${name}1`);
/** A file of one time point may leave out the number. */
const PLAIN_PLACE = PLACE.map((name) => name.slice(0, -1)), PLAIN_ANGLE = ANGLE.map((name) => name.slice(0, -1));

function read(bytes: Uint8Array, path: string): ParticleSet {
  const file = parseStar(new TextDecoder().decode(bytes), path);
  const found = findParticles(file, [PLACE, PLAIN_PLACE]);
  if (!found) throw new InputError(path, "no table with _wrpCoordinateX1, Y1 and Z1: is this a particle file of M?");
  const { loop } = found, count = loop.rows.length, numbered = PLACE.every((name) => loop.columns.includes(name));
  const three = (names: readonly string[]) => {
    if (!names.every((name) => loop.columns.includes(name))) return null;
    const [x, y, z] = names.map((name) => finiteColumn(loop, name, path));
    return interleave(x, y, z);
  };
  const place = numbered ? PLACE : PLAIN_PLACE, angle = numbered ? ANGLE : PLAIN_ANGLE;
  const angles = three(angle);
  const understood = new Set([...place, ...angle, "wrpSourceName"]);
  const times = loop.columns.filter((name) => /^wrpCoordinateX\d+$/.test(name)).length;
  return {
    path,
    format: "m",
    count,
    positionsXyz: three(place)!,
    unit: "angstrom",
    origin: "first-voxel",
    voxelSizeAngstrom: new Float64Array(count).fill(NaN),
    tomograms: columnOf(loop, "wrpSourceName") ?? new Array(count).fill(""),
    ...(angles ? { eulerZyzDegrees: angles } : {}),
    columns: Object.fromEntries(loop.columns.filter((name) => !understood.has(name)).map((name) => [name, columnOf(loop, name)!])),
    star: { file, block: found.block, item: found.item },
    assumed: times > 1 ? [`of ${times} time points the first was taken`] : [],
  };
}

function write(set: ParticleSet): WrittenParticles {
  const star = ownStar(set, ["m"]), source = star && sourceLoop(star);
  const plain = source !== null && !PLACE.every((name) => source.columns.includes(name));
  const columns = new Map<string, ArrayLike<number | string>>();
  (plain ? PLAIN_PLACE : PLACE).forEach((name, axis) => columns.set(name, axisOf(set.positionsXyz, axis)));
  if (set.eulerZyzDegrees) {
    const names = plain ? PLAIN_ANGLE : ANGLE;
    const canonical = (rot: number, tilt: number, psi: number) => matrixToEulerZyz(eulerZyzToMatrix(rot, tilt, psi));
    keepAngles(source, names, set.eulerZyzDegrees, canonical).forEach((column, k) => columns.set(names[k], column));
  }
  const subsets = set.columns.rlnRandomSubset;
  if (!source && subsets) columns.set("wrpRandomSubset", subsets);
  const named = set.tomograms.some((name) => name !== "");
  if (named) columns.set("wrpSourceName", source ? set.tomograms : set.tomograms.map((name) => `${tomogramStem(name)}.tomostar`));
  const loop = buildLoop(set.count, columns, source, () => false);
  const notes = source?.columns.includes("wrpSourceHash")
    ? []
    : ["no _wrpSourceHash: import the particles into M instead of replacing a species' file"];
  const rest = source ? [] : Object.keys(set.columns).filter((name) => name !== "rlnRandomSubset");
  if (set.score) rest.push("score");
  if (set.labels) rest.push("class");
  const blocks = star
    ? star.file.blocks.map((block, i) => i === star.block ? { ...block, items: replacedItems(star, loop) } : block)
    : [{ name: "particles", items: [loop] }];
  return { content: formatStar({ preamble: star?.file.preamble ?? [], blocks }), notes: [...notes, ...leftOutNote(rest)] };
}

/** M's particles. */
export const mParticles: ParticleFormat = {
  id: "m",
  title: "M particles",
  extensions: [],
  frame: { unit: "angstrom", origin: "first-voxel" },
  manyTomograms: true,
  detect: ({ text }) => /^\s*_wrpCoordinateX1?\b/m.test(text) && /^data_/m.test(text),
  read: (bytes, path) => read(bytes, path),
  write,
};
