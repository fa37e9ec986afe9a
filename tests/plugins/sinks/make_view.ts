/** A finished run made by hand, for tests of sinks. */
import type { BoxStore, Geometry, ParticleTable, RunView, TomogramRecord } from "../../../streams/contract.ts";

/** A record of a tomogram with what a test states of it. */
export function makeRecord(ordinal: number, id: string, changes: Partial<TomogramRecord> = {}): TomogramRecord {
  return {
    id,
    ordinal,
    path: `/somewhere/secret/${id}.mrc`,
    shapeZyx: [40, 50, 60],
    voxelSizeAngstrom: 10,
    boxVoxelSizeAngstrom: 10,
    voxelsEach: 1,
    geometry: { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: 1 },
    metadata: { contrast: "dark" },
    picks: 0,
    boxes: 0,
    ...changes,
  };
}

/** Particles and boxes of a view; arrays of `rows.length / 2` particles. */
export interface ViewContent {
  readonly tomograms: readonly TomogramRecord[];
  readonly boxVoxels: number;
  /** `[n, b, b, b]`. */
  readonly voxels: Float32Array;
  readonly particles: Pick<ParticleTable, "rows" | "centresXyz" | "classIds"> & Partial<ParticleTable>;
  readonly classResults?: RunView["classResults"];
  readonly truth?: RunView["truth"];
}

/** Boxes in memory. */
function memoryBoxes(content: ViewContent): BoxStore {
  const { rows } = content.particles, size = content.boxVoxels ** 3;
  const geometries = new Map<number, Geometry>(content.tomograms.map(({ ordinal, geometry }) => [ordinal, geometry]));
  return {
    count: rows.length / 2,
    boxVoxels: content.boxVoxels,
    voxelSizeAngstrom: content.tomograms[0]?.voxelSizeAngstrom ?? 0,
    rows,
    geometryOf: (i) => geometries.get(rows[2 * i])!,
    read(indices) {
      const out = new Float32Array(indices.length * size);
      for (let i = 0; i < indices.length; i++) out.set(content.voxels.subarray(indices[i] * size, (indices[i] + 1) * size), i * size);
      return Promise.resolve(out);
    },
  };
}

/** A view whose other parts are empty. */
export function makeView(content: ViewContent): RunView {
  const count = content.particles.rows.length / 2;
  return {
    runDir: "/somewhere/secret/run",
    verb: "run",
    manifest: {},
    engine: null,
    tomograms: content.tomograms,
    openTomogram: () => Promise.resolve(null),
    particles: {
      count,
      score: new Float32Array(count),
      logLikelihood: new Float64Array(count).fill(NaN),
      novel: new Uint8Array(count),
      columns: {},
      ...content.particles,
    },
    boxes: memoryBoxes(content),
    features: { rows: content.particles.rows, dims: 0, values: new Float32Array(0) },
    iterations: [],
    criteria: [],
    keptIteration: 0,
    converged: true,
    classResults: content.classResults ?? {},
    truth: content.truth ?? null,
    events: [],
    timings: {},
  };
}
