/**
 * Points of the CryoET Data Portal (.ndjson): one JSON object a line, `point`, `orientedPoint` or `instancePoint`.
 *
 * Origin and unit: `location` is in voxels of that tomogram, 0 at the centre of the first voxel. Angles: `xyz_rotation_matrix` is A, rows of a
 * matrix that acts on (x, y, z) and carries the reference into the tomogram (the Portal makes it from RELION's angles as the inverse of SciPy's
 * ZYZ). No shifts, no names of tomograms; other fields are carried along. copick's `overlay` folders hold the JSON of `copick_picks.ts`.
 * @module
 */
import { eulerZyzToMatrix } from "../kernels/rotation.ts";
import { fieldOf, type Json, matrixRows, parseJson, placeOf, rotationOf } from "./json_particles.ts";
import { leftOutNote, type ParticleFormat, type WrittenParticles } from "./particle_format.ts";
import type { ParticleSet } from "./particle_set.ts";
import { InputError } from "../../streams/errors.ts";

const UNDERSTOOD = new Set(["type", "location", "xyz_rotation_matrix", "rotation_matrix", "score"]);

function read(bytes: Uint8Array, path: string): ParticleSet {
  const places: number[] = [], angles: number[] = [], scores: number[] = [], columns: Record<string, string[]> = {};
  let count = 0;
  new TextDecoder().decode(bytes).split(/\r\n|\n/).forEach((text, at) => {
    if (text.trim() === "") return;
    const line = `line ${at + 1}`, point = parseJson(text, path, at + 1);
    places.push(...placeOf(fieldOf(point, "location"), `${line}: location`, path));
    const matrix = fieldOf(point, "xyz_rotation_matrix") ?? fieldOf(point, "rotation_matrix");
    if (matrix !== undefined) angles.push(...rotationOf(matrix, `${line}: xyz_rotation_matrix`, path));
    const score = fieldOf(point, "score");
    if (typeof score === "number") scores.push(score);
    for (const [name, value] of Object.entries(point as Record<string, Json>)) {
      if (!UNDERSTOOD.has(name)) {
        (columns[name] ??= new Array(count).fill("")).push(typeof value === "string" ? value : JSON.stringify(value));
      }
    }
    count++;
    for (const values of Object.values(columns)) if (values.length < count) values.push("");
  });
  if (angles.length !== 0 && angles.length !== 3 * count) {
    throw new InputError(path, `${angles.length / 3} of ${count} points have a rotation: all of them or none were expected`);
  }
  return {
    path,
    format: "portal",
    count,
    positionsXyz: Float64Array.from(places),
    unit: "voxel",
    origin: "first-voxel",
    voxelSizeAngstrom: new Float64Array(count).fill(NaN),
    tomograms: new Array(count).fill(""),
    ...(angles.length > 0 ? { eulerZyzDegrees: Float64Array.from(angles) } : {}),
    ...(scores.length === count && count > 0 ? { score: Float64Array.from(scores) } : {}),
    columns,
    assumed: [],
  };
}

function write(set: ParticleSet): WrittenParticles {
  const instances = set.columns.instance_id, e = set.eulerZyzDegrees;
  const lines = Array.from({ length: set.count }, (_, i) => {
    const [x, y, z] = set.positionsXyz.subarray(3 * i, 3 * i + 3);
    const point: Record<string, Json> = { type: e ? "orientedPoint" : instances ? "instancePoint" : "point", location: { x, y, z } };
    if (e) point.xyz_rotation_matrix = matrixRows(eulerZyzToMatrix(e[3 * i], e[3 * i + 1], e[3 * i + 2]));
    if (instances && instances[i] !== "") point.instance_id = Number(instances[i]);
    if (set.score && Number.isFinite(set.score[i])) point.score = set.score[i];
    return JSON.stringify(point);
  });
  const rest = Object.keys(set.columns).filter((name) => name !== "instance_id");
  if (set.labels) rest.push("class");
  return { content: lines.map((line) => `${line}\n`).join(""), notes: leftOutNote(rest) };
}

/** Points of the CryoET Data Portal. */
export const portalPoints: ParticleFormat = {
  id: "portal",
  title: "CryoET Data Portal points",
  extensions: [".ndjson"],
  frame: { unit: "voxel", origin: "first-voxel" },
  detect: ({ name, text }) => /^\s*\{[^\n]*"location"/.test(text) || (/\.ndjson$/.test(name) && text.trim() === ""),
  read,
  write,
};
