/**
 * Volumes of every format behind one door: told apart by content, then by name; described, opened lazily, or streamed.
 *
 * | format | random access | otherwise |
 * |---|---|---|
 * | MRC, EM | plain files | gzip, bzip2: streamed in order, to be put where it can be read again |
 * | OME-Zarr 0.4, 0.5 | folders and http | |
 * | HDF5 | by the optional package h5wasm | |
 * @module
 */
import type { Triple, Volume } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { type FileAxes, isStraight } from "./axis_order.ts";
import type { Compression } from "./decompress.ts";
import { headerVoxelSize, type MrcStatistics } from "./mrc_header.ts";
import { openMrcVolume } from "./mrc.ts";
import { type RasterFile, readRasterHeader, streamSections } from "./raster_file.ts";
import { isAddress, splitHdf5Path } from "./volume_path.ts";
import { checkFinite, type NonFinite, openForReading, RasterReader, rasterVolume, readBeginning } from "./raster_reader.ts";

/** What is known of a volume file before its voxels are read. */
export interface VolumeDescription {
  /** File, folder or address. */
  readonly path: string;
  /** What {@linkcode openVolumeFile} takes to open exactly this: a level of a multiscale volume, a dataset of an HDF5 file. */
  readonly locator: string;
  readonly format: "MRC" | "EM" | "OME-Zarr" | "HDF5";
  readonly compression: Compression;
  /** Size on disk; `null` when not known. */
  readonly fileBytes: number | null;
  /** After `axes` is applied; of one volume when `volumes` is more than 1. */
  readonly shapeZyx: Triple;
  /** What columns, rows, sections are: 1 = x, 2 = y, 3 = z. */
  readonly axes: FileAxes;
  /** Volumes of this shape in a stack of volumes. */
  readonly volumes: number;
  /** `float32`, `int16`, ... */
  readonly voxelType: string;
  readonly byteOrder: "little" | "big" | "by chunk";
  /** 0 where unset. */
  readonly voxelSizeXyzAngstrom: Triple;
  readonly originXyzAngstrom: Triple;
  /** As the header states them; `null` when it states none. */
  readonly statistics: MrcStatistics | null;
  /** Tilt of each section, from an extended header. */
  readonly tiltAnglesDegrees?: readonly number[];
  /** A Fourier transform: its voxels are amplitudes. */
  readonly isTransform: boolean;
  /** Reading it in another order than z would be slow or cannot be done: it is to be streamed to where it can be read again. */
  readonly readInOrderOnly: boolean;
  /** Anything else that a user may want to see, name to words. */
  readonly facts: Readonly<Record<string, string>>;
  /** What is odd but does not prevent reading, one sentence each. */
  readonly anomalies: readonly string[];
  /** Raster files only: what is needed to stream or open it. */
  readonly raster?: RasterFile;
}

/** Which of several resolutions is wanted, and what to do with voxels that are not finite. */
export interface VolumeFileOptions {
  /** Voxel size in Angstrom: chooses the level of a multiscale volume. */
  readonly wantedVoxelSizeAngstrom?: number;
  /** Takes the place of the file's voxel size. */
  readonly voxelSizeAngstrom?: number;
  /** Default `refuse`. */
  readonly nonFinite?: NonFinite;
  /** Which volume of a stack of volumes, from 0. */
  readonly stackIndex?: number;
}

/** A volume that can be read in any order. */
export interface OpenVolumeFile extends Volume, AsyncDisposable {
  readonly path: string;
  close(): void;
}

const HDF5_MAGIC = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

async function kindOf(path: string): Promise<"raster" | "zarr" | "hdf5"> {
  if (isAddress(path)) return "zarr";
  const { file: name, dataset } = splitHdf5Path(path);
  if (dataset !== null) return "hdf5";
  try {
    if ((await Deno.stat(path)).isDirectory) return "zarr";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new InputError(path, "no such file", { cause: error });
    throw error;
  }
  const { file } = await openForReading(name);
  try {
    const beginning = await readBeginning(file, 8);
    return HDF5_MAGIC.every((byte, i) => beginning[i] === byte) ? "hdf5" : "raster";
  } finally {
    file.close();
  }
}

