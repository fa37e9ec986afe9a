import assert from "node:assert/strict";
import type { Tomogram, Triple } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import onnxVolume from "../../../plugins/denoisers/onnx_volume.ts";
import { Graph } from "../../../plugins/engines/onnx/graph.ts";
import { layoutOf } from "../../../plugins/engines/onnx/foreign_layout.ts";
import { planTiles } from "../../../plugins/kernels/tiles.ts";
import { memoryContext, memoryTomogram, memoryVolume } from "../memory_context.ts";
import scipy from "../../fixtures/denoisers.json" with { type: "json" };

/** Of the largest result: float32 sums of 54 products. */
const TOLERANCE = 2e-6;

const shape = scipy.shapeZyx as unknown as Triple;
const tomogram = (sign = 1): Tomogram => ({
  ...memoryTomogram({ raw: memoryVolume(Float32Array.from(scipy.voxels, (value) => sign * value), shape) }),
  metadata: { contrast: sign < 0 ? "dark" : "bright" },
});

/** Two convolutions with a rectification between, as a network of another program would be exported. */
function network(channelsLast = false, fixed: Triple | null = null): Uint8Array {
  const graph = new Graph(), size = fixed ?? ["d", "h", "w"];
  graph.input("volume", channelsLast ? ["n", ...size, 1] : ["n", 1, ...size]);
  let tensor = channelsLast ? graph.node("Transpose", ["volume"], { perm: [0, 4, 1, 2, 3] }) : "volume";
  scipy.kernels.forEach((kernel, i) => {
    graph.constant(`kernel${i}`, [1, 1, 3, 3, 3], Float32Array.from(kernel));
    tensor = graph.node("Conv", [tensor, `kernel${i}`], { pads: [1, 1, 1, 1, 1, 1], kernel_shape: [3, 3, 3] });
    if (i === 0) tensor = graph.node("Relu", [tensor]);
  });
  if (channelsLast) tensor = graph.node("Transpose", [tensor], { perm: [0, 2, 3, 4, 1] });
  graph.output(graph.rename(tensor, "denoised"), channelsLast ? ["n", ...size, 1] : ["n", 1, ...size]);
  return graph.encode();
}

