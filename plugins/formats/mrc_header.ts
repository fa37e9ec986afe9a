/**
 * The 1024-byte header of MRC2014 / CCP4 files: reading with every fault named, and writing.
 *
 * Rules: words are 4 bytes, byte order from the machine stamp (bytes 213-214: 0x44 little, 0x11 big). The data begin at 1024 + NSYMBT. File
 * axes are columns, rows, sections; MAPC, MAPR, MAPS say which of x (1), y (2), z (3) each is. Cell edges CELLA and intervals MX, MY, MZ
 * are along x, y, z; voxel size = CELLA / M, 0 when unset. ISPG 0 is a stack of images, 1 a volume, 401 a stack of volumes of MZ sections.
 * Mode 0 is signed except where IMOD's stamp (bytes 153-156) without the "signed" flag says otherwise; IMOD's flag 16 says that each byte
 * holds two 4-bit voxels. Mode 101 is 4-bit too; there nx counts voxels, and a row ends at a whole byte.
 * @see Cheng et al. 2015, J. Struct. Biol. 192, 146-150 and https://www.ccpem.ac.uk/mrc_format/mrc2014.php
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import type { Triple } from "../../streams/contract.ts";
import { orderShape } from "./axis_order.ts";
import { type RasterLayout, rowBytesOf, type VoxelType } from "./raster_voxels.ts";

/** Bytes of the fixed header. */
export const mrcHeaderBytes = 1024;
/** Modes that can be read: int8 or uint8, int16, float32, complex float32 (as amplitude), uint16, float16, 4-bit. */
export type MrcMode = 0 | 1 | 2 | 4 | 6 | 12 | 101;
/** Minimum, maximum, mean and deviation from the mean as the header states them. */
export interface MrcStatistics {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly rms: number;
}

/** A header in tomosieve's terms. */
export interface MrcHeader extends RasterLayout {
  readonly mode: MrcMode;
  /** MAPC, MAPR, MAPS: 1 = x, 2 = y, 3 = z. */
  readonly axes: Triple;
  /** After `axes` is applied. */
  readonly shapeZyx: Triple;
  /** MX, MY, MZ. */
  readonly intervalsXyz: Triple;
  readonly cellXyzAngstrom: Triple;
  /** Cell / intervals; 0 where unset. */
  readonly voxelSizeXyzAngstrom: Triple;
  /** NXSTART, NYSTART, NZSTART in the file's axis order. */
  readonly start: Triple;
  readonly originXyzAngstrom: Triple;
  readonly spaceGroup: number;
  /** Volumes of `sections / volumes` sections each: more than 1 in a stack of volumes (space groups 401 to 630). */
  readonly volumes: number;
  readonly statistics: MrcStatistics;
  readonly extendedBytes: number;
  readonly extendedType: string;
  readonly labels: readonly string[];
  /** What is odd but does not prevent reading, one sentence each. */
  readonly anomalies: readonly string[];
}

const VOXEL_TYPES: Readonly<Record<MrcMode, VoxelType>> = {
  0: "int8",
  1: "int16",
  2: "float32",
  4: "complex64",
  6: "uint16",
  12: "float16",
  101: "uint4",
};
const OTHER_MODES: Readonly<Record<number, string>> = {
  3: "complex int16, a Fourier transform",
  7: "int32",
  16: "RGB, a picture",
};
const IMOD_STAMP = 1146047817;
const LARGEST_AXIS = 1 << 24;

interface RawHeader {
  readonly dims: Triple;
  readonly mode: number;
  readonly axes: Triple;
}

function readRaw(view: DataView, littleEndian: boolean): RawHeader {
  const at = (word: number) => view.getInt32(4 * (word - 1), littleEndian);
  return { dims: [at(1), at(2), at(3)], mode: at(4), axes: [at(17), at(18), at(19)] };
}

function isPlausible({ dims, mode, axes }: RawHeader): boolean {
  return dims.every((n) => n > 0 && n <= LARGEST_AXIS) && (mode in VOXEL_TYPES || mode in OTHER_MODES) &&
    axes.every((axis) => axis >= 0 && axis <= 3);
}

