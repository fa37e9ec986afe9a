/**
 * Particles for RELION 3.1 and later: a STAR file with optics table, boxes as single files, a wedge volume a tilt geometry.
 *
 * Rules: `rlnCoordinateX/Y/Z` is the point (from 0, at voxel centres, in voxels of the tomogram as it was given) about which the box was cut,
 * which lies at voxel floor(N / 2) of the box: a whole number, unless the tomogram was resampled before boxes were cut;
 * `rlnOriginX/Y/ZAngst` is minus the particle's shift in its box (an aligner's, else what rounding the pick left) times the voxel size, so
 * that position = coordinate - origin / pixel of that tomogram exactly. Angles are rot, tilt, psi as RELION's, the aligner's where one ran. Boxes are bright, their background (outside 75 % of the box) of zero mean and unit
 * deviation. The wedge volume is N^3 with the zero frequency at voxel N / 2. Checked against relion_reconstruct by tests/proof/relion.ts.
 * @module
 */
import { basename } from "node:path";
import { z } from "zod";
import { definePlugin, type ParticleTable, type PluginContext, type RunView } from "../../streams/contract.ts";
import { RunError } from "../../streams/errors.ts";
import { temporaryName, writeFileAtomic } from "../formats/atomic.ts";
import { formatStar, makeLoop, type StarFile, type StarLoop } from "../formats/star.ts";
import { tiltRangeOf } from "../kernels/wedge.ts";
import { boxCentreOf, type Poses, posesOf } from "./relion_star/poses.ts";
import { WedgeFiles, writeBoxes } from "./relion_star/write_boxes.ts";

const options = z.strictObject({
  boxes: z.boolean().default(true).meta({ description: "Write each box as a file of its own; false: coordinates only" }),
  version: z.enum(["3.1", "4", "5"]).default("3.1").meta({
    description: "RELION that shall read the file; 4 adds the voxel size of the tomograms as rlnTomoTiltSeriesPixelSize, 5 that and " +
      "rlnCenteredCoordinate...Angst (index dims / 2). Coordinates count voxels of the tomograms that were given",
  }),
  classes: z.array(z.int()).min(1).optional().meta({ description: "Classes to write; left out: all" }),
  limitPerClass: z.int().positive().optional().meta({ description: "Most particles of a class, the likeliest first; left out: all" }),
  leaveOutNovel: z.boolean().default(false).meta({ description: "Leave out particles that are like no class" }),
  wedges: z.boolean().default(true).meta({
    description: "Write wedge volumes (rlnCtfImage); false where only some tomograms' tilt ranges are known",
  }),
  starPerClass: z.boolean().default(false).meta({ description: "Write particles_class_03.star and so on beside particles.star" }),
  voltageKilovolts: z.number().positive().default(300).meta({ description: "Written to the optics table", unit: "kV" }),
  sphericalAberrationMillimetres: z.number().nonnegative().default(2.7).meta({ description: "Written to the optics table", unit: "mm" }),
  amplitudeContrast: z.number().min(0).max(1).default(0.1).meta({ description: "Written to the optics table" }),
});
type Options = z.infer<typeof options>;

/** Folder of the boxes beside `particles.star`. */
const FOLDER = "relion";
/** STAR files by class from an earlier writing. */
const CLASS_STAR = /^particles_class_-?\d+\.star$/;

/** Writes `particles.star` and the folder `relion/` with what it names; paths are relative to the STAR file. */
export default definePlugin({
  apiVersion: 1,
  name: "relion-star",
  kind: "sink",
  summary: "Particles for RELION: STAR with optics table, boxes and wedge volumes",
  options,
  create: (given, context) => ({ write: (view, directory) => write(view, directory, given, context) }),
});

async function write(view: RunView, directory: string, given: Options, context: PluginContext): Promise<void> {
  const indices = select(view.particles, given);
  if (indices.length < view.particles.count) {
    context.note("relion-selection", `${indices.length} of ${view.particles.count} particles are in particles.star`);
  }
  const files = given.boxes && indices.length > 0 ? await writeFolder(view, directory, indices, given, context) : {};
  const poses = posesOf(view);
  if (poses.without > 0) context.note("relion-poses", `${poses.without} particles were not aligned: their angles are the picker's, or 0`);
  const own = columnsOf(view, indices, poses);
  const columns = { ...files, ...own, ...(given.version === "5" ? centredOf(view, indices, own) : {}) };
  const optics = opticsOf(view, given);
  const remark = remarkOf(view, given, poses);
  const loop = makeLoop({ ...columns, rlnOpticsGroup: indices.map(() => 1) }, 9);
  for (const entry of [...Deno.readDirSync(directory)]) if (CLASS_STAR.test(entry.name)) await Deno.remove(`${directory}/${entry.name}`);
  if (given.starPerClass) {
    const classes = new Set(indices.map((i) => view.particles.classIds[i]));
    for (const id of classes) {
      const rows = loop.rows.filter((_, i) => view.particles.classIds[indices[i]] === id);
      await writeFileAtomic(
        `${directory}/particles_class_${String(id).padStart(2, "0")}.star`,
        formatStar(starOf(remark, optics, { ...loop, rows })),
      );
    }
  }
  await writeFileAtomic(`${directory}/particles.star`, formatStar(starOf(remark, optics, loop)));
}

