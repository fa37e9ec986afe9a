/**
 * Half-precision numbers (IEEE 754 binary16, MRC mode 12): 5 bits of exponent, 10 of fraction, largest value 65504.
 * @module
 */

/** Largest finite half-precision value. */
export const float16Maximum = 65504;

let table: Float32Array | null = null;

/** Value of each of the 65536 bit patterns: decoding by table is three times as fast as `Float16Array` to `Float32Array` in V8 14. */
function decodeTable(): Float32Array {
  table ??= Float32Array.from(new Float16Array(Uint16Array.from({ length: 65536 }, (_, bits) => bits).buffer));
  return table;
}

/**
 * Decodes half-precision bit patterns. Exact: every half is a float32.
 *
 * Shapes: `bits` [n] native byte order; `out` [n] when given.
 */
export function decodeFloat16(bits: Uint16Array, out: Float32Array = new Float32Array(bits.length)): Float32Array {
  const values = decodeTable();
  for (let i = 0; i < bits.length; i++) out[i] = values[bits[i]];
  return out;
}

/**
 * Encodes to half-precision bit patterns, rounding to nearest, ties to even; above 65519 the result is an infinity.
 *
 * Shapes: `values` [n]; result [n] native byte order.
 */
export function encodeFloat16(values: Float32Array): Uint16Array {
  const half = new Float16Array(values);
  return new Uint16Array(half.buffer, half.byteOffset, half.length);
}
