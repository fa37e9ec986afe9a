/**
 * Filters whose gain depends on the length of the frequency alone, on volumes larger than memory: three passes over sections, strips and
 * sections again, each of which knows only its part. Together they are one Fourier transform of the whole volume, exactly.
 *
 * Every axis is continued by its mirror images from both ends, one faded into the other, so that opposite faces do not touch.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";
import type { Triple } from "../../streams/contract.ts";
import { fastLength, fftLines, frequencyOf, irfft3, rfft3 } from "./fft.ts";

/** Least samples by which an axis is continued. */
const LEAST_PADDING = 16;

/** How a volume is filtered; everything can be sent to a worker. */
export interface RadialFilter {
  readonly shapeZyx: Triple;
  /** Samples of each axis with its continuation. */
  readonly periodZyx: Triple;
  /** Gains at equal distances from frequency 0 to Nyquist's (half a cycle a voxel), both included; beyond it the last one holds. */
  readonly gains: Float64Array;
}

/** Plans a filter. @param gains See {@linkcode RadialFilter.gains}; two or more. */
export function planRadialFilter(shapeZyx: Triple, gains: Float64Array): RadialFilter {
  if (gains.length < 2) throw new ShapeError(`${gains.length} gains: expected two or more`);
  const periodZyx = shapeZyx.map((n) => fastLength(n + LEAST_PADDING)) as unknown as Triple;
  return { shapeZyx, periodZyx, gains };
}

/** Numbers in a row of a section's spectrum: real and imaginary parts of half of it. */
export function spectrumPitch({ periodZyx: [, , px] }: RadialFilter): number {
  return 2 * ((px >> 1) + 1);
}

/** Shape of the sections' spectra: what the first pass gives, `[nz, py, pitch]`. */
export function spectraShape(filter: RadialFilter): Triple {
  return [filter.shapeZyx[0], filter.periodZyx[1], spectrumPitch(filter)];
}

/** Index of the two samples and the weight of the second that stand at `i` of a continued axis. */
function continued(i: number, length: number, period: number): readonly [number, number, number] {
  if (i < length) return [i, i, 0];
  const past = i - length, padding = period - length;
  const fade = 0.5 - 0.5 * Math.cos((Math.PI * (past + 1)) / (padding + 1));
  return [Math.max(0, length - 1 - past), Math.min(length - 1, padding - 1 - past), fade];
}

/** First pass, a pool entry: whole sections `[n, ny, nx]` to their spectra `[n, py, pitch]`. */
export function sectionsToSpectra(sections: Float32Array, filter: RadialFilter): Float32Array {
  const [, ny, nx] = filter.shapeZyx, [, py, px] = filter.periodZyx;
  const count = sections.length / (ny * nx), pitch = spectrumPitch(filter);
  if (!Number.isInteger(count)) throw new ShapeError(`${sections.length} voxels are no whole sections of ${ny} x ${nx}`);
  const out = new Float32Array(count * py * pitch), plane = new Float32Array(py * px);
  const columns = Array.from({ length: px }, (_, x) => continued(x, nx, px)).slice(nx);
  for (let z = 0; z < count; z++) {
    for (let y = 0; y < ny; y++) {
      const row = sections.subarray((z * ny + y) * nx, (z * ny + y + 1) * nx);
      plane.set(row, y * px);
      columns.forEach(([a, b, fade], i) => plane[y * px + nx + i] = (1 - fade) * row[a] + fade * row[b]);
    }
    for (let y = ny; y < py; y++) {
      const [a, b, fade] = continued(y, ny, py);
      for (let x = 0; x < px; x++) plane[y * px + x] = (1 - fade) * plane[a * px + x] + fade * plane[b * px + x];
    }
    out.set(rfft3(plane, [1, py, px]), z * py * pitch);
  }
  return out;
}

/**
 * Second pass, a pool entry: a strip of all sections' spectra `[nz, rows, pitch]` is transformed along z, multiplied by the gains and
 * transformed back.
 *
 * @param firstRow Row of the spectra that the strip begins with.
 * @returns With the rows first, `[rows, nz, pitch]`.
 */
export function filterStrip(strip: Float32Array, rows: number, firstRow: number, filter: RadialFilter): Float32Array {
  const nz = filter.shapeZyx[0], [pz, py, px] = filter.periodZyx, { gains } = filter;
  const pitch = spectrumPitch(filter), width = rows * pitch, half = pitch / 2;
  if (strip.length !== nz * width) throw new ShapeError(`${strip.length} numbers are no strip of ${nz} x ${rows} x ${pitch}`);
  const lines = new Float32Array(pz * width);
  lines.set(strip);
  for (let z = nz; z < pz; z++) {
    const [a, b, fade] = continued(z, nz, pz);
    for (let i = 0; i < width; i++) lines[z * width + i] = (1 - fade) * strip[a * width + i] + fade * strip[b * width + i];
  }
  fftLines(lines, 1, pz, width / 2);
  const last = gains.length - 1;
  for (let z = 0, at = 0; z < pz; z++) {
    const fz = (frequencyOf(z, pz) / pz) ** 2;
    for (let row = 0; row < rows; row++) {
      const fzy = fz + (frequencyOf(firstRow + row, py) / py) ** 2;
      for (let x = 0; x < half; x++, at += 2) {
        const place = 2 * last * Math.sqrt(fzy + (x / px) ** 2), index = Math.floor(place);
        const gain = index >= last ? gains[last] : gains[index] + (place - index) * (gains[index + 1] - gains[index]);
        lines[at] *= gain;
        lines[at + 1] *= gain;
      }
    }
  }
  fftLines(lines, 1, pz, width / 2, true);
  const out = new Float32Array(rows * nz * pitch);
  for (let z = 0; z < nz; z++) {
    for (let row = 0; row < rows; row++) {
      const from = z * width + row * pitch;
      out.set(lines.subarray(from, from + pitch), (row * nz + z) * pitch);
    }
  }
  return out;
}

/** Third pass, a pool entry: spectra with their rows first `[py, sections, pitch]` to whole sections `[sections, ny, nx]`. */
export function spectraToSections(rows: Float32Array, sections: number, filter: RadialFilter): Float32Array {
  const [, ny, nx] = filter.shapeZyx, [, py, px] = filter.periodZyx, pitch = spectrumPitch(filter);
  if (rows.length !== py * sections * pitch) {
    throw new ShapeError(`${rows.length} numbers are no spectra of ${py} x ${sections} x ${pitch}`);
  }
  const out = new Float32Array(sections * ny * nx);
  for (let z = 0; z < sections; z++) {
    const spectrum = new Float32Array(py * pitch);
    for (let y = 0; y < py; y++) {
      const from = (y * sections + z) * pitch;
      spectrum.set(rows.subarray(from, from + pitch), y * pitch);
    }
    const plane = irfft3(spectrum, [1, py, px]);
    for (let y = 0; y < ny; y++) out.set(plane.subarray(y * px, y * px + nx), (z * ny + y) * nx);
  }
  return out;
}
