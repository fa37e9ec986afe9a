import assert from "node:assert/strict";
import { nadamStep } from "../../../plugins/engines/nadam.ts";
import { inspectNetwork, trainableLayers } from "../../../plugins/engines/shapes.ts";
import type { Layer, NetworkSpec } from "../../../plugins/engines/network.ts";

const input: Layer = { id: "x", op: "input", shape: [2, 6, 6, 6] };
const spec = (...layers: Layer[]): NetworkSpec => ({ layers: [input, ...layers], outputs: [] });
const conv = { id: "c", op: "conv3d", from: "x", channels: 4, kernel: 3, padding: "valid" } as const;

Deno.test("`inspectNetwork()` gives every layer's shape and every parameter's name, role and shape", () => {
  const { shapes, parameters, feeds, noises } = inspectNetwork(spec(
    { id: "noisy", op: "gaussianDropout", from: "x", noise: "n" },
    { ...conv, from: "noisy" },
    { id: "same", op: "conv3d", from: "x", channels: 3, kernel: 5, padding: "same" },
    { id: "b", op: "batchNorm", from: "c", momentum: 0.9, epsilon: 1e-3 },
    { id: "p", op: "globalMaxPool", from: "b" },
    { id: "up", op: "upsample3d", from: "b", factor: 2 },
    { id: "flat", op: "reshape", from: "b", shape: [256] },
    { id: "all", op: "concat", from: ["p", "flat"] },
    { id: "d", op: "dense", from: "all", units: 5 },
  ));
  assert.deepEqual(Object.fromEntries(shapes), {
    x: [2, 6, 6, 6],
    noisy: [2, 6, 6, 6],
    c: [4, 4, 4, 4],
    same: [3, 6, 6, 6],
    b: [4, 4, 4, 4],
    p: [4],
    up: [4, 8, 8, 8],
    flat: [256],
    all: [260],
    d: [5],
  });
  assert.deepEqual(parameters.map(({ name, shape }) => `${name} ${shape}`), [
    "c.weight 4,2,3,3,3",
    "c.bias 4",
    "same.weight 3,2,5,5,5",
    "same.bias 3",
    "b.gamma 4",
    "b.beta 4",
    "b.mean 4",
    "b.variance 4",
    "d.weight 260,5",
    "d.bias 5",
  ]);
  assert.deepEqual([[...feeds.keys()], [...noises]], [["x", "n"], ["n"]]);
});

const faults: [string, NetworkSpec, RegExp][] = [
  ["an id given twice", spec(conv, conv), /layer "c": the id stands twice/],
  ["an unknown input", spec({ ...conv, from: "y" }), /layer "c" reads "y", which no earlier layer is called/],
  [
    "a kernel larger than the volume",
    spec({ ...conv, kernel: 7 }),
    /layer "c" \(conv3d\) needs more than 6 voxels along every axis, it is given \[2, 6, 6, 6\]/,
  ],
  ["an even padded kernel", spec({ ...conv, kernel: 2, padding: "same" }), /odd kernel for padding "same" \(kernel is 2\)/],
  ["no channels", spec({ ...conv, channels: 0 }), /channels is 0, it must be a whole number from 1/],
  [
    "a dense layer on a volume",
    spec({ id: "d", op: "dense", from: "x", units: 2 }),
    /layer "d" \(dense\) needs \[in\], it is given \[2, 6, 6, 6\]/,
  ],
  ["a reshape of another size", spec({ id: "r", op: "reshape", from: "x", shape: [7] }), /needs 7 numbers for \[7\]/],
  ["a join of unlike volumes", spec(conv, { id: "j", op: "concat", from: ["x", "c"] }), /needs shapes that differ in channels only/],
  ["an unknown output", { ...spec(conv), outputs: ["z"] }, /outputs name "z", which is no layer: x, c/],
  [
    "a loss on a volume",
    { ...spec(conv), loss: { kind: "softmaxCrossEntropy", prediction: "c" } },
    /needs a prediction \[units\], "c" gives/,
  ],
];

Deno.test.each(faults)("`inspectNetwork()` refuses %s", (_title, faulty, message) => {
  assert.throws(() => inspectNetwork(faulty), { name: "ShapeError", message });
});

Deno.test("`trainableLayers()` are all that own parameters, or those named", () => {
  const network = inspectNetwork(spec(conv, { id: "e", op: "elu", from: "c" }));
  assert.deepEqual([...trainableLayers(network, undefined)], ["c"]);
  assert.deepEqual([...trainableLayers(network, ["c", "e"])], ["c"]);
  assert.throws(() => trainableLayers(network, ["e"]), /nothing to train/);
  assert.throws(() => trainableLayers(network, ["z"]), /trainable names "z", which is no layer/);
});

Deno.test("`nadamStep()` keeps the product of the momentum schedule", () => {
  const optimiser = { kind: "nadam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
  const first = nadamStep(optimiser, 1, 1, 0.01);
  // mu_1 = 0.9 (1 - 0.5 * 0.96^0.004), mu_2 likewise with 0.008; at step 1 one over one minus beta2 is 1000.
  const [mu1, mu2] = [0.9 * (1 - 0.5 * 0.96 ** 0.004), 0.9 * (1 - 0.5 * 0.96 ** 0.008)];
  assert.deepEqual(first, {
    gradientFactor: 0.01 * (1 - mu1) / (1 - mu1),
    momentFactor: 0.01 * mu2 / (1 - mu1 * mu2),
    varianceFactor: 1 / (1 - 0.999),
    momentumProduct: mu1,
  });
  assert.equal(nadamStep(optimiser, 2, first.momentumProduct, 0.01).momentumProduct, mu1 * mu2);
});
