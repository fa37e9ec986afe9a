import assert from "node:assert/strict";
import type { Operator, Picks, Triple } from "../../streams/contract.ts";
import { decoyVolume, pickWithDecoy } from "../../streams/decoy.ts";
import { loadManifestValue } from "../../streams/manifest.ts";
import { silentProgress } from "../../streams/progress.ts";
import { runPipeline } from "../../streams/run.ts";
import { rfft3 } from "../../plugins/kernels/fft.ts";
import { blurSections } from "../../plugins/kernels/blur.ts";
import { createRandom } from "../../plugins/kernels/random.ts";
import dog from "../../plugins/pickers/dog.ts";
import { memoryContext, memoryTomogram, memoryVolume } from "../plugins/memory_context.ts";
import { builtIns } from "./fake_plugins.ts";

/** Of a variance over half a volume of smooth noise: some thousand independent voxels. */
const VARIANCE_TOLERANCE = 0.12;

const shape: Triple = [80, 76, 264], total = 80 * 76 * 264;
/** Smooth noise about 5, twice as strong in the right half. */
const voxels = (() => {
  const random = createRandom(5, "decoy"), white = Float32Array.from({ length: total }, () => random.normal());
  return blurSections(white, 0, 0, 80, shape, 1).map((v, i) => 5 + (i % 264 < 132 ? 1 : 2) * v);
})();
const context = () => {
  const { pool, note } = memoryContext();
  return { seed: 3, pool, note, alive: () => {} };
};
const signal = new AbortController().signal;

/** The decoy of that, read at once; made when first asked for. */
let made: Promise<Float32Array> | undefined;
const whole = () => made ??= decoyVolume(memoryVolume(voxels, shape), ["raw"], context(), signal).readSlab(0, 80);

function variance(values: Float32Array, keep: (x: number) => boolean): number {
  let n = 0, sum = 0, square = 0;
  values.forEach((v, i) => {
    if (!keep(i % 264)) return;
    n++;
    sum += v;
    square += v * v;
  });
  return square / n - (sum / n) ** 2;
}

Deno.test("`decoyVolume()` keeps the mean, the local variance and the spectrum, and nothing else", async () => {
  const decoy = await whole();
  const mean = (values: Float32Array) => values.reduce((sum, v) => sum + v, 0) / total;
  assert.ok(Math.abs(mean(decoy) - mean(voxels)) < 0.01);
  for (const keep of [(x: number) => x < 60, (x: number) => x > 156, (x: number) => x > 203 && x < 228]) {
    assert.ok(Math.abs(variance(decoy, keep) / variance(voxels, keep) - 1) < VARIANCE_TOLERANCE);
  }
  let product = 0;
  decoy.forEach((v, i) => product += (v - 5) * (voxels[i] - 5));
  assert.ok(Math.abs(product / total) < 0.02 * variance(voxels, () => true));
  const power = (values: Float32Array, least: number, most: number) => {
    const spectrum = rfft3(values.map((v) => v - 5), shape);
    let sum = 0;
    for (let x = least; x < most; x++) {
      for (let y = 0; y < 76; y++) {
        for (let z = 0; z < 80; z++) {
          const at = 2 * ((z * 76 + y) * 133 + x);
          sum += spectrum[at] ** 2 + spectrum[at + 1] ** 2;
        }
      }
    }
    return sum;
  };
  for (const [least, most] of [[2, 8], [8, 20]]) {
    assert.ok(Math.abs(power(decoy, least, most) / power(voxels, least, most) - 1) < VARIANCE_TOLERANCE);
  }
});

