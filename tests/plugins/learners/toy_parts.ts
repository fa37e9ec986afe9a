/**
 * Small stand-ins for the parts of a learner: they learn a little, remember what they were given, and depend on every input.
 * @module
 */
import type {
  BoxStore,
  Clusterer,
  Clustering,
  Embedder,
  Features,
  Geometry,
  Refinement,
  Refiner,
  Scorer,
  State,
} from "../../../streams/contract.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { kmeans } from "../../../plugins/kernels/kmeans.ts";

/** Edge of a toy box. */
export const EDGE = 8;
const SIZE = EDGE ** 3;
const GEOMETRY: Geometry = { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: "unknown" };

/** Boxes in memory: class i % classes has its mass in shell i % classes; the store counts reads by box. */
export function toyStore(
  count: number,
  classes: number,
  noise = 0.3,
): BoxStore & { readonly truth: Int32Array; readonly reads: Int32Array } {
  const truth = Int32Array.from({ length: count }, (_, i) => i % classes), reads = new Int32Array(count);
  const radius = Float64Array.from({ length: SIZE }, (_, v) => {
    const [z, y, x] = [Math.floor(v / 64) - 4, (Math.floor(v / 8) % 8) - 4, (v % 8) - 4];
    return Math.hypot(x, y, z);
  });
  const box = (i: number) => {
    const random = createRandom(3, "toy box", i);
    return Float32Array.from(radius, (r) => Math.exp(-2 * (r - 1.1 * truth[i]) ** 2) * 3 + noise * random.normal());
  };
  return {
    count,
    boxVoxels: EDGE,
    voxelSizeAngstrom: 10,
    rows: Int32Array.from({ length: 2 * count }, (_, i) => i & 1 ? i >> 1 : 0),
    geometryOf: () => GEOMETRY,
    truth,
    reads,
    async read(indices) {
      await Promise.resolve();
      const out = new Float32Array(indices.length * SIZE);
      for (let i = 0; i < indices.length; i++) {
        reads[indices[i]]++;
        out.set(box(indices[i]), i * SIZE);
      }
      return out;
    },
  };
}

/** Mean of the voxels at each distance 0..3 from the centre: does not change when the box is turned, up to interpolation. */
function profile(voxels: Float32Array, at: number): Float64Array {
  const sums = new Float64Array(4), counts = new Float64Array(4);
  for (let v = 0; v < SIZE; v++) {
    const r = Math.round(Math.hypot(Math.floor(v / 64) - 4, (Math.floor(v / 8) % 8) - 4, (v % 8) - 4));
    if (r > 3) continue;
    sums[r] += voxels[at + v];
    counts[r]++;
  }
  return sums.map((sum, r) => sum / counts[r]);
}

/** One training step as the toy embedder saw it. */
export interface Step {
  readonly voxels: Float32Array;
  readonly targets: Float32Array;
  readonly count: number;
  readonly learningRate: number;
  readonly key: number;
}

/** An embedder of four gains, moved a little by whatever is trained on. */
export class ToyEmbedder implements Embedder {
  readonly dims = 4;
  readonly steps: Step[] = [];
  /** Classes of each head that was set, and the rows it was fitted to. */
  readonly heads: { k: number; rows: Int32Array; targets: Float32Array }[] = [];
  readonly calibrated: number[] = [];
  gains = Float64Array.of(1, 1.1, 0.9, 1.05);
  centre = new Float64Array(4);
  /** Called before each step. */
  onStep: () => void | Promise<void> = () => {};

  constructor(readonly trainable = true) {}

  embed(voxels: Float32Array, count: number): Promise<Float32Array> {
    const out = new Float32Array(4 * count);
    for (let i = 0; i < count; i++) {
      profile(voxels, i * SIZE).forEach((mean, r) => out[4 * i + r] = this.gains[r] * (mean - this.centre[r]));
    }
    return Promise.resolve(out);
  }
  setClasses(k: number, { rows }: Features, targets: Float32Array, key: number): Promise<void> {
    this.heads.push({ k, rows: rows.slice(), targets: targets.slice() });
    this.gains[0] *= 1 + 1e-4 * createRandom(key, "head").uniform();
    return Promise.resolve();
  }
  async trainBatch(voxels: Float32Array, targets: Float32Array, count: number, learningRate: number, key: number) {
    await this.onStep();
    this.steps.push({ voxels: voxels.slice(), targets: targets.slice(), count, learningRate, key });
    const noise = createRandom(key, "step").normal();
    const mass = voxels.reduce((sum, value, i) => sum + Math.abs(value) * (1 + i % 7), 0) / voxels.length;
    const certainty = targets.reduce((sum, value) => sum + value * value, 0) / count;
    this.gains = this.gains.map((gain, r) => gain * (1 + learningRate * (1e-2 * mass * certainty + 1e-2 * noise) * (r + 1)));
    return { loss: 1 / (1 + certainty + mass) };
  }
  calibrate(voxels: Float32Array, count: number, first: boolean): Promise<void> {
    if (first) this.calibrated.length = 0;
    for (let i = 0; i < count; i++) this.calibrated.push(voxels[i * SIZE]);
    this.centre = this.centre.map((_, r) => {
      let sum = first ? 0 : this.centre[r];
      for (let i = 0; i < count; i++) sum += 1e-3 * profile(voxels, i * SIZE)[r];
      return sum;
    });
    return Promise.resolve();
  }
  save(): Promise<State> {
    return Promise.resolve({ version: 1, values: {}, arrays: { gains: this.gains.slice(), centre: this.centre.slice() } });
  }
  load({ arrays }: State): Promise<void> {
    this.gains = (arrays.gains as Float64Array<ArrayBuffer>).slice();
    this.centre = (arrays.centre as Float64Array<ArrayBuffer>).slice();
    return Promise.resolve();
  }
}

