import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";
import tfjs from "../../../plugins/engines/tfjs/mod.ts";
import { openCpu as openCpuBackend } from "../../../plugins/engines/tfjs/cpu.ts";
import { findTensorflow } from "../../../plugins/engines/tfjs/presence.ts";
import { TfjsNetwork } from "../../../plugins/engines/tfjs/network.ts";
import { selfTest } from "../../../plugins/engines/self_test.ts";
import type { Engine } from "../../../plugins/engines/network.ts";
import type { PluginContext } from "../../../streams/contract.ts";
import { checkPlugin } from "../../../streams/check_plugin.ts";
import { createContext, openOnnx } from "./context.ts";
import { parityTests } from "./parity.ts";
import { copyFeed, sampleBatch, smallYopo, unevenState } from "./sample_networks.ts";

const open = async (options: Record<string, unknown>, changes: Partial<PluginContext> = {}): Promise<Engine> =>
  await tfjs.create(tfjs.options.parse(options), createContext(changes), {});
const openCpu = (changes: Partial<PluginContext> = {}) => open({ backend: "cpu" }, changes);
const spec = smallYopo("softmaxCrossEntropy");

parityTests("tfjs on cpu", () => openCpu());

/** Any adapter does, even one in software: the numbers are what is looked at. The whole suite runs on it in tests/proof. */
const adapter = await navigator.gpu.requestAdapter().catch(() => null);
for (const precision of ["float32", "float16"]) {
  const missing = adapter === null
    ? "there is no adapter here (apt-get install mesa-vulkan-drivers gives one)"
    : precision === "float16" && !adapter.features.has("shader-f16")
    ? "this adapter has no 16-bit numbers"
    : null;
  Deno.test({
    name: `tfjs on webgpu, ${precision}: ${missing ?? "every kind of layer passes the self-test"}`,
    ignore: missing !== null,
    async fn() {
      await using engine = await open({ backend: "webgpu", precision, allowSoftware: true });
      assert.equal(engine.precision, precision);
      assert.equal(await selfTest(engine), null);
    },
  });
}

Deno.test({
  name: "tfjs: an adapter in software is not taken unasked",
  ignore: !adapter?.info.isFallbackAdapter,
  async fn() {
    await assert.rejects(open({ backend: "webgpu" }), { name: "RunError", message: /slower than engine "onnx".*"allowSoftware": true/ });
  },
});

