/**
 * Boxes per second, one thread: rotation, preparation and augmentation beside SciPy's `affine_transform` in the same run.
 *
 * Run: deno task bench:rotate [python] [BOX...]. `python` is an interpreter with SciPy; without one only our own figures are printed.
 */
import { normaliseBoxes, prepareBoxes } from "../../plugins/kernels/prepare.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import { rotateAndPrepareBoxes, rotateBoxes } from "../../plugins/kernels/rotate.ts";
import { randomRotation } from "../../plugins/kernels/rotation.ts";

const [python = "python3", ...sizes] = Deno.args;
console.log(`Deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores`);
for (const box of sizes.length ? sizes.map(Number) : [24, 32]) {
  const count = 20, random = createRandom(1, "bench");
  const voxels = Float32Array.from({ length: count * box ** 3 }, () => random.normal());
  const matrices = new Float64Array(9 * count);
  for (let i = 0; i < count; i++) matrices.set(randomRotation(random), 9 * i);
  const options = { lowPassVoxels: 1 };
  const measure = (work: () => unknown) => {
    let best = Infinity;
    for (let pass = 0; pass < 8; pass++) {
      const start = performance.now();
      work();
      if (pass > 1) best = Math.min(best, performance.now() - start);
    }
    return Math.round(count / best * 1000);
  };
  const ours = {
    rotate: measure(() => rotateBoxes(voxels, count, box, matrices)),
    augment: measure(() => rotateAndPrepareBoxes(voxels, count, box, matrices, options)),
    prepare: measure(() => prepareBoxes(voxels, count, box, options)),
    normalise: measure(() => normaliseBoxes(voxels, count, box)),
  };
  const env = Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => !name.includes("OPENBLAS")));
  console.log(
    `box ${box}: rotate (cubic) ${ours.rotate}/s, augment ${ours.augment}/s, prepare ${ours.prepare}/s, normalise ${ours.normalise}/s`,
  );
  try {
    const peer = await new Deno.Command(python, {
      args: [new URL("rotate.py", import.meta.url).pathname, String(box)],
      clearEnv: true,
      env: { ...env, OPENBLAS_NUM_THREADS: "1", OMP_NUM_THREADS: "1" },
    }).output();
    const scipy = JSON.parse(new TextDecoder().decode(peer.stdout));
    console.log(
      `  SciPy ${scipy.scipy} linear ${Math.round(scipy.order1)}/s, cubic ${Math.round(scipy.order3)}/s; ` +
        `rotate is ${(ours.rotate / scipy.order3).toFixed(1)} x SciPy's cubic, ${(ours.rotate / scipy.order1).toFixed(2)} x its linear`,
    );
  } catch (error) {
    console.log(`  no peer: ${python} with SciPy: ${(error as Error).message}`);
  }
}
