/**
 * A finished run made up in memory: blobs in noise, for tests and for looking at the report.
 * @module
 */
import type { ClassVolume, PluginContext, RunView, Tomogram, TomogramRecord, Triple } from "../../../streams/contract.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { scoreRun } from "../../../streams/truth.ts";

/** What the made-up run is like. */
export interface FakeRun {
  readonly classes?: number;
  /** Ids of the tomograms; none for a stack of boxes. */
  readonly tomograms?: readonly string[];
  /** True labels, one a class. */
  readonly labels?: readonly string[];
  readonly particlesPerTomogram?: number;
  readonly shapeZyx?: Triple;
  readonly boxVoxels?: number;
  readonly truth?: boolean;
  readonly timings?: boolean;
  readonly tomogramsGone?: boolean;
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly events?: RunView["events"];
}

/** Blobs of class `c`: offsets in units of the radius, weight. */
function blobs(c: number): number[][] {
  const random = createRandom(11, "shape", c);
  return Array.from(
    { length: 3 + (c % 4) },
    () => [...Array.from({ length: 3 }, () => 0.55 * random.normal()), 0.6 + 0.6 * random.uniform()],
  );
}

function addParticle(
  voxels: Float32Array,
  shape: Triple,
  centre: readonly number[],
  c: number,
  radius: number,
  turn: number,
  height: number,
) {
  const [nz, ny, nx] = shape;
  for (const [bx, by, bz, weight] of blobs(c)) {
    const x0 = centre[0] + radius * (bx * Math.cos(turn) - by * Math.sin(turn));
    const y0 = centre[1] + radius * (bx * Math.sin(turn) + by * Math.cos(turn));
    const z0 = centre[2] + radius * bz, sigma = radius * 0.32, reach = Math.ceil(3 * sigma);
    for (let z = Math.max(0, Math.ceil(z0 - reach)); z <= Math.min(nz - 1, z0 + reach); z++) {
      for (let y = Math.max(0, Math.ceil(y0 - reach)); y <= Math.min(ny - 1, y0 + reach); y++) {
        for (let x = Math.max(0, Math.ceil(x0 - reach)); x <= Math.min(nx - 1, x0 + reach); x++) {
          const d = ((x - x0) ** 2 + (y - y0) ** 2 + (z - z0) ** 2) / (2 * sigma * sigma);
          voxels[(z * ny + y) * nx + x] += height * weight * Math.exp(-d);
        }
      }
    }
  }
}

function readBox(voxels: Float32Array, shape: Triple, corner: Triple, size: Triple): Float32Array {
  if (corner.some((at, i) => at < 0 || at + size[i] > shape[i])) throw new RangeError(`box at ${corner} of ${size} outside ${shape}`);
  const box = new Float32Array(size[0] * size[1] * size[2]);
  for (let z = 0, at = 0; z < size[0]; z++) {
    for (let y = 0; y < size[1]; y++, at += size[2]) {
      const from = ((corner[0] + z) * shape[1] + corner[1] + y) * shape[2] + corner[2];
      box.set(voxels.subarray(from, from + size[2]), at);
    }
  }
  return box;
}

