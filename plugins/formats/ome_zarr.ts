/**
 * OME-Zarr (NGFF) 0.4 and 0.5: multiscale volumes in folders or on web servers, read chunk by chunk.
 *
 * Rules: axes end in z, y, x; axes before them (t, c) must have length 1. Voxel size = the product of the `scale` transformations of level
 * and multiscale, in the unit of the axis (angstrom, nanometer, micrometer, picometer, meter; without a unit it is unset). A path may name
 * a level (`x.zarr/1`); otherwise the level whose voxel size is nearest to the wanted one is taken, and without a wish the first.
 * @see https://ngff.openmicroscopy.org/0.4/ and https://ngff.openmicroscopy.org/0.5/
 * @module
 */
import * as zarr from "zarrita";
import type { Triple } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { checkFinite, checkRange } from "./raster_reader.ts";
import type { OpenVolumeFile, VolumeDescription, VolumeFileOptions } from "./volume_file.ts";
import { voxelSizeTolerance } from "./voxel_size.ts";
import { ChunkCache } from "./zarr_chunks.ts";
import { codecNames, guardedStore } from "./zarr_codecs.ts";
import { openZarrStore, type ZarrStore } from "./zarr_store.ts";

const ANGSTROM: Readonly<Record<string, number>> = {
  angstrom: 1,
  nanometer: 10,
  micrometer: 1e4,
  picometer: 0.01,
  millimeter: 1e7,
  meter: 1e10,
};

/** One resolution. */
interface Level {
  /** Path of its array below the group; empty for the group itself. */
  readonly name: string;
  readonly voxelSizeXyzAngstrom: Triple;
  readonly originXyzAngstrom: Triple;
}
interface Multiscale {
  readonly version: "0.4" | "0.5" | "none";
  readonly levels: readonly Level[];
  readonly anomalies: readonly string[];
}
type Json = Record<string, unknown>;

const isRecord = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const listOf = (value: unknown): unknown[] => Array.isArray(value) ? value : [];

async function readJson(store: ZarrStore, key: string, path: string): Promise<Json | null> {
  const bytes = await store.get(key);
  if (bytes === undefined) return null;
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (isRecord(value)) return value;
  } catch {
    // Said below.
  }
  throw new InputError(path, `${key.slice(1)} is no JSON object: the folder is damaged`);
}

/** Vector of a transformation, for the last three axes, as x, y, z. */
function vectorOf(transformations: unknown, type: "scale" | "translation", path: string): Triple | null {
  for (const entry of listOf(transformations)) {
    if (!isRecord(entry) || entry.type !== type) continue;
    const vector = listOf(entry[type]);
    const last = vector.slice(-3).map(Number);
    if (vector.length < 3 || last.some((value) => !Number.isFinite(value)) || type === "scale" && last.some((value) => value <= 0)) {
      throw new InputError(path, `coordinateTransformations: ${type} is ${JSON.stringify(entry[type])}, expected at least three numbers`);
    }
    return [last[2], last[1], last[0]];
  }
  return null;
}

function readMultiscale(attributes: Json, path: string): Omit<Multiscale, "version"> | null {
  const ome = isRecord(attributes.ome) ? attributes.ome : attributes;
  const [first, ...rest] = listOf(ome.multiscales);
  if (first === undefined) return null;
  if (!isRecord(first)) throw new InputError(path, `multiscales[0] is ${JSON.stringify(first)}, expected an object`);
  const anomalies = rest.length > 0 ? [`${rest.length + 1} multiscale volumes: the first was taken`] : [];
  const axes = listOf(first.axes).map((axis) => isRecord(axis) ? axis : { name: String(axis) });
  const names = axes.map(({ name }) => String(name).toLowerCase());
  if (names.slice(-3).join() !== "z,y,x") {
    throw new InputError(path, `multiscales[0].axes are ${JSON.stringify(names)}, expected them to end in z, y, x`);
  }
  const units = axes.slice(-3).reverse().map((axis) => "unit" in axis ? String(axis.unit).toLowerCase() : "");
  const factors = units.map((unit) => ANGSTROM[unit] ?? 0);
  const unknown = units.filter((unit) => !(unit in ANGSTROM));
  if (unknown.length > 0) {
    anomalies.push(
      unknown.some((unit) => unit !== "")
        ? `axes state the unit ${JSON.stringify(unknown.find((unit) => unit !== ""))}, expected ${
          Object.keys(ANGSTROM).join(", ")
        }: voxel size taken as unset`
        : "axes state no unit: voxel size taken as unset",
    );
  }
  const outer = vectorOf(first.coordinateTransformations, "scale", path) ?? [1, 1, 1];
  const levels = listOf(first.datasets).map((dataset, index): Level => {
    if (!isRecord(dataset) || typeof dataset.path !== "string") {
      throw new InputError(path, `multiscales[0].datasets[${index}] has no path`);
    }
    const scale = vectorOf(dataset.coordinateTransformations, "scale", path);
    const shift = vectorOf(dataset.coordinateTransformations, "translation", path) ?? [0, 0, 0];
    const size = (i: number) => scale === null ? 0 : Number((scale[i] * outer[i] * factors[i]).toPrecision(7));
    const origin = (i: number) => Number((shift[i] * outer[i] * factors[i]).toPrecision(7));
    return {
      name: dataset.path.replace(/^\/+|\/+$/g, ""),
      voxelSizeXyzAngstrom: [size(0), size(1), size(2)],
      originXyzAngstrom: [origin(0), origin(1), origin(2)],
    };
  });
  if (levels.length === 0) throw new InputError(path, "multiscales[0].datasets is empty: there is nothing to read");
  return { levels, anomalies };
}

