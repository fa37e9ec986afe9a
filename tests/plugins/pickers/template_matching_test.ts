import assert from "node:assert/strict";
import type { Picks, Tomogram, Triple } from "../../../streams/contract.ts";
import { InputError } from "../../../streams/errors.ts";
import { eulerZyzToMatrix } from "../../../plugins/kernels/rotation.ts";
import { rotationSpacing } from "../../../plugins/kernels/super_fibonacci.ts";
import templateMatching from "../../../plugins/pickers/template_matching.ts";
import { prepareScene } from "../../../plugins/sources/simulated/prepare_scene.ts";
import { parseScene } from "../../../plugins/sources/simulated/scene.ts";
import { layOut } from "../../../plugins/sources/simulated/tomogram.ts";
import { simulateTomogram } from "../../../plugins/sources/simulated.ts";
import { memoryContext, memoryTomogram, memoryVolume } from "../memory_context.ts";

/** Float32 transforms of other lengths round otherwise. */
const TILING_TOLERANCE = 2e-5;

/** A small tomogram of asymmetric particles 12 voxels across, and its truth. */
async function simulate(seed: number) {
  const scene = parseScene({
    seed,
    voxelSizeAngstrom: 20,
    snr: 0.5,
    species: [{ model: "l-shape", diameterAngstrom: 240, count: 8 }],
    goldBeads: { count: 1, diameterAngstrom: 100 },
    tomograms: [{ id: "cell", shapeXyzVoxels: [60, 56, 40] }],
  });
  const prepared = await prepareScene(scene);
  return { tomogram: simulateTomogram(prepared, 0), truth: layOut(prepared, 0) };
}

const given = { model: "l-shape", diameterAngstrom: 240, angularStepDegrees: 40 };

async function pick(tomogram: Tomogram, options: Record<string, unknown>, context = memoryContext()) {
  const picker = await templateMatching.create(templateMatching.options.parse(options), context, {});
  return { picks: await picker.apply(tomogram, context.signal) as Picks, context };
}

/** Angle in degrees between two orientations. */
function angleBetween(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const m = eulerZyzToMatrix(a[0], a[1], a[2]), n = eulerZyzToMatrix(b[0], b[1], b[2]);
  const trace = m.reduce((sum, v, i) => sum + v * n[i], 0);
  return Math.acos(Math.max(-1, Math.min(1, (trace - 1) / 2))) * 180 / Math.PI;
}

Deno.test("`template-matching` finds simulated particles and their orientations, not the bead", async () => {
  const { tomogram, truth } = await simulate(1);
  const { picks, context } = await pick(tomogram, { ...given, angularStepDegrees: 30 });
  const angles: number[] = [];
  for (let t = 0; t < truth.species.length; t++) {
    const near = Array.from(picks.score.keys()).find((i) =>
      Math.hypot(...[0, 1, 2].map((axis) => picks.centresXyz[3 * i + axis] - truth.centresXyz[3 * t + axis])) < 3
    );
    if (near === undefined) continue;
    angles.push(angleBetween(picks.eulerZyzDegrees!.subarray(3 * near, 3 * near + 3), truth.eulerZyzDegrees.subarray(3 * t, 3 * t + 3)));
  }
  assert.ok(angles.length >= 7 && picks.score.length <= angles.length + 1, `${angles.length} right of ${picks.score.length}`);
  angles.sort((a, b) => a - b);
  assert.ok(angles[angles.length >> 1] < 30, `${angles}`);
  assert.match(context.told[0].message, /^551 orientations, 30 degrees apart; mask of radius 6\.0 voxels$/);
  assert.ok(context.steps.length > 0 && context.steps.at(-1)![0] === context.steps.at(-1)![1]);
});

Deno.test("`template-matching` gives the same picks in tiles of any size", async () => {
  const { tomogram } = await simulate(2);
  const [whole, tiled] = [
    (await pick(tomogram, { ...given, angularStepDegrees: 70, tileVoxels: 128, threshold: { score: 0.2 } })).picks,
    (await pick(tomogram, {
      ...given,
      angularStepDegrees: 70,
      tileVoxels: 36,
      threshold: { score: 0.2 },
    })).picks,
  ];
  assert.ok(whole.score.length >= 8);
  assert.deepEqual(tiled.centresXyz, whole.centresXyz);
  assert.deepEqual(tiled.eulerZyzDegrees, whole.eulerZyzDegrees);
  tiled.score.forEach((score, i) => assert.ok(Math.abs(score - whole.score[i]) < TILING_TOLERANCE));
});