/** Makes the run. Everything follows from the options. */
export function fakeRun(options: FakeRun = {}): RunView {
  const { classes = 5, tomograms = ["tomo_01", "tomo_02"], particlesPerTomogram = 160, shapeZyx = [60, 220, 240], boxVoxels = 20 } =
    options;
  const labels = options.labels ??
    Array.from({ length: classes }, (_, c) => ["ribosome", "proteasome", "GroEL", "ATP synthase", "spliceosome"][c] ?? `species ${c}`);
  const isStack = tomograms.length === 0;
  const voxelSizeAngstrom = 13.48;
  const random = createRandom(3, "fake run");
  const ids = isStack ? ["stack"] : tomograms;
  const [nz, ny, nx] = shapeZyx;
  const half = boxVoxels / 2;
  const volumes = ids.map(() => Float32Array.from({ length: nz * ny * nx }, () => random.normal()));
  const rows: number[] = [], centres: number[] = [], trueClass: number[] = [], given: number[] = [], score: number[] = [];
  const truthRows = ["tomogram,x,y,z,label"];
  ids.forEach((id, ordinal) => {
    const placed: number[][] = [];
    for (let attempt = 0; attempt < 20000 && placed.length < particlesPerTomogram; attempt++) {
      const centre = [nx, ny, nz].map((size) => half + Math.floor(random.uniform() * (size - boxVoxels)));
      if (placed.some((other) => Math.hypot(...other.map((value, i) => value - centre[i])) < boxVoxels * 0.7)) continue;
      placed.push(centre);
    }
    placed.forEach((centre, pick) => {
      const c = Math.min(classes - 1, Math.floor(classes * random.uniform() ** 1.4));
      addParticle(volumes[ordinal], shapeZyx, centre, c, boxVoxels * 0.3, 6.283 * random.uniform(), 2.4);
      const isFalse = random.uniform() < 0.08;
      rows.push(ordinal, pick);
      centres.push(...centre.map((value) => isStack ? NaN : value + 0.6 * random.normal()));
      trueClass.push(c);
      given.push(random.uniform() < 0.07 ? random.integer(classes) : c);
      score.push(5 + random.normal());
      if (!isFalse) truthRows.push(`"${id.replaceAll('"', '""')}",${centre.join()},"${labels[c].replaceAll('"', '""')}"`);
    });
  });
  const count = given.length;
  const dims = 16;
  const centresOfClasses = Float64Array.from({ length: classes * dims }, () => 3 * random.normal());
  const values = Float32Array.from(
    { length: count * dims },
    (_, i) => centresOfClasses[given[Math.floor(i / dims)] * dims + (i % dims)] + 1.4 * random.normal(),
  );
  const classIds = Int32Array.from(given, (c) => c);
  const geometry = { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: "unknown" } as const;
  const records: TomogramRecord[] = ids.map((id, ordinal) => ({
    id,
    ordinal,
    path: `/data/session/${id}.mrc`,
    shapeZyx: isStack ? [boxVoxels, boxVoxels, boxVoxels] : shapeZyx,
    voxelSizeAngstrom,
    boxVoxelSizeAngstrom: voxelSizeAngstrom,
    voxelsEach: 1,
    geometry,
    metadata: { contrast: "dark" },
    picks: rows.filter((row, i) => i % 2 === 0 && row === ordinal).length + 9,
    boxes: rows.filter((row, i) => i % 2 === 0 && row === ordinal).length,
  }));
  const cut = (index: number) =>
    readBox(
      volumes[rows[2 * index]],
      shapeZyx,
      isStack
        ? [0, 0, 0]
        : [2, 1, 0].map((c) =>
          Math.min([nx, ny, nz][c] - boxVoxels, Math.max(0, Math.round(centres[3 * index + c]) - half))
        ) as unknown as Triple,
      [boxVoxels, boxVoxels, boxVoxels],
    );
  const volume = (classId: number, name: string, noise: number): ClassVolume => {
    const voxels = Float32Array.from({ length: boxVoxels ** 3 }, () => noise * random.normal());
    addParticle(voxels, [boxVoxels, boxVoxels, boxVoxels], [half, half, half], classId, boxVoxels * 0.3, 0, 1);
    return { classId, name, shapeZyx: [boxVoxels, boxVoxels, boxVoxels], voxelSizeAngstrom, voxels };
  };
  const occupied = [...new Set(given)].sort((a, b) => a - b);
  const iterations = Array.from({ length: 9 }, (_, i) => ({
    iteration: i,
    k: Math.max(1, Math.min(classes, 2 + i)),
    ddbi: 1.4 - 0.11 * i + 0.05 * random.normal(),
    bic: 91000 - 2500 * i + 100 * random.normal(),
    loss: i === 0 ? null : 1.2 * 0.75 ** i + 0.02,
    labelChange: i === 0 ? null : 0.5 * 0.5 ** i,
    agreement: 1 - 0.4 * 0.7 ** i,
    seconds: options.timings === false ? null : 11.5,
  }));
  return {
    runDir: "/work/runs/demo",
    verb: "run",
    manifest: options.manifest ?? {
      version: 1,
      seed: 7,
      source: { use: "tomograms", options: { paths: ["/data/session/*.mrc"], contrast: "dark" } },
      stages: [
        { use: "dog", options: { volume: "raw", particleDiameterAngstrom: 180 } },
        { use: "boxes", options: { boxVoxels } },
      ],
      learn: {
        use: "disca",
        options: { recipe: "default", maxIterations: 20 },
        parts: { embed: { use: "yopo" }, cluster: { use: "gmm-bic" } },
      },
      sinks: [{ use: "report" }],
      run: { dir: "/work/runs/demo" },
      resolved: { tomosieve: "0.1.0", plugins: { dog: "tomosieve 0.1.0" } },
    },
    engine: {
      name: "onnx",
      device: "CPU, 2 threads",
      precision: "float32",
      reason: "oneDNN was not found (no libdnnl.so); onnx passed its self-test",
    },
    tomograms: records,
    openTomogram: (ordinal) => {
      if (isStack || options.tomogramsGone) return Promise.resolve(null);
      const tomogram: Tomogram = {
        id: ids[ordinal],
        ordinal,
        volumes: {
          raw: {
            shapeZyx,
            voxelSizeAngstrom,
            readBox: (corner, size) => Promise.resolve(readBox(volumes[ordinal], shapeZyx, corner, size)),
            readSlab: (z0, z1) => Promise.resolve(volumes[ordinal].slice(z0 * ny * nx, z1 * ny * nx)),
          },
        },
        geometry,
        metadata: { contrast: "dark" },
      };
      return Promise.resolve(tomogram);
    },
    particles: {
      count,
      rows: Int32Array.from(rows),
      centresXyz: Float64Array.from(centres),
      score: Float32Array.from(score),
      classIds,
      logLikelihood: Float64Array.from({ length: count }, () => -18 + 2 * random.normal()),
      novel: Uint8Array.from({ length: count }, () => random.uniform() < 0.02 ? 1 : 0),
      columns: {},
    },
    boxes: {
      count,
      boxVoxels,
      voxelSizeAngstrom,
      rows: Int32Array.from(rows),
      geometryOf: () => geometry,
      read: (indices) => {
        const out = new Float32Array(indices.length * boxVoxels ** 3);
        for (let i = 0; i < indices.length; i++) out.set(cut(indices[i]), i * boxVoxels ** 3);
        return Promise.resolve(out);
      },
    },
    features: { rows: Int32Array.from(rows), dims, values },
    iterations,
    criteria: [1, 2, 3, 4, 5, 6, 7, 8].map((k) => ({
      k,
      logLikelihood: -48000 + 2400 * Math.min(k, classes),
      bic: 97000 - 3000 * Math.min(k, classes) + 900 * k,
      bicFull: 97500 - 2900 * Math.min(k, classes) + 990 * k,
    })),
    keptIteration: 7,
    converged: true,
    classResults: {
      "classes[0] conv-decoder": {
        volumes: occupied.flatMap((
          c,
        ) => [volume(c, "decoded centre", 0.02), ...[1, 2, 3].map((m) => volume(c, `decoded member ${m}`, 0.05))]),
        tables: [],
      },
      "classes[1] average": {
        volumes: occupied.flatMap((c) => [volume(c, "average", 0.08), volume(c, "average half 1", 0.1)]),
        tables: [
          {
            name: "classes",
            columns: {
              classId: occupied,
              stability: occupied.map((c) => 0.99 - 0.03 * c),
              resolutionAngstrom: occupied.map((c) => 28 + 3 * c),
            },
          },
          {
            name: "FSC",
            columns: {
              "frequency (1/Å)": Array.from({ length: 10 }, (_, i) => (i + 1) / (boxVoxels * voxelSizeAngstrom)),
              ...Object.fromEntries(
                occupied.map((c) => [`class ${c}`, Array.from({ length: 10 }, (_, i) => 1 / (1 + Math.exp(1.2 * (i - 6 + 0.4 * c))))]),
              ),
            },
          },
        ],
      },
    },
    truth: options.truth === false || isStack ? null : scoreRun({
      truth: { path: "truth.csv", ...parse(truthRows) },
      particles: { count, rows: Int32Array.from(rows), centresXyz: Float64Array.from(centres), classIds },
      tomograms: records,
      distanceVoxels: 6.5,
    }),
    events: options.events ?? [
      {
        type: "note",
        stage: 'source "tomograms"',
        code: "contrast",
        message:
          "particles are dark in the files: every voxel is multiplied by -1 (99.9th percentile of the response 6.1 against 3.2 for the other sign)",
      },
      {
        type: "note",
        stage: 'stages[0] "dog"',
        code: "sigmas",
        message: "sigmas 2.1 and 4.2 voxels, derived from the particle diameter of 180 A",
      },
      {
        type: "note",
        stage: "truth",
        code: "distance",
        message: 'picks count as found within 6.68 voxels of a true centre: half the particle diameter of 180 A that "dog" was given',
      },
      {
        type: "warning",
        stage: 'source "tomograms"',
        code: "handedness-unknown",
        message: "the handedness of the tilt series is not stated: mirrored averages cannot be told apart",
      },
      { type: "drop", stage: 'stages[1] "boxes"', code: "edge", message: "box reaches over the edge of the tomogram", count: 18 },
    ],
    timings: options.timings === false ? {} : { "pick and extract": 18.4, learn: 103.2, "conv-decoder": 12.9, average: 41 },
  };
}

