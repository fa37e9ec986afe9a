/**
 * Particle files of every format: which one a file is, reading it into the one neutral form, and writing it.
 *
 * Each format's own rules of origin, unit, centre, angles and sign stand at the head of its file.
 * @module
 */
import { InputError } from "../../streams/errors.ts";
import { writeFileAtomic } from "./atomic.ts";
import { coordsLines } from "./coords_lines.ts";
import { copickPicks } from "./copick_picks.ts";
import { cryoloCbox } from "./cryolo_cbox.ts";
import { dynamoTable } from "./dynamo_table.ts";
import { emanBox, emanJson } from "./eman_boxes.ts";
import { imodModel } from "./imod_model.ts";
import { mParticles } from "./m_particles.ts";
import type { FileHead, ParticleFormat, ParticleReadOptions, ParticleWriteOptions } from "./particle_format.ts";
import { type FrameOf, inFrame, type ParticleSet, type ParticleUnit } from "./particle_set.ts";
import { csvParticles, parquetParticles } from "./particle_table.ts";
import { portalPoints } from "./portal_points.ts";
import { pytomList } from "./pytom_list.ts";
import { readRelionParticles } from "./relion_particles.ts";
import { type RelionDialect, writeRelionParticles } from "./relion_writer.ts";
import { stopgapMotl } from "./stopgap_motl.ts";
import { tomMotl } from "./tom_motl.ts";

export type { FileHead, ParticleFormat, ParticleReadOptions, ParticleWriteOptions, WrittenParticles } from "./particle_format.ts";
export type { CentreRule, FrameOf, ParticleSet, ParticleUnit, TomogramFrame } from "./particle_set.ts";

function relion(id: RelionDialect, title: string, extensions: readonly string[] = []): ParticleFormat {
  return {
    id,
    title,
    extensions,
    frame: id === "relion5" ? { unit: "angstrom", origin: "centre", centre: "half" } : { unit: "voxel", origin: "first-voxel" },
    manyTomograms: true,
    // The dialects are one format to a reader: the first of them answers for all.
    detect: ({ text }) => id === "relion5" && /^data_/m.test(text) && /^\s*_rln(Centered)?Coordinate[XYZ](Angst)?\b/m.test(text),
    read: (bytes, path, options) => readRelionParticles(new TextDecoder().decode(bytes), path, options),
    write: (set, options) => writeRelionParticles(set, id, options),
  };
}

/** Every format, in the order in which a file is tried. */
export const particleFormats: readonly ParticleFormat[] = [
  ...[imodModel, parquetParticles, tomMotl, stopgapMotl, mParticles, cryoloCbox],
  relion("relion5", "RELION 5 STAR", [".star"]),
  relion("relion4", "RELION 4 STAR"),
  relion("relion3.1", "RELION 3.1 STAR"),
  relion("relion3.0", "RELION 3.0 STAR"),
  relion("warp", "Warp STAR"),
  ...[pytomList, copickPicks, emanJson, portalPoints, emanBox, dynamoTable, coordsLines, csvParticles],
];

/** The format of that id, or undefined. */
export function particleFormat(id: string): ParticleFormat | undefined {
  return particleFormats.find((format) => format.id === id);
}

/** The beginning of a file, by which formats know it. */
const HEAD_BYTES = 256 << 10;

/** Reads the beginning of a file. @throws {InputError} When there is no such file. */
export async function readFileHead(path: string): Promise<FileHead> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(path, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new InputError(path, "no such file", { cause: error });
    if (error instanceof Deno.errors.PermissionDenied) {
      throw new InputError(path, "permission to read denied by the file system", { cause: error });
    }
    throw error;
  }
  using _file = file;
  const stat = await file.stat();
  if (!stat.isFile) throw new InputError(path, "is not a file");
  const bytes = new Uint8Array(Math.min(HEAD_BYTES, stat.size));
  let done = 0;
  while (done < bytes.length) {
    const got = await file.read(bytes.subarray(done));
    if (got === null) break;
    done += got;
  }
  return fileHead(path, bytes.subarray(0, done), stat.size);
}

