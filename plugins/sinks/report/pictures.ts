/**
 * The report's pictures as PNG files, for slides and for people without a browser.
 * @module
 */
import type { TomogramRecord } from "../../../streams/contract.ts";
import { encodePng } from "../../formats/png.ts";
import {
  type Canvas,
  chooseScaleBar,
  createCanvas,
  drawMarker,
  drawText,
  enlargePlane,
  fillRectangle,
  measureText,
  pasteGray,
  textHeight,
  toGray,
} from "../../kernels/picture.ts";
import { centralSections, memberSection, typicalMembers } from "./class_section.ts";
import type { ReportFacts } from "./facts.ts";
import { formatCount, formatLength, formatShare } from "./html.ts";
import type { TomogramSection } from "./sections.ts";

const INK = [26, 30, 36] as const, PAPER = [255, 255, 255] as const, SOFT = [91, 101, 115] as const;
const TILE = 96, GAP = 6, MARGIN = 14, NAME_WIDTH = 150;

function encode(canvas: Canvas): Uint8Array {
  return encodePng(canvas.pixels, canvas.width, canvas.height, 3);
}

/** A section with the picks' outlines and a scale bar, each pixel of the shrunken section twice as wide. */
export function tomogramPicture(facts: ReportFacts, record: TomogramRecord, section: TomogramSection): Uint8Array {
  const zoom = section.plane.width < 400 ? 3 : 2;
  const width = section.plane.width * zoom, height = section.plane.height * zoom;
  const scale = width / section.widthVoxels;
  const canvas = createCanvas(width, height, PAPER);
  pasteGray(canvas, toGray(enlargePlane(section.plane, width, height), section.range), width, 0, 0);
  const styles = new Map(facts.classes.map(({ id, style }) => [id, style]));
  const radius = facts.diameterVoxels * record.voxelsEach / 2 * scale;
  for (const { row, u, v } of section.picks) {
    const style = styles.get(facts.view.particles.classIds[row])!;
    drawMarker(canvas, style.shape, (u + 0.5) * scale - 0.5, (v + 0.5) * scale - 0.5, radius, style.rgb, 2.2);
  }
  if (record.voxelSizeAngstrom > 0) {
    const bar = chooseScaleBar(section.widthVoxels, record.voxelSizeAngstrom);
    const y = height - 20, size = 2;
    fillRectangle(canvas, 19, y - 1, Math.round(bar.voxels * scale) + 2, 7, [0, 0, 0]);
    fillRectangle(canvas, 20, y, Math.round(bar.voxels * scale), 5, PAPER);
    drawText(canvas, bar.label, 20, y - textHeight(size) - 6, PAPER, size, [0, 0, 0]);
  }
  return encode(canvas);
}

function captionOf({ view, voxelSizeAngstrom }: ReportFacts, volumes: number): string {
  const box = voxelSizeAngstrom > 0 ? formatLength(view.boxes.boxVoxels * voxelSizeAngstrom) : `${view.boxes.boxVoxels} voxels`;
  return `Boxes ${box} wide, dense is bright.${
    volumes > 0 ? " Volumes: central x-y, x-z, y-z sections." : ""
  } Members: central x-y sections.`;
}

/**
 * All classes on one sheet, a row each: name, size, central sections of its volumes, typical members.
 * Boxes are read class by class.
 */
export async function classSheet(facts: ReportFacts, shown: number): Promise<Uint8Array> {
  const { boxes } = facts.view;
  const typical = typicalMembers(facts, shown);
  const volumes = Math.max(0, ...facts.classes.map((each) => Math.min(2, each.volumes.length)));
  const members = Math.max(0, ...[...typical.values()].map((rows) => rows.length));
  const group = 3 * (TILE + GAP) + 12;
  const header = MARGIN + textHeight(2) + 10;
  const width = MARGIN * 2 + NAME_WIDTH + volumes * group + members * (TILE + GAP);
  const height = header + facts.classes.length * (TILE + 14) + MARGIN + textHeight(1);
  const canvas = createCanvas(width, height, PAPER);
  drawText(canvas, captionOf(facts, volumes), MARGIN, height - MARGIN - textHeight(1), SOFT, 1);
  const first = facts.classes.find((each) => each.volumes.length === Math.max(...facts.classes.map((other) => other.volumes.length)));
  first?.volumes.slice(0, 2).forEach(({ volume }, i) => {
    const fits = measureText(volume.name, 2) < group ? 2 : 1;
    drawText(canvas, volume.name, MARGIN + NAME_WIDTH + i * group, MARGIN, SOFT, fits);
  });
  if (members > 0) drawText(canvas, "typical members", MARGIN + NAME_WIDTH + volumes * group, MARGIN, SOFT, members > 1 ? 2 : 1);
  for (const [index, each] of facts.classes.entries()) {
    const y = header + index * (TILE + 14);
    drawMarker(canvas, each.style.shape, MARGIN + 9, y + 20, 8, each.style.rgb, 3);
    drawText(canvas, `Class ${each.id}`, MARGIN + 28, y + 13, INK, 2);
    drawText(canvas, formatCount(each.members.length), MARGIN, y + 42, INK, 2);
    drawText(
      canvas,
      formatShare(each.share),
      MARGIN + Math.max(64, measureText(formatCount(each.members.length), 2) + 12),
      y + 42,
      SOFT,
      2,
    );
    let x = MARGIN + NAME_WIDTH;
    for (const { volume } of each.volumes.slice(0, 2)) {
      centralSections(volume).forEach(({ plane, range }, i) => {
        pasteGray(canvas, toGray(enlargePlane(plane, TILE, TILE), range), TILE, x + i * (TILE + GAP), y);
      });
      x += group;
    }
    x = MARGIN + NAME_WIDTH + volumes * group;
    const rows = typical.get(each.id)!;
    const voxels = rows.length > 0 ? await boxes.read(rows) : new Float32Array(0);
    const size = boxes.boxVoxels ** 3;
    rows.forEach((_, i) => {
      const { plane, range } = memberSection(voxels.subarray(i * size, (i + 1) * size), boxes.boxVoxels);
      pasteGray(canvas, toGray(enlargePlane(plane, TILE, TILE), range), TILE, x + i * (TILE + GAP), y);
    });
  }
  return encode(canvas);
}

/** A file name that any system takes: what is not a letter, digit, dot, dash or underscore becomes a dash. */
export function safeFileName(name: string): string {
  return name.replace(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[.-]+|[.-]+$/g, "").slice(0, 100) || "unnamed";
}
