/**
 * STOPGAP's motive lists in STAR form.
 *
 * Origin and unit: `orig_x/y/z` are voxels, counted from 1 as in Matlab (STOPGAP takes TOM's lists unchanged; the CryoET Data Portal reads
 * them from 0: `firstVoxel: 0`). Sign of shifts: position = orig + shift, voxels. Angles: `phi`, `psi`, `the` as in `motl_angles.ts`.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { motlColumnsToZyz, motlToZyz, zyzToMotl, zyzToMotlColumns } from "./motl_angles.ts";
import { axisOf, interleave } from "./number_lines.ts";
import { leftOutNote, numberTomograms, type ParticleFormat, type ParticleWriteOptions, type WrittenParticles } from "./particle_format.ts";
import type { ParticleSet } from "./particle_set.ts";
import { buildLoop, findParticles, keepAngles, ownStar, replacedItems, sourceLoop } from "./particle_star.ts";
import { finiteColumn } from "./relion_particles.ts";
import { columnOf, formatStar, parseStar } from "./star.ts";

const PLACE = ["orig_x", "orig_y", "orig_z"], SHIFT = ["x_shift", "y_shift", "z_shift"], ANGLE = ["phi", "psi", "the"];
const UNDERSTOOD = new Set([...PLACE, ...SHIFT, ...ANGLE, "tomo_num", "score", "class"]);
/** Columns that a list must have, beyond those that are understood, and what stands there when nothing is known. */
const REQUIRED: readonly [string, (i: number) => string][] = [
  ["motl_idx", (i) => String(i + 1)],
  ["object", () => "1"],
  ["subtomo_num", (i) => String(i + 1)],
  ["halfset", (i) => i % 2 === 0 ? "A" : "B"],
];

function read(bytes: Uint8Array, path: string, firstVoxel: number | undefined): ParticleSet {
  const file = parseStar(new TextDecoder().decode(bytes), path);
  const found = findParticles(file, [PLACE]);
  if (!found) throw new InputError(path, "no table with _orig_x, _orig_y and _orig_z: is this a STOPGAP motive list?");
  const { loop } = found, count = loop.rows.length, first = firstVoxel ?? 1;
  const three = (names: readonly string[]) => {
    if (!names.every((name) => loop.columns.includes(name))) return null;
    const [x, y, z] = names.map((name) => finiteColumn(loop, name, path));
    return interleave(x, y, z);
  };
  const base = three(PLACE)!, shifts = three(SHIFT), angles = three(ANGLE);
  return {
    path,
    format: "stopgap",
    count,
    positionsXyz: base.map((value, i) => value + (shifts?.[i] ?? 0) - first),
    unit: "voxel",
    origin: "first-voxel",
    ...(shifts ? { shiftsXyz: shifts } : {}),
    voxelSizeAngstrom: new Float64Array(count).fill(NaN),
    tomograms: columnOf(loop, "tomo_num") ?? new Array(count).fill(""),
    ...(angles ? { eulerZyzDegrees: motlColumnsToZyz(axisOf(angles, 0), axisOf(angles, 1), axisOf(angles, 2)) } : {}),
    ...(loop.columns.includes("score") ? { score: finiteColumn(loop, "score", path) } : {}),
    ...(loop.columns.includes("class") ? { labels: columnOf(loop, "class")! } : {}),
    columns: Object.fromEntries(loop.columns.filter((name) => !UNDERSTOOD.has(name)).map((name) => [name, columnOf(loop, name)!])),
    star: { file, block: found.block, item: found.item },
    assumed: [
      `coordinates count voxels from ${first}${
        firstVoxel === undefined ? " (Matlab's way; --first-voxel 0 where they were counted from 0)" : ""
      }`,
    ],
  };
}

function write(set: ParticleSet, { firstVoxel = 1 }: ParticleWriteOptions): WrittenParticles {
  const star = ownStar(set, ["stopgap"]), source = star && sourceLoop(star);
  const { numbers, notes } = numberTomograms(set.tomograms);
  const labels = set.labels?.every((label) => /^-?\d+$/.test(label)) ? set.labels : undefined;
  const columns = new Map<string, ArrayLike<number | string>>();
  const known = (name: string) => source?.columns.includes(name) ? columnOf(source, name)! : set.columns[name];
  REQUIRED.forEach(([name, value]) => columns.set(name, known(name) ?? Array.from({ length: set.count }, (_, i) => value(i))));
  columns.set("tomo_num", numbers);
  const shifts = set.shiftsXyz ?? new Float64Array(3 * set.count);
  const base = set.positionsXyz.map((value, i) => value - shifts[i] + firstVoxel);
  PLACE.forEach((name, axis) => columns.set(name, axisOf(base, axis)));
  columns.set("score", set.score ? set.score.map((score) => Number.isFinite(score) ? score : 0) : new Float64Array(set.count));
  SHIFT.forEach((name, axis) => columns.set(name, axisOf(shifts, axis)));
  const angles = set.eulerZyzDegrees ? zyzToMotlColumns(set.eulerZyzDegrees) : new Float64Array(3 * set.count);
  keepAngles(source, ANGLE, angles, (phi, psi, theta) => zyzToMotl(...motlToZyz(phi, psi, theta))).forEach((column, k) =>
    columns.set(ANGLE[k], column)
  );
  columns.set("class", labels ?? new Array(set.count).fill("1"));
  const loop = buildLoop(set.count, columns, source, () => false);
  const rest = source ? [] : Object.keys(set.columns).filter((name) => !columns.has(name));
  if (set.labels && !labels) rest.push("class names");
  const blocks = star
    ? star.file.blocks.map((block, i) => i === star.block ? { ...block, items: replacedItems(star, loop) } : block)
    : [{ name: "stopgap_motivelist", items: [loop] }];
  return { content: formatStar({ preamble: star?.file.preamble ?? [], blocks }), notes: [...notes, ...leftOutNote(rest)] };
}

/** STOPGAP's motive lists. */
export const stopgapMotl: ParticleFormat = {
  id: "stopgap",
  title: "STOPGAP motive list",
  extensions: [],
  frame: { unit: "voxel", origin: "first-voxel" },
  manyTomograms: true,
  detect: ({ text }) => /^\s*_orig_x\b/m.test(text) && /^data_/m.test(text),
  read: (bytes, path, { firstVoxel }) => read(bytes, path, firstVoxel),
  write,
};
