/**
 * Made-up inputs for the conformance suite: small, deterministic, and unlike zero.
 * @module
 */
import { createRandom } from "../../plugins/kernels/random.ts";
import type {
  BoxStore,
  ClassInput,
  Clustering,
  Features,
  Geometry,
  Picks,
  PluginContext,
  Pool,
  RunView,
  Scratch,
  State,
  Subtomograms,
  Tomogram,
  Triple,
  Volume,
  WriteSlab,
} from "../contract.ts";
import type { Engine } from "../../plugins/engines/network.ts";

const SHAPE_ZYX: Triple = [28, 32, 36];
const VOXEL_SIZE_ANGSTROM = 10;
const geometry: Geometry = { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: "unknown" };

/** A volume in memory. Its reads are copies: what a plugin does to them reaches nobody else. */
export function memoryVolume(voxels: Float32Array, shapeZyx: Triple, voxelSizeAngstrom: number): Volume {
  const [nz, ny, nx] = shapeZyx;
  return {
    shapeZyx,
    voxelSizeAngstrom,
    readBox([z0, y0, x0], [sz, sy, sx]) {
      if (z0 < 0 || y0 < 0 || x0 < 0 || z0 + sz > nz || y0 + sy > ny || x0 + sx > nx) {
        return Promise.reject(
          new RangeError(`box at [${z0}, ${y0}, ${x0}] of [${sz}, ${sy}, ${sx}] leaves the volume [${shapeZyx.join(", ")}]`),
        );
      }
      const box = new Float32Array(sz * sy * sx);
      for (let z = 0; z < sz; z++) {
        for (let y = 0; y < sy; y++) {
          const from = ((z0 + z) * ny + y0 + y) * nx + x0;
          box.set(voxels.subarray(from, from + sx), (z * sy + y) * sx);
        }
      }
      return Promise.resolve(box);
    },
    readSlab: (z0, z1) => Promise.resolve(voxels.slice(z0 * ny * nx, z1 * ny * nx)),
  };
}

/** Adds a bright ball with a soft edge. */
function addBall(voxels: Float32Array, [nz, ny, nx]: Triple, [cx, cy, cz]: Triple, radius: number, height: number): void {
  for (let z = 0; z < nz; z++) {
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++) {
        const r2 = (x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2;
        voxels[(z * ny + y) * nx + x] += height * Math.exp(-r2 / (2 * radius ** 2));
      }
    }
  }
}

const centres: readonly Triple[] = [[9, 9, 9], [27, 10, 12], [11, 24, 18], [26, 23, 17]];

/** Three tomograms: two of noise with four bright balls, and a constant one, in which there is nothing to find. */
export function sampleTomograms(): Tomogram[] {
  return [0, 1, 2].map((ordinal) => {
    const [nz, ny, nx] = SHAPE_ZYX;
    const random = createRandom(ordinal, "sample tomogram");
    const voxels = Float32Array.from({ length: nz * ny * nx }, () => ordinal === 2 ? 0 : 0.5 * random.normal());
    if (ordinal < 2) { for (const centre of centres) addBall(voxels, SHAPE_ZYX, centre, 2.2, 6); }
    const id = `sample_${ordinal}`;
    return {
      id,
      ordinal,
      volumes: { raw: memoryVolume(voxels, SHAPE_ZYX, VOXEL_SIZE_ANGSTROM) },
      geometry,
      metadata: { path: `${id}.mrc`, contrast: "bright" },
    };
  });
}

/** Four, no and one pick in the three tomograms. */
export function samplePicks(): Picks[] {
  const counts = [4, 0, 1];
  return sampleTomograms().map((tomogram, index) => {
    const chosen = centres.slice(0, counts[index]);
    return {
      tomogram,
      centresXyz: Float64Array.from(chosen.flat()),
      score: Float32Array.from(chosen, (_, i) => 10 - i),
      columns: { note: chosen.map((_, i) => `pick ${i}`) },
    };
  });
}