function describeRaster(raster: RasterFile): VolumeDescription {
  const { path, compression, fileBytes, axes, content } = raster;
  const common = { path, locator: path, compression, fileBytes, axes, raster, readInOrderOnly: compression !== "none" };
  if (content.format === "EM") {
    const { header } = content, size = header.voxelSizeAngstrom;
    return {
      ...common,
      format: "EM",
      shapeZyx: header.shapeZyx,
      volumes: 1,
      voxelType: header.voxelType,
      byteOrder: header.littleEndian ? "little" : "big",
      voxelSizeXyzAngstrom: [size, size, size],
      originXyzAngstrom: [0, 0, 0],
      statistics: null,
      isTransform: header.voxelType === "complex64",
      facts: header.comment === "" ? {} : { comment: header.comment },
      anomalies: size > 0
        ? [...header.anomalies, `voxel size ${size} A by the TOM toolbox's rule (nanometre x 1000): some programs write Angstrom there`]
        : header.anomalies,
    };
  }
  const { header, extended } = content;
  const anomalies = [...header.anomalies, ...extended?.anomalies ?? []];
  let voxelSize = header.voxelSizeXyzAngstrom;
  if (extended?.pixelSizeAngstrom !== undefined && voxelSize.every((size) => size === 0)) {
    voxelSize = [extended.pixelSizeAngstrom, extended.pixelSizeAngstrom, extended.pixelSizeAngstrom];
    anomalies.push(`voxel size ${extended.pixelSizeAngstrom} A from the extended header (${extended.kind}); the header has none`);
  }
  if (header.mode === 4) anomalies.push("mode 4 is a Fourier transform: its voxels are amplitudes, it is no density");
  const [nz, ny, nx] = header.shapeZyx, sectionAxis = header.axes[2];
  const shrink = (n: number, axis: number) => axis === sectionAxis ? n / header.volumes : n;
  return {
    ...common,
    format: "MRC",
    shapeZyx: [shrink(nz, 3), shrink(ny, 2), shrink(nx, 1)],
    volumes: header.volumes,
    voxelType: header.voxelType,
    byteOrder: header.littleEndian ? "little" : "big",
    voxelSizeXyzAngstrom: voxelSize,
    originXyzAngstrom: header.originXyzAngstrom,
    statistics: header.statistics,
    ...(extended?.tiltAnglesDegrees ? { tiltAnglesDegrees: extended.tiltAnglesDegrees } : {}),
    isTransform: header.mode === 4,
    facts: mrcFacts(raster),
    anomalies,
  };
}

function mrcFacts({ content }: RasterFile): Record<string, string> {
  if (content.format !== "MRC") return {};
  const { header, extended } = content;
  const facts: Record<string, string> = { mode: String(header.mode), "space group": String(header.spaceGroup) };
  if (header.start.some((n) => n !== 0)) facts["start of columns, rows, sections"] = header.start.join(", ");
  if (extended) {
    const { tiltAnglesDegrees: angles, symmetry } = extended;
    facts["extended header"] = `${extended.kind}, ${header.extendedBytes} bytes` +
      (angles ? `, ${angles.length} tilts from ${Math.min(...angles)} to ${Math.max(...angles)} degrees` : "") +
      (symmetry ? `, ${symmetry.length} symmetry operators` : "");
  }
  const labels = header.labels.filter((label) => label !== "");
  if (labels.length > 0) facts.labels = labels.join(" | ");
  return facts;
}

/**
 * Reads what a volume file says of itself, and checks it.
 * @throws {InputError} When it is missing, damaged or of no known format; a damaged header's field and value are named.
 */
export async function describeVolumeFile(path: string, options: VolumeFileOptions = {}): Promise<VolumeDescription> {
  const kind = await kindOf(path);
  if (kind === "zarr") return await (await import("./ome_zarr.ts")).describeOmeZarr(path, options.wantedVoxelSizeAngstrom);
  if (kind === "hdf5") return await (await import("./hdf5.ts")).describeHdf5(path);
  return describeRaster(await readRasterHeader(path));
}

/**
 * The one voxel size of a file in Angstrom, 0 when unset. Of MRC files by the rules of `headerVoxelSize`.
 * @throws {InputError} When the axes differ by more than 1 %.
 */
