/**
 * `network.onnx`, which a run puts into its model, is a plain model: Python's onnxruntime computes from it the features that tomosieve computes.
 *
 * Needs python3 (or TOMOSIEVE_PYTHON) with onnxruntime and numpy (pip install onnxruntime numpy). Run: deno task proof
 */
import assert from "node:assert/strict";
import yopo from "../../plugins/embedders/yopo.ts";
import { binBoxes, binnedEdge } from "../../plugins/kernels/bin.ts";
import { prepareBoxes } from "../../plugins/kernels/prepare.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import type { Embedder } from "../../streams/contract.ts";
import { createContext, openOnnx } from "../plugins/engines/context.ts";

/** Two ways to add up the same in float32, relative to the largest. */
const SAME = 1e-4;
const BOX = 24, BINNING = 2, COUNT = 5;
const PYTHON = Deno.env.get("TOMOSIEVE_PYTHON") ?? "python3";
const SCRIPT = `
import sys, numpy, onnxruntime
folder, edge = sys.argv[1], int(sys.argv[2])
boxes = numpy.fromfile(folder + "/boxes.f32", numpy.float32).reshape(-1, 1, edge, edge, edge)
session = onnxruntime.InferenceSession(folder + "/network.onnx", providers=["CPUExecutionProvider"])
session.run(["features"], {"boxes": boxes})[0].tofile(folder + "/features.f32")
`;

Deno.test("Python's onnxruntime gives the features of a model's network.onnx", async () => {
  await using engine = await openOnnx();
  const embedder = await yopo.create(yopo.options.parse({ width: 0.25, binning: BINNING }), createContext({ engine }), {}) as Embedder;
  const { normal } = createRandom(11, "boxes");
  const voxels = Float32Array.from({ length: COUNT * BOX ** 3 }, normal);
  await embedder.calibrate(voxels, COUNT, true);
  const expected = await embedder.embed(voxels, COUNT);
  const folder = await Deno.makeTempDir({ prefix: "tomosieve_network_" });
  try {
    for (const [name, bytes] of Object.entries(await embedder.portable!())) Deno.writeFileSync(`${folder}/${name}`, bytes);
    const prepared = binBoxes(prepareBoxes(voxels, COUNT, BOX, embedder.prepare).voxels, COUNT, BOX, BINNING);
    Deno.writeFileSync(`${folder}/boxes.f32`, new Uint8Array(prepared.buffer, prepared.byteOffset, prepared.byteLength));
    const edge = String(binnedEdge(BOX, BINNING));
    const { success, stderr } = await new Deno.Command(PYTHON, { args: ["-c", SCRIPT, folder, edge], stderr: "piped" }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    const given = new Float32Array(Deno.readFileSync(`${folder}/features.f32`).buffer);
    assert.equal(given.length, expected.length);
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expected.forEach((value, i) => assert.ok(Math.abs(value - given[i]) < SAME * largest, `${i}: ${value}, ${given[i]}`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
