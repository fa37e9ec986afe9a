/**
 * An exported network, applied to a volume in overlapping tiles, as a new volume.
 * @module
 */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { z } from "zod";
import { definePlugin, type PluginContext, type Tomogram, type Triple, type Volume } from "../../streams/contract.ts";
import { InputError } from "../../streams/errors.ts";
import { type ForeignModel, openForeignModel } from "../engines/onnx/foreign_model.ts";
import { addTile, cutTile, planTiles, readRange } from "../kernels/tiles.ts";
import { scaledVolume } from "../sources/tomograms/open_files.ts";
import { namedVolume, volumeKey, withVolume } from "./named_volume.ts";
import { oneMoreVolume } from "./scratch_need.ts";

/** Voxels that are read at once for mean and deviation. */
const SLAB_VOXELS = 4_000_000;

const options = z.strictObject({
  model: z.string().min(1).meta({
    description: "ONNX file: one float32 input of one channel (volume or section), its first output of the same size",
    format: "path",
  }),
  volume: z.string().default("raw").meta({ description: "Volume to process" }),
  name: z.string().min(1).default("denoised").meta({ description: "Name of the new volume" }),
  tileVoxels: z.int().min(4).max(512).default(64).meta({
    description: "Side of a tile; a network of fixed size has its own. Networks that halve their input need a multiple of 8 or 16",
    unit: "voxels",
  }),
  marginVoxels: z.int().min(0).default(8).meta({
    description: "Thrown away at each side of a tile, where the network saw no neighbours",
    unit: "voxels",
  }),
  blendVoxels: z.int().min(0).default(8).meta({ description: "Over which one tile fades into the next", unit: "voxels" }),
  normalise: z.enum(["volume", "tile", "none"]).default("volume").meta({
    description: "What is brought to mean 0 and deviation 1 before the network sees it; undone afterwards",
  }),
  mean: z.number().optional().meta({ description: "With deviation: the training data's, instead of the volume's own" }),
  deviation: z.number().positive().optional().meta({ description: "With mean: the training data's, instead of the volume's own" }),
  contrast: z.enum(["raw", "dark", "bright"]).default("raw").meta({
    description: "How the network knows particles; raw: as in the tomogram's own file",
  }),
});
type Options = z.infer<typeof options>;

function faults({ mean, deviation, normalise, tileVoxels, marginVoxels, blendVoxels }: Options): string[] {
  const found: string[] = [];
  if ((mean === undefined) !== (deviation === undefined)) found.push(`state "mean" and "deviation" together`);
  if (mean !== undefined && normalise !== "volume") found.push(`"mean" and "deviation" stand for the volume's: set "normalise": "volume"`);
  const kept = tileVoxels - 2 * marginVoxels;
  if (kept < Math.max(1, 2 * blendVoxels)) {
    found.push(
      `tiles of ${tileVoxels} voxels without ${marginVoxels} at each side keep ${kept}, fewer than twice the ${blendVoxels} that are blended`,
    );
  }
  return found;
}

/**
 * Applies any denoiser that was exported to ONNX (IsoNet, cryoCARE, DeepDeWedge, Topaz, one's own) tile by tile. Tiles at the faces are
 * completed by mirror images; margins are thrown away and the rest is blended with weights that add up to 1, so that a network that looks no
 * farther than the margin gives what it would give on the whole volume.
 *
 * Memory: one layer of tiles of the volume's width and height, and the network.
 */
export default definePlugin({
  apiVersion: 1,
  name: "onnx-volume",
  kind: "denoiser",
  summary: "A network exported to ONNX, applied in overlapping tiles, as a new volume",
  input: "tomogram",
  output: "tomogram",
  options,
  check: faults,
  scratchNeed: ({ name }, tomogram) => oneMoreVolume(tomogram, name),
  create(given, context) {
    let model: Promise<ForeignModel> | null = null;
    return {
      async apply(tomogram, signal) {
        model ??= openForeignModel(given.model, context.pool.size, context.signal);
        return await denoise(tomogram, given, await model, context, signal);
      },
      async [Symbol.asyncDispose]() {
        await (await model?.catch(() => null))?.[Symbol.asyncDispose]();
      },
    };
  },
});