/** `count` boxes in two kinds, a ball and a bar, turned at random; zero mean and unit deviation. */
export function sampleBoxes(count: number, box: number, key: string): Float32Array {
  const out = new Float32Array(count * box ** 3);
  for (let i = 0; i < count; i++) {
    const random = createRandom(i, key);
    const one = Float32Array.from({ length: box ** 3 }, () => 0.3 * random.normal());
    const middle = (box - 1) / 2;
    const ends = i % 2 === 0 ? [0] : [-0.25 * box, 0, 0.25 * box];
    const axis = i % 6 < 2 ? 0 : i % 6 < 4 ? 1 : 2;
    for (const end of ends) {
      const at = [middle, middle, middle];
      at[axis] += end;
      addBall(one, [box, box, box], at as unknown as Triple, box / 8, 3);
    }
    const mean = one.reduce((sum, value) => sum + value, 0) / one.length;
    const deviation = Math.sqrt(one.reduce((sum, value) => sum + (value - mean) ** 2, 0) / one.length);
    out.set(one.map((value) => (value - mean) / deviation), i * box ** 3);
  }
  return out;
}

/** `[count, 2]` rows of one tomogram. */
export function sampleRows(count: number): Int32Array {
  return Int32Array.from({ length: 2 * count }, (_, i) => i % 2 === 0 ? 0 : i >> 1);
}

/** Batches of five, no and one box. */
export function sampleSubtomograms(box: number): Subtomograms[] {
  const tomograms = sampleTomograms();
  return [5, 0, 1].map((count, index) => {
    const rows = sampleRows(count);
    for (let i = 0; i < count; i++) rows[2 * i] = index;
    return { tomogram: tomograms[index], rows, boxVoxels: box, voxels: sampleBoxes(count, box, `batch ${index}`) };
  });
}

/** `count` boxes as a store. */
export function sampleStore(count: number, box: number): BoxStore {
  const voxels = sampleBoxes(count, box, "store");
  return {
    count,
    boxVoxels: box,
    voxelSizeAngstrom: VOXEL_SIZE_ANGSTROM,
    rows: sampleRows(count),
    geometryOf: () => geometry,
    read(indices) {
      const out = new Float32Array(indices.length * box ** 3);
      for (let i = 0; i < indices.length; i++) out.set(voxels.subarray(indices[i] * box ** 3, (indices[i] + 1) * box ** 3), i * box ** 3);
      return Promise.resolve(out);
    },
  };
}

/** Three round clouds, well apart, in the order 0 1 2 0 1 2 ...: which cloud row i is in is `i % 3`. */
export function sampleFeatures(count: number, dims: number): Features {
  const random = createRandom(1, "sample features");
  const values = Float32Array.from({ length: count * dims }, (_, i) => {
    const cloud = Math.floor(i / dims) % 3;
    return random.normal() + (i % dims === cloud ? 20 : 0);
  });
  return { rows: sampleRows(count), dims, values };
}

/** A clustering of `count` rows by `i % k`, whose classes have the names 10, 11, 12 ... */
export function sampleClustering(count: number, k: number): Clustering {
  return {
    k,
    labels: Int32Array.from({ length: count }, (_, i) => i % k),
    classIds: Int32Array.from({ length: k }, (_, i) => 10 + i),
    criteria: [],
  };
}

/** Two finished classes. */
export function sampleClassInput(box: number, learnerState: State, signal: AbortSignal): ClassInput {
  const boxes = sampleStore(12, box);
  return {
    boxes,
    features: sampleFeatures(12, 16),
    classIds: Int32Array.from({ length: 12 }, (_, i) => 10 + i % 2),
    classes: [10, 11],
    learnerState,
    signal,
  };
}

