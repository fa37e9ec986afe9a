import assert from "node:assert/strict";
import { createRandom } from "../../plugins/kernels/random.ts";
import { command, tomosieve } from "./command.ts";

/** 10 by default; `deno task proof` asks for 100. */
const KILLS = Number(Deno.env.get("TOMOSIEVE_KILLS") ?? 10);

const scene = {
  seed: 3,
  voxelSizeAngstrom: 12,
  snr: 0.5,
  species: [{ model: "ring-of-seven", diameterAngstrom: 170, count: 1 }, { model: "crossed-rods", diameterAngstrom: 170, count: 1 }, {
    model: "cap",
    diameterAngstrom: 170,
    count: 1,
  }],
};

Deno.test(`a run killed ${KILLS} times at random moments and resumed each time gives the files of an uninterrupted one`, async () => {
  const folder = Deno.makeTempDirSync();
  Deno.writeTextFileSync(
    `${folder}/scene.json`,
    JSON.stringify({
      ...scene,
      species: scene.species.map((species) => ({ ...species, count: 40 })),
      tomograms: [{ id: "a", shapeXyzVoxels: [160, 160, 64] }, { id: "b", shapeXyzVoxels: [160, 160, 64] }],
    }),
  );
  const simulated = await tomosieve("simulate", `${folder}/scene.json`, "--out", `${folder}/data`);
  assert.equal(simulated.code, 0, simulated.stderr);
  const manifest = (dir: string) => {
    const path = `${folder}/${dir}.json`;
    Deno.writeTextFileSync(
      path,
      JSON.stringify({
        version: 1,
        seed: 5,
        source: { use: "tomograms", options: { paths: ["data/*.mrc"], tiltRangeDegrees: [-60, 60] } },
        stages: [{ use: "dog", options: { particleDiameterAngstrom: 170 } }, { use: "boxes", options: { boxVoxels: 18 } }],
        learn: {
          use: "disca",
          options: { recipe: "published", maxIterations: 3 },
          parts: {
            embed: { use: "yopo", options: { width: 0.0625 } },
            cluster: { use: "gmm-bic", options: { components: 4, candidates: [2, 3, 4] } },
          },
        },
        sinks: [{ use: "particles-table" }],
        run: { dir, threads: 2 },
      }),
    );
    return path;
  };
  const whole = await tomosieve("run", manifest("whole"));
  assert.equal(whole.code, 0, whole.stderr);
  const expected = Deno.readTextFileSync(`${folder}/whole/particles.csv`);
  assert.ok(expected.split("\n").length > 100);

  const random = createRandom(11, "kills"), path = manifest("killed");
  let kills = 0, ended = 0, longestMs = 8000;
  while (kills < KILLS) {
    const child = command("run", path, "--resume").spawn();
    const started = performance.now();
    const timer = setTimeout(() => child.kill("SIGKILL"), random.uniform() * longestMs);
    const { code, stderr } = await child.output();
    clearTimeout(timer);
    if (code === 0) {
      // It came through: start another, and aim earlier.
      ended++;
      longestMs = Math.max(500, performance.now() - started);
      assert.equal(Deno.readTextFileSync(`${folder}/killed/particles.csv`), expected, `after ${kills} kills`);
      Deno.removeSync(`${folder}/killed`, { recursive: true });
      continue;
    }
    assert.ok(code === 137, `exit code ${code}: ${new TextDecoder().decode(stderr)}`);
    kills++;
  }
  const last = await tomosieve("run", path, "--resume");
  assert.equal(last.code, 0, last.stderr);
  assert.equal(Deno.readTextFileSync(`${folder}/killed/particles.csv`), expected, `${kills} kills, ${ended} complete runs between them`);
  const left: string[] = [];
  const look = (path: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(path)) isDirectory ? look(`${path}/${name}`) : left.push(name);
  };
  look(`${folder}/killed`);
  assert.deepEqual(left.filter((name) => /tmp|old|lock|journal/.test(name)), []);
});
