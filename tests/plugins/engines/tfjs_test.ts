import assert from "node:assert/strict";
import tfjs from "../../../plugins/engines/tfjs/mod.ts";
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

/** Any adapter does, even one in software: the numbers are what is looked at. All of the suite runs in tests/proof. */
const adapter = await navigator.gpu.requestAdapter().catch(() => null);
if (adapter) parityTests("tfjs on webgpu", () => open({ backend: "webgpu", allowSoftware: true }), true);
else Deno.test({ name: "tfjs on webgpu: there is no adapter here (apt-get install mesa-vulkan-drivers gives one)", ignore: true, fn() {} });

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
