/**
 * Classes: what they look like, how large they are, typical members.
 * @module
 */
import type { ClassVolume } from "../../../streams/contract.ts";
import { encodePng } from "../../formats/png.ts";
import { cutSection, findGrayRange, type Plane, shrinkPlane, smoothPlane, toGray } from "../../kernels/picture.ts";
import type { ReportClass, ReportFacts } from "./facts.ts";
import { formatCount, formatFigure, formatLength, formatName, formatNoun, formatShare, Html, markup } from "./html.ts";
import { classMarker, pngAddress } from "./marks.ts";

/** Longest side of a picture of a box, in pixels of the file. */
const LARGEST = 64;

/** The three central sections of a class volume, on one gray scale; bright is dense. */
export function centralSections(volume: ClassVolume, thickness = 1): { axis: "z" | "y" | "x"; plane: Plane; range: [number, number] }[] {
  const [nz, ny, nx] = volume.shapeZyx;
  const range = findGrayRange(volume.voxels, 0.01, 0.999);
  return (["z", "y", "x"] as const).map((axis) => {
    const size = axis === "z" ? nz : axis === "y" ? ny : nx;
    const plane = cutSection(volume.voxels, volume.shapeZyx, axis, size >> 1, thickness);
    return { axis, plane: shrinkPlane(plane, Math.ceil(Math.max(plane.width, plane.height) / LARGEST)), range };
  });
}

/** A member's central section as the report shows it: a few sections averaged, slightly smoothed, on its own gray scale. */
export function memberSection(voxels: Float32Array, boxVoxels: number): { plane: Plane; range: [number, number] } {
  const whole = cutSection(voxels, [boxVoxels, boxVoxels, boxVoxels], "z", boxVoxels >> 1, Math.max(1, Math.round(boxVoxels / 6)));
  const plane = shrinkPlane(smoothPlane(whole, 1), Math.ceil(boxVoxels / LARGEST));
  return { plane, range: findGrayRange(plane.values, 0.01, 0.99) };
}

/**
 * Members nearest to their class's mean in feature space.
 * @returns For each class, rows of the particle table, nearest first.
 */
export function typicalMembers({ view, classes }: ReportFacts, count: number): Map<number, number[]> {
  const { dims, values } = view.features;
  if (count === 0) return new Map(classes.map(({ id }) => [id, []]));
  return new Map(classes.map(({ id, members }) => {
    const mean = new Float64Array(dims);
    for (const row of members) for (let c = 0; c < dims; c++) mean[c] += values[row * dims + c] / members.length;
    const nearest: { row: number; d: number }[] = [];
    for (const row of members) {
      let d = 0;
      for (let c = 0; c < dims; c++) d += (values[row * dims + c] - mean[c]) ** 2;
      if (nearest.length === count && d >= nearest[count - 1].d) continue;
      nearest.push({ row, d });
      nearest.sort((a, b) => a.d - b.d || a.row - b.row);
      nearest.length = Math.min(nearest.length, count);
    }
    return [id, nearest.map(({ row }) => row)];
  }));
}

function image(plane: Plane, range: readonly [number, number], alt: string, axes?: string): Html {
  const png = encodePng(toGray(plane, range, 128), plane.width, plane.height, 1);
  const picture = markup`<img src="${new Html(pngAddress(png))}" width="${plane.width}" height="${plane.height}" alt="${alt}">`;
  return axes === undefined ? picture : markup`<span class="slice">${picture}<small>${axes}</small></span>`;
}

const AXES = { z: "x–y", y: "x–z", x: "y–z" } as const;

function volumeFigure(volume: ClassVolume): Html {
  return markup`<figure><div class="slices">${
    centralSections(volume).map(({ axis, plane, range }) =>
      image(plane, range, `class ${volume.classId}, ${volume.name}, central ${AXES[axis]} section`, AXES[axis])
    )
  }</div><figcaption>${volume.name}</figcaption></figure>`;
}

function classFigures(facts: ReportFacts, each: ReportClass): Html {
  const rows: [string, Html | string][] = [];
  if (each.truth) rows.push(["true species", markup`<bdi>${each.truth.label}</bdi> ${formatShare(each.truth.share)}`]);
  if (each.meanLogLikelihood !== null) rows.push(["mean log-likelihood", formatFigure(each.meanLogLikelihood)]);
  if (facts.judgesNovelty) rows.push(["novel", formatCount(each.novel)]);
  for (const [name, value] of each.figures.slice(0, 8)) {
    rows.push([formatName(name), typeof value === "number" ? formatFigure(value) : markup`<bdi>${value}</bdi>`]);
  }
  return markup`<dl>${rows.map(([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function classRow(facts: ReportFacts, each: ReportClass, members: readonly Html[], shown: number): Html {
  const volumes = each.volumes.slice(0, 2);
  return markup`<article data-c="${each.id}" id="class-${each.id}"><header><h3>${classMarker(each.style)} Class ${each.id}</h3><p><b>${
    formatCount(each.members.length)
  }</b> ${each.members.length === 1 ? "particle" : "particles"} <span>${formatShare(each.share)}</span></p>${
    classFigures(facts, each)
  }</header>${
    volumes.length > 0 ? markup`<div class="volumes">${volumes.map(({ volume }) => volumeFigure(volume))}</div>` : null
  }<figure class="members">${
    members.length > 0
      ? markup`<div class="slices">${members}</div><figcaption>${formatNoun(members.length, "typical member")}</figcaption>`
      : null
  }${
    each.decodedMembers.length > 0
      ? markup`<div class="slices">${
        each.decodedMembers.slice(0, shown).map((volume) => {
          const { plane, range } = centralSections(volume)[0];
          return image(plane, range, `class ${each.id}, ${volume.name}`);
        })
      }</div><figcaption>members, decoded</figcaption>`
      : null
  }</figure></article>`;
}

/** The section. Boxes of typical members are read class by class, so memory holds a few at a time. */
export async function classSection(facts: ReportFacts, shown: number): Promise<Html | null> {
  if (facts.classes.length === 0) return null;
  const { boxes } = facts.view;
  const size = boxes.boxVoxels ** 3;
  const typical = typicalMembers(facts, shown);
  const rows: Html[] = [];
  for (const each of facts.classes) {
    const members = typical.get(each.id)!;
    const voxels = members.length > 0 ? await boxes.read(members) : new Float32Array(0);
    const images = members.map((row, i) => {
      const { plane, range } = memberSection(voxels.subarray(i * size, (i + 1) * size), boxes.boxVoxels);
      return image(plane, range, `member of class ${each.id}: particle ${row}`);
    });
    rows.push(classRow(facts, each, images, shown));
  }
  const box = facts.voxelSizeAngstrom > 0
    ? `${formatLength(boxes.boxVoxels * facts.voxelSizeAngstrom)} (${boxes.boxVoxels} voxels)`
    : `${boxes.boxVoxels} voxels`;
  const averaged = formatNoun(Math.max(1, Math.round(boxes.boxVoxels / 6)), "section");
  const members = shown > 0
    ? ` Members are those nearest to the class’s mean in feature space: central x–y sections, ${averaged} averaged and smoothed by one voxel, ` +
      "each on its own gray scale, not turned."
    : "";
  return markup`<section id="classes"><h2>${
    facts.classes.length === 1 ? "The one class" : "The classes"
  }</h2><p class="how">Boxes are ${box} wide; dense is bright.${members}</p><div class="classes">${rows}</div></section>`;
}
