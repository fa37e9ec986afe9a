/**
 * PNG pictures: 8 bits a channel, gray, RGB or RGBA.
 * @see https://www.w3.org/TR/png-3/
 * @module
 */
import { crc32, deflateSync } from "node:zlib";
import { ShapeError } from "../../streams/errors.ts";

const COLOUR_TYPE = { 1: 0, 3: 2, 4: 6 } as const;

function chunk(type: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(body, 8);
  view.setUint32(8 + body.length, crc32(bytes.subarray(4, 8 + body.length)));
  return bytes;
}

/**
 * Encodes a picture. The bytes depend on nothing but the pixels: no time is written.
 *
 * Shapes: `pixels` [height, width, channels], 0..255, top row first.
 * @param channels 1 = gray, 3 = RGB, 4 = RGBA.
 * @throws {ShapeError} When `pixels` has another length, or a side is not 1 or more.
 */
export function encodePng(pixels: Uint8Array, width: number, height: number, channels: 1 | 3 | 4): Uint8Array {
  if (!(width >= 1 && height >= 1) || pixels.length !== width * height * channels) {
    throw new ShapeError(`${pixels.length} bytes for a picture of ${width} x ${height} pixels with ${channels} channels`);
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, COLOUR_TYPE[channels], 0, 0, 0], 8);
  const rowBytes = width * channels;
  // Each row begins with its filter: "up" (2) suits densities, where neighbouring rows are alike.
  const filtered = new Uint8Array(height * (rowBytes + 1));
  for (let y = 0; y < height; y++) {
    const at = y * (rowBytes + 1);
    filtered[at] = 2;
    for (let i = 0; i < rowBytes; i++) filtered[at + 1 + i] = pixels[y * rowBytes + i] - (y > 0 ? pixels[(y - 1) * rowBytes + i] : 0);
  }
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(filtered, { level: 6 })),
    chunk("IEND", new Uint8Array(0)),
  ];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
