/**
 * safetensors: named arrays in one file, as the Hugging Face project defines it and Python's `safetensors` reads it.
 *
 * Layout: 8 bytes little-endian length of the header, the header (JSON, padded with spaces to a multiple of 8), the arrays without gaps.
 * Arrays are written widest type first, so that each begins at a multiple of its element size.
 * @see https://huggingface.co/docs/safetensors
 * @module
 */
import { InputError } from "../../streams/errors.ts";

/** The element types that tomosieve keeps. */
export type TensorArray = Float32Array | Float64Array | Int32Array | Uint8Array;

const TYPES = {
  F64: { bytes: 8, make: (b: ArrayBuffer) => new Float64Array(b) },
  F32: { bytes: 4, make: (b: ArrayBuffer) => new Float32Array(b) },
  I32: { bytes: 4, make: (b: ArrayBuffer) => new Int32Array(b) },
  U8: { bytes: 1, make: (b: ArrayBuffer) => new Uint8Array(b) },
} as const;
type TypeName = keyof typeof TYPES;

function typeName(values: TensorArray): TypeName {
  if (values instanceof Float64Array) return "F64";
  if (values instanceof Float32Array) return "F32";
  return values instanceof Int32Array ? "I32" : "U8";
}

/** Encodes named one-dimensional arrays; order of names does not change the bytes. */
export function encodeSafetensors(arrays: Readonly<Record<string, TensorArray>>): Uint8Array<ArrayBuffer> {
  const order = Object.keys(arrays).sort((a, b) => TYPES[typeName(arrays[b])].bytes - TYPES[typeName(arrays[a])].bytes || (a < b ? -1 : 1));
  const header: Record<string, unknown> = {};
  let offset = 0;
  for (const name of order) {
    const values = arrays[name];
    header[name] = { dtype: typeName(values), shape: [values.length], data_offsets: [offset, offset + values.byteLength] };
    offset += values.byteLength;
  }
  let text = new TextEncoder().encode(JSON.stringify(header));
  if (text.length % 8) {
    const padded = new Uint8Array(Math.ceil(text.length / 8) * 8).fill(32);
    padded.set(text);
    text = padded;
  }
  const out = new Uint8Array(8 + text.length + offset);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  let at = 8 + text.length;
  for (const name of order) {
    const values = arrays[name];
    out.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    at += values.byteLength;
  }
  return out;
}

/**
 * Decodes what {@linkcode encodeSafetensors} or Python wrote; shapes are flattened.
 * @throws {InputError} When the header is not JSON, a type is not F64, F32, I32 or U8, or offsets do not fit the file.
 */
export function decodeSafetensors(bytes: Uint8Array, path: string): Record<string, TensorArray> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = bytes.length >= 8 ? Number(view.getBigUint64(0, true)) : -1;
  if (headerBytes < 2 || headerBytes > bytes.length - 8) {
    throw new InputError(
      path,
      `safetensors header length is ${headerBytes}, the file has ${bytes.length} bytes: the file is damaged; make it again`,
    );
  }
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
  } catch (cause) {
    throw new InputError(path, "safetensors header is not JSON: the file is damaged; make it again", { cause });
  }
  const base = 8 + headerBytes, out: Record<string, TensorArray> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const type = TYPES[entry?.dtype as TypeName];
    if (!type) throw new InputError(path, `array "${name}" has type ${entry?.dtype}, expected one of ${Object.keys(TYPES).join(", ")}`);
    const [start, end] = entry.data_offsets ?? [NaN, NaN];
    const size = (entry.shape ?? []).reduce((a, b) => a * b, 1) * type.bytes;
    if (!(start >= 0 && end - start === size && base + end <= bytes.length)) {
      throw new InputError(
        path,
        `array "${name}" stands at bytes ${start}..${end} for a shape of [${entry.shape}], in a file of ${bytes.length} bytes: the file is damaged`,
      );
    }
    out[name] = type.make(bytes.slice(base + start, base + end).buffer as ArrayBuffer);
  }
  return out;
}
