import assert from "node:assert/strict";
import fixture from "../../fixtures/network_pytorch.json" with { type: "json" };
import { inspectNetwork, isTrained, sizeOf } from "../../../plugins/engines/shapes.ts";
import type { Layer, NetworkSpec, NetworkState } from "../../../plugins/engines/network.ts";
import { ReferenceNetwork } from "./reference_network.ts";

/** Both sides compute in float64; the file keeps twelve digits, and inputs pass through float32 in ours. */
const SAME = 1e-6;
const ROWS = 3;

const norm = { op: "batchNorm", momentum: 0.9, epsilon: 1e-3 } as const;
const conv = { op: "conv3d", kernel: 3, padding: "valid" } as const;
const encoder: Layer[] = [
  { id: "x", op: "input", shape: [1, 6, 6, 6] },
  { id: "noisy", op: "gaussianDropout", from: "x", noise: "noise" },
  { id: "conv0", from: "noisy", channels: 3, ...conv },
  { id: "elu0", op: "elu", from: "conv0" },
  { id: "norm0", from: "elu0", ...norm },
  { id: "pool0", op: "globalMaxPool", from: "norm0" },
  { id: "conv1", from: "norm0", channels: 2, ...conv },
  { id: "elu1", op: "elu", from: "conv1" },
  { id: "norm1", from: "elu1", ...norm },
  { id: "pool1", op: "globalMaxPool", from: "norm1" },
  { id: "joined", op: "concat", from: ["pool0", "pool1"] },
  { id: "head", op: "dense", from: "joined", units: 3 },
];
const decoder: Layer[] = [
  { id: "x", op: "input", shape: [4] },
  { id: "dense", op: "dense", from: "x", units: 16 },
  { id: "elu", op: "elu", from: "dense" },
  { id: "seed", op: "reshape", from: "elu", shape: [2, 2, 2, 2] },
  { id: "up", op: "upsample3d", from: "seed", factor: 2 },
  { id: "conv", op: "conv3d", from: "up", channels: 1, kernel: 3, padding: "same" },
  { id: "head", op: "sigmoid", from: "conv" },
];

type Kind = keyof typeof fixture.cases;

function specOf(kind: Kind): NetworkSpec {
  return {
    layers: kind === "meanSquared" ? decoder : encoder,
    outputs: ["head"],
    loss: { kind, prediction: "head" },
    optimiser: { kind: "nadam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  };
}

/** The reference with PyTorch's first weights at full precision. */
function referenceOf(kind: Kind): ReferenceNetwork {
  const spec = specOf(kind);
  const initial: Record<string, readonly number[]> = fixture.cases[kind].initial;
  const arrays: Record<string, { shape: readonly number[]; values: Float32Array }> = {};
  for (const parameter of inspectNetwork(spec).parameters) {
    for (const suffix of isTrained(parameter) ? ["", ":m", ":v"] : [""]) {
      arrays[parameter.name + suffix] = { shape: parameter.shape, values: new Float32Array(sizeOf(parameter.shape)) };
    }
  }
  const network = new ReferenceNetwork(spec, { step: 0, momentumProduct: 1, arrays } satisfies NetworkState);
  for (const [name, values] of Object.entries(initial)) network.arrays.set(name, Float64Array.from(values));
  return network;
}

function assertClose(given: ArrayLike<number>, expected: readonly number[], name: string): void {
  assert.equal(given.length, expected.length, name);
  const largest = Math.max(1e-3, ...expected.map(Math.abs));
  expected.forEach((value, i) => assert.ok(Math.abs(given[i] - value) < SAME * largest, `${name}[${i}]: ${given[i]}, PyTorch ${value}`));
}

Deno.test.each(Object.keys(fixture.cases) as Kind[])("the reference network equals PyTorch: %s", (kind) => {
  const { x, noise, targets, losses, gradients, after } = fixture.cases[kind];
  const inputs = { x: Float32Array.from(x), noise: Float32Array.from(noise) };
  const first = referenceOf(kind).gradients(inputs, Float32Array.from(targets), ROWS);
  for (const [name, values] of Object.entries<readonly number[]>(gradients)) assertClose(first.gradients.get(name)!, values, name);

  const network = referenceOf(kind);
  losses.forEach((expected, step) => {
    const { loss } = network.trainStep(inputs, Float32Array.from(targets), ROWS, 1e-2);
    assert.ok(Math.abs(loss - expected) < SAME, `step ${step}: ${loss}, PyTorch ${expected}`);
  });
  for (const [name, values] of Object.entries<readonly number[]>(after)) assertClose(network.arrays.get(name)!, values, name);
});
