/**
 * Volumes in HDF5 files, by the optional package h5wasm (14.5 MB, not installed with tomosieve; fetched from the registry when first needed).
 *
 * A path names a file, or a dataset in it (`a.h5:/volume`); without one, the file must hold one dataset of three axes (z, y, x; axes of
 * length 1 before them are passed over). Voxel size: the attribute `element_size_um` (z, y, x, micrometre: ilastik, PlantSeg), or
 * `MDF/images/N` with `EMAN.apix_x` (Angstrom: EMAN2); otherwise unset. Other attributes are not looked at.
 * @module
 */
import type { Triple } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { checkFinite, checkRange } from "./raster_reader.ts";
import type { OpenVolumeFile, VolumeDescription, VolumeFileOptions } from "./volume_file.ts";
import { splitHdf5Path } from "./volume_path.ts";

/** The version that this reader was written for and tested with. */
const PACKAGE = "h5wasm@0.10.3";

/** The parts of h5wasm that are used. */
interface Hdf5Entity {
  readonly path?: string;
  readonly attrs?: Record<string, { readonly value: unknown }>;
  keys?(): string[];
  get?(name: string): Hdf5Entity | null;
  readonly shape?: number[];
  readonly dtype?: unknown;
  readonly metadata?: { readonly chunks: number[] | null; readonly littleEndian: boolean };
  slice?(ranges: [number, number][]): unknown;
}
interface Hdf5Library {
  readonly ready: Promise<unknown>;
  readonly File: new (path: string, mode: "r") => Hdf5File;
}
interface Hdf5File extends Hdf5Entity {
  /** 0 or below when the file could not be opened, which is not thrown. */
  readonly file_id: bigint;
  close(): number;
}

const TYPES: Readonly<Record<string, string>> = {
  b: "int8",
  B: "uint8",
  h: "int16",
  H: "uint16",
  i: "int32",
  I: "uint32",
  l: "int32",
  L: "uint32",
  f: "float32",
  d: "float64",
  q: "int64",
  Q: "uint64",
  e: "float16",
};

async function loadLibrary(path: string): Promise<Hdf5Library> {
  // A computed name, so that nothing is installed or loaded before an HDF5 file is named.
  const specifier = ["npm:", PACKAGE, "/node"].join("");
  try {
    const library = await import(specifier) as Hdf5Library;
    await library.ready;
    return library;
  } catch (error) {
    throw new InputError(
      path,
      `HDF5 files need the package ${PACKAGE}, which is not there and could not be fetched (${(error as Error).message}): ` +
        `install it once by "deno install npm:${PACKAGE}", or convert the file to MRC`,
      { cause: error },
    );
  }
}

interface OpenDataset {
  readonly file: Hdf5File;
  readonly dataset: Hdf5Entity;
  readonly name: string;
  readonly shape: readonly number[];
}

/** Names of all datasets of three axes or more, in the order of the file. */
function listDatasets(group: Hdf5Entity, prefix: string, depth: number, into: Map<string, Hdf5Entity>): void {
  if (depth > 6 || into.size > 200) return;
  for (const key of group.keys?.() ?? []) {
    const entity = group.get?.(key);
    if (!entity) continue;
    const name = `${prefix}/${key}`;
    if (entity.shape && entity.shape.length >= 3) into.set(name, entity);
    else if (entity.keys) listDatasets(entity, name, depth + 1, into);
  }
}

