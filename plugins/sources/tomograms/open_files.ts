/**
 * Volumes of many files with few files open: opened when first read, the longest unused closed.
 * @module
 */
import type { Triple, Volume } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import { type OpenVolumeFile, openVolumeFile } from "../../formats/volume_file.ts";

interface OpenFile {
  readonly volume: Promise<OpenVolumeFile>;
  /** Reads under way: the file must not be closed. */
  reads: number;
}

/** Multiplies in place. */
function scale(voxels: Float32Array, factor: number): Float32Array {
  if (factor !== 1) { for (let i = 0; i < voxels.length; i++) voxels[i] *= factor; }
  return voxels;
}

/** A volume times a factor; `volume` gives fresh arrays, which are changed in place. */
export function scaledVolume(volume: Volume, factor: number): Volume {
  return {
    shapeZyx: volume.shapeZyx,
    voxelSizeAngstrom: volume.voxelSizeAngstrom,
    readBox: async (corner, size) => scale(await volume.readBox(corner, size), factor),
    readSlab: async (z0, z1) => scale(await volume.readSlab(z0, z1), factor),
  };
}

/** Volume files of one source. */
export class OpenFiles implements AsyncDisposable {
  readonly #most: number;
  /** In the order of their last use. */
  readonly #open = new Map<string, OpenFile>();

  constructor(most = 16) {
    this.#most = most;
  }

  /** Files open now. */
  get count(): number {
    return this.#open.size;
  }

  /**
   * A lazy volume of `path`, which must have this shape whenever it is opened.
   * @param stackIndex Which volume of a stack of volumes; left out: all that the file holds as one.
   */
  volume(path: string, shapeZyx: Triple, voxelSizeAngstrom: number, stackIndex?: number): Volume {
    const read = <T>(work: (volume: OpenVolumeFile) => Promise<T>) => this.#with(path, shapeZyx, voxelSizeAngstrom, stackIndex, work);
    return {
      shapeZyx,
      voxelSizeAngstrom,
      readBox: (corner, size) => read((volume) => volume.readBox(corner, size)),
      readSlab: (z0, z1) => read((volume) => volume.readSlab(z0, z1)),
    };
  }

  async #with<T>(
    path: string,
    shapeZyx: Triple,
    voxelSizeAngstrom: number,
    stackIndex: number | undefined,
    work: (volume: OpenVolumeFile) => Promise<T>,
  ): Promise<T> {
    const key = stackIndex === undefined ? path : `${path}#${stackIndex}`;
    let file = this.#open.get(key);
    this.#open.delete(key);
    file ??= { volume: openVolumeFile(path, { voxelSizeAngstrom, stackIndex }), reads: 0 };
    this.#open.set(key, file);
    file.reads++;
    try {
      const volume = await file.volume;
      if (volume.shapeZyx.join() !== shapeZyx.join()) {
        throw new InputError(
          path,
          `had ${shapeZyx.join(" x ")} voxels (z, y, x) and now has ${volume.shapeZyx.join(" x ")}: it was replaced during the run`,
        );
      }
      return await work(volume);
    } catch (error) {
      // A file that could not be opened is tried again on the next read.
      if (this.#open.get(key) === file) await file.volume.catch(() => this.#open.delete(key));
      throw error;
    } finally {
      file.reads--;
      this.#closeUnused();
    }
  }

  #closeUnused(): void {
    for (const [path, file] of this.#open) {
      if (this.#open.size <= this.#most) return;
      if (file.reads > 0) continue;
      this.#open.delete(path);
      file.volume.then((volume) => volume.close(), () => {});
    }
  }

  /** Closes every file. */
  async [Symbol.asyncDispose](): Promise<void> {
    const files = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(files.map((file) => file.volume.then((volume) => volume.close(), () => {})));
  }
}
