/**
 * Sections through tomograms with the picks of each class on them, read with bounded memory.
 * @module
 */
import type { RunView, TomogramRecord, Volume } from "../../../streams/contract.ts";
import { findGrayRange, type Plane, shrinkPlane } from "../../kernels/picture.ts";
import { manifestStages, type ReportFacts } from "./facts.ts";

/** One section: a plane of densities, and the picks near it. */
export interface TomogramSection {
  readonly axis: "z" | "y";
  /** Section index of its middle, and of how many the volume has. */
  readonly at: number;
  readonly of: number;
  /** Sections averaged. */
  readonly thickness: number;
  /** Size in voxels, before shrinking. */
  readonly widthVoxels: number;
  readonly heightVoxels: number;
  readonly plane: Plane;
  /** `[black, white]`. */
  readonly range: readonly [number, number];
  /** Row of the particle table, and its place on the section in voxels. */
  readonly picks: readonly { readonly row: number; readonly u: number; readonly v: number }[];
}

/** A tomogram's sections, or why there are none. */
export interface TomogramSections {
  readonly record: TomogramRecord;
  /** Name of the volume that is shown. */
  readonly volume: string;
  /** Shown as in its file; particles are dark there. */
  readonly dark: boolean;
  readonly sections: readonly TomogramSection[];
  readonly problem: string | null;
}

/** The volume that picks were made on, when a picker names one that exists. */
function chooseVolume(facts: ReportFacts, volumes: Readonly<Record<string, Volume>>): string {
  for (const stage of manifestStages(facts.view.manifest)) {
    const name = stage.options?.volume;
    if (typeof name === "string" && Object.hasOwn(volumes, name)) return name;
  }
  return "raw";
}

/** Sections read at once along z while a section across is gathered. */
const CHUNK = 32;

/** Mean of sections across y, `[nz, nx]`, gathered box by box. */
async function readAcross(volume: Volume, y0: number, thickness: number): Promise<Plane> {
  const [nz, , nx] = volume.shapeZyx;
  const values = new Float32Array(nz * nx);
  for (let z0 = 0; z0 < nz; z0 += CHUNK) {
    const depth = Math.min(CHUNK, nz - z0);
    const box = await volume.readBox([z0, y0, 0], [depth, thickness, nx]);
    for (let z = 0; z < depth; z++) {
      for (let y = 0; y < thickness; y++) {
        for (let x = 0; x < nx; x++) values[(z0 + z) * nx + x] += box[(z * thickness + y) * nx + x] / thickness;
      }
    }
  }
  return { width: nx, height: nz, values };
}

async function readAlong(volume: Volume, z0: number, thickness: number): Promise<Plane> {
  const [, ny, nx] = volume.shapeZyx;
  const slab = await volume.readSlab(z0, z0 + thickness);
  const values = new Float32Array(ny * nx);
  for (let i = 0; i < slab.length; i++) values[i % values.length] += slab[i] / thickness;
  return { width: nx, height: ny, values };
}

/**
 * Reads sections of one tomogram: at each of `levels` (shares of its depth) across z and, with `across`, the middle one across y.
 *
 * @param largest Pixels of the longer side after shrinking by a whole factor.
 * @returns Sections, or the reason why the tomogram could not be read: a report must not fail for a file that has moved.
 */
export async function readSections(
  facts: ReportFacts,
  record: TomogramRecord,
  levels: readonly number[],
  across: boolean,
  largest: number,
): Promise<TomogramSections> {
  const none = (problem: string): TomogramSections => ({ record, volume: "raw", dark: false, sections: [], problem });
  try {
    const tomogram = await facts.view.openTomogram(record.ordinal);
    if (tomogram === null) return none("its file is not where it was during the run");
    const name = chooseVolume(facts, tomogram.volumes);
    const volume = tomogram.volumes[name];
    const dark = (tomogram.metadata.contrast ?? record.metadata.contrast) === "dark";
    const [nz, ny, nx] = volume.shapeZyx;
    const diameter = facts.diameterVoxels * record.voxelsEach;
    const wanted = Math.min(9, Math.max(1, Math.round(diameter / 5)));
    const places = levels.map((level) => ({ axis: "z" as const, at: Math.min(nz - 1, Math.floor(level * nz)) }))
      .filter((place, i, list) => list.findIndex((other) => other.at === place.at) === i);
    const sections: TomogramSection[] = [];
    for (const { axis, at } of [...places, ...(across ? [{ axis: "y" as const, at: Math.floor(ny / 2) }] : [])]) {
      const of = axis === "z" ? nz : ny;
      const thickness = Math.min(of, wanted);
      const first = Math.min(of - thickness, Math.max(0, at - (thickness >> 1)));
      const whole = axis === "z" ? await readAlong(volume, first, thickness) : await readAcross(volume, first, thickness);
      const plane = shrinkPlane(whole, Math.ceil(Math.max(nx, ny) / largest));
      const [low, high] = findGrayRange(plane.values);
      sections.push({
        axis,
        at,
        of,
        thickness,
        widthVoxels: nx,
        heightVoxels: axis === "z" ? ny : nz,
        plane,
        range: dark ? [high, low] : [low, high],
        picks: picksNear(facts.view, record.ordinal, axis, at, diameter / 2),
      });
    }
    return { record, volume: name, dark, sections, problem: null };
  } catch (error) {
    return none(error instanceof Error ? error.message : String(error));
  }
}

/** Particles whose outline the section cuts. */
function picksNear({ particles }: RunView, ordinal: number, axis: "z" | "y", at: number, reach: number): TomogramSection["picks"] {
  const { rows, centresXyz, count } = particles;
  const picks: { row: number; u: number; v: number }[] = [];
  for (let row = 0; row < count; row++) {
    if (rows[2 * row] !== ordinal) continue;
    const [x, y, z] = centresXyz.subarray(3 * row, 3 * row + 3);
    if (Math.abs((axis === "z" ? z : y) - at) <= reach) picks.push({ row, u: x, v: axis === "z" ? y : z });
  }
  return picks;
}
