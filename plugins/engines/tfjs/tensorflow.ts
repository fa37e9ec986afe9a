/**
 * The backend `tensorflow`: the TensorFlow library through one of its Node packages, with CUDA where the package and the library have it.
 *
 * The packages are no dependency of tomosieve: each is 300 MB with what it needs, and its install script downloads the library, which many
 * facilities cannot. Nothing is downloaded here unless an `npm:` specifier asks for it; docs/tensorflow.md says how to install them.
 * @module
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import util from "node:util";
import { pathToFileURL } from "node:url";
import { RunError } from "../../../streams/errors.ts";
import { type Backend, plainNadam, unguarded } from "./backend.ts";
import { plainKernels } from "./kernels.ts";
import type { Tf } from "./layout.ts";
import { ADDON, findTensorflow, PACKAGE_NAMES, PACKAGE_VERSION } from "./presence.ts";

/** Rows of one pass at inference. */
const INFERENCE_ROWS = 16;

/** How to find the library. */
export interface TensorflowOptions {
  /** Folder of an installed package, or an `npm:` specifier with an exact version; null: look into tomosieve's own node_modules. */
  readonly package: string | null;
  readonly threads: number;
}

const HOW = `docs/tensorflow.md says how to install it, also without internet`;

/**
 * Loads a package and starts its backend.
 *
 * @throws {RunError} When no package is installed, its addon is missing, or its library does not load.
 */
export async function openTensorflow({ package: chosen, threads }: TensorflowOptions): Promise<Backend> {
  const load = locate(chosen);
  // Read by the library when it starts its threads.
  Deno.env.set("TF_NUM_INTRAOP_THREADS", String(threads));
  if (!Deno.env.get("TF_CPP_MIN_LOG_LEVEL")) Deno.env.set("TF_CPP_MIN_LOG_LEVEL", "2");
  // Node had this function until version 23, the packages call it, and Deno has it no more.
  (util as { isNullOrUndefined?: (value: unknown) => boolean }).isNullOrUndefined ??= (value) => value === null || value === undefined;
  let tf: Tf;
  try {
    tf = await load();
  } catch (error) {
    throw new RunError(`TensorFlow does not load here: ${String(error instanceof Error ? error.message : error).split("\n")[0]}: ${HOW}`);
  }
  await tf.ready();
  const { isUsingGpuDevice = false } = tf.backend() as { isUsingGpuDevice?: boolean };
  return {
    ...{ tf, kernels: plainKernels(tf), device: isUsingGpuDevice ? "gpu" : "cpu", precision: "float32", inferenceRows: INFERENCE_ROWS },
    ...{ largestTensorBytes: Infinity, nadam: plainNadam(tf), guard: unguarded },
  };
}

/** What to load, once it is known to be there. */
function locate(chosen: string | null): () => Promise<Tf> {
  if (chosen?.startsWith("npm:")) return async () => plain(await import(chosen));
  const folder = chosen ?? findTensorflow();
  if (folder === null) {
    throw new RunError(`neither ${PACKAGE_NAMES.join(" nor ")} ${PACKAGE_VERSION} is installed in tomosieve's node_modules: ${HOW}`);
  }
  // Importing a package without its addon fails only after its kernels were registered.
  const addon = join(folder, ADDON);
  try {
    Deno.statSync(addon);
  } catch {
    throw new RunError(`${addon} is missing, since the package's install script did not run: ${HOW}`);
  }
  return () => Promise.resolve(plain(createRequire(pathToFileURL(join(folder, "package.json")))(folder)));
}

/** CommonJS modules come wrapped. */
function plain(module: { readonly default?: unknown }): Tf {
  return (module.default ?? module) as Tf;
}
