/**
 * Derived volumes on disk, in the run folder: made once, reused on resume, removed at success.
 * @module
 */
import { createHash } from "node:crypto";
import { createMrcWriter, type MrcVolume, openMrcVolume } from "../plugins/formats/mrc.ts";
import type { Scratch, Triple, Volume, WorkingVolume, WriteSlab } from "./contract.ts";
import { exists, removeIfThere } from "./bundle.ts";
import { ShapeError } from "./errors.ts";

/** The scratch folder of one run. */
export class DiskScratch implements Scratch, AsyncDisposable {
  readonly #folder: string;
  readonly #open: MrcVolume[] = [];
  readonly #making = new Map<string, Promise<Volume>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  volume(
    key: string,
    shapeZyx: Triple,
    voxelSizeAngstrom: number,
    fill: (writeSlab: WriteSlab, working: WorkingVolume) => Promise<void>,
  ): Promise<Volume> {
    const name = createHash("sha256").update(JSON.stringify([key, shapeZyx, voxelSizeAngstrom])).digest("hex").slice(0, 24);
    let made = this.#making.get(name);
    if (!made) this.#making.set(name, made = this.#make(`${this.#folder}/${name}.mrc`, shapeZyx, voxelSizeAngstrom, fill));
    return made;
  }

  async #make(
    path: string,
    shapeZyx: Triple,
    voxelSizeAngstrom: number,
    fill: (writeSlab: WriteSlab, working: WorkingVolume) => Promise<void>,
  ): Promise<Volume> {
    // The final name appears only when the file is complete: what stands there can be used.
    if (!exists(path)) {
      const working: MrcVolume[] = [];
      const folder = `${path}.working`;
      try {
        removeIfThere(folder);
        await write(path, shapeZyx, voxelSizeAngstrom, (writeSlab) =>
          fill(writeSlab, async (shape, fillWorking) => {
            const at = `${folder}/${working.length}.mrc`;
            await write(at, shape, 0, fillWorking);
            const volume = await openMrcVolume(at, { voxelSizeAngstrom: 1 });
            working.push(volume);
            return { shapeZyx: shape, voxelSizeAngstrom: 0, readBox: volume.readBox, readSlab: volume.readSlab };
          }));
      } finally {
        for (const volume of working) volume.close();
        removeIfThere(folder);
      }
    }
    const volume = await openMrcVolume(path);
    this.#open.push(volume);
    return { shapeZyx, voxelSizeAngstrom, readBox: volume.readBox, readSlab: volume.readSlab };
  }

  /** Removes every file: the run is complete. */
  async clear(): Promise<void> {
    await this[Symbol.asyncDispose]();
    removeIfThere(this.#folder);
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const volume of this.#open.splice(0)) volume.close();
    this.#making.clear();
    return Promise.resolve();
  }
}

/** Writes all sections of a volume; the file appears when they are there. */
async function write(
  path: string,
  [nz, ny, nx]: Triple,
  voxelSizeAngstrom: number,
  fill: (writeSlab: WriteSlab) => Promise<void>,
): Promise<void> {
  await using writer = await createMrcWriter(path, { ny, nx, voxelSizeAngstrom });
  await fill((sections) => writer.writeSlab(sections));
  const { shapeZyx: written } = await writer.finish();
  if (written[0] !== nz) throw new ShapeError(`a derived volume of ${nz} sections was announced, ${written[0]} were written`);
}
