/**
 * Boxes that another program has cut: MRC stacks of b x b x b voxels.
 * @module
 */
import { basename } from "node:path";
import { z } from "zod";
import { definePlugin, type PluginContext, type Subtomograms, type Tomogram } from "../../streams/contract.ts";
import { tiltRangeFault } from "../formats/geometry_csv.ts";
import { type MrcStack, openMrcStack } from "../formats/mrc.ts";
import { percentApart, resolveVoxelSize, shortNumber, voxelSizeTolerance } from "../formats/voxel_size.ts";
import { normaliseBoxes } from "../kernels/prepare.ts";
import { InputError } from "../../streams/errors.ts";
import { findFiles } from "./tomograms/find_files.ts";

const filePath = z.string().min(1).meta({ format: "path" });

const options = z.strictObject({
  path: z.union([filePath, z.array(filePath).min(1)]).meta({
    description: "One stack or several (.mrcs, .mrc): boxes one below the other along z; * and ? stand for names",
    format: "path",
  }),
  boxVoxels: z.int().min(2).optional().meta({ description: "Box size; left out: the side of the sections", unit: "voxel" }),
  contrast: z.enum(["dark", "bright"]).default("dark").meta({
    description: "How particles look in the file: RELION's extraction makes them bright",
  }),
  voxelSizeAngstrom: z.number().positive().optional().meta({ description: "Voxel size; left out: the header's", unit: "Angstrom" }),
  onVoxelSizeMismatch: z.enum(["error", "manifest", "header"]).default("error").meta({
    description: "Which holds when header and voxelSizeAngstrom differ by more than 1 %",
  }),
  tiltRangeDegrees: z.tuple([z.number().min(-90).max(90), z.number().min(-90).max(90)]).optional().meta({
    description: "First and last tilt; left out: unknown",
    unit: "degree",
  }),
  tiltAxis: z.enum(["x", "y"]).default("y").meta({ description: "Axis of the boxes that the stage tilted about" }),
  handedness: z.union([z.literal(1), z.literal(-1)]).optional().meta({ description: "-1 when positive tilts turn the other way" }),
});
type Options = z.infer<typeof options>;

/** Voxels of one batch: 64 boxes of 24. */
const BATCH_VOXELS = 64 * 24 ** 3;

/** Reads stacks box by box; box i of a stack is row (ordinal of the stack, i). */
export default definePlugin({
  apiVersion: 1,
  name: "subtomogram-stack",
  kind: "source",
  summary: "Boxes cut by another program, from MRC stacks",
  output: "subtomograms",
  options,
  check: ({ tiltRangeDegrees }) => {
    const fault = tiltRangeDegrees ? tiltRangeFault(...tiltRangeDegrees) : null;
    return fault ? [fault] : [];
  },
  create(given, context) {
    return {
      async *open(signal) {
        const stacks: { path: string; id: string; voxelSizeAngstrom: number }[] = [];
        let box: { size: number; id: string } | undefined;
        for (const { path, id } of findFiles([given.path].flat())) {
          signal.throwIfAborted();
          await using stack = await openMrcStack(path, given.boxVoxels);
          box ??= { size: stack.boxVoxels, id };
          if (stack.boxVoxels !== box.size) {
            throw new InputError(
              path,
              `holds boxes of ${stack.boxVoxels} voxels, ${box.id} holds boxes of ${box.size}: a run needs one size`,
            );
          }
          for (const anomaly of stack.header.anomalies) context.warn("odd-header", `${basename(path)}: ${anomaly}`);
          const { voxelSizeAngstrom, note } = resolveVoxelSize(
            path,
            stack.voxelSizeAngstrom,
            given.voxelSizeAngstrom,
            given.onVoxelSizeMismatch,
          );
          if (note) context.note("voxel-size", `${basename(path)}: ${note}`);
          const first = stacks[0];
          if (first && Math.abs(voxelSizeAngstrom / first.voxelSizeAngstrom - 1) > voxelSizeTolerance) {
            const [a, b] = [voxelSizeAngstrom, first.voxelSizeAngstrom];
            throw new InputError(
              path,
              `${id} has ${shortNumber(a)} A a voxel, ${first.id} has ${shortNumber(b)} A (${
                percentApart(a, b)
              } apart): cut boxes of one voxel size`,
            );
          }
          stacks.push({ path, id, voxelSizeAngstrom });
        }
        context.note(
          "contrast",
          given.contrast === "dark" ? "particles are dark in the files: voxels are multiplied by -1" : "particles are bright in the files",
        );
        if (!given.tiltRangeDegrees) {
          context.note(
            "tilt-range-unknown",
            "tilt range unknown: the missing wedge is not modelled; state source.options.tiltRangeDegrees",
          );
        }
        for (let ordinal = 0; ordinal < stacks.length; ordinal++) {
          const { path, id, voxelSizeAngstrom } = stacks[ordinal];
          await using stack = await openMrcStack(path, given.boxVoxels);
          const tomogram = await tomogramOf(stack, id, ordinal, voxelSizeAngstrom, given);
          yield* batchesOf(stack, tomogram, given.contrast === "dark" ? -1 : 1, context, signal);
        }
      },
      // A stack has no tomogram to look at.
      reopen: () => Promise.resolve(null),
    };
  },
});

async function tomogramOf(stack: MrcStack, id: string, ordinal: number, voxelSizeAngstrom: number, given: Options): Promise<Tomogram> {
  return {
    id,
    ordinal,
    volumes: {},
    geometry: {
      tiltRangeDegrees: given.tiltRangeDegrees ?? "unknown",
      tiltAxis: given.tiltAxis,
      handedness: given.handedness ?? "unknown",
    },
    metadata: {
      path: stack.path,
      bytes: (await Deno.stat(stack.path)).size,
      contrast: given.contrast,
      mode: stack.header.mode,
      boxes: stack.count,
      voxelSizeAngstrom,
    },
  };
}

async function* batchesOf(
  stack: MrcStack,
  tomogram: Tomogram,
  sign: 1 | -1,
  context: PluginContext,
  signal: AbortSignal,
): AsyncGenerator<Subtomograms> {
  const { boxVoxels, count } = stack;
  const size = boxVoxels ** 3;
  const step = Math.max(1, Math.floor(BATCH_VOXELS / size));
  for (let start = 0; start < count; start += step) {
    signal.throwIfAborted();
    const n = Math.min(step, count - start);
    const raw = await stack.read(Int32Array.from({ length: n }, (_, i) => start + i));
    if (sign === -1) { for (let i = 0; i < raw.length; i++) raw[i] = -raw[i]; }
    const { voxels, unusable } = normaliseBoxes(raw, n, boxVoxels);
    const left = new Set(unusable);
    if (left.size > 0) context.drop(left.size, `constant boxes in ${basename(stack.path)}`);
    const kept = Array.from({ length: n }, (_, i) => i).filter((i) => !left.has(i));
    const rows = Int32Array.from(kept.flatMap((i) => [tomogram.ordinal, start + i]));
    context.progress(start + n, count);
    if (kept.length === 0) continue;
    const used = left.size === 0 ? voxels : gather(voxels, kept, size);
    yield { tomogram, rows, boxVoxels, voxels: used };
  }
}

function gather(voxels: Float32Array, indices: readonly number[], size: number): Float32Array {
  const out = new Float32Array(indices.length * size);
  indices.forEach((index, i) => out.set(voxels.subarray(index * size, (index + 1) * size), i * size));
  return out;
}
