import assert from "node:assert/strict";
import { measureAgreement, tabulateConfusion } from "../../../plugins/kernels/agreement.ts";
import { addParticle, beadTemplate } from "../../../plugins/kernels/density.ts";
import { analyticModel } from "../../../plugins/kernels/density_models.ts";
import { fft3 } from "../../../plugins/kernels/fft.ts";
import { kmeans } from "../../../plugins/kernels/kmeans.ts";
import { evaluateMixture, fitMixture, mixtureFromLabels, MixtureTable } from "../../../plugins/kernels/mixture.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { eulerZyzToMatrix } from "../../../plugins/kernels/rotation.ts";
import { wedgeMask } from "../../../plugins/kernels/wedge.ts";
import simulatedStack from "../../../plugins/sources/simulated_stack.ts";
import { prepareScene } from "../../../plugins/sources/simulated/prepare_scene.ts";
import { parseScene } from "../../../plugins/sources/simulated/scene.ts";
import { stackOf } from "../../../plugins/sources/simulated/scene_stack.ts";
import type { PluginContext, Subtomograms } from "../../../streams/contract.ts";
import { makeSet } from "../../../plugins/sources/simulated/sets.ts";
import { contrastTransfer } from "../../../plugins/kernels/contrast_transfer.ts";
import { makeStack, type SimulatedStack, type StackOptions } from "../../../plugins/sources/simulated/stack.ts";

/** Energy that float32 transforms leave where it was set to zero, as a share of all. */
const LEAK = 1e-9;
/** Labels no better than this are useless: the bound that the models are made to hold. */
const USELESS_ARI = 0.2;

const templates = ["l-shape", "helix"].map((name) => beadTemplate(analyticModel(name), 18));
const defaults: StackOptions = {
  templates,
  count: 40,
  boxVoxels: 24,
  snr: Infinity,
  tiltRangeDegrees: [-60, 60],
  pickErrorVoxels: 1,
  seed: 5,
};

function variance(values: Float32Array): number {
  const mean = values.reduce((a, v) => a + v, 0) / values.length;
  return values.reduce((a, v) => a + (v - mean) ** 2, 0) / values.length;
}

function difference(a: SimulatedStack, b: SimulatedStack): Float32Array {
  return a.voxels.map((v, i) => v - b.voxels[i]);
}

Deno.test("the SNR of a stack is the variance of its wedge-filtered signal over that of its noise", () => {
  const clean = makeStack(defaults);
  const size = 24 ** 3;
  for (const snr of [0.05, 0.5]) {
    const noise = difference(makeStack({ ...defaults, snr }), clean);
    let signal = 0, noisePower = 0;
    for (let i = 0; i < 40; i++) {
      signal += variance(clean.voxels.subarray(i * size, (i + 1) * size));
      noisePower += variance(noise.subarray(i * size, (i + 1) * size));
    }
    // 40 boxes hold some 370,000 free coefficients: the noise's variance is known to 0.25 %.
    assert.ok(Math.abs(signal / noisePower / snr - 1) < 0.01, `${signal / noisePower} instead of ${snr}`);
  }
});

Deno.test("signal and noise hold no energy in the missing wedge", () => {
  for (const range of [[-60, 60], [-40, 40], [-50, 65]] as const) {
    const stack = makeStack({ ...defaults, count: 2, snr: 0.1, tiltRangeDegrees: range });
    const mask = wedgeMask(24, { tiltRangeDegrees: range, tiltAxis: "y", handedness: 1 }, "fft");
    const spectrum = new Float64Array(2 * mask.length);
    for (let i = 0; i < mask.length; i++) spectrum[2 * i] = stack.voxels[i];
    fft3(spectrum, [24, 24, 24]);
    let inside = 0, outside = 0;
    mask.forEach((m, i) => {
      const power = spectrum[2 * i] ** 2 + spectrum[2 * i + 1] ** 2;
      if (m === 0) outside += power;
      else inside += power;
    });
    assert.ok(mask.includes(0));
    assert.ok(outside < LEAK * inside, `${range}: ${outside / inside} of the energy lies in the wedge`);
  }
});

