import assert from "node:assert/strict";
import * as ort from "onnxruntime-node";
import { OnnxNetwork } from "../../../plugins/engines/onnx/network.ts";
import { isOutOfMemory } from "../../../plugins/engines/memory.ts";
import { sampleBatch, smallYopo, unevenState } from "./sample_networks.ts";

const spec = smallYopo("softmaxCrossEntropy");
const BOX = 11 ** 3;

/** A network whose sessions run out of memory above `rows` rows. */
function cramped(rows: number): { network: OnnxNetwork; said: string[] } {
  const said: string[] = [];
  const network = new OnnxNetwork(
    {
      ort,
      block: 1,
      host: { cancelled: () => false, warn: (code, message) => said.push(`${code}: ${message}`) },
      async open({ bytes }) {
        const session = await ort.InferenceSession.create(bytes, { intraOpNumThreads: 1 });
        const run = session.run.bind(session) as (...args: unknown[]) => Promise<never>;
        session.run = (feeds: Record<string, ort.Tensor>, ...rest: unknown[]) =>
          feeds.x.dims[0] > rows ? Promise.reject(new Error("Non-zero status code: std::bad_alloc")) : run(feeds, ...rest);
        return session;
      },
    },
    spec,
    unevenState(spec, 3),
  );
  return { network, said };
}

Deno.test("onnx: when memory runs out a training batch is halved, said when it changes, and every part is a step", async () => {
  const { inputs: { x, noise }, targets } = sampleBatch(spec, 7, 1);
  const tight = cramped(2);
  const roomy = cramped(99);
  const [first, second] = [
    await tight.network.trainStep({ x, noise }, targets, 7, 1e-3),
    await tight.network.trainStep({ x, noise }, targets, 7, 1e-3),
  ];
  assert.ok(second.loss < first.loss);
  assert.deepEqual(tight.said.map((line) => line.slice(0, 75)), [
    "batch-halved: training with 7 boxes at a time does not fit into memory: goi",
    "batch-halved: training with 3 boxes at a time does not fit into memory: goi",
  ]);
  // 7 = 3 + 4, 3 = 1 + 2, 4 = 2 + 2, in this order.
  for (let repeat = 0; repeat < 2; repeat++) {
    for (const [from, to] of [[0, 1], [1, 3], [3, 5], [5, 7]]) {
      const part = { x: x.slice(from * BOX, to * BOX), noise: noise.slice(from * BOX, to * BOX) };
      await roomy.network.trainStep(part, targets.slice(from * 3, to * 3), to - from, 1e-3);
    }
  }
  assert.deepEqual(await tight.network.state(), await roomy.network.state());
  assert.deepEqual(roomy.said, []);
});

Deno.test("onnx: when memory runs out inference takes fewer rows at a time and loses none", async () => {
  const { inputs: { x } } = sampleBatch(spec, 13, 2);
  const { network, said } = cramped(3);
  const { features } = await network.infer({ x }, 13, ["features"]);
  const expected = (await cramped(99).network.infer({ x }, 13, ["features"])).features;
  // The same rows in batches of another size: equal to float32 rounding.
  features.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-5));
  assert.deepEqual(said.map((line) => line.slice(0, 40)), [
    "batch-halved: inference with 8 boxes at ",
    "batch-halved: inference with 4 boxes at ",
  ]);
});

Deno.test("onnx: a single box that does not fit is refused with a remedy; other errors pass unchanged", async () => {
  const { inputs: { x, noise }, targets } = sampleBatch(spec, 1, 2);
  const { network } = cramped(0);
  await assert.rejects(network.trainStep({ x, noise }, targets, 1, 1e-3), {
    name: "RunError",
    message: /memory runs out with 1 box at a time .*narrower/,
  });
  assert.equal(isOutOfMemory(new Error("Failed to allocate memory for requested buffer of size 123")), true);
  assert.equal(isOutOfMemory(new Error("invalid shape")), false);
});
