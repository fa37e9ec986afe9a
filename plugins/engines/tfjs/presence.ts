/**
 * What there is to compute with, found without loading any of it.
 * @module
 */
import { fileURLToPath } from "node:url";

/** Folders in which Vulkan drivers on Linux leave word of themselves. */
const DRIVER_FOLDERS = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];
/** Variables by which a user or a scheduler gives and takes graphics processors. */
const VARIABLES = ["VK_ICD_FILENAMES", "VK_DRIVER_FILES", "DENO_WEBGPU_BACKEND", "CUDA_VISIBLE_DEVICES", "SLURM_JOB_GPUS"];

/** A text that changes when a graphics driver is installed, renewed or removed, or when other graphics processors are allotted. */
export function graphicsDrivers(): string {
  const found: string[] = [];
  for (const folder of DRIVER_FOLDERS) {
    try {
      for (const { name } of Deno.readDirSync(folder)) found.push(`${name} ${Deno.statSync(`${folder}/${name}`).mtime?.getTime()}`);
    } catch {
      // No such folder, or none that may be read: no driver there.
    }
  }
  for (const name of VARIABLES) if (Deno.env.get(name)) found.push(`${name}=${Deno.env.get(name)}`);
  return found.sort().join(", ");
}

/** TensorFlow's Node packages, the one with CUDA first, and the version that is known to work. */
export const PACKAGE_NAMES = ["@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node"] as const;
/** See {@linkcode PACKAGE_NAMES}. */
export const PACKAGE_VERSION = "4.22.0";
/** The native addon inside a package. */
export const ADDON = "lib/napi-v8/tfjs_binding.node";

/** Folder of the first TensorFlow package in a node_modules folder, by default tomosieve's own; null when there is none. */
export function findTensorflow(modules: URL = new URL("../../../node_modules/", import.meta.url)): string | null {
  if (modules.protocol !== "file:") return null;
  for (const name of PACKAGE_NAMES) {
    const store = `.deno/${name.replace("/", "+")}@${PACKAGE_VERSION}/node_modules/${name}/`;
    for (const place of [`${name}/`, store]) {
      const folder = new URL(place, modules);
      try {
        if (Deno.statSync(folder).isDirectory) return fileURLToPath(folder);
      } catch {
        // Not here: look further.
      }
    }
  }
  return null;
}

/** A text that changes when a TensorFlow package is installed, renewed or removed. */
export function tensorflowPackage(): string {
  const folder = findTensorflow();
  if (folder === null) return "none";
  try {
    const { mtime, size } = Deno.statSync(`${folder}/${ADDON}`);
    return `${folder} ${mtime?.getTime()} ${size} ${graphicsDrivers()}`;
  } catch {
    return `${folder} without addon`;
  }
}
