/**
 * Tables as Apache Parquet, by hyparquet.
 * @module
 */
import { parquetReadObjects } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import { checkParquet } from "./parquet_pages.ts";
import { ShapeError } from "../../streams/errors.ts";

/** A column: Float64Array and Float32Array become DOUBLE and FLOAT, Int32Array INT32, Uint8Array BOOLEAN, arrays of text STRING. */
export type ParquetColumn = Float64Array | Float32Array | Int32Array | Uint8Array | readonly string[];

/**
 * Encodes named columns of equal length. The bytes depend on nothing but the table.
 * @throws {ShapeError} When lengths differ.
 */
export function encodeParquet(columns: Readonly<Record<string, ParquetColumn>>): Uint8Array {
  const names = Object.keys(columns);
  for (const name of names) {
    if (columns[name].length !== columns[names[0]].length) {
      throw new ShapeError(`column ${name} has ${columns[name].length} values, ${names[0]} has ${columns[names[0]].length}`);
    }
  }
  const columnData = names.map((name) => {
    const data = columns[name];
    if (data instanceof Float64Array) return { name, data, type: "DOUBLE" as const };
    if (data instanceof Float32Array) return { name, data, type: "FLOAT" as const };
    if (data instanceof Int32Array) return { name, data, type: "INT32" as const };
    if (data instanceof Uint8Array) return { name, data: Array.from(data, (value) => value !== 0), type: "BOOLEAN" as const };
    return { name, data: [...data], type: "STRING" as const };
  });
  return new Uint8Array(parquetWriteBuffer({ columnData, createdBy: "tomosieve" }));
}

/**
 * Decodes a flat table into rows of named values.
 * @throws {Error} When the file is damaged; counts are checked before anything is decoded.
 */
export async function decodeParquet(bytes: Uint8Array): Promise<Record<string, unknown>[]> {
  const file = bytes.slice().buffer as ArrayBuffer;
  const metadata = checkParquet(bytes, file);
  const records: Record<string, unknown>[] = Array.from({ length: Number(metadata.num_rows) }, () => ({}));
  const names = metadata.schema.slice(1).map(({ name }) => name);
  let start = 0;
  for (const group of metadata.row_groups) {
    const end = start + Number(group.num_rows);
    // One column after the other: of several that fail at once, hyparquet leaves all but the first unheard.
    for (const name of names) {
      const part = await parquetReadObjects({ file, metadata, columns: [name], rowStart: start, rowEnd: end });
      part.forEach((record, i) => records[start + i][name] = record[name]);
    }
    start = end;
  }
  return records;
}
