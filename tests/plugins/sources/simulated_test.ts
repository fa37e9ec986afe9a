import assert from "node:assert/strict";
import type { PluginContext, Tomogram } from "../../../streams/contract.ts";
import { RunError } from "../../../streams/errors.ts";
import { fft3, frequencyOf } from "../../../plugins/kernels/fft.ts";
import { createRandom } from "../../../plugins/kernels/random.ts";
import { addParticle } from "../../../plugins/kernels/density.ts";
import { eulerZyzToMatrix } from "../../../plugins/kernels/rotation.ts";
import { checkPlugin } from "../../../streams/check_plugin.ts";
import simulatedStack from "../../../plugins/sources/simulated_stack.ts";
import simulated, { simulateTomogram } from "../../../plugins/sources/simulated.ts";
import { distanceToSheet, placeSheet, placeSpheres } from "../../../plugins/sources/simulated/placement.ts";
import { prepareScene } from "../../../plugins/sources/simulated/prepare_scene.ts";
import { checkScene, parseScene, type Scene } from "../../../plugins/sources/simulated/scene.ts";
import { layOut, renderTomogram, variantsOf } from "../../../plugins/sources/simulated/tomogram.ts";

/** Energy that float32 transforms leave where it was set to zero, as a share of all. */
const LEAK = 1e-9;

const scene = (changes: Record<string, unknown> = {}): Scene =>
  parseScene({
    seed: 3,
    voxelSizeAngstrom: 10,
    snr: 0.2,
    species: [
      { model: "ring-of-seven", diameterAngstrom: 160, count: 12 },
      { name: "big", model: "cap", diameterAngstrom: 200, count: 6 },
    ],
    tomograms: [{ id: "b", shapeXyzVoxels: [96, 80, 48] }, {
      id: "a",
      shapeXyzVoxels: [64, 64, 40],
      counts: { big: 0, "ring-of-seven": 4 },
    }],
    ...changes,
  });

const context = { stage: "source", signal: new AbortController().signal } as unknown as PluginContext;

async function collect(options: unknown): Promise<Tomogram[]> {
  const source = await simulated.create(simulated.options.parse(options), context, {});
  const tomograms: Tomogram[] = [];
  for await (const tomogram of source.open(context.signal)) tomograms.push(tomogram);
  return tomograms;
}

function variance(values: Float32Array): number {
  const mean = values.reduce((a, v) => a + v, 0) / values.length;
  return values.reduce((a, v) => a + (v - mean) ** 2, 0) / values.length;
}

Deno.test("`placeSpheres()` lets nothing overlap, keeps the margin and stays clear of sheets", () => {
  const shape = [60, 100, 120] as const;
  const random = createRandom(8, "placement");
  const sheet = placeSheet(random, shape, 300, 4, 1);
  const spheres = Array.from({ length: 90 }, (_, i) => ({ radius: i % 3 === 0 ? 7 : 4, margin: i % 3 === 0 ? 12 : 4, name: "x" }));
  const c = placeSpheres(random, shape, spheres, [sheet], 1.5, "test");
  const limits = [120, 100, 60];
  let nearest = Infinity;
  spheres.forEach((sphere, i) => {
    const p = c.subarray(3 * i, 3 * i + 3);
    p.forEach((v, axis) =>
      assert.ok(v >= sphere.margin && v <= limits[axis] - 1 - sphere.margin, `sphere ${i} at ${v} along axis ${axis}`)
    );
    assert.ok(distanceToSheet(sheet, p[0], p[1], p[2]) >= sphere.radius + 2, `sphere ${i} touches the sheet`);
    for (let j = 0; j < i; j++) {
      const distance = Math.hypot(p[0] - c[3 * j], p[1] - c[3 * j + 1], p[2] - c[3 * j + 2]);
      nearest = Math.min(nearest, distance - sphere.radius - spheres[j].radius);
    }
  });
  assert.ok(nearest >= 1.5, `two spheres are ${nearest} voxels apart`);
  // Crowded enough for the check to matter.
  assert.ok(nearest < 3, `the nearest two are ${nearest} apart`);
});

