import assert from "node:assert/strict";
import type { Picks, Triple } from "../../../streams/contract.ts";
import { InputError, RunError } from "../../../streams/errors.ts";
import dog from "../../../plugins/pickers/dog.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { memoryContext, memoryTomogram, memoryVolume } from "../memory_context.ts";
import scipy from "../../fixtures/dog.json" with { type: "json" };

/** Scores are float32; SciPy's are float64. */
const SCORE_TOLERANCE = 1e-4;

const shape = scipy.shapeZyx as unknown as Triple;
const options = {
  sigmaNarrowVoxels: scipy.sigmaNarrowVoxels,
  sigmaWideVoxels: scipy.sigmaWideVoxels,
  minimumDistanceVoxels: scipy.distance,
  deviation: "standard",
  maximumFlatness: 1,
  threshold: { deviations: scipy.deviations },
};

async function pick(given: Record<string, unknown>, voxels = Float32Array.from(scipy.voxels), sizes = shape, context = memoryContext()) {
  const picker = await dog.create(dog.options.parse(given), context, {});
  const picks = await picker.apply(memoryTomogram({ raw: memoryVolume(voxels, sizes) }), context.signal) as Picks;
  return { picks, context };
}
const triples = (xyz: ArrayLike<number>) => Array.from({ length: xyz.length / 3 }, (_, i) => [xyz[3 * i], xyz[3 * i + 1], xyz[3 * i + 2]]);

