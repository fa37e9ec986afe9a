/**
 * Picks from a file that another program, or a person, has made.
 * @module
 */
import { basename } from "node:path";
import { z } from "zod";
import { definePlugin, type Picks, type PluginContext, type Tomogram, type Triple } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { namedVolume } from "../denoisers/named_volume.ts";
import { takeParticles } from "../formats/mend_particles.ts";
import { inFrame, type ParticleSet, tomogramStem } from "../formats/particle_set.ts";
import { particleFormats, readParticles } from "../formats/particles.ts";

/** More picks than this share outside the volume: the unit or the file is wrong. */
const MOST_OUTSIDE = 0.5;

const options = z.strictObject({
  path: z.string().min(1).meta({
    description: "Particle file of any format that `convert` reads; {id} in it stands for the tomogram's id",
    format: "path",
  }),
  format: z.enum(particleFormats.map(({ id }) => id) as [string, ...string[]]).optional().meta({
    description: "Format of the file; left out: by its content",
  }),
  unit: z.enum(["voxels", "angstrom"]).optional().meta({
    description:
      "What the coordinates count, whatever the file says; left out: as the format has it, in tables voxels. Voxels are those of the " +
      "tomogram as it was given, zero-based and at voxel centres; Angstrom is that times the voxel size",
  }),
  centre: z.enum(["half", "half-minus-one", "floor"]).optional().meta({
    description: "Index of the tomogram's centre, for centred coordinates: half is dims / 2; left out: as the format has it",
  }),
  firstVoxel: z.union([z.literal(0), z.literal(1)]).optional().meta({
    description: "Number of the first voxel in motive lists and Dynamo tables; left out: as the format has it",
  }),
  volume: z.string().default("raw").meta({ description: "Volume that the coordinates belong to" }),
});
type Options = z.infer<typeof options>;

/**
 * Reads picks from a particle file: shifts are added, centred coordinates and Angstrom are brought to voxels by the tomogram's own size and
 * voxel size. Particles of other tomograms are skipped (names are compared without folder and ending); a file that names none must be one a
 * tomogram. Every further column is carried along, classes as `label`. Without a score all picks have score 0. Points outside the volume are
 * dropped and counted.
 */
export default definePlugin({
  apiVersion: 1,
  name: "coordinates",
  kind: "picker",
  summary: "Picks from a particle file of any program",
  input: "tomogram",
  output: "picks",
  options,
  create(given, context) {
    const sets = new Map<string, Promise<ParticleSet>>();
    const told = new Set<string>();
    return {
      async apply(tomogram, signal) {
        const path = given.path.replaceAll("{id}", tomogram.id);
        let set = sets.get(path);
        if (!set) sets.set(path, set = readFile(path, given));
        const read = await set;
        signal.throwIfAborted();
        const { picks, assumed } = toPicks(read, tomogram, given, context);
        for (const text of assumed) {
          if (!told.has(text)) context.note("coordinates-read-as", text);
          told.add(text);
        }
        return picks;
      },
    };
  },
});

async function readFile(path: string, { format, unit, centre, firstVoxel }: Options): Promise<ParticleSet> {
  const said = unit && (unit === "voxels" ? "voxel" : "angstrom");
  const set = await readParticles(path, {
    ...(format === undefined ? {} : { from: format }),
    ...(said ? { unit: said } : {}),
    ...(centre ? { centre } : {}),
    ...(firstVoxel === undefined ? {} : { firstVoxel }),
  });
  return { ...set, ...(said ? { unit: said } : {}), ...(centre ? { centre } : {}) };
}

