/**
 * Particles of EMAN2: `info/*_info.json` of tomograms, and plain box files.
 *
 * JSON: `boxes_3d` holds [x, y, z, kind, score, class]. With `apix_unbin` (since 2018) x, y, z are unbinned pixels of that many Angstrom from the
 * tomogram's centre, which is index floor(n / 2); without it they are voxels, 0 at the centre of the first. `class_list` names the classes. There
 * are no angles. Written with `apix_unbin`.
 * Box files: three columns are the centre x, y, z; six are the lowest corner and the three edges, centre = corner + edge / 2. Four or five are
 * boxes on a micrograph, without z, and refused.
 * @see EMAN2, programs/e2spt_boxer.py.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { fieldOf, type Json, numberOf, parseJson } from "./json_particles.ts";
import { interleave, looksNumeric, numberColumn, splitNumberLines } from "./number_lines.ts";
import { leftOutNote, type ParticleFormat, type ParticleWriteOptions, plainNumber, type WrittenParticles } from "./particle_format.ts";
import type { ParticleSet } from "./particle_set.ts";

/** Box of a class when nobody says: EMAN2's own. */
const BOX = 64;

function readJson(bytes: Uint8Array, path: string, centre: ParticleSet["centre"]): ParticleSet {
  const file = parseJson(new TextDecoder().decode(bytes), path);
  const boxes = fieldOf(file, "boxes_3d");
  if (!Array.isArray(boxes)) throw new InputError(path, "has no list boxes_3d: is this the info file of a tomogram with boxes?");
  const unbinned = fieldOf(file, "apix_unbin"), centred = unbinned !== undefined && unbinned !== null;
  const size = centred ? numberOf(typeof unbinned === "string" ? Number(unbinned) : unbinned, "apix_unbin", path) : NaN;
  if (centred && !(size > 0)) throw new InputError(path, `apix_unbin is ${size}, expected Angstrom above 0`);
  const classes = fieldOf(file, "class_list");
  const cell = (box: Json, at: number, i: number) => numberOf(Array.isArray(box) ? box[at] : undefined, `boxes_3d[${i}][${at}]`, path);
  const axis = (at: number) => boxes.map((box, i) => cell(box, at, i) * (centred ? size : 1));
  const field = (box: Json, at: number) => Array.isArray(box) && box.length > at ? box[at] : undefined;
  const scores = boxes.map((box) => field(box, 4)), numbers = boxes.map((box) => field(box, 5));
  const nameOf = (number: Json) => {
    const name = fieldOf(fieldOf(classes, String(number)), "name");
    return typeof name === "string" ? name : String(number);
  };
  return {
    path,
    format: "eman-json",
    count: boxes.length,
    positionsXyz: interleave(axis(0), axis(1), axis(2)),
    unit: centred ? "angstrom" : "voxel",
    origin: centred ? "centre" : "first-voxel",
    ...(centred ? { centre: centre ?? "floor" } : {}),
    voxelSizeAngstrom: new Float64Array(boxes.length).fill(NaN),
    tomograms: new Array(boxes.length).fill(""),
    ...(scores.every((score) => typeof score === "number") && boxes.length > 0 ? { score: Float64Array.from(scores as number[]) } : {}),
    ...(numbers.every((number) => typeof number === "number") && boxes.length > 0 ? { labels: numbers.map(nameOf) } : {}),
    columns: {},
    assumed: centred ? [] : ["no apix_unbin: the boxes count voxels of the tomogram"],
  };
}