/** A finished run of one tomogram, two classes and twelve particles. */
export function sampleRunView(runDir: string, box: number): RunView {
  const [tomogram] = sampleTomograms();
  const boxes = sampleStore(12, box);
  const random = createRandom(2, "sample run");
  return {
    runDir,
    verb: "run",
    manifest: { version: 1, seed: 1 },
    engine: { name: "sample", device: "cpu", precision: "float32", reason: "made up" },
    tomograms: [{
      id: tomogram.id,
      ordinal: 0,
      path: null,
      shapeZyx: SHAPE_ZYX,
      voxelSizeAngstrom: VOXEL_SIZE_ANGSTROM,
      boxVoxelSizeAngstrom: VOXEL_SIZE_ANGSTROM,
      voxelsEach: 1,
      geometry,
      metadata: tomogram.metadata,
      picks: 13,
      boxes: 12,
    }],
    openTomogram: (ordinal) => Promise.resolve(ordinal === 0 ? tomogram : null),
    particles: {
      count: 12,
      rows: boxes.rows,
      centresXyz: Float64Array.from({ length: 36 }, () => 8 + Math.floor(random.uniform() * 12)),
      score: Float32Array.from({ length: 12 }, (_, i) => 12 - i),
      classIds: Int32Array.from({ length: 12 }, (_, i) => 10 + i % 2),
      logLikelihood: Float64Array.from({ length: 12 }, (_, i) => -i),
      novel: Uint8Array.from({ length: 12 }, (_, i) => i === 11 ? 1 : 0),
      columns: {},
    },
    boxes,
    features: sampleFeatures(12, 16),
    iterations: [{ index: 0, ddbi: 0.8, bic: 120, k: 2, loss: null, labelChange: null }, {
      index: 1,
      ddbi: 0.5,
      bic: 100,
      k: 2,
      loss: 0.4,
      labelChange: 0,
    }],
    criteria: [{ k: 1, bic: 150 }, { k: 2, bic: 100 }],
    keptIteration: 1,
    converged: true,
    classResults: {
      average: {
        volumes: [10, 11].map((classId, i) => ({
          classId,
          name: "average",
          shapeZyx: [box, box, box] as const,
          voxelSizeAngstrom: VOXEL_SIZE_ANGSTROM,
          voxels: sampleBoxes(2, box, "average").slice(i * box ** 3, (i + 1) * box ** 3),
        })),
        tables: [{ name: "sizes", columns: { class: [10, 11], members: [6, 6] } }],
      },
    },
    truth: null,
    events: [{ type: "drop", stage: 'stages[1] "boxes"', code: "drop", message: "over the edge", count: 1 }],
    timings: { learn: 1.5 },
  };
}

/** What a plugin under test asked its context for. */
export interface ContextRecord {
  readonly context: PluginContext;
  readonly warnings: string[];
}

/** A context that lends everything and starts nothing: the pool calls in this thread, scratch is memory. */
export function sampleContext(stage: string, engine: Engine | undefined, signal: AbortSignal): ContextRecord {
  const warnings: string[] = [];
  const pool: Pool = {
    size: 1,
    run: async (module, exportName, args) => (await import(module))[exportName](...args),
  };
  const kept = new Map<string, Promise<Volume>>();
  const scratch: Scratch = {
    volume(key, shapeZyx, voxelSizeAngstrom, fill) {
      const collect = async (shape: Triple, size: number, write: (writeSlab: WriteSlab) => Promise<void>) => {
        const voxels = new Float32Array(shape[0] * shape[1] * shape[2]);
        let at = 0;
        await write((sections) => {
          voxels.set(sections, at);
          at += sections.length;
          return Promise.resolve();
        });
        if (at !== voxels.length) throw new RangeError(`scratch volume "${key}": ${at} voxels were written, expected ${voxels.length}`);
        return memoryVolume(voxels, shape, size);
      };
      const make = () =>
        collect(shapeZyx, voxelSizeAngstrom, (writeSlab) => fill(writeSlab, (shape, fillWorking) => collect(shape, 0, fillWorking)));
      if (!kept.has(key)) kept.set(key, make());
      return kept.get(key) as Promise<Volume>;
    },
  };
  const context: PluginContext = {
    stage,
    signal,
    random: (...key) => createRandom(1, stage, ...key),
    engine,
    pool,
    scratch,
    progress: () => {},
    drop: () => {},
    warn: (code, message) => void warnings.push(`${code}: ${message}`),
    note: () => {},
  };
  return { context, warnings };
}