/** The group at `path`, or the array with the group above it. */
async function findMultiscale(path: string): Promise<{ group: string; store: ZarrStore; found: Multiscale; level: number | null }> {
  const trimmed = path.replace(/\/+$/, "");
  const store = await openZarrStore(trimmed);
  const read = async (from: ZarrStore, at: string) => {
    const v3 = await readJson(from, "/zarr.json", at);
    const v2 = v3 ?? await readJson(from, "/.zattrs", at);
    const attributes = v3 !== null ? (isRecord(v3.attributes) ? v3.attributes : {}) : v2 ?? {};
    const scale = readMultiscale(attributes, at);
    return scale && { version: v3 !== null ? "0.5" as const : "0.4" as const, ...scale };
  };
  const own = await read(store, trimmed);
  if (own) return { group: trimmed, store, found: own, level: null };
  const isArray = (await readJson(store, "/zarr.json", trimmed))?.node_type === "array" || await store.get("/.zarray") !== undefined;
  if (!isArray) {
    throw new InputError(path, "is no OME-Zarr volume: neither zarr.json nor .zattrs names multiscales here, and there is no array");
  }
  const slash = trimmed.lastIndexOf("/"), name = trimmed.slice(slash + 1);
  if (slash > 0) {
    const above = trimmed.slice(0, slash), aboveStore = await openZarrStore(above);
    const outer = await read(aboveStore, above).catch(() => null);
    const level = outer?.levels.findIndex((candidate) => candidate.name === name) ?? -1;
    if (outer && level >= 0) return { group: above, store: aboveStore, found: outer, level };
  }
  const found: Multiscale = {
    version: "none",
    levels: [{ name: "", voxelSizeXyzAngstrom: [0, 0, 0], originXyzAngstrom: [0, 0, 0] }],
    anomalies: ["a Zarr array that no multiscales names: its voxel size is not known"],
  };
  return { group: trimmed, store, found, level: 0 };
}

function levelWords(levels: readonly Level[]): string {
  return levels.map(({ name, voxelSizeXyzAngstrom: [x] }) => `${name}: ${Number(x.toPrecision(5))} A`).join(", ");
}

/** The level whose voxel size is nearest to the wanted one, by ratio. */
function chooseLevel(levels: readonly Level[], wanted: number | undefined): number {
  if (wanted === undefined) return 0;
  const distance = ({ voxelSizeXyzAngstrom: [x] }: Level) => x > 0 ? Math.abs(Math.log(x / wanted)) : Infinity;
  return levels.reduce((best, level, i) => distance(level) < distance(levels[best]) ? i : best, 0);
}

interface OpenLevel {
  readonly array: zarr.Array<zarr.DataType, ZarrStore>;
  readonly shapeZyx: Triple;
  readonly chunkZyx: Triple;
}

/** Most voxels of a chunk that is read: 512 MiB of float32. */
const MOST_CHUNK_VOXELS = 2 ** 27;
const NUMBERS = /^(u?int(8|16|32|64)|float(16|32|64))$/;

