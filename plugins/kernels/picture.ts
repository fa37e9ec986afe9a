/**
 * Pictures from densities: sections, gray levels, markers and text on plain arrays. Encoding is the business of `formats/png.ts`.
 * @module
 */
import type { Triple } from "../../streams/contract.ts";
import { ShapeError } from "../../streams/errors.ts";
import { GLYPH_HEIGHT, GLYPH_WIDTH, glyphRows } from "./glyphs.ts";

/** A plane of densities, `[height, width]` row-major, first row on top. */
export interface Plane {
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
}

/** Colour as red, green, blue in 0..255. */
export type Rgb = readonly [number, number, number];

/** A picture being drawn: `[height, width, 3]`, red, green, blue. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** Outlines that differ enough to tell classes apart without colour. */
export type MarkerShape = "circle" | "square" | "triangle" | "diamond" | "wedge" | "hexagon" | "cross";

/**
 * Cuts the mean of a few sections out of a volume. Axis `z` gives x to the right and y downwards, `y` gives x and z, `x` gives y and z.
 *
 * Shapes: `voxels` [nz, ny, nx]. Sections beyond the volume are left out of the mean.
 * @param centre Section index, rounded.
 * @param thickness Number of sections, at least 1.
 * @throws {ShapeError} When `voxels` has not the length of the shape.
 */
export function cutSection(voxels: Float32Array, shapeZyx: Triple, axis: "z" | "y" | "x", centre: number, thickness = 1): Plane {
  const [nz, ny, nx] = shapeZyx;
  if (voxels.length !== nz * ny * nx) throw new ShapeError(`${voxels.length} voxels for a volume of ${nz} x ${ny} x ${nx}`);
  const strides = [ny * nx, nx, 1];
  const along = axis === "z" ? 0 : axis === "y" ? 1 : 2;
  const down = axis === "z" ? 1 : 0;
  const right = axis === "x" ? 1 : 2;
  const first = Math.max(0, Math.round(centre) - (thickness >> 1));
  const last = Math.min(shapeZyx[along] - 1, first + thickness - 1);
  const width = shapeZyx[right], height = shapeZyx[down];
  const values = new Float32Array(width * height);
  for (let s = first; s <= last; s++) {
    for (let v = 0; v < height; v++) {
      const base = s * strides[along] + v * strides[down];
      for (let u = 0; u < width; u++) values[v * width + u] += voxels[base + u * strides[right]] / (last - first + 1);
    }
  }
  return { width, height, values };
}

/** Averages blocks of `factor` x `factor` values; blocks cut by the right and lower edge are averaged over what they hold. */
export function shrinkPlane(plane: Plane, factor: number): Plane {
  if (factor <= 1) return plane;
  const width = Math.ceil(plane.width / factor), height = Math.ceil(plane.height / factor);
  const values = new Float32Array(width * height);
  for (let v = 0; v < height; v++) {
    const y1 = Math.min(plane.height, (v + 1) * factor);
    for (let u = 0; u < width; u++) {
      const x1 = Math.min(plane.width, (u + 1) * factor);
      let sum = 0;
      for (let y = v * factor; y < y1; y++) for (let x = u * factor; x < x1; x++) sum += plane.values[y * plane.width + x];
      values[v * width + u] = sum / ((y1 - v * factor) * (x1 - u * factor));
    }
  }
  return { width, height, values };
}

/** Enlarges a plane to a given size by linear interpolation between pixel centres. */
export function enlargePlane(plane: Plane, width: number, height: number): Plane {
  const values = new Float32Array(width * height);
  const at = (position: number, size: number, limit: number): [number, number, number] => {
    const p = Math.min(limit - 1, Math.max(0, ((position + 0.5) * limit) / size - 0.5));
    const low = Math.floor(p);
    return [low, Math.min(limit - 1, low + 1), p - low];
  };
  for (let v = 0; v < height; v++) {
    const [y0, y1, fy] = at(v, height, plane.height);
    for (let u = 0; u < width; u++) {
      const [x0, x1, fx] = at(u, width, plane.width);
      const top = plane.values[y0 * plane.width + x0] * (1 - fx) + plane.values[y0 * plane.width + x1] * fx;
      const bottom = plane.values[y1 * plane.width + x0] * (1 - fx) + plane.values[y1 * plane.width + x1] * fx;
      values[v * width + u] = top * (1 - fy) + bottom * fy;
    }
  }
  return { width, height, values };
}