async function apply(model: Uint8Array | string, given: Record<string, unknown>, input = tomogram()) {
  const folder = await Deno.makeTempDir({ prefix: "tomosieve_onnx_" });
  try {
    const path = `${folder}/model.onnx`;
    await (typeof model === "string" ? Deno.writeTextFile(path, model) : Deno.writeFile(path, model));
    const context = memoryContext(), options = onnxVolume.options.parse({ model: path, ...given });
    assert.deepEqual(onnxVolume.check!(options), []);
    await using denoiser = await onnxVolume.create(options, context, {}) as AsyncDisposable & {
      apply(tomogram: Tomogram, signal: AbortSignal): Promise<Tomogram>;
    };
    const out = await denoiser.apply(input, context.signal);
    return { out, context, voxels: await out.volumes.denoised.readSlab(0, shape[0]) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function difference(voxels: Float32Array, sign = 1): number {
  const largest = Math.max(...scipy.network.map(Math.abs));
  return Math.max(...scipy.network.map((value, i) => Math.abs(voxels[3 * i] - sign * value))) / largest;
}

Deno.test("`onnx-volume` in one tile, in many, channels first or last, gives SciPy's convolutions of the whole volume", async () => {
  const small = { tileVoxels: 10, marginVoxels: 2, blendVoxels: 3 };
  const cases: [Uint8Array, Record<string, unknown>][] = [
    [network(), { tileVoxels: 64 }],
    [network(), small],
    [network(true), small],
    [network(false, [9, 8, 12]), { ...small, blendVoxels: 2 }],
  ];
  for (const [model, given] of cases) {
    const { voxels, out } = await apply(model, given);
    assert.ok(difference(voxels) < TOLERANCE, `${JSON.stringify(given)}: ${difference(voxels)}`);
    assert.equal(out.metadata["volume denoised"], "model.onnx on raw, particles bright to it");
  }
});

Deno.test("`onnx-volume` shows the network the contrast of the file, and hands out bright particles", async () => {
  const { voxels } = await apply(network(), { tileVoxels: 12, marginVoxels: 2, blendVoxels: 2 }, tomogram(-1));
  assert.ok(difference(voxels, -1) < TOLERANCE);
  const stated = await apply(network(), { tileVoxels: 64, mean: 20, deviation: 3 });
  assert.ok(difference(stated.voxels) > 100 * TOLERANCE, "stated mean and deviation change nothing");
});

Deno.test("`onnx-volume` applies a network of sections to each section", async () => {
  const graph = new Graph();
  graph.input("section", ["n", 1, "h", "w"]);
  const kernel = new Float32Array(9);
  kernel[3] = 1;
  graph.constant("shift", [1, 1, 3, 3], kernel);
  graph.output(graph.node("Conv", ["section", "shift"], { pads: [1, 1, 1, 1], kernel_shape: [3, 3] }, "moved"), ["n", 1, "h", "w"]);
  const { voxels } = await apply(graph.encode(), { tileVoxels: 8, marginVoxels: 1, blendVoxels: 2, normalise: "none" });
  const [, ny, nx] = shape;
  voxels.forEach((value, i) => {
    const x = i % nx, expected = scipy.voxels[x === 0 ? i : i - 1];
    assert.ok(Math.abs(value - expected) < 1e-4, `${value} at ${i} of ${ny} x ${nx}, expected ${expected}`);
  });
});

Deno.test("`onnx-volume` says what a model is that it cannot use", async () => {
  const says = (model: Uint8Array | string, message: RegExp, given: Record<string, unknown> = {}) =>
    assert.rejects(apply(model, given), (e: Error) => e instanceof InputError && message.test(e.message));
  await says("no model", /model\.onnx: is no ONNX model that ONNX Runtime can load/);
  const two = new Graph();
  two.input("a", [1]);
  two.input("b", [1]);
  two.output(two.node("Add", ["a", "b"], {}, "c"), [1]);
  await says(two.encode(), /takes 2 inputs \(a, b\), expected one/);
  const colour = new Graph();
  colour.input("rgb", [1, 3, 8, 8, 8]);
  colour.output(colour.rename("rgb", "out"), [1, 3, 8, 8, 8]);
  await says(colour.encode(), /its input "rgb" is float32 \[1, 3, 8, 8, 8\], expected one channel/);
  const half = new Graph();
  half.input("v", [1, 1, "d", "h", "w"]);
  half.output(half.node("MaxPool", ["v"], { kernel_shape: [2, 2, 2], strides: [2, 2, 2] }, "less"), [1, 1, "a", "b", "c"]);
  await says(half.encode(), /its output "less" is \[1, 1, 32, 32, 32\] for a tile of 64 x 64 x 64: expected the same size/);
  const root = new Graph();
  root.input("v", [1, 1, "d", "h", "w"]);
  root.output(root.node("Log", ["v"], {}, "log"), [1, 1, "d", "h", "w"]);
  await says(root.encode(), /gave NaN for the tile at x 0, y 0, z 0: is "normalise" as in its training\?/);
  await says(network(false, [4, 4, 4]), /tiles of 4 without 8 at both ends keep -12.*lower "marginVoxels"/);
  const faults = (given: Record<string, unknown>) => onnxVolume.check!(onnxVolume.options.parse({ model: "a.onnx", ...given })).length;
  assert.deepEqual([{}, { mean: 1 }, { tileVoxels: 16 }, { mean: 1, deviation: 2, normalise: "tile" }].map(faults), [0, 1, 1, 1]);
});

Deno.test("planTiles covers every sample with weights that add up to 1", () => {
  for (const [length, tile, margin, blend] of [[100, 20, 4, 5], [7, 20, 4, 5], [37, 12, 0, 6], [12, 12, 2, 0], [1, 8, 2, 2]]) {
    const sum = new Float64Array(length);
    for (const { keptFrom, weights } of planTiles(length, tile, margin, blend)) weights.forEach((weight, i) => sum[keptFrom + i] += weight);
    assert.ok(sum.every((value) => Math.abs(value - 1) < 1e-7), `${length} ${tile}: ${sum}`);
  }
  assert.throws(() => planTiles(50, 10, 2, 4), /keep 6: expected at least twice the 4/);
});

Deno.test("layoutOf takes the channel first where both ends could be one", () => {
  const axes = (shape: readonly (number | string)[]) => {
    const layout = layoutOf({ name: "x", type: "float32", shape });
    return typeof layout === "string" ? layout : `${layout.axes.join("")} ${layout.fixedZyx.join()}`;
  };
  assert.equal(axes(["n", 1, "d", "h", "w"]), "11000 ,,");
  assert.equal(axes(["n", "d", "h", "w", 1]), "10001 ,,");
  assert.equal(axes(["n", "c", "d", "h", "w"]), "11000 ,,");
  assert.equal(axes([1, 64, 64, 64, 1]), "10001 64,64,64");
  assert.equal(axes([16, 32, 48]), "000 16,32,48");
  assert.equal(axes([1, 1, 96, 96]), "1100 1,96,96");
  assert.match(axes([1]), /expected one channel/);
});
