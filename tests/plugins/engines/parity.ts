/**
 * What every engine must do, checked against the float64 reference network.
 * @module
 */
import assert from "node:assert/strict";
import type { Engine, NetworkSpec } from "../../../plugins/engines/network.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { copyFeed, sampleBatch, smallDecoder, smallYopo, tangle, unevenState } from "./sample_networks.ts";
import { ReferenceNetwork } from "./reference_network.ts";

/** Relative L2 of outputs, losses and gradients: float32 rounding (6e-8) through about ten layers and sums of 10^4 numbers. */
const PASS = 1e-4;
/** Relative L2 of the change of each weight over ten steps: Nadam divides by the root of small second moments, which magnifies rounding. */
const TEN_STEPS = 1e-3;
/** A gradient below this share of the network's largest is rounding error, not signal (a bias before a batch norm has gradient 0). */
const NO_SIGNAL = 1e-6;
/** Loss over ten steps, relative. */
const LOSS = 1e-4;

const networks: Record<string, NetworkSpec> = {
  "YOPO with cross-entropy": smallYopo("softmaxCrossEntropy"),
  "YOPO with categorical hinge": smallYopo("softmaxCategoricalHinge"),
  "a decoder": smallDecoder,
  "batch norms read in every way": tangle,
};
const COUNT = 5;

/** Registers the suite for one engine. `open` makes an engine; the suite disposes of it. `brief`: one pass through each network, no more. */
export function parityTests(name: string, open: () => Promise<Engine>, brief = false): void {
  for (const [title, spec] of Object.entries(networks)) {
    Deno.test(`${name}: ${title}: every gradient, the loss and the forward pass equal the reference`, async () => {
      await using engine = await open();
      const state = unevenState(spec, 11);
      await using network = await engine.compile(spec, state);
      const reference = new ReferenceNetwork(spec, state);
      const { inputs, targets } = sampleBatch(spec, COUNT, 1);

      const expected = reference.infer(inputs, COUNT, spec.outputs);
      const given = await network.infer(copyFeed(inputs), COUNT, spec.outputs);
      for (const id of spec.outputs) assert.ok(relative(given[id], expected[id]) < PASS, `${id}: ${relative(given[id], expected[id])}`);

      const ours = await network.gradients(copyFeed(inputs), targets, COUNT);
      const theirs = reference.gradients(inputs, targets, COUNT);
      assert.ok(Math.abs(ours.loss - theirs.loss) < PASS * Math.abs(theirs.loss), `loss ${ours.loss}, reference ${theirs.loss}`);
      assert.deepEqual(Object.keys(ours.gradients).sort(), [...theirs.gradients.keys()].sort());
      const largest = Math.max(...[...theirs.gradients.values()].map(length));
      for (const [parameter, gradient] of theirs.gradients) {
        const error = length(ours.gradients[parameter].map((value, i) => value - gradient[i]));
        assert.ok(error < PASS * length(gradient) + NO_SIGNAL * largest, `${parameter}: ${error} of ${length(gradient)}`);
      }
    });

    if (brief) continue;
    Deno.test(`${name}: ${title}: ten Nadam steps equal the reference's`, async () => {
      await using engine = await open();
      const state = unevenState(spec, 12);
      await using network = await engine.compile(spec, state);
      const reference = new ReferenceNetwork(spec, state);
      for (let step = 0; step < 10; step++) {
        const { inputs, targets } = sampleBatch(spec, COUNT, step % 3);
        const { loss } = await network.trainStep(copyFeed(inputs), targets, COUNT, 1e-3);
        const expected = reference.trainStep(inputs, targets, COUNT, 1e-3);
        assert.ok(Math.abs(loss - expected.loss) < LOSS * expected.loss, `step ${step}: loss ${loss}, reference ${expected.loss}`);
      }
      const after = await network.state();
      assert.equal(after.step, 10);
      for (const [parameter, { values }] of Object.entries(after.arrays)) {
        if (parameter.includes(":")) continue;
        const expected = reference.arrays.get(parameter)!;
        assert.ok(relative(values, expected) < TEN_STEPS, `${parameter}: ${relative(values, expected)}`);
      }
    });
  }

  if (brief) return;
  Deno.test(`${name}: a saved state goes on as if never interrupted, in another network`, async () => {
    await using engine = await open();
    const spec = smallYopo("softmaxCategoricalHinge");
    const { inputs, targets } = sampleBatch(spec, COUNT, 4);
    await using first = await engine.compile(spec, unevenState(spec, 13));
    for (let step = 0; step < 3; step++) await first.trainStep(copyFeed(inputs), targets, COUNT, 1e-3);
    await using second = await engine.compile(spec, unevenState(spec, 14));
    await second.setState(await first.state());
    const { features } = await second.infer(copyFeed(inputs), COUNT, ["features"]);
    assert.deepEqual(features, (await first.infer(copyFeed(inputs), COUNT, ["features"])).features);
    const losses = [first, second].map((network) => network.trainStep(copyFeed(inputs), targets, COUNT, 1e-3));
    const [a, b] = await Promise.all(losses);
    assert.equal(a.loss, b.loss);
    assert.deepEqual(await second.state(), await first.state());
  });

  Deno.test(`${name}: a row's result does not depend on the rows beside it`, async () => {
    await using engine = await open();
    const spec = smallYopo("softmaxCrossEntropy");
    const { inputs } = sampleBatch(spec, 21, 5);
    const box = 11 ** 3;
    await using network = await engine.compile(spec, unevenState(spec, 15));
    const whole = (await network.infer({ x: inputs.x.slice() }, 21, ["features"])).features;
    for (const [first, rows] of [[0, 1], [3, 7], [20, 1], [9, 12]]) {
      const part = inputs.x.slice(first * box, (first + rows) * box);
      const { features } = await network.infer({ x: part }, rows, ["features"]);
      assert.deepEqual(features, whole.slice(first * 7, (first + rows) * 7), `rows ${first} to ${first + rows}`);
    }
  });

  Deno.test(`${name}: only the named layers change when they alone are trained`, async () => {
    await using engine = await open();
    const spec = smallYopo("softmaxCrossEntropy");
    const state = unevenState(spec, 16);
    const { inputs, targets } = sampleBatch(spec, COUNT, 6);
    const trainable = ["conv3", "norm3", "head"];
    await using network = await engine.compile(spec, state);
    const reference = new ReferenceNetwork(spec, state);
    for (let step = 0; step < 3; step++) {
      await network.trainStep(copyFeed(inputs), targets, COUNT, 1e-3, trainable);
      reference.trainStep(inputs, targets, COUNT, 1e-3, trainable);
    }
    for (const [parameter, { values }] of Object.entries((await network.state()).arrays)) {
      if (trainable.includes(parameter.split(".")[0])) {
        assert.notDeepEqual(values, state.arrays[parameter].values, parameter);
        if (parameter.includes(":")) continue;
        const expected = reference.arrays.get(parameter)!;
        assert.ok(relative(values, expected) < TEN_STEPS, `${parameter}: ${relative(values, expected)}`);
      } else assert.deepEqual(values, state.arrays[parameter].values, parameter);
    }
  });

  Deno.test(`${name}: calibration replaces the running statistics by those of the batches since the first`, async () => {
    await using engine = await open();
    const spec = smallYopo("softmaxCrossEntropy");
    const state = unevenState(spec, 17);
    await using network = await engine.compile(spec, state);
    const reference = new ReferenceNetwork(spec, state);
    for (const [seed, count, first] of [[1, 4, true], [2, 6, true], [3, 3, false]] as const) {
      const { inputs } = sampleBatch(spec, count, seed);
      await network.calibrate({ x: inputs.x.slice() }, count, first);
      reference.calibrate(inputs, count, first);
    }
    const { arrays } = await network.state();
    for (const [parameter, { values }] of Object.entries(arrays)) {
      if (!/\.(mean|variance)$/.test(parameter)) continue;
      const expected = reference.arrays.get(parameter)!;
      assert.ok(relative(values, expected) < PASS, `${parameter}: ${relative(values, expected)}`);
    }
    assert.deepEqual(arrays["conv0.weight"].values, state.arrays["conv0.weight"].values);
  });

  Deno.test(`${name}: matrix products, plain and transposed`, async () => {
    await using engine = await open();
    const [m, k, n] = [5, 17, 9];
    const { normal } = createRandom(1, "product");
    const a = Float32Array.from({ length: m * k }, normal);
    const b = Float32Array.from({ length: k * n }, normal);
    const expected = new Float64Array(m * n);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) for (let l = 0; l < k; l++) expected[i * n + j] += a[i * k + l] * b[l * n + j];
    }
    const turn = (values: Float32Array, rows: number, columns: number) =>
      values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]);
    for (const [transposeA, transposeB] of [[false, false], [true, false], [false, true], [true, true]]) {
      const given = await engine.matmul(transposeA ? turn(a, m, k) : a, transposeB ? turn(b, k, n) : b, { m, k, n }, {
        transposeA,
        transposeB,
      });
      assert.ok(relative(given, expected) < PASS, `transposed: ${transposeA}, ${transposeB}`);
    }
  });
}

