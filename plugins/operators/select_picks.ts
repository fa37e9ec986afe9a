/**
 * Some of a tomogram's picks, and columns beside them.
 * @module
 */
import type { Picks } from "../../streams/contract.ts";

/** The picks at `indices`, in that order, with everything that they carry. */
export function selectPicks(picks: Picks, indices: ArrayLike<number>): Picks {
  const chosen = Array.from(indices);
  const triples = (values: Float64Array) => {
    const out = new Float64Array(3 * chosen.length);
    chosen.forEach((i, n) => out.set(values.subarray(3 * i, 3 * i + 3), 3 * n));
    return out;
  };
  return {
    tomogram: picks.tomogram,
    centresXyz: triples(picks.centresXyz),
    score: Float32Array.from(chosen, (i) => picks.score[i]),
    ...(picks.eulerZyzDegrees ? { eulerZyzDegrees: triples(picks.eulerZyzDegrees) } : {}),
    columns: Object.fromEntries(Object.entries(picks.columns).map(([name, values]) => [name, chosen.map((i) => values[i])])),
  };
}

/** The picks with one column more, or with new values in one that they have. */
export function withColumn(picks: Picks, name: string, values: readonly (string | number)[]): Picks {
  return { ...picks, columns: { ...picks.columns, [name]: values } };
}
