/**
 * What the class stages found, kept in the run folder so that every sink can be run again.
 * @module
 */
import type { ClassResult, ClassVolume, State, Table } from "./contract.ts";
import { exists, loadBundle, saveBundle } from "./bundle.ts";

type Results = Readonly<Record<string, ClassResult>>;

/** Saves the results of all class stages, by the stages' names. */
export function saveClassResults(path: string, results: Results): void {
  const arrays: Record<string, Float32Array> = {};
  const stages = Object.fromEntries(
    Object.entries(results).map(([stage, { volumes, tables }]) => [stage, {
      volumes: volumes.map(({ voxels, ...facts }, i) => {
        const array = `${stage}/${i}`;
        arrays[array] = voxels;
        return { ...facts, array };
      }),
      tables,
    }]),
  );
  const state: State = { version: 1, values: {}, arrays };
  saveBundle(path, { stages }, state);
}

/** Loads them; nothing was saved: no results. */
export function loadClassResults(path: string): Results {
  if (!exists(path)) return {};
  const { facts, state } = loadBundle(path);
  const stages = facts.stages as Record<string, { volumes: (Omit<ClassVolume, "voxels"> & { array: string })[]; tables: Table[] }>;
  return Object.fromEntries(
    Object.entries(stages).map(([stage, { volumes, tables }]) => [stage, {
      volumes: volumes.map(({ array, ...facts }) => ({ ...facts, voxels: state.arrays[array] as Float32Array })),
      tables,
    }]),
  );
}
