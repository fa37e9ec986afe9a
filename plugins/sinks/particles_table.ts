/**
 * All particles of a run as one table: `particles.csv` and `particles.parquet`.
 * @module
 */
import { z } from "zod";
import { definePlugin, type RunView } from "../../streams/contract.ts";
import { writeFileAtomic } from "../formats/atomic.ts";
import { formatCsv } from "../formats/csv.ts";
import { encodeParquet, type ParquetColumn } from "../formats/parquet.ts";

const options = z.strictObject({
  formats: z.array(z.enum(["csv", "parquet"])).min(1).default(["csv", "parquet"]).meta({ description: "Files to write" }),
});

/**
 * Writes one row a particle, in row order: tomogram, pick (its ordinal there), x, y, z in voxels from 0 at voxel centres of the tomogram as it was given, the same in
 * Angstrom (index times voxel size), score, rot, tilt, psi where known, class, logLikelihood, novel, true label where known, and what the
 * picker carried along. Unknown numbers are empty in CSV and NaN in Parquet.
 */
export default definePlugin({
  apiVersion: 1,
  name: "particles-table",
  kind: "sink",
  summary: "All particles as CSV and Parquet",
  options,
  create: ({ formats }) => ({
    async write(view, directory) {
      const columns = columnsOf(view);
      if (formats.includes("csv")) await writeFileAtomic(`${directory}/particles.csv`, formatCsv(columns));
      if (formats.includes("parquet")) await writeFileAtomic(`${directory}/particles.parquet`, encodeParquet(columns));
    },
  }),
});

function columnsOf({ particles, tomograms, truth }: RunView): Record<string, ParquetColumn> {
  const { count, rows } = particles;
  const byOrdinal = new Map(tomograms.map((tomogram) => [tomogram.ordinal, tomogram]));
  const each = <T>(value: (i: number) => T) => Array.from({ length: count }, (_, i) => value(i));
  const doubles = (value: (i: number) => number) => Float64Array.from(each(value));
  const columns: Record<string, ParquetColumn> = {
    tomogram: each((i) => byOrdinal.get(rows[2 * i])?.id ?? ""),
    pick: Int32Array.from(each((i) => rows[2 * i + 1])),
  };
  const axes = ["x", "y", "z"] as const;
  axes.forEach((axis, k) => columns[axis] = doubles((i) => particles.centresXyz[3 * i + k]));
  axes.forEach((axis, k) => {
    columns[`${axis}Angstrom`] = doubles((i) => particles.centresXyz[3 * i + k] * (byOrdinal.get(rows[2 * i])?.voxelSizeAngstrom ?? NaN));
  });
  columns.score = particles.score;
  const angles = particles.eulerZyzDegrees;
  if (angles) ["rot", "tilt", "psi"].forEach((name, k) => columns[name] = doubles((i) => angles[3 * i + k]));
  columns.class = particles.classIds;
  columns.logLikelihood = particles.logLikelihood;
  columns.novel = particles.novel;
  if (truth) columns.trueLabel = truth.labels.map((label) => label ?? "");
  for (const [name, values] of Object.entries(particles.columns)) {
    columns[name in columns ? `picked_${name}` : name] = values.every((value) => typeof value === "number")
      ? Float64Array.from(values as readonly number[])
      : values.map(String);
  }
  return columns;
}
