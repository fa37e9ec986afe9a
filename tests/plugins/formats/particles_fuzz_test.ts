import assert from "node:assert/strict";
import { hunt } from "./hunt.ts";
import { makeSet } from "./particle_samples.ts";
import { detectParticles, encodeParticles, fileHead, particleFormats } from "../../../plugins/formats/particles.ts";
import { readTomogramTable } from "../../../plugins/formats/tomogram_frames.ts";
import { parseXml } from "../../../plugins/formats/xml.ts";

const toBytes = (content: string | Uint8Array) => typeof content === "string" ? new TextEncoder().encode(content) : content;
const COUNT = 12;
const set = makeSet({
  positionsXyz: Float64Array.from({ length: 3 * COUNT }, (_, i) => 7 * i + i / 8),
  shiftsXyz: Float64Array.from({ length: 3 * COUNT }, (_, i) => i / 16 - 1),
  eulerZyzDegrees: Float64Array.from({ length: 3 * COUNT }, (_, i) => 10 * i - 170),
  score: Float64Array.from({ length: COUNT }, (_, i) => i / COUNT),
  labels: Array.from({ length: COUNT }, (_, i) => String(i % 3)),
  columns: { note: Array.from({ length: COUNT }, (_, i) => `note ${i}`) },
});
const frameOf = () => ({ shapeXyz: [100, 90, 51] as const, voxelSizeAngstrom: 10 });

for (const format of particleFormats) {
  Deno.test(`damaged ${format.id} files give an InputError or whole particles, no more than the file has room for`, async () => {
    const whole = toBytes((await encodeParticles(set, { to: format.id, frameOf })).content);
    const name = `a${format.extensions[0] ?? ".star"}`;
    // hyparquet trusts what stands inside a page (a run of two thousand million values keeps it busy): cut and damage all but the pages.
    const footer = format.id === "parquet" ? whole.length - 8 - new DataView(whole.buffer).getUint32(whole.length - 8, true) : 0;
    await hunt(format.id, [whole], async (damaged) => {
      const bytes = damaged.slice();
      if (footer > 4 && bytes.length > 4) bytes.set(whole.subarray(4, Math.min(footer, bytes.length)), 4);
      detectParticles(fileHead(name, bytes));
      const found = await format.read(bytes, name, { voxelSizeAngstrom: 10 });
      assert.ok(found.count <= bytes.length, `${found.count} particles from ${bytes.length} bytes`);
      assert.equal(found.positionsXyz.length, 3 * found.count);
      assert.equal(found.tomograms.length, found.count);
      for (const values of [found.score, found.labels, found.voxelSizeAngstrom, ...Object.values(found.columns)]) {
        if (values) assert.equal(values.length, found.count);
      }
      assert.ok(found.positionsXyz.every(Number.isFinite), "every position is a number");
    });
  });
}

Deno.test("damaged XML and tables of tomograms give an InputError or a result", async () => {
  const xml = '<?xml version="1.0"?>\n<!-- a --><A one="1" two=\'&lt;2\'><B/>text<C>more</C></A>\n';
  await hunt("xml", [toBytes(xml)], (bytes) => void parseXml(new TextDecoder().decode(bytes), "a.xml"));
  const star =
    "data_global\nloop_\n_rlnTomoName\n_rlnTomoSizeX\n_rlnTomoSizeY\n_rlnTomoSizeZ\n_rlnTomoTiltSeriesPixelSize\nTS_01 24 32 36 2.5\nTS_02 24 32 36 2.5\n";
  await hunt("tomograms", [toBytes(star)], (bytes) => void readTomogramTable(new TextDecoder().decode(bytes), "a.star"));
});
