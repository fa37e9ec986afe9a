/**
 * Tomograms with picks coloured by class.
 * @module
 */
import type { TomogramRecord } from "../../../streams/contract.ts";
import { encodePng } from "../../formats/png.ts";
import { chooseScaleBar, toGray } from "../../kernels/picture.ts";
import type { ReportFacts } from "./facts.ts";
import { formatCount, formatFigure, formatLength, formatNoun, Html, markup } from "./html.ts";
import { markerPath, pngAddress, short } from "./marks.ts";
import type { TomogramSection, TomogramSections } from "./sections.ts";

/** Gray levels of sections: noise needs fewer than 256, and the file is a third smaller. */
const LEVELS = 64;

/** A section as an SVG picture: densities, outlines, scale bar with text of `textShare` of the longer side. */
function drawSection(facts: ReportFacts, record: TomogramRecord, section: TomogramSection, name: string, textShare: number): Html {
  const { widthVoxels: width, heightVoxels: height, plane } = section;
  const png = encodePng(toGray(plane, section.range, LEVELS), plane.width, plane.height, 1);
  const radius = facts.diameterVoxels * record.voxelsEach / 2;
  const groups = facts.classes.map(({ id, style, members }) => {
    const own = section.picks.filter(({ row }) => facts.view.particles.classIds[row] === id);
    if (own.length === 0 || members.length === 0) return null;
    // A voxel's index is at its centre: half a voxel from its edge on the picture.
    const path = own.map(({ u, v }) => markerPath(style.shape, u + 0.5, v + 0.5, radius)).join("");
    return markup`<g data-c="${id}"><path class="rim" d="${path}" /><path class="ring" d="${path}" stroke="${style.colour}" /></g>`;
  });
  const size = Math.max(width, height);
  const bar = record.voxelSizeAngstrom > 0
    ? chooseScaleBar(width, record.voxelSizeAngstrom)
    : { voxels: Math.round(width / 5), label: `${Math.round(width / 5)} voxels` };
  const margin = size * 0.03, text = size * textShare;
  return markup`<svg class="section" viewBox="0 0 ${width} ${height}" role="img" aria-label="${name}"><image href="${new Html(
    pngAddress(png),
  )}" width="${width}" height="${height}" preserveAspectRatio="none"/>${groups}<g class="bar"><path class="barrim" d="M${
    short(
      margin,
    )
  } ${short(height - margin)}h${short(bar.voxels)}"/><path d="M${short(margin)} ${short(height - margin)}h${
    short(
      bar.voxels,
    )
  }"/><text x="${short(margin)}" y="${short(height - margin - text * 0.45)}" font-size="${short(text)}">${bar.label}</text></g></svg>`;
}

function place({ axis, at, of }: TomogramSection): string {
  return `${axis} = ${formatCount(at)} of ${formatCount(of)}`;
}

function describe(facts: ReportFacts, { record, sections, volume, dark }: TomogramSections): string {
  const { thickness } = sections[0];
  const deep = record.voxelSizeAngstrom > 0 ? ` (${formatLength(thickness * record.voxelSizeAngstrom)})` : "";
  return `${volume === "raw" ? "" : `Volume “${volume}”. `}Mean of ${formatNoun(thickness, "section")}${deep}, ` +
    `${dark ? "particles dark as in the file" : "particles bright"}. x to the right, ${
      sections.some(({ axis }) => axis === "y") ? "y or z" : "y"
    } downwards, voxels from 0. ` +
    `Outlines have the size of ${facts.diameterFrom} (${
      facts.voxelSizeAngstrom > 0
        ? formatLength(facts.diameterVoxels * facts.voxelSizeAngstrom)
        : `${formatFigure(facts.diameterVoxels)} voxels`
    }); only particles that the section cuts are shown.`;
}

function panel(facts: ReportFacts, tomogram: TomogramSections, section: TomogramSection, kind: string): Html {
  return markup`<div class="panel ${kind}">${
    drawSection(
      facts,
      tomogram.record,
      section,
      `${tomogram.record.id}, section ${place(section)}, ${formatNoun(section.picks.length, "particle")}`,
      kind === "level" ? 0.05 : 0.03,
    )
  }<p>${place(section)}</p></div>`;
}