/** Smooths a plane by a Gaussian of `sigma` pixels; beyond the edge the last value goes on. */
export function smoothPlane(plane: Plane, sigma: number): Plane {
  const radius = Math.ceil(3 * sigma);
  const weights = Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma * sigma)));
  const total = weights.reduce((a, b) => a + b, 0);
  const { width, height } = plane;
  const pass = (source: Float32Array, dx: number, dy: number): Float32Array => {
    const result = new Float32Array(source.length);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let sum = 0;
        for (let i = -radius; i <= radius; i++) {
          const px = Math.min(width - 1, Math.max(0, x + i * dx)), py = Math.min(height - 1, Math.max(0, y + i * dy));
          sum += weights[i + radius] * source[py * width + px];
        }
        result[y * width + x] = sum / total;
      }
    }
    return result;
  };
  return { width, height, values: pass(pass(plane.values, 1, 0), 0, 1) };
}

/**
 * Densities that become black and white: quantiles, so that gold beads and hot voxels do not take all the contrast.
 *
 * Values that are not finite are left out; at most 100,000 values, evenly spaced, are looked at.
 * @returns `[black, white]`, equal to `[0, 1]` when there is nothing to look at and 1 apart when all values are the same.
 */
export function findGrayRange(values: ArrayLike<number>, darkest = 0.005, brightest = 0.995): [number, number] {
  const step = Math.max(1, Math.ceil(values.length / 100_000));
  const sample: number[] = [];
  for (let i = 0; i < values.length; i += step) if (Number.isFinite(values[i])) sample.push(values[i]);
  if (sample.length === 0) return [0, 1];
  sample.sort((a, b) => a - b);
  const low = sample[Math.floor(darkest * (sample.length - 1))];
  const high = sample[Math.ceil(brightest * (sample.length - 1))];
  return high > low ? [low, high] : [low - 0.5, low + 0.5];
}

/**
 * Turns densities into gray levels; values that are not finite become black.
 *
 * @param range `[black, white]`; give white first to show high densities dark.
 * @param levels Number of gray levels: fewer make smaller files of noisy pictures, and 64 cannot be told from 256 by eye.
 * @returns `[height * width]`, 0..255.
 */
export function toGray(plane: Plane, range: readonly [number, number], levels = 256): Uint8Array {
  const [black, white] = range;
  const gray = new Uint8Array(plane.values.length);
  for (let i = 0; i < gray.length; i++) {
    const share = (plane.values[i] - black) / (white - black);
    if (Number.isFinite(share)) gray[i] = Math.round((Math.round(Math.min(1, Math.max(0, share)) * (levels - 1)) * 255) / (levels - 1));
  }
  return gray;
}

/** Makes a canvas of one colour. */
export function createCanvas(width: number, height: number, background: Rgb): Canvas {
  const pixels = new Uint8Array(width * height * 3);
  for (let i = 0; i < pixels.length; i++) pixels[i] = background[i % 3];
  return { width, height, pixels };
}

/** Mixes a colour into one pixel; pixels outside the canvas are left out. */
function mix(canvas: Canvas, x: number, y: number, colour: Rgb, opacity: number): void {
  if (x < 0 || y < 0 || x >= canvas.width || y >= canvas.height) return;
  const at = 3 * (y * canvas.width + x);
  for (let c = 0; c < 3; c++) canvas.pixels[at + c] = Math.round(canvas.pixels[at + c] * (1 - opacity) + colour[c] * opacity);
}

/** Pastes gray levels `[height * width]` with their upper left corner at (x, y); what lies outside is cut off. */
export function pasteGray(canvas: Canvas, gray: Uint8Array, width: number, x: number, y: number): void {
  for (let i = 0; i < gray.length; i++) mix(canvas, x + (i % width), y + Math.floor(i / width), [gray[i], gray[i], gray[i]], 1);
}

/** Fills a rectangle. */
export function fillRectangle(canvas: Canvas, x: number, y: number, width: number, height: number, colour: Rgb): void {
  for (let v = y; v < y + height; v++) for (let u = x; u < x + width; u++) mix(canvas, u, v, colour, 1);
}

/**
 * Corners of a marker around the origin, radius 1, y downwards; a closed outline, except that a cross is two strokes given as four
 * corners: from the first to the second and from the third to the fourth. A circle has none.
 */
export function markerCorners(shape: MarkerShape): readonly (readonly [number, number])[] {
  const polygon = (corners: number, turn: number) =>
    Array.from({ length: corners }, (_, i): [number, number] => {
      const angle = (2 * Math.PI * i) / corners + turn;
      return [Math.sin(angle), -Math.cos(angle)];
    });
  switch (shape) {
    case "circle":
      return [];
    case "square":
      return polygon(4, Math.PI / 4).map(([x, y]) => [x * 1.15, y * 1.15]);
    case "triangle":
      return polygon(3, 0).map(([x, y]) => [x * 1.15, y * 1.15 + 0.15]);
    case "wedge":
      return polygon(3, Math.PI).map(([x, y]) => [x * 1.15, y * 1.15 - 0.15]);
    case "diamond":
      return polygon(4, 0).map(([x, y]) => [x * 1.15, y * 1.15]);
    case "hexagon":
      return polygon(6, 0).map(([x, y]) => [x * 1.1, y * 1.1]);
    case "cross":
      return [[-0.8, -0.8], [0.8, 0.8], [-0.8, 0.8], [0.8, -0.8]];
  }
}