Deno.test("`placeSpheres()` says how full the volume is when a sphere finds no place", () => {
  const spheres = Array.from({ length: 60 }, () => ({ radius: 8, margin: 8, name: "ribosome" }));
  assert.throws(
    () => placeSpheres(createRandom(1, "full"), [40, 40, 40], spheres, [], 0, "tomo"),
    (e) =>
      e instanceof RunError &&
      /^tomo: after \d+ of 60 particles there is no room for "ribosome".*201 % of the volume.*lower species/.test(e.message),
  );
  assert.throws(() => placeSpheres(createRandom(1, "thin"), [10, 40, 40], spheres, [], 0, "tomo"), RunError);
});

Deno.test("a tomogram holds its particles where the truth says, in RELION's convention", async () => {
  const prepared = await prepareScene(scene({ snr: null, tiltRangeDegrees: [-90, 90] }));
  const layout = layOut(prepared, 0);
  assert.equal(layout.species.length, 18);
  const volume = renderTomogram(prepared, 0, layout, variantsOf(prepared)[0]);
  const expected = new Float32Array(volume.length);
  layout.species.forEach((kind, i) => {
    const [rot, tilt, psi] = layout.eulerZyzDegrees.subarray(3 * i);
    addParticle(
      expected,
      layout.shapeZyx,
      prepared.species[kind].template,
      layout.centresXyz.subarray(3 * i),
      eulerZyzToMatrix(rot, tilt, psi),
    );
  });
  const peak = expected.reduce((a, v) => Math.max(a, v), 0);
  volume.forEach((v, i) => assert.ok(Math.abs(v - expected[i]) < 1e-5 * peak, `voxel ${i}`));
});

for (const changes of [{}, { noisePowerExponent: 1, ctf: { defocusAngstrom: 30000 } }]) {
  const what = Object.keys(changes).length ? "with contrast transfer and coloured noise" : "with white noise";
  Deno.test(`a tomogram ${what} has the stated SNR and an empty missing wedge`, async () => {
    const prepared = await prepareScene(scene({ snr: 0.2, ...changes }));
    const layout = layOut(prepared, 0);
    const [raw] = variantsOf(prepared);
    const volume = renderTomogram(prepared, 0, layout, raw);
    const clean = renderTomogram(prepared, 0, layout, { ...raw, noiseDeviation: 0 });
    const noise = variance(volume.map((v, i) => v - clean[i]));
    // The numerator is that of a lone particle in the box of the SNR (checked against stacks elsewhere).
    assert.ok(Math.abs(prepared.signalVariance / noise / 0.2 - 1) < 0.05, `SNR ${prepared.signalVariance / noise}`);
    const [nz, ny, nx] = layout.shapeZyx;
    const spectrum = new Float64Array(2 * volume.length);
    volume.forEach((v, i) => spectrum[2 * i] = v);
    fft3(spectrum, layout.shapeZyx);
    let outside = 0, all = 0;
    for (let z = 0, i = 0; z < nz; z++) {
      for (let y = 0; y < ny; y++) {
        for (let x = 0; x < nx; x++, i++) {
          const power = spectrum[2 * i] ** 2 + spectrum[2 * i + 1] ** 2;
          const fz = Math.abs(frequencyOf(z, nz)) / nz, fx = Math.abs(frequencyOf(x, nx)) / nx;
          all += power;
          if (fz > fx * Math.tan(Math.PI / 3) * (1 + 1e-9)) outside += power;
        }
      }
    }
    assert.ok(outside < LEAK * all, `${outside / all} of the energy lies in the wedge`);
  });
}