/** k-means whose number of classes follows a script by the key of the fit; labels by the nearest centre. */
export class ToyClusterer implements Clusterer {
  /** Rows (pick ordinals) of each fit. */
  readonly fits: number[][] = [];
  #centres: Float64Array = new Float64Array();
  #k = 0;
  constructor(
    readonly script: (key: number) => number,
    readonly disturb: (key: number, label: number, row: number) => number = (_, l) => l,
  ) {}

  async fit(table: Features, _previous: Clustering | null, key: number): Promise<Clustering> {
    this.fits.push(Array.from(table.rows).filter((_, i) => i & 1));
    this.#k = this.script(key);
    const values = Float64Array.from(table.values);
    this.#centres = kmeans(values, table.dims, this.#k, createRandom(key, "toy clusterer"), { restarts: 3 }).centres;
    this.#key = key;
    const { labels } = await this.predict(table);
    return { k: this.#k, labels, classIds: Int32Array.from({ length: this.#k }, (_, c) => c), criteria: [{ k: this.#k }], bic: key };
  }
  #key = 0;
  predict({ rows, values, dims }: Features) {
    const count = rows.length / 2;
    const labels = new Int32Array(count), logLikelihood = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      let least = Infinity;
      for (let c = 0; c < this.#k; c++) {
        let distance = 0;
        for (let j = 0; j < dims; j++) distance += (values[i * dims + j] - this.#centres[c * dims + j]) ** 2;
        if (distance < least) [least, labels[i]] = [distance, c];
      }
      logLikelihood[i] = -least;
      labels[i] = this.disturb(this.#key, labels[i], rows[2 * i + 1]);
    }
    return Promise.resolve({ labels, logLikelihood });
  }
  save(): Promise<State> {
    return Promise.resolve({ version: 1, values: { k: this.#k, key: this.#key }, arrays: { centres: this.#centres.slice() } });
  }
  load({ values, arrays }: State): Promise<void> {
    this.#k = values.k as number;
    this.#key = values.key as number;
    this.#centres = (arrays.centres as Float64Array<ArrayBuffer>).slice();
    return Promise.resolve();
  }
}

/** A scorer that reads its scores from a list, one a call. */
export function scriptedScorer(scores: readonly number[], better: "lower" | "higher" = "lower"): Scorer & { calls: number } {
  return {
    better,
    calls: 0,
    score() {
      return scores[this.calls++ % scores.length];
    },
  };
}

/** A refiner that knows the truth of a toy store: the class of a box is the shell that holds most of it. */
export class ToyRefiner implements Refiner {
  readonly subsets: Int32Array[] = [];
  /** What it says of its own labels. */
  trusted = true;
  #k = 0;
  constructor(readonly k: number) {}

  async refine(boxes: BoxStore, subset: Int32Array): Promise<Refinement> {
    this.subsets.push(subset.slice());
    this.#k = this.k;
    const posterior = await this.predict(await boxes.read(subset), subset.length);
    const labels = Int32Array.from(subset, (_, i) => {
      const row = posterior.subarray(i * this.k, (i + 1) * this.k);
      return row.indexOf(Math.max(...row));
    });
    return {
      k: this.k,
      labels,
      posterior,
      averages: new Float32Array(this.k * SIZE),
      eulerZyzDegrees: new Float64Array(3 * subset.length),
      shiftsXyz: new Float64Array(3 * subset.length),
      trace: [{ round: 1, note: "toy" }],
      trusted: this.trusted,
      figures: { refineConfidence: 1 },
    };
  }
  predict(voxels: Float32Array, count: number): Promise<Float32Array> {
    const posterior = new Float32Array(count * this.#k);
    for (let i = 0; i < count; i++) {
      const means = Array.from(profile(voxels, i * SIZE)).slice(0, this.#k).map((mean) => Math.exp(mean));
      const sum = means.reduce((a, b) => a + b, 0);
      means.forEach((mean, c) => posterior[i * this.#k + c] = mean / sum);
    }
    return Promise.resolve(posterior);
  }
  save(): Promise<State> {
    return Promise.resolve({ version: 1, values: { k: this.#k }, arrays: {} });
  }
  load({ values }: State): Promise<void> {
    this.#k = values.k as number;
    return Promise.resolve();
  }
}
