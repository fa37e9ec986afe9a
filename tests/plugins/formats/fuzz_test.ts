import assert from "node:assert/strict";
import { hunt } from "./hunt.ts";
import { decodeBase64, readFixture, temporaryFolder } from "./reading.ts";
import { parseCsv } from "../../../plugins/formats/csv.ts";
import { parseMdoc } from "../../../plugins/formats/mdoc.ts";
import { openMrcStack, openMrcVolume } from "../../../plugins/formats/mrc.ts";
import { parseStar } from "../../../plugins/formats/star.ts";

Deno.test("damaged MRC files give an InputError or a volume no larger than the file says", async () => {
  await using folder = await temporaryFolder();
  const { files } = readFixture<{ files: Record<string, { file: string }> }>("mrc");
  const path = `${folder.path}/a.mrc`;
  await hunt("mrc", Object.values(files).map(({ file }) => decodeBase64(file)), async (bytes) => {
    await Deno.writeFile(path, bytes);
    await using volume = await openMrcVolume(path);
    const voxels = await volume.readSlab(0, volume.shapeZyx[0]);
    assert.ok(voxels.length <= bytes.length, `${voxels.length} voxels from ${bytes.length} bytes`);
  });
  const stack = decodeBase64(files["stack of volumes"].file);
  await hunt("mrc stack", [stack], async (bytes) => {
    await Deno.writeFile(path, bytes);
    await using opened = await openMrcStack(path);
    assert.ok((await opened.read([0, opened.count - 1])).length <= 2 * bytes.length);
  });
});

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("damaged STAR files give an InputError or tables whose rows are full", async () => {
  const star =
    "# version\n\ndata_optics\n\nloop_\n_rlnA #1\n_rlnB #2\n1 'a b'\n2 \"c\"\n\ndata_particles\n_rlnKey value\n_rlnText\n;long\n;\nloop_\n" +
    Array.from({ length: 12 }, (_, i) => `_rlnColumn${i} #${i + 1}\n`).join("") +
    Array.from({ length: 20 }, (_, i) => Array.from({ length: 12 }, (_, j) => i * j / 7).join("  ") + "\n").join("");
  await hunt("star", [encode(star)], (bytes) => {
    for (const { items } of parseStar(decode(bytes), "a.star").blocks) {
      for (const item of items) if (item.kind === "loop") item.rows.forEach((row) => assert.equal(row.length, item.columns.length));
    }
  });
});

Deno.test("damaged CSV and mdoc files give an InputError or a table whose rows are full", async () => {
  const csv = '\ufeffx,y,"na""me"\n' + Array.from({ length: 30 }, (_, i) => `${i},${-i / 3},"a, ${i}"\n`).join("");
  await hunt("csv", [encode(csv), encode(csv.replaceAll(",", "\t"))], (bytes) => {
    const { header, rows } = parseCsv(decode(bytes), "a.csv");
    const width = header?.length ?? rows[0]?.length;
    rows.forEach((row) => assert.equal(row.length, width));
  });
  const mdoc = "PixelSpacing = 3.4\n[T = title]\n\n" +
    Array.from({ length: 9 }, (_, i) => `[ZValue = ${i}]\nTiltAngle = ${3 * i}\n`).join("");
  await hunt("mdoc", [encode(mdoc)], (bytes) => void parseMdoc(decode(bytes), "a.mdoc"));
});
