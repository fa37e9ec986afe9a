/**
 * Extended headers of MRC files: what they say of tilt angles and pixel size. They are otherwise only skipped.
 *
 * Kinds, by bytes 105-108: `FEI1`, `FEI2` (records of the length that their first word states, one a section), `SERI` (SerialEM: words of 2
 * bytes, one record a section, of the parts that the flags in bytes 131-132 name), `AGAR` (per section bytes 129-130 integers and bytes
 * 131-132 floats of 4 bytes; the first float is the tilt), `CCP4` (symmetry operators, 80 letters each), `MRCO`, `HDF5`, or none.
 * @see mrcfile's dtypes.py for FEI1 and FEI2; https://bio3d.colorado.edu/imod/doc/mrc_format.txt for SERI and AGAR
 * @module
 */
import type { MrcHeader } from "./mrc_header.ts";

/** What an extended header says. */
export interface ExtendedHeader {
  /** `FEI1`, `SERI`, ... or `unknown`. */
  readonly kind: string;
  /** Tilt of each section, degrees. */
  readonly tiltAnglesDegrees?: readonly number[];
  readonly pixelSizeAngstrom?: number;
  /** Symmetry operators of CCP4 maps. */
  readonly symmetry?: readonly string[];
  /** What cannot be, one sentence each. */
  readonly anomalies: readonly string[];
}

/** Extended headers longer than this are looked at no further: no one writes a megabyte a section. */
export const mostExtendedBytes = 16 << 20;

const METRES_TO_ANGSTROM = 1e10;
/** Bytes of each part of a SerialEM record, by flag. */
const SERI_PARTS: readonly (readonly [flag: number, bytes: number])[] = [[1, 2], [2, 6], [4, 4], [8, 2], [16, 2], [32, 4]];

function readFei(view: DataView, header: MrcHeader, kind: string): ExtendedHeader {
  const anomalies: string[] = [];
  const least = kind === "FEI1" ? 768 : 888;
  // The length is small: of both byte orders the one that makes it so is right.
  const little = view.byteLength >= 4 && view.getInt32(0, true) > 0 && view.getInt32(0, true) < 65536;
  const record = view.byteLength >= 4 ? view.getInt32(0, little) : 0;
  if (record < 172 || record > 65536) {
    return { kind, anomalies: [`extended header ${kind}: its first record states a length of ${record} bytes, expected ${least}`] };
  }
  const count = Math.min(header.sections, Math.floor(view.byteLength / record));
  const angles: number[] = [];
  for (let i = 0; i < count; i++) {
    angles.push(view.getFloat64(i * record + 100, little));
  }
  const pixel = count > 0 ? view.getFloat64(156, little) * METRES_TO_ANGSTROM : 0;
  if (count < header.sections) anomalies.push(`extended header ${kind} holds ${count} records for ${header.sections} sections`);
  return {
    kind,
    ...checkedAngles(angles, anomalies),
    ...(isPixelSize(pixel) ? { pixelSizeAngstrom: Number(pixel.toPrecision(6)) } : {}),
    anomalies,
  };
}

function isPixelSize(angstrom: number): boolean {
  return angstrom > 0.01 && angstrom < 1e6;
}

/** Angles that make sense, none when all are alike, since nobody tilts by nothing. */
function checkedAngles(angles: readonly number[], anomalies: string[]): Pick<ExtendedHeader, "tiltAnglesDegrees"> {
  if (angles.length === 0) return {};
  const wild = angles.find((angle) => !(Math.abs(angle) <= 90));
  if (wild !== undefined) {
    anomalies.push(`extended header states a tilt of ${wild} degrees, expected -90 to 90: its tilts are left out`);
    return {};
  }
  return angles.some((angle) => angle !== angles[0]) ? { tiltAnglesDegrees: angles.map((angle) => Number(angle.toFixed(3))) } : {};
}

function readSeri(view: DataView, header: MrcHeader, fixed: DataView): ExtendedHeader {
  const anomalies: string[] = [];
  const record = fixed.getInt16(128, header.littleEndian), flags = fixed.getInt16(130, header.littleEndian);
  const expected = SERI_PARTS.reduce((sum, [flag, bytes]) => sum + (flags & flag ? bytes : 0), 0);
  if (record <= 0 || record < expected) {
    return {
      kind: "SERI",
      anomalies: [`extended header SERI: records of ${record} bytes (bytes 129-130), flags ${flags} need ${expected}`],
    };
  }
  const count = Math.min(header.sections, Math.floor(view.byteLength / record));
  if (count < header.sections) anomalies.push(`extended header SERI holds ${count} records for ${header.sections} sections`);
  const angles = flags & 1 ? Array.from({ length: count }, (_, i) => view.getInt16(i * record, header.littleEndian) / 100) : [];
  return { kind: "SERI", ...checkedAngles(angles, anomalies), anomalies };
}

function readAgard(view: DataView, header: MrcHeader, fixed: DataView, kind: string): ExtendedHeader {
  const anomalies: string[] = [];
  const ints = fixed.getInt16(128, header.littleEndian), reals = fixed.getInt16(130, header.littleEndian);
  const record = 4 * (ints + reals);
  if (ints < 0 || reals <= 0) return { kind, anomalies };
  const count = Math.min(header.sections, Math.floor(view.byteLength / record));
  const floats = (at: number) =>
    Array.from({ length: count }, (_, i) => view.getFloat32(i * record + 4 * (ints + at), header.littleEndian));
  // Metres, as FEI's software wrote it before it had a kind of its own.
  const pixel = reals > 11 && count > 0 ? floats(11)[0] * METRES_TO_ANGSTROM : 0;
  return {
    kind,
    ...checkedAngles(floats(0), anomalies),
    ...(isPixelSize(pixel) ? { pixelSizeAngstrom: Number(pixel.toPrecision(6)) } : {}),
    anomalies,
  };
}

/**
 * Reads what an extended header says.
 *
 * @param fixed The first 1024 bytes of the file. @param extended The bytes after them, `header.extendedBytes` or fewer.
 * @returns `null` when there is none. What cannot be is an anomaly, never an error: the voxels stand where they stand.
 */
export function readExtendedHeader(fixed: Uint8Array, extended: Uint8Array, header: MrcHeader): ExtendedHeader | null {
  if (header.extendedBytes === 0) return null;
  const view = new DataView(extended.buffer, extended.byteOffset, extended.byteLength);
  const words = new DataView(fixed.buffer, fixed.byteOffset, fixed.byteLength);
  const kind = header.extendedType;
  if (extended.length < header.extendedBytes) return { kind: kind || "unknown", anomalies: ["extended header is longer than looked at"] };
  if (kind === "FEI1" || kind === "FEI2") return readFei(view, header, kind);
  if (kind === "SERI") return readSeri(view, header, words);
  if (kind === "AGAR") return readAgard(view, header, words, kind);
  if (kind === "CCP4") {
    const text = Array.from(extended, (byte) => byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : " ").join("");
    const symmetry = (text.match(/.{1,80}/g) ?? []).map((line) => line.trim()).filter((line) => line !== "").slice(0, 192);
    return { kind, ...(symmetry.length > 0 ? { symmetry } : {}), anomalies: [] };
  }
  return { kind: kind || "unknown", anomalies: [] };
}