function distanceToSegment(x: number, y: number, a: readonly [number, number], b: readonly [number, number]): number {
  const dx = b[0] - a[0], dy = b[1] - a[1];
  const t = Math.min(1, Math.max(0, ((x - a[0]) * dx + (y - a[1]) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(x - a[0] - t * dx, y - a[1] - t * dy);
}

/**
 * Draws a marker's outline, smoothed at its edges, over a white rim that keeps dark colours visible on dark densities.
 *
 * Units: pixels; (x, y) may lie between pixels or outside the canvas.
 */
export function drawMarker(canvas: Canvas, shape: MarkerShape, x: number, y: number, radius: number, colour: Rgb, stroke = 2): void {
  const corners = markerCorners(shape).map(([u, v]): [number, number] => [u * radius, v * radius]);
  const segments = shape === "cross"
    ? [[corners[0], corners[1]], [corners[2], corners[3]]]
    : corners.map((corner, i) => [corner, corners[(i + 1) % corners.length]]);
  const distance = (u: number, v: number) =>
    segments.length === 0
      ? Math.abs(Math.hypot(u, v) - radius)
      : segments.reduce((least, [a, b]) => Math.min(least, distanceToSegment(u, v, a, b)), Infinity);
  const reach = Math.ceil(radius * 1.5 + stroke + 1);
  const cover = (d: number, half: number) => Math.min(1, Math.max(0, half + 0.5 - d));
  for (let v = Math.floor(y) - reach; v <= y + reach; v++) {
    for (let u = Math.floor(x) - reach; u <= x + reach; u++) {
      const d = distance(u - x, v - y);
      if (d > stroke / 2 + 1.5) continue;
      mix(canvas, u, v, [255, 255, 255], 0.7 * cover(d, stroke / 2 + 1));
      mix(canvas, u, v, colour, cover(d, stroke / 2));
    }
  }
}

/** Width of a line of text in pixels, at `scale` pixels a dot. */
export function measureText(text: string, scale = 1): number {
  return Math.max(0, [...text].length * (GLYPH_WIDTH + 1) - 1) * scale;
}

/** Height of a line of text in pixels, at `scale` pixels a dot. */
export function textHeight(scale = 1): number {
  return GLYPH_HEIGHT * scale;
}

/**
 * Writes one line of text in a 5 x 7 dot font with its upper left corner at (x, y), `scale` pixels a dot. Characters that the font does
 * not have become an empty box.
 * @param rim Colour of a rim of one dot around the strokes, for text on densities.
 */
export function drawText(canvas: Canvas, text: string, x: number, y: number, colour: Rgb, scale = 1, rim?: Rgb): void {
  const dots: [number, number][] = [];
  [...text].forEach((character, index) => {
    glyphRows(character).forEach((row, v) => {
      for (let u = 0; u < GLYPH_WIDTH; u++) {
        if (row & (1 << (GLYPH_WIDTH - 1 - u))) dots.push([x + (index * (GLYPH_WIDTH + 1) + u) * scale, y + v * scale]);
      }
    });
  });
  if (rim) { for (const [u, v] of dots) fillRectangle(canvas, u - 1, v - 1, scale + 2, scale + 2, rim); }
  for (const [u, v] of dots) fillRectangle(canvas, u, v, scale, scale, colour);
}

/**
 * A length for a scale bar: 1, 2 or 5 times a power of ten, at most `share` of the width.
 *
 * @param widthVoxels Width of the picture in voxels.
 * @param voxelSizeAngstrom Size of a voxel; the bar is in nanometres below 1 micrometre.
 * @returns Length of the bar in voxels and its name with the unit.
 */
export function chooseScaleBar(widthVoxels: number, voxelSizeAngstrom: number, share = 0.25): { voxels: number; label: string } {
  const longest = (widthVoxels * voxelSizeAngstrom * share) / 10;
  const power = 10 ** Math.floor(Math.log10(longest));
  const nanometres = [5, 2, 1].map((step) => step * power).find((length) => length <= longest) ?? power;
  const label = nanometres >= 1000 ? `${nanometres / 1000} µm` : `${Number(nanometres.toPrecision(1))} nm`;
  return { voxels: (nanometres * 10) / voxelSizeAngstrom, label };
}