async function denoise(
  tomogram: Tomogram,
  given: Options,
  model: ForeignModel,
  context: PluginContext,
  signal: AbortSignal,
): Promise<Tomogram> {
  const volume = namedVolume(tomogram, given.volume, context.stage), { shapeZyx, voxelSizeAngstrom } = volume;
  const dark = given.contrast === "raw" ? tomogram.metadata.contrast === "dark" : given.contrast === "dark", sign = dark ? -1 : 1;
  const bytes = await Deno.readFile(given.model), weights = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  const { tileVoxels, marginVoxels, blendVoxels, normalise, mean, deviation } = given;
  const how = JSON.stringify({ weights, tileVoxels, marginVoxels, blendVoxels, normalise, mean, deviation, dark });
  const key = `onnx ${how}: ${volumeKey(tomogram, given.volume)}`;
  const made = await context.scratch.volume(key, shapeZyx, voxelSizeAngstrom, async (writeSlab) => {
    const seen = scaledVolume(volume, sign);
    const scale = normalise !== "volume" ? null : mean !== undefined ? { mean, deviation: deviation! } : await statisticsOf(seen, signal);
    for await (const sections of applyInTiles(seen, model, given, scale, context, signal)) {
      if (sign < 0) { for (let i = 0; i < sections.length; i++) sections[i] = -sections[i]; }
      await writeSlab(sections);
    }
  });
  return withVolume(
    tomogram,
    given.name,
    made,
    `${basename(given.model)} on ${given.volume}, particles ${dark ? "dark" : "bright"} to it`,
    key,
    context.stage,
  );
}

interface Scale {
  readonly mean: number;
  readonly deviation: number;
}

async function statisticsOf(volume: Volume, signal: AbortSignal): Promise<Scale> {
  const [nz, ny, nx] = volume.shapeZyx, step = Math.max(1, Math.floor(SLAB_VOXELS / (ny * nx)));
  let first = 0, sum = 0, square = 0;
  for (let z = 0; z < nz; z += step) {
    signal.throwIfAborted();
    const slab = await volume.readSlab(z, Math.min(nz, z + step));
    if (z === 0) first = slab[0];
    for (let i = 0; i < slab.length; i++) {
      const value = slab[i] - first;
      sum += value;
      square += value * value;
    }
  }
  const count = nz * ny * nx, mean = sum / count;
  return { mean: first + mean, deviation: Math.sqrt(Math.max(0, square / count - mean * mean)) || 1 };
}

function tileStatistics(tile: Float32Array): Scale {
  let sum = 0, square = 0;
  for (const value of tile) sum += value - tile[0];
  const mean = sum / tile.length;
  for (const value of tile) square += (value - tile[0] - mean) ** 2;
  return { mean: tile[0] + mean, deviation: Math.sqrt(square / tile.length) || 1 };
}

/** Whole sections in order, as soon as no further tile reaches them. */
async function* applyInTiles(
  volume: Volume,
  model: ForeignModel,
  given: Options,
  scale: Scale | null,
  context: PluginContext,
  signal: AbortSignal,
): AsyncGenerator<Float32Array> {
  const { shapeZyx } = volume, [nz, ny, nx] = shapeZyx;
  const tileZyx = model.fixedZyx.map((fixed) => fixed ?? given.tileVoxels) as unknown as Triple;
  // A network of sections has no neighbours to throw away or to blend along z.
  const marginZyx = tileZyx.map((n) => n === 1 ? 0 : given.marginVoxels) as unknown as Triple;
  let plans: ReturnType<typeof planTiles>[];
  try {
    plans = tileZyx.map((n, axis) => planTiles(shapeZyx[axis], n, marginZyx[axis], n === 1 ? 0 : given.blendVoxels));
  } catch (error) {
    throw new InputError(given.model, `${(error as Error).message}: lower "marginVoxels" or "blendVoxels"`);
  }
  const [layers, rows, columns] = plans, total = layers.length * rows.length * columns.length;
  let carried = new Float32Array(), done = 0;
  for (const [index, layer] of layers.entries()) {
    const sections = new Float32Array(layer.weights.length * ny * nx);
    sections.set(carried);
    const [z0, z1] = readRange(layer, tileZyx[0], nz);
    for (const row of rows) {
      const [y0, y1] = readRange(row, tileZyx[1], ny);
      const box = await volume.readBox([z0, y0, 0], [z1 - z0, y1 - y0, nx]);
      for (const column of columns) {
        signal.throwIfAborted();
        const tile = cutTile(box, [z0, y0, 0], [z1 - z0, y1 - y0, nx], [layer.from, row.from, column.from], tileZyx, shapeZyx);
        const { mean, deviation } = given.normalise === "tile" ? tileStatistics(tile) : scale ?? { mean: 0, deviation: 1 };
        for (let i = 0; i < tile.length; i++) tile[i] = (tile[i] - mean) / deviation;
        const processed = await model.run(tile as Float32Array<ArrayBuffer>, tileZyx);
        for (let i = 0; i < processed.length; i++) {
          if (!Number.isFinite(processed[i])) {
            throw new InputError(
              given.model,
              `gave ${
                processed[i]
              } for the tile at x ${column.keptFrom}, y ${row.keptFrom}, z ${layer.keptFrom}: is "normalise" as in its training?`,
            );
          }
          processed[i] = processed[i] * deviation + mean;
        }
        addTile(sections, layer.keptFrom, shapeZyx, processed, [layer, row, column], tileZyx, marginZyx);
        context.progress(++done, total);
      }
    }
    const whole = (index + 1 < layers.length ? layers[index + 1].keptFrom - layer.keptFrom : layer.weights.length) * ny * nx;
    yield sections.slice(0, whole);
    carried = sections.slice(whole);
  }
}
