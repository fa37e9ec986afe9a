/**
 * Reconstructed tomograms from volume files.
 * @module
 */
import { basename } from "node:path";
import { z } from "zod";
import { definePlugin, type PluginContext, type Tomogram, type Volume } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { tiltRangeFault } from "../formats/geometry_csv.ts";
import { axisLetters, isStraight, orderGeometry } from "../formats/axis_order.ts";
import { namedTomogram } from "../formats/tomogram_name.ts";
import { describeVolumeFile, streamedShape, type VolumeDescription, voxelSizeOf } from "../formats/volume_file.ts";
import { isAddress, splitHdf5Path } from "../formats/volume_path.ts";
import { percentApart, resolveVoxelSize, shortNumber, voxelSizeTolerance } from "../formats/voxel_size.ts";
import { findFiles, type FoundFile } from "./tomograms/find_files.ts";
import { findGeometry, type FoundGeometry, readGeometryTable } from "./tomograms/find_geometry.ts";
import { OpenFiles, scaledVolume } from "./tomograms/open_files.ts";
import { storedVolume } from "./tomograms/stored_volume.ts";
import { scratchBytes } from "../denoisers/scratch_need.ts";

const options = z.strictObject({
  paths: z.array(z.string().min(1).meta({ format: "path" })).min(1).meta({
    description: "MRC and EM files (also .gz, .bz2), OME-Zarr folders or addresses, HDF5 files; * ? {a,b} and ** stand for names",
    format: "path",
  }),
  contrast: z.enum(["dark", "bright"]).default("dark").meta({
    description: "How particles look in the files: dark in raw reconstructions",
  }),
  voxelSizeAngstrom: z.number().positive().optional().meta({
    description: "Voxel size; left out: the header's. Of a multiscale volume it chooses the level",
    unit: "Angstrom",
  }),
  onVoxelSizeMismatch: z.enum(["error", "manifest", "header"]).default("error").meta({
    description: "Which holds when header and voxelSizeAngstrom differ by more than 1 %",
  }),
  unlikeVoxelSizes: z.enum(["error", "allow"]).default("error").meta({
    description: "Tomograms whose voxel sizes differ by more than 1 %: allow them where a rescale stage makes them alike",
  }),
  tiltRangeDegrees: z.tuple([z.number().min(-90).max(90), z.number().min(-90).max(90)]).optional().meta({
    description: "First and last tilt; left out: from the geometry table or tilt files, else unknown",
    unit: "degree",
  }),
  tiltAxis: z.enum(["x", "y"]).default("y").meta({ description: "Axis of the tomogram that the stage tilted about" }),
  handedness: z.union([z.literal(1), z.literal(-1)]).optional().meta({ description: "-1 when positive tilts turn the other way" }),
  geometry: z.string().optional().meta({
    description:
      "RELION's tomograms.star, or CSV with a column tomogram and any of tiltMinDegrees, tiltMaxDegrees, tiltAnglesDegrees, tiltAxis, handedness, " +
      "defocusAngstrom, defocusHandedness, doseElectronsPerSquareAngstrom",
    format: "path",
  }),
  tiltFiles: z.enum(["auto", "none"]).default("auto").meta({
    description:
      "auto reads .tlt, .aln, .rawtlt and .mdoc of the same stem beside a tomogram, and Warp's .xml there or up to two folders above",
  }),
});
type Options = z.infer<typeof options>;

/** A file whose header has been checked. */
interface Inspected extends FoundFile {
  /** Id of its file, where that holds several tomograms. */
  readonly fileId: string;
  readonly ordinal: number;
  readonly description: VolumeDescription;
  /** Which volume of a stack of volumes. */
  readonly stackIndex?: number;
  readonly modified: number;
  readonly voxelSizeAngstrom: number;
  readonly found: FoundGeometry;
}