Deno.test("`template-matching` reads no more than a tile at a time and stops when it is told to", async () => {
  const size: Triple = [60, 140, 140], context = memoryContext(), controller = new AbortController();
  const volume = memoryVolume(new Float32Array(60 * 140 * 140).map((_, i) => Math.sin(i * i)), size, 20), read = volume.readBox;
  let largest = 0;
  volume.readBox = (corner, box) => {
    largest = Math.max(largest, box[0] * box[1] * box[2]);
    return read(corner, box);
  };
  const run = context.pool.run;
  let calls = 0;
  (context.pool as { run: typeof run }).run = (...args) => {
    if (++calls === 3) controller.abort(new DOMException("enough", "AbortError"));
    return run(...args);
  };
  const tomogram = {
    ...memoryTomogram({ raw: volume }),
    geometry: { tiltRangeDegrees: [-60, 60] as const, tiltAxis: "y" as const, handedness: 1 as const },
  };
  const picker = await templateMatching.create(
    templateMatching.options.parse({ ...given, angularStepDegrees: 80, tileVoxels: 40 }),
    context,
    {},
  );
  await assert.rejects(async () => await picker.apply(tomogram, controller.signal), /enough/);
  assert.ok(calls <= 4 && largest <= 40 ** 3, `${calls} calls, ${largest} voxels`);
});

Deno.test("`template-matching` uses the template's symmetry: fewer orientations, the same places", async () => {
  const { tomogram } = await simulate(3);
  const seven = { model: "ring-of-seven", diameterAngstrom: 240, angularStepDegrees: 40, threshold: { score: 0.2 } };
  const { context } = await pick(tomogram, { ...seven, symmetryFold: 7 });
  const few = Number(/^(\d+) orientations, .* 7-fold symmetry used/.exec(context.told[0].message)![1]);
  const all = Math.ceil(8 * Math.PI ** 2 / (40 * Math.PI / 180) ** 3);
  assert.ok(Math.abs(rotationSpacing(all) * 180 / Math.PI - 40) < 0.2);
  assert.ok(few > all / 12 && few < all / 4, `${few} of ${all}`);
});

Deno.test("`template-matching` refuses an unknown tilt range or voxel size, volumes that are too small, constant or not finite", async () => {
  const volume = (value: (i: number) => number, voxelSize = 20, size: Triple = [24, 24, 24]) =>
    memoryTomogram({ raw: memoryVolume(Float32Array.from({ length: size[0] * size[1] * size[2] }, (_, i) => value(i)), size, voxelSize) });
  const known = (tomogram: Tomogram): Tomogram => ({
    ...tomogram,
    geometry: { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: 1 },
  });
  const refused = (tomogram: Tomogram, message: RegExp) =>
    assert.rejects(pick(tomogram, { ...given, angularStepDegrees: 80 }), (e: Error) => e instanceof InputError && message.test(e.message));
  await refused(volume(Math.sin), /memory: the tilt range is unknown.*state source\.options\.tiltRangeDegrees/);
  await refused(known(volume(Math.sin, 0)), /voxel size is unknown/);
  await refused(known(volume(Math.sin, 20, [24, 24, 12])), /has 12 x 24 x 24 voxels \(x, y, z\), the template's mask 17 a side/);
  await refused(known(volume(() => 2)), /is constant/);
  await refused(known(volume((i) => i === 5000 ? NaN : Math.sin(i))), /NaN or infinite/);
});

Deno.test("`template-matching` checks its options", () => {
  const faults = (options: Record<string, unknown>) => templateMatching.check!(templateMatching.options.parse(options));
  assert.match(faults({})[0], /state one of "map", "atoms" and "model"/);
  assert.match(faults({ map: "a.mrc", atoms: "b.pdb" })[0], /state one of/);
  assert.match(faults({ model: "cap" })[0], /state "diameterAngstrom"/);
  assert.deepEqual(faults(given), []);
});
