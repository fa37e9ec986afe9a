import assert from "node:assert/strict";
import onednn from "../../../plugins/engines/onednn/mod.ts";
import { openLibrary } from "../../../plugins/engines/onednn/library.ts";
import { OnednnNetwork } from "../../../plugins/engines/onednn/network.ts";
import { Arena } from "../../../plugins/engines/onednn/program.ts";
import { Runtime } from "../../../plugins/engines/onednn/runtime.ts";
import { openWorkerEngine } from "../../../plugins/engines/worker_engine.ts";
import { checkPlugin } from "../../../streams/check_plugin.ts";
import type { PluginContext } from "../../../streams/contract.ts";
import { createContext, openOnnx } from "./context.ts";
import { exchangeTest, parityTests } from "./parity.ts";
import { copyFeed, sampleBatch, smallYopo, unevenState } from "./sample_networks.ts";

const open = async (changes: Partial<PluginContext> = {}, library?: string) =>
  await onednn.create({ threads: 2, library }, createContext(changes), {});
const worker = new URL("../../../plugins/engines/onednn/worker.ts", import.meta.url);
const spec = smallYopo("softmaxCrossEntropy");
const BOX = 11 ** 3;

/** Why there is no library here; null when there is one. */
function absence(): string | null {
  try {
    openLibrary().close();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

const absent = absence();
if (absent === null) presentTests();
else Deno.test({ name: `onednn: not tested here: ${absent}`, ignore: true, fn() {} });

Deno.test("onednn: a library that is not there, or is another, is refused with the remedy", async () => {
  await assert.rejects(open({}, "/nowhere/libdnnl.so.3"), {
    name: "RunError",
    message: /^the oneDNN library does not load: \/nowhere\/libdnnl\.so\.3: .*install it .*option "library"$/s,
  });
  if (Deno.build.os === "linux") {
    await assert.rejects(open({}, "libm.so.6"), { name: "RunError", message: /does not load: libm\.so\.6: .*dnnl_version/s });
  }
});

function presentTests(): void {
  parityTests("onednn", () => open());
  parityTests("onednn with channels last", () => {
    const { signal, warn } = createContext();
    return openWorkerEngine({ module: worker, options: { threads: 1, channelsLast: true }, signal, warn });
  }, true);
  exchangeTest("onednn", () => open(), () => openOnnx());

  Deno.test("`onednn` conforms", async () => await checkPlugin(onednn, { options: { threads: 1 }, timeoutMs: 60_000 }));

  Deno.test("onednn: a cancelled run ends within one batch, and nothing is answered after it", async () => {
    const controller = new AbortController();
    await using engine = await open({ signal: controller.signal });
    await using network = await engine.compile(spec, unevenState(spec, 1));
    const { inputs, targets } = sampleBatch(spec, 2, 1);
    const steps = Array.from({ length: 40 }, () => network.trainStep(copyFeed(inputs), targets, 2, 1e-3));
    const outcomes = Promise.allSettled(steps);
    await steps[0];
    controller.abort(new DOMException("stopped by the user", "AbortError"));
    const done = (await outcomes).filter(({ status }) => status === "fulfilled").length;
    // The step that was under way may still end; those behind it are refused.
    assert.ok(done < 20, `${done} of 40 steps were done`);
    await assert.rejects(network.state(), { name: "AbortError", message: "stopped by the user" });
  });

  Deno.test("onednn: when memory runs out batches are halved, said when it changes, and no row is lost", async () => {
    const runtime = new Runtime(openLibrary(), 1);
    const said: string[] = [];
    const host = { cancelled: () => false, warn: (code: string, message: string) => said.push(`${code}: ${message}`) };
    const cramped = new OnednnNetwork(runtime, new CrampedArena(), host, spec, unevenState(spec, 3));
    const roomy = new OnednnNetwork(runtime, new Arena(), host, spec, unevenState(spec, 3));
    const { inputs: { x, noise }, targets } = sampleBatch(spec, 7, 1);
    const [first, second] = [
      await cramped.trainStep({ x, noise }, targets, 7, 1e-3),
      await cramped.trainStep({ x, noise }, targets, 7, 1e-3),
    ];
    assert.ok(second.loss < first.loss);
    for (let repeat = 0; repeat < 2; repeat++) {
      for (const [from, to] of [[0, 3], [3, 7]]) {
        const part = { x: x.slice(from * BOX, to * BOX), noise: noise.slice(from * BOX, to * BOX) };
        await roomy.trainStep(part, targets.slice(from * 3, to * 3), to - from, 1e-3);
      }
    }
    assert.deepEqual(await cramped.state(), await roomy.state());
    assert.deepEqual(said.map((line) => line.slice(0, 63)), ["batch-halved: training with 7 boxes at a time does not fit into"]);
    const { features } = await cramped.infer({ x }, 7, ["features"]);
    const expected = (await roomy.infer({ x }, 7, ["features"])).features;
    features.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-5));
    for (const network of [cramped, roomy]) await network[Symbol.asyncDispose]();
    runtime.close();
  });
}

/** Has room for training with four boxes of 11 voxels, not with seven. */
class CrampedArena extends Arena {
  override reserve(bytes: number): void {
    if (bytes > 4 * 100_000) throw new RangeError("Array buffer allocation failed");
    super.reserve(bytes);
  }
}
