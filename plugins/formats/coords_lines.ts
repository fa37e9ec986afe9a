/**
 * Plain lines of x, y, z (.coords of crYOLO and TomoTwin, .txt, the points of IMOD's `model2point`).
 *
 * Origin and unit: the centre of each particle in voxels, 0 at the centre of the first voxel (Angstrom by the option `unit`). Columns behind the
 * third are carried as `column4` and so on.
 * @module
 */
import { interleave, looksNumeric, numberColumn, splitNumberLines } from "./number_lines.ts";
import { leftOutNote, type ParticleFormat, plainNumber, type WrittenParticles } from "./particle_format.ts";
import type { ParticleSet, ParticleUnit } from "./particle_set.ts";

function read(bytes: Uint8Array, path: string, unit: ParticleUnit): ParticleSet {
  const table = splitNumberLines(new TextDecoder().decode(bytes)), count = table.rows.length;
  const [x, y, z] = [0, 1, 2].map((at) => numberColumn(table, at, "xyz"[at], path));
  const width = table.rows.reduce((least, row) => Math.min(least, row.length), count > 0 ? Infinity : 3);
  const columns: Record<string, string[]> = {};
  for (let at = 3; at < width; at++) columns[`column${at + 1}`] = table.rows.map((row) => row[at]);
  return {
    path,
    format: "coords",
    count,
    positionsXyz: interleave(x, y, z),
    unit,
    origin: "first-voxel",
    voxelSizeAngstrom: new Float64Array(count).fill(NaN),
    tomograms: new Array(count).fill(""),
    columns,
    assumed: [`x, y, z are ${unit === "voxel" ? "voxels from 0" : "Angstrom"}`],
  };
}

function write(set: ParticleSet): WrittenParticles {
  const lines = Array.from(
    { length: set.count },
    (_, i) => [0, 1, 2].map((axis) => plainNumber(set.positionsXyz[3 * i + axis])).join(" ") + "\n",
  );
  const rest = Object.keys(set.columns);
  if (set.eulerZyzDegrees) rest.push("angles");
  if (set.score) rest.push("score");
  if (set.labels) rest.push("class");
  return { content: lines.join(""), notes: leftOutNote(rest) };
}

/** Lines of x, y, z. */
export const coordsLines: ParticleFormat = {
  id: "coords",
  title: "lines of x y z",
  extensions: [".coords", ".txt", ".xyz"],
  frame: { unit: "voxel", origin: "first-voxel" },
  eitherUnit: true,
  detect: ({ name, text }) =>
    (/\.coords$/.test(name) && text.trim() === "") ||
    (!/\.(csv|tsv)$/.test(name) && !/^[^\n]*[,;|\t]/.test(text.trimStart()) && looksNumeric(text, 3)),
  read: (bytes, path, { unit }) => read(bytes, path, unit ?? "voxel"),
  write,
};