/** Particles to write, in row order. */
function select(particles: ParticleTable, given: Options): number[] {
  const wanted = given.classes && new Set(given.classes);
  const kept = Array.from({ length: particles.count }, (_, i) => i)
    .filter((i) => !(wanted && !wanted.has(particles.classIds[i])) && !(given.leaveOutNovel && particles.novel[i]));
  if (given.limitPerClass === undefined) return kept;
  // Without likelihood, the picker's score decides.
  const rank = (i: number) => Number.isNaN(particles.logLikelihood[i]) ? particles.score[i] : particles.logLikelihood[i];
  const taken = new Map<number, number>();
  const chosen = kept.toSorted((a, b) => rank(b) - rank(a) || a - b).filter((i) => {
    const count = (taken.get(particles.classIds[i]) ?? 0) + 1;
    taken.set(particles.classIds[i], count);
    return count <= given.limitPerClass!;
  });
  return chosen.sort((a, b) => a - b);
}

/** RELION 3 splits values at blanks, even in quotes. */
function withoutBlanks(name: string): string {
  return name.replaceAll(/\s+/g, "_").replaceAll(/["'#]/g, "_");
}

/** A name for a folder or file that holds nothing but letters, digits, `.`, `_` and `-`. */
function fileName(ordinal: number, id: string): string {
  const safe = id.replaceAll(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 80);
  return `${String(ordinal).padStart(4, "0")}_${safe}`;
}

type Columns = Record<string, (string | number)[]>;

/** Every column that needs no file. */
function columnsOf({ particles, tomograms, boxes }: RunView, indices: readonly number[], poses: Poses): Columns {
  const byOrdinal = new Map(tomograms.map((tomogram) => [tomogram.ordinal, tomogram]));
  const columns: Columns = {};
  const add = (name: string, value: (i: number) => string | number) => columns[name] = indices.map(value);
  const tomogramOf = (i: number) => byOrdinal.get(particles.rows[2 * i]);
  add("rlnTomoName", (i) => withoutBlanks(tomogramOf(i)?.id ?? String(particles.rows[2 * i])));
  add("rlnMicrographName", (i) => withoutBlanks(basename(tomogramOf(i)?.path ?? tomogramOf(i)?.id ?? String(particles.rows[2 * i]))));
  const placed = indices.every((i) => Number.isFinite(particles.centresXyz[3 * i]));
  if (placed) {
    ["X", "Y", "Z"].forEach((axis, k) =>
      add(`rlnCoordinate${axis}`, (i) => boxCentreOf(particles.centresXyz[3 * i + k], tomogramOf(i)?.voxelsEach ?? 1))
    );
  }
  const { eulerZyzDegrees: angles, shiftsXyz } = poses;
  ["X", "Y", "Z"].forEach((axis, k) => {
    // 0 - x rather than -x: no "-0" in the file.
    add(`rlnOrigin${axis}Angst`, (i) => 0 - shiftsXyz[3 * i + k] * boxes.voxelSizeAngstrom);
  });
  if (angles) ["Rot", "Tilt", "Psi"].forEach((name, k) => add(`rlnAngle${name}`, (i) => angles[3 * i + k]));
  add("rlnClassNumber", (i) => particles.classIds[i]);
  if (indices.every((i) => Number.isFinite(particles.score[i]))) add("rlnAutopickFigureOfMerit", (i) => particles.score[i]);
  if (indices.every((i) => Number.isFinite(particles.logLikelihood[i]))) add("rlnLogLikeliContribution", (i) => particles.logLikelihood[i]);
  return columns;
}

/** RELION 5's coordinates: Angstrom from the tomogram's centre, index dims / 2, of the columns that are there. None for stacks. */
function centredOf({ particles, tomograms }: RunView, indices: readonly number[], columns: Columns): Columns {
  if (!columns.rlnCoordinateX) return {};
  const byOrdinal = new Map(tomograms.map((tomogram) => [tomogram.ordinal, tomogram]));
  return Object.fromEntries(["X", "Y", "Z"].map((axis, k) => [
    `rlnCenteredCoordinate${axis}Angst`,
    indices.map((i, row) => {
      const { shapeZyx, voxelSizeAngstrom } = byOrdinal.get(particles.rows[2 * i])!;
      return (Number(columns[`rlnCoordinate${axis}`][row]) - shapeZyx[2 - k] / 2) * voxelSizeAngstrom;
    }),
  ]));
}

/** Writes boxes and wedges under a temporary name and puts the folder in its place. @returns The columns that name the files. */
async function writeFolder(
  view: RunView,
  directory: string,
  indices: readonly number[],
  given: Options,
  context: PluginContext,
): Promise<Columns> {
  const { boxes, particles, tomograms } = view;
  const folder = `${directory}/${FOLDER}`;
  const temporary = temporaryName(folder);
  const ids = new Map(tomograms.map(({ ordinal, id }) => [ordinal, id]));
  const nameOf = (i: number) => {
    const [ordinal, pick] = [particles.rows[2 * i], particles.rows[2 * i + 1]];
    return `${fileName(ordinal, ids.get(ordinal) ?? "")}/${String(pick).padStart(6, "0")}.mrc`;
  };
  const wedges = new WedgeFiles(boxes.boxVoxels, boxes.voxelSizeAngstrom);
  const known = indices.filter((i) => tiltRangeOf(boxes.geometryOf(i)) !== null).length;
  const columns: Columns = { rlnImageName: indices.map((i) => `${FOLDER}/${nameOf(i)}`) };
  if (known === 0) {
    context.note("relion-no-wedge", "the tilt range is unknown: no wedge volume and no rlnCtfImage; run RELION without --ctf");
  } else if (!given.wedges) {
    context.note("relion-no-wedge", "no wedge volume and no rlnCtfImage, as the manifest says; run RELION without --ctf");
  } else if (known < indices.length) {
    const unknown = tomograms.filter(({ geometry, boxes }) => boxes > 0 && tiltRangeOf(geometry) === null).map(({ id }) => id);
    throw new RunError(
      `the tilt range of ${unknown.length} of ${tomograms.length} tomograms is unknown (${unknown.slice(0, 4).join(", ")}${
        unknown.length > 4 ? ", ..." : ""
      }), and RELION wants a wedge volume of every particle or of none: ` +
        `set "wedges": false and use --resume, or start anew with source.options.tiltRangeDegrees or a geometry file`,
    );
  } else columns.rlnCtfImage = indices.map((i) => `${FOLDER}/${wedges.nameOf(boxes.geometryOf(i))}`);
  try {
    await wedges.write(temporary);
    await writeBoxes(boxes, indices, (i) => `${temporary}/${nameOf(i)}`, context.signal, (done, total) => context.progress(done, total));
    await replaceFolder(temporary, folder);
  } catch (error) {
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
    throw error;
  }
  return columns;
}

/** Gives a finished folder its name; what had the name before is removed. */
async function replaceFolder(finished: string, folder: string): Promise<void> {
  const old = temporaryName(folder);
  const had = await Deno.rename(folder, old).then(() => true, (error) => {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  });
  await Deno.rename(finished, folder);
  if (had) await Deno.remove(old, { recursive: true });
}

function opticsOf({ boxes, tomograms }: RunView, given: Options): StarLoop {
  // What coordinates count: the tomograms of a run agree within 1 %.
  const size = tomograms[0]?.voxelSizeAngstrom ?? 0;
  return makeLoop({
    rlnOpticsGroup: [1],
    rlnOpticsGroupName: ["opticsGroup1"],
    rlnVoltage: [given.voltageKilovolts],
    rlnSphericalAberration: [given.sphericalAberrationMillimetres],
    rlnAmplitudeContrast: [given.amplitudeContrast],
    ...(size > 0 ? { rlnMicrographPixelSize: [size] } : {}),
    ...(size > 0 && given.version !== "3.1" ? { rlnTomoTiltSeriesPixelSize: [size] } : {}),
    rlnImagePixelSize: [boxes.voxelSizeAngstrom],
    rlnImageSize: [boxes.boxVoxels],
    rlnImageDimensionality: [3],
  });
}

function remarkOf({ tomograms }: RunView, given: Options, { without }: Poses): string {
  const contrasts = new Set(tomograms.map(({ metadata }) => metadata.contrast).filter((contrast) => contrast !== undefined));
  const origin = contrasts.has("dark") ? " (inverted: dark in the tomograms)" : "";
  const unaligned = without > 0 ? `; ${without} particles were not aligned: their angles are the picker's, or 0` : "";
  return `made by tomosieve; ${given.boxes ? `particles are bright${origin}` : "coordinates only"}${unaligned}`;
}

/** As RELION 3.1 writes it: a line with the version before each table. */
function starOf(remark: string, optics: StarLoop, particles: StarLoop): StarFile {
  const version = { kind: "comment", text: "version 30001" } as const;
  return {
    preamble: [{ kind: "comment", text: remark }, version],
    blocks: [{ name: "optics", items: [optics, version] }, { name: "particles", items: [particles] }],
  };
}
