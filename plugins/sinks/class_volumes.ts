/**
 * The volumes that describe each class as MRC files: `classes/03/average.mrc`.
 * @module
 */
import { z } from "zod";
import { type ClassVolume, definePlugin, type RunView } from "../../streams/contract.ts";
import { writeMrcVolume } from "../formats/mrc.ts";

const options = z.strictObject({
  classes: z.array(z.int()).min(1).optional().meta({ description: "Classes to write; left out: all" }),
});

/** Writes every volume of every class stage, mode 2, bright. Two stages that give the same name to a volume of a class: the later one's file begins with its stage. */
export default definePlugin({
  apiVersion: 1,
  name: "class-volumes",
  kind: "sink",
  summary: "Decoded centres, averages and members of each class as MRC volumes",
  options,
  create: ({ classes }, context) => ({
    async write(view, directory) {
      const files = filesOf(view).filter(({ volume }) => classes?.includes(volume.classId) ?? true);
      if (files.length === 0) {
        context.warn("no-class-volumes", `no class stage gave a volume: list one under "classes", for example { "use": "average" }`);
      }
      let done = 0;
      for (const { name, volume } of files) {
        context.signal.throwIfAborted();
        const { shapeZyx, voxels, voxelSizeAngstrom } = volume;
        await writeMrcVolume(`${directory}/classes/${name}.mrc`, { shapeZyx, voxels, voxelSizeAngstrom });
        context.progress(++done, files.length);
      }
    },
  }),
});

function slug(text: string): string {
  return text.trim().replaceAll(/[^\p{L}\p{N}.-]+/gu, "_").replaceAll(/^[_.]+|_+$/g, "") || "volume";
}

/** Name without ending, under `classes`, of every volume. */
function filesOf({ classResults }: RunView): { readonly name: string; readonly volume: ClassVolume }[] {
  const files = new Map<string, ClassVolume>();
  for (const [stage, { volumes }] of Object.entries(classResults)) {
    for (const volume of volumes) {
      const folder = String(volume.classId).padStart(2, "0");
      let name = `${folder}/${slug(volume.name)}`;
      if (files.has(name)) name = `${folder}/${slug(stage)}_${slug(volume.name)}`;
      for (let n = 2; files.has(name); n++) name = `${folder}/${slug(stage)}_${slug(volume.name)}_${n}`;
      files.set(name, volume);
    }
  }
  return [...files].map(([name, volume]) => ({ name, volume }));
}