function toPicks(
  read: ParticleSet,
  tomogram: Tomogram,
  given: Options,
  context: PluginContext,
): { picks: Picks; assumed: readonly string[] } {
  const { path } = read, { shapeZyx, voxelSizeAngstrom } = namedVolume(tomogram, given.volume, context.stage);
  // The file is about the tomogram as it was given, which a stage may have resampled.
  const each = tomogram.sourceFrame?.voxelsEach ?? 1;
  if (read.unit === "angstrom" && !(voxelSizeAngstrom > 0)) {
    throw new InputError(
      path,
      `holds Angstrom, but the voxel size of tomogram "${tomogram.id}" is unknown: state source.options.voxelSizeAngstrom`,
    );
  }
  const own = takeParticles(read, rowsOf(read, tomogram, given));
  const shape = [shapeZyx[2], shapeZyx[1], shapeZyx[0]].map((n) => Math.round(n * each)) as unknown as Triple;
  const frame = { shapeXyz: shape, ...(voxelSizeAngstrom > 0 ? { voxelSizeAngstrom: voxelSizeAngstrom / each } : {}) };
  const placed = inFrame(own, { unit: "voxel", origin: "first-voxel" }, () => frame);
  const at = (i: number, axis: number) => placed.positionsXyz[3 * i + axis] / each;
  const all = Array.from({ length: placed.count }, (_, i) => i);
  const inside = all.filter((i) => [0, 1, 2].every((axis) => at(i, axis) >= -0.5 && at(i, axis) < shapeZyx[2 - axis] - 0.5));
  const outside = placed.count - inside.length;
  if (outside > MOST_OUTSIDE * placed.count) {
    const range = [0, 1, 2].map((axis) => {
      const values = all.map((i) => at(i, axis));
      return `${"xyz"[axis]} ${short(values.reduce((a, b) => Math.min(a, b), Infinity))} to ${
        short(values.reduce((a, b) => Math.max(a, b), -Infinity))
      }`;
    });
    throw new InputError(
      path,
      `${outside} of ${placed.count} picks lie outside tomogram "${tomogram.id}" of ${shapeZyx[2]} x ${shapeZyx[1]} x ${
        shapeZyx[0]
      } voxels ` +
        `(in voxels: ${range.join(", ")}): set "unit": "${
          read.unit === "voxel" ? "angstrom" : "voxels"
        }"? Or do they belong to another binning? ` +
        "`cli.ts compare FILE TOMOGRAM` says which",
    );
  }
  if (outside > 0) context.drop(outside, "pick lies outside the volume");
  const kept = takeParticles(placed, inside);
  return {
    picks: {
      tomogram,
      centresXyz: kept.positionsXyz.map((value) => value / each),
      score: kept.score ? Float32Array.from(kept.score) : new Float32Array(kept.count),
      ...(kept.eulerZyzDegrees ? { eulerZyzDegrees: kept.eulerZyzDegrees } : {}),
      columns: carriedColumns(kept),
    },
    assumed: placed.count > 0 ? placed.assumed.map((text) => `${basename(path)}: ${text}`) : [],
  };
}

/** Rows of the file that belong to the tomogram. */
function rowsOf(set: ParticleSet, tomogram: Tomogram, given: Options): number[] {
  const all = set.tomograms.map((_, i) => i), names = new Set(set.tomograms);
  if (given.path.includes("{id}") && names.size <= 1) return all;
  if (names.has("")) {
    throw new InputError(
      set.path,
      `does not say which tomogram a particle is in: add a column "tomogram", or use one file a tomogram and {id} in "path"`,
    );
  }
  return all.filter((i) => set.tomograms[i] === tomogram.id || tomogramStem(set.tomograms[i]) === tomogram.id);
}

/** Columns that have no meaning here, and the classes; numbers where every field is one. */
function carriedColumns(set: ParticleSet): Record<string, (string | number)[]> {
  const columns: Record<string, (string | number)[]> = {};
  const given = set.labels ? { label: set.labels, ...set.columns } : set.columns;
  for (const [name, fields] of Object.entries(given)) {
    columns[name] = fields.every((field) => field !== "" && String(Number(field)) === field) ? fields.map(Number) : [...fields];
  }
  return columns;
}

function short(value: number): number {
  return Number(value.toPrecision(4));
}
