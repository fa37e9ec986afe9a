/**
 * `convert A B` where B is a volume: any volume file written anew as MRC, EM or OME-Zarr.
 * @module
 */
import { copyVolume, volumeTarget } from "../../plugins/formats/copy_volume.ts";
import { detectParticles, readFileHead } from "../../plugins/formats/particles.ts";
import { shortNumber } from "../../plugins/formats/voxel_size.ts";
import { ManifestError } from "../errors.ts";
import { stderrProgress } from "../progress.ts";

/** What the command line gives. */
export interface ConvertVolumeArguments {
  readonly source: string;
  readonly target: string;
  /** Angstrom; left out: the source's. Of a multiscale source it also chooses the level. */
  readonly voxelSize?: number;
  /** Half precision: MRC mode 12, float16. */
  readonly half: boolean;
  readonly overwrite: boolean;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** Whether `convert` is asked for a volume: by the name of the target, and because the source holds no particles. */
export async function isVolumeConversion(source: string, target: string): Promise<boolean> {
  if (volumeTarget(target) === null) return false;
  const isFile = await Deno.stat(source).then((stat) => stat.isFile, () => false);
  return !isFile || detectParticles(await readFileHead(source)) === null;
}

/**
 * Writes the target and says on stderr what it holds; `json`: one object on stdout.
 *
 * @returns Exit code 0.
 * @throws {ManifestError} When the target exists.
 * @throws {InputError} When the source cannot be read or does not fit the target.
 */
export async function convertVolume(args: ConvertVolumeArguments): Promise<number> {
  const { source, target, voxelSize, half, overwrite, json, signal } = args;
  const there = await Deno.stat(target).catch(() => null);
  if (there !== null) {
    if (!there.isDirectory && await Deno.realPath(target) === await Deno.realPath(source).catch(() => "")) {
      throw new ManifestError([`${target} is the file that is read: give the output another name`]);
    }
    if (there.isDirectory || !overwrite) {
      throw new ManifestError([`${target} exists: give another name${there.isDirectory ? ", or remove the folder" : ", or --overwrite"}`]);
    }
  }
  const progress = stderrProgress();
  try {
    const written = await copyVolume(source, target, {
      half,
      signal,
      ...(voxelSize === undefined ? {} : { voxelSizeAngstrom: voxelSize }),
      progress: (done, total) => done < total ? progress.update("convert", done, total) : undefined,
    });
    progress.close();
    const { format, shapeZyx: [nz, ny, nx], voxelSizeAngstrom, statistics, source: description } = written;
    for (const anomaly of description.anomalies) console.error(`  ${anomaly}`);
    const size = voxelSizeAngstrom > 0 ? `${shortNumber(voxelSizeAngstrom)} A a voxel` : "voxel size not set";
    console.error(`${target}: ${format}, ${nx} x ${ny} x ${nz} voxels (x, y, z), ${size}, from ${description.format}`);
    if (json) {
      const { anomalies } = description;
      console.log(
        JSON.stringify({
          status: "done",
          from: description.format,
          to: format,
          shapeZyx: [nz, ny, nx],
          voxelSizeAngstrom,
          statistics,
          assumed: anomalies,
        }),
      );
    }
    return 0;
  } finally {
    progress.close();
  }
}