async function openDataset(path: string): Promise<OpenDataset> {
  const { file: fileName, dataset: wanted } = splitHdf5Path(path);
  const library = await loadLibrary(path);
  let file: Hdf5File;
  try {
    file = new library.File(fileName, "r");
  } catch (error) {
    throw unreadable(path, error);
  }
  if (file.file_id <= 0n) throw unreadable(path, new Error("cannot be opened"));
  try {
    const found = new Map<string, Hdf5Entity>();
    if (wanted !== null) {
      const entity = file.get?.(wanted);
      if (!entity?.shape) throw new InputError(path, `holds no dataset ${wanted}`);
      found.set(wanted, entity);
    } else listDatasets(file, "", 0, found);
    if (found.size !== 1) {
      throw new InputError(
        path,
        found.size === 0
          ? "holds no dataset of three axes"
          : `holds ${found.size} datasets of three axes: name one, as ${fileName}:${[...found.keys()][0]} (${
            [...found.keys()].slice(0, 8).join(", ")
          })`,
      );
    }
    const [[name, dataset]] = found, shape = dataset.shape!;
    if (shape.length < 3 || shape.slice(0, -3).some((n) => n !== 1) || shape.some((n) => !(n > 0))) {
      throw new InputError(path, `dataset ${name} has the shape ${shape.join(" x ")}, expected z, y, x, and 1 on any axis before`);
    }
    return { file, dataset, name, shape };
  } catch (error) {
    file.close();
    throw error instanceof InputError ? error : unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): InputError {
  return new InputError(path, `is no readable HDF5 file (${(error as Error).message}): copy it again`, { cause: error });
}

function typeOf(dataset: Hdf5Entity): string {
  const letter = typeof dataset.dtype === "string" ? dataset.dtype.replace(/^[<>=|]/, "") : "";
  return TYPES[letter] ?? "";
}

function numbersOf(value: unknown): number[] {
  return ArrayBuffer.isView(value)
    ? Array.from(value as unknown as ArrayLike<number>, Number)
    : Array.isArray(value)
    ? value.map(Number)
    : [Number(value)];
}

/** x, y, z in Angstrom, zeros when unset. */
function voxelSizeOf({ file, dataset, name }: OpenDataset): Triple {
  const element = dataset.attrs?.element_size_um;
  if (element) {
    const sizes = numbersOf(element.value);
    if (sizes.length === 3 && sizes.every((size) => size > 0)) return [sizes[2] * 1e4, sizes[1] * 1e4, sizes[0] * 1e4];
  }
  const parent = file.get?.(name.replace(/\/[^/]*$/, "") || "/");
  const apix = ["x", "y", "z"].map((axis) => Number(parent?.attrs?.[`EMAN.apix_${axis}`]?.value ?? 0));
  return apix.every((size) => size > 0) ? apix as unknown as Triple : [0, 0, 0];
}

/**
 * Describes the volume in an HDF5 file.
 * @throws {InputError} When the package cannot be loaded, or the file holds no volume, or more than one and none is named.
 */
export async function describeHdf5(path: string): Promise<VolumeDescription> {
  const open = await openDataset(path);
  try {
    const { dataset, name, shape } = open, type = typeOf(dataset), chunks = dataset.metadata?.chunks ?? null;
    if (type === "") throw new InputError(path, `dataset ${name} holds ${JSON.stringify(dataset.dtype)}, expected numbers`);
    const { file } = splitHdf5Path(path);
    return {
      path,
      locator: `${file}:${name}`,
      format: "HDF5",
      compression: "none",
      fileBytes: (await Deno.stat(file)).size,
      shapeZyx: shape.slice(-3) as unknown as Triple,
      axes: [1, 2, 3],
      volumes: 1,
      voxelType: type,
      byteOrder: dataset.metadata?.littleEndian === false ? "big" : "little",
      voxelSizeXyzAngstrom: voxelSizeOf(open),
      originXyzAngstrom: [0, 0, 0],
      statistics: null,
      isTransform: false,
      // Chunks would be decompressed again for every box.
      readInOrderOnly: chunks !== null,
      facts: { dataset: name, ...(chunks ? { "chunk (z, y, x)": chunks.slice(-3).join(" x ") } : {}) },
      anomalies: [],
    };
  } finally {
    open.file.close();
  }
}

/**
 * Opens the volume in an HDF5 file for reading in any order; reads are synchronous inside.
 * @throws {InputError} As {@linkcode describeHdf5}; from a read, when a voxel is not finite.
 */
export async function openHdf5(path: string, options: VolumeFileOptions = {}): Promise<OpenVolumeFile> {
  const open = await openDataset(path);
  const { file, dataset, shape } = open, shapeZyx = shape.slice(-3) as unknown as Triple;
  const before = shape.slice(0, -3).map((): [number, number] => [0, 1]);
  const refuse = (options.nonFinite ?? "refuse") === "refuse" && typeOf(dataset).startsWith("float");
  // deno-lint-ignore require-await -- a reader's faults are rejections.
  const readBox = async (corner: Triple, size: Triple): Promise<Float32Array> => {
    checkRange(corner, size, shapeZyx, path);
    let values: unknown;
    try {
      values = dataset.slice!([...before, ...corner.map((c, i): [number, number] => [c, c + size[i]])]);
    } catch (error) {
      throw new InputError(path, `cannot be read at z, y, x = ${corner.join(", ")} (${(error as Error).message}): copy it again`, {
        cause: error,
      });
    }
    const voxels = values instanceof Float32Array ? values : Float32Array.from(values as ArrayLike<number>, Number);
    if (refuse) checkFinite(voxels, corner, size, path);
    return voxels;
  };
  let isOpen = true;
  const close = () => {
    if (isOpen) file.close();
    isOpen = false;
  };
  return {
    path,
    shapeZyx,
    voxelSizeAngstrom: options.voxelSizeAngstrom ?? voxelSizeOf(open)[0],
    readBox,
    readSlab: (z0, z1) => readBox([z0, 0, 0], [z1 - z0, shapeZyx[1], shapeZyx[2]]),
    close,
    [Symbol.asyncDispose]: () => Promise.resolve(close()),
  };
}
