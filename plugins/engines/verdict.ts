/**
 * The verdict of `auto` on a machine, remembered in the user's cache folder.
 *
 * One small file a machine, named after a digest of everything that the verdict depends on: host, system, processor, Deno, the engines' code
 * and the libraries that were found. Anything else makes another file, so an old verdict is never trusted.
 * @module
 */
import { createHash } from "node:crypto";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import configuration from "../../deno.json" with { type: "json" };
import { writeFileAtomic } from "../formats/atomic.ts";
import { type Candidate, titleOf } from "./candidates.ts";

/** What was found. */
export interface Verdict {
  /** Title of the candidate that was taken. */
  readonly taken: string;
  /** Those that come before it, each with its reason: `onednn: libdnnl.so.2 was not found`. */
  readonly refused: readonly string[];
}

/** Where verdicts are kept. */
export interface VerdictMemory {
  recall(): Promise<Verdict | null>;
  keep(verdict: Verdict): Promise<void>;
}

/** Folder of tomosieve's caches: `$XDG_CACHE_HOME`, else the system's own place; null when the user has no home. */
export function cacheFolder(env: (name: string) => string | undefined = (name) => Deno.env.get(name)): string | null {
  const home = env("HOME");
  const base = env("XDG_CACHE_HOME") ||
    (Deno.build.os === "windows" ? env("LOCALAPPDATA") : home && join(home, Deno.build.os === "darwin" ? "Library/Caches" : ".cache"));
  return base ? join(base, "tomosieve") : null;
}

/** Everything that a verdict depends on, as lines of text. */
export async function describeMachine(list: readonly Candidate[]): Promise<string[]> {
  const marks = await Promise.all(list.map(async (candidate) => `${titleOf(candidate)}: ${await candidate.mark?.() ?? ""}`));
  return [
    `host ${Deno.hostname()}`,
    `system ${Deno.build.target} ${release()}`,
    `processor ${cpus()[0]?.model} x ${navigator.hardwareConcurrency}`,
    `tomosieve ${configuration.version}, code ${codeMark()}`,
    `deno ${Deno.version.deno}`,
    `tensor libraries ${Object.values(configuration.imports).filter((name) => /onnxruntime|tensorflow/.test(name)).join(" ")}`,
    ...marks,
  ];
}

/** Memory for these candidates on this machine; null when there is no place to keep it. */
export async function openMemory(list: readonly Candidate[], folder: string | null = cacheFolder()): Promise<VerdictMemory | null> {
  if (folder === null) return null;
  const machine = await describeMachine(list);
  const digest = createHash("sha256").update(machine.join("\n")).digest("hex").slice(0, 16);
  const path = join(folder, `engine-${digest}.json`);
  return {
    async recall() {
      try {
        const kept = JSON.parse(await Deno.readTextFile(path)) as Verdict & { readonly machine: readonly string[] };
        const whole = typeof kept.taken === "string" && Array.isArray(kept.refused) && kept.machine?.join("\n") === machine.join("\n");
        return whole ? { taken: kept.taken, refused: kept.refused } : null;
      } catch {
        // Absent, damaged or not ours to read: the engines are tried again.
        return null;
      }
    },
    async keep(verdict) {
      try {
        await writeFileAtomic(path, JSON.stringify({ ...verdict, machine }, null, 2) + "\n", { sync: false });
      } catch {
        // A cache that cannot be written is no reason to stop: the engines are tried again next time.
      }
    },
  };
}

/** Latest change and size of the engines' own code: a checkout changes without its version. */
function codeMark(): string {
  if (!import.meta.url.startsWith("file:")) return import.meta.url;
  let newest = 0, bytes = 0;
  const walk = (folder: string): void => {
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      if (isDirectory) {
        walk(join(folder, name));
        continue;
      }
      const { mtime, size } = Deno.statSync(join(folder, name));
      newest = Math.max(newest, mtime?.getTime() ?? 0);
      bytes += size;
    }
  };
  walk(fileURLToPath(new URL("./", import.meta.url)));
  return `${newest} ${bytes}`;
}
