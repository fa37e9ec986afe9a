import assert from "node:assert/strict";
import { openWorkerEngine } from "../../../plugins/engines/worker_engine.ts";
import { createContext, openOnnx } from "./context.ts";
import { parityTests } from "./parity.ts";
import { copyFeed, sampleBatch, smallYopo, unevenState } from "./sample_networks.ts";

parityTests("onnx", () => openOnnx());

const worker = new URL("../../../plugins/engines/onnx/worker.ts", import.meta.url);
const spec = smallYopo("softmaxCrossEntropy");

parityTests("onnx in the standard's layout", () => {
  const { signal, warn } = createContext();
  return openWorkerEngine({ module: worker, options: { threads: 1, standardLayout: true }, signal, warn });
}, true);

Deno.test("onnx: a cancelled run ends within one batch, and nothing is answered after it", async () => {
  const controller = new AbortController();
  await using engine = await openOnnx({ signal: controller.signal });
  await using network = await engine.compile(spec, unevenState(spec, 1));
  const rows = 2000;
  const whole = new Float32Array(rows * 11 ** 3);
  // Warm: the session exists.
  await network.infer({ x: whole.slice(0, 11 ** 3) }, 1, ["features"]);
  const start = performance.now();
  const work = network.infer({ x: whole.slice() }, rows, ["features"]);
  const full = await work.then(() => performance.now() - start);
  const cancelled = network.infer({ x: whole }, rows, ["features"]);
  controller.abort(new DOMException("stopped by the user", "AbortError"));
  const begin = performance.now();
  await assert.rejects(cancelled, { name: "AbortError", message: "stopped by the user" });
  // One of the 250 batches, with room for a busy machine.
  assert.ok(performance.now() - begin < full / 4, `${performance.now() - begin} of ${full} ms`);
  await assert.rejects(network.state(), { name: "AbortError" });
});

Deno.test("onnx: what does not fit is refused with the numbers", async () => {
  await using engine = await openOnnx();
  const state = unevenState(spec, 1);
  const { inputs, targets } = sampleBatch(spec, 2, 1);
  await using network = await engine.compile(spec, state);
  await assert.rejects(network.infer({}, 2, ["head"]), {
    name: "ShapeError",
    message: /feed has no "x", which must be \[2, 1, 11, 11, 11\]/,
  });
  await assert.rejects(network.infer({ x: inputs.x.slice(1) }, 2, ["head"]), {
    name: "ShapeError",
    message: /"x" of the feed has 2661 numbers, \[2, 1, 11, 11, 11\] needs 2662/,
  });
  await assert.rejects(network.trainStep({ x: inputs.x }, targets, 2, 1e-3), { message: /feed has no "noise"/ });
  await assert.rejects(network.trainStep(copyFeed(inputs), targets.slice(1), 2, 1e-3), { message: /targets hold 5 numbers/ });
  await assert.rejects(network.trainStep(copyFeed(inputs), targets, 2, 1e-3, ["pool1"]), { message: /nothing to train/ });
  const { "conv1.weight": _, ...arrays } = state.arrays;
  await assert.rejects(engine.compile(spec, { ...state, arrays }), { message: /the state has no "conv1.weight"/ });
  await assert.rejects(engine.matmul(new Float32Array(3), new Float32Array(2), { m: 2, k: 2, n: 1 }), { name: "ShapeError" });
});

Deno.test("onnx: after it is closed an engine answers nothing, and closing twice does no harm", async () => {
  const engine = await openOnnx();
  const network = await engine.compile(spec, unevenState(spec, 1));
  await engine[Symbol.asyncDispose]();
  await engine[Symbol.asyncDispose]();
  await assert.rejects(network.state(), { name: "RunError", message: "the engine was closed" });
  await network[Symbol.asyncDispose]();
});
