/**
 * How long an engine takes for one training step of YOPO: the figure that engines are compared by.
 * @module
 */
import { initialiseNetwork } from "../kernels/initialise.ts";
import { createRandom } from "../kernels/random.ts";
import type { Engine } from "./network.ts";

/** The step: width, box edge in voxels, boxes in a batch, classes. */
export const TIMED_STEP = { width: 0.25, boxVoxels: 24, batch: 8, classes: 16 } as const;
/** An engine that takes longer for one box is not given a batch. */
const SLOWEST_MS = 3000;
/** Steps after which the shortest is taken, and the time they may take. */
const STEPS = 5, BUDGET_MS = 6000;

/**
 * Trains quarter-width YOPO on 24-voxel boxes of noise, 8 at a time.
 *
 * @returns Milliseconds a subtomogram, the shortest of up to five steps after a first one; of a single box when that alone takes over 3 s.
 */
export async function timeStep(engine: Engine): Promise<number> {
  const { yopoSpec } = await import("../embedders/yopo_network.ts");
  const { width, boxVoxels, batch, classes } = TIMED_STEP;
  const spec = yopoSpec({ width, boxVoxels, binning: 1, gaussianDropout: 0, classes, loss: "softmaxCrossEntropy" });
  await using network = await engine.compile(spec, initialiseNetwork(spec, 1));
  const { normal } = createRandom(1, "time step");
  const step = async (rows: number) => {
    const boxes = Float32Array.from({ length: rows * boxVoxels ** 3 }, normal);
    const targets = new Float32Array(rows * classes);
    for (let row = 0; row < rows; row++) targets[row * classes + row % classes] = 1;
    const start = performance.now();
    await network.trainStep({ boxes }, targets, rows, 1e-4);
    return (performance.now() - start) / rows;
  };
  // Two boxes, since batch statistics of one are degenerate; kernels are compiled here too, so a slow first is given a second try.
  let single = await step(2);
  if (single > SLOWEST_MS) single = Math.min(single, await step(2));
  if (single > SLOWEST_MS) return single;
  const begin = performance.now();
  await step(batch);
  let shortest = Infinity;
  for (let i = 0; i < STEPS && (i === 0 || performance.now() - begin < BUDGET_MS); i++) shortest = Math.min(shortest, await step(batch));
  return shortest;
}