/** Byte order by the machine stamp, checked against what the first words say. */
function findByteOrder(view: DataView, path: string, anomalies: string[]): boolean {
  const stamp = [view.getUint8(212), view.getUint8(213)];
  const shown = stamp.map((byte) => `0x${byte.toString(16).padStart(2, "0")}`).join(" ");
  const little = readRaw(view, true), big = readRaw(view, false);
  const littleFits = isPlausible(little), bigFits = isPlausible(big);
  const stamped = stamp[0] === 0x44 && (stamp[1] === 0x44 || stamp[1] === 0x41)
    ? true
    : stamp[0] === 0x11 && stamp[1] === 0x11
    ? false
    : null;
  if (stamped === null) {
    if (littleFits === bigFits) {
      const words = (raw: RawHeader) => `nx, ny, nz = ${raw.dims.join(", ")}, mode = ${raw.mode}`;
      throw new InputError(
        path,
        `not an MRC file: machine stamp (bytes 213-214) is ${shown}, expected 0x44 0x44 or 0x11 0x11, and the first words make no sense ` +
          `in either byte order (little-endian ${words(little)}; big-endian ${words(big)})`,
      );
    }
    anomalies.push(`machine stamp (bytes 213-214) is ${shown}; read as ${littleFits ? "little" : "big"}-endian by its first words`);
    return littleFits;
  }
  if (stamped ? !littleFits && bigFits : !bigFits && littleFits) {
    const names = stamped ? ["little", "big"] : ["big", "little"];
    const raw = stamped ? big : little;
    throw new InputError(
      path,
      `machine stamp (bytes 213-214) is ${shown}, ${names[0]}-endian, but only ${names[1]}-endian gives a possible header ` +
        `(nx, ny, nz = ${raw.dims.join(", ")}, mode = ${raw.mode}): write ${stamped ? "0x11 0x11" : "0x44 0x44"} there`,
    );
  }
  return stamped;
}

/** What a byte of mode 0 is: by IMOD's flags (1 signed, 16 two voxels), else by what the statistics imply. */
function byteType(view: DataView, littleEndian: boolean, statistics: MrcStatistics, path: string, anomalies: string[]): VoxelType {
  if (view.getInt32(152, littleEndian) === IMOD_STAMP) {
    const flags = view.getInt32(156, littleEndian);
    if (flags & 16) {
      if (flags & 1) {
        throw new InputError(
          path,
          `header field imodFlags (bytes 157-160) is ${flags}: bytes are signed (1) and hold two voxels (16) at once`,
        );
      }
      anomalies.push("IMOD's flag 16: each byte of mode 0 holds two 4-bit voxels, nx counts bytes");
      return "uint4";
    }
    return flags & 1 ? "int8" : "uint8";
  }
  if (statistics.min >= 0 && statistics.max > 127 && statistics.max <= 255) {
    anomalies.push(`mode 0 without IMOD's flag, header maximum ${statistics.max}: read as unsigned bytes`);
    return "uint8";
  }
  return "int8";
}

/** Number of volumes in a stack of volumes: MZ sections each. */
function countVolumes(spaceGroup: number, sections: number, mz: number, anomalies: string[]): number {
  if (spaceGroup < 401 || spaceGroup > 630) return 1;
  if (mz > 0 && sections % mz === 0) return sections / mz;
  anomalies.push(
    `space group ${spaceGroup} is a stack of volumes, but ${sections} sections are no multiple of mz = ${mz}: read as one volume`,
  );
  return 1;
}

/**
 * Reads and checks a header.
 *
 * @param bytes The first 1024 bytes of the file.
 * @param fileBytes Size of the whole file, to tell whether it is truncated; `Infinity` when not known.
 * @throws {InputError} When a field cannot be: its name, the value found and what was expected.
 */
