/**
 * Judges what a stage gives: lengths that belong together, finite numbers, positions inside the volume.
 * @module
 */
import type { Payload, Picks, State, Subtomograms, Tomogram, Triple, Volume } from "../contract.ts";

const finite = (values: ArrayLike<number>) => {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false;
  return true;
};

/** `name has n entries, expected m`, or nothing. */
export function lengthFault(name: string, values: unknown, type: { new (): ArrayLike<number> } | null, expected: number): string[] {
  if (type !== null && !(values instanceof type)) return [`${name} is no ${type.name}`];
  const { length } = values as ArrayLike<number>;
  return length === expected ? [] : [`${name} has ${length} entries, expected ${expected}`];
}

/** `name holds numbers that are not finite`, or nothing. */
export function finiteFault(name: string, values: ArrayLike<number>): string[] {
  return finite(values) ? [] : [`${name} holds numbers that are not finite`];
}

async function volumeFaults(name: string, volume: Volume): Promise<string[]> {
  const faults: string[] = [];
  const [nz, ny, nx] = volume.shapeZyx;
  if (!(volume.voxelSizeAngstrom > 0)) faults.push(`${name}: voxelSizeAngstrom is ${volume.voxelSizeAngstrom}, expected more than 0`);
  const slab = await volume.readSlab(0, nz);
  faults.push(...lengthFault(`${name}: readSlab(0, ${nz})`, slab, Float32Array, nz * ny * nx));
  faults.push(...finiteFault(`${name}: readSlab`, slab));
  const corner: Triple = [nz >> 1, ny >> 1, nx >> 1];
  const [voxel] = await volume.readBox(corner, [1, 1, 1]);
  if (faults.length === 0 && voxel !== slab[(corner[0] * ny + corner[1]) * nx + corner[2]]) {
    faults.push(`${name}: readBox and readSlab disagree`);
  }
  try {
    await volume.readBox([nz, 0, 0], [1, 1, 1]);
    faults.push(`${name}: readBox outside the volume gives voxels, expected a RangeError`);
  } catch (error) {
    if (!(error instanceof RangeError)) {
      faults.push(`${name}: readBox outside the volume throws ${(error as Error)?.name}, expected a RangeError`);
    }
  }
  return faults;
}

/** Faults of a tomogram; `from` is the one that it was made of. */
export async function tomogramFaults(tomogram: Tomogram, from?: Tomogram): Promise<string[]> {
  const faults: string[] = [];
  const names = Object.keys(tomogram.volumes);
  if (!names.includes("raw")) faults.push('has no volume "raw"');
  const shapes = new Set(Object.values(tomogram.volumes).map((volume) => volume.shapeZyx.join(" x ")));
  if (shapes.size > 1) faults.push(`volumes of unlike shapes: ${[...shapes].join("; ")}`);
  if (!Number.isInteger(tomogram.ordinal) || tomogram.ordinal < 0) faults.push(`ordinal is ${tomogram.ordinal}`);
  if (from !== undefined) {
    if (tomogram.id !== from.id || tomogram.ordinal !== from.ordinal) {
      faults.push("id or ordinal are not those of the tomogram that came in");
    }
    for (const name of Object.keys(from.volumes)) if (!names.includes(name)) faults.push(`the volume "${name}" that came in is gone`);
  }
  for (const [name, volume] of Object.entries(tomogram.volumes)) faults.push(...await volumeFaults(`volume "${name}"`, volume));
  return faults;
}