Deno.test("`decoyVolume()` gives the same voxels however it is read, and stops when it is told to", async () => {
  const all = await whole();
  const [z0, y0, x0] = [41, 3, 50], size: Triple = [30, 50, 25];
  const box = await decoyVolume(memoryVolume(voxels, shape), ["raw"], context(), signal).readBox([z0, y0, x0], size);
  for (const i of [0, 1234, 30000, box.length - 1]) {
    const z = Math.floor(i / 1250), y = Math.floor(i / 25) % 50, x = i % 25;
    assert.equal(box[i], all[((z + z0) * 76 + y + y0) * 264 + x + x0]);
  }
  const other = await decoyVolume(memoryVolume(voxels, shape), ["corrected"], context(), signal).readBox([0, 0, 0], [1, 1, 8]);
  assert.notDeepEqual([...other], [...all.subarray(0, 8)]);
  const stopped = AbortSignal.abort(new DOMException("enough", "AbortError"));
  await assert.rejects(decoyVolume(memoryVolume(voxels, shape), ["raw"], context(), stopped).readSlab(0, 1), /enough/);
});

Deno.test("`pickWithDecoy()` estimates a high share of false picks in noise and a low one among particles", async () => {
  const size = 84, random = createRandom(4, "decoy picks"), heard = memoryContext();
  const pick = async (heights: number) => {
    const noise = Float32Array.from({ length: size ** 3 }, (_, i) => {
      const [x, y, z] = [i % size, Math.floor(i / size) % size, Math.floor(i / size / size)];
      const from = (at: number) => ((at + 12) % 25) - 12;
      return random.normal() + heights * Math.exp(-(from(x) ** 2 + from(y) ** 2 + from(z) ** 2) / 18);
    });
    const options = dog.options.parse({ particleDiameterAngstrom: 120, threshold: { deviations: 2.5 }, minimumDistanceVoxels: 8 });
    const picker = await dog.create(options, memoryContext(), {}) as Operator<"tomogram", "picks">;
    const tomogram = memoryTomogram({ raw: memoryVolume(noise, [size, size, size]) });
    const given = { seed: 3, pool: heard.pool, note: heard.note, alive: () => {} };
    const picks: Picks = await pickWithDecoy(picker, picker, tomogram, given, signal);
    const shares = picks.columns.falseShare as number[];
    return { count: shares.length, share: shares.reduce((sum, each) => sum + each, 0) / shares.length };
  };
  const noise = await pick(0), particles = await pick(8);
  assert.ok(noise.count > 10 && noise.share > 0.4, JSON.stringify(noise));
  assert.ok(particles.count >= 15 && particles.share < 0.5 * noise.share, JSON.stringify(particles));
  assert.match(
    heard.told[0].message,
    /^tomogram "memory": \d+ picks, \d+ in a copy with random phases, of which \d+ are not where a better pick is: about [\d.]+ % of the picks are false/,
  );
});

Deno.test("a stage with `decoy` gives its picks a column, notes the estimate, and is not heard twice", async () => {
  const dir = `${Deno.makeTempDirSync()}/run`;
  const manifest = {
    version: 1,
    source: { use: "tomograms", options: { paths: ["/data/a.mrc", "/data/b.mrc"] } },
    stages: [{ use: "dots", decoy: true }, { use: "cut" }],
    learn: { use: "halves" },
    sinks: [{ use: "labels" }],
    run: { dir, threads: 1 },
  };
  const load = await loadManifestValue(manifest, { name: "test", folder: dir }, { builtIns });
  await runPipeline(load, { signal, progress: silentProgress });
  const resolved = JSON.parse(Deno.readTextFileSync(`${dir}/manifest.json`));
  assert.deepEqual(resolved.stages.map(({ decoy }: { decoy: boolean }) => decoy), [true, false]);
  const events = Deno.readTextFileSync(`${dir}/events.ndjson`).trim().split("\n").map((line) => JSON.parse(line));
  const notes = events.filter(({ code }) => code === "decoy").map(({ message, stage }) => `${stage} ${message}`);
  assert.equal(notes.length, 2);
  assert.match(
    notes[0],
    /^stages\[0\] "dots" tomogram "fake0": 40 picks, 40 in a copy with random phases, of which \d+ are not/,
  );
});
