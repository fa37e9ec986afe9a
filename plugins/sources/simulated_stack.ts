/**
 * Boxes of a simulated stack, without files.
 * @module
 */
import { z } from "zod";
import { definePlugin, type Tomogram } from "../../streams/contract.ts";
import { ManifestError } from "../../streams/errors.ts";
import { normaliseBoxes } from "../kernels/prepare.ts";
import { prepareScene } from "./simulated/prepare_scene.ts";
import { readSceneFile, sceneFaults } from "./simulated/read_scene.ts";
import { parseScene, sceneSchema } from "./simulated/scene.ts";
import { stackOf } from "./simulated/scene_stack.ts";

const options = z.strictObject({
  scene: sceneSchema.optional().meta({ description: "The scene itself; it describes a `stack`" }),
  scenePath: z.string().optional().meta({ description: "A scene file, instead of `scene`", format: "path" }),
});

/** Voxels of one batch: 64 boxes of 24. */
const BATCH_VOXELS = 64 * 24 ** 3;

const noStack = `this scene describes tomograms: use the source "simulated"`;

/** Simulates the stack of a scene; box i is row (0, i), labels are those that `simulate` writes for the same scene. */
export default definePlugin({
  apiVersion: 1,
  name: "simulated-stack",
  kind: "source",
  summary: "Boxes of a simulated stack, made in memory: for trying a learner and for tests",
  output: "subtomograms",
  options,
  check(given) {
    if ((given.scene === undefined) === (given.scenePath === undefined)) return [`state one of "scene" and "scenePath"`];
    if (given.scene === undefined) return [];
    const scene = parseScene(given.scene);
    return scene.stack ? sceneFaults(scene) : [noStack];
  },
  create(given, context) {
    return {
      async *open(signal) {
        const scene = given.scene ? parseScene(given.scene) : await readSceneFile(given.scenePath!);
        if (!scene.stack) throw new ManifestError([`${context.stage}: ${noStack}`]);
        const { boxVoxels, id } = scene.stack;
        const { voxels, labels } = stackOf(await prepareScene(scene), signal);
        const count = labels.length, size = boxVoxels ** 3, step = Math.max(1, Math.floor(BATCH_VOXELS / size));
        const tomogram: Tomogram = {
          id,
          ordinal: 0,
          volumes: {},
          geometry: { tiltRangeDegrees: scene.tiltRangeDegrees, tiltAxis: "y", handedness: 1 },
          metadata: { simulated: true, seed: scene.seed, boxes: count, voxelSizeAngstrom: scene.voxelSizeAngstrom },
        };
        for (let start = 0; start < count; start += step) {
          signal.throwIfAborted();
          const n = Math.min(step, count - start);
          const batch = normaliseBoxes(voxels.subarray(start * size, (start + n) * size), n, boxVoxels).voxels;
          const rows = Int32Array.from({ length: 2 * n }, (_, i) => i % 2 === 0 ? 0 : start + (i >> 1));
          context.progress(start + n, count);
          yield { tomogram, rows, boxVoxels, voxels: batch };
        }
      },
      // A stack has no tomogram to look at.
      reopen: () => Promise.resolve(null),
    };
  },
});
