/**
 * Boxes of crYOLO and TomoTwin (.cbox): a STAR file with the block `cryolo`.
 *
 * Origin and unit: voxels, 0 at the centre of the first voxel. `_CoordinateX` and `Y` are the lowest corner of the box, so centre = corner + edge
 * / 2; `_CoordinateZ` is the centre already (TomoTwin's writer and crYOLO's reader). `_Confidence` is the score. No angles, no tomogram. Block
 * `cryolo_include` lists the sections that hold boxes and is made anew.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { axisOf, interleave } from "./number_lines.ts";
import { leftOutNote, type ParticleFormat, type ParticleWriteOptions, type WrittenParticles } from "./particle_format.ts";
import type { ParticleSet } from "./particle_set.ts";
import { buildLoop, findParticles, ownStar, replacedItems, sourceLoop } from "./particle_star.ts";
import { finiteColumn } from "./relion_particles.ts";
import { columnOf, formatStar, numbersOf, parseStar } from "./star.ts";

const PLACE = ["CoordinateX", "CoordinateY", "CoordinateZ"];
/** Edge of a box when nobody says: TomoTwin's own. */
const BOX = 37;

function read(bytes: Uint8Array, path: string): ParticleSet {
  const file = parseStar(new TextDecoder().decode(bytes), path);
  const found = findParticles(file, [PLACE.slice(0, 2)]);
  if (!found) throw new InputError(path, "no table with _CoordinateX and _CoordinateY: is this a .cbox file?");
  const { loop } = found;
  const blank = columnOf(loop, "CoordinateZ")?.some((value) => !Number.isFinite(Number(value)) || value.trim() === "") ?? true;
  if (blank && loop.rows.length > 0) throw new InputError(path, "has no _CoordinateZ: boxes of micrographs have no place in a tomogram");
  const half = (name: string) =>
    loop.columns.includes(name) ? finiteColumn(loop, name, path).map((edge) => edge / 2) : new Float64Array(loop.rows.length);
  const [x, y, z] = PLACE.map((name) => loop.columns.includes(name) ? finiteColumn(loop, name, path) : new Float64Array(loop.rows.length));
  const width = half("Width"), height = half("Height");
  const understood = new Set([...PLACE, "Confidence"]);
  return {
    path,
    format: "cbox",
    count: loop.rows.length,
    positionsXyz: interleave(x.map((value, i) => value + width[i]), y.map((value, i) => value + height[i]), z),
    unit: "voxel",
    origin: "first-voxel",
    voxelSizeAngstrom: new Float64Array(loop.rows.length).fill(NaN),
    tomograms: new Array(loop.rows.length).fill(""),
    ...(loop.columns.includes("Confidence") ? { score: numbersOf(loop, "Confidence", path) } : {}),
    columns: Object.fromEntries(loop.columns.filter((name) => !understood.has(name)).map((name) => [name, columnOf(loop, name)!])),
    star: { file, block: found.block, item: found.item },
    assumed: ["x and y are the box's lowest corner, z is its centre"],
  };
}

function write(set: ParticleSet, { boxVoxels }: ParticleWriteOptions): WrittenParticles {
  const star = ownStar(set, ["cbox"]), source = star && sourceLoop(star);
  const edges = (name: string) => {
    if (boxVoxels !== undefined) return new Float64Array(set.count).fill(boxVoxels);
    return source?.columns.includes(name) ? numbersOf(source, name, set.path) : new Float64Array(set.count).fill(source ? 0 : BOX);
  };
  const width = edges("Width"), height = edges("Height"), depth = edges("Depth");
  const columns = new Map<string, ArrayLike<number | string>>();
  columns.set("CoordinateX", axisOf(set.positionsXyz, 0).map((value, i) => value - width[i] / 2));
  columns.set("CoordinateY", axisOf(set.positionsXyz, 1).map((value, i) => value - height[i] / 2));
  columns.set("CoordinateZ", axisOf(set.positionsXyz, 2));
  if (!source || boxVoxels !== undefined) {
    [["Width", width], ["Height", height], ["Depth", depth]].forEach(([name, values]) =>
      columns.set(name as string, values as Float64Array)
    );
  }
  if (!source) {
    columns.set("EstWidth", width);
    columns.set("EstHeight", height);
  }
  if (set.score || !source) columns.set("Confidence", set.score ?? new Array(set.count).fill("<NA>"));
  if (!source) ["NumBoxes", "Angle"].forEach((name) => columns.set(name, new Array(set.count).fill("<NA>")));
  const loop = buildLoop(set.count, columns, source, () => false);
  const sections = [...new Set(axisOf(set.positionsXyz, 2).map(Math.round))].sort((a, b) => a - b);
  const include = { kind: "loop", columns: ["slice_index"], rows: sections.map((section) => [String(section)]) } as const;
  const blocks = star ? star.file.blocks.map((block, i) => i === star.block ? { ...block, items: replacedItems(star, loop) } : block) : [
    { name: "global", items: [{ kind: "pair", key: "cbox_format_version", value: "1.0" } as const] },
    { name: "cryolo", items: [loop] },
    { name: "cryolo_include", items: [include] },
  ];
  const notes = source || boxVoxels !== undefined ? [] : [`boxes are ${BOX} voxels wide: --box VOXELS says otherwise`];
  const rest = source ? [] : Object.keys(set.columns);
  if (set.eulerZyzDegrees) rest.push("angles");
  if (set.labels) rest.push("class");
  return { content: formatStar({ preamble: star?.file.preamble ?? [], blocks }), notes: [...notes, ...leftOutNote(rest)] };
}

/** Boxes of crYOLO and TomoTwin. */
export const cryoloCbox: ParticleFormat = {
  id: "cbox",
  title: "crYOLO / TomoTwin boxes",
  extensions: [".cbox"],
  frame: { unit: "voxel", origin: "first-voxel" },
  detect: ({ text }) => /^\s*_CoordinateX\b/m.test(text) && /^data_/m.test(text),
  read,
  write,
};
