/**
 * Tomograms of a scene, simulated as they are asked for, without files.
 * @module
 */
import { z } from "zod";
import { definePlugin, type Tomogram, type Triple, type Volume } from "../../streams/contract.ts";
import { ManifestError } from "../../streams/errors.ts";
import { prepareScene } from "./simulated/prepare_scene.ts";
import { readSceneFile, sceneFaults } from "./simulated/read_scene.ts";
import { parseScene, type Scene, sceneSchema } from "./simulated/scene.ts";
import { layOut, type PreparedScene, renderTomogram, tomogramOf, variantsOf } from "./simulated/tomogram.ts";

const options = z.strictObject({
  scene: sceneSchema.optional().meta({ description: "The scene itself" }),
  scenePath: z.string().optional().meta({ description: "A scene file, instead of `scene`", format: "path" }),
});

/** Simulates the tomograms of a scene; particles are bright, paired volumes stand beside `raw` under their names. */
export default definePlugin({
  apiVersion: 1,
  name: "simulated",
  kind: "source",
  summary: "Tomograms of a simulated scene, made in memory: for trying a pipeline and for tests",
  output: "tomogram",
  options,
  check(given) {
    if ((given.scene === undefined) === (given.scenePath === undefined)) return [`state one of "scene" and "scenePath"`];
    if (given.scene === undefined) return [];
    const scene = parseScene(given.scene);
    return scene.stack ? [stackIsNot] : sceneFaults(scene);
  },
  create(given, context) {
    let prepared: Promise<PreparedScene> | undefined;
    const prepare = () => prepared ??= load(given.scene && parseScene(given.scene), given.scenePath, context.stage).then(prepareScene);
    const simulate = async (index: number, signal?: AbortSignal) => simulateTomogram(await prepare(), index, signal);
    return {
      async *open(signal) {
        const { scene } = await prepare();
        for (const { index } of inOrder(scene)) {
          signal.throwIfAborted();
          yield await simulate(index, signal);
        }
      },
      async *outline() {
        const scene = await load(given.scene && parseScene(given.scene), given.scenePath, context.stage), { voxelSizeAngstrom } = scene;
        const volumes = ["raw", ...scene.pairedVolumes.map(({ name }) => name)];
        for (const { id, index } of inOrder(scene)) {
          const [nx, ny, nz] = tomogramOf(scene, index).shapeXyzVoxels;
          yield { tomogram: { id, shapeZyx: [nz, ny, nx], voxelSizeAngstrom, volumes }, keptBytes: 0 };
        }
      },
      async reopen(ordinal) {
        const entry = inOrder((await prepare()).scene)[ordinal];
        return entry ? await simulate(entry.index) : null;
      },
    };
  },
});

const stackIsNot = `this scene describes a "stack": use the source "simulated-stack"`;

/** Tomograms sorted by id, as every source hands them out. */
function inOrder(scene: Scene): { readonly id: string; readonly index: number }[] {
  return (scene.tomograms ?? []).map(({ id }, index) => ({ id, index })).sort((a, b) => a.id < b.id ? -1 : 1);
}

async function load(scene: Scene | undefined, path: string | undefined, stage: string): Promise<Scene> {
  const loaded = scene ?? await readSceneFile(path!);
  if (loaded.stack) throw new ManifestError([`${stage}: ${stackIsNot}`]);
  return loaded;
}

/**
 * Simulates tomogram `index` of a scene in memory, bright particles.
 *
 * @param signal Aborts between sections.
 * @throws {RunError} When the particles do not fit.
 */
export function simulateTomogram(prepared: PreparedScene, index: number, signal?: AbortSignal): Tomogram {
  const { scene } = prepared;
  const { id } = tomogramOf(scene, index);
  const layout = layOut(prepared, index);
  const volumes: Record<string, Volume> = {};
  for (const variant of variantsOf(prepared)) {
    const voxels = renderTomogram(prepared, index, layout, variant, signal);
    volumes[variant.name] = memoryVolume(voxels, layout.shapeZyx, scene.voxelSizeAngstrom);
  }
  return {
    id,
    ordinal: inOrder(scene).findIndex((entry) => entry.index === index),
    volumes,
    geometry: {
      tiltRangeDegrees: scene.tiltRangeDegrees,
      tiltAxis: "y",
      handedness: 1,
      ...(scene.ctf ? { defocusAngstrom: scene.ctf.defocusAngstrom } : {}),
    },
    metadata: { simulated: true, seed: scene.seed, particles: layout.species.length },
  };
}

/** A volume that is in memory whole. */
function memoryVolume(voxels: Float32Array, shapeZyx: Triple, voxelSizeAngstrom: number): Volume {
  const [nz, ny, nx] = shapeZyx;
  const read = ([z0, y0, x0]: Triple, [sz, sy, sx]: Triple) => {
    const inside = (from: number, size: number, n: number) => from >= 0 && size >= 0 && from + size <= n;
    if (!inside(z0, sz, nz) || !inside(y0, sy, ny) || !inside(x0, sx, nx)) {
      throw new RangeError(`box [${sz}, ${sy}, ${sx}] at [${z0}, ${y0}, ${x0}] leaves the volume of [${nz}, ${ny}, ${nx}] voxels`);
    }
    const box = new Float32Array(sz * sy * sx);
    for (let z = 0; z < sz; z++) {
      for (let y = 0; y < sy; y++) {
        const from = ((z0 + z) * ny + y0 + y) * nx + x0;
        box.set(voxels.subarray(from, from + sx), (z * sy + y) * sx);
      }
    }
    return box;
  };
  return {
    shapeZyx,
    voxelSizeAngstrom,
    // deno-lint-ignore require-await -- a fault must reject, not throw
    readBox: async (cornerZyx, sizeZyx) => read(cornerZyx, sizeZyx),
    // deno-lint-ignore require-await -- as above
    readSlab: async (z0, z1) => read([z0, 0, 0], [z1 - z0, ny, nx]),
  };
}