Deno.test("tfjs on tensorflow: a package is looked for in node_modules, and what is missing is said with a remedy", async () => {
  const root = Deno.makeTempDirSync();
  try {
    const modules = pathToFileURL(`${root}/node_modules/`);
    assert.equal(findTensorflow(modules), null);
    const stored = `${root}/node_modules/.deno/@tensorflow+tfjs-node@4.22.0/node_modules/@tensorflow/tfjs-node`;
    Deno.mkdirSync(stored, { recursive: true });
    assert.equal(findTensorflow(modules), `${stored}/`);
    const withCuda = `${root}/node_modules/@tensorflow/tfjs-node-gpu`;
    Deno.mkdirSync(withCuda, { recursive: true });
    assert.equal(findTensorflow(modules), `${withCuda}/`);
    await assert.rejects(open({ backend: "tensorflow", package: withCuda }), {
      name: "RunError",
      message: /tfjs-node-gpu\/lib\/napi-v8\/tfjs_binding.node is missing.*docs\/tensorflow.md/,
    });
    Deno.mkdirSync(`${withCuda}/lib/napi-v8`, { recursive: true });
    Deno.writeTextFileSync(`${withCuda}/lib/napi-v8/tfjs_binding.node`, "");
    Deno.writeTextFileSync(`${withCuda}/package.json`, '{ "main": "index.js", "type": "commonjs" }');
    Deno.writeTextFileSync(`${withCuda}/index.js`, "throw new Error('libtensorflow.so.2: cannot open shared object file')");
    await assert.rejects(open({ backend: "tensorflow", package: withCuda }), {
      name: "RunError",
      message: /TensorFlow does not load here: libtensorflow.so.2: cannot open .*docs\/tensorflow.md/,
    });
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
  const faults = (chosen: string) => tfjs.check!(tfjs.options.parse({ backend: "tensorflow", package: chosen }));
  assert.deepEqual(faults("npm:@tensorflow/tfjs-node-gpu@4.22.0"), []);
  assert.match(faults("npm:@tensorflow/tfjs-node-gpu@^4")[0], /exact version/);
  assert.match(faults("npm:left-pad@1.0.0")[0], /expected npm:@tensorflow/);
});

/** A network on a device that allows tensors of `rows` boxes of the sample at most. */
async function cramped(rows: number): Promise<{ network: TfjsNetwork; said: string[] }> {
  const said: string[] = [];
  const host = { cancelled: () => false, warn: (code: string, message: string) => said.push(`${code}: ${message}`) };
  // Its largest tensor is the first convolution's: 4 channels of 9^3.
  const backend = { ...await openCpuBackend(), largestTensorBytes: rows * 4 * 4 * 9 ** 3 };
  return { network: new TfjsNetwork(backend, host, spec, unevenState(spec, 3)), said };
}

Deno.test("tfjs: a batch that needs too large a tensor is halved, with a warning, and every part is a step", async () => {
  const { inputs: { x, noise }, targets } = sampleBatch(spec, 5, 1);
  const tight = await cramped(3), roomy = await cramped(99);
  for (let repeat = 0; repeat < 2; repeat++) await tight.network.trainStep({ x, noise }, targets, 5, 1e-3);
  for (const [from, to] of [[0, 2], [2, 5], [0, 2], [2, 5]]) {
    const part = (values: Float32Array) => values.slice(from * 11 ** 3, to * 11 ** 3);
    await roomy.network.trainStep({ x: part(x), noise: part(noise) }, targets.slice(3 * from, 3 * to), to - from, 1e-3);
  }
  assert.deepEqual(await tight.network.state(), await roomy.network.state());
  assert.deepEqual([tight.said.length, roomy.said.length], [1, 0]);
  assert.match(tight.said[0], /^batch-halved: training with 5 boxes .* going on with 3/);
  assert.deepEqual(await tight.network.infer({ x }, 5, ["head"]), await roomy.network.infer({ x }, 5, ["head"]));
  assert.match(tight.said.at(-1)!, /^batch-halved: inference with 4 boxes .* going on with 2/);
  const none = await cramped(0);
  await assert.rejects(none.network.infer({ x }, 5, ["head"]), {
    name: "RunError",
    message: /with 1 box at a time .* make the boxes smaller/,
  });
});

Deno.test("`tfjs` conforms", async () => await checkPlugin(tfjs, { options: { backend: "cpu" }, timeoutMs: 60_000 }));

Deno.test("tfjs: what it has learnt goes on in another engine, and back", async () => {
  await using ours = await openCpu();
  await using other = await openOnnx();
  const { inputs, targets } = sampleBatch(spec, 4, 3);
  await using first = await ours.compile(spec, unevenState(spec, 21));
  for (let step = 0; step < 3; step++) await first.trainStep(copyFeed(inputs), targets, 4, 1e-3);
  await using second = await other.compile(spec, await first.state());
  await using third = await ours.compile(spec, await second.state());
  assert.deepEqual(await third.state(), await first.state());
  const [a, b] = [await first.infer({ x: inputs.x.slice() }, 4, ["head"]), await second.infer({ x: inputs.x.slice() }, 4, ["head"])];
  a.head.forEach((value, i) => assert.ok(Math.abs(value - b.head[i]) < 1e-4, `${value} and ${b.head[i]}`));
  const losses = [first, second].map((network) => network.trainStep(copyFeed(inputs), targets, 4, 1e-3));
  const [ourLoss, otherLoss] = await Promise.all(losses);
  assert.ok(Math.abs(ourLoss.loss - otherLoss.loss) < 1e-4);
});

Deno.test("tfjs: a cancelled run ends within one batch, and nothing is answered after it", async () => {
  const controller = new AbortController();
  await using engine = await openCpu({ signal: controller.signal });
  await using network = await engine.compile(spec, unevenState(spec, 1));
  const { inputs, targets } = sampleBatch(spec, 2, 1);
  const steps = Array.from({ length: 40 }, () => network.trainStep(copyFeed(inputs), targets, 2, 1e-3));
  const outcomes = Promise.allSettled(steps);
  await steps[0];
  controller.abort(new DOMException("stopped by the user", "AbortError"));
  const done = (await outcomes).filter(({ status }) => status === "fulfilled").length;
  // The step that was under way may still end; those behind it are refused.
  assert.ok(done < 10, `${done} of 40 steps were done`);
  await assert.rejects(network.state(), { name: "AbortError", message: "stopped by the user" });
});