Deno.test("the truth of a box gives the box back: labels, RELION angles and shifts", () => {
  const stack = makeStack({ ...defaults, count: 6, tiltRangeDegrees: [-90, 90] });
  const size = 24 ** 3;
  for (let i = 0; i < 6; i++) {
    const [rot, tilt, psi] = stack.eulerZyzDegrees.subarray(3 * i);
    const box = new Float32Array(size);
    const centre = [0, 1, 2].map((axis) => 12 + stack.shiftsXyz[3 * i + axis]);
    addParticle(box, [24, 24, 24], templates[stack.labels[i]], centre, eulerZyzToMatrix(rot, tilt, psi));
    const peak = box.reduce((a, v) => Math.max(a, v), 0);
    box.forEach((v, j) => assert.ok(Math.abs(v - stack.voxels[i * size + j]) < 1e-5 * peak, `box ${i}, voxel ${j}`));
    assert.ok(stack.shiftsXyz.subarray(3 * i, 3 * i + 3).every((s) => Math.abs(s) <= 1));
  }
  assert.ok(stack.shiftsXyz.some((s) => Math.abs(s) > 0.1));
});

Deno.test("a stack depends on its seed and on nothing else", () => {
  const options = { ...defaults, count: 4, snr: 0.1 };
  const first = makeStack(options);
  assert.deepEqual(makeStack(options), first);
  assert.notDeepEqual(makeStack({ ...options, seed: 6 }).voxels, first.voxels);
  // The numbers themselves are pinned: a change of the generator must be noticed.
  assert.deepEqual([...makeStack({ ...options, count: 12 }).labels], [0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1]);
});