export function parseMrcHeader(bytes: Uint8Array, fileBytes: number, path: string): MrcHeader {
  if (bytes.length < mrcHeaderBytes) {
    throw new InputError(path, `truncated: the file has ${bytes.length} bytes, an MRC header alone takes ${mrcHeaderBytes}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, mrcHeaderBytes);
  const anomalies: string[] = [];
  const littleEndian = findByteOrder(view, path, anomalies);
  const int = (word: number) => view.getInt32(4 * (word - 1), littleEndian);
  const float = (word: number) => view.getFloat32(4 * (word - 1), littleEndian);
  const ints = (word: number): Triple => [int(word), int(word + 1), int(word + 2)];
  const floats = (word: number): Triple => [float(word), float(word + 1), float(word + 2)];

  const dims: [number, number, number] = [int(1), int(2), int(3)];
  dims.forEach((n, i) => {
    if (n <= 0 || n > LARGEST_AXIS) {
      throw new InputError(
        path,
        `header field ${["nx", "ny", "nz"][i]} (bytes ${4 * i + 1}-${4 * i + 4}) is ${n}, expected 1 to ${LARGEST_AXIS}`,
      );
    }
  });
  const mode = int(4);
  if (!(mode in VOXEL_TYPES)) {
    const known = OTHER_MODES[mode];
    throw new InputError(
      path,
      `header field mode (bytes 13-16) is ${mode}${known ? ` (${known})` : ""}, expected 0, 1, 2, 4, 6, 12 or 101` +
        (known ? ": convert it to mode 2 first, for example with newstack -mode 2" : ""),
    );
  }
  const axes = readAxes(ints(17), path, anomalies);
  const extendedBytes = int(24);
  if (extendedBytes < 0 || mrcHeaderBytes + extendedBytes > fileBytes) {
    throw new InputError(
      path,
      `header field nsymbt (bytes 93-96), the size of the extended header, is ${extendedBytes}; the file has ${fileBytes} bytes`,
    );
  }
  const dataOffset = mrcHeaderBytes + extendedBytes;
  const statistics = { min: float(20), max: float(21), mean: float(22), rms: float(55) };
  const voxelType = mode === 0 ? byteType(view, littleEndian, statistics, path, anomalies) : VOXEL_TYPES[mode as MrcMode];
  const halved = mode === 0 && voxelType === "uint4";
  if (halved) dims[0] *= 2;
  const dataBytes = rowBytesOf({ columns: dims[0], voxelType }) * dims[1] * dims[2];
  if (dataOffset + dataBytes > fileBytes) {
    throw new InputError(
      path,
      `truncated: ${dims.join(" x ")} voxels of mode ${mode} need ${dataOffset + dataBytes} bytes, the file has ${fileBytes}: ` +
        `copy or reconstruct it again`,
    );
  }
  if (Number.isFinite(fileBytes) && dataOffset + dataBytes < fileBytes) {
    anomalies.push(`${fileBytes - dataOffset - dataBytes} bytes follow the voxels`);
  }
  const map = String.fromCharCode(...bytes.subarray(208, 212));
  if (map.slice(0, 3) !== "MAP") anomalies.push(`bytes 209-212 hold ${JSON.stringify(map)} rather than "MAP "`);

  const cellXyzAngstrom: [number, number, number] = [float(11), float(12), float(13)];
  const ofAxis = (axis: number) => dims[axes.indexOf(axis)];
  const intervals = ints(8);
  const intervalsXyz = intervals.map((m, i) => m > 0 ? m : ofAxis(i + 1)) as [number, number, number];
  // Where nx counts bytes, IMOD takes an mx of the same number as counting bytes, and the cell with it.
  const halvedCell = halved && intervalsXyz[axes[0] - 1] * 2 === dims[0];
  if (halvedCell) {
    intervalsXyz[axes[0] - 1] *= 2;
    cellXyzAngstrom[axes[0] - 1] *= 2;
  }
  const voxelSize = cellXyzAngstrom.map((edge, i) => {
    // A float32 edge carries 7 digits; 6 give back what was meant (13.48 rather than 13.4799995).
    if (Number.isFinite(edge) && edge >= 0) return Number((edge / intervalsXyz[i]).toPrecision(6));
    anomalies.push(`header field cella.${"xyz"[i]} is ${edge}: voxel size taken as unset`);
    return 0;
  });
  const spaceGroup = int(23);
  return {
    columns: dims[0],
    rows: dims[1],
    sections: dims[2],
    mode: mode as MrcMode,
    voxelType,
    littleEndian,
    axes,
    shapeZyx: orderShape([dims[2], dims[1], dims[0]], axes),
    intervalsXyz,
    cellXyzAngstrom,
    voxelSizeXyzAngstrom: voxelSize as unknown as Triple,
    start: ints(5),
    originXyzAngstrom: floats(50),
    spaceGroup,
    volumes: countVolumes(spaceGroup, dims[2], intervals[2], anomalies),
    statistics,
    extendedBytes,
    extendedType: extendedBytes > 0 ? printable(bytes.subarray(104, 108)) : "",
    labels: readLabels(bytes, int(56)),
    dataOffset,
    anomalies,
  };
}

function readAxes(axes: Triple, path: string, anomalies: string[]): Triple {
  if (axes.every((axis) => axis === 0)) {
    anomalies.push("mapc, mapr, maps are 0: read as 1, 2, 3");
    return [1, 2, 3];
  }
  if ([...axes].sort().join() !== "1,2,3") {
    throw new InputError(path, `header fields mapc, mapr, maps (bytes 65-76) are ${axes.join(", ")}, expected 1, 2, 3 in some order`);
  }
  return axes;
}

function printable(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes).replace(/[^\x20-\x7e]/g, " ").trimEnd();
}

function readLabels(bytes: Uint8Array, count: number): string[] {
  const labels: string[] = [];
  for (let i = 0; i < Math.min(10, Math.max(0, count)); i++) labels.push(printable(bytes.subarray(224 + 80 * i, 304 + 80 * i)));
  return labels;
}

/**
 * The one voxel size of a header in Angstrom, 0 when unset.
 *
 * The z spacing of a stack of images or of boxes says nothing, since programs differ in what they write there, and is ignored.
 * @param stack Whether the file is read as a stack of boxes.
 * @throws {InputError} When the axes differ by more than 1 %.
 */
export function headerVoxelSize(header: MrcHeader, path: string, stack = false): number {
  const [x, y, z] = header.voxelSizeXyzAngstrom;
  const imageStack = stack || header.spaceGroup === 0 && header.intervalsXyz[2] === 1 || header.sections === 1;
  const sizes = imageStack ? [x, y] : [x, y, z];
  if (sizes.some((size) => size === 0)) return 0;
  if (Math.max(...sizes) > 1.01 * Math.min(...sizes)) {
    throw new InputError(
      path,
      `header voxel size is ${
        sizes.map((size) => +size.toPrecision(5)).join(" x ")
      } A (cella / mx, my, mz), expected the same on every axis: ` +
        `rescale the volume or mend cella (bytes 41-52)`,
    );
  }
  return x;
}

/** What goes into a new header. */
export interface NewMrcHeader {
  readonly shapeZyx: Triple;
  readonly mode: 2 | 12;
  readonly voxelSizeAngstrom: number;
  readonly statistics: MrcStatistics;
  /** Sections of one volume in a stack of volumes (space group 401); absent for a single volume (space group 1). */
  readonly volumeSections?: number;
}

/** Encodes a little-endian MRC2014 header, axes 1, 2, 3, no extended header, one label without a time. */
export function encodeMrcHeader(header: NewMrcHeader): Uint8Array {
  const bytes = new Uint8Array(mrcHeaderBytes);
  const view = new DataView(bytes.buffer);
  const int = (word: number, value: number) => view.setInt32(4 * (word - 1), value, true);
  const float = (word: number, value: number) => view.setFloat32(4 * (word - 1), value, true);
  const [nz, ny, nx] = header.shapeZyx;
  const mz = header.volumeSections ?? nz;
  [nx, ny, nz].forEach((n, i) => int(1 + i, n));
  int(4, header.mode);
  [nx, ny, mz].forEach((n, i) => {
    int(8 + i, n);
    float(11 + i, n * header.voxelSizeAngstrom);
    float(14 + i, 90);
    int(17 + i, i + 1);
  });
  float(20, header.statistics.min);
  float(21, header.statistics.max);
  float(22, header.statistics.mean);
  int(23, header.volumeSections === undefined ? 1 : 401);
  int(28, 20141);
  bytes.set(new TextEncoder().encode("MAP "), 208);
  bytes.set([0x44, 0x44], 212);
  float(55, header.statistics.rms);
  int(56, 1);
  bytes.fill(0x20, 224);
  bytes.set(new TextEncoder().encode("tomosieve"), 224);
  return bytes;
}