function parse(rows: readonly string[]) {
  const tomograms: string[] = [], labels: string[] = [], centres: number[] = [];
  for (const row of rows.slice(1)) {
    const [, tomogram, x, y, z, label] = /^"((?:[^"]|"")*)",([^,]*),([^,]*),([^,]*),"((?:[^"]|"")*)"$/.exec(row)!;
    tomograms.push(tomogram.replaceAll('""', '"'));
    labels.push(label.replaceAll('""', '"'));
    centres.push(Number(x), Number(y), Number(z));
  }
  return { labels, places: { tomograms, centresXyz: Float64Array.from(centres) } };
}

/** What the core lends a sink, with what it was told. */
export function fakeContext(): { context: PluginContext; warnings: string[] } {
  const warnings: string[] = [];
  const context: PluginContext = {
    stage: 'sinks[0] "report"',
    signal: new AbortController().signal,
    random: (...key) => createRandom(7, "report", ...key),
    pool: { size: 1, run: () => Promise.reject(new Error("a sink needs no pool")) },
    scratch: { volume: () => Promise.reject(new Error("a sink needs no scratch")) },
    progress: () => {},
    drop: () => {},
    warn: (code, message) => warnings.push(`${code}: ${message}`),
    note: () => {},
  };
  return { context, warnings };
}
