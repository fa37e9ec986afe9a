/**
 * Which oneDNN libraries there are, found without loading one.
 * @module
 */

/** Where libraries usually are; a loader may know more places. */
const FOLDERS: readonly string[] = [
  ...["/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/lib"],
  ...[`/usr/lib/${Deno.build.arch}-linux-gnu`, `/usr/local/lib/${Deno.build.arch}-linux-gnu`],
];

/** A text that changes when a library of oneDNN is installed, renewed or removed in one of the usual places. */
export function onednnLibraries(): string {
  const found: string[] = [];
  const searched = (Deno.env.get("LD_LIBRARY_PATH") ?? "").split(":").filter((folder) => folder !== "");
  for (const folder of new Set([...searched, ...FOLDERS])) {
    try {
      for (const { name } of Deno.readDirSync(folder)) {
        if (/^libdnnl\.(so|dylib|\d)/.test(name)) found.push(`${folder}/${name} ${Deno.statSync(`${folder}/${name}`).mtime?.getTime()}`);
      }
    } catch {
      // No such folder, none that may be read, or a link to nowhere: no library there.
    }
  }
  return found.sort().join(", ");
}
