/**
 * A scene as files: volumes or a stack, and the truth beside them.
 * @module
 */
import { join } from "node:path";
import type { Triple } from "../../../streams/contract.ts";
import { writeFileAtomic } from "../../formats/atomic.ts";
import { createMrcWriter } from "../../formats/mrc.ts";
import type { Scene } from "./scene.ts";
import { prepareScene } from "./prepare_scene.ts";
import { stackOf } from "./scene_stack.ts";
import { type Layout, layOut, type PreparedScene, renderTomogram, tomogramOf, variantsOf } from "./tomogram.ts";

/** What was written. */
export interface WrittenScene {
  /** Paths of the volumes, or of the stack. */
  readonly volumes: readonly string[];
  /** Path of the truth. */
  readonly truth: string;
  /** Particles in all. */
  readonly particles: number;
}

/** How writing is watched and stopped. */
export interface WriteOptions {
  /** Aborts between sections; what is unfinished leaves no file. */
  readonly signal?: AbortSignal;
  /** Called after each volume. */
  readonly progress?: (done: number, total: number) => void;
}

/** Sections, or numbers of a stack, that are turned and written at a time. */
const SLAB_NUMBERS = 1 << 22;

/**
 * Simulates a scene into a folder: `<id>.mrc` for each tomogram (mode 2), `<id>_<name>.mrc` for its paired volumes, `truth.csv` with
 * `tomogram,x,y,z,label,rot,tilt,psi` (voxels from 0; degrees, RELION's convention). A stack gives `<id>.mrcs` and `truth.csv` with
 * `label,rot,tilt,psi,dx,dy,dz`, row i for box i; dx, dy, dz is the particle's centre minus the box's. Files appear whole or not at all, the truth last.
 *
 * @throws {InputError} When a map or a structure of the scene cannot be read.
 * @throws {RunError} When the particles do not fit or the folder cannot be written.
 */
export async function writeScene(scene: Scene, folder: string, options: WriteOptions = {}): Promise<WrittenScene> {
  const prepared = await prepareScene(scene);
  return scene.stack ? await writeStack(prepared, folder, options) : await writeTomograms(prepared, folder, options);
}

async function writeTomograms(prepared: PreparedScene, folder: string, { signal, progress }: WriteOptions): Promise<WrittenScene> {
  const { scene } = prepared;
  const tomograms = scene.tomograms ?? [];
  // Whatever does not fit is told before the first volume takes its time.
  const layouts = tomograms.map((_, index) => layOut(prepared, index));
  const variants = variantsOf(prepared);
  const volumes: string[] = [];
  const rows = ["tomogram,x,y,z,label,rot,tilt,psi"];
  let particles = 0;
  for (const [index, layout] of layouts.entries()) {
    const { id } = tomogramOf(scene, index);
    for (const variant of variants) {
      const path = join(folder, variant.name === "raw" ? `${id}.mrc` : `${id}_${variant.name}.mrc`);
      const voxels = renderTomogram(prepared, index, layout, variant, signal);
      await writeVolume(path, layout.shapeZyx, voxels, scene, signal);
      volumes.push(path);
      progress?.(volumes.length, variants.length * layouts.length);
    }
    rows.push(...truthRows(prepared, layout, id));
    particles += layout.species.length;
  }
  const truth = join(folder, "truth.csv");
  await writeFileAtomic(truth, `${rows.join("\n")}\n`);
  return { volumes, truth, particles };
}

async function writeVolume(path: string, [nz, ny, nx]: Triple, voxels: Float32Array, scene: Scene, signal?: AbortSignal): Promise<void> {
  await using writer = await createMrcWriter(path, { ny, nx, voxelSizeAngstrom: scene.voxelSizeAngstrom });
  const area = ny * nx, sections = Math.max(1, Math.floor(SLAB_NUMBERS / area));
  for (let z = 0; z < nz; z += sections) {
    signal?.throwIfAborted();
    await writer.writeSlab(inContrast(voxels.subarray(z * area, Math.min(nz, z + sections) * area), scene));
  }
  await writer.finish();
}

function inContrast(voxels: Float32Array, scene: Scene): Float32Array {
  return scene.contrast === "dark" ? voxels.map((v) => -v) : voxels;
}

function truthRows({ species }: PreparedScene, layout: Layout, id: string): string[] {
  const { centresXyz: c, eulerZyzDegrees: e } = layout;
  return Array.from(layout.species, (kind, i) => {
    const numbers = (values: Float64Array, digits: number) => [0, 1, 2].map((axis) => values[3 * i + axis].toFixed(digits));
    return [id, ...numbers(c, 3), quoted(species[kind].name), ...numbers(e, 3)].join(",");
  });
}

async function writeStack(prepared: PreparedScene, folder: string, { signal, progress }: WriteOptions): Promise<WrittenScene> {
  const { scene, species } = prepared;
  const stack = stackOf(prepared, signal);
  const { id, boxVoxels } = scene.stack!;
  const path = join(folder, `${id}.mrcs`);
  {
    await using writer = await createMrcWriter(path, {
      ny: boxVoxels,
      nx: boxVoxels,
      voxelSizeAngstrom: scene.voxelSizeAngstrom,
      volumeSections: boxVoxels,
    });
    const volume = boxVoxels ** 3, boxes = Math.max(1, Math.floor(SLAB_NUMBERS / volume));
    for (let i = 0; i < stack.labels.length; i += boxes) {
      signal?.throwIfAborted();
      await writer.writeSlab(inContrast(stack.voxels.subarray(i * volume, (i + boxes) * volume), scene));
    }
    await writer.finish();
  }
  progress?.(1, 1);
  const rows = ["label,rot,tilt,psi,dx,dy,dz"];
  stack.labels.forEach((label, i) => {
    const numbers = (values: Float64Array) => [0, 1, 2].map((axis) => values[3 * i + axis].toFixed(3));
    rows.push([quoted(species[label].name), ...numbers(stack.eulerZyzDegrees), ...numbers(stack.shiftsXyz)].join(","));
  });
  const truth = join(folder, "truth.csv");
  await writeFileAtomic(truth, `${rows.join("\n")}\n`);
  return { volumes: [path], truth, particles: stack.labels.length };
}

function quoted(text: string): string {
  return /[",\r\n#]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
