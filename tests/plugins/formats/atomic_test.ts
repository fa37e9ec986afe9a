import assert from "node:assert/strict";
import { temporaryFolder } from "./reading.ts";
import { openAtomicFile, writeFileAtomic } from "../../../plugins/formats/atomic.ts";
import { decodeParquet, encodeParquet } from "../../../plugins/formats/parquet.ts";
import { RunError, ShapeError } from "../../../streams/errors.ts";

const names = (folder: string) => Array.from(Deno.readDirSync(folder), (entry) => entry.name).sort();

Deno.test("writeFileAtomic() makes folders, replaces a file, and leaves no temporary name", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/deep/er/a.txt`;
  await writeFileAtomic(path, "old");
  await writeFileAtomic(path, new TextEncoder().encode("new Å"), { sync: false });
  assert.equal(await Deno.readTextFile(path), "new Å");
  assert.deepEqual(names(`${folder.path}/deep/er`), ["a.txt"]);
});

Deno.test("until commit a file keeps its old content; an aborted one never appears", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/a.txt`;
  await writeFileAtomic(path, "old");
  {
    await using file = await openAtomicFile(path);
    await file.write(new TextEncoder().encode("half"));
    assert.equal(await Deno.readTextFile(path), "old");
  }
  assert.deepEqual(names(folder.path), ["a.txt"]);
  const file = await openAtomicFile(path);
  await file.write(new TextEncoder().encode("0000 tail"));
  await file.writeAt(0, new TextEncoder().encode("head"));
  await file.write(new TextEncoder().encode("!"));
  await file.commit();
  await file.abort();
  assert.equal(await Deno.readTextFile(path), "head tail!");
});

Deno.test("a place that cannot be written gives one clear error", async () => {
  await using folder = await temporaryFolder();
  await writeFileAtomic(`${folder.path}/file`, "");
  await assert.rejects(writeFileAtomic(`${folder.path}/file/a.txt`, ""), (error: Error) => {
    return error instanceof RunError && /a\.txt: cannot be written: a file stands where a folder is needed/.test(error.message);
  });
  await Deno.mkdir(`${folder.path}/taken`);
  await assert.rejects(writeFileAtomic(`${folder.path}/taken`, ""), (error: Error) => {
    return error instanceof RunError && /taken: cannot be written: a folder of that name exists/.test(error.message);
  });
  assert.deepEqual(names(folder.path), ["file", "taken"]);
});

Deno.test("a full disk is an error that says so, and leaves nothing", async () => {
  try {
    await Deno.stat("/dev/full");
  } catch {
    console.log("skipped: no /dev/full on this system");
    return;
  }
  await using folder = await temporaryFolder();
  // Every file opened is /dev/full, where each write fails for want of space.
  const path = `${folder.path}/a.txt`;
  const open = Deno.open;
  try {
    Deno.open = () => open("/dev/full", { write: true, read: true });
    await assert.rejects(writeFileAtomic(path, "text"), (error: Error) => {
      return error instanceof RunError && /a\.txt: cannot be written: the disk \(or quota\) is full/.test(error.message);
    });
  } finally {
    Deno.open = open;
  }
  assert.deepEqual(names(folder.path), []);
});

Deno.test("a Parquet table comes back with its types, NaN and text, and its bytes depend on nothing else", async () => {
  const columns = {
    x: Float64Array.of(1.5, NaN, -1e300),
    score: Float32Array.of(0.5, 1, 2),
    class: Int32Array.of(0, -1, 7),
    novel: Uint8Array.of(0, 1, 0),
    tomogram: ["a", "b,c", ""],
  };
  const bytes = encodeParquet(columns);
  assert.deepEqual(encodeParquet(columns), bytes);
  assert.deepEqual(await decodeParquet(bytes), [
    { x: 1.5, score: 0.5, class: 0, novel: false, tomogram: "a" },
    { x: NaN, score: 1, class: -1, novel: true, tomogram: "b,c" },
    { x: -1e300, score: 2, class: 7, novel: false, tomogram: "" },
  ]);
  assert.throws(() => encodeParquet({ a: Int32Array.of(1), b: Int32Array.of(1, 2) }), ShapeError);
});