function length(values: ArrayLike<number>): number {
  let square = 0;
  for (let i = 0; i < values.length; i++) square += values[i] ** 2;
  return Math.sqrt(square);
}

function relative(given: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(given.length, expected.length);
  return length(Array.from(expected, (value, i) => given[i] - value)) / length(expected);
}

/** Registers a test that what one engine has learnt goes on in another, and comes back whole. */
export function exchangeTest(name: string, open: () => Promise<Engine>, openOther: () => Promise<Engine>): void {
  Deno.test(`${name}: a state goes on in another engine with the same predictions, and comes back whole`, async () => {
    await using ours = await open();
    await using other = await openOther();
    const spec = smallYopo("softmaxCrossEntropy");
    const { inputs, targets } = sampleBatch(spec, COUNT, 3);
    await using first = await ours.compile(spec, unevenState(spec, 21));
    for (let step = 0; step < 3; step++) await first.trainStep(copyFeed(inputs), targets, COUNT, 1e-3);
    await using second = await other.compile(spec, await first.state());
    await using third = await ours.compile(spec, await second.state());
    assert.deepEqual(await third.state(), await first.state());
    const [a, b] = await Promise.all([first, second].map((network) => network.infer({ x: inputs.x.slice() }, COUNT, ["head"])));
    assert.ok(relative(b.head, a.head) < PASS, `predictions ${relative(b.head, a.head)} apart`);
    const [c, d] = await Promise.all([first, second].map((network) => network.trainStep(copyFeed(inputs), targets, COUNT, 1e-3)));
    assert.ok(Math.abs(c.loss - d.loss) < LOSS * Math.abs(d.loss), `losses ${c.loss} and ${d.loss}`);
  });
}
