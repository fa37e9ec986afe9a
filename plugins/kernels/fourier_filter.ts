/**
 * Filters on large volumes in place, with a single section or slab as working memory.
 *
 * A padded volume is `[nz, ny, pitch]` with `pitch = 2 (floor(nx / 2) + 1)`, so that a row holds its own half spectrum; columns from nx on are
 * of no account. Volumes are treated as periodic.
 * @module
 */
import { ShapeError } from "../../streams/errors.ts";
import type { Triple } from "../../streams/contract.ts";
import { fftLines, frequencyOf, irfft3, rfft3 } from "./fft.ts";

/** Numbers in a row of a padded volume that is nx voxels wide. */
export function paddedPitch(nx: number): number {
  return 2 * ((nx >> 1) + 1);
}

/**
 * Multiplies the spectrum of every x-z section by the same gains: a filter that does not change along y, such as the missing wedge.
 *
 * @param volume Padded `[nz, ny, pitch]`, changed in place.
 * @param shapeZyx `[nz, ny, nx]` of what it holds.
 * @param gain `[nz, floor(nx / 2) + 1]`, zero frequency first.
 * @param signal Aborts between sections.
 * @throws {ShapeError} When a length does not belong to the shape.
 */
export function filterSections(volume: Float32Array, shapeZyx: Triple, gain: Float32Array, signal?: AbortSignal): void {
  const [nz, ny, nx] = shapeZyx;
  const pitch = checkPadded(volume, shapeZyx), half = pitch / 2;
  if (gain.length !== nz * half) throw new ShapeError(`filterSections: ${gain.length} gains for ${nz} x ${half} frequencies`);
  const section = new Float32Array(nz * nx);
  for (let y = 0; y < ny; y++) {
    signal?.throwIfAborted();
    for (let z = 0; z < nz; z++) section.set(volume.subarray((z * ny + y) * pitch, (z * ny + y) * pitch + nx), z * nx);
    const spectrum = rfft3(section, [1, nz, nx]);
    for (let i = 0; i < gain.length; i++) {
      spectrum[2 * i] *= gain[i];
      spectrum[2 * i + 1] *= gain[i];
    }
    const filtered = irfft3(spectrum, [1, nz, nx]);
    for (let z = 0; z < nz; z++) volume.set(filtered.subarray(z * nx, (z + 1) * nx), (z * ny + y) * pitch);
  }
}

/**
 * Multiplies the spectrum of a volume by real gains.
 *
 * @param volume Padded `[nz, ny, pitch]`, changed in place.
 * @param shapeZyx `[nz, ny, nx]` of what it holds.
 * @param gain Called once for each y frequency (`ky` from 0 to ny - 1); returns `[nz, floor(nx / 2) + 1]` gains, zero frequency first. Gains of
 * k and -k must be equal.
 * @param signal Aborts between sections.
 * @throws {ShapeError} When a length does not belong to the shape.
 */
export function filterVolume(volume: Float32Array, shapeZyx: Triple, gain: (ky: number) => Float32Array, signal?: AbortSignal): void {
  const [nz, ny, nx] = shapeZyx;
  const pitch = checkPadded(volume, shapeZyx), half = pitch / 2;
  const area = ny * pitch;
  const plane = new Float32Array(ny * nx);
  for (let z = 0; z < nz; z++) {
    signal?.throwIfAborted();
    for (let y = 0; y < ny; y++) plane.set(volume.subarray(z * area + y * pitch, z * area + y * pitch + nx), y * nx);
    volume.set(rfft3(plane, [1, ny, nx]), z * area);
  }
  const slab = new Float32Array(nz * pitch);
  for (let y = 0; y < ny; y++) {
    signal?.throwIfAborted();
    for (let z = 0; z < nz; z++) slab.set(volume.subarray(z * area + y * pitch, z * area + (y + 1) * pitch), z * pitch);
    fftLines(slab, 1, nz, half);
    const factors = gain(y);
    for (let i = 0; i < factors.length; i++) {
      slab[2 * i] *= factors[i];
      slab[2 * i + 1] *= factors[i];
    }
    fftLines(slab, 1, nz, half, true);
    for (let z = 0; z < nz; z++) volume.set(slab.subarray(z * pitch, (z + 1) * pitch), z * area + y * pitch);
  }
  for (let z = 0; z < nz; z++) {
    signal?.throwIfAborted();
    const rows = irfft3(volume.slice(z * area, (z + 1) * area), [1, ny, nx]);
    for (let y = 0; y < ny; y++) volume.set(rows.subarray(y * nx, (y + 1) * nx), z * area + y * pitch);
  }
}

/**
 * Moves the rows of a padded volume together.
 *
 * @returns `[nz, ny, nx]`, a view of the same memory.
 */
export function removePadding(volume: Float32Array, shapeZyx: Triple): Float32Array {
  const [nz, ny, nx] = shapeZyx;
  const pitch = checkPadded(volume, shapeZyx);
  for (let row = 1; row < nz * ny; row++) volume.copyWithin(row * nx, row * pitch, row * pitch + nx);
  return volume.subarray(0, nz * ny * nx);
}

/**
 * Gains of the missing wedge for {@linkcode filterSections}: 1 where a tilt series about y measured, 0 elsewhere; frequencies are physical
 * (k / n), so that an oblong volume has the same wedge as a cube. For a cube it is the plane of `wedgeMask`.
 *
 * @param tiltRangeDegrees First and last tilt, -90 <= first < last <= 90.
 * @returns `[nz, floor(nx / 2) + 1]`.
 */
export function wedgeSection(nz: number, nx: number, tiltRangeDegrees: readonly [number, number]): Float32Array {
  const half = (nx >> 1) + 1;
  const gain = new Float32Array(nz * half);
  const [first, last] = tiltRangeDegrees.map((degrees) => degrees * Math.PI / 180);
  const measured = (fz: number, fx: number) => {
    if (last - first >= Math.PI) return 1;
    // Signed distances from the two faces; a coefficient on a face is measured, rounding aside.
    const a = fz * Math.cos(first) - fx * Math.sin(first), b = fx * Math.sin(last) - fz * Math.cos(last);
    return Math.max(Math.min(a, b), Math.min(-a, -b)) >= -1e-9 * Math.hypot(fz, fx) ? 1 : 0;
  };
  for (let z = 0; z < nz; z++) {
    for (let x = 0; x < half; x++) {
      const fz = frequencyOf(z, nz) / nz, fx = x / nx;
      // The highest frequency of an even axis stands for both of its signs.
      gain[z * half + x] = 2 * z === nz || 2 * x === nx ? (measured(fz, fx) + measured(-fz, fx)) / 2 : measured(fz, fx);
    }
  }
  return gain;
}

function checkPadded(volume: Float32Array, [nz, ny, nx]: Triple): number {
  const pitch = paddedPitch(nx);
  if (volume.length !== nz * ny * pitch) {
    throw new ShapeError(`${volume.length} numbers are not a padded volume of ${nz} x ${ny} x ${nx} (${nz * ny * pitch} expected)`);
  }
  return pitch;
}
