/**
 * IMOD models (.mod, binary) as points.
 *
 * Origin and unit: a model counts voxels from the edge of the volume in x and y and sections in z, so the centre of the first voxel is
 * (0.5, 0.5, 0): index = (x - 0.5, y - 0.5, z). Points are taken as `model2point` takes them: those of all contours of all objects in order; the
 * object and the contour are carried as `imod_object` and `imod_contour` (from 1). Meshes are passed over. There are no angles, shifts and names
 * of tomograms. The header's pixel size holds when it has a unit of length. Numbers are big-endian. One object of scattered points is written.
 * @see IMOD, "The IMOD Binary File Format", version 1.2.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { leftOutNote, type ParticleFormat, type ParticleWriteOptions, type WrittenParticles } from "./particle_format.ts";
import type { ParticleSet } from "./particle_set.ts";

const MODEL_BYTES = 232, OBJECT_BYTES = 176, CONTOUR_BYTES = 16, MESH_BYTES = 16;
const EDGE = [0.5, 0.5, 0] as const;
/** Bit of the model's flags: Y and Z were exchanged when it was saved. */
const FLIPPED = 1 << 16;
/** Bit of an object's flags: scattered points. */
const SCATTERED = 1 << 9;
/** Power of ten of a metre for each unit of the header. */
const METRES: Readonly<Record<number, number>> = { 3: 3, 1: 0, "-2": -2, "-3": -3, "-6": -6, "-9": -9, "-10": -10, "-12": -12 };

/** Points `[3n]` in the model's own numbers, with the object and contour (from 1) of each. */
interface ModelPoints {
  readonly xyz: number[];
  readonly objects: string[];
  readonly contours: string[];
  readonly names: string[];
  readonly sizes: number[];
}

function readPoints(bytes: Uint8Array, view: DataView, path: string): ModelPoints {
  const points: ModelPoints = { xyz: [], objects: [], contours: [], names: [], sizes: [] };
  let at = 8 + MODEL_BYTES, objects = 0, contours = 0, ended = false;
  const need = (length: number, what: string) => {
    if (length < 0 || at + length > bytes.length) {
      throw new InputError(
        path,
        `byte ${at}: ${what} needs ${length} bytes, the file has ${bytes.length - at} left: is it cut short or damaged?`,
      );
    }
  };
  while (!ended && at + 4 <= bytes.length) {
    const id = String.fromCharCode(...bytes.subarray(at, at + 4));
    at += 4;
    if (id === "IEOF") ended = true;
    else if (id === "OBJT") {
      need(OBJECT_BYTES, "an object");
      objects++;
      contours = 0;
      at += OBJECT_BYTES;
    } else if (id === "CONT") {
      need(CONTOUR_BYTES, "a contour");
      const count = view.getInt32(at, false);
      at += CONTOUR_BYTES;
      need(12 * count, `contour ${contours + 1} of object ${objects} with ${count} points`);
      contours++;
      for (let i = 0; i < 3 * count; i++) points.xyz.push(view.getFloat32(at + 4 * i, false));
      for (let i = 0; i < count; i++) {
        points.objects.push(String(objects));
        points.contours.push(String(contours));
      }
      at += 12 * count;
    } else if (id === "MESH") {
      need(MESH_BYTES, "a mesh");
      const length = 12 * view.getInt32(at, false) + 4 * view.getInt32(at + 4, false);
      at += MESH_BYTES;
      need(length, "a mesh");
      at += length;
    } else {
      if (!/^[A-Z0-9 ]{4}$/.test(id)) {
        throw new InputError(path, `byte ${at - 4}: ${JSON.stringify(id)} is no part of an IMOD model: is it damaged?`);
      }
      need(4, `part ${id}`);
      const length = view.getInt32(at, false);
      at += 4;
      need(length, `part ${id}`);
      at += length;
    }
  }
  if (!ended) throw new InputError(path, "ends without its mark IEOF: is it cut short?");
  return points;
}