async function openLevel(store: ZarrStore, name: string, path: string): Promise<OpenLevel> {
  const at = name === "" ? "" : `/${name}`;
  const metadata = await readJson(store, `${at}/zarr.json`, path) ?? await readJson(store, `${at}/.zarray`, path) ?? {};
  let chunkBytes = 0;
  const guarded = guardedStore(store, codecNames(metadata)[0], () => chunkBytes, path);
  const location = zarr.root(guarded).resolve(name);
  let array: zarr.Array<zarr.DataType, ZarrStore>;
  try {
    array = await zarr.open(location as never, { kind: "array" }) as unknown as zarr.Array<zarr.DataType, ZarrStore>;
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(path, `level ${JSON.stringify(name)} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  const { shape, chunks, dtype } = array;
  const fits = (list: unknown): list is number[] =>
    Array.isArray(list) && list.length >= 3 && list.every((n) => Number.isInteger(n) && n > 0 && n <= 2 ** 24);
  if (!fits(shape) || shape.slice(0, -3).some((n) => n !== 1)) {
    throw new InputError(
      path,
      `level ${JSON.stringify(name)} has the shape ${JSON.stringify(shape)}, expected z, y, x, and 1 on any axis before`,
    );
  }
  if (!fits(chunks) || chunks.length !== shape.length || chunks.reduce((a, b) => a * b, 1) > MOST_CHUNK_VOXELS) {
    throw new InputError(
      path,
      `level ${JSON.stringify(name)} has chunks of ${JSON.stringify(chunks)} voxels, expected at most ${MOST_CHUNK_VOXELS}`,
    );
  }
  chunkBytes = 8 * chunks.reduce((a, b) => a * b, 1);
  if (!NUMBERS.test(dtype)) throw new InputError(path, `level ${JSON.stringify(name)} holds ${dtype}, expected numbers`);
  return { array, shapeZyx: shape.slice(-3) as unknown as Triple, chunkZyx: chunks.slice(-3) as unknown as Triple };
}

/**
 * Describes the level of a multiscale volume that is nearest to the wanted voxel size.
 * @throws {InputError} When there is no such volume, its metadata cannot be, or the network may not be used.
 */
export async function describeOmeZarr(path: string, wantedVoxelSizeAngstrom?: number): Promise<VolumeDescription> {
  const { group, store, found, level: named } = await findMultiscale(path);
  const { levels } = found, index = named ?? chooseLevel(levels, wantedVoxelSizeAngstrom), level = levels[index];
  const { array, shapeZyx, chunkZyx } = await openLevel(store, level.name, path);
  const anomalies = [...found.anomalies], [size] = level.voxelSizeXyzAngstrom;
  if (wantedVoxelSizeAngstrom !== undefined && size > 0 && Math.abs(size / wantedVoxelSizeAngstrom - 1) > voxelSizeTolerance) {
    anomalies.push(`no level has ${wantedVoxelSizeAngstrom} A a voxel; there are ${levelWords(levels)}: ${level.name} is the nearest`);
  }
  const web = /^https?:/i.test(group), layerVoxels = chunkZyx[0] * shapeZyx[1] * shapeZyx[2];
  return {
    path,
    locator: level.name === "" ? group : `${group}/${level.name}`,
    format: "OME-Zarr",
    compression: "none",
    fileBytes: null,
    shapeZyx,
    axes: [1, 2, 3],
    volumes: 1,
    voxelType: array.dtype,
    byteOrder: "by chunk",
    voxelSizeXyzAngstrom: level.voxelSizeXyzAngstrom,
    originXyzAngstrom: level.originXyzAngstrom,
    statistics: null,
    isTransform: false,
    // A layer of chunks that cannot be kept would be decompressed again for every section.
    readInOrderOnly: web || 4 * layerVoxels > ChunkCache.mostBytes,
    facts: {
      version: found.version,
      levels: levelWords(levels),
      "level read": level.name,
      "chunk (z, y, x)": chunkZyx.join(" x "),
    },
    anomalies,
  };
}

/**
 * Opens a level for reading in any order; see {@linkcode describeOmeZarr}. Up to 128 MiB of decompressed chunks are kept.
 * @throws {InputError} As above; from a read, when a chunk is damaged or a voxel is not finite.
 */
export async function openOmeZarr(path: string, options: VolumeFileOptions = {}): Promise<OpenVolumeFile> {
  const { store, found, level: named } = await findMultiscale(path);
  const level = found.levels[named ?? chooseLevel(found.levels, options.wantedVoxelSizeAngstrom)];
  const { array, shapeZyx, chunkZyx } = await openLevel(store, level.name, path);
  const cache = new ChunkCache(array, chunkZyx, `${path} level ${JSON.stringify(level.name)}`);
  const refuse = (options.nonFinite ?? "refuse") === "refuse" && array.dtype.startsWith("float");
  const readBox = async (corner: Triple, size: Triple): Promise<Float32Array> => {
    checkRange(corner, size, shapeZyx, path);
    const voxels = await cache.read(corner, size);
    if (refuse) checkFinite(voxels, corner, size, path);
    return voxels;
  };
  return {
    path,
    shapeZyx,
    voxelSizeAngstrom: options.voxelSizeAngstrom ?? level.voxelSizeXyzAngstrom[0],
    readBox,
    readSlab: (z0, z1) => readBox([z0, 0, 0], [z1 - z0, shapeZyx[1], shapeZyx[2]]),
    close: () => cache.clear(),
    [Symbol.asyncDispose]: () => Promise.resolve(cache.clear()),
  };
}