/** Reads tomograms lazily, particles made bright; every header is checked before the first tomogram is handed out. */
export default definePlugin({
  apiVersion: 1,
  name: "tomograms",
  kind: "source",
  summary: "Reconstructed tomograms from MRC, EM, OME-Zarr or HDF5 files, read lazily",
  output: "tomogram",
  options,
  check: ({ tiltRangeDegrees }) => {
    const fault = tiltRangeDegrees ? tiltRangeFault(...tiltRangeDegrees) : null;
    return fault ? [fault] : [];
  },
  create(given, context) {
    const files = new OpenFiles();
    return {
      async *open(signal) {
        const all = await inspectAll(given, context, signal);
        for (const file of all) {
          signal.throwIfAborted();
          const tomogram = await openTomogram(file, given, files, context);
          await refuseConstant(tomogram.volumes.raw, signOf(given), file.path, signal);
          yield tomogram;
        }
      },
      async *outline(signal) {
        const unpacked = new Set<string>();
        for (const { id, path, description, voxelSizeAngstrom } of await inspectAll(given, context, signal)) {
          const { shapeZyx, readInOrderOnly } = description;
          // A stack of volumes is unpacked once.
          const keptBytes = readInOrderOnly && !unpacked.has(path) ? scratchBytes(streamedShape(description)) : 0;
          unpacked.add(path);
          yield { tomogram: { id, shapeZyx, voxelSizeAngstrom, volumes: ["raw"] }, keptBytes };
        }
      },
      async reopen(ordinal) {
        try {
          const table = await readGeometryTable(given.geometry);
          let first = 0;
          for (const file of findFiles(given.paths)) {
            const description = await describe(file.path, given);
            if (ordinal < first + description.volumes) {
              const all = await inspect(file, description, first, table, given, silent);
              return await openTomogram(all[ordinal - first], given, files, context);
            }
            first += description.volumes;
          }
          return null;
        } catch (error) {
          if (error instanceof InputError) return null;
          throw error;
        }
      },
      [Symbol.asyncDispose]: () => files[Symbol.asyncDispose](),
    };
  },
});

/** Particles are bright inside tomosieve. */
function signOf({ contrast }: Options): 1 | -1 {
  return contrast === "dark" ? -1 : 1;
}

type Notes = Pick<PluginContext, "note" | "warn">;
const silent: Notes = { note: () => {}, warn: () => {} };

async function inspectAll(given: Options, context: PluginContext, signal: AbortSignal): Promise<Inspected[]> {
  const table = await readGeometryTable(given.geometry);
  const found = findFiles(given.paths);
  const all: Inspected[] = [];
  for (const file of found) {
    signal.throwIfAborted();
    all.push(...await inspect(file, await describe(file.path, given), all.length, table, given, context));
  }
  const used = new Set(all.map((file) => rowOf(table, file.id, file.fileId)));
  const missing = [...table].filter(([, row]) => !used.has(row)).map(([name]) => name);
  if (missing.length > 0) {
    context.warn("geometry-without-tomogram", `${basename(given.geometry!)} names ${missing.join(", ")}, but no file has that stem`);
  }
  if (given.unlikeVoxelSizes === "error") refuseUnlikeVoxelSizes(all);
  context.note(
    "contrast",
    given.contrast === "dark" ? "particles are dark in the files: voxels are multiplied by -1" : "particles are bright in the files",
  );
  const unknown = all.filter(({ found }) => found.geometry.tiltRangeDegrees === "unknown");
  if (unknown.length > 0) {
    const which = unknown.length === all.length ? "all tomograms" : unknown.map(({ id }) => id).join(", ");
    context.note(
      "tilt-range-unknown",
      `tilt range of ${which} unknown: the missing wedge is not modelled; state source.options.tiltRangeDegrees`,
    );
  }
  return all;
}

function describe(path: string, { voxelSizeAngstrom }: Options): Promise<VolumeDescription> {
  return describeVolumeFile(path, { wantedVoxelSizeAngstrom: voxelSizeAngstrom });
}

/** A tomogram's row of the geometry table: by its name, by its file's, or by what programs make of either. */
function rowOf(table: Awaited<ReturnType<typeof readGeometryTable>>, id: string, fileId: string) {
  return namedTomogram(table, id) ?? namedTomogram(table, fileId);
}

