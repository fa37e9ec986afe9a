/**
 * What a refinement leaves behind: references to label other boxes by, and the poses of those it aligned.
 * @module
 */
import type { State } from "../../../streams/contract.ts";
import { RunError } from "../../../streams/errors.ts";
import { paddedSide } from "../../kernels/alignment/volume.ts";
import type { ClassJudgement } from "./judge.ts";
import type { References } from "./session.ts";

/** Frozen outcome of a refinement. */
export interface Model extends References {
  readonly boxVoxels: number;
  /** Seed of the grid of rotations. */
  readonly seed: number;
  /** `[shells]` variance of a noise coefficient. */
  readonly noise: Float64Array;
  /** `[n]` indices of the aligned boxes in the store. */
  readonly subset: Int32Array;
  /** `[n]` slots. */
  readonly labels: Int32Array;
  /** `[n, 3]` rot, tilt, psi. */
  readonly eulerZyzDegrees: Float64Array;
  /** `[n, 3]` x, y, z, voxels. */
  readonly shiftsXyz: Float64Array;
  /** `[k, b, b, b]`. */
  readonly averages: Float32Array;
  readonly judgement: ClassJudgement;
}

const VERSION = 2;
/** Figures of classes among the arrays. */
const JUDGED = "judged ";

/** State of a model, or of having none. */
export function modelToState(model: Model | null): State {
  if (!model) return { version: VERSION, values: { fitted: false }, arrays: {} };
  const { boxVoxels, kMax, seed } = model, size = 2 * paddedSide(kMax) ** 3;
  const volumes = new Float32Array(model.volumes.length * size);
  model.volumes.forEach((volume, k) => volumes.set(volume, k * size));
  return {
    version: VERSION,
    values: { fitted: true, k: model.volumes.length, boxVoxels, kMax, seed },
    arrays: {
      volumes,
      weights: model.weights,
      noise: model.noise,
      subset: model.subset,
      labels: model.labels,
      eulerZyzDegrees: model.eulerZyzDegrees,
      shiftsXyz: model.shiftsXyz,
      averages: model.averages,
      ...Object.fromEntries(Object.entries(model.judgement).map(([name, values]) => [JUDGED + name, values])),
    },
  };
}

/**
 * The model of a saved state, null when none was fitted.
 * @throws {RunError} When another version wrote it.
 */
export function modelFromState(stage: string, state: State): Model | null {
  if (state.version !== VERSION) {
    throw new RunError(`${stage}: the saved state has version ${state.version}, this program reads ${VERSION}: refine again`);
  }
  const { values, arrays } = state;
  if (!values.fitted) return null;
  const kMax = values.kMax as number, k = values.k as number, size = 2 * paddedSide(kMax) ** 3;
  const volumes = arrays.volumes as Float32Array;
  return {
    kMax,
    boxVoxels: values.boxVoxels as number,
    seed: values.seed as number,
    volumes: Array.from({ length: k }, (_, j) => volumes.slice(j * size, (j + 1) * size)),
    weights: arrays.weights as Float64Array,
    noise: arrays.noise as Float64Array,
    subset: arrays.subset as Int32Array,
    labels: arrays.labels as Int32Array,
    eulerZyzDegrees: arrays.eulerZyzDegrees as Float64Array,
    shiftsXyz: arrays.shiftsXyz as Float64Array,
    averages: arrays.averages as Float32Array,
    judgement: Object.fromEntries(
      Object.entries(arrays).filter(([name]) => name.startsWith(JUDGED)).map(([name, values]) => [name.slice(JUDGED.length), values]),
    ) as unknown as ClassJudgement,
  };
}