/** Faults of picks; `from` is the tomogram they were made in. */
export function picksFaults(picks: Picks, from?: Tomogram): string[] {
  const n = picks.score.length;
  const faults = [
    ...lengthFault("centresXyz", picks.centresXyz, Float64Array, 3 * n),
    ...lengthFault("score", picks.score, Float32Array, n),
    ...finiteFault("centresXyz", picks.centresXyz),
    ...finiteFault("score", picks.score),
  ];
  if (picks.eulerZyzDegrees !== undefined) faults.push(...lengthFault("eulerZyzDegrees", picks.eulerZyzDegrees, Float64Array, 3 * n));
  for (const [name, column] of Object.entries(picks.columns)) faults.push(...lengthFault(`column "${name}"`, column, null, n));
  if (from !== undefined && picks.tomogram.ordinal !== from.ordinal) faults.push("tomogram is not the one that came in");
  const shape = [...picks.tomogram.volumes.raw.shapeZyx].reverse();
  for (let i = 0; i < picks.centresXyz.length; i++) {
    const at = picks.centresXyz[i];
    if (at >= -0.5 && at <= shape[i % 3] - 0.5) continue;
    faults.push(`pick ${Math.floor(i / 3)} has ${"xyz"[i % 3]} = ${at}, outside 0..${shape[i % 3] - 1}`);
    break;
  }
  return faults;
}

/** Faults of a batch of boxes; `from` are the picks that it was cut at. */
export function subtomogramFaults(batch: Subtomograms, from?: Picks): string[] {
  const n = batch.rows.length / 2;
  const faults = [
    ...lengthFault("voxels", batch.voxels, Float32Array, n * batch.boxVoxels ** 3),
    ...finiteFault("voxels", batch.voxels),
  ];
  if (!(batch.rows instanceof Int32Array)) faults.push("rows is no Int32Array");
  const seen = new Set<number>();
  for (let i = 0; i < n; i++) {
    const [tomogram, pick] = [batch.rows[2 * i], batch.rows[2 * i + 1]];
    if (tomogram !== batch.tomogram.ordinal) faults.push(`row ${i} says tomogram ${tomogram}, the batch is of ${batch.tomogram.ordinal}`);
    if (seen.has(pick)) faults.push(`pick ${pick} stands in two rows`);
    if (from !== undefined && pick >= from.score.length) faults.push(`row ${i} says pick ${pick}, there are ${from.score.length}`);
    seen.add(pick);
  }
  if (batch.picks !== undefined) {
    faults.push(...lengthFault("picks.score", batch.picks.score, Float32Array, n));
    faults.push(...picksFaults(batch.picks).map((fault) => `picks: ${fault}`));
  }
  return faults;
}

/** Faults of any payload. */
export async function payloadFaults(payload: Payload, value: unknown, from?: unknown): Promise<string[]> {
  try {
    if (payload === "tomogram") return await tomogramFaults(value as Tomogram, from as Tomogram);
    if (payload === "picks") {
      const source = from !== undefined && "volumes" in (from as object) ? from as Tomogram : undefined;
      return picksFaults(value as Picks, source);
    }
    return subtomogramFaults(value as Subtomograms, from !== undefined && "centresXyz" in (from as object) ? from as Picks : undefined);
  } catch (error) {
    return [`is no ${payload}: ${error instanceof Error ? error.message : error}`];
  }
}

/** Faults of a saved state: what a bundle can keep is plain values and typed arrays. */
export function stateFaults(state: State): string[] {
  const faults: string[] = [];
  if (!Number.isInteger(state?.version)) faults.push(`state.version is ${state?.version}, expected a whole number`);
  for (const [name, array] of Object.entries(state?.arrays ?? {})) {
    const known = [Float32Array, Float64Array, Int32Array, Uint8Array].some((type) => array instanceof type);
    if (!known) faults.push(`state.arrays.${name} is no Float32Array, Float64Array, Int32Array or Uint8Array`);
  }
  for (const [name, value] of Object.entries(state?.values ?? {})) {
    const items = Array.isArray(value) ? value : [value];
    const plain = items.every((item) => item === null || ["string", "boolean"].includes(typeof item) || Number.isFinite(item));
    if (!plain) faults.push(`state.values.${name} cannot be kept as JSON: ${String(value)}`);
  }
  return faults;
}
