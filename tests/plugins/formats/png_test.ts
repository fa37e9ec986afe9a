import assert from "node:assert/strict";
import { crc32, inflateSync } from "node:zlib";
import { encodePng } from "../../../plugins/formats/png.ts";
import { ShapeError } from "../../../streams/errors.ts";

/** Chunks of a PNG, each checksum verified. */
function readChunks(png: Uint8Array): { type: string; body: Uint8Array }[] {
  assert.deepEqual([...png.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const view = new DataView(png.buffer, png.byteOffset);
  const chunks = [];
  for (let at = 8; at < png.length;) {
    const length = view.getUint32(at);
    assert.equal(view.getUint32(at + 8 + length), crc32(png.subarray(at + 4, at + 8 + length)));
    chunks.push({ type: new TextDecoder().decode(png.subarray(at + 4, at + 8)), body: png.subarray(at + 8, at + 8 + length) });
    at += 12 + length;
  }
  return chunks;
}

for (const [channels, colourType] of [[1, 0], [3, 2], [4, 6]] as const) {
  Deno.test(`encodePng() with ${channels} channels decodes to the same pixels`, () => {
    const width = 7, height = 5, rowBytes = width * channels;
    const pixels = Uint8Array.from({ length: height * rowBytes }, (_, i) => (i * 37) % 251);
    const chunks = readChunks(encodePng(pixels, width, height, channels));
    assert.deepEqual(chunks.map((chunk) => chunk.type), ["IHDR", "IDAT", "IEND"]);
    assert.deepEqual([...chunks[0].body], [0, 0, 0, width, 0, 0, 0, height, 8, colourType, 0, 0, 0]);
    const rows = inflateSync(chunks[1].body);
    assert.equal(rows.length, height * (rowBytes + 1));
    const decoded = new Uint8Array(pixels.length);
    for (let y = 0; y < height; y++) {
      assert.equal(rows[y * (rowBytes + 1)], 2, "filter up");
      for (let i = 0; i < rowBytes; i++) {
        decoded[y * rowBytes + i] = rows[y * (rowBytes + 1) + 1 + i] + (y > 0 ? decoded[(y - 1) * rowBytes + i] : 0);
      }
    }
    assert.deepEqual(decoded, pixels);
  });
}

Deno.test("encodePng() refuses pixels of another size", () => {
  assert.throws(() => encodePng(new Uint8Array(5), 2, 3, 1), ShapeError);
  assert.throws(() => encodePng(new Uint8Array(0), 0, 3, 1), ShapeError);
});