export function voxelSizeOf(description: VolumeDescription): number {
  const { path, raster, voxelSizeXyzAngstrom: sizes } = description;
  if (raster?.content.format === "MRC") {
    return headerVoxelSize({ ...raster.content.header, voxelSizeXyzAngstrom: sizes }, path);
  }
  if (sizes.some((size) => size === 0)) return 0;
  if (Math.max(...sizes) > 1.01 * Math.min(...sizes)) {
    throw new InputError(path, `voxel size is ${sizes.map((size) => +size.toPrecision(5)).join(" x ")} A, expected the same on every axis`);
  }
  return sizes[0];
}

/**
 * Opens a volume file for reading in any order, voxels as float32, axes z, y, x.
 * @throws {InputError} As {@linkcode describeVolumeFile}; when the file is compressed, since it can be read in order only.
 */
export async function openVolumeFile(path: string, options: VolumeFileOptions = {}): Promise<OpenVolumeFile> {
  const kind = await kindOf(path);
  if (kind === "zarr") return await (await import("./ome_zarr.ts")).openOmeZarr(path, options);
  if (kind === "hdf5") return await (await import("./hdf5.ts")).openHdf5(path, options);
  const description = describeRaster(await readRasterHeader(path)), raster = description.raster!;
  if (raster.compression !== "none") {
    throw new InputError(path, `is compressed (${raster.compression}) and can be read only from beginning to end: decompress it first`);
  }
  const voxelSizeAngstrom = options.voxelSizeAngstrom ?? voxelSizeOf(description);
  if (raster.content.format === "MRC") return await openMrcVolume(path, { ...options, voxelSizeAngstrom });
  const { header } = raster.content;
  const reader = new RasterReader((await openForReading(path)).file, path, header);
  return {
    path,
    voxelSizeAngstrom,
    ...rasterVolume(reader, { axes: [1, 2, 3], nonFinite: options.nonFinite ?? "refuse", firstSection: 0, sections: header.sections }),
    close: () => reader.close(),
    [Symbol.asyncDispose]: () => Promise.resolve(reader.close()),
  };
}

/** Voxels that are read at once where a volume is streamed: 16 MiB as float32; of chunked ones more, so that fewer chunks are read twice. */
const STREAM_VOXELS = 1 << 22, STREAM_CHUNKED_VOXELS = 1 << 24;

/** The shape of a volume as it is streamed, all volumes of a stack: sections, rows, columns of a compressed file, else z, y, x. */
export function streamedShape({ raster, shapeZyx, volumes, axes }: VolumeDescription): Triple {
  if (!raster || raster.compression === "none") {
    return volumes === 1 ? shapeZyx : shapeZyx.map((n, i) => 3 - i === axes[2] ? n * volumes : n) as unknown as Triple;
  }
  const { sections, rows, columns } = raster.content.header;
  return [sections, rows, columns];
}

/** The order of axes as a volume is streamed. */
export function streamedAxes({ raster, axes }: VolumeDescription): FileAxes {
  return raster && raster.compression !== "none" ? axes : [1, 2, 3];
}

/**
 * Streams any volume in pieces of whole sections, `[n, ...]` of {@linkcode streamedShape}: a compressed file in its own axis order, all
 * volumes of a stack; anything else in z, y, x. Memory holds one piece.
 * @throws {InputError} When it is damaged, ends early, or (unless `nonFinite` is `keep`) a voxel is not finite.
 */
export async function* streamVolumeFile(description: VolumeDescription, nonFinite: NonFinite = "refuse"): AsyncGenerator<Float32Array> {
  const { path, locator, raster, axes } = description, [sections, rows, columns] = streamedShape(description);
  if (!raster || raster.compression === "none") {
    await using volume = await openVolumeFile(locator, { voxelSizeAngstrom: 0, nonFinite });
    const nz = volume.shapeZyx[0], most = raster ? STREAM_VOXELS : STREAM_CHUNKED_VOXELS;
    const step = Math.max(1, Math.floor(most / (rows * columns)));
    for (let z = 0; z < nz; z += step) yield await volume.readSlab(z, Math.min(nz, z + step));
    return;
  }
  let z = 0;
  for await (const piece of streamSections(raster)) {
    const n = piece.length / (rows * columns);
    if (nonFinite === "refuse") {
      checkFinite(piece, [z, 0, 0], [n, rows, columns], isStraight(axes) ? path : `${path} (columns x, rows y, sections z as stored)`);
    }
    z += n;
    yield piece;
  }
  if (z !== sections) throw new InputError(path, `gave ${z} sections, ${sections} were announced: it was replaced while being read`);
}