function read(bytes: Uint8Array, path: string): ParticleSet {
  if (bytes.length < 8 + MODEL_BYTES || String.fromCharCode(...bytes.subarray(0, 4)) !== "IMOD") {
    throw new InputError(
      path,
      "does not begin with IMOD and a header of 240 bytes: is this a binary IMOD model? (imodinfo -a writes text, which is not read)",
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { xyz, objects, contours } = readPoints(bytes, view, path), count = objects.length;
  const bad = xyz.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new InputError(path, `point ${Math.floor(bad / 3) + 1} has a coordinate of ${xyz[bad]}, expected a finite number`);
  const flags = view.getUint32(8 + 144, false), pixel = view.getFloat32(8 + 208, false), power = METRES[view.getInt32(8 + 212, false)];
  const size = power !== undefined && pixel > 0 && Number.isFinite(pixel) ? Number((pixel * 10 ** (power + 10)).toPrecision(6)) : NaN;
  const assumed = ["model coordinates count from the voxel's edge in x and y and from the section's middle in z"];
  if ((flags & FLIPPED) !== 0) {
    assumed.push("the model says that it was saved with Y and Z exchanged: look at the result, and use --swap-axes yz if they are");
  }
  return {
    path,
    format: "imod",
    count,
    positionsXyz: Float64Array.from(xyz, (value, i) => value - EDGE[i % 3]),
    unit: "voxel",
    origin: "first-voxel",
    voxelSizeAngstrom: new Float64Array(count).fill(size),
    tomograms: new Array(count).fill(""),
    columns: { imod_object: objects, imod_contour: contours },
    assumed,
  };
}

function write(set: ParticleSet, { objectName = "particles", shapeXyz, boxVoxels }: ParticleWriteOptions): WrittenParticles {
  const size = set.count > 0 ? set.voxelSizeAngstrom[0] : NaN;
  const length = 8 + MODEL_BYTES + 4 + OBJECT_BYTES + 4 + CONTOUR_BYTES + 12 * set.count + 4;
  const bytes = new Uint8Array(length), view = new DataView(bytes.buffer);
  const text = (at: number, words: string, most: number) => bytes.set(new TextEncoder().encode(words).subarray(0, most), at);
  const farthest = [0, 1, 2].map((axis) => {
    let most = 1;
    for (let i = 0; i < set.count; i++) most = Math.max(most, Math.ceil(set.positionsXyz[3 * i + axis]) + 1);
    return most;
  });
  text(0, "IMODV1.2", 8);
  const model = 8;
  text(model, "made by tomosieve", 127);
  farthest.forEach((most, axis) => view.setInt32(model + 128 + 4 * axis, shapeXyz?.[axis] ?? most));
  view.setInt32(model + 140, 1); // objects
  view.setUint32(model + 144, (1 << 12) | (1 << 13));
  view.setInt32(model + 148, 1); // draw
  view.setInt32(model + 156, 0); // black
  view.setInt32(model + 160, 255); // white
  [1, 1, 1].forEach((scale, axis) => view.setFloat32(model + 176 + 4 * axis, scale));
  view.setInt32(model + 200, 3); // resolution
  view.setInt32(model + 204, 128); // threshold
  view.setFloat32(model + 208, size > 0 ? size / 10 : 1);
  view.setInt32(model + 212, size > 0 ? -9 : 0);
  let at = model + MODEL_BYTES;
  text(at, "OBJT", 4);
  at += 4;
  text(at, objectName, 63);
  view.setInt32(at + 128, 1); // contours
  view.setUint32(at + 132, SCATTERED);
  view.setInt32(at + 140, 1); // draw
  [0, 1, 0].forEach((colour, k) => view.setFloat32(at + 144 + 4 * k, colour));
  view.setInt32(at + 156, Math.max(1, Math.round((boxVoxels ?? 10) / 2))); // radius of the spheres
  bytes.set([1, 3, 1, 1], at + 160); // symbol, its size, line widths
  at += OBJECT_BYTES;
  text(at, "CONT", 4);
  at += 4;
  view.setInt32(at, set.count);
  at += CONTOUR_BYTES;
  set.positionsXyz.forEach((value, i) => view.setFloat32(at + 4 * i, value + EDGE[i % 3]));
  text(at + 12 * set.count, "IEOF", 4);
  const rest = Object.keys(set.columns).filter((name) => !name.startsWith("imod_"));
  if (set.eulerZyzDegrees) rest.push("angles");
  if (set.score) rest.push("score");
  if (set.labels) rest.push("class");
  return { content: bytes, notes: leftOutNote(rest) };
}

/** IMOD's models. */
export const imodModel: ParticleFormat = {
  id: "imod",
  title: "IMOD model",
  extensions: [".mod", ".fid"],
  frame: { unit: "voxel", origin: "first-voxel" },
  detect: ({ bytes }) => bytes.length >= 8 && String.fromCharCode(...bytes.subarray(0, 5)) === "IMODV",
  read,
  write,
};