Deno.test("membranes and gold beads add density, and particles keep away from both", async () => {
  const options = {
    membranes: [{ radiusAngstrom: 1500 }],
    goldBeads: { count: 3, diameterAngstrom: 60 },
    snr: null,
    tiltRangeDegrees: [-90, 90],
  };
  const prepared = await prepareScene(scene(options));
  const layout = layOut(prepared, 0);
  assert.equal(layout.goldXyz.length, 9);
  const volume = renderTomogram(prepared, 0, layout, variantsOf(prepared)[0]);
  const [, ny, nx] = layout.shapeZyx;
  for (let i = 0; i < 9; i += 3) {
    const [x, y, z] = layout.goldXyz.subarray(i, i + 3).map(Math.round);
    assert.ok(Math.abs(volume[(z * ny + y) * nx + x] - 7.2) < 1e-3, `bead ${i / 3}: ${volume[(z * ny + y) * nx + x]}`);
  }
  const sheet = layout.sheets[0];
  let onSheet = 0;
  for (let i = 0; i < volume.length; i++) {
    const x = i % nx, y = Math.floor(i / nx) % ny, z = Math.floor(i / nx / ny);
    // A voxel on a leaflet: its peak density is 0.9.
    if (Math.abs(distanceToSheet(sheet, x, y, z) - sheet.halfThickness) < 0.1) {
      onSheet++;
      assert.ok(volume[i] > 0.85, `voxel ${[x, y, z]} of the membrane holds ${volume[i]}`);
    }
  }
  assert.ok(onSheet > 500);
  layout.species.forEach((kind, i) => {
    const [x, y, z] = layout.centresXyz.subarray(3 * i, 3 * i + 3);
    const radius = prepared.species[kind].template.diameterVoxels / 2;
    assert.ok(distanceToSheet(sheet, x, y, z) > radius);
    for (let g = 0; g < 9; g += 3) {
      assert.ok(Math.hypot(x - layout.goldXyz[g], y - layout.goldXyz[g + 1], z - layout.goldXyz[g + 2]) >= radius + 3);
    }
  });
});

Deno.test("the source hands out tomograms by id, bright, with paired volumes, and reopens them alike", async () => {
  const given = scene({ pairedVolumes: [{ name: "isonet", snr: 5 }] });
  const tomograms = await collect({ scene: given });
  assert.deepEqual(tomograms.map(({ id, ordinal }) => [id, ordinal]), [["a", 0], ["b", 1]]);
  const [a, b] = tomograms;
  assert.deepEqual(a.volumes.raw.shapeZyx, [40, 64, 64]);
  assert.deepEqual(Object.keys(b.volumes), ["raw", "isonet"]);
  assert.deepEqual(b.geometry, { tiltRangeDegrees: [-60, 60], tiltAxis: "y", handedness: 1 });
  const raw = await b.volumes.raw.readSlab(0, 48), corrected = await b.volumes.isonet.readSlab(0, 48);
  assert.ok(variance(corrected) < variance(raw) / 3);
  // Bright: the strongest voxels of the nearly clean volume are positive.
  const sorted = corrected.toSorted();
  assert.ok(sorted[sorted.length - 1] > -2 * sorted[0], `${sorted[0]} to ${sorted[sorted.length - 1]}`);
  assert.deepEqual(
    await b.volumes.raw.readBox([3, 4, 5], [2, 3, 4]),
    Float32Array.from({ length: 24 }, (_, i) => raw[((3 + Math.floor(i / 12)) * 80 + 4 + Math.floor(i / 4) % 3) * 96 + 5 + i % 4]),
  );
  await assert.rejects(b.volumes.raw.readBox([47, 0, 0], [2, 1, 1]), RangeError);
  const source = await simulated.create(simulated.options.parse({ scene: given }), context, {});
  const again = await source.reopen!(1);
  assert.deepEqual(await again!.volumes.raw.readSlab(20, 22), raw.slice(20 * 80 * 96, 22 * 80 * 96));
  assert.equal(await source.reopen!(2), null);
});

Deno.test("a tomogram does not depend on which others a scene holds", async () => {
  const both = await prepareScene(scene({ snr: null }));
  const given = scene({ snr: null });
  const alone = await prepareScene({ ...given, tomograms: given.tomograms!.slice(1) });
  assert.deepEqual(
    await simulateTomogram(both, 1).volumes.raw.readSlab(0, 40),
    await simulateTomogram(alone, 0).volumes.raw.readSlab(0, 40),
  );
});