/** Bright blobs of sigma 3 on noise. */
function blobs(centres: readonly number[][], size: number, key: string, height = 3): Float32Array<ArrayBuffer> {
  const random = createRandom(6, "dog test", key);
  return Float32Array.from({ length: size ** 3 }, (_, i) => {
    const x = i % size, y = Math.floor(i / size) % size, z = Math.floor(i / size / size);
    return random.normal() +
      centres.reduce((sum, [a, b, c, h = 1]) => sum + h * height * Math.exp(-((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2) / 18), 0);
  });
}
const sigmas = { sigmaNarrowVoxels: 2.5, sigmaWideVoxels: 5, minimumDistanceVoxels: 8 };

/** Picks as `x,y,z -> score`, strongest first. */
function strongestFirst(picks: Picks): number[][] {
  return triples(picks.centresXyz).map((p, i) => [...p, picks.score[i]]).sort((a, b) => b[3] - a[3]);
}

Deno.test("`dog` gives SciPy's picks with its scores", async () => {
  const picks = strongestFirst((await pick(options)).picks);
  assert.ok(scipy.picksXyz.length >= 10);
  assert.deepEqual(picks.map((p) => p.slice(0, 3)), scipy.picksXyz);
  picks.forEach(([, , , score], i) => assert.ok(Math.abs(score - scipy.scores[i]) < SCORE_TOLERANCE));
});

Deno.test("`dog` takes thresholds as deviations, densities or percentiles", async () => {
  const absolute = scipy.mean + scipy.deviations * scipy.deviation, xyz = (picks: Picks) => strongestFirst(picks).map((p) => p.slice(0, 3));
  assert.deepEqual(xyz((await pick({ ...options, threshold: { absolute } })).picks), scipy.picksXyz);
  const expected = scipy.picksXyz.filter((_, i) => scipy.mean + scipy.scores[i] * scipy.deviation >= scipy.percentile97);
  assert.ok(expected.length > 0 && expected.length < scipy.picksXyz.length);
  assert.deepEqual(xyz((await pick({ ...options, threshold: { percentile: 97 } })).picks), expected);
});

Deno.test("`dog` hands out neighbours together: rows of 32 x 32 voxels along x", async () => {
  const size = 72, random = createRandom(2, "order");
  const voxels = Float32Array.from({ length: size ** 3 }, () => random.normal());
  const { picks } = await pick(
    { sigmaNarrowVoxels: 1, sigmaWideVoxels: 2, minimumDistanceVoxels: 6, threshold: { deviations: 2 } },
    voxels,
    [size, size, size],
  );
  const keys = triples(picks.centresXyz).map(([x, y, z]) => (Math.floor(z / 32) * 3 + Math.floor(y / 32)) * size + x);
  assert.ok(keys.length > 100);
  assert.deepEqual(keys, [...keys].sort((a, b) => a - b));
});

Deno.test("`dog` finds particles and keeps the maximum number", async () => {
  const centres = [[12, 14, 20], [30, 33, 9], [38, 10, 36], [10, 38, 37], [4, 24, 24]], size = 48;
  const voxels = blobs(centres, size, "find"), cube: Triple = [size, size, size];
  const near = (picks: Picks) =>
    triples(picks.centresXyz).map((p) => centres.findIndex((c) => Math.hypot(p[0] - c[0], p[1] - c[1], p[2] - c[2]) < 3));
  const all = near((await pick({ ...sigmas, threshold: { deviations: 6 } }, voxels, cube)).picks);
  assert.deepEqual([...all].sort(), [0, 1, 2, 3, 4]);
  const few = await pick({ ...sigmas, threshold: { deviations: 6 }, maximumPicks: 2 }, voxels, cube);
  const strongest = strongestFirst((await pick({ ...sigmas, threshold: { deviations: 6 } }, voxels, cube)).picks).slice(0, 2);
  assert.deepEqual(strongestFirst(few.picks), strongest);
  assert.match(few.context.told.at(-1)!.message, /5 picks, the strongest 2 are kept/);
});

Deno.test("`dog` looks for several sizes at once and says which one each pick has", async () => {
  const size = 56, small = [14, 14, 28], large = [40, 38, 28], random = createRandom(6, "sizes");
  const voxels = Float32Array.from({ length: size ** 3 }, (_, i) => {
    const x = i % size, y = Math.floor(i / size) % size, z = Math.floor(i / size / size);
    const ball = (c: number[], r: number) => Math.hypot(x - c[0], y - c[1], z - c[2]) <= r ? 1 : 0;
    return 0.3 * random.normal() + ball(small, 4) + ball(large, 10);
  });
  const given = { particleDiameterAngstrom: 200, minimumDistanceVoxels: 10, threshold: { deviations: 6 }, maximumFlatness: 1 };
  const both = (await pick({ ...given, furtherDiametersAngstrom: [80] }, voxels, [size, size, size])).picks;
  const found = triples(both.centresXyz).map((p, i) => [p, both.columns.diameterAngstrom[i]] as const);
  for (const [centre, diameter] of [[small, 80], [large, 200]] as const) {
    const near = found.filter(([p]) => Math.hypot(p[0] - centre[0], p[1] - centre[1], p[2] - centre[2]) < 2);
    assert.deepEqual(near.map(([, own]) => own), [diameter]);
  }
  // One scale alone gives the same scores there as it does beside others.
  const alone = (await pick(given, voxels, [size, size, size])).picks;
  assert.deepEqual(alone.columns, {});
  const large1 = strongestFirst(alone)[0], large2 = strongestFirst(both).find((p) => p.slice(0, 3).join() === large1.slice(0, 3).join());
  assert.deepEqual(large2, large1);
});

Deno.test("`dog` leaves out flat peaks and counts them", async () => {
  const size = 48, random = createRandom(6, "sheet");
  // A ball, and a sheet with a bump on it.
  const voxels = Float32Array.from({ length: size ** 3 }, (_, i) => {
    const x = i % size, y = Math.floor(i / size) % size, z = Math.floor(i / size / size);
    const ball = Math.exp(-((x - 14) ** 2 + (y - 24) ** 2 + (z - 24) ** 2) / 18);
    const sheet = Math.exp(-((x - 36) ** 2) / 18) * (1 + 0.3 * Math.exp(-((y - 20) ** 2 + (z - 20) ** 2) / 200));
    return 0.05 * random.normal() + ball + sheet;
  });
  const all = await pick({ ...sigmas, threshold: { absolute: 0.1 }, maximumFlatness: 1 }, voxels, [size, size, size]);
  assert.ok(all.picks.score.length >= 2);
  const { picks, context } = await pick({ ...sigmas, threshold: { absolute: 0.1 } }, voxels, [size, size, size]);
  assert.equal(picks.score.length, 1);
  assert.ok(Math.hypot(picks.centresXyz[0] - 14, picks.centresXyz[1] - 24, picks.centresXyz[2] - 24) < 1.5);
  assert.deepEqual(context.told.map(({ message, count }) => [message, count]), [[
    "peak flatter than maximumFlatness 0.75",
    all.picks.score.length - 1,
  ]]);
});

Deno.test("`dog` refines centres to parts of a voxel when asked", async () => {
  const centre = [20.4, 23.3, 21.7], size = 44;
  const voxels = blobs([centre], size, "subvoxel", 30);
  const { picks } = await pick({ ...sigmas, threshold: { deviations: 20 }, subvoxel: true }, voxels, [size, size, size]);
  // Noise of a thirtieth of the blob moves the top by less.
  centre.forEach((v, axis) => assert.ok(Math.abs(picks.centresXyz[axis] - v) < 0.12, `${picks.centresXyz}`));
});

Deno.test("`dog` derives sigmas from the particle's diameter and says how", async () => {
  const { context, picks } = await pick({ particleDiameterAngstrom: 80 });
  assert.match(
    context.told[0].message,
    /^particle diameter 80 A \/ 10 A = 8\.00 voxels; sigma narrow .* = .* voxels, wide .* = .* voxels$/,
  );
  assert.ok(picks.score.every((score) => score >= 3.5));
});

Deno.test("`dog` warns when particles are dark", async () => {
  const voxels = blobs([[12, 14, 20], [30, 33, 9], [38, 10, 36], [20, 30, 40]], 48, "dark", 4).map((v) => -v);
  const { context } = await pick({ ...sigmas, threshold: { deviations: 6 } }, voxels, [48, 48, 48]);
  assert.deepEqual(context.told.map(({ code }) => code), ["contrast", "no-picks"]);
  const bright = await pick({ ...sigmas, threshold: { deviations: 6 } }, voxels.map((v) => -v), [48, 48, 48]);
  assert.deepEqual(bright.context.told, []);
});

Deno.test("`dog` refuses voxels that are no numbers, constant volumes and unknown volumes", async () => {
  const voxels = Float32Array.from(scipy.voxels);
  await assert.rejects(
    pick(options, voxels.map(() => 7)),
    (e: Error) => e instanceof InputError && /is constant \(8320 voxels\)/.test(e.message),
  );
  voxels[4000] = NaN;
  await assert.rejects(pick(options, voxels), (e: Error) => e instanceof InputError && /NaN or infinite/.test(e.message));
  await assert.rejects(
    pick({ ...options, volume: "corrected" }),
    (e: Error) => e instanceof RunError && /no volume "corrected", only "raw"/.test(e.message),
  );
});

Deno.test("`dog` checks its options", () => {
  const faults = (given: Record<string, unknown>) => dog.check!(dog.options.parse(given));
  assert.match(faults({})[0], /state "particleDiameterAngstrom", or both/);
  assert.match(faults({ sigmaNarrowVoxels: 2 })[0], /state "particleDiameterAngstrom", or both/);
  assert.match(faults({ sigmaNarrowVoxels: 5, sigmaWideVoxels: 2 })[0], /5 is not below sigmaWideVoxels 2/);
  assert.match(faults({ particleDiameterAngstrom: 240, furtherDiametersAngstrom: [90], sigmaWideVoxels: 9 })[0], /without "sigmaNarrow/);
  assert.deepEqual(faults({ particleDiameterAngstrom: 240 }), []);
  assert.equal(dog.options.safeParse({ threshold: { deviations: 3, absolute: 2 } }).success, false);
});

Deno.test("`dog` stops when it is told to, between bricks", async () => {
  const context = memoryContext(), controller = new AbortController(), size = 260;
  const volume = memoryVolume(new Float32Array(size * size * size), [size, size, size]);
  const run = context.pool.run;
  (context.pool as { run: typeof run }).run = (...args) => {
    controller.abort(new DOMException("enough", "AbortError"));
    return run(...args);
  };
  const picker = await dog.create(dog.options.parse(sigmas), context, {});
  await assert.rejects(async () => await picker.apply(memoryTomogram({ raw: volume }), controller.signal), /enough/);
  assert.ok(context.calls <= context.pool.size + 1);
});
