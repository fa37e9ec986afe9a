/**
 * Looks through the pages of a Parquet file before they are decoded: a damaged count would keep the decoder busy for hours.
 *
 * A page's header is a struct of Thrift's compact protocol: field 2 and 3 are its sizes in bytes with and without compression undone, the first
 * field of field 5, 7 or 8 is the number of values.
 * @module
 */
import { type FileMetaData, parquetMetadata } from "hyparquet";

/** Largest size of a page undone for each byte of the file: zeros compress well, but not without end. */
const MOST_GROWTH = 20_000;
/** Compressions that the decoder undoes. */
const CODECS: readonly string[] = ["UNCOMPRESSED", "SNAPPY"];
/** Types of Thrift's compact protocol. */
const TRUE = 1, FALSE = 2, BYTE = 3, I64 = 6, DOUBLE = 7, BINARY = 8, LIST = 9, STRUCT = 12;

/** Reads structs; numbers by `path` of field numbers, everything else is passed over. Throws RangeError past the end. */
class HeaderReader {
  readonly bytes: Uint8Array;
  at: number;
  readonly numbers = new Map<string, number>();

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  #byte(): number {
    if (this.at >= this.bytes.length) throw new RangeError("a page's header runs past the end of the file");
    return this.bytes[this.at++];
  }

  #varint(): number {
    let value = 0, factor = 1;
    for (let n = 0; n < 10; n++) {
      const byte = this.#byte();
      value += (byte & 0x7f) * factor;
      if (byte < 128) return value;
      factor *= 128;
    }
    throw new RangeError("a number in a page's header has no end");
  }

  #zigzag(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #element(type: number, path: string, depth: number): void {
    if (type === TRUE || type === FALSE) return;
    if (type === BYTE) this.at++;
    else if (type > BYTE && type <= I64) this.numbers.set(path, this.#zigzag());
    else if (type === DOUBLE) this.at += 8;
    else if (type === BINARY) this.at += this.#varint();
    else if (type === LIST) {
      const byte = this.#byte(), count = byte >> 4 === 15 ? this.#varint() : byte >> 4;
      for (let i = 0; i < count; i++) (byte & 15) <= FALSE ? this.#byte() : this.#element(byte & 15, `${path}[]`, depth + 1);
    } else if (type === STRUCT) this.struct(path, depth + 1);
    else throw new RangeError(`a page's header holds a field of type ${type}`);
  }

  struct(path = "", depth = 0): void {
    if (depth > 8) throw new RangeError("a page's header is nested too deep");
    for (let field = 0;;) {
      const byte = this.#byte(), type = byte & 15;
      if (type === 0) return;
      field = byte >> 4 === 0 ? this.#zigzag() : field + (byte >> 4);
      this.#element(type, path === "" ? String(field) : `${path}.${field}`, depth);
    }
  }
}

/**
 * Checks row counts, column counts and the counts and sizes of every page against each other and the file.
 *
 * @returns The file's metadata, for the decoder.
 * @throws {RangeError} When something cannot be.
 */
export function checkParquet(bytes: Uint8Array, file: ArrayBuffer): FileMetaData {
  const metadata = parquetMetadata(file);
  const groups = metadata.row_groups.reduce((sum, group) => sum + Number(group.num_rows), 0);
  if (groups !== Number(metadata.num_rows)) {
    throw new RangeError(`its footer counts ${metadata.num_rows} rows, its row groups hold ${groups}`);
  }
  for (const group of metadata.row_groups) {
    for (const { meta_data: column } of group.columns) {
      if (!column) continue;
      const rows = Number(group.num_rows);
      if (!CODECS.includes(column.codec)) {
        throw new RangeError(`a column is compressed by ${column.codec}: ${CODECS.join(" and ")} are read`);
      }
      if (Number(column.num_values) !== rows) {
        throw new RangeError(`a column has ${column.num_values} values in a group of ${rows} rows: only flat tables are read`);
      }
      const offset = Number(column.dictionary_page_offset ?? column.data_page_offset), size = Number(column.total_compressed_size);
      if (!(offset >= 0 && size >= 0 && offset + size <= bytes.length)) throw new RangeError("a column lies outside the file");
      checkPages(bytes, offset, offset + size, rows);
    }
  }
  return metadata;
}

function checkPages(bytes: Uint8Array, from: number, to: number, rows: number): void {
  let values = 0;
  for (let at = from; at < to;) {
    const header = new HeaderReader(bytes.subarray(0, to), at);
    header.struct();
    const [plain, packed] = [header.numbers.get("2") ?? 0, header.numbers.get("3") ?? 0];
    const data = header.numbers.get("5.1") ?? header.numbers.get("8.1"), dictionary = header.numbers.get("7.1") ?? 0;
    if (packed < 0 || header.at + packed > to) throw new RangeError(`a page of ${packed} bytes does not fit into its column`);
    if (plain < 0 || plain > MOST_GROWTH * (packed + 64)) throw new RangeError(`a page of ${packed} bytes cannot become ${plain}`);
    if (dictionary < 0 || dictionary > rows + 1 || (data ?? 0) < 0) {
      throw new RangeError(`a page has ${data ?? dictionary} values in a group of ${rows} rows`);
    }
    values += data ?? 0;
    if (values > rows) throw new RangeError(`pages have ${values} values in a group of ${rows} rows`);
    at = header.at + packed;
  }
  if (values !== rows) throw new RangeError(`pages have ${values} values in a group of ${rows} rows`);
}