Deno.test("an abort ends a simulation", async () => {
  const prepared = await prepareScene(scene());
  const abort = new AbortController();
  abort.abort(new Error("stopped"));
  assert.throws(() => simulateTomogram(prepared, 0, abort.signal), /stopped/);
});

Deno.test("`check()` asks for one scene, of tomograms", () => {
  const check = (options: unknown) => simulated.check!(simulated.options.parse(options));
  assert.deepEqual(check({}), [`state one of "scene" and "scenePath"`]);
  assert.deepEqual(check({ scene: scene() }), []);
  assert.match(check({ scene: scene({ tomograms: undefined, stack: { boxVoxels: 24 } }) })[0], /simulated-stack/);
  assert.match(check({ scene: scene({ tiltRangeDegrees: [60, -60] }) })[0], /tiltRangeDegrees: the range runs from 60 to -60/);
});

Deno.test("`checkScene()` tells every fault between values, with its place", () => {
  const model = { model: "cap", diameterAngstrom: 200, count: 1 };
  const faults = (changes: Record<string, unknown>) =>
    checkScene(scene(changes)).map(({ path, message }) => `${path.join(".")} ${message}`);
  const cases: readonly (readonly [Record<string, unknown>, RegExp])[] = [
    [{ tomograms: undefined }, /^ neither "tomograms" nor "stack"/],
    [{ stack: { boxVoxels: 24 } }, /^ "tomograms" and "stack" both/],
    [{ species: [{ count: 1 }] }, /^species\.0 no density: state one of/],
    [{ species: [{ ...model, map: "x.mrc" }] }, /^species\.0 model and map together/],
    [{ species: [{ model: "cap", count: 1 }] }, /^species\.0 "cap" has no "diameterAngstrom"/],
    [{ species: [{ ...model, resolutionAngstrom: 20 }] }, /^species\.0\.resolutionAngstrom "resolutionAngstrom" belongs to "atoms"/],
    [{ species: [model, model] }, /^species\.1 two species are named "cap" \(species\[0\] too\)/],
    [{ species: [{ ...model, count: 0 }], tomograms: [{ id: "a", shapeXyzVoxels: [64, 64, 40] }] }, /^species every count is 0/],
    [
      { tomograms: [{ id: "a", shapeXyzVoxels: [64, 64, 40], counts: { bog: 1 } }] },
      /^tomograms\.0\.counts\.bog no species is named "bog"/,
    ],
    [
      { tomograms: [{ id: "a", shapeXyzVoxels: [64, 64, 16] }] },
      /^tomograms\.0\.shapeXyzVoxels species\[1\] "big" needs 200 A, the tomogram is 160 A thick/,
    ],
    [{ tomograms: [1, 2].map(() => ({ id: "a", shapeXyzVoxels: [64, 64, 40] })) }, /^tomograms\.1\.id two tomograms are named "a"/],
    [{ tomograms: undefined, stack: { boxVoxels: 16 } }, /^species\.1\.diameterAngstrom 20\.0 voxels across do not fit a box of 16/],
    [{ tomograms: undefined, stack: { boxVoxels: 24 }, membranes: [{}] }, /^membranes a stack has no membranes/],
    [{ pairedVolumes: [{ name: "x" }, { name: "x" }] }, /^pairedVolumes\.1\.name two paired volumes/],
  ];
  for (const [changes, expected] of cases) {
    const found = faults(changes);
    assert.ok(found.some((message) => expected.test(message)), `${expected} is not among ${JSON.stringify(found)}`);
  }
  assert.deepEqual(checkScene(scene()), []);
});

Deno.test("both simulated sources conform", async () => {
  const small = { voxelSizeAngstrom: 10, snr: 0.5, species: [{ model: "cap", diameterAngstrom: 100, count: 3 }] };
  await checkPlugin(simulated, { options: { scene: { ...small, tomograms: [{ id: "a", shapeXyzVoxels: [32, 32, 32] }] } } });
  await checkPlugin(simulatedStack, { options: { scene: { ...small, stack: { boxVoxels: 16 } } } });
});
