/**
 * Processor time of tomosieve's WebGPU convolutions beside TensorFlow.js's own, in one run on one adapter: on an adapter in software that is
 * where all of the work is done. On a graphics processor look at the wall clock instead, which is printed too.
 *
 * `deno run -A tests/bench/webgpu_convolutions.ts`
 * @module
 */
import process from "node:process";
import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-backend-webgpu";
import { openWebgpu } from "../../plugins/engines/tfjs/webgpu/open.ts";

const REPEATS = 3;
const X = [2, 12, 12, 12, 32], WEIGHT = [3, 3, 3, 32, 64], GRADIENT = [2, 10, 10, 10, 64];
const at = { strides: [1, 1, 1], pad: "valid" };
const run = (name: string, inputs: Record<string, tf.Tensor>, attributes: Record<string, unknown>) =>
  tf.engine().runKernel(name, inputs, attributes as never) as tf.Tensor;

/** Milliseconds of processor and of wall clock a call, by name. */
async function measure(): Promise<Record<string, [number, number]>> {
  const [x, weight, gradient] = [X, WEIGHT, GRADIENT].map((shape) => tf.randomNormal(shape, 0, 1, "float32", 7));
  const calls: Record<string, () => tf.Tensor> = {
    "forward": () => run(tf.Conv3D, { x, filter: weight }, { ...at, dilations: 1 }),
    "input gradient": () => run(tf.Conv3DBackpropInputV2, { dy: gradient, filter: weight }, { ...at, inputShape: X }),
    "weight gradient": () => run(tf.Conv3DBackpropFilterV2, { x, dy: gradient }, { ...at, filterShape: WEIGHT }),
  };
  const times: Record<string, [number, number]> = {};
  for (const [name, call] of Object.entries(calls)) {
    await call().data(); // The program is compiled here.
    const begin = performance.now(), before = process.cpuUsage();
    for (let repeat = 0; repeat < REPEATS; repeat++) await call().data();
    const { user, system } = process.cpuUsage(before);
    times[name] = [(user + system) / 1000 / REPEATS, (performance.now() - begin) / REPEATS];
  }
  return times;
}

await tf.setBackend("webgpu");
tf.env().set("WEBGPU_CPU_FORWARD", false);
const theirs = await measure();
await openWebgpu({ allowSoftware: true, precision: "float32" });
const ours = await measure();
const adapter = await navigator.gpu.requestAdapter();
console.log(`${adapter?.info.description}, TensorFlow.js ${tf.version_core}, input ${X}, weights ${WEIGHT}`);
for (const [name, [processor, wall]] of Object.entries(ours)) {
  const ratio = [processor / theirs[name][0], wall / theirs[name][1]].map((value) => value.toFixed(2));
  console.log(
    `${name}: ${processor.toFixed(0)} ms of processor, ${ratio[0]} of TensorFlow.js's own; ${wall.toFixed(0)} ms of wall clock, ${
      ratio[1]
    }`,
  );
}
process.exit(0);