/** One tomogram of a file, or each volume of a stack of volumes. */
async function inspect(
  file: FoundFile,
  description: VolumeDescription,
  first: number,
  table: Awaited<ReturnType<typeof readGeometryTable>>,
  given: Options,
  notes: Notes,
): Promise<Inspected[]> {
  const { path } = file, { volumes, shapeZyx: [nz, ny, nx], axes } = description, name = basename(path);
  for (const anomaly of description.anomalies) notes.warn("odd-header", `${name}: ${anomaly}`);
  if (description.isTransform) {
    throw new InputError(path, "holds a Fourier transform (complex numbers), expected a density: transform it back first");
  }
  if (volumes > 1 && nz === ny && ny === nx) {
    throw new InputError(path, `is a stack of ${volumes} cubic volumes of ${nx} voxels: use the source "subtomogram-stack"`);
  }
  const stated = given.voxelSizeAngstrom;
  // A header whose axes disagree is of no account where the manifest's size is to hold anyway.
  const inHeader = stated !== undefined && given.onVoxelSizeMismatch === "manifest"
    ? description.voxelSizeXyzAngstrom[0]
    : voxelSizeOf(description);
  const { voxelSizeAngstrom, note } = resolveVoxelSize(path, inHeader, stated, given.onVoxelSizeMismatch);
  if (note) notes.note("voxel-size", `${name}: ${note}`);
  if (!isStraight(axes)) {
    const about = axes[2] === 3 ? "tiltAxis and handedness are taken as stated for them" : "tiltAxis is taken as the axis of the result";
    notes.note("axis-order", `${name}: its columns, rows, sections are ${axisLetters(axes)} and are put into x, y, z; ${about}`);
  }
  const onDisk = isAddress(path) ? null : await Deno.stat(splitHdf5Path(path).file);
  const all: Inspected[] = [];
  for (let index = 0; index < volumes; index++) {
    const id = volumes === 1 ? file.id : `${file.id}_${index + 1}`;
    const found = await findGeometry(path, id, rowOf(table, id, file.id), given);
    if (found.warning) notes.warn("tilt-range", `${id}: ${found.warning}`);
    all.push({
      ...{ id, fileId: file.id, path, ordinal: first + index, description, voxelSizeAngstrom },
      ...(volumes > 1 ? { stackIndex: index } : {}),
      modified: onDisk?.mtime?.getTime() ?? 0,
      found: { ...found, geometry: orderGeometry(found.geometry, axes) },
    });
  }
  return all;
}

function refuseUnlikeVoxelSizes(all: readonly Inspected[]): void {
  const [first] = all;
  for (const { id, voxelSizeAngstrom: size, path } of all) {
    if (Math.abs(size / first.voxelSizeAngstrom - 1) <= voxelSizeTolerance) continue;
    const largest = shortNumber(Math.max(...all.map((other) => other.voxelSizeAngstrom)));
    throw new InputError(
      path,
      `${id} has ${shortNumber(size)} A a voxel, ${first.id} has ${shortNumber(first.voxelSizeAngstrom)} A (${
        percentApart(size, first.voxelSizeAngstrom)
      } ` +
        `apart): add the stage { "use": "rescale", "options": { "voxelSizeAngstrom": ${largest} } } first and set source.options.unlikeVoxelSizes to "allow"`,
    );
  }
}

async function openTomogram(file: Inspected, given: Options, files: OpenFiles, context: PluginContext): Promise<Tomogram> {
  const { id, ordinal, path, description, found } = file;
  const { raster, axes, fileBytes } = description;
  const stored = await storedVolume(file, files, context);
  return {
    id,
    ordinal,
    volumes: { raw: scaledVolume(stored, signOf(given)) },
    geometry: found.geometry,
    metadata: {
      path,
      ...(fileBytes === null ? {} : { bytes: fileBytes }),
      contrast: given.contrast,
      ...(raster?.content.format === "MRC" ? { mode: raster.content.header.mode } : { format: description.format }),
      ...(description.locator === path
        ? {}
        : { level: description.locator.slice(path.length).replace(/^[:/]+/, "") || description.locator }),
      ...(isStraight(axes) ? {} : { axes: axisLetters(axes) }),
      headerVoxelSizeAngstrom: description.voxelSizeXyzAngstrom[0],
      ...(found.tiltFile ? { tiltFile: basename(found.tiltFile) } : {}),
    },
  };
}

/** Looks at a few sections; only where they are all the same at the whole volume. */
async function refuseConstant(volume: Volume, sign: 1 | -1, path: string, signal: AbortSignal): Promise<void> {
  const nz = volume.shapeZyx[0];
  const few = [...new Set([0.5, 0.25, 0.75, 0.1, 0.9].map((part) => Math.floor(part * nz)))];
  let value: number | undefined;
  for (const z of [...few, ...Array.from({ length: nz }, (_, i) => i)]) {
    signal.throwIfAborted();
    const section = await volume.readSlab(z, z + 1);
    value ??= section[0];
    if (section.some((voxel) => voxel !== value)) return;
  }
  throw new InputError(path, `every voxel is ${value! * sign}: is this an empty or failed reconstruction?`);
}
