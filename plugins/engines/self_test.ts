/**
 * A numerical self-test that an engine passes before it is trusted on a machine.
 * @module
 */
import numbers from "./self_test.json" with { type: "json" };
import type { Engine, Layer, NetworkSpec, NetworkState } from "./network.ts";
import { inspectNetwork, sizeOf } from "./shapes.ts";

/** Largest relative L2 distance from the stored float64 numbers, by precision: some hundred times the rounding of one sum. */
const TOLERANCE: Readonly<Record<Engine["precision"], number>> = { float64: 1e-6, float32: 1e-4, bfloat16: 5e-2, float16: 1e-2 };

/** Rows of the test's batch. */
export const SELF_TEST_ROWS = 2;

/** The test's network: two blocks of YOPO, every kind of layer that training needs. */
export const selfTestSpec: NetworkSpec = buildSpec();

function buildSpec(): NetworkSpec {
  const layers: Layer[] = [{ id: "x", op: "input", shape: [1, 6, 6, 6] }];
  let from = "x";
  for (const [i, channels] of [3, 2].entries()) {
    layers.push({ id: `conv${i}`, op: "conv3d", from, channels, kernel: 3, padding: "valid" });
    layers.push({ id: `elu${i}`, op: "elu", from: `conv${i}` });
    layers.push({ id: `norm${i}`, op: "batchNorm", from: `elu${i}`, momentum: 0.9, epsilon: 1e-3 });
    layers.push({ id: `pool${i}`, op: "globalMaxPool", from: `norm${i}` });
    from = `norm${i}`;
  }
  layers.push({ id: "joined", op: "concat", from: ["pool0", "pool1"] });
  layers.push({ id: "head", op: "dense", from: "joined", units: 3 });
  return {
    layers,
    outputs: ["head"],
    loss: { kind: "softmaxCrossEntropy", prediction: "head" },
    optimiser: { kind: "nadam", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  };
}

/** The test's weights: a formula, so that no file is needed. */
export function selfTestState(): NetworkState {
  const arrays: Record<string, { shape: readonly number[]; values: Float32Array }> = {};
  for (const [p, parameter] of inspectNetwork(selfTestSpec).parameters.entries()) {
    const positive = parameter.role === "gamma" || parameter.role === "variance" ? 1 : 0;
    arrays[parameter.name] = { shape: parameter.shape, values: wave(sizeOf(parameter.shape), p + 1, 0.3, positive) };
  }
  return { step: 0, momentumProduct: 1, arrays };
}

/** The test's boxes and targets. */
export function selfTestBatch(): { readonly inputs: { readonly x: Float32Array<ArrayBuffer> }; readonly targets: Float32Array } {
  return { inputs: { x: wave(SELF_TEST_ROWS * 216, 0.7, 1, 0) }, targets: Float32Array.of(0.8, 0.1, 0.1, 0.2, 0.2, 0.6) };
}

function wave(length: number, phase: number, size: number, offset: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, (_, i) => offset + size * Math.sin(phase + 1.7 * i + 0.31 * i * i % 6.28));
}

/**
 * Compares an engine's prediction, loss and every gradient with the stored float64 numbers.
 *
 * @returns Null when all agree within the precision's tolerance, otherwise what does not, in words.
 */
export async function selfTest(engine: Engine): Promise<string | null> {
  const tolerance = TOLERANCE[engine.precision];
  await using network = await engine.compile(selfTestSpec, selfTestState());
  const { head } = await network.infer(selfTestBatch().inputs, SELF_TEST_ROWS, ["head"]);
  const { inputs, targets } = selfTestBatch();
  const { loss, gradients } = await network.gradients(inputs, targets, SELF_TEST_ROWS);
  const found: Record<string, ArrayLike<number>> = { prediction: head, loss: [loss], ...gradients };
  for (const [name, expected] of Object.entries<readonly number[]>(numbers)) {
    const distance = distanceOf(found[name], expected);
    if (!(distance <= tolerance)) {
      return `self-test: ${name} is ${
        distance.toPrecision(2)
      } from the reference (relative L2), ${engine.precision} must be within ${tolerance}`;
    }
  }
  return null;
}

/** Relative L2 distance; an expected zero vector is compared by itself. NaN or absent numbers give NaN. */
function distanceOf(found: ArrayLike<number> | undefined, expected: readonly number[]): number {
  let [square, size] = [0, 0];
  expected.forEach((value, i) => {
    square += (found?.[i]! - value) ** 2;
    size += value ** 2;
  });
  return Math.sqrt(square / (size || 1));
}
