/**
 * Writes the protocol-buffer wire format: just what an ONNX model needs.
 * @see https://protobuf.dev/programming-guides/encoding/
 * @module
 */
const encoder = new TextEncoder();

/** One message under construction. Field numbers and wire types are the caller's business. */
export class Message {
  #small: number[] = [];
  #chunks: Uint8Array[] = [];

  /** A varint field; negative numbers take ten bytes, as int64 does. */
  int(field: number, value: number | bigint): this {
    this.#varint(field * 8);
    this.#varint(value);
    return this;
  }

  /** A length-delimited field: bytes, text or a nested message. */
  bytes(field: number, value: Uint8Array | string | Message): this {
    const bytes = typeof value === "string" ? encoder.encode(value) : value instanceof Message ? value.encode() : value;
    this.#varint(field * 8 + 2);
    this.#varint(bytes.length);
    this.#flush();
    this.#chunks.push(bytes);
    return this;
  }

  /** A 32-bit float field. */
  float(field: number, value: number): this {
    this.#varint(field * 8 + 5);
    this.#small.push(...new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }

  /** The bytes so far. Large payloads are copied once, here. */
  encode(): Uint8Array {
    this.#flush();
    const encoded = new Uint8Array(this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of this.#chunks) {
      encoded.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [encoded];
    return encoded;
  }

  #varint(value: number | bigint): void {
    if (typeof value === "number" && value >= 0 && value < 2 ** 31) {
      let rest = value;
      for (; rest > 127; rest >>>= 7) this.#small.push(rest & 127 | 128);
      this.#small.push(rest);
      return;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) this.#small.push(Number(rest & 127n) | 128);
    this.#small.push(Number(rest));
  }

  #flush(): void {
    if (this.#small.length === 0) return;
    this.#chunks.push(Uint8Array.from(this.#small));
    this.#small = [];
  }
}