/** One tomogram, several sections. */
function largeFigure(facts: ReportFacts, tomogram: TomogramSections): Html {
  const { record, sections, problem } = tomogram;
  if (problem !== null) {
    return markup`<figure class="tomogram"><figcaption><b><bdi>${record.id}</bdi></b> not shown: ${problem}</figcaption></figure>`;
  }
  const along = sections.filter(({ axis }) => axis === "z");
  // The middle one is large; the levels above and below stand beside it.
  const main = along[along.length >> 1];
  const levels = along.filter((section) => section !== main).map((section) => panel(facts, tomogram, section, "level"));
  return markup`<figure class="tomogram${levels.length === 0 ? " alone" : null}">${panel(facts, tomogram, main, "main")}${
    levels.length > 0 ? markup`<div class="side">${levels}</div>` : null
  }${
    sections.filter(({ axis }) => axis === "y").map((section) => panel(facts, tomogram, section, "across"))
  }<figcaption><b><bdi>${record.id}</bdi></b> ${describe(facts, tomogram)}</figcaption></figure>`;
}

function smallFigure(facts: ReportFacts, tomogram: TomogramSections): Html {
  const { record, sections, problem } = tomogram;
  return markup`<figure>${
    sections.length > 0 ? drawSection(facts, record, sections[0], record.id, 0.05) : null
  }<figcaption><b><bdi>${record.id}</bdi></b> ${
    problem === null ? `${place(sections[0])}; ${formatNoun(record.boxes, "particle")}` : `not shown: ${problem}`
  }</figcaption></figure>`;
}

function tiltRange({ geometry }: TomogramRecord): string {
  if (geometry.tiltRangeDegrees === "unknown") return "unknown";
  const [low, high] = geometry.tiltRangeDegrees;
  return `${formatFigure(low)}° to ${formatFigure(high)}° about ${geometry.tiltAxis}`;
}

function recordTable(records: readonly TomogramRecord[]): Html {
  const table =
    markup`<div class="scroll records"><table><thead><tr><th scope="col">tomogram</th><th scope="col">x × y × z, voxels</th><th scope="col" class="n">voxel</th><th scope="col">tilts</th><th scope="col" class="n">picks</th><th scope="col" class="n">particles</th></tr></thead><tbody>${
      records.map((record) =>
        markup`<tr><th scope="row"><bdi>${record.id}</bdi></th><td>${
          record.shapeZyx.toReversed().map(formatCount).join(" × ")
        }</td><td class="n">${record.voxelSizeAngstrom > 0 ? `${formatFigure(record.voxelSizeAngstrom, 4)} Å` : "unknown"}</td><td>${
          tiltRange(record)
        }</td><td class="n">${formatCount(record.picks)}</td><td class="n">${formatCount(record.boxes)}</td></tr>`
      )
    }</tbody></table></div>`;
  return records.length > 8 ? markup`<details><summary>All ${formatCount(records.length)} tomograms</summary>${table}</details>` : table;
}

/** The section: the first tomogram in detail, others by their middle section; null for a stack of boxes. */
export function tomogramSection(facts: ReportFacts, pictures: readonly TomogramSections[]): Html | null {
  if (!facts.inTomograms || pictures.length === 0) return null;
  const [first, ...others] = pictures;
  const missing = facts.view.tomograms.length - pictures.length;
  return markup`<section id="tomograms"><h2>Where the particles are</h2><p class="how">Each outline is one particle, its colour and shape that of its class.</p>${
    largeFigure(facts, first)
  }${others.length > 0 ? markup`<div class="tiles">${others.map((each) => smallFigure(facts, each))}</div>` : null}${
    missing > 0 ? markup`<p class="how">${formatNoun(missing, "more tomogram")} not shown.</p>` : null
  }${recordTable(facts.view.tomograms)}</section>`;
}
