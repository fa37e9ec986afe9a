import assert from "node:assert/strict";
import plugin, { createInvariantsEmbedder } from "../../../plugins/embedders/invariants.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { ShapeError } from "../../../streams/errors.ts";
import type { Pool } from "../../../streams/contract.ts";

function poolOf(size: number): Pool & { calls: number } {
  return {
    size,
    calls: 0,
    async run(module, name, args) {
      this.calls++;
      return (await import(module))[name](...args);
    },
  };
}
const options = plugin.options.parse({});

Deno.test("`invariants` gives the same features whether the pool shares the batch or not", async () => {
  const random = createRandom(1, "invariants embedder"), count = 70, b = 12;
  const boxes = Float32Array.from({ length: count * b ** 3 }, () => random.normal());
  const pool = poolOf(3);
  const embedder = createInvariantsEmbedder(options, pool);
  const shared = await embedder.embed(boxes, count);
  assert.equal(pool.calls, 3);
  assert.equal(shared.length, count * embedder.dims);
  const single = await embedder.embed(boxes.subarray(b ** 3, 2 * b ** 3), 1);
  assert.equal(pool.calls, 3);
  assert.deepEqual(single, shared.slice(embedder.dims, 2 * embedder.dims));
});

Deno.test("`invariants` refuses voxels that are not cubic boxes and a state made with other options", async () => {
  const embedder = createInvariantsEmbedder(options, poolOf(1));
  await assert.rejects(embedder.embed(new Float32Array(100), 1), /100 voxels are not 1 cubic boxes/);
  const other = createInvariantsEmbedder({ ...options, degree: 3 }, poolOf(1));
  await embedder.load(await embedder.save());
  await assert.rejects(other.load(await embedder.save()), (error) => error instanceof ShapeError && /another degree/.test(error.message));
});