Deno.test("counts by species are kept, in a random order", () => {
  const { labels } = makeStack({ ...defaults, count: [7, 3] });
  assert.equal(labels.filter((label) => label === 0).length, 7);
  assert.equal(labels.length, 10);
  assert.notDeepEqual([...labels], [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
});

Deno.test("contrast transfer changes the signal as its formula says, and keeps the SNR", () => {
  const ctf = {
    defocusAngstrom: 30_000,
    voltageKilovolts: 300,
    sphericalAberrationMillimetres: 2.7,
    amplitudeContrast: 0.07,
    phaseFlipped: false,
  };
  const options = { ...defaults, count: 2, tiltRangeDegrees: [-90, 90] as const, voxelSizeAngstrom: 10, ctf };
  const plain = makeStack({ ...options, ctf: undefined }), seen = makeStack(options);
  const transform = (stack: SimulatedStack) => {
    const data = new Float64Array(2 * 24 ** 3);
    for (let i = 0; i < 24 ** 3; i++) data[2 * i] = stack.voxels[i];
    fft3(data, [24, 24, 24]);
    return data;
  };
  const before = transform(plain), after = transform(seen);
  // At 300 kV lambda is 0.0196876 A: at 1 / 240 A, chi = 0.032213.
  assert.ok(Math.abs(contrastTransfer(ctf, 1 / 240) - (Math.sqrt(1 - 0.07 ** 2) * Math.sin(0.032213) + 0.07 * Math.cos(0.032213))) < 1e-5);
  for (const [kz, ky, kx] of [[0, 0, 1], [1, 2, 3], [4, 0, 2]]) {
    const at = 2 * ((kz * 24 + ky) * 24 + kx), gain = contrastTransfer(ctf, Math.hypot(kz, ky, kx) / 240);
    assert.ok(Math.abs(after[at] - gain * before[at]) < 1e-4 * Math.hypot(before[at], before[at + 1]), `coefficient ${[kz, ky, kx]}`);
  }
  const noise = difference(makeStack({ ...options, count: 10, snr: 0.1, noisePowerExponent: 1 }), makeStack({ ...options, count: 10 }));
  const signal = makeStack({ ...options, count: 10 }).voxels;
  const size = 24 ** 3;
  let s = 0, n = 0;
  for (let i = 0; i < 10; i++) {
    s += variance(signal.subarray(i * size, (i + 1) * size));
    n += variance(noise.subarray(i * size, (i + 1) * size));
  }
  // Coloured noise has few strong coefficients: ten boxes know its variance to about 3 %.
  assert.ok(Math.abs(s / n / 0.1 - 1) < 0.1, `SNR ${s / n} instead of 0.1`);
});

/** Mean over shells of 1 voxel about the centre of each box, standardised. */
function radialProfiles(stack: SimulatedStack): { values: Float64Array; dims: number } {
  const b = stack.boxVoxels, n = stack.labels.length, dims = b / 2;
  const shell = Int32Array.from(
    { length: b ** 3 },
    (_, i) => Math.round(Math.hypot(i % b - b / 2, Math.floor(i / b) % b - b / 2, Math.floor(i / b / b) - b / 2)),
  );
  const sizes = new Float64Array(dims);
  shell.forEach((r) => r < dims && sizes[r]++);
  const values = new Float64Array(n * dims);
  for (let i = 0; i < n; i++) {
    shell.forEach((r, v) => {
      if (r < dims) values[i * dims + r] += stack.voxels[i * b ** 3 + v] / sizes[r];
    });
  }
  for (let d = 0; d < dims; d++) {
    let mean = 0, square = 0;
    for (let i = 0; i < n; i++) mean += values[i * dims + d] / n;
    for (let i = 0; i < n; i++) square += (values[i * dims + d] - mean) ** 2 / n;
    for (let i = 0; i < n; i++) values[i * dims + d] = (values[i * dims + d] - mean) / Math.sqrt(square);
  }
  return { values, dims };
}

Deno.test("radial profiles alone do not sort the models: k-means and a Gaussian mixture, both sets, SNR 0.1", () => {
  for (const set of ["choosing", "reporting"] as const) {
    const stack = makeSet(set, { seed: set === "choosing" ? 3 : 103, count: 300 });
    const { values, dims } = radialProfiles(stack);
    const ari = (labels: Int32Array) => measureAgreement(tabulateConfusion(stack.labels, labels)).ari;
    const byMeans = kmeans(values, dims, 6, createRandom(1, "radial"), { restarts: 5 }).labels;
    using table = new MixtureTable(values, dims);
    const fit = fitMixture(table, mixtureFromLabels(values, dims, byMeans, 6, 1e-3), {
      maxIterations: 100,
      tolerance: 1e-4,
      regularisation: 1e-3,
    });
    const byMixture = evaluateMixture(table, fit.mixture).labels;
    assert.ok(ari(byMeans) < USELESS_ARI, `${set}: k-means reaches ${ari(byMeans)}`);
    assert.ok(ari(byMixture) < USELESS_ARI, `${set}: a mixture reaches ${ari(byMixture)}`);
    // The check itself can see size: particles of two sizes are told apart by the same profiles.
    const twoSizes = makeStack({
      ...defaults,
      templates: [13, 20].map((d) => beadTemplate(analyticModel("barrel"), d)),
      snr: 0.1,
      count: 100,
    });
    const sized = radialProfiles(twoSizes);
    const found = kmeans(sized.values, sized.dims, 2, createRandom(1, "sizes"), { restarts: 5 }).labels;
    assert.ok(measureAgreement(tabulateConfusion(twoSizes.labels, found)).ari > 0.9);
  }
});

Deno.test("the source hands out the stack of a scene in normalised batches, and refuses a scene of tomograms", async () => {
  const scene = {
    voxelSizeAngstrom: 10,
    snr: 0.5,
    seed: 4,
    species: [{ model: "cap", diameterAngstrom: 160, count: 50 }, { model: "helix", diameterAngstrom: 160, count: 30 }],
    stack: { boxVoxels: 24 },
  };
  const context = { stage: "source", progress: () => {} } as unknown as PluginContext;
  const source = await simulatedStack.create(simulatedStack.options.parse({ scene }), context, {});
  const batches: Subtomograms[] = [];
  for await (const batch of source.open(new AbortController().signal)) batches.push(batch);
  assert.deepEqual(batches.map((batch) => batch.rows.length / 2), [64, 16]);
  assert.deepEqual([...batches[1].rows.subarray(0, 4)], [0, 64, 0, 65]);
  const expected = stackOf(await prepareScene(parseScene(scene)));
  const first = batches[0].voxels.subarray(0, 24 ** 3), wanted = expected.voxels.subarray(0, 24 ** 3);
  const scale = (first[1] - first[0]) / (wanted[1] - wanted[0]);
  // Each box is its simulated self, shifted and scaled.
  first.forEach((v, i) => assert.ok(Math.abs(v - first[0] - scale * (wanted[i] - wanted[0])) < 1e-3, `voxel ${i}`));
  const check = (given: unknown) => simulatedStack.check!(simulatedStack.options.parse(given));
  assert.deepEqual(check({ scene }), []);
  assert.match(
    check({ scene: { ...scene, stack: undefined, tomograms: [{ id: "a", shapeXyzVoxels: [64, 64, 64] }] } })[0],
    /use the source "simulated"/,
  );
  assert.match(check({})[0], /state one of/);
});
