/**
 * The part of the suite for what comes after learning, and for engines.
 * @module
 */
import type { ClassStage, Engine, Sink } from "../contract.ts";
import type { Bench } from "./bench.ts";
import { digest } from "./digest.ts";
import { finiteFault, lengthFault } from "./payload_faults.ts";
import { sampleClassInput, sampleRunView } from "./sample.ts";

/** Float32 products of twelve terms. */
const MATMUL_TOLERANCE = 1e-4;

/** Checks what a decoder or aligner makes of two classes. */
export async function checkClassStage(bench: Bench): Promise<void> {
  const state = bench.sample.learnerState ?? { version: 1, values: {}, arrays: {} };
  await bench.withInstance(async (instance: ClassStage) => {
    const input = sampleClassInput(bench.box, state, new AbortController().signal);
    const before = await digest([input.features, input.classIds, input.classes]);
    const { volumes, tables } = await bench.within("describe", instance.describe(input));
    if (await digest([input.features, input.classIds, input.classes]) !== before) {
      bench.note("describe", "its input was changed; inputs are read-only");
    }
    const names = new Set<string>();
    for (const { classId, name, shapeZyx, voxels } of volumes) {
      const where = `volume "${name}" of class ${classId}`;
      bench.note(
        where,
        ...lengthFault("voxels", voxels, Float32Array, shapeZyx[0] * shapeZyx[1] * shapeZyx[2]),
        ...finiteFault("voxels", voxels),
      );
      if (!input.classes.includes(classId)) bench.note(where, `there is no such class: ${input.classes.join(", ")}`);
      if (names.has(`${classId} ${name}`)) bench.note(where, "stands there twice");
      names.add(`${classId} ${name}`);
    }
    for (const { name, columns } of tables) {
      const lengths = new Set(Object.values(columns).map((column) => column.length));
      if (lengths.size > 1) bench.note(`table "${name}"`, `columns have unlike lengths: ${[...lengths].join(", ")}`);
    }
  });
}

async function filesBelow(folder: string, prefix = ""): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) { for (const [name, bytes] of await filesBelow(path, `${prefix}${entry.name}/`)) files.set(name, bytes); }
    else files.set(prefix + entry.name, await Deno.readFile(path));
  }
  return files;
}

/** Checks that a sink writes files, the same files twice, nothing half-written, and no path of this machine. Needs to write to the temporary folder. */
export async function checkSink(bench: Bench): Promise<void> {
  const written: Map<string, Uint8Array>[] = [];
  for (let turn = 0; turn < 2; turn++) {
    const folder = await Deno.makeTempDir({ prefix: "tomosieve_check_" });
    try {
      await bench.withInstance(async (instance: Sink) => {
        const view = sampleRunView(folder, bench.box);
        const before = await digest([view.particles, view.features, view.classResults]);
        await bench.within("write", instance.write(view, folder));
        if (await digest([view.particles, view.features, view.classResults]) !== before) {
          bench.note("write", "the run view was changed; inputs are read-only");
        }
      });
      const files = await filesBelow(folder);
      written.push(files);
      if (turn > 0) continue;
      if (files.size === 0) bench.note("write", "wrote no file into its directory");
      for (const [name, bytes] of files) {
        if (/\.tmp\b|\.part$|~$/.test(name)) bench.note("write", `left "${name}" behind`);
        if (new TextDecoder("latin1").decode(bytes).includes(folder)) {
          bench.note(`file "${name}"`, "holds an absolute path of this machine");
        }
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
  const [first, second] = written;
  for (const [name, bytes] of first ?? []) {
    const other = second?.get(name);
    if (other === undefined || await digest(other) !== await digest(bytes)) {
      bench.note(`file "${name}"`, "differs when the same run is written again");
    }
  }
}

/** Checks an engine's matrix product against float64, and a small network against its definition. */
export async function checkEngine(bench: Bench): Promise<void> {
  await bench.withInstance(async (engine: Engine) => {
    const [m, k, n] = [5, 12, 7];
    const a = Float32Array.from({ length: m * k }, (_, i) => Math.sin(i + 1));
    const b = Float32Array.from({ length: k * n }, (_, i) => Math.cos(3 * i));
    const product = (x: Float32Array, y: Float32Array, transposeA: boolean, transposeB: boolean) =>
      Array.from({ length: m * n }, (_, at) => {
        const [row, column] = [Math.floor(at / n), at % n];
        let sum = 0;
        for (let j = 0; j < k; j++) sum += x[transposeA ? j * m + row : row * k + j] * y[transposeB ? column * k + j : j * n + column];
        return sum;
      });
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const where = `matmul${transposeA ? ", a transposed" : ""}${transposeB ? ", b transposed" : ""}`;
        const found = await bench.within("matmul", engine.matmul(a.slice(), b.slice(), { m, k, n }, { transposeA, transposeB }));
        const worst = Math.max(...product(a, b, transposeA, transposeB).map((value, i) => Math.abs(value - found[i])));
        if (!(worst <= MATMUL_TOLERANCE)) bench.note(where, `differs from float64 by ${worst}`);
      }
    }
    const spec = {
      layers: [
        { id: "in", op: "input", shape: [3] },
        { id: "out", op: "dense", from: "in", units: 2 },
      ],
      outputs: ["out"],
    } as const;
    const arrays = {
      "out.weight": { shape: [3, 2], values: Float32Array.of(1, 2, 3, 4, 5, 6) },
      "out.bias": { shape: [2], values: Float32Array.of(0.5, -0.5) },
    };
    const network = await bench.within("compile", engine.compile(spec, { step: 0, momentumProduct: 1, arrays }));
    const { out } = await bench.within("infer", network.infer({ in: Float32Array.of(1, 0, 0, 1, 1, 1) }, 2, ["out"]));
    const expected = [1.5, 1.5, 9.5, 11.5];
    if (expected.some((value, i) => Math.abs(value - out[i]) > MATMUL_TOLERANCE)) {
      bench.note("infer", `a dense layer gives ${[...out]}, expected ${expected}`);
    }
    const { arrays: kept } = await network.state();
    if (kept["out.weight"]?.values.join() !== "1,2,3,4,5,6") bench.note("state", "weights are not those that were compiled");
    await network[Symbol.asyncDispose]();
  });
}
