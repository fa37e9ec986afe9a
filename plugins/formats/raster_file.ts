/**
 * Raster files (MRC, EM), plain or compressed: told apart by content, their headers read, compressed ones streamed.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import type { FileAxes } from "./axis_order.ts";
import { ByteTaker, type Compression, compressionOf, decompressFile } from "./decompress.ts";
import { type EmHeader, looksLikeEm, parseEmHeader } from "./em.ts";
import { type ExtendedHeader, mostExtendedBytes, readExtendedHeader } from "./mrc_extended.ts";
import { type MrcHeader, mrcHeaderBytes, parseMrcHeader } from "./mrc_header.ts";
import { openForReading, readBeginning } from "./raster_reader.ts";
import { decodeVoxels, rowBytesOf, toHostOrder } from "./raster_voxels.ts";

/** Pieces of about this many bytes are converted at once. */
const PIECE_BYTES = 4 << 20;
/** A section of more is a damaged header: 1 GiB as float32. */
const MOST_SECTION_VOXELS = 2 ** 28;

/** A raster file whose header was read and checked. */
export interface RasterFile {
  readonly path: string;
  readonly compression: Compression;
  /** Size on disk. */
  readonly fileBytes: number;
  readonly axes: FileAxes;
  readonly content:
    | { readonly format: "MRC"; readonly header: MrcHeader; readonly extended: ExtendedHeader | null }
    | { readonly format: "EM"; readonly header: EmHeader };
}

/** Whether a name says that a file is EM, compressed or not. */
function isNamedEm(path: string): boolean {
  return /\.em(\.(gz|bz2))?$/i.test(path);
}

type Content = RasterFile["content"];

/** By content first: an EM file's size fits its header exactly, and an MRC header names itself. */
async function parseContent(
  beginning: Uint8Array,
  fileBytes: number,
  path: string,
  more: (bytes: number) => Promise<Uint8Array>,
): Promise<Content> {
  const named = isNamedEm(path), isMrc = new TextDecoder("latin1").decode(beginning.subarray(208, 211)) === "MAP";
  if (!isMrc && (looksLikeEm(beginning, fileBytes) && (Number.isFinite(fileBytes) || named) || named)) {
    return { format: "EM", header: parseEmHeader(beginning, fileBytes, path) };
  }
  const header = parseMrcHeader(beginning, fileBytes, path);
  const extended = await more(Math.min(header.extendedBytes, mostExtendedBytes));
  return { format: "MRC", header, extended: readExtendedHeader(beginning, extended, header) };
}

/**
 * Reads and checks the header of an MRC or EM file, plain, gzip or bzip2.
 * @throws {InputError} When the file is missing, damaged, truncated, or its header cannot be: the field, its value and what was expected.
 */
export async function readRasterHeader(path: string): Promise<RasterFile> {
  const { file, fileBytes } = await openForReading(path);
  let content: Content | undefined, compression: Compression;
  try {
    const beginning = await readBeginning(file, mrcHeaderBytes);
    compression = compressionOf(beginning);
    if (compression === "none") {
      content = await parseContent(beginning, fileBytes, path, (bytes) => readBeginning(file, bytes));
    }
  } finally {
    file.close();
  }
  if (content === undefined) {
    const taker = new ByteTaker(decompressFile(path, compression as "gzip" | "bzip2"));
    try {
      content = await parseContent(await taker.take(mrcHeaderBytes), Infinity, path, (bytes) => taker.take(bytes));
    } finally {
      await taker.close();
    }
  }
  return { path, compression, fileBytes, axes: content.format === "MRC" ? content.header.axes : [1, 2, 3], content };
}

/**
 * Reads a compressed raster file from beginning to end, in pieces of whole sections in the file's own axis order, `[n, rows, columns]`.
 * Memory holds one piece. Voxels that are not finite are handed on as they are.
 * @throws {InputError} When the file was replaced, is damaged, or its voxels end early.
 */
export async function* streamSections({ path, compression, content }: RasterFile): AsyncGenerator<Float32Array> {
  if (compression === "none") throw new TypeError(`${path} is not compressed`);
  const taker = new ByteTaker(decompressFile(path, compression));
  try {
    const { header } = content, { columns, rows, sections, voxelType } = header;
    await taker.skip(header.dataOffset);
    const rowBytes = rowBytesOf(header), sectionBytes = rows * rowBytes;
    if (columns * rows > MOST_SECTION_VOXELS) {
      throw new InputError(
        path,
        `header states ${columns} x ${rows} voxels a section, expected at most ${MOST_SECTION_VOXELS}: is it damaged?`,
      );
    }
    const step = Math.max(1, Math.floor(PIECE_BYTES / sectionBytes));
    for (let z = 0; z < sections; z += step) {
      const n = Math.min(step, sections - z);
      const bytes = await taker.take(n * sectionBytes);
      if (bytes.length < n * sectionBytes) {
        throw new InputError(
          path,
          `truncated: ${columns} x ${rows} x ${sections} voxels (${voxelType}) need ${sections * sectionBytes} bytes, ` +
            `the decompressed file has ${z * sectionBytes + bytes.length}`,
        );
      }
      toHostOrder(bytes, header);
      const out = new Float32Array(n * rows * columns);
      if (voxelType === "uint4" && columns % 2 === 1) {
        for (let row = 0; row < n * rows; row++) decodeVoxels(bytes, row * rowBytes, columns, voxelType, out, row * columns);
      } else decodeVoxels(bytes, 0, out.length, voxelType, out, 0);
      yield out;
    }
  } finally {
    await taker.close();
  }
}