/** The beginning of a file whose first bytes are known. */
export function fileHead(path: string, bytes: Uint8Array, fileBytes = bytes.length): FileHead {
  const name = path.replace(/^.*[/\\]/, "").toLowerCase();
  return { name, bytes, text: bytes.subarray(0, 4096).includes(0) ? "" : new TextDecoder().decode(bytes), fileBytes };
}

/** The format that a file is in, or null when it is none of particles. */
export function detectParticles(head: FileHead): ParticleFormat | null {
  if (head.fileBytes === 0) return null;
  const binary = head.text === "" ? particleFormats.slice(0, 3) : particleFormats;
  return binary.find((format) => format.detect(head)) ?? null;
}

/** Ids, for messages. */
export function formatIds(): string {
  return particleFormats.map((format) => format.id).join(", ");
}

/**
 * Reads a particle file.
 *
 * @param options `from` names the format; left out, the content tells.
 * @throws {InputError} When there is no such file, it is of no known format, or it is damaged.
 */
export async function readParticles(path: string, options: ParticleReadOptions & { readonly from?: string } = {}): Promise<ParticleSet> {
  const head = await readFileHead(path);
  const format = options.from === undefined ? detectParticles(head) : particleFormat(options.from);
  if (!format) {
    const star = /^data_/m.test(head.text);
    throw new InputError(
      path,
      star
        ? "is a STAR file without coordinates of particles (_rlnCoordinateX, _rlnCenteredCoordinateXAngst, _wrpCoordinateX1, _orig_x)"
        : `is no particle file that is known here: say --from FORMAT if it is one (${formatIds()})`,
    );
  }
  return await format.read(await Deno.readFile(path), path, options);
}

/** What `writeParticles` takes beyond the format's options. */
export interface WriteRequest extends ParticleWriteOptions {
  /** Id of the format. */
  readonly to: string;
  /** What is known of each tomogram. */
  readonly frameOf: FrameOf;
  /** Unit, for formats that hold either. */
  readonly unit?: ParticleUnit;
}

/**
 * Turns a set into the content of a file of another format.
 *
 * @returns The content, and everything that was assumed or left out on the way.
 * @throws {InputError} When something is needed that nobody knows, or the format cannot hold the set.
 */
export async function encodeParticles(
  set: ParticleSet,
  request: WriteRequest,
): Promise<{ content: string | Uint8Array; notes: readonly string[] }> {
  const format = particleFormat(request.to);
  if (!format) throw new InputError(set.path, `no format "${request.to}": formats are ${formatIds()}`);
  const tomograms = [...new Set(set.tomograms)];
  if (!format.manyTomograms && tomograms.length > 1) {
    throw new InputError(
      set.path,
      `holds particles of ${tomograms.length} tomograms (${tomograms.slice(0, 3).join(", ")}${
        tomograms.length > 3 ? ", ..." : ""
      }), a ${format.title} file holds one: ` +
        "put {tomogram} into the name of the output for a file each, or choose one with --only NAME",
    );
  }
  const unit = format.eitherUnit ? request.unit ?? format.frame.unit : format.frame.unit;
  const centre = format.frame.origin === "centre" ? request.centre ?? format.frame.centre : undefined;
  const wanted = {
    unit,
    origin: format.frame.origin,
    ...(centre ? { centre } : {}),
    ...(request.voxelSizeAngstrom === undefined ? {} : { voxelSizeAngstrom: request.voxelSizeAngstrom }),
  };
  const placed = inFrame(set, wanted, request.frameOf);
  const shapeXyz = request.shapeXyz ?? request.frameOf(tomograms[0] ?? "").shapeXyz;
  const { content, notes } = await format.write(placed, { ...request, ...(shapeXyz ? { shapeXyz } : {}) });
  return { content, notes: [...placed.assumed, ...notes] };
}

/** Writes a set as a file, whole or not at all. @returns What was assumed or left out. */
export async function writeParticles(path: string, set: ParticleSet, request: WriteRequest): Promise<readonly string[]> {
  const { content, notes } = await encodeParticles(set, request);
  await writeFileAtomic(path, content);
  return notes;
}