function writeJson(set: ParticleSet, { voxelSizeAngstrom, boxVoxels, objectName }: ParticleWriteOptions): WrittenParticles {
  const size = voxelSizeAngstrom ?? set.voxelSizeAngstrom.find((value) => value > 0);
  if (size === undefined && set.count > 0) {
    throw new InputError(set.path, "the voxel size is not known, and EMAN2 counts pixels of a stated size: give --voxel-size ANGSTROM");
  }
  const names = [...new Set(set.labels ?? [objectName ?? "particles_00"])];
  const boxes = Array.from({ length: set.count }, (_, i) => [
    ...[0, 1, 2].map((axis) => Number(plainNumber(set.positionsXyz[3 * i + axis] / size!))),
    ...["manual", set.score && Number.isFinite(set.score[i]) ? set.score[i] : 0, set.labels ? names.indexOf(set.labels[i]) : 0],
  ]);
  const classes = Object.fromEntries(names.map((name, i) => [String(i), { boxsize: boxVoxels ?? BOX, name }]));
  const rest = Object.keys(set.columns);
  if (set.eulerZyzDegrees) rest.push("angles");
  return {
    content: JSON.stringify({ apix_unbin: size ?? null, boxes_3d: boxes, class_list: classes }, null, 1) + "\n",
    notes: leftOutNote(rest),
  };
}

/** EMAN2's info files. */
export const emanJson: ParticleFormat = {
  id: "eman-json",
  title: "EMAN2 info file",
  extensions: [],
  frame: { unit: "angstrom", origin: "centre", centre: "floor" },
  detect: ({ text }) => /^\s*\{/.test(text) && /"boxes_3d"/.test(text),
  read: (bytes, path, { centre }) => readJson(bytes, path, centre),
  write: writeJson,
};

function readBox(bytes: Uint8Array, path: string): ParticleSet {
  const table = splitNumberLines(new TextDecoder().decode(bytes)), width = table.rows[0]?.length ?? 3;
  if (width === 4 || width === 5) {
    throw new InputError(path, `has ${width} columns: boxes of a micrograph (x, y and edges) have no place in a tomogram`);
  }
  const column = (at: number, name: string) => numberColumn(table, at, name, path);
  const corners = width >= 6;
  const axis = (at: number) => {
    const values = column(at, "xyz"[at]), edges = corners ? column(3 + at, "edge") : null;
    return edges ? values.map((value, i) => value + edges[i] / 2) : values;
  };
  return {
    path,
    format: "eman-box",
    count: table.rows.length,
    positionsXyz: interleave(axis(0), axis(1), axis(2)),
    unit: "voxel",
    origin: "first-voxel",
    voxelSizeAngstrom: new Float64Array(table.rows.length).fill(NaN),
    tomograms: new Array(table.rows.length).fill(""),
    columns: corners ? { box: table.rows.map((row) => row[3]) } : {},
    assumed: [corners ? "columns are the box's lowest corner and its edges" : "columns are the box's centre"],
  };
}

function writeBox(set: ParticleSet, { boxVoxels }: ParticleWriteOptions): WrittenParticles {
  const lines = Array.from({ length: set.count }, (_, i) => {
    const edge = boxVoxels ?? Number(set.columns.box?.[i] ?? BOX);
    return [...[0, 1, 2].map((axis) => plainNumber(set.positionsXyz[3 * i + axis] - edge / 2)), edge, edge, edge].join("\t") + "\n";
  });
  const notes = boxVoxels === undefined && !set.columns.box ? [`boxes are ${BOX} voxels wide: --box VOXELS says otherwise`] : [];
  const rest = Object.keys(set.columns).filter((name) => name !== "box");
  if (set.eulerZyzDegrees) rest.push("angles");
  if (set.score) rest.push("score");
  return { content: lines.join(""), notes: [...notes, ...leftOutNote(rest)] };
}

/** Box files in three dimensions. */
export const emanBox: ParticleFormat = {
  id: "eman-box",
  title: "EMAN box file",
  extensions: [".box"],
  frame: { unit: "voxel", origin: "first-voxel" },
  detect: ({ name, text }) => /\.box$/.test(name) && (text.trim() === "" || looksNumeric(text, 3)),
  read: readBox,
  write: writeBox,
};
