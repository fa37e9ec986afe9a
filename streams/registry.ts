/**
 * From a manifest's `use` to a plugin: built-in ids, `./file.ts#export`, exact `npm:` versions. Only built-ins load unasked.
 * @module
 */
import { createHash } from "node:crypto";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { builtIns as allBuiltIns } from "../plugins/mod.ts";
import type { AnyPlugin } from "./contract.ts";
import { nearestName, suggestName } from "./nearest_name.ts";
import { pluginShapeFaults } from "./plugin_shape.ts";
import { VERSION } from "./version.ts";

/** Loads each built-in by its id. */
export type BuiltIns = Readonly<Record<string, () => Promise<{ default: AnyPlugin }>>>;

/** Where a plugin is. */
export type PluginAddress =
  | { readonly kind: "built-in"; readonly id: string }
  | { readonly kind: "file"; readonly path: string; readonly exportName: string }
  | { readonly kind: "npm"; readonly specifier: string; readonly version: string; readonly exportName: string };

/** What went wrong on the way to a plugin. */
export interface PluginFault {
  readonly code: string;
  readonly message: string;
}
/** A plugin and which one exactly it is. */
export interface LoadedPlugin {
  readonly plugin: AnyPlugin;
  /** `tomosieve 0.1.0`, `sha256:...` of the file, or the npm version. */
  readonly version: string;
}

const NPM = /^npm:((?:@[\w.-]+\/)?[\w.-]+)@([^/#]+)((?:\/[^#]*)?)(?:#(.+))?$/;
const EXACT_VERSION = /^\d+\.\d+\.\d+(?:-[\w.-]+)?(?:\+[\w.-]+)?$/;

/** Whether `use` names code that is not part of tomosieve. */
export function isForeign(use: string): boolean {
  return /^(\.{0,2}\/|[A-Za-z]:[\\/]|file:|npm:)/.test(use);
}

/** Reads a `use`; files are taken relative to `folder`. */
export function locatePlugin(
  use: string,
  folder: string,
  builtIns: BuiltIns = allBuiltIns,
): { address: PluginAddress } | { fault: PluginFault } {
  if (Object.hasOwn(builtIns, use)) return { address: { kind: "built-in", id: use } };
  if (use.startsWith("npm:")) {
    const [, name, version, subpath, exportName] = NPM.exec(use) ?? [];
    if (name === undefined || !EXACT_VERSION.test(version)) {
      return { fault: { code: "npm-version", message: `"${use}" names no exact version: write npm:name@1.2.3` } };
    }
    return { address: { kind: "npm", specifier: `npm:${name}@${version}${subpath}`, version, exportName: exportName ?? "default" } };
  }
  if (isForeign(use)) {
    const hash = use.lastIndexOf("#");
    const file = hash > 0 ? use.slice(0, hash) : use;
    const path = file.startsWith("file:") ? fileURLToPath(file) : resolve(folder, file);
    return { address: { kind: "file", path, exportName: hash > 0 ? use.slice(hash + 1) : "default" } };
  }
  if (/^[a-z]+:/.test(use)) {
    return {
      fault: { code: "unknown-plugin", message: `"${use}" cannot be loaded: use a built-in id, ./file.ts#export or npm:name@1.2.3` },
    };
  }
  if (/\.[mc]?[jt]s(#|$)/.test(use)) {
    return { fault: { code: "unknown-plugin", message: `"${use}" is no built-in plugin: for a file write "./${use}"` } };
  }
  return {
    fault: { code: "unknown-plugin", message: `no built-in plugin "${use}": ${suggestName(use, Object.keys(builtIns), "there are")}` },
  };
}

/** The spellings under which `--allow-plugin` may name a plugin: as the manifest has it, or by its absolute path. */
export function allowanceNames(use: string, address: PluginAddress): string[] {
  if (address.kind !== "file") return [use];
  return [use, address.path, `${address.path}#${address.exportName}`];
}

const message = (error: unknown) => error instanceof Error ? error.message : String(error);

/** Imports the plugin at `address` and looks at its shape. Runs the module's code. */
export async function loadPlugin(
  address: PluginAddress,
  builtIns: BuiltIns = allBuiltIns,
): Promise<{ loaded: LoadedPlugin } | { fault: PluginFault }> {
  if (address.kind === "built-in") {
    const plugin = (await builtIns[address.id]()).default;
    const faults = pluginShapeFaults(plugin);
    if (plugin.name !== address.id) faults.push(`its name is "${plugin.name}"`);
    if (faults.length > 0) throw new TypeError(`built-in plugin "${address.id}": ${faults.join("; ")}`);
    return { loaded: { plugin, version: `tomosieve ${VERSION}` } };
  }
  let version: string;
  let specifier: string;
  if (address.kind === "file") {
    try {
      version = `sha256:${createHash("sha256").update(await Deno.readFile(address.path)).digest("hex")}`;
    } catch (error) {
      return { fault: { code: "plugin-missing", message: missingFile(address.path, error) } };
    }
    specifier = pathToFileURL(address.path).href;
  } else {
    version = address.version;
    specifier = address.specifier;
  }
  let module: Record<string, unknown>;
  try {
    module = await import(specifier);
  } catch (error) {
    return { fault: { code: "plugin-load", message: `cannot be loaded: ${message(error).split("\n")[0]}` } };
  }
  const { exportName } = address;
  if (!Object.hasOwn(module, exportName)) {
    const names = Object.keys(module);
    const remedy = names.length === 0 ? "it exports nothing" : suggestName(exportName, names, "it exports");
    const wanted = exportName === "default" ? "default export" : `export "${exportName}"`;
    return { fault: { code: "plugin-export", message: `has no ${wanted}: ${remedy}` } };
  }
  const plugin = module[exportName];
  const faults = pluginShapeFaults(plugin);
  if (faults.length > 0) return { fault: { code: "bad-plugin", message: `is no valid plugin: ${faults.join("; ")}` } };
  return { loaded: { plugin: plugin as AnyPlugin, version } };
}

function missingFile(path: string, error: unknown): string {
  if (!(error instanceof Deno.errors.NotFound)) return `${path} cannot be read: ${message(error)}`;
  let names: string[] = [];
  try {
    names = [...Deno.readDirSync(dirname(path))].map((entry) => entry.name);
  } catch {
    // The folder is missing too: nothing to suggest.
  }
  const near = nearestName(basename(path), names);
  return `no such file${near === null ? `: ${path}` : `: did you mean "${near}"?`}`;
}

/** Every built-in plugin, in the order of plugins/mod.ts. Loads them all. */
export async function loadBuiltIns(builtIns: BuiltIns = allBuiltIns): Promise<AnyPlugin[]> {
  return await Promise.all(Object.values(builtIns).map(async (load) => (await load()).default));
}
