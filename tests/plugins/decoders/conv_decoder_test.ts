import assert from "node:assert/strict";
import decoder, { decoderSpec } from "../../../plugins/decoders/conv_decoder.ts";
import { inspectNetwork } from "../../../plugins/engines/shapes.ts";
import { prepareBoxes } from "../../../plugins/kernels/prepare.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import type { BoxStore, ClassInput } from "../../../streams/contract.ts";
import { createContext, openOnnx } from "../engines/context.ts";

const BOX = 12;
const SIZE = BOX ** 3;

/** A ball at one of two places; features say which, with a little noise. */
function twoClasses(count: number): { input: ClassInput; clean: Float32Array[] } {
  const { normal } = createRandom(2, "decoder");
  const clean = [3, 8].map((centre) => {
    const ball = new Float32Array(SIZE);
    for (let i = 0; i < SIZE; i++) {
      const [z, y, x] = [Math.floor(i / BOX ** 2), Math.floor(i / BOX) % BOX, i % BOX];
      ball[i] = Math.hypot(z - 5.5, y - 5.5, x - centre) < 2.5 ? 3 : 0;
    }
    return ball;
  });
  const classIds = Int32Array.from({ length: count }, (_, i) => i % 3 === 0 ? 7 : 4);
  const values = new Float32Array(count * 4);
  classIds.forEach((id, i) => values.set([id === 7 ? 5 : -5, normal(), 1000, normal() * 1e-3], i * 4));
  values.forEach((value, i) => values[i] = i % 4 === 2 ? value : value + 0.1 * normal());
  const voxels = new Float32Array(count * SIZE);
  classIds.forEach((id, i) => voxels.set(clean[id === 7 ? 1 : 0].map((value) => value + 0.5 * normal()), i * SIZE));
  const boxes: BoxStore = {
    count,
    boxVoxels: BOX,
    voxelSizeAngstrom: 10,
    rows: new Int32Array(2 * count),
    geometryOf: () => ({ tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: 1 }),
    read(indices) {
      const out = new Float32Array(indices.length * SIZE);
      Array.from(indices).forEach((index, i) => out.set(voxels.subarray(index * SIZE, (index + 1) * SIZE), i * SIZE));
      return Promise.resolve(out);
    },
  };
  const input: ClassInput = {
    boxes,
    features: { rows: new Int32Array(2 * count), dims: 4, values },
    classIds,
    classes: [4, 7],
    learnerState: { version: 1, values: {}, arrays: {} },
    signal: new AbortController().signal,
  };
  return { input, clean };
}

function correlation(a: Float32Array, b: Float32Array): number {
  const centre = (values: Float32Array) => values.map((value) => value - values.reduce((x, y) => x + y) / values.length);
  const [p, q] = [centre(a), centre(b)];
  const dot = (u: Float32Array, v: Float32Array) => u.reduce((sum, value, i) => sum + value * v[i], 0);
  return dot(p, q) / Math.sqrt(dot(p, p) * dot(q, q));
}

Deno.test("`conv-decoder` shows each class as it is, and says how well", async () => {
  await using engine = await openOnnx();
  const { input, clean } = twoClasses(30);
  const chosen = decoder.options.parse({ steps: 40, batch: 12, channels: 8, members: 2, learningRate: 5e-3 });
  const { volumes, tables } = await (await decoder.create(chosen, createContext({ engine }), {})).describe(input);
  assert.deepEqual(volumes.map(({ classId, name }) => `${classId} ${name}`), [
    "4 decoded centre",
    "4 decoded member 1",
    "4 decoded member 2",
    "7 decoded centre",
    "7 decoded member 1",
    "7 decoded member 2",
  ]);
  const prepared = clean.map((ball) => prepareBoxes(ball, 1, BOX, { lowPassVoxels: 1 }).voxels);
  for (const { classId, voxels, shapeZyx, voxelSizeAngstrom } of volumes) {
    const [right, wrong] = classId === 4 ? prepared : prepared.toReversed();
    assert.ok(correlation(voxels, right) > 0.9, `class ${classId}: ${correlation(voxels, right)}`);
    assert.ok(correlation(voxels, wrong) < 0.3);
    assert.deepEqual([shapeZyx, voxelSizeAngstrom], [[BOX, BOX, BOX], 10]);
  }
  const [training, classes] = tables;
  assert.equal(training.columns.step.at(-1), 40);
  assert.equal(training.columns.epoch.at(-1), 16);
  const losses = training.columns.loss as number[];
  assert.ok(losses.at(-1)! < 0.5 * losses[0], losses.join());
  assert.deepEqual(classes.columns.class, [4, 7]);
  assert.deepEqual(classes.columns.members, [20, 10]);
  assert.ok((classes.columns.memberCorrelation as number[]).every((value) => value > 0.6));
  assert.ok((classes.columns.centreCorrelation as number[]).every((value) => value > 0.9));
});

Deno.test("`conv-decoder` gives the same volumes for the same seed and stops when cancelled", async () => {
  await using engine = await openOnnx();
  const { input } = twoClasses(6);
  const chosen = decoder.options.parse({ steps: 3, batch: 4, channels: 2, members: 9 });
  const describe = async (changes: Partial<ClassInput> = {}) =>
    await (await decoder.create(chosen, createContext({ engine }), {})).describe({ ...input, ...changes });
  const [first, second] = [await describe(), await describe()];
  assert.deepEqual(first, second);
  // Class 7 has two members: no more can be shown.
  assert.equal(first.volumes.filter(({ classId }) => classId === 7).length, 3);
  await assert.rejects(describe({ signal: AbortSignal.abort() }), { name: "AbortError" });
});

Deno.test("`decoderSpec()` gives a box of the right size for every edge", () => {
  for (let box = 4; box <= 48; box++) {
    const { shapes, layers } = inspectNetwork(decoderSpec(16, box, 2));
    assert.deepEqual(shapes.get("volume"), [1, box, box, box]);
    const last = layers.get("volume")!;
    assert.ok(last.op === "conv3d" && last.kernel >= 1 && last.kernel <= 4);
  }
});
