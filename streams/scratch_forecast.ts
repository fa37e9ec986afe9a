/**
 * How much a run will write into its scratch folder, said before it starts: sources and stages are asked, nothing is read but headers.
 * @module
 */
import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import { createRandom } from "../plugins/kernels/random.ts";
import type { Payload, PluginContext, Source, TomogramOutline } from "./contract.ts";
import { RunError } from "./errors.ts";
import type { LoadedEntry, LoadedManifest } from "./loaded_manifest.ts";

/** What a run will write. */
export interface ScratchForecast {
  readonly tomograms: number;
  /** Bytes that stay until the run is done. */
  readonly keptBytes: number;
  /** Most bytes beside them while one tomogram is worked on. */
  readonly workingBytes: number;
  /** Kept bytes by who writes them: the stage's name, in the manifest's order. */
  readonly byStage: Readonly<Record<string, number>>;
  /** Stages that do not say what they write. */
  readonly silent: readonly string[];
  /** Bytes that are free where the run folder will stand; null when that cannot be told. */
  readonly freeBytes: number | null;
}

/** Creates a source that is asked for outlines only. */
async function createSource(
  { label, plugin, options }: LoadedEntry,
  seed: number,
  signal: AbortSignal,
): Promise<Source<Payload> & Partial<AsyncDisposable>> {
  const refuse = () => Promise.reject(new RunError(`${label}: nothing is computed in a dry run`));
  const context: PluginContext = {
    stage: label,
    signal,
    random: (...key) => createRandom(seed, label, ...key),
    pool: { size: 1, run: refuse },
    scratch: { volume: refuse },
    progress: () => {},
    drop: () => {},
    warn: () => {},
    note: () => {},
  };
  return await plugin.create(options, context, {});
}

/**
 * Reckons what a run would write into scratch.
 *
 * @returns `null` when the source does not say which tomograms there are.
 * @throws {InputError} When a header is damaged.
 */
export async function forecastScratch(manifest: LoadedManifest, signal: AbortSignal): Promise<ScratchForecast | null> {
  const source = await createSource(manifest.source, manifest.seed, signal);
  try {
    if (!source.outline) return null;
    const stages = manifest.stages.filter(({ plugin }) => plugin.input === "tomogram" && plugin.output === "tomogram");
    const kept = new Map([manifest.source, ...stages].map(({ name }) => [name, 0]));
    const add = (name: string, bytes: number) => kept.set(name, kept.get(name)! + bytes);
    let tomograms = 0, workingBytes = 0;
    for await (const { tomogram, keptBytes } of source.outline(signal)) {
      signal.throwIfAborted();
      tomograms++;
      add(manifest.source.name, keptBytes);
      let outline: TomogramOutline = tomogram;
      for (const { name, plugin, options } of stages) {
        const need = plugin.scratchNeed?.(options, outline);
        if (!need) continue;
        add(name, need.keptBytes);
        workingBytes = Math.max(workingBytes, need.workingBytes);
        outline = need.after;
      }
    }
    return {
      tomograms,
      keptBytes: [...kept.values()].reduce((sum, bytes) => sum + bytes, 0),
      workingBytes,
      byStage: Object.fromEntries([...kept].filter(([, bytes]) => bytes > 0)),
      silent: stages.filter(({ plugin }) => !plugin.scratchNeed).map(({ name }) => name),
      freeBytes: freeBytes(manifest.run.dir),
    };
  } finally {
    await source[Symbol.asyncDispose]?.();
  }
}

function freeBytes(path: string): number | null {
  for (let at = path;; at = dirname(at)) {
    try {
      const { bavail, bsize } = statfsSync(at);
      return bavail * bsize;
    } catch {
      if (dirname(at) === at) return null;
    }
  }
}

/** `0`, `3.4 MB`, `12 GB`: powers of 1000, as disks are sold. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const step = Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return `${Number((bytes / 1000 ** step).toPrecision(2))} ${["B", "kB", "MB", "GB", "TB"][step]}`;
}

/** The forecast in words, one line each. */
export function describeForecast(forecast: ScratchForecast | null): string[] {
  if (forecast === null) return ["scratch: not known, because the source does not say which tomograms there are"];
  const { tomograms, keptBytes, workingBytes, byStage, silent, freeBytes } = forecast;
  const parts = Object.entries(byStage).map(([name, bytes]) => `${name} ${formatBytes(bytes)}`);
  const from = `${tomograms} tomogram${tomograms === 1 ? "" : "s"}`;
  const more = workingBytes > 0 ? `, and up to ${formatBytes(workingBytes)} more while a tomogram is worked on` : "";
  const free = freeBytes === null ? "" : `; ${formatBytes(freeBytes)} are free there`;
  const lines = [
    keptBytes === 0 && workingBytes === 0
      ? `scratch: nothing is written for ${from}`
      : `scratch: ${formatBytes(keptBytes)} for ${from} until the run is done (${parts.join(", ") || "none kept"})${more}${free}`,
  ];
  if (silent.length > 0) {
    lines.push(
      `scratch: ${silent.join(", ")} do${silent.length === 1 ? "es" : ""} not say what ${silent.length === 1 ? "it writes" : "they write"}`,
    );
  }
  if (freeBytes !== null && keptBytes + workingBytes > freeBytes) {
    lines.push(`warning: that is more than is free: choose another run.dir, or bin the tomograms first`);
  }
  return lines;
}
