/**
 * A manifest whose plugins are loaded and whose options are complete: what `run` works from.
 * @module
 */
import { relative, sep } from "node:path";
import { isAddress } from "../plugins/formats/volume_path.ts";
import type { AnyPlugin } from "./contract.ts";
import type { ResolvedEntry, ResolvedManifest } from "./manifest_shape.ts";
import { mapFormatted } from "./option_schema.ts";
import { isForeign } from "./registry.ts";
import { VERSION } from "./version.ts";

/** A plugin, ready to be created. */
export interface LoadedEntry {
  /** `use` as the manifest has it. */
  readonly use: string;
  /** First words of every message: `stages[1] "dog"`. */
  readonly label: string;
  /** The entry's name in the manifest, otherwise the plugin's. */
  readonly name: string;
  /** Whether the manifest gives the name. */
  readonly named: boolean;
  readonly plugin: AnyPlugin;
  /** Every option, defaults filled in, paths absolute. */
  readonly options: Readonly<Record<string, unknown>>;
  /** `tomosieve 0.1.0`, `sha256:...` of the file, or the npm version. */
  readonly version: string;
  /** Absolute path of the module of a file plugin. */
  readonly file: string | null;
}
/** A stage, ready to be created. */
export interface LoadedStage extends LoadedEntry {
  readonly capacity: number;
  readonly onError: "fail" | "drop";
  /** Whether false picks are estimated. */
  readonly decoy: boolean;
  readonly timeoutSeconds: number;
}
/** A learner and the parts to create before it; optional parts that are left out are `null`. */
export interface LoadedLearner extends LoadedEntry {
  readonly parts: Readonly<Record<string, LoadedEntry | null>>;
}
/** A complete manifest. All paths are absolute. */
export interface LoadedManifest {
  /** The manifest as it was named on the command line. */
  readonly name: string;
  /** Folder that its relative paths start from. */
  readonly folder: string;
  readonly seed: number;
  readonly engine: LoadedEntry;
  /** Whether any plugin needs the engine. */
  readonly needsEngine: boolean;
  readonly source: LoadedEntry;
  /** `source.options.truth`, which no plugin sees. */
  readonly truth: string | null;
  readonly stages: readonly LoadedStage[];
  readonly learn: LoadedLearner | null;
  readonly classes: readonly LoadedEntry[];
  readonly sinks: readonly LoadedEntry[];
  readonly run: {
    readonly dir: string;
    readonly threads: number;
    readonly heldOutFraction: number;
    readonly noveltyQuantile: number;
    readonly timeoutSeconds: number;
  };
}

/** Every plugin of a manifest, in the manifest's order. */
export function entriesOf(manifest: LoadedManifest): LoadedEntry[] {
  const parts = Object.values(manifest.learn?.parts ?? {}).filter((part) => part !== null);
  const learn = manifest.learn === null ? [] : [manifest.learn, ...parts];
  return [manifest.engine, manifest.source, ...manifest.stages, ...learn, ...manifest.classes, ...manifest.sinks];
}

/** `path` as seen from `folder`: with forward slashes, and `.` for the folder itself. */
function seenFrom(folder: string, path: string): string {
  if (isAddress(path)) return path;
  return (relative(folder, path) || ".").split(sep).join("/");
}

/**
 * Writes a manifest out for a file in `folder`: nothing is left to default, and every path is relative to `folder`, so that the file
 * reruns the job from there and names no place on this machine.
 */
export function resolvedManifest(manifest: LoadedManifest, folder: string): ResolvedManifest {
  const useOf = (entry: LoadedEntry): string => {
    if (entry.file === null) return entry.use;
    const hash = entry.use.lastIndexOf("#");
    const path = seenFrom(folder, entry.file);
    return `${path.startsWith("../") ? path : `./${path}`}${hash > 0 ? entry.use.slice(hash) : ""}`;
  };
  const plain = (entry: LoadedEntry): ResolvedEntry & { name?: string } => ({
    use: useOf(entry),
    ...(entry.named ? { name: entry.name } : {}),
    options: mapFormatted(entry.plugin.options, entry.options, "path", ({ value }) => seenFrom(folder, value)) as Record<string, unknown>,
  });
  const { learn, source, truth } = manifest;
  // Named one by one: the order of the keys must not depend on which of them the manifest stated.
  const { threads, heldOutFraction, noveltyQuantile, timeoutSeconds } = manifest.run;
  const withTruth = truth === null ? {} : { truth: seenFrom(folder, truth) };
  return {
    version: 1,
    seed: manifest.seed,
    engine: plain(manifest.engine),
    source: { ...plain(source), options: { ...plain(source).options, ...withTruth } },
    stages: manifest.stages.map((stage) => ({
      ...plain(stage),
      capacity: stage.capacity,
      onError: stage.onError,
      decoy: stage.decoy,
      timeoutSeconds: stage.timeoutSeconds,
    })),
    ...(learn === null ? {} : {
      learn: {
        ...plain(learn),
        parts: Object.fromEntries(Object.entries(learn.parts).map(([name, part]) => [name, part === null ? null : plain(part)])),
      },
    }),
    classes: manifest.classes.map(plain),
    sinks: manifest.sinks.map(plain),
    run: { dir: seenFrom(folder, manifest.run.dir), threads, heldOutFraction, noveltyQuantile, timeoutSeconds },
    resolved: {
      tomosieve: VERSION,
      plugins: Object.fromEntries(entriesOf(manifest).filter(({ use }) => isForeign(use)).map((entry) => [useOf(entry), entry.version])),
    },
  };
}
