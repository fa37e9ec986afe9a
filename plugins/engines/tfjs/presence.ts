/**
 * What there is to compute with, found without loading any of it.
 * @module
 */

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
