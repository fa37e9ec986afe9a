/**
 * Picks of copick (.json): one object, a run, a user and a session a file.
 *
 * Origin and unit: `location` is in Angstrom, 0 at the centre of the first voxel. `transformation_` is a 4 x 4 matrix: its rotation is A, which
 * carries the reference into the tomogram, its last column a shift in Angstrom: position = location + shift. `run_name` is the tomogram,
 * `pickable_object_name` the class. `score` of 1 and `instance_id` of 0 are copick's way of saying nothing; they are kept all the same.
 * @see copick's documentation, "Geometry Conventions".
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { eulerZyzToMatrix } from "../kernels/rotation.ts";
import { fieldOf, type Json, matrixRows, numberOf, parseJson, placeOf, rotationOf } from "./json_particles.ts";
import { leftOutNote, type ParticleFormat, type ParticleWriteOptions, type WrittenParticles } from "./particle_format.ts";
import type { ParticleSet } from "./particle_set.ts";

function read(bytes: Uint8Array, path: string): ParticleSet {
  const file = parseJson(new TextDecoder().decode(bytes), path);
  const points = fieldOf(file, "points") ?? [];
  if (!Array.isArray(points)) throw new InputError(path, `points is ${typeof points}, expected a list`);
  const unit = fieldOf(file, "unit") ?? "angstrom";
  if (unit !== "angstrom") throw new InputError(path, `unit is ${JSON.stringify(unit)}: copick's picks are in "angstrom"`);
  const positionsXyz = new Float64Array(3 * points.length), shiftsXyz = new Float64Array(3 * points.length);
  const eulerZyzDegrees = new Float64Array(3 * points.length), score = new Float64Array(points.length);
  const instances: string[] = [];
  points.forEach((point: Json, i) => {
    const where = `points[${i}]`, place = placeOf(fieldOf(point, "location"), `${where}.location`, path);
    const matrix = fieldOf(point, "transformation_");
    if (matrix !== undefined && matrix !== null) {
      eulerZyzDegrees.set(rotationOf(matrix, `${where}.transformation_`, path), 3 * i);
      for (let axis = 0; axis < 3; axis++) {
        shiftsXyz[3 * i + axis] = numberOf((matrix as Json[][])[axis][3], `${where}.transformation_[${axis}][3]`, path);
      }
    }
    for (let axis = 0; axis < 3; axis++) positionsXyz[3 * i + axis] = place[axis] + shiftsXyz[3 * i + axis];
    const given = fieldOf(point, "score"), instance = fieldOf(point, "instance_id");
    score[i] = typeof given === "number" ? given : 1;
    instances.push(typeof instance === "number" ? String(instance) : "0");
  });
  const run = fieldOf(file, "run_name"), object = fieldOf(file, "pickable_object_name"), spacing = fieldOf(file, "voxel_spacing");
  const oriented = eulerZyzDegrees.some((angle) => angle !== 0);
  return {
    path,
    format: "copick",
    count: points.length,
    positionsXyz,
    unit: "angstrom",
    origin: "first-voxel",
    ...(shiftsXyz.some((shift) => shift !== 0) ? { shiftsXyz } : {}),
    voxelSizeAngstrom: new Float64Array(points.length).fill(typeof spacing === "number" && spacing > 0 ? spacing : NaN),
    tomograms: new Array(points.length).fill(typeof run === "string" ? run : ""),
    ...(oriented ? { eulerZyzDegrees } : {}),
    score,
    ...(typeof object === "string" ? { labels: new Array(points.length).fill(object) } : {}),
    columns: instances.some((instance) => instance !== "0") ? { instance_id: instances } : {},
    assumed: [],
  };
}

function write(set: ParticleSet, options: ParticleWriteOptions): WrittenParticles {
  const names = new Set(set.labels ?? []);
  const object = options.objectName ?? (names.size === 1 ? [...names][0] : "particle");
  const size = set.voxelSizeAngstrom[0], e = set.eulerZyzDegrees, shifts = set.shiftsXyz;
  const points = Array.from({ length: set.count }, (_, i) => {
    const rows = e ? matrixRows(eulerZyzToMatrix(e[3 * i], e[3 * i + 1], e[3 * i + 2])) : [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
    const shift = (axis: number) => shifts?.[3 * i + axis] ?? 0;
    const [x, y, z] = [0, 1, 2].map((axis) => set.positionsXyz[3 * i + axis] - shift(axis));
    return {
      location: { x, y, z },
      transformation_: [...rows.map((row, axis) => [...row, shift(axis)]), [0, 0, 0, 1]],
      instance_id: Number(set.columns.instance_id?.[i] ?? 0) || 0,
      score: set.score && Number.isFinite(set.score[i]) ? set.score[i] : 1,
    };
  });
  const file = {
    pickable_object_name: object,
    user_id: "tomosieve",
    session_id: "0",
    run_name: set.tomograms[0] ? set.tomograms[0] : null,
    voxel_spacing: size > 0 ? size : null,
    unit: "angstrom",
    points,
  };
  const rest = Object.keys(set.columns).filter((name) => name !== "instance_id");
  if (names.size > 1 && options.objectName === undefined) rest.push(`class (${names.size} names, copick holds one object a file)`);
  return { content: JSON.stringify(file, null, 4) + "\n", notes: leftOutNote(rest) };
}

/** copick's picks. */
export const copickPicks: ParticleFormat = {
  id: "copick",
  title: "copick picks",
  extensions: [],
  frame: { unit: "angstrom", origin: "first-voxel" },
  detect: ({ text }) => /^\s*\{/.test(text) && /"pickable_object_name"|"transformation_"/.test(text),
  read,
  write,
};
