/**
 * Reconstructed tomograms from MRC files.
 * @module
 */
import { basename } from "node:path";
import { z } from "zod";
import { definePlugin, type PluginContext, type Tomogram, type Volume } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { tiltRangeFault } from "../formats/geometry_csv.ts";
import { headerVoxelSize, type MrcHeader, readMrcHeader } from "../formats/mrc.ts";
import { readGzippedMrc, readGzippedMrcHeader } from "../formats/mrc_stream.ts";
import { percentApart, resolveVoxelSize, shortNumber, voxelSizeTolerance } from "../formats/voxel_size.ts";
import { findFiles, type FoundFile } from "./tomograms/find_files.ts";
import { findGeometry, type FoundGeometry, readGeometryTable } from "./tomograms/find_geometry.ts";
import { OpenFiles, scaledVolume } from "./tomograms/open_files.ts";

const options = z.strictObject({
  paths: z.array(z.string().min(1).meta({ format: "path" })).min(1).meta({
    description: "MRC files (.mrc, .rec, .map, .st, also .gz); * ? {a,b} and ** stand for names",
    format: "path",
  }),
  contrast: z.enum(["dark", "bright"]).default("dark").meta({
    description: "How particles look in the files: dark in raw reconstructions",
  }),
  voxelSizeAngstrom: z.number().positive().optional().meta({ description: "Voxel size; left out: the header's", unit: "Angstrom" }),
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
      "CSV with a column tomogram and any of tiltMinDegrees, tiltMaxDegrees, tiltAxis, handedness, defocusAngstrom, doseElectronsPerSquareAngstrom",
    format: "path",
  }),
  tiltFiles: z.enum(["auto", "none"]).default("auto").meta({
    description: "auto reads .tlt, .rawtlt and .mdoc of the same stem beside a tomogram",
  }),
});
type Options = z.infer<typeof options>;

/** A file whose header has been checked. */
interface Inspected extends FoundFile {
  readonly ordinal: number;
  readonly header: MrcHeader;
  readonly bytes: number;
  readonly modified: number;
  readonly voxelSizeAngstrom: number;
  readonly found: FoundGeometry;
}

/** Reads tomograms lazily, particles made bright; every header is checked before the first tomogram is handed out. */
export default definePlugin({
  apiVersion: 1,
  name: "tomograms",
  kind: "source",
  summary: "Reconstructed tomograms from MRC files, read lazily",
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
      async reopen(ordinal) {
        try {
          const file = findFiles(given.paths)[ordinal];
          if (!file) return null;
          const table = await readGeometryTable(given.geometry);
          return await openTomogram(await inspect(file, ordinal, table, given, silent), given, files, context);
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
  const missing = [...table.keys()].filter((id) => !found.some((file) => file.id === id));
  if (missing.length > 0) {
    context.warn("geometry-without-tomogram", `${basename(given.geometry!)} names ${missing.join(", ")}, but no file has that stem`);
  }
  const all: Inspected[] = [];
  for (const file of found) {
    signal.throwIfAborted();
    all.push(await inspect(file, all.length, table, given, context));
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

async function inspect(
  file: FoundFile,
  ordinal: number,
  table: Awaited<ReturnType<typeof readGeometryTable>>,
  given: Options,
  notes: Notes,
): Promise<Inspected> {
  const { path, id } = file;
  const header = file.gzipped ? await readGzippedMrcHeader(path) : (await readMrcHeader(path)).header;
  for (const anomaly of header.anomalies) notes.warn("odd-header", `${basename(path)}: ${anomaly}`);
  if (header.spaceGroup === 401) throw new InputError(path, `is a stack of volumes (space group 401): use the source "subtomogram-stack"`);
  const stated = given.voxelSizeAngstrom;
  // A header whose axes disagree is of no account where the manifest's size is to hold anyway.
  const inHeader = stated !== undefined && given.onVoxelSizeMismatch === "manifest"
    ? header.voxelSizeXyzAngstrom[0]
    : headerVoxelSize(header, path);
  const { voxelSizeAngstrom, note } = resolveVoxelSize(path, inHeader, stated, given.onVoxelSizeMismatch);
  if (note) notes.note("voxel-size", `${basename(path)}: ${note}`);
  const found = await findGeometry(path, id, table.get(id), given);
  if (found.warning) notes.warn("tilt-range", `${id}: ${found.warning}`);
  const { size, mtime } = await Deno.stat(path);
  return { ...file, ordinal, header, bytes: size, modified: mtime?.getTime() ?? 0, voxelSizeAngstrom, found };
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
  const { id, ordinal, path, header, bytes, modified, voxelSizeAngstrom, found } = file;
  const { shapeZyx } = header;
  const stored = !file.gzipped
    ? files.volume(path, shapeZyx, voxelSizeAngstrom)
    : await context.scratch.volume(`gunzip ${path} ${bytes} ${modified}`, shapeZyx, voxelSizeAngstrom, async (writeSlab) => {
      for await (const sections of readGzippedMrc(path)) {
        context.signal.throwIfAborted();
        await writeSlab(sections);
      }
    });
  return {
    id,
    ordinal,
    volumes: { raw: scaledVolume(stored, signOf(given)) },
    geometry: found.geometry,
    metadata: {
      path,
      bytes,
      contrast: given.contrast,
      mode: header.mode,
      headerVoxelSizeAngstrom: header.voxelSizeXyzAngstrom[0],
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
